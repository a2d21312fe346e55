"""The edge of chaos: where χ₁ = 1, and gradients neither vanish nor explode with depth."""

from math import exp, log, nan, sqrt

import numpy as np
from scipy.optimize import brentq

from harness.activations import ACTIVATIONS, Activation
from harness.errors import DomainError
from harness.theory.closed_forms import straight_second_moment
from harness.theory.mean_field import (
    HIGHEST,
    LOWEST,
    NEGLIGIBLE,
    STEP,
    fixed_point,
    require,
    second_moment,
    slope_second_moment,
    straight_slopes,
)


def critical_sigma_w(activation: Activation, sigma_b: float) -> float:
    """σ_w at which χ₁ = 1 at the fixed point, for that σ_b: the edge between vanishing and exploding.

    For every q there is one σ_w with χ₁ = 1, and one σ_b that makes q its fixed point; the q that belongs to the σ_b
    given is a root, looked for over all lengths. Raises DomainError where there is none, or more than one.
    """
    require(1.0, sigma_b)
    where = f"{activation.name} at σ_b = {sigma_b:g}"
    if activation.homogeneous:
        sigma_w = 1 / sqrt(straight_second_moment(*straight_slopes(activation)))
        if sigma_b > 0:
            raise DomainError(
                f"{where}: χ₁ = 1 at σ_w = {sigma_w:.6g}, where q grows by {sigma_b**2:.4g} a layer and has no fixed "
                "point; the edge proper is at σ_b = 0"
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
        raise DomainError(f"{where}: {what} χ₁ = 1 at a fixed point that lengths tend to; try another σ_b")
    return found[0]


def _critical_lengths(activation: Activation, sigma_b: float) -> list[float]:
    """Every q with q = E[φ²]/E[φ'²] + σ_b²; and 0, where all slopes count as one."""

    def excess(ln_q: float) -> float:
        q = exp(ln_q)
        return log(second_moment(activation, q) / slope_second_moment(activation, q) + sigma_b**2) - ln_q

    lengths = np.arange(LOWEST, HIGHEST + STEP, STEP)
    found = np.array([excess(ln_q) for ln_q in lengths])
    known = np.abs(found) > NEGLIGIBLE
    places, signs = lengths[known], np.sign(found[known])
    roots = [exp(brentq(excess, places[i], places[i + 1], xtol=1e-14, rtol=1e-15))
             for i in np.nonzero(signs[1:] != signs[:-1])[0]]  # fmt: skip
    return ([0.0] if activation.vanishes_at_zero and sigma_b == 0 else []) + roots


def edge_scale(label: str, sigma_w: float, sigma_b: float) -> float:
    """Weight scale at which an activation, given by its label in the tables, is critical, if a scale of 1 is σ_w.

    Of a straight activation χ₁ = 1 does not depend on lengths, nor on σ_b. nan where there is no edge, and for a label
    of no activation of ours.
    """
    if label.partition("(")[0] not in ACTIVATIONS:
        return nan
    activation = labelled(label)
    try:
        return critical_sigma_w(activation, 0.0 if activation.homogeneous else sigma_b) / sigma_w
    except DomainError:
        return nan


def labelled(label: str) -> Activation:
    """The activation of a label such as `leaky_relu(negative_slope=0.1)`."""
    name, _, inside = label.rstrip(")").partition("(")
    pairs = (pair.split("=") for pair in inside.split(", ") if pair)
    return ACTIVATIONS[name](**{key: float(value) for key, value in pairs})
