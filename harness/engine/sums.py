"""Sums over a layer, taken while its arrays are in cache, in the forward pass and in the backward pass.

Measures are functions of these sums; they take the logarithms, of all layers at once. A sum of squares is the sum over
mantissas, with its exponent beside it: Σ a² = squares · 4^exponent.
"""

from collections.abc import Sequence

import numpy as np

from harness.base.arrays import Array, any_of, count, flat, largest
from harness.base.scaled import CANCELLED, Scaled
from harness.engine.gram import weight_gradient_mean, weight_gradient_squares
from harness.engine.layers import BackwardLayers, Layer
from harness.engine.superposition import superposed, superposed_squares, superposed_weight_gradient_squares

Slot = int | slice | tuple[slice | int, ...]  # the index of layers, and of depths, replicates and lanes
# A variance below this share of the mean square has lost too many digits, and is taken about the mean instead.
FLAT = {np.dtype(np.float64): 2.0**-30, np.dtype(np.float32): 2.0**-8}


class Squares:
    """A sum of squares and its exponent for each layer."""

    def __init__(self, *shape: int) -> None:
        self.squares, self.exponent = np.zeros(shape), np.zeros(shape, dtype=np.int64)

    def add(self, slot: Slot, squares: Array, exponent: Array | int) -> None:
        """Set the sums of some layers and their exponents."""
        self.squares[slot], self.exponent[slot] = squares, exponent


class Samples(Squares):
    """Sums over the samples a_i of arrays (…, batch, width), from which norms and mean cosines follow."""

    def __init__(self, *shape: int) -> None:
        super().__init__(*shape)
        self.lengths = np.zeros(shape)  # Σ |a_i|
        self.total = np.zeros(shape)  # |Σ a_i|²
        self.beside_one = np.full(shape, np.nan)  # the mean cosine where one sample is far longer than all others

    def add_samples(self, slot: Slot, a: Scaled) -> None:
        """Set the sums of some layers from their arrays (…, batch, width)."""
        self.add(slot, a.squares, a.exponent)
        total = a.total
        self.total[slot] = np.vecdot(total, total)
        self.lengths[slot] = lengths = np.add.reduce(np.sqrt(a.lengths), axis=-1)
        if a.mantissa.shape[-2] > 1:
            dwarfed = self.dwarfed(lengths, a.squares)
            if any_of(dwarfed):
                self.beside_one[slot][dwarfed] = cosine_beside_one(a.mantissa[dwarfed].astype(np.float64))

    @staticmethod
    def dwarfed(lengths: Array, squares: Array) -> Array:
        """Whether Σ_{i≠j} |a_i||a_j| is so small beside Σ |a_i|² that it has lost 8 bits to rounding, (…)."""
        return lengths * lengths - squares < CANCELLED * squares


class ForwardSums:
    """Sums of the forward pass, each (layers, replicates, lanes)."""

    def __init__(
        self, layers: int, replicates: int, lanes: int, slopes: Array | int, slope_bound: float, saturated_below: float
    ) -> None:
        shape = (layers, replicates, lanes)
        self.slopes = slopes  # number of (unit, sample) pairs in a layer, or in each
        self.saturated_under = saturated_below * slope_bound
        self.weights = np.zeros((layers, replicates, 1))  # squares of the base of W[k−1]
        self.outputs = Samples(*shape)  # r[k]
        self.outputs_total = np.zeros(shape)  # Σ r[k] over units and batch, with the exponent of `outputs`
        self.outputs_variance = np.zeros(shape)  # Σ (r[k] − mean)², with twice that exponent
        self.outputs_largest = np.zeros(shape)  # of |r[k]|, with that exponent
        self.slope_total, self.slope_squares = np.zeros(shape), Squares(*shape)  # phi'(z[k])
        self.saturated, self.silent = np.zeros(shape), np.zeros(shape)  # (unit, sample) pairs; share of units

    def add(self, slots: slice, layers: Layer, base_squares: Sequence[Array], largest: Sequence[Array]) -> None:
        """Add consecutive layers, (layers, replicates, lanes, …).

        `base_squares` are those of the W below each, `largest` the largest magnitudes in the mantissas of each r.
        """
        self.weights[slots] = base_squares
        self.outputs.add_samples(slots, layers.r)
        self._add_moments(slots, layers.r, largest)
        slope = layers.slope.values
        if slope.dtype == bool:
            self.slope_total[slots] = ones = count(flat(slope))
            self.slope_squares.add(slots, ones, 0)
            self.saturated[slots] = slope.shape[-2] * slope.shape[-1] - ones
        else:
            of_samples = np.add.reduce(slope, axis=-1)  # pairwise summation, without a copy in float64
            self.slope_total[slots] = np.add.reduce(of_samples, axis=-1, dtype=np.float64)
            self.slope_squares.add(slots, *Scaled(slope, np.zeros_like(layers.r.exponent)).safe_squares)
            self.saturated[slots] = count(flat(np.abs(slope) < self.saturated_under))
        if layers.silent is not None:
            self.silent[slots] = count(np.logical_and.reduce(layers.silent, axis=-2)) / slope.shape[-1]

    def _add_moments(self, slots: slice, r: Scaled, largest: Sequence[Array]) -> None:
        self.outputs_largest[slots] = largest
        self.outputs_total[slots] = total = np.add.reduce(r.total, axis=-1, dtype=np.float64)
        pairs = r.mantissa.shape[-2] * r.mantissa.shape[-1]
        variance = r.squares - total * total / pairs
        flat_lanes = variance < FLAT[r.mantissa.dtype] * r.squares
        if any_of(flat_lanes):
            values = flat(r.mantissa[flat_lanes]).astype(np.float64)
            variance[flat_lanes] = values.var(axis=-1) * pairs
        self.outputs_variance[slots] = variance


