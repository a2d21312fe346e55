"""Lanes that share two starts: against each of them alone, by its own start.

Guards against a wrong sign or power of two in the combination, a quadratic form that cancels unseen, and a lane whose
bits depend on its neighbours.
"""

import numpy as np
import pandas as pd
import pytest
from nets import choice, differing, label, profile, run, spec

from harness.base.arrays import LOG10_2
from harness.base.scaled import Scaled
from harness.engine.gram import gram_squares
from harness.engine.measures import MEASURES
from harness.engine.superposition import superposed, superposed_squares, superposed_weight_gradient_squares

HOMOGENEOUS = choice("relu"), choice("leaky_relu", negative_slope=0.3), choice("linear")
NEAR_ONE = np.nextafter(1.0, 2.0)  # a scale that shares starts and yet makes the network of scale 1, to rounding


def decades(squares: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    return np.log10(squares) / 2 + exponent * LOG10_2


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("batch, width", [(4, 24), (40, 12)], ids=["Gram", "direct"])
@pytest.mark.parametrize("chosen", HOMOGENEOUS, ids=label)
def test_shared_starts_give_what_its_own_start_gives(chosen, batch, width, dtype, tolerance):
    """Scale 1 starts from r − y, the next number after 1 from r and from −y: they differ by 2e-16 a layer."""
    one, other = (
        run(
            [spec(chosen, weight_scale=s, depth=d, width=width) for d in (1, 3, 40)],
            replicates=3,
            batch=batch,
            dtype=dtype,
        )
        for s in (1.0, NEAR_ONE)
    )
    for name in MEASURES:
        relative = 0 if name.startswith("log10_") else tolerance  # outputs themselves grow over the layers
        np.testing.assert_allclose(other[0][name], one[0][name], rtol=relative, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(other[1]["log10_cost"], one[1]["log10_cost"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch", [4, 40])
def test_a_lane_of_shared_starts_is_computed_as_if_alone(batch, dtype):
    """To the bit, whichever other scales (1 is one of them) and depths are propagated beside it."""
    every = [spec("relu", weight_scale=s, depth=d, width=12) for s in (1e-3, 0.7, 1.0, 1.5, 1e200) for d in (1, 2, 9)]
    layers, networks = run(every, replicates=2, batch=batch, dtype=dtype)
    for alone in every:
        own_layers, own_networks = run([alone], replicates=2, batch=batch, dtype=dtype)
        assert not differing(own_layers, layers, ["network", "layer"])
        assert not differing(own_networks, networks, ["network"])


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 2.0**10, 1e200])
def test_far_scales_start_from_the_targets_or_from_the_outputs(scale):
    """Where outputs are small, the gradient starts from −y, as under the linear cost; where they are large, from r."""
    ends = {"depth": 20, "width": 16}
    layers, _ = run([spec("relu", weight_scale=scale, **ends)], replicates=2)
    gains = profile(layers, "log10_grad_preactivations")
    if scale < 1:
        linear, _ = run([spec("relu", weight_scale=scale, **ends)], replicates=2, cost="linear")
        np.testing.assert_allclose(gains, profile(linear, "log10_grad_preactivations"), rtol=0, atol=20 * scale)
    else:
        unscaled, _ = run([spec("relu", weight_scale=2 * scale, **ends)], replicates=2)
        doubled = profile(unscaled, "log10_grad_preactivations") - gains
        # ∂C/∂z[k] = r · (gains above): r by 2^20, the gains above layer k by 2^(20 − k)
        expected = np.log10(2) * (20 + 20 - np.arange(1, 21))
        np.testing.assert_allclose(doubled, np.broadcast_to(expected, doubled.shape), rtol=0, atol=1e-9)


@pytest.mark.parametrize("batch", [3, 5], ids=["Gram", "direct"])
@pytest.mark.parametrize("left", [1e-1, 1e-4, 1e-9])
def test_sums_that_cancel_are_taken_from_the_sum_itself(left, batch):
    """α·a + b with b = −α·a but for a little: the quadratic form has lost what is left, the sum has not."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(batch, 8))
    b = -1.75 * a + left * rng.normal(size=(batch, 8))
    r = Scaled(rng.normal(size=(1, 1, batch, 8)), np.zeros((1, 1), np.int64))
    pair = Scaled(np.stack([a, b])[None, None], np.zeros((1, 1, 2), np.int64))
    factor = Scaled(np.full((1, 1, 1, 1, 1), 1.75), np.zeros((1, 1, 1), np.int64))
    delta = superposed(pair, factor)
    expected = np.log10(np.linalg.norm(1.75 * a + b))
    tolerance = 1e-13 + 1e-15 / left  # of what is left, one rounding of a and of b is 2e-16 / left
    assert decades(*superposed_squares(pair, factor)).item() == pytest.approx(expected, abs=tolerance)
    squares = superposed_weight_gradient_squares(r, pair, factor, delta)
    assert decades(*squares).item() == pytest.approx(decades(*gram_squares(r, delta)).item(), abs=tolerance)


@pytest.mark.parametrize("name", ["passes.BACKWARD_BYTES", "depths.SUMMED_BYTES"])
def test_fewer_lanes_or_layers_at_a_time_compute_the_same(name, monkeypatch):
    specs = [spec("relu", weight_scale=s, depth=d, width=8) for s in (0.5, 1.0, 1.1, 1.2, 2.0) for d in (2, 5, 7)]
    whole = run(specs, replicates=2)
    monkeypatch.setattr(f"harness.engine.lanes.{name}", 1)
    for table, before in zip(run(specs, replicates=2), whole, strict=True):
        pd.testing.assert_frame_equal(table, before, check_exact=True)
