"""ReLU networks before training: probabilities that a network is dead, and that a unit is silent on a batch."""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from scipy.special import log_ndtr, wofz

from harness.base.arrays import Array
from harness.base.errors import DomainError
from harness.base.quadrature import graded

CHAINS, ANGLES = 16, 2**13  # independent samples, and draws of the angle between two rays in each
WIDEST_SAMPLED = 32  # units: in wider layers the angles that count are too rare; at 32 the error is 1 to 4 %


@dataclass(frozen=True)
class Estimate:
    """A probability and its standard error, which is 0 where the value is exact."""

    value: float
    error: float


def born_dead(width: int, hidden_layers: int) -> float:
    """Probability that a layer of a ReLU network is silent for a given input, so that no gradient passes.

    1 − (1 − 2^−N)^H for H layers of N units, because each unit is active with probability ½ for any input. Exact for
    one input and any weights and biases with independent symmetric columns (Gaussian, uniform, Haar). An output layer
    with the activation counts as a layer of its own width. Raises DomainError for widths below 1 and for negative
    numbers of layers. Source: Lu et al. 2020, theorem 3.1.
    """
    _require(width, hidden_layers)
    return float(-np.expm1(hidden_layers * np.log1p(-(0.5**width)))) if hidden_layers else 0.0


def born_dead_both_signs(width: int, hidden_layers: int) -> float:
    """The value of `sampled_both_signs`."""
    return sampled_both_signs(width, hidden_layers).value


def sampled_both_signs(width: int, hidden_layers: int) -> Estimate:
    """Probability that a ReLU network without biases is dead for every one-dimensional input, of both signs.

    All positive inputs lie on one ray and all negative ones on another, and both must die. In the first layer each unit
    is active for exactly one of the rays. After that, with the rays at correlation c, a unit is silent on both with
    probability p = ¼ + arcsin(c)/2π, so that a layer of N silences both with p^N and exactly one with 2(2^−N − p^N);
    the probabilities are summed exactly, and only the law of c from the second layer on is sampled, in 16 chains with a
    fixed seed, whose differences give the error. Gaussian weights: with others, pairs of preactivations have another
    law. Exact for one unit, and for two hidden layers or fewer. Raises DomainError as `born_dead` does, and for layers
    wider than WIDEST_SAMPLED, where `born_dead` is a bound.
    """
    _require(width, hidden_layers)
    if width > WIDEST_SAMPLED:
        raise DomainError(
            f"the angles between two inputs are not sampled well enough in layers wider than {WIDEST_SAMPLED} units; "
            f"the probability is at most that for one input, {born_dead(width, hidden_layers):.2g}"
        )
    if hidden_layers == 0:
        return Estimate(0.0, 0.0)
    one, random = 0.5**width, np.random.default_rng(0)
    both_alive, dead = np.full((2, CHAINS), [[max(1 - 2 * one, 0.0)], [0.0]])
    second_dies = np.full(CHAINS, 2 * one * born_dead(width, hidden_layers - 1))
    c = np.zeros((CHAINS, ANGLES))
    for layer in range(2, hidden_layers + 1):
        if not both_alive.any():
            break
        both = (_silent_on_two(c) ** width).mean(axis=1)
        dead += both_alive * both
        second_dies += both_alive * 2 * (one - both) * born_dead(width, hidden_layers - layer)
        both_alive *= 1 - 2 * one + both
        c = _next_correlation(c, width, random)
    values = dead + second_dies
    return Estimate(float(values.mean()), float(values.std(ddof=1)) / sqrt(CHAINS))


def silent_on_batch(correlation: float, samples: int) -> float:
    """Probability that a ReLU unit is silent on every one of m inputs whose pairwise correlation is c.

    ¼ + arcsin(c)/2π for two, 1/(m + 1) at c = ½; for any m, z_j = √c·g + √(1 − c)·h_j makes it E[Φ(√(c/(1 − c))·g)^m].
    It tends to ½ as the inputs align, so a silent unit does not mean that the network dies. Raises DomainError for c
    outside of −1/(m − 1) to 1, which no m vectors have. Source: Steck 1962, for the equicorrelated orthant.
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
    """Probability that a unit is silent on both of two inputs of correlation c."""
    return 0.25 + np.arcsin(c) / (2 * pi)


def _next_correlation(c: Array, width: int, random: np.random.Generator) -> Array:
    """Correlations after one more layer of the pairs of rays that both live, resampled to as many as before.

    (chains, angles); a chain is resampled from itself.
    """
    A, B, C = np.zeros((3, *c.shape))
    across = np.sqrt(1 - np.square(c))
    for _ in range(width):
        g, h = random.standard_normal((2, *c.shape))
        u, v = np.maximum(g, 0), np.maximum(c * g + across * h, 0)
        A += u * u
        B += v * v
        C += u * v
    alive = (A > 0) & (B > 0)
    with np.errstate(invalid="ignore"):
        c = np.minimum(C / np.sqrt(A * B), 1)
    return np.stack([_resampled(own[lives], len(own), random) for own, lives in zip(c, alive, strict=True)])


def _resampled(c: Array, count: int, random: np.random.Generator) -> Array:
    return random.choice(c, count) if len(c) else np.ones(count)
