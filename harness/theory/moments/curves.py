"""Moments of an activation over Gaussian preactivations, as smooth functions of ln q that are cheap to evaluate.

In cells of width 1 in ln q, the logarithm of each moment is the polynomial through 16 Chebyshev nodes, at which it is
computed by quadrature. As a function of ln q it is analytic within π/2 of the real axis or more, so the polynomial is
right to about 1e-13. The cells are fixed, so a moment does not depend on what else is evaluated.
"""

from dataclasses import dataclass, fields
from math import exp

import numpy as np
from numpy.polynomial import chebyshev

from harness.base.arrays import Array
from harness.base.quadrature import expectation
from harness.networks.activations import Activation

LOWEST, HIGHEST = -60, 60  # of ln q; beyond, every activation is linear or a step to 1e-13
ORDER = 16
ROUNDING = 1e-10  # of a logarithmic derivative
NODES = np.cos(np.pi * (np.arange(ORDER) + 0.5) / ORDER)  # in [−1, 1]
TO_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(NODES, ORDER - 1))


@dataclass(frozen=True)
class MomentsAt:
    """Moments at each q, all (n,). `value` stands for φ, `slope` for φ'; derivatives are with respect to ln q."""

    ln_value: Array  # ln E[φ²]
    value_1: Array  # its first derivative
    value_2: Array  # its second derivative
    ln_slope: Array  # ln E[φ'²]
    slope_1: Array  # its first derivative
    slope_2: Array  # its second derivative
    value_4: Array  # E[φ⁴]/E[φ²]²
    slope_4: Array  # E[φ'⁴]/E[φ'²]²
    slope_6: Array  # E[φ'⁶]/E[φ'²]³
    both: Array  # E[φ²φ'²]/(E[φ²]·E[φ'²])


class Moments:
    """The moments of one activation; a cell is computed when it is first used."""

    def __init__(self, activation: Activation):
        self.activation = activation
        self._cells: dict[int, Array] = {}

    def at(self, ln_q: Array) -> MomentsAt:
        """Moments at every ln q of an array (n,), extrapolated linearly in ln q beyond the range."""
        inside = np.clip(ln_q, LOWEST, HIGHEST)
        cells = np.minimum(np.floor(inside).astype(np.int64), HIGHEST - 1)
        rows = np.empty((len(fields(MomentsAt)), len(inside)))
        for cell in np.unique(cells):
            members = cells == cell
            rows[:, members] = _evaluated(self._cell(int(cell)), 2 * (inside[members] - cell) - 1)
        beyond = ln_q - inside
        rows[0] += rows[1] * beyond
        rows[3] += rows[4] * beyond
        rows[6:] = np.exp(rows[6:])
        rows[1][np.abs(rows[1]) < ROUNDING] = 0  # φ(0) ≠ 0 and small q: only rounding is left
        return MomentsAt(*rows)

    def _cell(self, cell: int) -> Array:
        """Chebyshev coefficients of the ten functions on [cell, cell + 1], (ORDER, 10)."""
        if cell not in self._cells:
            logs = np.log([self._moments(exp((cell + (x + 1) / 2) / 2)) for x in NODES])  # (ORDER, 6)
            value, slope, value_4, slope_4, slope_6, both = TO_COEFFICIENTS @ logs[:, :, None].swapaxes(0, 1)
            rows = [
                value,
                *_derivatives(value),
                slope,
                *_derivatives(slope),
                value_4 - 2 * value,
                slope_4 - 2 * slope,
                slope_6 - 3 * slope,
                both - value - slope,
            ]
            self._cells[cell] = np.concatenate(rows, axis=1)
        return self._cells[cell]

    def _moments(self, deviation: float) -> Array:
        def powers(z: Array) -> Array:
            value, slope = np.square(self.activation.value(z)), np.square(1.0 * self.activation.slope(z))
            return np.stack([value, slope, value * value, slope * slope, slope**3, value * slope])

        return expectation(powers, deviation, self.activation.kinks)


def _derivatives(coefficients: Array) -> tuple[Array, Array]:
    """The first and second derivatives with respect to ln q; a cell is half as wide as [−1, 1]."""
    first = chebyshev.chebder(coefficients, scl=2)
    second = chebyshev.chebder(first, scl=2)
    return _padded(first), _padded(second)


def _padded(coefficients: Array) -> Array:
    """ORDER coefficients, of which the highest are 0."""
    return np.concatenate([coefficients, np.zeros((ORDER - len(coefficients), 1))])


def _evaluated(coefficients: Array, x: Array) -> Array:
    """Clenshaw's sum, (10, n); elementwise, so that a value does not depend on the others."""
    above, current = np.zeros((2, coefficients.shape[1], len(x)))
    for row in coefficients[:0:-1]:
        above, current = current, row[:, None] + 2 * x * current - above
    return coefficients[0][:, None] + x * current - above
