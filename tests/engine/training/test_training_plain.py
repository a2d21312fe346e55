"""Plain runs in ordinary numbers beside the passes that carry exponents throughout, and optimisers in any unit."""

import numpy as np
import pytest
from nets import spec
from training_runs import ENDS, recipe

from harness.base.scaled import Scaled
from harness.engine.training.at_start import Run, Stack, drawn
from harness.engine.training.loop import Trained
from harness.engine.training.passes import Gradients, gradients
from harness.engine.training.plain import Plain
from harness.networks.training.moments import Moments
from harness.networks.training.optimisers import OPTIMISERS

ROUNDING = {"float32": 2e-5, "float64": 1e-13}  # of the sums of 64 numbers in each of up to 200 layers


def stack_of(dtype: str, activation: str = "tanh", depth: int = 4, scales=(1.0,)) -> Stack:
    """Networks of width 12, one for each scale of the weights."""
    runs = [Run(spec(activation, depth=depth, width=12, weight_scale=s, **ENDS), 0, recipe()) for s in scales]
    return drawn(runs, 0, np.dtype(dtype))


def minibatch(runs: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((runs, 8, 64)).astype(dtype)
    return x, np.eye(10, dtype=dtype)[rng.integers(0, 10, (runs, 8))]


def in_numbers(found: Gradients) -> list[tuple[np.ndarray, np.ndarray]]:
    """Copies of the gradients from the lowest layer up, each with a norm near 1, and log2 of what that took."""
    found_layers = [(g.mantissa.astype(float), g.exponent) for g in found.layers][::-1]
    sizes = [np.abs(mantissa).max(axis=(-2, -1)) for mantissa, _ in found_layers]
    exponents = [np.frexp(size)[1] for size in sizes]
    return [
        (np.ldexp(mantissa, -own[..., None, None]), exponent + own)
        for (mantissa, exponent), own in zip(found_layers, exponents, strict=True)
    ]


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize(
    ("activation", "depth", "scale"),
    [("relu", 4, 1), ("tanh", 5, 1), ("sigmoid", 200, 1), ("tanh", 20, 0.7), ("relu", 20, 0.7), ("relu", 12, 2)],
)
@pytest.mark.parametrize("cost", ["squared", "cross_entropy"])
def test_gradients_in_ordinary_numbers_are_those_with_exponents(dtype, activation, depth, scale, cost):
    stack = stack_of(dtype, activation, depth, scales=(scale, scale))
    x, y = minibatch(2, dtype)
    found, exact = Plain(stack, 8, keep=True).gradients(stack, x, y, cost)
    expected = gradients(stack, x, y, cost)
    np.testing.assert_allclose(found.log10_cost, expected.log10_cost, rtol=ROUNDING[dtype])
    layers = in_numbers(found), in_numbers(expected)
    assert exact.all()
    for (mantissa, exponent), (of_expected, its_exponent) in zip(*layers, strict=True):
        shift = np.ldexp(1.0, exponent - its_exponent)[..., None, None]
        np.testing.assert_allclose(mantissa * shift, of_expected, rtol=0, atol=ROUNDING[dtype])


def test_gradients_vanish_far_below_the_number_format():
    """A sigmoid network of 200 layers: the first layer's gradient is below 10^-100, in float32 as in float64."""
    sizes = {}
    for dtype in ROUNDING:
        stack = stack_of(dtype, "sigmoid", 200)
        lowest = in_numbers(Plain(stack, 8, keep=True).gradients(stack, *minibatch(1, dtype), "squared")[0])[0]
        sizes[dtype] = int(lowest[1][0, 0])
    assert sizes["float64"] < -330 and abs(sizes["float32"] - sizes["float64"]) <= 1


@pytest.mark.parametrize("dtype", ROUNDING)
def test_runs_whose_activations_leave_the_range_are_said_to_and_are_trained_right(dtype):
    """Among runs of ordinary scale, one of 10^±40 or so by its activations: in float32 beyond every number."""
    far = 1e4 if dtype == "float32" else 1e40
    stack = stack_of(dtype, "relu", 10, scales=(1.0, far, 1 / far, 1.0))
    x, y = minibatch(4, dtype)
    with np.errstate(all="ignore"):
        _, exact = Plain(stack, 8, keep=True).gradients(stack, x, y, "squared")
    np.testing.assert_array_equal(exact, [True, False, False, True])
    runs = [Run(spec("relu", depth=10, width=12, weight_scale=s, **ENDS), 0, recipe()) for s in (1, far, 1 / far, 1)]
    together = Trained(runs, stack[:], "squared").gradients(x, y)
    with np.errstate(all="ignore"):
        layers = in_numbers(together), in_numbers(gradients(stack, x, y, "squared"))
    for (mantissa, exponent), (expected, its_exponent) in zip(*layers, strict=True):
        np.testing.assert_array_equal(exponent, its_exponent)
        np.testing.assert_allclose(mantissa, expected, rtol=0, atol=ROUNDING[dtype])


def test_a_run_has_the_same_bits_beside_runs_that_leave_the_range():
    """Runs that vanish, explode or are dead share every array with it, but no number."""
    scales = (1.0, 1e-30, 1e30, 0.0)
    runs = [Run(spec("relu", depth=12, width=12, weight_scale=s, **ENDS), 0, recipe("adam", 0.01)) for s in scales]
    x, y = minibatch(4, "float32")
    weights = []
    for members in ([0], [0, 1, 2, 3]):
        some = [runs[i] for i in members]
        trained = Trained(some, drawn(some, 0, np.dtype("float32")), "squared")
        for _ in range(5):
            trained.step(x[members], y[members])
        weights.append([layer[0] for layer in trained.stack.layers])
    for alone, beside in zip(*weights, strict=True):
        np.testing.assert_array_equal(alone, beside)


# Optimisers in units --------------------------------------------------------------------------------------------------


def by_hand(name: str, steps: list[np.ndarray], epsilon: float) -> list[np.ndarray]:
    """The directions of an optimiser with its usual parameters, in long doubles, which reach 10^±4900."""
    m, v, found = np.zeros((3, 4), np.longdouble), np.zeros((3, 4), np.longdouble), []
    for t, g in enumerate(steps, start=1):
        if name == "adam":
            m, v = 0.9 * m + (1 - np.longdouble(0.9)) * g, 0.999 * v + (1 - np.longdouble(0.999)) * g**2
            found.append(m / (1 - np.longdouble(0.9) ** t) / (np.sqrt(v / (1 - np.longdouble(0.999) ** t)) + epsilon))
        else:
            m = 0.9 * m + g if name == "momentum" else g
            found.append(m)
    return found


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp < 16384, reason="long doubles are doubles here")
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-300])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize(
    "exponents",
    [[0] * 6, [-1200] * 6, [1200] * 6, [0, 40, 200, 900, 1000, 1000], [0, -40, -200, -900, -1000, -1000], [-20] * 6],
    ids=str,
)
def test_directions_are_right_for_gradients_of_any_size(name, epsilon, dtype, tolerance, exponents):
    make = OPTIMISERS[name]
    moments = Moments(make(epsilon=epsilon) if name == "adam" else make(), np.zeros((1, 1, 3, 4), dtype))
    rng = np.random.default_rng(0)
    steps = [rng.standard_normal((3, 4)).astype(dtype) for _ in exponents]
    in_numbers = [np.ldexp(g.astype(np.longdouble), e) for g, e in zip(steps, exponents, strict=True)]
    of_steps = zip(steps, exponents, by_hand(name, in_numbers, epsilon), strict=True)
    for step, (g, exponent, expected) in enumerate(of_steps, start=1):
        found = moments.direction(Scaled(g.copy()[None, None], np.full((1, 1), exponent)), step)
        direction = np.ldexp(found.mantissa[0, 0].astype(np.longdouble), found.exponent[0, 0])
        np.testing.assert_allclose(direction, expected, rtol=tolerance)


