"""Finite width: the law of ln ratio² of one layer, where ratio = ‖out‖/‖in‖ of one sample.

The law is the same forward, and backward from a gradient that is independent of the weights. Layers are independent, so
after L of them ln ‖·‖² is nearly normal, with L times the mean and the variance. Biases are zero or of symmetric law: a
ReLU unit is then active with probability ½ for any input. Means and variances are in nats. Functions raise DomainError
for a layer without units, and for weights of 0.
"""

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
from scipy.special import digamma, polygamma

from harness.base.arrays import Array
from harness.base.errors import DomainError
from harness.base.quadrature import graded
from harness.networks.activations import Activation
from harness.networks.inits import active_units

LN10 = log(10)
# The trapezoidal rule over y = ln E − ln X below: the density's characteristic function is at most that of ln E,
# |Γ(1 + iω)| ~ e^(−π|ω|/2), so a step h leaves an error of e^(−π²/h), here 1e-21.
STEP = 0.2
BLOCK = 600  # steps taken at a time, until the density is nothing; the first block holds every law's middle
NEGLIGIBLE = 1e-17  # of a density or a weight whose sum is 1


@dataclass(frozen=True)
class Law:
    """Mean and variance of ln ratio² of one layer, in nats."""

    mean: float
    variance: float

    @property
    def slope_per_layer(self) -> float:
        """The mean in decades of the norm: log10 ratio."""
        return self.mean / (2 * LN10)


def gaussian_relu(width: int, sigma_w: float) -> Law:
    """ReLU, W ~ N(0, σ_w²/width), width units in and out; exact, given that a unit is active.

    ratio² = (σ_w²/n)·χ²_K with K ~ Binomial(n, ½) given K ≥ 1:
    mean = ln(2σ_w²/n) + E ψ(K/2), variance = E ψ₁(K/2) + Var ψ(K/2); for large n (ln(σ_w²/2) − 5/2n, 5/n).
    Source: Hanin & Nica 2020, proposition 2, for the product's law.
    """
    _require(width, sigma_w)
    on, share = active_units(width)
    mean, variance = _mixture(share, digamma(on / 2), polygamma(1, on / 2))
    return Law(2 * log(sigma_w) + log(2 / width) + mean, variance)


def orthogonal_relu(width: int, gain: float = 1.0) -> Law:
    """ReLU, W = gain times a square matrix distributed by Haar measure; exact, given that a unit is active.

    ratio² = gain²·Beta(K/2, (n − K)/2) with K as for `gaussian_relu`: W maps a vector to a uniform direction, and K
    of its n coordinates are kept. Without the condition the relative variance is 3/(n + 2).
    """
    _require(width, gain)
    on, share = active_units(width)
    mean, variance = _mixture(share, digamma(on / 2), polygamma(1, on / 2))
    return Law(2 * log(gain) + mean - float(digamma(width / 2)), variance - float(polygamma(1, width / 2)))


def gaussian_linear(width: int, sigma_w: float) -> Law:
    """No activation, W ~ N(0, σ_w²/width): ratio² = (σ_w²/n)·χ²_n, exact. Twice the largest Lyapunov exponent."""
    _require(width, sigma_w)
    return Law(2 * log(sigma_w) + log(2 / width) + float(digamma(width / 2)), float(polygamma(1, width / 2)))


def homogeneous_law(below: float, above: float, width: int, fan_out: int, orthogonal: bool) -> Law:
    """Backward through one layer: base weights (width, fan_out), then φ' of `above` or `below` with probability ½.

    Base weights have unit variance or are orthonormal; a gain adds 2·ln gain to the mean. Exact. The direction of a
    Gaussian vector is uniform and independent of its length, so for orthogonal weights what ln χ² of the length adds to
    mean and variance is subtracted. For two slopes that gives E ln(b² + (a² − b²)·B), B ~ Beta(K/2, (n − K)/2),
    K ~ Binomial(n, ½).
    """
    if below == 0 or abs(below) == abs(above):
        on, share = active_units(width) if below == 0 else (np.array([width]), np.ones(1))
        mean, variance = _mixture(share, digamma(on / 2), polygamma(1, on / 2))
        mean += 2 * log(abs(above))
    else:
        law = _gaussian_sum(np.square([below, above]), np.full(2, 0.5), width)
        mean, variance = law.mean - log(2), law.variance
    if not orthogonal:
        return Law(mean + log(2), variance)
    half = max(width, fan_out) / 2
    return Law(mean - float(digamma(half)), max(variance - float(polygamma(1, half)), 0.0))  # less than 0 by rounding


