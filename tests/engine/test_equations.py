"""The equations: against one neuron in closed form, central differences, and what must not change or must shift.

Guards against a wrong or misplaced factor (slope, transpose, batch mean, bias), a norm taken by a route that disagrees
with the gradient itself, and a ledger that does not add up to the attenuation.
"""

from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
from nets import CHOICES, choice, label, profile, propagated, run, spec, values

from harness.base.arrays import LOG10_2
from harness.base.scaled import RISKY, Scaled, Slope, scaled
from harness.engine.activate import activate
from harness.engine.equations import weight_gradient
from harness.engine.gram import gram_squares
from harness.engine.lanes.depths import slope_lost
from harness.engine.measures import FORWARD, IN_RMS_OUTPUTS, MEASURES, _mean_cosine
from harness.engine.sums import Samples
from harness.engine.walk import measures_of, single_lane
from harness.networks.activations import ACTIVATIONS
from harness.networks.costs import COSTS
from harness.networks.spec import activation_of

# One neuron ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_zero", [0, 0.5, 1])
@pytest.mark.parametrize("W", [-1.5, 0.0, 0.75])
@pytest.mark.parametrize("x", [-2.0, 0.5])
@pytest.mark.parametrize("y", [-1.0, 0.25, 3.0])
def test_one_neuron(W, x, y, at_zero):
    """C = ½(ReLU(Wx) − y)², ∂C/∂W = (ReLU(Wx) − y) · Step(Wx) · x."""
    one = np.ones((1, 1))
    network = propagated([W * one], [np.zeros(1)], x * one, y * one, activation_of(choice("relu", at_zero=at_zero)))
    (layer,) = network.backward
    step = at_zero if W * x == 0 else float(W * x > 0)
    residual = max(W * x, 0) - y
    assert values(weight_gradient(layer.r_below, layer.delta)) == pytest.approx(residual * step * x, rel=1e-15)
    assert values(layer.grad_below) == pytest.approx(residual * step * W, rel=1e-15)
    assert 10**network.log10_cost == pytest.approx(residual**2 / 2, rel=1e-14)


# Central differences ------------------------------------------------------------------------------------------------

STEP = 1e-5


FORMULAS = {  # C of outputs r and targets y, as textbooks write it
    "squared": lambda r, y: np.sum((r - y) ** 2) / 2 / len(r),
    "linear": lambda r, y: np.sum(r * y) / len(r),
    "cross_entropy": lambda r, y: -np.sum(y * np.log(np.exp(r) / np.exp(r).sum(axis=1, keepdims=True))) / len(r),
    "binary_cross_entropy": lambda r, y: (
        -np.sum(y * np.log(1 / (1 + np.exp(-r))) + (1 - y) * np.log(1 - 1 / (1 + np.exp(-r)))) / len(r)
    ),
    "sum": lambda r, y: np.sum(r),
}


def cost_of(weights, biases, x, y, activation, cost, output):
    """C in plain numpy."""
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        z = x @ W + b
        last = k == len(weights) and output != "activation"
        x = (ACTIVATIONS[output]() if last else activation).value(z)
    return FORMULAS[cost](x, y)


def slopes_of(weights, biases, x, activation):
    for W, b in zip(weights, biases, strict=True):
        z = x @ W + b
        yield activation.slope(z - 10 * STEP), activation.slope(z + 10 * STEP)
        x = activation.value(z)


def smooth_case(activation, depth):
    """A network with no unit so near to a kink that a difference would step over it."""
    for seed in count():
        rng = np.random.default_rng([seed, depth])
        fans = [3, *[4] * (depth - 1), 2]
        weights = [rng.normal(size=fan) for fan in pairwise(fans)]
        biases = [rng.normal(size=fan_out) / 2 for fan_out in fans[1:]]
        x, y = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
        pairs = list(slopes_of(weights, biases, x, activation))
        alive = all(np.any(below) for below, _ in pairs)
        if alive and all(np.allclose(1.0 * below, above, atol=1e-3) for below, above in pairs):
            return weights, biases, x, y


