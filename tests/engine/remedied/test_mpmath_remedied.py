"""Normalised networks in fifty digits, where gradients or squares of z are outside of float64."""

from dataclasses import replace

import exact
import mpmath as mp
import numpy as np
import pytest
from nets import choice, drawn, run, spec

OPTIONS = {"batch": 4, "cost": "linear"}


def normalised(z, kind):
    """z_hat and 1/s over the samples of each unit (batch) or the units of each sample, from the definition."""
    axis = 0 if kind == "batch" else 1
    centred = z if kind == "rms" else z - z.sum(axis=axis, keepdims=True) / z.shape[axis]
    squares = (centred * centred).sum(axis=axis, keepdims=True) / z.shape[axis]
    inverse = np.vectorize(lambda v: 1 / mp.sqrt(v), otypes=[object])(squares)
    return centred * inverse, inverse, axis


def through(grad, z_hat, inverse, axis, kind):
    """∂C/∂z: by the Jacobian of one vector, (δ_ij − 1/n − z_hat_i z_hat_j/n)/s, written out."""
    n = grad.shape[axis]
    along = (z_hat * grad).sum(axis=axis, keepdims=True) / n
    mean = 0 if kind == "rms" else grad.sum(axis=axis, keepdims=True) / n
    return (grad - mean - z_hat * along) * inverse


def norms(one, kind, name):
    """log10 ‖∂C/∂z[k]‖ and ‖∂C/∂r[k]‖ of every layer, the lowest first."""
    weights, biases, x, y = drawn(one, **OPTIONS)
    phi, slope = (np.vectorize(f, otypes=[object]) for f in exact.FORMULAS[name])
    r, kept = exact.array(x), []
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        z = r @ exact.array(W) + exact.array(b)
        at = normalised(z, kind) if k < one.depth else (z, None, None)
        r = phi(at[0])
        kept.append((exact.array(W), at))
    grad, found = exact.array(y) / len(y), []
    for W, (z_hat, inverse, axis) in reversed(kept):
        delta = grad * slope(z_hat)
        delta = delta if inverse is None else through(delta, z_hat, inverse, axis, kind)
        found.append((exact.log10_norm(delta), exact.log10_norm(grad)))
        grad = delta @ W.T
    return np.array(found[::-1]).T


@pytest.mark.parametrize(
    ("kind", "name", "depth", "weight_scale", "least"),
    [("layer", "sigmoid", 500, 1.0, -150), ("rms", "sigmoid", 900, 1.0, -330), ("batch", "tanh", 12, 1e-200, -190)],
)
def test_gradients_are_those_of_fifty_digits(kind, name, depth, weight_scale, least):
    one = replace(spec(name, "he_normal", weight_scale, 0.0, depth, 6), normalisation=choice(kind))
    layers, _ = run(one, **OPTIONS)
    of_z, of_r = norms(one, kind, name)
    assert min(of_z.min(), of_r.min()) < least
    np.testing.assert_allclose(layers["log10_grad_preactivations"], of_z, rtol=0, atol=1e-9)
    np.testing.assert_allclose(layers["log10_grad_outputs"], of_r, rtol=0, atol=1e-9)
