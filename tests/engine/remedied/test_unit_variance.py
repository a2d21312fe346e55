"""LSUV: unit variance in every layer, the same network from its weights alone, and lanes with the same first layers."""

from dataclasses import replace

import numpy as np
import pytest
from nets import choice, differing, drawn, run, settings, spec

import harness
from harness.engine.measures import MEASURES
from harness.engine.remedied.scaled_start import scaled_start
from harness.networks.remedies.unit_variance import MOST, unit_variance_gain

OPTIONS = {"batch": 6, "seed": 4}


def variances(one):
    """The variance of z over units and batch in every layer, from the weights that were scaled."""
    _, biases, r, _ = drawn(one, **OPTIONS)
    weights, _ = scaled_start(one, OPTIONS["seed"], 0, settings(**OPTIONS).data, np.dtype(float))
    found = []
    for W, b in zip(weights, biases, strict=True):
        z = r @ W + b
        found.append(z.var())
        r = np.tanh(z)
    return np.array(found)


@pytest.mark.parametrize(("scale", "bias_scale"), [(1e-3, 0.0), (50.0, 0.0), (1.0, 0.6), (50.0, 0.6)])
def test_every_layer_has_unit_variance_within_the_tolerance(scale, bias_scale):
    one = spec("tanh", choice("lsuv", tolerance=1e-3), scale, bias_scale, depth=5, width=9, input_width=4)
    np.testing.assert_allclose(variances(one), 1, atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 1e-20])
@pytest.mark.parametrize("bias_scale", [0.0, 0.6])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_a_sweep_has_the_measures_of_the_scaled_weights(activation, bias_scale, scale):
    """The weights that plain arithmetic scales, measured as given ones."""
    one = spec(activation, "lsuv", scale, bias_scale, depth=7, width=9, input_width=5, output_width=3)
    layers, _ = run(one, **OPTIONS)
    weights, biases, x, y = drawn(one, **OPTIONS)
    ours = harness.measure(weights, biases, x, y, activation=activation)
    for name in MEASURES:
        np.testing.assert_allclose(ours.layers[name], layers[name], rtol=1e-11, atol=1e-11, err_msg=name)


def test_one_division_is_enough_without_biases_and_none_where_the_variance_is_right():
    layers, _ = run(spec("linear", "lsuv", depth=4, width=16), **OPTIONS)
    assert layers["lsuv_divisions"].max() <= 1
    assert (layers["lsuv_divisions"][1:] == 0).all()  # orthogonal layers keep a variance that is right
    layers, _ = run(spec("relu", "lsuv", 3.0, depth=4, width=16), **OPTIONS)
    assert (layers["lsuv_divisions"] == 1).all()
    layers, _ = run(spec("relu", "lsuv", 3.0, bias_scale=0.5, depth=4, width=16), **OPTIONS)
    assert layers["lsuv_divisions"].between(2, MOST).any()
    assert run(spec("relu"))[0]["lsuv_divisions"].isna().all()


def test_weights_of_0_keep_their_gain_of_0_where_rows_are_equal():
    """No variance to divide by: log10 of the norm is −∞, without a warning, which would be an error here."""
    layers, _ = run([spec("tanh", "lsuv", 0.0, depth=3, width=6)], **OPTIONS | {"batch": 1})
    assert np.isneginf(layers["log10_norm_weights"]).all()


def test_biases_of_infinite_variance_leave_weights_of_0():
    """Without a warning, which would be an error here."""
    layers, _ = run([spec("relu", "lsuv", 1.0, 1e300, depth=3, width=6)], **OPTIONS)
    assert np.isneginf(layers["log10_norm_weights"]).all()


def test_biases_of_unit_variance_leave_no_variance_to_the_weights():
    _, divisions = unit_variance_gain(np.ones(3), np.ones(3), np.zeros(3), np.array([0.0, 0.5, 1.5]), 0.1)
    assert divisions[0] == 0
    assert 0 < divisions[1] < divisions[2] == MOST


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_lane_is_bitwise_the_lane_alone_at_every_depth(dtype):
    several = [
        replace(
            spec(activation, "lsuv", scale, bias, depth=depth, output_width=3),
            normalisation=choice(normalisation),
        )
        for activation in ("relu", "tanh")
        for scale in (1.0, 1.7)
        for bias, normalisation in ((0.0, "none"), (0.3, "none"), (0.0, "layer"))
        for depth in (1, 3, 6)
    ]
    layers, networks = run(several, 3, dtype=dtype)
    for one in several[::5]:
        alone_layers, alone_networks = run(one, 3, dtype=dtype)
        assert differing(alone_layers, layers, ["network", "layer"]) == []
        assert differing(alone_networks, networks, ["network"]) == []


def test_lanes_of_lsuv_do_not_change_lanes_beside_them():
    plain = [spec("relu", "orthogonal", depth=depth) for depth in (3, 6)]
    layers, _ = run([*plain, spec("relu", "lsuv", depth=6)], 2)
    assert differing(run(plain, 2)[0], layers, ["network", "layer"]) == []