def check_gradients(activation, cost, output, depth, planted=None):
    """Every parameter and the inputs; `planted` is the activation given to harness."""
    weights, biases, x, y = smooth_case(activation, depth)
    y = np.eye(2)[[0, 1, 1]] if COSTS[cost].applies else y
    network = propagated(weights, biases, x, y, planted or activation, cost, output)
    found = [values(weight_gradient(layer.r_below, layer.delta)) for layer in network.backward]
    found += [values(layer.delta).sum(axis=0) for layer in network.backward]
    found.append(values(network.backward[0].grad_below))
    parameters = [*weights, *biases, x]
    expected = []
    for array in parameters:
        gradient = np.empty_like(array)
        for place in np.ndindex(array.shape):
            kept, ends = array[place], []
            for shift in (STEP, -STEP):
                array[place] = kept + shift
                ends.append(cost_of(weights, biases, x, y, activation, cost, output))
            array[place] = kept
            gradient[place] = (ends[0] - ends[1]) / (2 * STEP)
        expected.append(gradient)
    # Truncation STEP²·C''' and rounding eps·C/STEP are each some 1e-10 of the largest gradient here.
    scale = max(np.abs(g).max() for g in expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7 * scale)
    assert 10**network.log10_cost == pytest.approx(
        abs(cost_of(weights, biases, x, y, activation, cost, output)), rel=1e-12
    )


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("output", ["activation", "linear"])
@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_gradients_are_central_differences(chosen, cost, output, depth):
    check_gradients(activation_of(chosen), cost, output, depth)


@pytest.mark.parametrize("cost", [name for name in COSTS if name not in ("squared", "linear")])
@pytest.mark.parametrize("chosen", ["relu", "tanh", "sigmoid"])
def test_gradients_of_other_costs_are_central_differences(chosen, cost):
    check_gradients(activation_of(choice(chosen)), cost, "linear", 3)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softplus", "relu"])
@pytest.mark.parametrize("chosen", ["relu", "tanh"])
def test_gradients_of_other_outputs_are_central_differences(chosen, output):
    check_gradients(activation_of(choice(chosen)), "squared", output, 3)


@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_the_gradient_check_sees_a_slope_off_by_a_thousandth(chosen):
    right = activation_of(chosen)
    wrong = replace(right, slope=lambda z: right.slope(z) * 1.001, value_and_slope=None)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_gradients(right, "squared", "activation", 3, planted=wrong)


# The ledger ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_the_ledger_telescopes(chosen, dtype):
    """Weight factors 2 … L and activation factors 1 … L−1 are the attenuation, and each is a ratio of two columns."""
    shapes = [spec(chosen, "lecun_normal", 1.2, 0.1, depth=d, width=24) for d in (2, 7, 300)]  # none dies
    layers, networks = run(shapes, replicates=2, dtype=dtype, batch=3)
    assert (networks["status"] == "ok").all()
    for row in networks.itertuples():
        mine = layers[layers["network"] == row.network]
        delta, grad_r, activation, weight = (
            mine[f"log10_{name}"].to_numpy()
            for name in ("grad_preactivations", "grad_outputs", "activation_factor", "weight_factor")
        )
        terms = np.concatenate([weight[1:], activation[:-1]])
        # one rounding for each of up to 600 terms, which are themselves differences of numbers up to |delta|
        tolerance = 1e-12 * np.abs(terms).sum()
        assert abs(terms.sum() - row.log10_gradient_gain) <= tolerance
        assert row.log10_gradient_gain == delta[0] - delta[-1]
        assert row.slope_per_layer == pytest.approx(row.log10_gradient_gain / (row.depth - 1), rel=1e-15)
        np.testing.assert_allclose(activation, delta - grad_r, rtol=0, atol=tolerance)
        np.testing.assert_allclose(weight[1:], grad_r[:-1] - delta[1:], rtol=0, atol=tolerance)


