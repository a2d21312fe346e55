"""Standardised weights: the gradient of the trained ones against finite differences, and what W does not feel."""

from dataclasses import replace

import exact
import numpy as np
import pytest
from nets import choice, differing, drawn, run, spec

from harness.networks.draws import BaseDraws
from harness.networks.remedies.standardised import standardise

OPTIONS = {"batch": 5, "seed": 3, "cost": "linear"}
STEP = 1e-6


def standardised(activation="tanh", init="he_normal", **options):
    return replace(spec(activation, init, **options), weight_standardised=True)


def cost_of(trained, one, biases, x, y):
    """The linear cost of a network given the weights that are trained; each is standardised to its init's variance."""
    r = x
    for k, (V, b) in enumerate(zip(trained, biases, strict=True)):
        centred = V - V.mean(axis=0)
        r = np.tanh(r @ (one.gain(*V.shape) * centred / np.sqrt(np.square(centred).mean(axis=0))) + b)
        assert k < one.depth
    return (r * y).sum(axis=1).mean()


def test_the_gradient_of_the_trained_weights_is_that_of_finite_differences():
    one = standardised(depth=3, width=5, input_width=4, output_width=3, bias_scale=0.2)
    _, biases, x, y = drawn(one, **OPTIONS)
    base = BaseDraws(OPTIONS["seed"], "normal", [0], np.dtype(np.float64))
    raw = [base.hidden(0, 4, 5), base.hidden(1, 5, 5), base.output(3, 5, 3)]
    trained = [one.gain(*V[0].shape) * V[0] for V in raw]
    layers, _ = run(one, mean_abs_grad_weights=True, **OPTIONS)
    for k, V in enumerate(trained):
        grad = np.empty_like(V)
        for place in np.ndindex(*V.shape):
            here = V[place]
            either = []
            for step in (STEP, -STEP):
                V[place] = here + step
                either.append(cost_of(trained, one, biases, x, y))
            V[place] = here
            grad[place] = (either[0] - either[1]) / (2 * STEP)
        assert 10 ** layers["log10_grad_weights"][k] == pytest.approx(np.linalg.norm(grad), rel=1e-7)
        assert 10 ** layers["mean_abs_grad_weights"][k] == pytest.approx(np.abs(grad).mean(), rel=1e-7)


@pytest.mark.parametrize("init", ["he_normal", "xavier_uniform", "orthogonal"])
def test_every_column_has_mean_0_and_the_variance_of_its_init(init):
    one = standardised(init=init, depth=3, width=8, input_width=4, output_width=3)
    for k, W in enumerate(drawn(one)[0]):
        np.testing.assert_allclose(W.mean(axis=0), 0, atol=1e-15)
        np.testing.assert_allclose(len(W) * np.square(W).mean(axis=0), one.sigma_w_of(k) ** 2, rtol=1e-13)
    layers, _ = run(one)
    expected = [np.log10(np.linalg.norm(W)) for W in drawn(one)[0]]
    np.testing.assert_allclose(layers["log10_norm_weights"], expected, rtol=1e-14)


def test_a_draw_with_a_mean_is_standardised_like_one_without():
    """The mean of the weights is centred away: the same network."""
    with_mean, without = (standardised(init=choice("normal", std=0.3, **mean), depth=4) for mean in ({"mean": 0.7}, {}))
    (layers, _), (others, _) = (run(one) for one in (with_mean, without))
    for name in ("log10_grad_preactivations", "log10_rms_outputs"):
        np.testing.assert_allclose(layers[name], others[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_lane_is_bitwise_the_lane_alone(dtype):
    several = [
        replace(standardised(activation, depth=depth, weight_scale=scale), normalisation=choice(normalisation))
        for activation in ("relu", "tanh")
        for depth in (3, 6)
        for scale in (1.0, 1.3)
        for normalisation in ("none", "layer")
    ]
    layers, networks = run(several, 3, dtype=dtype)
    for one in several[::3]:
        alone_layers, alone_networks = run(one, 3, dtype=dtype)
        assert differing(alone_layers, layers, ["network", "layer"]) == []
        assert differing(alone_networks, networks, ["network"]) == []


def test_gradients_that_float64_cannot_hold_are_those_of_fifty_digits():
    one = standardised("sigmoid", depth=200, width=4, weight_scale=0.05, bias_scale=0.1)
    layers, networks = run(one, batch=2, cost="linear")
    assert networks["log10_gradient_gain"][0] < -330
    expected, _ = exact.network(drawn(one, batch=2, cost="linear"), "sigmoid", 0.25, "linear")
    for name in ("log10_grad_preactivations", "log10_grad_outputs", "log10_norm_weights"):
        np.testing.assert_allclose(layers[name], expected[name], rtol=0, atol=1e-9, err_msg=name)


def test_the_gradient_of_the_trained_weights_does_not_underflow():
    """All weights of a linear network times 2^-40: the gradient of each falls by that of the 39 others."""
    large, small = (
        run(standardised("linear", depth=40, weight_scale=scale), cost="linear")[0]["log10_grad_weights"]
        for scale in (1.0, 2.0**-40)
    )
    np.testing.assert_allclose(small - large, -40 * 39 * np.log10(2), rtol=1e-13)


def test_a_column_without_variance_has_no_weights_and_no_gradient():
    base, inverse = standardise(np.ones((4, 2)), 1.0)
    assert (base == 0).all()
    assert (inverse == 0).all()
