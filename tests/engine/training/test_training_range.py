"""Steps, rates and clips whose numbers lie beyond those of the weights' format, or whose squares do."""

import numpy as np
import pytest
from nets import spec
from training_runs import ENDS, at_step, recipe, trained, training

from harness.base.scaled import Scaled
from harness.engine.training.at_start import Run, drawn
from harness.engine.training.loop import Trained
from harness.networks.training.moments import Moments
from harness.networks.training.optimisers import adam

FLOAT32 = np.dtype(np.float32)


@pytest.mark.parametrize("small", [1e-15, 1e-22, 1e-30])
def test_adam_divides_by_no_square_that_is_beyond_float32(small):
    """m/√v is 1 at the first step, whatever the gradient beside it; it is less where the square of one reads 0."""
    moments = Moments(adam(epsilon=1e-40), np.zeros((1, 1, 1, 2), FLOAT32))
    gradient = Scaled(np.array([[[[1, small]]]], FLOAT32), np.zeros((1, 1), np.int64))
    direction = moments.direction(gradient, 1)
    (large, of_small), _ = direction.mantissa.ravel(), direction.exponent
    np.testing.assert_allclose(large, 1, rtol=1e-5)
    assert of_small == pytest.approx(1, rel=1e-3) if small == 1e-15 else 0 < of_small < 1


def one_step(dtype, *given):
    """`step_layers` after one step of a small network in this dtype."""
    how = training(recipe("sgd", *given), steps=1, times=2)
    return at_step(trained([spec("relu", depth=2, width=8, **ENDS)], how, dtype=dtype)[3], 1)


@pytest.mark.parametrize("rate", [1e-25, 1e-44, 1e-60, 1e-140])
def test_a_float32_run_records_steps_of_any_size(rate):
    """Σ‖u‖² is a float64 column: it holds the square of a step that float32 does not."""
    mine, theirs = one_step("float32", rate), one_step("float64", rate)
    np.testing.assert_allclose(mine["log10_update_ratio"], theirs["log10_update_ratio"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(mine["norm_step"], theirs["norm_step"], rtol=1e-4)
    assert (mine["norm_step"] > 0).all()


@pytest.mark.parametrize("clip", [1e-30, 1e-60])
def test_a_float32_run_is_clipped_to_any_norm(clip):
    mine, theirs = one_step("float32", 0.1, clip), one_step("float64", 0.1, clip)
    np.testing.assert_allclose(mine["log10_update_ratio"], theirs["log10_update_ratio"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("rate", [1e39, 1e300])
def test_a_rate_beyond_float32_makes_a_run_diverge_without_a_warning(rate):
    *_, steps, _ = trained(
        [spec("relu", depth=2, width=8, **ENDS)], training(recipe("sgd", rate), steps=2, times=3), dtype="float32"
    )
    assert list(steps["status"]) == ["ok", "diverged at step 1", "diverged at step 1"]


def test_a_run_whose_biases_leave_the_number_format_has_diverged():
    """Inputs of 0 leave the weights of the first layer alone: its biases are what overflows."""
    run = Run(
        spec("tanh", depth=1, width=3, input_width=4, output_width=2, output="linear"), 0, recipe("sgd", 1e300, batch=2)
    )
    one = Trained([run], drawn([run], 0, np.dtype(float)), "squared")
    one.step(np.zeros((1, 2, 4)), np.full((1, 2, 2), 1e10))
    assert one.diverged[0] == 1


@pytest.mark.parametrize(("dtype", "depth"), [("float32", 30), ("float64", 200)])
def test_adam_steps_by_its_rate_where_the_inputs_of_a_layer_explode_beside_its_biases(dtype, depth):
    """r[k] of 10^30 makes ∂C/∂b[k] that much smaller than ∂C/∂W[k]: the first step of each is the learning rate."""
    run = Run(spec("linear", depth=depth, width=4, weight_scale=10, **ENDS), 0, recipe("adam", 0.01))
    one = Trained([run], drawn([run], 0, np.dtype(dtype)), "squared")
    rng = np.random.default_rng(0)
    one.step(rng.standard_normal((1, 8, 64)).astype(dtype), rng.standard_normal((1, 8, 10)).astype(dtype))
    assert max(np.abs(b).max() for b in one.stack.biases) <= 0.0101
