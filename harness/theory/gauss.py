"""Expectations over Gaussian preactivations by quadrature, the number of nodes doubled until nothing changes.

Where φ is smooth on the scale of the nodes, Gauss–Hermite. At a kink, or where √q is so large that φ looks like a step,
Gauss–Hermite converges slowly or, worse, seems to have converged on nodes that all miss the bend: there, a composite
Gauss–Legendre rule, split at the kinks and graded towards them and towards 0, where S-shaped functions bend.
"""

from collections.abc import Callable, Sequence
from functools import cache
from math import pi, sqrt

import numpy as np

from harness.errors import DomainError

Array = np.ndarray
Function = Callable[[Array], Array]

RELATIVE = 1e-12  # change at the last doubling that is rounding: at most so much of the result
REACH = 14.0  # in standard deviations; the density beyond is under 1e-43
SMOOTH = 4.0  # standard deviation of z up to which Gauss–Hermite is tried: beyond, its nodes are wider than a bend
HERMITE = (32, 64, 128)
LEGENDRE = (12, 24, 48)  # nodes a panel


def expectation(function: Function, deviation: float, kinks: Sequence[float] = ()) -> Array:
    """E[f(z)], z ~ N(0, deviation²), of f: (nodes,) → (…, nodes) that is analytic between its kinks.

    Each component is right to 1e-12 of itself (of the mean magnitude, if it cancels). Raises DomainError where doubling
    the nodes goes on changing it: f has a kink or a bend that was not named.
    """
    if not kinks and deviation <= SMOOTH:
        found = _converged((_hermite(n) for n in HERMITE), lambda g: function(deviation * g))
        if found is not None:
            return found
    scale = 1 / max(deviation, 1.0)
    centres = (0.0, *(kink / deviation for kink in kinks)) if deviation > 0 else (0.0,)
    found = _converged((graded(centres, scale, n) for n in LEGENDRE), lambda g: function(deviation * g))
    if found is None:
        raise DomainError(
            "the quadrature does not converge: name in the activation's `kinks` every place where the value or the "
            "slope is not smooth"
        )
    return found


def pair_expectation(function: Callable[[Array, Array], Array], deviation: float, correlation: float,
                     kinks: Sequence[float] = ()) -> float:  # fmt: skip
    """E[f(z₁, z₂)] of a pair of that standard deviation and correlation; f is symmetric, kinked where either z is.

    In s, t = (z₁ ± z₂)/√2 scaled to unit variance; errors as for `expectation`.
    """
    along, across = (deviation * sqrt((1 + sign * correlation) / 2) for sign in (1, -1))

    def over_hermite(n: int) -> Array:
        g, weight = _hermite(n)
        s, t = g[:, None], g[None, :]
        values = function(along * s + across * t, along * s - across * t)
        return np.array([weight @ values @ weight, weight @ np.abs(values) @ weight])

    if not kinks and deviation <= SMOOTH:
        found = _settled(over_hermite(n) for n in HERMITE)
        if found is not None:
            return found
    found = _settled(_over_graded(function, along, across, kinks, n) for n in (8, 16, 32))
    if found is None:
        raise DomainError("the quadrature over a pair does not converge: name the activation's `kinks`")
    return found


def _over_graded(function: Callable[[Array, Array], Array], along: float, across: float, kinks: Sequence[float],
                 order: int) -> Array:  # fmt: skip
    """The outer rule is split where two kinks' lines cross, graded to the width of the crossing; the inner at both."""
    bends = (0.0, *kinks)
    crossings = tuple((a + b) / (2 * along) for a in bends for b in bends) if along > 0 else (0.0,)
    outer_scale = min(1.0, 1 / max(along, 1e-300), across / max(along, 1e-300) if kinks else 1.0)
    s, outer = graded(crossings, max(outer_scale, 1e-12), order)
    total = np.zeros(2)  # of the function and of its magnitude
    for value, weight in zip(along * s, outer, strict=True):
        ends = [sign * (bend - value) / across for bend in bends for sign in (1, -1)] if across > 0 else [0.0]
        t, inner = graded(tuple(ends), 1 / max(across, 1.0), order)
        values = function(value + across * t, value - across * t)
        total += weight * np.array([inner @ values, inner @ np.abs(values)])
    return total


def graded(centres: Sequence[float], scale: float, order: int) -> tuple[Array, Array]:
    """Nodes and weights for E[f(g)], g standard normal: Gauss–Legendre panels that shrink to `scale` at each centre."""
    steps = scale / 2 * 2.0 ** np.arange(np.ceil(np.log2(2 / scale)) + 1)
    steps = np.concatenate([-steps[::-1], [0], steps])
    inside = [c for c in centres if abs(c) < REACH]
    ends = np.concatenate([np.arange(-REACH, REACH + 1), *(c + steps for c in inside)])
    ends = np.unique(np.clip(ends, -REACH, REACH))
    half = np.diff(ends)[:, None] / 2
    x, weight = _legendre(order)
    g = ((ends[1:] + ends[:-1])[:, None] / 2 + half * x).ravel()
    return g, (half * weight).ravel() * np.exp(-np.square(g) / 2) / sqrt(2 * pi)


@cache
def _hermite(order: int) -> tuple[Array, Array]:
    g, weight = np.polynomial.hermite_e.hermegauss(order)
    return g, weight / sqrt(2 * pi)


@cache
def _legendre(order: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(order)


def _converged(rules, function: Function) -> Array | None:
    """The expectation under the first of the rules that changes nothing."""
    before = None
    for g, weight in rules:
        values = function(g)
        found, size = values @ weight, np.abs(values) @ weight
        if before is not None and (np.abs(found - before) <= RELATIVE * size).all():
            return found
        before = found
    return None


def _settled(sums) -> float | None:
    """The first sum that is the one before, beside the sum of magnitudes it comes with."""
    before = None
    for found, size in sums:
        if before is not None and abs(found - before) <= 100 * RELATIVE * size:
            return float(found)
        before = found
    return None
