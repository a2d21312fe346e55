"""Lengths from layer to layer in logarithms: the length map itself, and what float64 cannot hold."""

from math import inf, log10

import numpy as np
import pytest
from nets import choice

from harness.networks.spec import activation_of
from harness.theory.lengths import log10_lengths
from harness.theory.mean_field import length_map


@pytest.mark.parametrize("sigma_w, sigma_b", [(0.9, 0.0), (1.0, 0.0), (1.5, 0.1), (3.0, 0.5)])
@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "gelu"])
def test_lengths_follow_the_length_map(name, sigma_w, sigma_b):
    activation, layers = activation_of(choice(name)), 60
    q, expected = sigma_w**2 + sigma_b**2, []
    for _ in range(layers):
        expected.append(log10(q) / 2)
        q = length_map(activation, q, sigma_w, sigma_b)
    # 1e-9 decades a layer, once two steps are equal to that
    np.testing.assert_allclose(log10_lengths(activation, sigma_w, sigma_b, layers), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name, sigma_w, last",
    [
        ("linear", 1e300, 300 * 50),
        ("linear", 1e-300, -300 * 50),
        ("relu", 1e300, 300 * 50 - 49 * log10(2) / 2),
        ("tanh", 1e300, 300),  # every |φ| is 1
        ("tanh", 1e-300, -300 * 50),  # linear near 0
        ("sigmoid", 1e-300, -300 + log10(0.5)),  # every φ is ½
        ("softplus", 1e300, 300 * 50 - 49 * log10(2) / 2),  # ReLU far from 0
    ],
)
def test_lengths_beyond_float64(name, sigma_w, last):
    assert log10_lengths(activation_of(choice(name)), sigma_w, 0.0, 50)[-1] == pytest.approx(last, abs=1e-6)


def test_without_weights_and_biases_every_length_is_zero():
    assert (log10_lengths(activation_of(choice("sigmoid")), 0.0, 0.0, 5) == -inf).all()
