"""Mean field: at infinite width, preactivations are Gaussian with a variance q and, for two inputs, a correlation c.

    q ← σ_w² E[φ(z)²] + σ_b²                   the length map, z ~ N(0, q); its fixed point is q*
    c ← (σ_w² E[φ(z₁)φ(z₂)] + σ_b²) / q        the correlation map of two inputs of equal length; its fixed point is c*
    χ₁ = σ_w² E[φ'(z)²]                        the factor of ‖∂C/∂z‖² at each layer, towards the input

W ~ N(0, σ_w²/fan_in), or orthogonal, which gives the same to this order. Roots are bracketed and then found to the last
digits, so that they are right where depth scales diverge. Two fixed points are told apart where their logarithms differ
by 0.002 or more: nearer to a fold, where two of three meet, `fixed_point` may miss both of them. Sources: Poole et al.
2016, eq. 3–6; Schoenholz et al. 2017, eq. 7–12.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, isnan, log, nan, sqrt

import numpy as np
from scipy.optimize import brentq

from harness.base.arrays import Array
from harness.base.errors import DomainError
from harness.base.quadrature import expectation, pair_expectation
from harness.networks.activations import Activation
from harness.theory.moments import closed_forms

LOWEST, HIGHEST, STEP = -60.0, 60.0, 0.5  # the grid of ln q on which roots are bracketed
FINER = 16  # parts into which a step is cut, twice, where two roots may be closer than it
LARGEST = 1e10  # of σ_w and σ_b: so that fixed points lie on that grid
NEGLIGIBLE = 1e-12  # in the logarithm of a ratio of lengths: the error of the quadrature
AT_EDGE = 1e-10  # in |χ − 1|: the error of the quadrature over a pair


@dataclass(frozen=True)
class MeanField:
    """Fixed points, and the factors of gradients and of small departures from the fixed points at each layer.

    c_star and chi_c are NaN where q_star is 0, because outputs shrink to 0 and have no angle.
    """

    q_star: float
    chi_1: float  # of gradients
    chi_q: float  # of a departure from q_star
    c_star: float
    chi_c: float  # of a departure from c_star

    @property
    def slope_per_layer(self) -> float:
        """Slope per layer of log10 ‖∂C/∂z‖ towards the input: ½ log10 χ₁, in decades."""
        return log(self.chi_1) / (2 * log(10))

    @property
    def xi_q(self) -> float:
        """Layers in which a departure from q_star decreases by a factor e; infinite where it does not decrease."""
        return depth_scale(self.chi_q)

    @property
    def xi_c(self) -> float:
        """Layers in which a departure from c_star decreases by a factor e; infinite at the edge of chaos."""
        return depth_scale(self.chi_c)


def mean_field(activation: Activation, sigma_w: float, sigma_b: float) -> MeanField:
    """All quantities at the fixed point of the length map. Raises DomainError where there is none, or several."""
    q = fixed_point(activation, sigma_w, sigma_b)
    at_zero = activation.homogeneous or q == 0
    chi_q = chi_1(activation, sigma_w, q) if at_zero else length_map_derivative(activation, q, sigma_w)
    if q == 0:
        return MeanField(q, chi_1(activation, sigma_w, q), chi_q, nan, nan)
    c = correlation_fixed_point(activation, sigma_w, sigma_b, q)
    chi_c = sigma_w**2 * slope_product(activation, q, c)
    return MeanField(q, chi_1(activation, sigma_w, q), chi_q, c, chi_c)


def depth_scale(chi: float) -> float:
    """−1/ln |χ|, the layers in which a departure decreases by a factor e; infinite for |χ| ≥ 1, NaN for NaN."""
    if chi == 0 or isnan(chi):
        return chi
    return inf if abs(chi) >= 1 - AT_EDGE else -1 / log(abs(chi))


# Moments ------------------------------------------------------------------------------------------------------------


def second_moment(activation: Activation, q: float) -> float:
    """E[φ(z)²], z ~ N(0, q)."""
    return float(expectation(lambda z: np.square(activation.value(z)), sqrt(q), activation.kinks))


def slope_second_moment(activation: Activation, q: float) -> float:
    """E[φ'(z)²], z ~ N(0, q); at q = 0 the limit, which is the mean over both sides of 0."""
    deviation = sqrt(q) if q > 0 else exp(LOWEST / 2)
    return float(expectation(lambda z: np.square(1.0 * activation.slope(z)), deviation, activation.kinks))


def product(activation: Activation, q: float, c: float) -> float:
    """E[φ(z₁)φ(z₂)] of two Gaussian variables of variance q and correlation c."""
    if activation.homogeneous:
        return q * closed_forms.homogeneous_product(c, *one_sided_slopes(activation))
    if activation.name == "erf":
        return closed_forms.erf_product(q, c)
    return pair_expectation(lambda a, b: activation.value(a) * activation.value(b), sqrt(q), c, activation.kinks)


def slope_product(activation: Activation, q: float, c: float) -> float:
    """E[φ'(z₁)φ'(z₂)] of two Gaussian variables of variance q and correlation c."""
    if c == 1:
        return slope_second_moment(activation, q)
    if activation.homogeneous:
        return closed_forms.homogeneous_slope_product(c, *one_sided_slopes(activation))
    if activation.name == "erf":
        return closed_forms.erf_slope_product(q, c)
    return pair_expectation(lambda a, b: 1.0 * activation.slope(a) * activation.slope(b), sqrt(q), c, activation.kinks)


def one_sided_slopes(activation: Activation) -> tuple[float, float]:
    """φ' below and above 0 of a positively homogeneous activation."""
    below, above = 1.0 * activation.slope(np.array([-1.0, 1.0]))
    return float(below), float(above)


# Lengths ------------------------------------------------------------------------------------------------------------


def length_map(activation: Activation, q: float, sigma_w: float, sigma_b: float) -> float:
    """The variance q of the next layer, σ_w² E[φ²] + σ_b²."""
    return sigma_w**2 * second_moment(activation, q) + sigma_b**2


def length_map_derivative(activation: Activation, q: float, sigma_w: float) -> float:
    """χ_q = d(next q)/dq = σ_w² E[z φ φ']/q: the factor of a departure from q* at each layer."""

    def integrand(z: Array) -> Array:
        return z * activation.value(z) * activation.slope(z)

    return sigma_w**2 * float(expectation(integrand, sqrt(q), activation.kinks)) / q


def chi_1(activation: Activation, sigma_w: float, q: float) -> float:
    """χ₁ = σ_w² E[φ'²]: the factor of the mean of ‖∂C/∂z‖² at a layer of that q, towards the input."""
    check_scales(sigma_w, 0.0)
    return sigma_w**2 * slope_second_moment(activation, q)


def fixed_point(activation: Activation, sigma_w: float, sigma_b: float) -> float:
    """The fixed point q* of the length map, to which every length tends; 0 where they all vanish.

    Raises DomainError where lengths grow without bound, stay as they are, or tend to one of several values.
    """
    check_scales(sigma_w, sigma_b)
    where = f"{activation.name} at σ_w = {sigma_w:g}, σ_b = {sigma_b:g}"
    if activation.homogeneous:
        return _homogeneous_fixed_point(activation, sigma_w, sigma_b, where)
    grows, fixed_points = _fixed_points(activation, sigma_w, sigma_b)
    stable = [q for q, is_stable in fixed_points if is_stable]
    if grows and not stable:
        raise DomainError(
            f"{where}: lengths grow without bound, so there is no fixed point; predict layer by layer at a finite depth"
        )
    if grows or len(stable) > 1:
        ends = ", ".join([*(f"{q:.4g}" for q in stable), *(["infinity"] if grows else [])])
        raise DomainError(
            f"{where}: lengths tend to one of several values of q ({ends}), depending on the input's; predict layer by "
            "layer"
        )
    return stable[0]


def check_scales(sigma_w: float, sigma_b: float) -> None:
    """Raise DomainError for a σ_w or σ_b with which a fixed point may lie outside of the range searched."""
    if not (1 / LARGEST <= sigma_w <= LARGEST and (sigma_b == 0 or 1 / LARGEST <= sigma_b <= LARGEST)):
        raise DomainError(
            f"σ_w = {sigma_w:g}, σ_b = {sigma_b:g}: use {1 / LARGEST:g} to {LARGEST:g} for either, or no biases"
        )


def _homogeneous_fixed_point(activation: Activation, sigma_w: float, sigma_b: float, where: str) -> float:
    factor = sigma_w**2 * closed_forms.homogeneous_second_moment(*one_sided_slopes(activation))
    if factor < 1 - NEGLIGIBLE:
        return sigma_b**2 / (1 - factor)
    if factor <= 1 + NEGLIGIBLE and sigma_b == 0:
        raise DomainError(f"{where}: every length stays constant, so every q is a fixed point")
    grows = f"by {sigma_b**2:.4g} a layer" if factor <= 1 + NEGLIGIBLE else f"{factor:.4g}-fold a layer"
    raise DomainError(
        f"{where}: q grows {grows}, so there is no fixed point; χ₁ = {factor:.6g} at any q; predict lengths layer "
        "by layer"
    )


def _fixed_points(activation: Activation, sigma_w: float, sigma_b: float) -> tuple[bool, list[tuple[float, bool]]]:
    """Whether the largest lengths grow; and every fixed point of the length map, with whether it is stable."""

    def growth(ln_q: float) -> float:
        return log(length_map(activation, exp(ln_q), sigma_w, sigma_b)) - ln_q

    roots, positive = length_roots(growth)
    fixed_points = list(zip(roots, positive[:-1], strict=True))
    if activation.vanishes_at_zero and sigma_b == 0:
        fixed_points.insert(0, (0.0, not positive[0]))
    return positive[-1], fixed_points


def length_roots(function: Callable[[float], float]) -> tuple[list[float], list[bool]]:
    """Every q in the range searched at which a function of ln q changes sign, in ascending order; and the signs.

    The second list says whether the function is positive below each root and, as its last entry, above all of them.
    """
    grid, values = _known(function, np.arange(LOWEST, HIGHEST + STEP, STEP))
    for _ in range(2):
        between = _finer(grid, values)
        more, more_values = _known(function, between)
        order = np.argsort(np.concatenate([grid, more]))
        grid, values = np.concatenate([grid, more])[order], np.concatenate([values, more_values])[order]
    signs = np.sign(values)
    changes = np.nonzero(signs[1:] != signs[:-1])[0]
    roots = [exp(brentq(function, grid[i], grid[i + 1], xtol=1e-14, rtol=1e-15)) for i in changes]
    return roots, [bool(sign > 0) for sign in (*signs[changes], signs[-1])]


def _known(function: Callable[[float], float], ln_q: Array) -> tuple[Array, Array]:
    """The places at which a function is more than rounding, and its values there."""
    values = np.array([function(place) for place in ln_q])
    known = np.abs(values) > NEGLIGIBLE
    return ln_q[known], values[known]


def _finer(grid: Array, values: Array) -> Array:
    """Places between those of a grid, where the function changes sign, or comes so near to 0 that it may do so twice.

    About a double root at most a step away, a parabola's least value on the grid is under half the larger beside it.
    """
    sizes, signs = np.abs(values), np.sign(values)
    left, middle, right = sizes[:-2], sizes[1:-1], sizes[2:]
    lowest = (middle < left) & (middle < right) & (2 * middle < np.maximum(left, right))
    cells = signs[1:] != signs[:-1]
    cells[:-1] |= lowest
    cells[1:] |= lowest
    share = np.arange(1, FINER) / FINER
    return (grid[:-1][cells][:, None] + np.diff(grid)[cells][:, None] * share).ravel()


# Correlations -------------------------------------------------------------------------------------------------------


def correlation_map(activation: Activation, c: float, sigma_w: float, sigma_b: float, q: float) -> float:
    """The correlation after one more layer of two inputs of variance q and correlation c."""
    after = length_map(activation, q, sigma_w, sigma_b)
    return (sigma_w**2 * product(activation, q, c) + sigma_b**2) / after


def correlation_fixed_point(activation: Activation, sigma_w: float, sigma_b: float, q: float) -> float:
    """The fixed point c* of the correlation map at the fixed point q, to which correlations c ≥ 0 tend.

    It is 1 where χ₁ ≤ 1, and else the root below 1. The map is convex on [0, 1] (its Mehler series has no negative
    term), so (1 − map(c))/(1 − c) increases with c, from at most 1 at c = 0 to χ₁ at c = 1. 1 − map(c) is computed
    without cancellation.
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
    """½E[(φ(z₁) − φ(z₂))²] = E[φ²] − E[φ(z₁)φ(z₂)], computed from terms that are all positive."""
    if activation.name == "erf":
        return closed_forms.erf_half_square_difference(q, c)

    def integrand(a: Array, b: Array) -> Array:
        return np.square(activation.value(a) - activation.value(b)) / 2

    return pair_expectation(integrand, sqrt(q), c, activation.kinks)
