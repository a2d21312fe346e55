"""The arrays that an optimiser keeps for a layer, in a unit of each run's own."""

import numpy as np

from harness.base.arrays import Array, any_of, largest
from harness.base.scaled import KEPT, NOTHING, Scaled, shifted
from harness.networks.training.optimisers import Optimiser


class Moments:
    """The moments of one layer: array i holds the moment over 2^(power i · exponent), whatever size gradients have.

    The exponent of a run changes only where its gradient would leave 2^±KEPT, so that squares of it do not underflow.
    """

    def __init__(self, optimiser: Optimiser, layer: Array) -> None:
        self.optimiser = optimiser
        self.arrays = [np.zeros_like(layer) for _ in optimiser.moments]  # (runs, 1, rows, fan_out)
        self.exponent = np.zeros(layer.shape[:2], dtype=np.int64)  # (runs, 1)

    def direction(self, gradient: Scaled, step: int) -> Scaled:
        """The direction of a step, counted from 1. The gradient may be overwritten."""
        if self.arrays:
            if any_of(leaving := self._leaving(gradient)):
                self._change_unit(leaving, gradient)
            shift = gradient.exponent - self.exponent
            gradient = Scaled(shifted(gradient.mantissa, shift, out=gradient.mantissa), self.exponent)
        return self.optimiser.update(self.arrays, gradient, step)

    def clear(self, runs: Array) -> None:
        """Set the moments of some runs to 0."""
        for array in self.arrays:
            array[runs] = 0

    def _leaving(self, gradient: Scaled) -> Array:
        """The runs whose gradient lies outside 2^±KEPT of the unit, (runs, 1); none whose gradient is 0."""
        squares, exponent = gradient.flat_squares
        away = exponent_of(np.sqrt(squares)) + exponent - self.exponent
        return (squares > 0) & (np.abs(away) > KEPT[gradient.dtype])

    def _change_unit(self, leaving: Array, gradient: Scaled) -> None:
        """Measure in units of the largest of gradient and moments."""
        sizes = [exponent_of(largest(gradient.mantissa)) + gradient.exponent]
        for power, array in zip(self.optimiser.moments, self.arrays, strict=True):
            top = largest(array)
            sizes.append(np.where(top > 0, exponent_of(top) // power + self.exponent, NOTHING))
        exponent = np.maximum.reduce(sizes)
        exponent[np.abs(exponent) <= KEPT[gradient.dtype]] = 0
        exponent = np.where(leaving, exponent, self.exponent)
        for power, array in zip(self.optimiser.moments, self.arrays, strict=True):
            shifted(array, power * (self.exponent - exponent), out=array)
        self.exponent = exponent


def exponent_of(sizes: Array) -> Array:
    """The exponent of numbers as `frexp` gives it."""
    return np.frexp(sizes)[1].astype(np.int64)
