"""What is summed of a layer while its arrays are in cache, on the way up and on the way down.

Nothing here takes a logarithm: the measures do that, of all layers at once; they are functions of these sums. A sum of
squares is one of mantissas, and has its exponent beside it: Σ a² = squares · 4^exponent.
"""

from collections.abc import Sequence

import numpy as np

from harness.backprop import BackwardLayers, Layer
from harness.gram import weight_gradient_squares
from harness.scaled import CANCELLED, Scaled, any_of, count, flat, largest
from harness.superposition import superposed, superposed_squares, superposed_weight_gradient_squares

Array = np.ndarray

SATURATED = 0.01  # a slope under this share of the activation's largest counts as saturated


class Squares:
    """A sum of squares and its exponent, a slot a layer."""

    def __init__(self, *shape: int):
        self.squares, self.exponent = np.zeros(shape), np.zeros(shape, dtype=np.int64)

    def put(self, slot: tuple | int, squares: Array, exponent: Array | int) -> None:
        self.squares[slot], self.exponent[slot] = squares, exponent


class Samples(Squares):
    """Sums over the samples a_i of arrays (…, batch, width): what norms and mean cosines are made of."""

    def __init__(self, *shape: int):
        super().__init__(*shape)
        self.lengths = np.zeros(shape)  # Σ |a_i|
        self.total = np.zeros(shape)  # |Σ a_i|²
        self.beside_one = np.full(shape, np.nan)  # the mean cosine, where one sample dwarfs all others together

    def put_samples(self, slot: tuple | int, a: Scaled) -> None:
        self.put(slot, a.squares, a.exponent)
        total = a.total
        self.total[slot] = np.vecdot(total, total)
        self.lengths[slot] = lengths = np.add.reduce(np.sqrt(a.lengths), axis=-1)
        if a.mantissa.shape[-2] > 1:
            dwarfed = self.dwarfed(lengths, a.squares)
            if any_of(dwarfed):
                self.beside_one[slot][dwarfed] = cosine_beside_one(a.mantissa[dwarfed].astype(np.float64))

    @staticmethod
    def dwarfed(lengths: Array, squares: Array) -> Array:
        """Where Σ_{i≠j} |a_i||a_j| has lost 8 bits to rounding beside Σ |a_i|²."""
        return lengths * lengths - squares < CANCELLED * squares


class UpSums:
    """Of layers on the way up, each (layers, replicates, lanes)."""

    def __init__(self, layers: int, replicates: int, lanes: int, slopes: int, slope_bound: float):
        shape = (layers, replicates, lanes)
        self.slopes, self.slope_bound = slopes, slope_bound  # how many (unit, sample) pairs there are in a layer
        self.weights = np.zeros((layers, replicates, 1))  # squares of the base of W[k−1]
        self.outputs = Samples(*shape)  # r[k]
        self.slope_total, self.slope_squares = np.zeros(shape), Squares(*shape)  # phi'(z[k])
        self.saturated, self.silent = np.zeros(shape), np.zeros(shape)  # (unit, sample) pairs; share of units

    def put(self, slots: slice, layers: Layer, weights: Sequence[Array]) -> None:
        """Consecutive layers, (layers, replicates, lanes, …), and `base_squares` of the W that lead to them."""
        self.weights[slots] = weights
        self.outputs.put_samples(slots, layers.r)
        slope = layers.slope
        if slope.dtype == bool:
            self.slope_total[slots] = ones = count(flat(slope))
            self.slope_squares.put(slots, ones, 0)
            self.saturated[slots] = self.slopes - ones
        else:
            of_samples = np.add.reduce(slope, axis=-1)  # in pairs, and without a copy in float64
            self.slope_total[slots] = np.add.reduce(of_samples, axis=-1, dtype=np.float64)
            self.slope_squares.put(slots, *Scaled(slope, np.zeros_like(layers.r.exponent)).safe_squares)
            self.saturated[slots] = count(flat(np.abs(slope) < SATURATED * self.slope_bound))
        if layers.silent is not None:
            self.silent[slots] = count(np.logical_and.reduce(layers.silent, axis=-2)) / slope.shape[-1]


class DownSums:
    """Of layers on the way down, each (layers, depths, replicates, lanes)."""

    def __init__(self, layers: int, *shape: int):
        self.delta = Samples(layers, *shape)  # ∂C/∂z[k]
        self.largest = np.zeros((layers, *shape))  # of |∂C/∂z[k]|, with its exponent
        self.grad_r = Squares(layers + 1, *shape)  # ∂C/∂r[k], from k = 0
        self.grad_weights = Squares(layers, *shape)  # ∂C/∂W[k−1]

    def start(self, place: int, depth: int, grad_r: Scaled) -> None:
        """∂C/∂r[depth] of the networks that end there."""
        self.grad_r.put((depth, place), *grad_r.safe_squares)

    def put(self, lanes: slice, slots: slice, depths: slice, layers: BackwardLayers) -> None:
        """Consecutive layers of as many depths."""
        where = slots, depths, slice(None), lanes
        self.delta.put_samples(where, layers.delta)
        self.largest[where] = layers.largest
        self.grad_r.put(where, *layers.grad_below.safe_squares)
        self.grad_weights.put(where, *weight_gradient_squares(layers.r_below, layers.delta))

    def put_superposed(self, lanes: slice, slots: slice, depths: slice, layers: BackwardLayers, factor: Scaled) -> None:
        """The same of lanes that started from α·a + b, given those two that started from a and from b."""
        where = slots, depths, slice(None), lanes
        delta = superposed(layers.delta, factor)
        self.delta.put_samples(where, delta)
        self.largest[where] = delta.largest
        self.grad_r.put(where, *superposed_squares(layers.grad_below, factor))
        squares = superposed_weight_gradient_squares(layers.r_below, layers.delta, factor, delta)
        self.grad_weights.put(where, *squares)


def base_squares(base: Array) -> Array:
    """Sum of squares of a base (replicates, 1, fan_in, fan_out): (replicates, 1), float64."""
    base = flat(base).astype(np.float64, copy=False)
    return np.vecdot(base, base)


def cosine_beside_one(a: Array) -> Array:
    """Mean cosine, (n,), of (n, batch, width) in which the others are lost in the rounding of one long sample."""
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
