"""Activations: the slope is the derivative of the value, also where it is saturated, and what is claimed of each holds.

Guards against a slope that loses its digits by cancellation (1 − y beyond z = 37), a bound that is not one, a wrong
claim of homogeneity (which would carry an exponent past a function that changes with it), a dtype that widens.
"""

from dataclasses import replace

import exact
import mpmath as mp
import numpy as np
import pytest
from nets import CHOICES, choice, label

from harness.engine.activate import LINEAR
from harness.networks.activations import ACTIVATIONS, gelu, relu, silu
from harness.networks.spec import activation_of

KNOWN = [c for c in CHOICES if c.name in exact.FORMULAS]
GRID = np.linspace(-12, 12, 4801)  # with 0, ±1 and every other kink there may be
STEP = 1e-5
every = pytest.mark.parametrize("chosen", CHOICES, ids=label)


def check_slope(activation):
    """Central differences over the grid, but for points next to a kink."""
    z = GRID
    slope_at = [1.0 * activation.slope(z + shift) for shift in (-10 * STEP, 0, 10 * STEP)]
    smooth = np.abs(slope_at[0] - 2 * slope_at[1] + slope_at[2]) < 1e-6  # its second difference is 1e-8 times phi'''
    assert smooth.sum() > len(z) - 10
    difference = (activation.value(z + STEP) - activation.value(z - STEP)) / (2 * STEP)
    # rounding: 12 units of 2^-53 over 2·STEP is 1e-10; truncation STEP²/6 · phi''' is 1e-10 too
    np.testing.assert_allclose(activation.slope(z)[smooth], difference[smooth], rtol=0, atol=1e-9)


@every
def test_slope_is_the_derivative_of_value(chosen):
    check_slope(activation_of(chosen))


@every
def test_the_slope_check_sees_an_error_of_a_thousandth(chosen):
    right = activation_of(chosen)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_slope(replace(right, slope=lambda z: right.slope(z) * 1.001))


# In the tails -------------------------------------------------------------------------------------------------------

TAILS = np.concatenate([np.geomspace(1e-12, 700, 120), [0.5, 1.5, 5, 36.7, 37, 38, 40, 100, 300, 699]])
TAILS = np.concatenate([-TAILS, TAILS])
TINY = np.finfo(np.float64).tiny


def in_fifty_digits(chosen, which, z):
    formula, options = exact.FORMULAS[chosen.name][which], dict(chosen.parameters)
    return [formula(mp.mpf(float(v)), **options) for v in z]


def errors(found, truth, scale=0.0):
    """Relative errors, where the truth is in the format; or relative to a scale where that is larger."""
    return np.array(
        [
            float(abs(mp.mpf(float(f)) - t) / max(abs(t), mp.mpf(scale)))
            for f, t in zip(found, truth, strict=True)
            if abs(t) > TINY
        ]
        or [0.0]
    )


@pytest.mark.parametrize("chosen", KNOWN, ids=label)
def test_slope_and_value_in_the_tails(chosen):
    """To 1e-12 of themselves, out to |z| = 700."""
    activation = activation_of(chosen)
    # The slopes of gelu and silu pass through 0 (near −0.75 and −1.28): no digit is left there, as anywhere; erf's
    # e^−z² loses z²·2^-53 by the rounding of z².
    scale = 1e-2 if chosen.name in ("gelu", "silu") else 0.0
    near = TAILS[np.abs(TAILS) < 4] if scale else TAILS
    far = TAILS[np.abs(TAILS) >= 4]
    with np.errstate(under="ignore"):
        assert errors(activation.slope(near), in_fifty_digits(chosen, 1, near), scale).max() < 1e-12
        assert errors(activation.slope(far), in_fifty_digits(chosen, 1, far)).max() < 1e-12
        assert errors(activation.value(TAILS), in_fifty_digits(chosen, 0, TAILS)).max() < 1e-12


@pytest.mark.parametrize("chosen", KNOWN, ids=label)
def test_float32_in_the_tails(chosen):
    """float32 arithmetic, exact but for some roundings where the slope is well within the format."""
    z = TAILS[np.abs(TAILS) < 80].astype(np.float32)
    with np.errstate(under="ignore"):
        slope = activation_of(chosen).slope(z)
    truth = in_fifty_digits(chosen, 1, z)
    scale = 1e-2 if chosen.name in ("gelu", "silu") else 1e-37
    # gelu's tail forms z² in float32, whose rounding of up to 80 · 2^-24 stands in the exponent
    keep = [abs(t) > 1e-37 for t in truth]
    found = np.abs(slope[keep].astype(float) - [float(t) for t, k in zip(truth, keep, strict=True) if k])
    allowed = 1e-5 * np.array([max(float(abs(t)), scale) for t, k in zip(truth, keep, strict=True) if k])
    assert (found <= allowed).all()


def test_the_saturated_sigmoid_keeps_its_slope():
    """y(1 − y) as it is written is exactly 0 here; e^−z is not."""
    z = np.array([40.0, 700.0])
    y = 1 / (1 + np.exp(-z))
    assert (y * (1 - y) == 0).all()
    np.testing.assert_allclose(ACTIVATIONS["sigmoid"]().slope(z), np.exp(-z), rtol=1e-14)