# Invariances --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("scale", [2.0**-10, 3.0, 1e200, 1e-200])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "linear"])
def test_scaling_the_weights_of_a_homogeneous_network_shifts_its_norms(activation, scale, dtype):
    """r[k] by c^k; under the linear cost ∂C/∂z[k] by c^(L−k) and ∂C/∂W by c^(L−1); masks and shares not at all."""
    depth = 30
    ends = {"depth": depth, "width": 6, "output_width": 3}
    layers, _ = run([spec(activation, weight_scale=s, **ends) for s in (1.0, scale)], cost="linear", dtype=dtype)
    one, other = layers[layers["weight_scale"] == 1.0], layers[layers["weight_scale"] == scale]
    assert len(one) == len(other) == depth
    k = np.arange(1, depth + 1)
    times = {
        "log10_norm_weights": 1,
        "log10_rms_outputs": k,
        "log10_max_outputs": k,
        "log10_grad_weights": depth - 1,
        "log10_grad_biases": depth - k,
        "log10_grad_preactivations": depth - k,
        "log10_grad_outputs": depth - k,
        "log10_max_grad_preactivations": depth - k,
        "log10_weight_factor": 1,
    }
    # float32: the gain itself is rounded at every one of 30 layers
    relative, absolute = (1e-12, 1e-12) if dtype == "float64" else (1e-6, 30 * 1e-6)
    for name in MEASURES:
        shift = np.log10(scale) * times.get(name, 0)
        expected = one[name].to_numpy() + shift
        if name in ("slope_mean", "slope_rms", "dead_fraction", "saturated_fraction"):
            np.testing.assert_array_equal(other[name], expected)
        elif name in IN_RMS_OUTPUTS:
            with np.errstate(over="ignore"):
                scaled = one[name].to_numpy() * scale ** k.astype(float)
            np.testing.assert_allclose(other[name], scaled, rtol=100 * relative, err_msg=name)
        else:
            np.testing.assert_allclose(other[name], expected, rtol=relative, atol=absolute, err_msg=name)


@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_the_order_of_hidden_units_does_not_matter(chosen):
    rng = np.random.default_rng(5)
    fans = [5, 7, 7, 7, 7, 4]
    weights = [rng.normal(size=fan) / np.sqrt(fan[0]) for fan in pairwise(fans)]
    biases = [rng.normal(size=fan_out) / 4 for fan_out in fans[1:]]
    x, y = rng.normal(size=(6, 5)), rng.normal(size=(6, 4))
    orders = [np.arange(5), *(rng.permutation(7) for _ in range(4)), np.arange(4)]
    moved = [W[below][:, above] for W, below, above in zip(weights, orders[:-1], orders[1:], strict=True)]
    moved_biases = [b[above] for b, above in zip(biases, orders[1:], strict=True)]
    activation = activation_of(chosen)
    one = measures_of(propagated(weights, biases, x, y, activation))
    other = measures_of(propagated(moved, moved_biases, x, y, activation))
    for name in MEASURES:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("together", [True, False], ids=["one block", "two blocks"])
@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_a_shallow_network_is_the_beginning_of_a_deep_one(chosen, together):
    """Hidden layers 1 … 7 of depth 8 are those of depth 64; the output layer is its own."""
    shallow, deep = (spec(chosen, "lecun_normal", bias_scale=0.2, depth=d, width=8) for d in (8, 64))
    if together:
        layers, _ = run([shallow, deep], replicates=2)
        one, other = layers[layers["depth"] == 8], layers[layers["depth"] == 64]
    else:
        one, other = run(shallow, replicates=2)[0], run(deep, replicates=2)[0]
    for name in FORWARD:
        np.testing.assert_array_equal(profile(one, name)[:, :7], profile(other, name)[:, :7], err_msg=name)
    assert (profile(one, "log10_norm_weights")[:, 7] != profile(other, "log10_norm_weights")[:, 7]).all()


