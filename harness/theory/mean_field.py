"""Mean field: networks of infinite width, whose preactivations are Gaussian with a variance q and a correlation c.

    q ← σ_w² E[φ(z)²] + σ_b²                           the length map, z ~ N(0, q); its fixed point is q*
    c ← (σ_w² E[φ(z₁)φ(z₂)] + σ_b²) / q                the correlation map of two inputs of equal length; c*
    χ₁ = σ_w² E[φ'(z)²]                                what ‖∂C/∂z‖² is multiplied by at every layer, towards the input

Sources: Poole et al. 2016, eq. 3–6; Schoenholz et al. 2017, eq. 7–12. W ~ N(0, σ_w²/fan_in), or orthogonal: the same
to this order. Roots are bracketed, then found to the last digits: nothing is lost where depth scales diverge.
"""

from dataclasses import dataclass
from math import exp, inf, isnan, log, nan, sqrt

import numpy as np
from scipy.optimize import brentq

from harness.activations import Activation
from harness.errors import DomainError
from harness.theory import closed_forms
from harness.theory.gauss import expectation, pair_expectation

LOWEST, HIGHEST, STEP = -60.0, 60.0, 0.5  # of ln q: where fixed points are looked for
LARGEST = 1e10  # σ_w and σ_b: their squares are within that range
NEGLIGIBLE = 1e-12  # of a logarithm of two lengths: the quadrature's error
AT_EDGE = 1e-10  # of χ beside 1: what a pair's quadrature is trusted to


@dataclass(frozen=True)
class MeanField:
    """The fixed points and what becomes of small departures from them, layer by layer.

    c_star and chi_c are nan where q_star is 0: outputs shrink to 0, and have no angle.
    """

    q_star: float
    chi_1: float  # of gradients
    chi_q: float  # of a departure from q_star
    c_star: float
    chi_c: float  # of a departure from c_star

    @property
    def slope_per_layer(self) -> float:
        """Of log10 ‖∂C/∂z‖ towards the input, in decades: ½ log10 χ₁."""
        return log(self.chi_1) / (2 * log(10))

    @property
    def xi_q(self) -> float:
        """Layers in which a departure from q_star falls by e; infinite where it does not."""
        return depth_scale(self.chi_q)

    @property
    def xi_c(self) -> float:
        """Layers in which a departure from c_star falls by e; infinite at the edge of chaos."""
        return depth_scale(self.chi_c)


def mean_field(activation: Activation, sigma_w: float, sigma_b: float) -> MeanField:
    """All of it at the length map's fixed point. Raises DomainError where there is none, or several."""
    q = fixed_point(activation, sigma_w, sigma_b)
    at_zero = activation.homogeneous or q == 0
    chi_q = chi_1(activation, sigma_w, q) if at_zero else length_map_slope(activation, q, sigma_w)
    if q == 0:
        return MeanField(q, chi_1(activation, sigma_w, q), chi_q, nan, nan)
    c = correlation_fixed_point(activation, sigma_w, sigma_b, q)
    chi_c = sigma_w**2 * slope_product(activation, q, c)
    return MeanField(q, chi_1(activation, sigma_w, q), chi_q, c, chi_c)


def depth_scale(chi: float) -> float:
    """−1/ln |χ|: layers in which a departure falls by e; infinite for χ = 1 and beyond, nan for nan."""
    if chi == 0 or isnan(chi):
        return chi
    return inf if abs(chi) >= 1 - AT_EDGE else -1 / log(abs(chi))


# Moments ------------------------------------------------------------------------------------------------------------


def second_moment(activation: Activation, q: float) -> float:
    """E[φ(z)²], z ~ N(0, q)."""
    return float(expectation(lambda z: np.square(activation.value(z)), sqrt(q), activation.kinks))