@every
def test_no_warning_however_large_z_is(chosen):
    """Only what overflows may say so: run_block ignores it and gives the network a status."""
    z = np.array([0.0, 1e-300, 1.0, 50.0, 710.0, 800.0, 1e10, 1e150, 1e300])
    z = np.concatenate([-z, z])
    activation = activation_of(chosen)
    with np.errstate(over="ignore", under="ignore"):
        assert np.isfinite(activation.slope(z)).all()
        assert not np.isnan(activation.value(z)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every
def test_both_at_once_are_value_and_slope(chosen, dtype):
    """To a few roundings of themselves wherever they are in the format, out to where nothing of e^−z is left."""
    activation, info = activation_of(chosen), np.finfo(dtype)
    z = np.concatenate([TAILS, [-1e30, -800, -710, -709.5, -100, -88.5, 0, 88.5, 100, 709.5, 710, 800, 1e30]])
    with np.errstate(over="ignore", under="ignore"):
        z = z.astype(dtype)
        value, slope = np.empty_like(z), np.empty(z.shape, activation.slope_dtype(z.dtype))
        activation.fill(z, value, slope)
        for ours, theirs in ((value, activation.value(z)), (slope, activation.slope(z))):
            assert ours.dtype == theirs.dtype
            kept = ~(np.abs(theirs) < info.tiny) if ours.dtype != bool else np.ones(z.shape, bool)
            np.testing.assert_allclose(ours[kept] * 1.0, theirs[kept] * 1.0, rtol=8 * info.eps)
            assert (np.abs(ours[~kept]) < info.tiny).all()


# What is claimed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every
def test_dtype_is_kept(chosen, dtype):
    activation, z = activation_of(chosen), np.linspace(-3, 3, 12, dtype=dtype).reshape(3, 4)
    assert activation.value(z).dtype == dtype
    assert activation.slope(z).dtype in (dtype, bool)
    assert activation.value(z).shape == activation.slope(z).shape == z.shape
    before = z.copy()
    activation.value(z)[...] = 7  # a copy, not a view of z
    np.testing.assert_array_equal(z, before)


@every
def test_slope_bound_is_reached_and_never_passed(chosen):
    activation = activation_of(chosen)
    fine = np.concatenate([GRID, np.linspace(-3, 3, 200_001), np.geomspace(1e-9, 600, 2000)])
    slopes = np.abs(activation.slope(fine) * 1.0)
    assert slopes.max() <= activation.slope_bound * (1 + 4e-16)
    # the grid is 3e-5 wide, and a maximum is flat
    assert slopes.max() >= activation.slope_bound * (1 - 1e-8)


@every
def test_homogeneous_where_it_says_so_and_only_there(chosen):
    activation = activation_of(chosen)
    z = np.random.default_rng(0).normal(size=50)
    same = all(
        np.allclose(activation.value(c * z), c * activation.value(z), rtol=1e-14)
        and np.array_equal(activation.slope(c * z), activation.slope(z))
        for c in (1e-3, 0.7, 1e3)
    )
    assert same == activation.homogeneous


@every
def test_homogeneous_to_the_last_bit_near_zero(chosen):
    """Under 2^LINEAR phi(z) = phi'(0±)·z where phi(0) = 0."""
    activation = activation_of(chosen)
    assert activation.vanishes_at_zero == (activation.value(np.zeros(1)).item() == 0)
    if not activation.vanishes_at_zero:
        return
    for dtype in (np.float64, np.float32):
        z = np.random.default_rng(0).uniform(-1, 1, size=500).astype(dtype) * dtype(2.0 ** LINEAR[np.dtype(dtype)])
        for shift in (1, 5, 30):
            small = z * dtype(2.0**-shift)
            np.testing.assert_array_equal(activation.value(small), activation.value(z) * dtype(2.0**-shift))
            np.testing.assert_array_equal(activation.slope(small), activation.slope(z))


@every
def test_silent_is_where_the_slope_is_zero(chosen):
    activation = activation_of(chosen)
    z = np.concatenate([GRID[GRID != 0], np.geomspace(1e-300, 20, 50), -np.geomspace(1e-300, 20, 50)])
    zero = activation.slope(z) == 0
    if activation.silent is None:
        assert not zero.any()
    else:
        np.testing.assert_array_equal(activation.silent(z), zero)


@pytest.mark.parametrize("at_zero", [0, 0.5, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_at_zero(at_zero, dtype):
    """Step(0) is what was asked for; such a unit counts as silent whatever that is."""
    activation = relu(at_zero)
    z = np.array([-0.0, 0.0, -1.0, 1.0], dtype=dtype)
    assert activation.slope(z).tolist() == [at_zero, at_zero, 0, 1]
    assert activation.silent(z).tolist() == [True, True, True, False]


def test_where_gelu_and_silu_are_steepest():
    """φ'' of gelu is 0 at √2; that of silu at 2.3994."""
    assert gelu().slope_bound == pytest.approx(float(mp.ncdf(mp.sqrt(2)) + mp.sqrt(2) * mp.npdf(mp.sqrt(2))), rel=1e-14)
    top = mp.findroot(lambda z: z * mp.tanh(z / 2) - 2, 2.4)
    assert silu().slope_bound == pytest.approx(float(exact.FORMULAS["silu"][1](top)), rel=1e-14)


@pytest.mark.parametrize(
    "name, parameters, message",
    [
        ("leaky_relu", {"negative_slope": 0}, "negative_slope 0 is relu; use that"),
        ("elu", {"alpha": 0}, "alpha must be positive, not 0"),
        ("elu", {"alpha": -1.5}, "alpha must be positive, not -1.5"),
    ],
)
def test_parameters_that_are_refused(name, parameters, message):
    with pytest.raises(ValueError) as caught:
        activation_of(choice(name, **parameters))
    assert str(caught.value) == message
