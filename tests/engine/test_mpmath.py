"""Whole networks again in fifty digits, down to where float64 has long underflowed: every column, one by one.

Guards against precision lost on the way (a slope that cancels, a square that underflows, an exponent dropped or counted
twice), which no comparison in ordinary arithmetic can see below 10^-308.
"""

import exact
import numpy as np
import pytest
from nets import CHOICES, choice, drawn, label, run, spec

from harness.engine.measures import IN_RMS_OUTPUTS, MEASURES
from harness.networks.spec import activation_of

KNOWN = [c for c in CHOICES if c.name in exact.FORMULAS]
WHOLE = ("log10_cost", "log10_gradient_gain", "slope_per_layer")


def compare(one, atol, replicate=0, dtype="float64", **options):
    """Both tables of one network against fifty digits; the tolerance is absolute, so in decades for a log10 column."""
    layers, networks = run(one, range(replicate, replicate + 1), dtype=dtype, **options)
    assert networks["status"].tolist() == ["ok"]
    activation = activation_of(one.activation)
    parameters = drawn(one, replicate, **options)
    if dtype == "float32":  # base draws and data are cast, gains too
        parameters = as_float32(one, parameters)
    expected, whole = exact.network(
        parameters,
        one.activation.name,
        activation.slope_bound,
        options.get("cost", "squared"),
        one.output,
        **dict(one.activation.parameters),
    )
    assert set(expected) <= set(MEASURES)
    for name, column in expected.items():
        relative = 10 * atol if name in IN_RMS_OUTPUTS else 0  # these are no logarithms
        np.testing.assert_allclose(layers[name], column, rtol=relative, atol=atol, err_msg=name)
    for name in WHOLE:
        assert networks[name][0] == pytest.approx(whole[name], abs=atol, nan_ok=True), name
    for name in (name for name in whole if name.startswith("zero_from_layer")):
        assert networks[name].to_numpy(float)[0] == pytest.approx(whole[name], nan_ok=True), name
    return layers, networks


def as_float32(one, parameters):
    weights, biases, x, y = parameters
    gains = [one.gain(*W.shape) for W in weights]
    weights = [(W / g).astype(np.float32) * np.float64(np.float32(g)) for W, g in zip(weights, gains, strict=True)]
    sigma = np.float64(np.float32(one.sigma_b(one.width))) or 1.0
    biases = [(b / sigma).astype(np.float32) * sigma for b in biases]
    return weights, biases, x.astype(np.float32), y.astype(np.float32)


def test_600_layers_of_sigmoid():
    """Gradients to 10^-400: each layer costs 0.6 decades, float64 reads 0 from the middle on."""
    one = spec("sigmoid", "lecun_normal", bias_scale=0.1, depth=600, width=4, input_width=3, output_width=2)
    layers, networks = compare(one, atol=1e-9, batch=3)
    assert layers["log10_grad_weights"][0] < -330
    assert 0 < networks["zero_from_layer_float64"][0] < 300
    assert networks["regime"][0] == "vanishing"


def test_the_ledger_in_fifty_digits():
    """What the activation cost and what the weights cost, in all, to 1e-9 of a decade each."""
    one = spec("sigmoid", "lecun_normal", depth=600, width=4)
    layers, _ = run(one, batch=2)
    parameters = drawn(one, batch=2)
    expected, _ = exact.network(parameters, "sigmoid", 0.25)
    for name in ("log10_activation_factor", "log10_weight_factor"):
        assert layers[name].sum() == pytest.approx(expected[name].sum(), abs=1e-9)


@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("chosen", KNOWN, ids=label)
def test_weights_so_small_that_everything_underflows(chosen, cost):
    """21 layers of 10^-20: ∂C/∂z to 10^-400, and outputs too where phi(0) = 0."""
    one = spec(chosen, "lecun_normal", 1e-20, depth=21, width=3, output_width=2)
    layers, networks = compare(one, atol=1e-9, replicate=1, batch=2, cost=cost)
    assert layers["log10_grad_preactivations"][0] < -390 or networks["regime"][0] == "dead"


@pytest.mark.parametrize("chosen", [c for c in KNOWN if activation_of(c).homogeneous], ids=label)
def test_weights_so_large_that_everything_overflows(chosen):
    layers, _ = compare(spec(chosen, "he_normal", 1e20, depth=21, width=12, output_width=6), atol=1e-9, batch=2)
    assert layers["log10_rms_outputs"].iloc[-1] > 390 and layers["log10_grad_weights"].min() > 390


@pytest.mark.parametrize("name", ["softplus", "gelu", "silu", "elu", "selu"])
def test_gradients_beyond_float64_of_outputs_within(name):
    one = spec(name, "he_normal", 1e14, depth=20, width=6, output_width=2)
    layers, _ = compare(one, atol=1e-9, batch=2)
    assert layers["log10_grad_weights"].max() > 400


@pytest.mark.parametrize("chosen", KNOWN, ids=label)
def test_ordinary_networks_and_all_their_columns(chosen):
    one = spec(chosen, choice("normal", sigma_w=1.3), 1.0, 0.3, depth=8, width=6, input_width=4, output_width=3)
    compare(one, atol=1e-12, batch=4)
    compare(one, atol=1e-12, batch=2, cost="linear")


@pytest.mark.parametrize("chosen", KNOWN, ids=label)
def test_float32(chosen):
    """Rounded draws, but the same network: 40 layers of float32 arithmetic lose some 40 roundings."""
    one = spec(chosen, choice("normal", sigma_w=1.0), 1.0, 0.1, depth=40, width=8, output="linear")
    compare(one, atol=1e-4, dtype="float32", batch=3)


def test_float32_where_float32_has_long_underflowed():
    one = spec("sigmoid", "lecun_normal", depth=200, width=4)
    layers, networks = compare(one, atol=1e-4, dtype="float32", batch=3)
    assert layers["log10_grad_preactivations"][0] < -110  # float32 ends at 10^-45
    assert 100 < networks["zero_from_layer_float32"][0] < 160
