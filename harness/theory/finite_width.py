"""Finite width: the law of ln ratio² of one layer, where ratio = ‖out‖/‖in‖ of one sample.

Forward, and backward from a start that knows nothing of the weights, the law is the same; layers are independent, so
after L of them ln‖·‖² is near normal with L times the mean and the variance. Zero biases, or biases whose sign is a
fair coin's: a ReLU unit is then on with probability ½, whatever its input. Means and variances are in nats. Functions
raise DomainError for a layer of no units, and for weights of 0.
"""

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from harness.errors import DomainError

Array = np.ndarray

LN10 = log(10)


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
    """ReLU, W ~ N(0, σ_w²/width), width units in and out; exact, given that a unit is on at all.

    ratio² = (σ_w²/n)·χ²_K with K ~ Binomial(n, ½) given K ≥ 1:
    mean = ln(2σ_w²/n) + E ψ(K/2), variance = E ψ₁(K/2) + Var ψ(K/2); for large n (ln(σ_w²/2) − 5/2n, 5/n).
    Source: Hanin & Nica 2020, proposition 2, for the product's law.
    """
    _require(width, sigma_w)
    on, share = _units_on(width)
    mean, variance = _mixture(share, digamma(on / 2), polygamma(1, on / 2))
    return Law(2 * log(sigma_w) + log(2 / width) + mean, variance)


def orthogonal_relu(width: int, gain: float = 1.0) -> Law:
    """ReLU, W = gain times a square matrix distributed by Haar measure; exact, given that a unit is on at all.

    ratio² = gain²·Beta(K/2, (n − K)/2) with K as for `gaussian_relu`: W carries a vector to a uniform direction, and K
    of its n coordinates are kept. Without the condition its relative variance is 3/(n + 2).
    """
    _require(width, gain)
    on, share = _units_on(width)
    mean, variance = _mixture(share, digamma(on / 2), polygamma(1, on / 2))
    return Law(2 * log(gain) + mean - float(digamma(width / 2)), variance - float(polygamma(1, width / 2)))


def gaussian_linear(width: int, sigma_w: float) -> Law:
    """No activation, W ~ N(0, σ_w²/width): ratio² = (σ_w²/n)·χ²_n, exact. Twice the largest Lyapunov exponent."""
    _require(width, sigma_w)
    return Law(2 * log(sigma_w) + log(2 / width) + float(digamma(width / 2)), float(polygamma(1, width / 2)))


def straight_law(below: float, above: float, width: int, fan_out: int, orthogonal: bool) -> Law:
    """Backward through one layer of base weights (width, fan_out), of unit variance or orthonormal, and then straight
    slopes, `above` or `below` with probability ½ each; a gain adds 2·ln gain to the mean.

    Exact for ReLU and linear as above, for other slopes under Gaussian weights; under orthogonal ones to leading order
    in 1/width.
    """
    larger = max(width, fan_out)
    if below == above or below == 0:
        on, share = _units_on(width) if below == 0 else (np.array([width]), np.ones(1))
        mean, variance = _mixture(share, digamma(on / 2), polygamma(1, on / 2))
        mean += 2 * log(above)
        if orthogonal:
            return Law(mean - float(digamma(larger / 2)), variance - float(polygamma(1, larger / 2)))
        return Law(mean + log(2), variance)
    if not orthogonal:
        return _gaussian_sum(np.square([below, above]), width)
    second = (below**2 + above**2) / 2
    kappa = 3 * (below**4 + above**4) / 2 / second**2 - 1 - 2 * width / larger
    return Law(log(second * width / larger) - kappa / (2 * width), kappa / width)


def _gaussian_sum(factors: Array, width: int) -> Law:
    """Mean and variance of ln Σ a_i g_i² over `width` terms, g_i standard normal, a_i one of two factors by a coin.

    With E exponential of mean 1 and t = e^y, P(E/X > t) is the sum's Laplace transform, so y = ln E − ln X has the
    density −d/dy of it; ln E has mean −γ and variance π²/6. The trapezoidal rule converges geometrically.
    """
    y = np.arange(-45.0, 90.0, 0.02) - log(width * factors.mean())
    t = np.exp(y)[:, None] * factors
    one = ((1 + 2 * t) ** -0.5).mean(axis=1)
    density = width * one ** (width - 1) * (t * (1 + 2 * t) ** -1.5).mean(axis=1)
    density /= density.sum()
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


def _units_on(width: int) -> tuple[Array, Array]:
    """K = 1 … width and its probabilities, Binomial(width, ½) given K ≥ 1; of a wide layer, within 40 deviations."""
    reach = int(20 * sqrt(width)) + 1
    on = np.arange(max(1, width // 2 - reach), min(width, width // 2 + reach) + 1, dtype=float)
    share = np.exp(gammaln(width + 1) - gammaln(on + 1) - gammaln(width - on + 1) - width * log(2))
    return on, share / share.sum()


def _mixture(share: Array, means: Array, variances: Array) -> tuple[float, float]:
    """Mean and variance of a mixture."""
    mean = float(share @ means)
    return mean, float(share @ variances + share @ np.square(means - mean))
