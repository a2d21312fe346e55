"""Costs: against many digits where they saturate, what they have in common, and what a config may ask of them.

Guards against 1 − p that loses the small gradient of a network that is certain, against an overflow of e^z, and against
a cost that is computed from outputs or targets for which it has no meaning.
"""

import exact
import mpmath as mp
import numpy as np
import pytest
from nets import choice, differing, drawn, profile, run, spec, values

import harness
from harness.base.errors import ConfigError
from harness.base.scaled import Scaled, scaled
from harness.config import from_mapping
from harness.networks.activations import ACTIVATIONS
from harness.networks.costs import COSTS, REACH, _of_any_logits, _of_near_logits

LOGITS = [
    [[800.0, -800.0]],  # certain, and right: the gradient is e^-1600
    [[-800.0, 800.0]],  # certain, and wrong
    [[800.0, -800.0], [-800.0, 800.0]],
    [[800.0, 799.0, -800.0], [-800.0, -800.0, -800.0]],
    [[37.0, 0.0, 0.0]],  # 1 − p has lost most of its digits here
    [[-37.5, 0.1, 0.2], [0.0, 0.0, 0.0], [1e-20, 3e-20, 0.0]],
]


def log10_of(a):
    """log10 of every entry of the only lane."""
    with np.errstate(divide="ignore"):
        return np.log10(np.abs(a.mantissa[0])) + a.exponent[0] * np.log10(2)


