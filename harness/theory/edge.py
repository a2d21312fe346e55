"""The edge of chaos: where gradients neither vanish nor explode with depth, at infinite width and at a finite one."""

from functools import cache
from itertools import pairwise
from math import exp, inf, isinf, log, nan, sqrt

import numpy as np
from scipy.optimize import brentq

from harness.base.errors import DomainError
from harness.networks.activations import Activation
from harness.networks.spec import activation_labelled
from harness.theory.finite_width import LN10, activation_law
from harness.theory.mean_field import (
    HIGHEST,
    LOWEST,
    NEGLIGIBLE,
    check_scales,
    fixed_point,
    length_map_derivative,
    length_roots,
    one_sided_slopes,
    second_moment,
    slope_second_moment,
)
from harness.theory.moments.closed_forms import homogeneous_second_moment
from harness.theory.moments.curves import Moments


def critical_sigma_w(activation: Activation, sigma_b: float) -> float:
    """The σ_w at which χ₁ = 1 at the fixed point of lengths, for that σ_b: between vanishing and exploding gradients.

    Each q has one σ_w with χ₁ = 1 and one σ_b that makes it the fixed point; the q that belongs to the given σ_b is
    found as a root over all lengths. Raises DomainError where there is no such σ_w, or more than one, and says above
    which σ_b there is one: GELU and SiLU have an edge with biases only.
    """
    check_scales(1.0, sigma_b)
    where = f"{activation.name} at σ_b = {sigma_b:g}"
    if activation.homogeneous:
        sigma_w = 1 / sqrt(homogeneous_second_moment(*one_sided_slopes(activation)))
        if sigma_b > 0:
            raise DomainError(
                f"{where}: χ₁ = 1 at σ_w = {sigma_w:.6g}, where q grows by {sigma_b**2:.4g} a layer and has no fixed "
                "point; the edge of chaos is at σ_b = 0"
            )
        return sigma_w
    found = []
    for q in _critical_lengths(activation, sigma_b):
        sigma_w = 1 / sqrt(slope_second_moment(activation, q))
        try:
            reached = fixed_point(activation, sigma_w, sigma_b)
        except DomainError:
            continue
        if abs(reached - q) <= 1e-5 * q + 1e-12:  # at the edge q* itself is known to half the digits, if it is near 0
            found.append(sigma_w)
    if len(found) != 1:
        what = "no σ_w has" if not found else f"σ_w = {', '.join(f'{s:.6g}' for s in found)} all have"
        remedy = "try another σ_b" if found else _where_there_are_edges(activation, sigma_b)
        raise DomainError(f"{where}: {what} χ₁ = 1 at a stable fixed point of lengths; {remedy}")
    return found[0]


def least_sigma_b(activation: Activation) -> float:
    """σ_b above which there is an edge, the infimum; ∞ where there is none at any σ_b.

    A length q is the fixed point of an edge at σ_b² = q − E[φ²]/E[φ'²], if that is not negative and lengths tend to q:
    χ_q < 1. The least σ_b is 0 or that of a fold, χ_q = 1.
    """

    def squared(q: float) -> float:
        return q - second_moment(activation, q) / slope_second_moment(activation, q)

    def excluded(ln_q: float) -> float:
        """Negative where q belongs to an edge."""
        q = exp(ln_q)
        if squared(q) < -NEGLIGIBLE * q:
            return 1.0
        return length_map_derivative(activation, q, 1 / sqrt(slope_second_moment(activation, q))) - 1

    places, is_excluded = length_roots(excluded)
    ends = [exp(LOWEST), *places, exp(HIGHEST)]
    allowed = [pair for pair, out in zip(pairwise(ends), is_excluded, strict=True) if not out]
    least = min((squared(q) for pair in allowed for q in pair), default=inf)
    return sqrt(least) if least > NEGLIGIBLE else 0.0


def _where_there_are_edges(activation: Activation, sigma_b: float) -> str:
    least = least_sigma_b(activation)
    if isinf(least):
        return "nor has any at another σ_b"
    return f"there is an edge only for σ_b > {least:.4g}" if sigma_b <= least else "try another σ_b"


def _critical_lengths(activation: Activation, sigma_b: float) -> list[float]:
    """Every q with q = E[φ²]/E[φ'²] + σ_b²; and 0, if outputs of small inputs vanish."""

    def excess(ln_q: float) -> float:
        q = exp(ln_q)
        return log(second_moment(activation, q) / slope_second_moment(activation, q) + sigma_b**2) - ln_q

    roots, _ = length_roots(excess)
    return ([0.0] if activation.vanishes_at_zero and sigma_b == 0 else []) + roots


def edge_scale(label: str, sigma_w: float, sigma_b: float) -> float:
    """The weight scale with χ₁ = 1 of an activation, given by its label, where a scale of 1 means σ_w.

    χ₁ of a positively homogeneous activation does not depend on lengths, and so not on σ_b. NaN where there is no such
    scale, and for a label of no known activation.
    """
    try:
        activation = activation_labelled(label)
        return critical_sigma_w(activation, 0.0 if activation.homogeneous else sigma_b) / sigma_w
    except (DomainError, KeyError):
        return nan


# At finite width ------------------------------------------------------------------------------------------------------


def typical_slope(activation: Activation, sigma_w: float, sigma_b: float, width: int) -> float:
    """Mean over draws of log10 ‖∂C/∂z‖ per layer towards the input, in a deep network of that width, in decades.

    The exact law of one layer at the fixed point of lengths, and what ∂C/∂z along r adds to it (theory/expansion.py).
    For saturated units it holds where κ/n is large and the expansion in 1/width has no answer: within 0.003 at widths
    of 8 and more, against draws. Gaussian weights. Raises DomainError where there is no fixed point.
    """
    q = max(fixed_point(activation, sigma_w, sigma_b), exp(LOWEST))
    law = activation_law(activation, q, width, sigma_w)
    at = _moments(activation).at(np.log([q]))
    share = sigma_w**2 * float(np.exp(at.ln_value[0])) / q  # the weights' part of q
    kept = float(share * at.value_1[0] ** 2 * np.exp(at.ln_value[0] - at.ln_slope[0]) / q)  # ρ of expansion.py
    aligned = 2 * share * float(at.slope_1[0] * at.both[0]) / width / (1 - kept)
    return law.slope_per_layer + aligned / (2 * LN10)


def edges_at_width(activation: Activation, sigma_b: float, width: int) -> list[float]:
    """Every σ_w at which `typical_slope` is 0, ascending: for units that saturate none or two.

    With larger weights fewer units are not saturated, and their number fluctuates. Beyond the upper edge a layer has
    hardly one, and a gradient vanishes again; in layers narrow enough it vanishes at every σ_w. Raises DomainError as
    `typical_slope` does.
    """

    def slope(ln_sigma_w: float) -> float:
        return typical_slope(activation, exp(ln_sigma_w), sigma_b, width)

    grid = np.arange(-log(activation.slope_bound), log(64 * width), 0.4)  # χ₁ is at most (σ_w·max φ')²
    signs = np.sign([slope(place) for place in grid])
    return [exp(brentq(slope, grid[i], grid[i + 1], xtol=1e-6)) for i in np.nonzero(signs[1:] != signs[:-1])[0]]


_moments = cache(Moments)