def test_a_gradient_of_zero_leaves_the_unit_and_moves_on_the_moments():
    moments = Moments(OPTIMISERS["momentum"](), np.zeros((1, 1, 3, 4)))
    moments.direction(Scaled(np.ones((1, 1, 3, 4)), np.full((1, 1), -500)), 1)
    found = moments.direction(Scaled(np.zeros((1, 1, 3, 4)), np.zeros((1, 1), np.int64)), 2)
    assert found.exponent == -499 or found.exponent == -500
    np.testing.assert_allclose(np.ldexp(found.mantissa, found.exponent + 500), 0.9)


def test_adam_divides_nothing_by_zero():
    """Units whose gradient is 0 throughout, with an epsilon far below the number format in the unit of the others."""
    moments = Moments(OPTIMISERS["adam"](epsilon=1e-40), np.zeros((1, 1, 2, 2), "float32"))
    for step in (1, 2):
        found = moments.direction(Scaled(np.array([[[[1, 0], [-1, 0]]]], "float32"), np.full((1, 1), 100)), step)
        np.testing.assert_allclose(found.mantissa[0, 0], [[1, 0], [-1, 0]], rtol=1e-6)


def test_a_dead_run_stays_with_the_others():
    """Weights of 0: activations that are exactly 0 have not left the range."""
    stack = stack_of("float32", "relu", scales=(1.0, 0.0))
    _, exact = Plain(stack, 8, keep=True).gradients(stack, *minibatch(2, "float32"), "squared")
    assert exact.all()
