"""Given weights: the same numbers as a sweep records of the very network, and every fault refused by name.

Guards against a second implementation that differs from the first, exponents that are lost on the way, and an error of
numpy's in place of one that names the array.
"""

import numpy as np
import pytest
from nets import choice as chosen
from nets import drawn, label, run, spec

import harness
from harness.base.errors import ConfigError
from harness.engine.measures import MEASURES
from harness.networks.activations import tanh

KINDS = [chosen("relu"), chosen("sigmoid"), chosen("tanh"), chosen("leaky_relu", negative_slope=0.3)]
WHOLE = ("log10_cost", "log10_gradient_gain", "slope_per_layer")


def measured(one, cost="squared", **options):
    weights, biases, x, y = drawn(one, **options)
    return harness.measure(weights, biases, x, y, activation=one.activation.label, cost=cost, output=one.output)


@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("output", ["activation", "linear"])
@pytest.mark.parametrize("bias_scale", [None, 0.0])
@pytest.mark.parametrize("depth", [1, 7, 50])
@pytest.mark.parametrize("activation", KINDS, ids=label)
def test_every_measure_is_that_of_a_sweep(activation, depth, bias_scale, output, cost):
    """Without biases, relu and leaky_relu are propagated as bases alone, and their gains are added afterwards."""
    one = spec(activation, "pytorch_default", 1.3, bias_scale, depth, 9, 5, 3, output)
    layers, networks = run(one, cost=cost, batch=6)
    ours = measured(one, cost, batch=6)
    assert list(ours.layers) == list(layers) and list(ours.networks) == list(networks)
    for name in MEASURES:
        np.testing.assert_allclose(ours.layers[name], layers[name], rtol=1e-12, atol=1e-12, err_msg=name)
    for name in WHOLE:
        assert ours.networks[name][0] == pytest.approx(networks[name][0], rel=1e-12, abs=1e-12, nan_ok=True), name
    for name in ("regime", "status", "activation", "output", "depth", "input_width", "output_width"):
        assert ours.networks[name][0] == networks[name][0], name
    for name in (name for name in networks if "from_layer" in name):
        np.testing.assert_array_equal(ours.networks[name].astype(float), networks[name].astype(float), err_msg=name)


def test_columns_that_given_weights_do_not_have_are_null():
    ours = measured(spec(depth=3, width=4), batch=2)
    for name in ("init", "weight_scale", "bias_scale", "family", "seed", "sigma_w", "predicted_spread"):
        assert ours.networks[name].isna().all()
    assert ours.layers["init"].isna().all()
    assert ours.networks["width"][0] == 4
    rng = np.random.default_rng(0)
    Ws = [rng.normal(size=shape) for shape in ((2, 5), (5, 3), (3, 1))]
    other = harness.measure(Ws, None, rng.normal(size=(4, 2)), rng.normal(size=(4, 1)))
    assert other.networks["width"].isna().all() and other.layers["width"].isna().all()


@pytest.mark.parametrize("biased", [False, True])
def test_gradients_of_weights_are_those_of_finite_differences(biased):
    rng = np.random.default_rng(1)
    Ws = [rng.normal(size=shape) for shape in ((3, 6), (6, 2), (2, 4))]
    bs = [rng.normal(size=W.shape[1]) for W in Ws] if biased else None
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))

    def cost(Ws):
        r = x
        for k, W in enumerate(Ws):
            r = np.tanh(r @ W + (bs[k] if biased else 0))
        return np.square(r - y).sum(axis=1).mean() / 2

    ours = harness.measure(Ws, bs, x, y, activation="tanh")
    assert ours.networks["log10_cost"][0] == pytest.approx(np.log10(cost(Ws)), abs=1e-13)
    for k, W in enumerate(Ws):
        gradient = np.empty_like(W)
        for place in np.ndindex(W.shape):
            step = np.zeros_like(W)
            step[place] = 1e-6
            gradient[place] = (cost([*Ws[:k], W + step, *Ws[k + 1 :]]) - cost([*Ws[:k], W - step, *Ws[k + 1 :]])) / 2e-6
        assert 10 ** ours.layers["log10_grad_weights"][k] == pytest.approx(np.linalg.norm(gradient), rel=1e-7)


@pytest.mark.slow
def test_gradients_far_below_every_number_format():
    """10,000 linear layers of one unit: gradients are products of numbers, to 10^-6000."""
    rng = np.random.default_rng(2)
    Ws = [np.array([[w]]) for w in rng.uniform(0.1, 0.4, size=10_000)]
    ours = harness.measure(Ws, [None] * len(Ws), [[1.0]], [[1.0]], activation="linear", cost="linear")
    total = sum(np.log10(W[0, 0]) for W in Ws)
    assert total < -6000
    assert ours.networks["log10_gradient_gain"][0] == pytest.approx(total - np.log10(Ws[0][0, 0]), abs=1e-8)
    assert ours.layers["log10_rms_outputs"].iloc[-1] == pytest.approx(total, abs=1e-8)
    assert ours.networks["status"][0] == "ok"