class BackwardSums:
    """Sums of the backward pass, each (layers, depths, replicates, lanes). `means`: whether |∂C/∂W| is summed too."""

    def __init__(self, layers: int, *shape: int, means: bool = False) -> None:
        self.delta = Samples(layers, *shape)  # ∂C/∂z[k]
        self.largest = np.zeros((layers, *shape))  # of |∂C/∂z[k]|, with its exponent
        self.grad_r = Squares(layers + 1, *shape)  # ∂C/∂r[k], from k = 0
        self.grad_weights = Squares(layers, *shape)  # ∂C/∂W[k−1]
        self.grad_weights_mean = Squares(layers, *shape) if means else None  # the mean of its magnitudes, not squares

    def add_start(self, place: int, depth: int, grad_r: Scaled) -> None:
        """Add ∂C/∂r[depth] of the networks of one depth; `place` is the index of that depth."""
        self.grad_r.add((depth, place), *grad_r.safe_squares)

    def add(self, lanes: slice, slots: slice, depths: slice, layers: BackwardLayers) -> None:
        """Add consecutive layers of some depths and lanes."""
        where: Slot = slots, depths, slice(None), lanes
        self.delta.add_samples(where, layers.delta)
        self.largest[where] = layers.largest
        self.grad_r.add(where, *layers.grad_below.safe_squares)
        self.grad_weights.add(where, *weight_gradient_squares(layers.r_below, layers.delta))
        self.add_mean(where, layers.r_below, layers.delta)

    def add_superposed(self, lanes: slice, slots: slice, depths: slice, layers: BackwardLayers, factor: Scaled) -> None:
        """Add lanes that started from α·a + b, given the layers of the two lanes that started from a and from b.

        `factor` is α, (depths, 1, lanes, 1, 1).
        """
        where: Slot = slots, depths, slice(None), lanes
        delta = superposed(layers.delta, factor)
        self.delta.add_samples(where, delta)
        self.largest[where] = delta.largest
        self.grad_r.add(where, *superposed_squares(layers.grad_below, factor))
        squares = superposed_weight_gradient_squares(layers.r_below, layers.delta, factor, delta)
        self.grad_weights.add(where, *squares)
        self.add_mean(where, layers.r_below, delta)

    def add_mean(self, where: Slot, r_below: Scaled, delta: Scaled) -> None:
        """Add the mean of |∂C/∂W[k−1]|, where it was asked for."""
        if self.grad_weights_mean is not None:
            self.grad_weights_mean.add(where, *weight_gradient_mean(r_below, delta))


def base_squares(base: Array) -> Array:
    """Sum of squares of a base (replicates, 1, fan_in, fan_out). Returns (replicates, 1), float64."""
    base = flat(base).astype(np.float64, copy=False)
    return np.vecdot(base, base)


def cosine_beside_one(a: Array) -> Array:
    """Mean cosine of arrays (n, batch, width) in which all samples but one are below its rounding. Returns (n,)."""
    longest = np.vecdot(a, a).argmax(axis=-1)[:, None, None]
    one = np.take_along_axis(a, longest, axis=-2)[:, 0]
    np.put_along_axis(a, longest, 0, axis=-2)  # the others
    top = largest(a)
    a /= np.where(top == 0, 1, top)[:, None, None]
    total, squares = a.sum(axis=-2), np.vecdot(a, a)
    length = np.sqrt(squares).sum(axis=-1)
    products = 2 * np.vecdot(one, total) + top * (np.vecdot(total, total) - squares.sum(axis=-1))
    weights = 2 * np.sqrt(np.vecdot(one, one)) * length + top * (np.square(length) - squares.sum(axis=-1))
    with np.errstate(invalid="ignore"):
        return products / weights  # nan where there are no others
