"""Expectations over Gaussian variables by quadrature; the number of nodes is doubled until the result is stable.

A function that is smooth on the scale of the nodes is integrated by Gauss–Hermite. At a kink, or where the standard
deviation is so large that a sigmoid looks like a step, Gauss–Hermite converges slowly, or seems to have converged on
nodes that all miss the bend. Such a function is integrated by a composite Gauss–Legendre rule, whose panels are split
at the kinks and become smaller towards them and towards 0, where S-shaped functions bend.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import pi, sqrt

import numpy as np

from harness.base.arrays import Array
from harness.base.errors import DomainError

Function = Callable[[Array], Array]

RELATIVE = 1e-12  # change at the last doubling, relative to the result, that counts as rounding
REACH = 14.0  # in standard deviations; the density beyond is under 1e-43
SMOOTH = 4.0  # standard deviation up to which Gauss–Hermite is tried: beyond, a bend fits between two nodes
HERMITE = (32, 64, 128)
LEGENDRE = (12, 24, 48)  # nodes a panel
PAIR_RELATIVE = 1e-10  # the same of a pair, whose sum has the square of as many terms
PAIR_LEGENDRE = (8, 16, 32)  # nodes a panel, of each of the two variables


def expectation(function: Function, deviation: float, kinks: Sequence[float] = ()) -> Array:
    """E[f(z)], z ~ N(0, deviation²), of f: (nodes,) → (…, nodes) that is analytic between its kinks.

    Each component is right to 1e-12 of itself (of the mean magnitude, if it cancels). Raises DomainError where it does
    not converge, because f has a kink or a bend that is not among `kinks`.
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


def pair_expectation(
    function: Callable[[Array, Array], Array], deviation: float, correlation: float, kinks: Sequence[float] = ()
) -> float:
    """E[f(z₁, z₂)] of a pair of that standard deviation and correlation; f is symmetric, with kinks of either variable.

    It is integrated over s, t = (z₁ ± z₂)/√2, scaled to unit variance, and right to 1e-10 of the mean magnitude. Raises
    DomainError as `expectation` does.
    """
    along, across = (deviation * sqrt((1 + sign * correlation) / 2) for sign in (1, -1))

    def over_hermite(n: int) -> Array:
        g, weight = _hermite(n)
        s, t = g[:, None], g[None, :]
        values = function(along * s + across * t, along * s - across * t)
        return np.array([weight @ values @ weight, weight @ np.abs(values) @ weight])

    if not kinks and deviation <= SMOOTH:
        found = _converged_sum(over_hermite(n) for n in HERMITE)
        if found is not None:
            return found
    found = _converged_sum(_over_graded(function, along, across, kinks, n) for n in PAIR_LEGENDRE)
    if found is None:
        raise DomainError("the quadrature over a pair does not converge: name the activation's `kinks`")
    return found


def _over_graded(
    function: Callable[[Array, Array], Array], along: float, across: float, kinks: Sequence[float], order: int
) -> Array:
    """E[f] and E[|f|] with panels split where the lines of two kinks cross, for s, and at both lines, for t."""
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


def _converged(rules: Iterable[tuple[Array, Array]], function: Function) -> Array | None:
    """The expectation by the first rule that agrees with the one before; None where none does."""
    before = None
    for g, weight in rules:
        values = function(g)
        found, size = values @ weight, np.abs(values) @ weight
        if before is not None and (np.abs(found - before) <= RELATIVE * size).all():
            return found
        before = found
    return None


def _converged_sum(sums: Iterable[Array]) -> float | None:
    """The first sum that agrees with the one before, relative to the sum of magnitudes; None where none does."""
    before = None
    for found, size in sums:
        if before is not None and abs(found - before) <= PAIR_RELATIVE * size:
            return float(found)
        before = found
    return None