def test_biases_of_zero_do_not_hide_small_outputs():
    rng = np.random.default_rng(3)
    Ws = [rng.normal(size=(2, 2)) * 1e-80 for _ in range(12)]
    x, y = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    without, zeros = (harness.measure(Ws, b, x, y) for b in (None, [np.zeros(2)] * 12))
    assert without.layers["log10_rms_outputs"].iloc[-1] < -900 or without.networks["regime"][0] == "dead"
    np.testing.assert_array_equal(without.layers[list(MEASURES)], zeros.layers[list(MEASURES)])


def test_an_activation_in_every_form():
    one = spec(chosen("leaky_relu", negative_slope=0.3), depth=3)
    weights, biases, x, y = drawn(one)
    forms = ("leaky_relu(negative_slope=0.3)", {"name": "leaky_relu", "negative_slope": 0.3})
    first, second = (harness.measure(weights, biases, x, y, activation=form) for form in forms)
    assert first.layers.equals(second.layers)
    assert first.networks["activation"][0] == "leaky_relu(negative_slope=0.3)"
    by_name, by_object = (harness.measure(weights, biases, x, y, activation=form) for form in ("tanh", tanh()))
    assert by_name.layers.equals(by_object.layers)
    top = harness.measure(weights, biases, x, y, activation="relu", output="tanh")
    assert top.networks["output"][0] == "tanh"


def test_a_forward_pass_that_overflows_has_a_status():
    Ws = [np.full((1, 1), 1e60)] * 12
    ours = harness.measure(Ws, None, [[1.0]], [[0.0]], activation="softplus")
    assert ours.networks["status"][0].startswith("forward pass overflows at layer")
    assert np.isnan(ours.networks["log10_cost"][0])


GOOD = {
    "weights": [np.ones((2, 3)), np.ones((3, 1))],
    "biases": [np.ones(3), None],
    "inputs": np.ones((4, 2)),
    "targets": np.ones((4, 1)),
}
REFUSED = {
    "weights: give a list of arrays": {"weights": []},
    "weights: give a list": {"weights": np.ones((2, 2, 2))},
    "W1 has shape (2, 1), but W0 has shape (2, 3)": {"weights": [np.ones((2, 3)), np.ones((2, 1))]},
    "W0 has shape (3,)": {"weights": [np.ones(3)]},
    "W0 has shape (2, 0)": {"weights": [np.ones((2, 0))]},
    "W0 holds NaN": {"weights": [np.full((2, 1), np.nan)]},
    "W0 holds NaN or infinite": {"weights": [np.full((2, 1), np.inf)]},
    "W0 holds object": {"weights": [np.array([[10**400, 1]])]},
    "W0 holds complex128": {"weights": [np.ones((2, 1)) * 1j]},
    "W0: not an array of numbers": {"weights": [[[1, 2], [3]]]},
    "W0: the largest number is 1e-200": {"weights": [np.full((2, 1), 1e-200)]},
    "biases: 1 for 2 layers": {"biases": [None]},
    "b0 has 2 numbers, but W0 has 3 columns": {"biases": [np.ones(2), None]},
    "inputs have 3 columns, but W0 has 2 rows": {"inputs": np.ones((4, 3))},
    "inputs has shape (2,)": {"inputs": np.ones(2)},
    "targets have shape (4, 2)": {"targets": np.ones((4, 2))},
    "targets have shape (3, 1)": {"targets": np.ones((3, 1))},
    "activation: unknown 'rellu'; did you mean 'relu'?": {"activation": "rellu"},
    "activation: relu has no parameter 'cap'": {"activation": {"name": "relu", "cap": 1}},
    "activation: cannot read 'relu(at_zero=one)'": {"activation": "relu(at_zero=one)"},
    "activation: give a name": {"activation": 3},
    "activation: alpha must be positive": {"activation": "elu(alpha=-1)"},
    "output: unknown": {"output": "softmax"},
    "cost: unknown 'hinge'": {"cost": "hinge"},
}


@pytest.mark.parametrize(("message", "change"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_by_name(message, change):
    with pytest.raises(ConfigError) as refused:
        harness.measure(**(GOOD | change))
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_what_can_be_used_is_not_refused():
    assert harness.measure(**GOOD).networks["status"][0] == "ok"
