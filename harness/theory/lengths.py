"""Lengths of pre-activations from layer to layer in logarithms, also where their squares are beyond float64."""

from math import inf, log10

import numpy as np

from harness.base.arrays import Array
from harness.networks.activations import Activation
from harness.theory.mean_field import second_moment

CALCULABLE = -250.0, 250.0  # log10 of the variances at which E[φ²] is integrated; beyond, φ follows a power of z
SETTLED = 1e-9  # decades; two steps that differ by less count as equal


def log10_lengths(activation: Activation, sigma_w: float, sigma_b: float, layers: int) -> Array:
    """log10 of the standard deviation √q of z in layer k = 1 … layers, for an input of unit mean square. (layers,).

    q₁ = σ_w² + σ_b², q' = σ_w² E[φ(z)²] + σ_b² with z ~ N(0, q) (Poole et al. 2016, eq. 3); −∞ where q is 0.
    """
    weights, biases = (2 * log10(sigma) if sigma else -inf for sigma in (sigma_w, sigma_b))
    log10_q = np.empty(layers)
    log10_q[0] = _log10_sum(weights, biases)
    step = inf
    for k in range(1, layers):
        log10_q[k] = _log10_sum(weights + _log10_second_moment(activation, log10_q[k - 1]), biases)
        if log10_q[k] == -inf:
            return np.full(layers, -inf)
        before, step = step, log10_q[k] - log10_q[k - 1]
        if abs(step - before) <= SETTLED:
            log10_q[k:] = log10_q[k] + step * np.arange(layers - k)
            break
    return log10_q / 2


def _log10_second_moment(activation: Activation, log10_q: float) -> float:
    """log10 of E[φ(z)²], z ~ N(0, q)."""
    if log10_q == -inf:
        return _log10(float(activation.value(np.zeros(1))[0]) ** 2)
    inside = min(max(log10_q, CALCULABLE[0]), CALCULABLE[1])
    moment = _log10(second_moment(activation, 10**inside))
    if inside == log10_q:
        return moment
    nearer = inside - np.sign(inside)  # a decade, which tells the power
    power = (moment - _log10(second_moment(activation, 10**nearer))) / (inside - nearer)
    return moment + power * (log10_q - inside)


def _log10_sum(a: float, b: float) -> float:
    larger = max(a, b)
    return larger if larger == -inf else larger + log10(10 ** (a - larger) + 10 ** (b - larger))


def _log10(value: float) -> float:
    return log10(value) if value else -inf
