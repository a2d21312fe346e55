"""Steps, rates and clips whose numbers lie beyond those of the weights' format, or whose squares do."""

import numpy as np
import pytest
from nets import spec
from training_runs import ENDS, at_step, recipe, trained, training

from harness.base.scaled import Scaled
from harness.engine.training.at_start import Run, drawn
from harness.engine.training.loop import Trained
from harness.networks.training.optimisers import adam, zeros_like

FLOAT32 = np.dtype(np.float32)


@pytest.mark.parametrize("small", [1e-15, 1e-22, 1e-30])
def test_adam_divides_a_gradient_by_its_size_where_its_square_is_beyond_float32(small):
    """m/√v is 1 at the first step, whatever the gradient beside it, as long as epsilon is smaller."""
    optimiser = adam(epsilon=1e-40)
    gradient = Scaled(np.array([[[[1, small]]]], FLOAT32), np.zeros((1, 1), np.int64))
    _, direction = optimiser.update(optimiser.start(zeros_like(gradient)), gradient, 1)
    found = np.ldexp(direction.mantissa.astype(float), direction.exponent[..., None, None])
    np.testing.assert_allclose(found.ravel(), 1, rtol=1e-5)


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
    run = Run(spec("tanh", depth=1, width=3, input_width=4, output_width=2, output="linear"), 0, recipe("sgd", 1e300))
    one = Trained([run], drawn([run], 0, np.dtype(float)), "squared")
    one.step(np.zeros((1, 2, 4)), np.full((1, 2, 2), 1e10))
    assert one.diverged[0] == 1


def test_the_step_of_the_weights_is_known_where_the_inputs_of_a_layer_vanish_beside_its_biases():
    """r[k] of 10^-60 makes ∂C/∂W[k] that much smaller than ∂C/∂b[k], which float32 does not hold in one array."""
    one = [spec("relu", depth=60, width=8, weight_scale=0.1, **ENDS)]
    of_dtypes = [trained(one, training(steps=1, times=2), dtype=dtype)[3] for dtype in ("float32", "float64")]
    mine, theirs = (at_step(layers, 1)["log10_update_ratio"] for layers in of_dtypes)
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("dtype", "depth"), [("float32", 30), ("float64", 200)])
def test_adam_steps_by_its_rate_where_the_inputs_of_a_layer_explode_beside_its_biases(dtype, depth):
    """r[k] of 10^30 makes ∂C/∂b[k] that much smaller than ∂C/∂W[k]: the first step of each is the learning rate."""
    run = Run(spec("linear", depth=depth, width=4, weight_scale=10, **ENDS), 0, recipe("adam", 0.01))
    one = Trained([run], drawn([run], 0, np.dtype(dtype)), "squared")
    rng = np.random.default_rng(0)
    one.step(rng.standard_normal((1, 8, 64)).astype(dtype), rng.standard_normal((1, 8, 10)).astype(dtype))
    assert max(np.abs(b).max() for b in one.stack.biases) <= 0.0101
