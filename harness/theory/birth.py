"""Dead at birth, and silent without being dead: ReLU networks with zero biases (or biases of symmetric law)."""

from math import pi, sqrt

import numpy as np
from scipy.special import log_ndtr, wofz

from harness.errors import DomainError
from harness.theory.gauss import graded

Array = np.ndarray

ANGLES = 2**17  # draws of the angle between two rays: the probability's error is under 2e-4 of itself or of 1 − it


def born_dead(width: int, hidden_layers: int) -> float:
    """Probability that a layer of a ReLU network is silent for a given input, so that no gradient passes.

    1 − (1 − 2^−N)^H for H layers of N units: each unit is on with probability ½ whatever its input. Exact for one
    input and any weights and biases of independent symmetric columns (Gaussian, uniform, Haar). Lu et al. 2020,
    theorem 3.1. An output layer that has the activation counts as a layer of its own width.
    """
    _require(width, hidden_layers)
    return float(-np.expm1(hidden_layers * np.log1p(-(0.5**width)))) if hidden_layers else 0.0


def born_dead_both_signs(width: int, hidden_layers: int) -> float:
    """Probability that a ReLU network without biases is dead for every one-dimensional input, of both signs.

    All positive inputs lie on one ray, all negative ones on another, and both must die. In the first layer each unit is
    on for exactly one of the rays. From then on, with the rays at correlation c, a unit is silent on both with
    probability p = ¼ + arcsin(c)/2π, so that a layer of N silences both with p^N and exactly one with 2(2^−N − p^N);
    the deaths are summed exactly, and only the law of c from layer to layer is sampled (2^17 keyed draws, Gaussian
    weights). Good to 4 digits.
    """
    _require(width, hidden_layers)
    if hidden_layers == 0:
        return 0.0
    one, random = 0.5**width, np.random.default_rng(0)
    both_alive, dead = 1 - 2 * one, 0.0
    last_dies = 2 * one * born_dead(width, hidden_layers - 1)
    c = np.zeros(ANGLES)
    for layer in range(2, hidden_layers + 1):
        if both_alive <= 0:
            break
        both = float((_silent_on_two(c) ** width).mean())
        dead += both_alive * both
        last_dies += both_alive * 2 * (one - both) * born_dead(width, hidden_layers - layer)
        both_alive *= 1 - 2 * one + both
        c = _next_correlation(c, width, random)
    return dead + last_dies


def silent_on_batch(correlation: float, samples: int) -> float:
    """Probability that a ReLU unit is silent on every one of m inputs whose pairwise correlation is c.

    ¼ + arcsin(c)/2π for two, 1/(m + 1) at c = ½; for any m, z_j = √c·g + √(1 − c)·h_j makes it E[Φ(√(c/(1 − c))·g)^m],
    c from −1/(m − 1), below which no m vectors are so far apart, to 1. It tends to ½ as the inputs align: a silent unit
    is not a dying network. Source: Steck 1962, for the equicorrelated orthant.
    """
    lowest = -1 / (samples - 1) if samples > 1 else -1.0
    if samples < 1 or not lowest <= correlation <= 1:
        raise DomainError(f"{samples} vectors have no pairwise correlation of {correlation:g}; use {lowest:.3g} to 1")
    if samples == 1 or correlation == 1:
        return 0.5
    if samples == 2:
        return float(_silent_on_two(np.array(correlation)))
    if correlation == lowest:
        return 0.0  # the vectors' sum is 0: they are not all on one side of a plane
    steep = correlation / (1 - correlation)  # the square of the slope of Φ's argument
    if correlation >= 0:
        g, weight = graded((0.0,), 1 / max(sqrt(steep), 1.0), 24)
        return float(weight @ np.exp(samples * log_ndtr(sqrt(steep) * g)))
    # Φ(iy) = ½·e^(y²/2)·w(y/√2) with Faddeeva's w; the exponential narrows the density of g.
    narrow = 1 + samples * steep
    g, weight = graded((0.0,), sqrt(min(narrow, 1.0)), 24)
    return float(weight @ np.real((wofz(sqrt(-steep / (2 * narrow)) * g) / 2) ** samples)) / sqrt(narrow)


def _require(width: int, hidden_layers: int) -> None:
    if width < 1 or hidden_layers < 0:
        raise DomainError(f"{hidden_layers} layers of {width} units: use 0 layers or more, of 1 unit or more")


def _silent_on_two(c: Array) -> Array:
    return 0.25 + np.arcsin(c) / (2 * pi)


def _next_correlation(c: Array, width: int, random: np.random.Generator) -> Array:
    """Correlations after one more layer, of the pairs of rays that are both alive; as many as before."""
    A, B, C = np.zeros((3, len(c)))
    across = np.sqrt(1 - np.square(c))
    for _ in range(width):
        g, h = random.standard_normal((2, len(c)))
        u, v = np.maximum(g, 0), np.maximum(c * g + across * h, 0)
        A += u * u
        B += v * v
        C += u * v
    alive = (A > 0) & (B > 0)
    c = np.minimum(C[alive] / np.sqrt(A[alive] * B[alive]), 1)
    return random.choice(c, len(alive)) if len(c) else np.ones(len(alive))