def slope_second_moment(activation: Activation, q: float) -> float:
    """E[φ'(z)²], z ~ N(0, q); at q = 0 its limit, the mean over both sides of 0."""
    deviation = sqrt(q) if q > 0 else exp(LOWEST / 2)
    return float(expectation(lambda z: np.square(1.0 * activation.slope(z)), deviation, activation.kinks))


def product(activation: Activation, q: float, c: float) -> float:
    """E[φ(z₁)φ(z₂)], both of variance q, of correlation c."""
    if activation.homogeneous:
        return q * closed_forms.straight_product(c, *straight_slopes(activation))
    if activation.name == "erf":
        return closed_forms.erf_product(q, c)
    return pair_expectation(lambda a, b: activation.value(a) * activation.value(b), sqrt(q), c, activation.kinks)


def slope_product(activation: Activation, q: float, c: float) -> float:
    """E[φ'(z₁)φ'(z₂)], both of variance q, of correlation c."""
    if c == 1:
        return slope_second_moment(activation, q)
    if activation.homogeneous:
        return closed_forms.straight_slope_product(c, *straight_slopes(activation))
    if activation.name == "erf":
        return closed_forms.erf_slope_product(q, c)
    return pair_expectation(lambda a, b: 1.0 * activation.slope(a) * activation.slope(b), sqrt(q), c, activation.kinks)


def straight_slopes(activation: Activation) -> tuple[float, float]:
    """Slope below and above 0 of a positively homogeneous activation."""
    below, above = 1.0 * activation.slope(np.array([-1.0, 1.0]))
    return float(below), float(above)


# Lengths ------------------------------------------------------------------------------------------------------------


def length_map(activation: Activation, q: float, sigma_w: float, sigma_b: float) -> float:
    """q of the next layer, σ_w² E[φ²] + σ_b²."""
    return sigma_w**2 * second_moment(activation, q) + sigma_b**2


def length_map_slope(activation: Activation, q: float, sigma_w: float) -> float:
    """d(next q)/dq = σ_w² E[z φ φ']/q, called χ_q: what a departure from q* is multiplied by."""

    def integrand(z):
        return z * activation.value(z) * activation.slope(z)

    return sigma_w**2 * float(expectation(integrand, sqrt(q), activation.kinks)) / q


def chi_1(activation: Activation, sigma_w: float, q: float) -> float:
    """σ_w² E[φ'²]: what the mean of ‖∂C/∂z‖² is multiplied by at a layer of that q, towards the input."""
    require(sigma_w, 0.0)
    return sigma_w**2 * slope_second_moment(activation, q)


def fixed_point(activation: Activation, sigma_w: float, sigma_b: float) -> float:
    """q*, to which every length tends; 0 where they all vanish.

    Raises DomainError where lengths grow without bound, keep what they are, or tend to one of several.
    """
    require(sigma_w, sigma_b)
    where = f"{activation.name} at σ_w = {sigma_w:g}, σ_b = {sigma_b:g}"
    if activation.homogeneous:
        return _straight_fixed_point(activation, sigma_w, sigma_b, where)
    rises, crossings = _fixed_points(activation, sigma_w, sigma_b)
    stable = [q for q, is_stable in crossings if is_stable]
    if rises and not stable:
        raise DomainError(
            f"{where}: lengths grow without bound, so there is no fixed point; predict layer by layer at a finite depth"
        )
    if rises or len(stable) > 1:
        ends = ", ".join([*(f"{q:.4g}" for q in stable), *(["infinity"] if rises else [])])
        raise DomainError(
            f"{where}: lengths tend to one of several values of q ({ends}) by where they start; predict layer by layer "
            "from the input's"
        )
    return stable[0]


def require(sigma_w: float, sigma_b: float) -> None:
    """Within these bounds every finite fixed point lies in the range that is searched."""
    if not (1 / LARGEST <= sigma_w <= LARGEST and (sigma_b == 0 or 1 / LARGEST <= sigma_b <= LARGEST)):
        raise DomainError(
            f"σ_w = {sigma_w:g}, σ_b = {sigma_b:g}: use {1 / LARGEST:g} to {LARGEST:g} for either, or no biases"
        )


