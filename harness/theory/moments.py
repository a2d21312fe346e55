"""Moments of an activation over Gaussian preactivations, as smooth functions of ln q that are cheap to evaluate often.

In cells of width 1 in ln q, each moment's logarithm is the polynomial through 16 Chebyshev nodes, where it is computed
by quadrature; as a function of ln q it is analytic at least π/2 around the real axis, which makes the polynomial right
to some 1e-13. Cells are the same whatever is asked, so a moment does not depend on what else was.
"""

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.polynomial import chebyshev

from harness.activations import Activation
from harness.theory.gauss import expectation

Array = np.ndarray

LOWEST, HIGHEST = -60, 60  # of ln q; beyond, every activation is a straight line or a step to 1e-13
ORDER = 16
NOTHING = 1e-10  # of a logarithmic derivative
NODES = np.cos(np.pi * (np.arange(ORDER) + 0.5) / ORDER)  # in [−1, 1]
TO_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(NODES, ORDER - 1))


@dataclass(frozen=True)
class MomentsAt:
    """At each q, with m = E[φ'²]; all (n,). Derivatives are with respect to ln q."""

    ln_value: Array  # ln E[φ²]
    value_1: Array  # its first derivative
    value_2: Array  # its second
    ln_slope: Array  # ln m
    slope_1: Array
    slope_2: Array
    value_4: Array  # E[φ⁴]/E[φ²]²
    slope_4: Array  # E[φ'⁴]/m²
    both: Array  # E[φ²φ'²]/(E[φ²]·m)


class Moments:
    """The moments of one activation; cells are filled as they are asked for."""

    def __init__(self, activation: Activation):
        self.activation = activation
        self._cells: dict[int, Array] = {}

    def at(self, ln_q: Array) -> MomentsAt:
        """Moments at every ln q of an array (n,); straight on beyond the range."""
        inside = np.clip(ln_q, LOWEST, HIGHEST)
        cells = np.minimum(np.floor(inside).astype(np.int64), HIGHEST - 1)
        rows = np.empty((9, len(inside)))
        for cell in np.unique(cells):
            own = cells == cell
            rows[:, own] = _evaluated(self._cell(int(cell)), 2 * (inside[own] - cell) - 1)
        beyond = ln_q - inside
        rows[0] += rows[1] * beyond
        rows[3] += rows[4] * beyond
        rows[6:] = np.exp(rows[6:])
        rows[1][np.abs(rows[1]) < NOTHING] = 0  # φ(0) ≠ 0 and q small: no digit is left
        return MomentsAt(*rows)

    def _cell(self, cell: int) -> Array:
        """Chebyshev coefficients of the nine functions on [cell, cell + 1], (ORDER, 9)."""
        if cell not in self._cells:
            logs = np.log([self._moments(exp((cell + (x + 1) / 2) / 2)) for x in NODES])  # (ORDER, 5)
            value, slope, value_4, slope_4, both = TO_COEFFICIENTS @ logs[:, :, None].swapaxes(0, 1)
            rows = [value, *_derivatives(value), slope, *_derivatives(slope),
                    value_4 - 2 * value, slope_4 - 2 * slope, both - value - slope]  # fmt: skip
            self._cells[cell] = np.concatenate(rows, axis=1)
        return self._cells[cell]

    def _moments(self, deviation: float) -> Array:
        def powers(z: Array) -> Array:
            value, slope = np.square(self.activation.value(z)), np.square(1.0 * self.activation.slope(z))
            return np.stack([value, slope, value * value, slope * slope, value * slope])

        return expectation(powers, deviation, self.activation.kinks)


def _derivatives(coefficients: Array) -> tuple[Array, Array]:
    """First and second, with respect to ln q: a cell is half as wide as [−1, 1]."""
    first = chebyshev.chebder(coefficients, scl=2)
    second = chebyshev.chebder(first, scl=2)
    return tuple(np.concatenate([c, np.zeros((ORDER - len(c), 1))]) for c in (first, second))


def _evaluated(coefficients: Array, x: Array) -> Array:
    """Clenshaw's sum, (9, n): elementwise, so that a number does not depend on how many are computed together."""
    above, current = np.zeros((9, len(x))), np.zeros((9, len(x)))
    for row in coefficients[:0:-1]:
        above, current = current, row[:, None] + 2 * x * current - above
    return coefficients[0][:, None] + x * current - above