@pytest.mark.parametrize("cost", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("z", LOGITS)
def test_a_saturated_cost_keeps_its_small_gradient(z, cost):
    z = np.array(z)
    y = np.eye(z.shape[1])[np.zeros(len(z), dtype=int)]
    log10_cost, gradient = COSTS[cost].gradient(scaled(z[None]), scaled(y[None]))
    with mp.workdps(1500):  # 1 − p is computed as written
        expected_cost, expected = exact.COSTS[cost](exact.array(z), exact.array(y))
        sizes = np.array([[exact.log10(abs(v)) for v in row] for row in expected])
        assert log10_cost[0] == pytest.approx(exact.log10(expected_cost), abs=1e-12)
        assert exact.log10_norm(expected) == pytest.approx(gradient.log10_norm[0], abs=1e-12)
    known = sizes > sizes.max() - 300  # smaller entries are 0 beside the largest of the network
    np.testing.assert_allclose(log10_of(gradient)[known], sizes[known], rtol=0, atol=1e-9)
    assert (np.sign(gradient.mantissa[0])[known] == np.where(y > 0, -1, 1)[known]).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_logits_of_any_size_beside_each_other_cost_what_they_cost_alone(dtype):
    """Lanes with logits up to 300 are computed by another formula than the others; without a warning, an error here."""
    rng = np.random.default_rng(0)
    z = np.array([1, 30, 290, 310, 1e4, 1e30]).astype(dtype)[:, None, None] * rng.uniform(-1, 1, (6, 5, 4)).astype(
        dtype
    )
    y = scaled(np.eye(4, dtype=dtype)[rng.integers(0, 4, (6, 5))])
    together = COSTS["cross_entropy"].gradient(scaled(z), y)
    for i in range(len(z)):
        log10_cost, gradient = COSTS["cross_entropy"].gradient(scaled(z[i : i + 1]), y[i : i + 1])
        assert log10_cost[0] == together[0][i]
        np.testing.assert_array_equal(gradient.mantissa[0], together[1].mantissa[i])
        assert gradient.exponent[0] == together[1].exponent[i]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_formulas_of_cross_entropy_agree(dtype):
    rng = np.random.default_rng(1)
    z = scaled(rng.normal(size=(20, 5, 4), scale=30).clip(-100, 100).astype(dtype))
    y = scaled(np.eye(4, dtype=dtype)[rng.integers(0, 4, (20, 5))])
    (cost, grad), (its_cost, its_grad) = _of_near_logits(z, y), _of_any_logits(z, y)
    np.testing.assert_allclose(cost, its_cost, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        grad.log10_norm, its_grad.log10_norm, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-13
    )
    np.testing.assert_allclose(values(grad), values(its_grad), rtol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("cost", ["cross_entropy", "binary_cross_entropy"])
def test_logits_beyond_every_number_format(cost):
    """Of 10^602: the cost is a difference of logits; a lane of tiny ones has equal probabilities."""
    z, y = np.array([[[1.0, 2.0, 3.0]]]), np.array([[[1.0, 0.0, 0.0]]])
    large, certain = COSTS[cost].gradient(Scaled(z, np.array([2000])), scaled(y))
    top = {"cross_entropy": 2, "binary_cross_entropy": 5}[cost]  # z3 − z1, or z2 + z3
    assert large[0] == pytest.approx(2000 * np.log10(2) + np.log10(top), rel=1e-15)
    expected = {"cross_entropy": [-1, 0, 1], "binary_cross_entropy": [0, 1, 1]}[cost]
    np.testing.assert_array_equal(values(certain), [expected])
    _, equal = COSTS[cost].gradient(Scaled(z, np.array([-2000])), scaled(y))
    share = {"cross_entropy": [-2 / 3, 1 / 3, 1 / 3], "binary_cross_entropy": [-0.5, 0.5, 0.5]}[cost]
    np.testing.assert_allclose(values(equal), [share], rtol=1e-15)
    right = Scaled(np.array([[[3.0, 2.0, 1.0]]]), np.array([40]))  # e^(−2^40): an exponent below that of zero
    assert 2.0**40 > REACH
    assert not COSTS["cross_entropy"].gradient(right, scaled(y))[1].mantissa.any()


def test_the_sum_starts_from_ones():
    """As out.sum().backward() in PyTorch: not divided by the batch."""
    r = np.random.default_rng(0).normal(size=(1, 5, 3))
    log10_cost, gradient = COSTS["sum"].gradient(scaled(r), scaled(np.zeros_like(r)))
    assert (values(gradient) == 1).all()
    assert log10_cost[0] == pytest.approx(np.log10(abs(r.sum())), rel=1e-14)


def test_the_sum_is_the_linear_cost_of_ones_times_the_batch():
    one = [spec(a, depth=d, width=9) for a in ("relu", "tanh") for d in (1, 6)]
    layers, networks = run(one, replicates=2, cost="sum", batch=8)
    of_ones, networks_of_ones = run(one, replicates=2, cost="linear", targets="ones", batch=8)
    for name in ("log10_grad_weights", "log10_grad_preactivations", "log10_grad_biases"):
        np.testing.assert_allclose(layers[name], of_ones[name] + np.log10(8), rtol=0, atol=1e-13)
    np.testing.assert_allclose(networks["log10_cost"], networks_of_ones["log10_cost"] + np.log10(8), rtol=0, atol=1e-13)


LABELS = {"inputs": "digits", "targets": "labels"}
ENDS = {"input_width": 64, "output_width": 10, "output": "linear"}


@pytest.mark.parametrize("cost", [name for name in COSTS if name not in ("squared", "linear")])
def test_every_measure_is_that_of_given_weights(cost):
    """With the gains in place, which a sweep of ReLU networks adds afterwards."""
    specs = [spec(a, weight_scale=w, depth=5, width=9, **ENDS) for a in ("relu", "tanh") for w in (1.0, 1.7)]
    layers, networks = run(specs, cost=cost, batch=6, **LABELS)
    for i, one in enumerate(specs):
        given = drawn(one, batch=6, **LABELS)
        ours = harness.measure(*given, activation=one.activation.label, cost=cost, output="linear")
        for name in ("log10_grad_weights", "log10_grad_outputs", "log10_grad_biases", "delta_cosine"):
            np.testing.assert_allclose(profile(layers, name)[i], ours.layers[name], rtol=0, atol=1e-11)
        assert networks["log10_cost"][i] == pytest.approx(ours.networks["log10_cost"][0], abs=1e-12)


@pytest.mark.parametrize("cost", COSTS)
def test_a_lane_alone_is_the_lane_among_others(cost):
    specs = [
        spec(a, weight_scale=w, depth=d, width=7, **(ENDS | {"output": output}))
        for a in ("relu", "tanh")
        for w in (1.0, 2.0)
        for d in (1, 4)
        for output in (("linear",) if COSTS[cost].applies else ("linear", "activation", "sigmoid", "leaky_relu"))
    ]
    together = run(specs, replicates=3, cost=cost, batch=5, **LABELS)
    for one in specs:
        for ours, theirs, keys in zip(run(one, 3, cost=cost, batch=5, **LABELS), together, KEYS, strict=True):
            assert differing(ours, theirs, keys) == []


KEYS = (["network", "layer"], ["network"])


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softplus", "relu", "linear"])
@pytest.mark.parametrize("chosen", ["relu", "tanh", "sigmoid"])
def test_outputs_of_another_activation(chosen, output):
    """In a sweep, where ReLU networks of several scales share their passes, and in fifty digits."""
    for scale in (1.0, 1.5):
        one = spec(chosen, weight_scale=scale, depth=4, width=5, output_width=3, output=output)
        layers, networks = run([one, spec(chosen, weight_scale=3.0, depth=4, width=5, output_width=3)], batch=3)
        expected, whole = exact.network(
            drawn(one, batch=3), chosen, ACTIVATIONS[chosen]().slope_bound, "squared", output
        )
        for name, column in expected.items():
            np.testing.assert_allclose(layers[name][:4], column, rtol=0, atol=1e-12, err_msg=name)
        assert networks["log10_cost"][0] == pytest.approx(whole["log10_cost"], abs=1e-12)


# Configs ------------------------------------------------------------------------------------------------------------

SWEEP = {
    "name": "s",
    "network": {"activation": "relu", "init": "he_normal", "depth": 3, "width": 8},
    "data": {"inputs": "digits", "targets": "labels"},
}


def config(cost, output=None, targets="labels"):
    network = SWEEP["network"] | ({} if output is None else {"output": output})
    return SWEEP | {"cost": cost, "network": network, "data": SWEEP["data"] | {"targets": targets}}


@pytest.mark.parametrize("cost", ["cross_entropy", "binary_cross_entropy"])
def test_a_cost_on_logits_has_a_linear_output(cost):
    assert from_mapping(config(cost)).network.output == ("linear",)
    assert from_mapping(config(cost, "linear")).network.output == ("linear",)
    assert from_mapping(config("squared")).network.output == ("activation",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            config("cross_entropy", "activation"),
            "network.output: activation, but cross_entropy applies softmax to a linear output itself; remove output",
        ),
        (
            config("binary_cross_entropy", "sigmoid"),
            "network.output: sigmoid, but binary_cross_entropy applies sigmoid to a linear output itself; "
            "remove output",
        ),
        (
            config("cross_entropy", targets="ones"),
            "cost: cross_entropy has no meaning for targets: ones; use data: {targets: labels}",
        ),
        (
            config("binary_cross_entropy", targets="gaussian"),
            "cost: binary_cross_entropy has no meaning for targets: gaussian; "
            "use data: {targets: labels or zeros or ones}",
        ),
    ],
)
def test_costs_say_what_they_need(given, message):
    with pytest.raises(ConfigError) as raised:
        from_mapping(given)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("options", "targets", "message"),
    [
        (
            {"cost": "cross_entropy", "output": "relu"},
            [[1, 0]],
            "output: relu, but cross_entropy applies softmax itself; use output linear",
        ),
        (
            {"cost": "cross_entropy"},
            [[1, 1]],
            "targets: cross_entropy needs one-hot targets of two classes or more: a 1 in each row",
        ),
        ({"cost": "binary_cross_entropy"}, [[1, 0.5]], "targets: binary_cross_entropy needs targets of 0 and 1"),
    ],
)
def test_measure_says_what_a_cost_needs(options, targets, message):
    with pytest.raises(ConfigError) as raised:
        harness.measure([np.ones((2, 2))], None, [[1.0, 2.0]], targets, activation=choice("relu").label, **options)
    assert str(raised.value) == message