def test_orthogonal_linear_layers_keep_every_length():
    depth = 5000
    layers, _ = run(spec("linear", "orthogonal", depth=depth, width=16), batch=2)
    # 5000 products that each round at 1e-16 wander by some 1e-14
    for name in ("log10_grad_preactivations", "log10_rms_outputs"):
        assert np.ptp(layers[name]) < 1e-13
    assert np.abs(layers["log10_weight_factor"]).max() < 1e-14


# Two routes to ‖∂C/∂W‖ -----------------------------------------------------------------------------------------------


def norm_of_gradient(r: np.ndarray, delta: np.ndarray) -> float:
    """log10 ‖rᵀδ‖, in long double."""
    return float(np.log10(np.sqrt(np.sum((r.T.astype(np.longdouble) @ delta.astype(np.longdouble)) ** 2))))


def by_gram(below: Scaled, above: Scaled) -> float:
    """log10 ‖rᵀδ‖ by the Gram matrices."""
    squares, exponent = gram_squares(below, above)
    return np.log10(squares.item()) / 2 + exponent.item() * LOG10_2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "batch, fan_in, fan_out", [(1, 5, 5), (3, 8, 8), (8, 3, 5), (40, 3, 3), (16, 16, 1), (5, 1, 1)]
)
def test_gram_equals_direct(batch, fan_in, fan_out, dtype):
    rng = np.random.default_rng(batch)
    for case in range(20):
        r, delta = rng.normal(size=(batch, fan_in)).astype(dtype), rng.normal(size=(batch, fan_out)).astype(dtype)
        if case % 2:  # samples of very different lengths
            r *= (10 ** rng.uniform(-6, 0, size=(batch, 1))).astype(dtype)
        truth = norm_of_gradient(r, delta)
        below, above = single_lane(r), Scaled(single_lane(delta).mantissa[None], np.zeros((1, 1, 1), np.int64))
        # a Gram route may have cancelled 8 bits, which leaves 2^-16 of float32 and 2^-45 of float64
        tolerance = 1e-12 if dtype == np.float64 else 2e-5
        assert abs(by_gram(below, above) - truth) < tolerance
        assert abs(weight_gradient(below, above).log10_norm.item() - truth) < tolerance


@pytest.mark.parametrize("dtype, smallest", [(np.float64, 1e-10), (np.float32, 1e-3)])
def test_gram_where_the_sum_cancels(dtype, smallest):
    """Outputs nearly alike and deltas that nearly sum to zero: ‖∂C/∂W‖ far below ‖r‖‖δ‖."""
    rng = np.random.default_rng(1)
    eps = np.finfo(dtype).eps
    for left in np.geomspace(0.3, smallest, 30):
        r = (rng.normal(size=(1, 9)) + left * rng.normal(size=(6, 9))).astype(dtype)
        delta = rng.normal(size=(6, 9))
        delta = (delta - (1 - left) * delta.mean(axis=0)).astype(dtype)
        below, above = single_lane(r), Scaled(single_lane(delta).mantissa[None], np.zeros((1, 1, 1), np.int64))
        error = by_gram(below, above) - norm_of_gradient(r, delta)
        # the direct route rounds at eps of ‖r‖‖δ‖, 1/left of what is left; the Gram route above 2^-8 at 2^8 eps
        assert abs(error) < 10 * eps / left + 2**8 * eps


@pytest.mark.parametrize("dtype, short", [(np.float64, 1e-160), (np.float32, 1e-21), (np.float32, 1e-30)])
def test_gram_where_products_underflow(dtype, short):
    """The sample with the long output has the short delta, as when one of two samples saturates."""
    rng = np.random.default_rng(0)
    r, delta = rng.normal(size=(2, 2, 8))
    r[1] *= short
    delta[0] *= short
    r, delta = r.astype(dtype), delta.astype(dtype)
    truth = norm_of_gradient(r, delta)
    below, above = scaled(r[None, None]), scaled(delta[None, None, None])
    assert abs(by_gram(below, above) - truth) < 1e-6