def _straight_fixed_point(activation: Activation, sigma_w: float, sigma_b: float, where: str) -> float:
    factor = sigma_w**2 * closed_forms.straight_second_moment(*straight_slopes(activation))
    if factor < 1 - NEGLIGIBLE:
        return sigma_b**2 / (1 - factor)
    if factor <= 1 + NEGLIGIBLE and sigma_b == 0:
        raise DomainError(f"{where}: every length stays as it is: each q is a fixed point, none in particular")
    grows = f"by {sigma_b**2:.4g} a layer" if factor <= 1 + NEGLIGIBLE else f"{factor:.4g}-fold a layer"
    raise DomainError(
        f"{where}: q grows {grows}, so there is no fixed point; χ₁ = {factor:.6g} whatever q; predict lengths layer by "
        "layer"
    )


def _fixed_points(activation: Activation, sigma_w: float, sigma_b: float) -> tuple[bool, list[tuple[float, bool]]]:
    """Whether the longest lengths grow; and every fixed point, with whether it attracts."""

    def growth(ln_q: float) -> float:
        return log(length_map(activation, exp(ln_q), sigma_w, sigma_b)) - ln_q

    lengths = np.arange(LOWEST, HIGHEST + STEP, STEP)
    found = np.array([growth(ln_q) for ln_q in lengths])
    known = np.abs(found) > NEGLIGIBLE
    places, signs = lengths[known], np.sign(found[known])
    crossings = []
    if activation.vanishes_at_zero and sigma_b == 0:
        crossings.append((0.0, bool(signs[0] < 0)))
    for i in np.nonzero(signs[1:] != signs[:-1])[0]:
        root = brentq(growth, places[i], places[i + 1], xtol=1e-14, rtol=1e-15)
        crossings.append((exp(root), bool(signs[i] > 0)))
    return bool(signs[-1] > 0), crossings


# Correlations -------------------------------------------------------------------------------------------------------


def correlation_map(activation: Activation, c: float, sigma_w: float, sigma_b: float, q: float) -> float:
    """Correlation after one more layer, of two inputs of variance q and correlation c."""
    after = length_map(activation, q, sigma_w, sigma_b)
    return (sigma_w**2 * product(activation, q, c) + sigma_b**2) / after


def correlation_fixed_point(activation: Activation, sigma_w: float, sigma_b: float, q: float) -> float:
    """c*, to which the correlation of two inputs tends from c ≥ 0, at the fixed point q.

    1 where χ₁ ≤ 1, else the root below 1. The map is convex on [0, 1] (its Mehler series has no negative term), so
    (1 − map(c))/(1 − c) rises with c, from at most 1 at 0 to χ₁ at 1; 1 − map is computed without cancellation.
    """
    if chi_1(activation, sigma_w, q) <= 1 + AT_EDGE:
        return 1.0

    def departure(c: float) -> float:
        return sigma_w**2 * _half_square_difference(activation, q, c) / (q * (1 - c)) - 1

    if departure(0.0) >= -NEGLIGIBLE:
        return 0.0
    far = 0.5
    while departure(1 - far) < 0:
        far /= 8
    return 1 - brentq(lambda x: departure(1 - x), far, min(8 * far, 1.0), xtol=1e-300, rtol=1e-13)


def _half_square_difference(activation: Activation, q: float, c: float) -> float:
    """½E[(φ(z₁) − φ(z₂))²] = E[φ²] − E[φφ], every term positive."""
    if activation.name == "erf":
        return closed_forms.erf_half_square_difference(q, c)

    def integrand(a, b):
        return np.square(activation.value(a) - activation.value(b)) / 2

    return pair_expectation(integrand, sqrt(q), c, activation.kinks)