def bounded_weights(below: float, above: float, width: int, fan_out: int, excess: float) -> Law:
    """What mean and variance of `homogeneous_law` gain by weights of an excess kurtosis, to leading order."""
    fourth = 2 * (below**4 + above**4) / (below**2 + above**2) ** 2
    variance = float(excess_kappa(np.array(fourth), fan_out, excess)) / width
    return Law(-variance / 2, variance)


def excess_kappa(fourth: Array, fan_out: Array | float, excess: Array | float) -> Array:
    """What weights of an excess kurtosis add to κ (theory/expansion.py); `fourth` is E[φ'⁴]/E[φ'²]².

    κ is smaller for uniform weights (excess −6/5) and those of a truncated normal. Given δ = ∂C/∂z of the layer above,
    a sum of its fan_out entries over weights has the excess kurtosis excess·Σδ⁴/(Σδ²)², and that ratio is about
    3·E[φ'⁴]/E[φ'²]²/(fan_out + 2), at most 1.
    """
    return excess * fourth * np.minimum(3 * fourth / (fan_out + 2), 1)


def activation_law(activation: Activation, q: float, width: int, sigma_w: float) -> Law:
    """Backward through one layer of z ~ N(0, q) and W ~ N(0, σ_w²/width): ratio² = (σ_w²/n) Σ g_i² φ'(z_i)².

    Exact given q, for an input of the way back that is independent of the layer, and given that some slope is not 0
    (in float64). Where most units are saturated the few that are not decide: the law is then far from its expansion
    in 1/width. For ReLU it is `gaussian_relu`.
    """
    _require(width, sigma_w)
    deviation = sqrt(q)
    g, weight = graded((0.0, *(kink / deviation for kink in activation.kinks)), 1 / max(deviation, 1.0), 12)
    factors, weight = np.square(1.0 * activation.slope(deviation * g)), weight / weight.sum()
    known = weight > NEGLIGIBLE
    law = _gaussian_sum(factors[known], weight[known], width)
    return Law(law.mean + 2 * log(sigma_w) - log(width), law.variance)


def _gaussian_sum(factors: Array, weight: Array, width: int) -> Law:
    """Mean and variance of ln X, X = Σ a_i g_i² over `width` terms, g_i standard normal, given that X > 0.

    The a_i are independent draws from `factors` with probabilities `weight`. With E exponential of mean 1 and t = e^y,
    P(E/X > t) is the sum's Laplace transform, so y = ln E − ln X has the density −d/dy of it; ln E has mean −γ and
    variance π²/6.
    """
    with np.errstate(divide="ignore"):
        ln_factors = np.log(factors)
    start = -45.0 - log(width * float(weight @ factors))  # where the density, e^y · E[X], is 3e-20
    densities: list[Array] = []
    while not densities or densities[-1][-1] > NEGLIGIBLE:
        y = start + STEP * (len(densities) * BLOCK + np.arange(BLOCK))
        t = np.exp(np.minimum(y[:, None] + ln_factors, 300))  # beyond, what it adds is nothing
        one = (1 + 2 * t) ** -0.5 @ weight
        densities.append(width * one ** (width - 1) * ((t * (1 + 2 * t) ** -1.5) @ weight))
    density = np.concatenate(densities) / np.sum(densities)
    y = start + STEP * np.arange(len(density))
    mean = float(density @ y)
    return Law(-np.euler_gamma - mean, float(density @ np.square(y - mean)) - pi**2 / 6)


def lyapunov_exponents(width: int, sigma_w: float) -> Array:
    """Lyapunov exponents of products of Gaussian matrices W ~ N(0, σ_w²/width), largest first, (width,), in nats.

    λ_k = ½[ln(2σ_w²/N) + ψ((N − k + 1)/2)], k = 1 … N, exact. Source: Newman 1986, theorem 1.
    """
    _require(width, sigma_w)
    k = np.arange(1, width + 1)
    return (2 * log(sigma_w) + log(2 / width) + digamma((width - k + 1) / 2)) / 2


def _require(width: int, sigma_w: float) -> None:
    if width < 1 or not sigma_w > 0:
        raise DomainError(f"width {width}, weights of σ_w = {sigma_w:g}: use a width of 1 or more, and σ_w above 0")


def _mixture(share: Array, means: Array, variances: Array) -> tuple[float, float]:
    """Mean and variance of a mixture."""
    mean = float(share @ means)
    return mean, float(share @ variances + share @ np.square(means - mean))