@pytest.mark.parametrize("batch, width", [(2, 12), (12, 2), (7, 7)])
def test_the_recorded_norm_is_that_of_the_gradient(batch, width):
    """Whichever route the shape takes."""
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=(width, width)) for _ in range(3)]
    biases = [rng.normal(size=width) for _ in range(3)]
    x, y = rng.normal(size=(2, batch, width))
    network = propagated(weights, biases, x, y, activation_of(choice("sigmoid")))
    recorded = measures_of(network)["log10_grad_weights"]
    truth = [norm_of_gradient(values(layer.r_below), values(layer.delta)) for layer in network.backward]
    np.testing.assert_allclose(recorded, truth, rtol=0, atol=1e-13)


# Cosines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("ratio", [1, 1e-3, 1e-8, 1e-18, 1e-25])
@pytest.mark.parametrize("batch", [2, 5])
def test_cosines_between_samples_of_very_different_lengths(ratio, batch, dtype):
    rng = np.random.default_rng(3)
    a = rng.normal(size=(batch, 6))
    a[1:] *= ratio
    a = a.astype(dtype)
    wide = a.astype(np.longdouble)
    length = np.sqrt((wide**2).sum(axis=1))
    pairs = ~np.eye(batch, dtype=bool)
    truth = float((wide @ wide.T)[pairs].sum() / np.outer(length, length)[pairs].sum())
    samples = Samples(1, 1, 1)
    samples.add_samples(0, single_lane(a))
    found = _mean_cosine(samples).item()
    assert abs(found - truth) < (1e-12 if dtype == np.float64 else 3e-5)  # 2^8 roundings of each format


def test_gains_in_float32_are_as_exact_under_either_cost():
    """An orthogonal linear network grows by its weight scale at every layer, to the rounding of single products."""
    one = spec("linear", "orthogonal", 1.1, depth=1000, width=8)
    slopes = [run(one, batch=2, dtype="float32", cost=cost)[1]["slope_per_layer"][0] for cost in ("squared", "linear")]
    # 999 products in float32 wander by some 2^-24·√999; the gain rounded to float32 would be off by 2^-27 at each
    np.testing.assert_allclose(slopes, np.log10(1.1), rtol=0, atol=2e-9)


# The edge of the number format --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, shorter", [("float64", 950), ("float32", 90)])
@pytest.mark.parametrize("chosen", [c for c in CHOICES if activation_of(c).vanishes_at_zero], ids=label)
def test_a_short_sample_keeps_its_digits_beside_a_long_one(chosen, dtype, shorter):
    """However small both are: 2^-shorter of the long one is far within the format, and must stay so in phi(z)."""
    activation, sample = activation_of(chosen), np.array([1.1, 0.7, 1 / 3], dtype)
    z = Scaled(np.stack([sample, np.ldexp(sample, -shorter)])[None, None], np.full((1, 1), -2000))
    long, short = activate(z, activation).r.mantissa[0, 0]
    assert short.all()
    np.testing.assert_array_equal(np.ldexp(short, shorter), long)


@pytest.mark.parametrize("dtype, drifts", [("float64", (-32, 0, 31)), ("float32", (-12, 0, 11))])
def test_whether_a_slope_is_lost_does_not_depend_on_how_far_a_mantissa_has_drifted(dtype, drifts):
    """A subnormal slope counts for nothing beside one that is not small to a square; beside one that is, it does."""
    tiny = np.finfo(dtype).tiny / 16
    for above, is_lost in ((2.0**20, True), (RISKY[np.dtype(dtype)] * 4 / tiny, False)):
        slope = np.array([[tiny, tiny * above]], dtype)[None, None]
        for drift in drifts:
            grad_r = Scaled(np.full_like(slope, 2.0**drift), np.full((1, 1), -drift))
            delta = (grad_r * Slope(slope, has_zeros=False)).normalised()
            assert slope_lost(grad_r.largest, delta.largest).item() == is_lost == (not delta.mantissa.any())
