"""What is summed of a layer while its arrays are in cache, on the way up and on the way down.

Nothing here takes a logarithm: the measures do that, of all layers at once; they are functions of these sums. A sum of
squares is one of mantissas, and has its exponent beside it: Σ a² = squares · 4^exponent.
"""

import numpy as np

from harness.backprop import BackwardLayer, Layer, weight_gradient
from harness.scaled import CANCELLED, RISKY, Scaled, Weights, any_of, count, flat, largest

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
        self.weights, self.log10_gain = np.zeros(shape), np.zeros(shape)  # squares of W[k−1]'s base; its gain
        self.outputs = Samples(*shape)  # r[k]
        self.slope_total, self.slope_squares = np.zeros(shape), Squares(*shape)  # phi'(z[k])
        self.saturated, self.silent = np.zeros(shape), np.zeros(shape)  # (unit, sample) pairs; share of units

    def put(self, k: int, layer: Layer, W: Weights) -> None:
        self.weights[k], self.log10_gain[k] = W.base_squares, W.log10_gain
        self.outputs.put_samples(k, layer.r)
        slope = flat(layer.slope)
        if slope.dtype == bool:
            self.slope_total[k] = ones = count(slope)
            self.slope_squares.put(k, ones, 0)
            self.saturated[k] = self.slopes - ones
        else:
            self.slope_total[k] = np.add.reduce(slope, axis=-1, dtype=np.float64)
            self.slope_squares.put(k, *Scaled(layer.slope, np.zeros_like(layer.r.exponent)).safe_squares)
            self.saturated[k] = count(np.abs(slope) < SATURATED * self.slope_bound)
        if layer.silent is not None:
            self.silent[k] = count(np.logical_and.reduce(layer.silent, axis=-2)) / layer.silent.shape[-1]


class DownSums:
    """Of layers on the way down, each (depths, layers, replicates, lanes)."""

    def __init__(self, *shape: int):
        self.delta = Samples(*shape)  # ∂C/∂z[k]
        self.largest = np.zeros(shape)  # of |∂C/∂z[k]|, with its exponent
        self.grad_r, self.grad_below = Squares(*shape), Squares(*shape)  # ∂C/∂r[k], ∂C/∂r[k−1]
        self.grad_weights = Squares(*shape)  # ∂C/∂W[k−1]

    def put(self, depths: slice, k: int, layer: BackwardLayer) -> None:
        slot = depths, k - 1
        self.delta.put_samples(slot, layer.delta)
        self.largest[slot] = layer.delta.largest
        self.grad_r.put(slot, *layer.grad_r.safe_squares)
        self.grad_below.put(slot, *layer.grad_below.safe_squares)
        self.grad_weights.put(slot, *weight_gradient_squares(layer.r_below, layer.delta))


def weight_gradient_squares(r: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² and its exponent.

    By the Gram matrices, or where the batch is so large that it is cheaper, by forming ∂C/∂W.
    """
    if by_gram(*r.mantissa.shape[-2:], delta.mantissa.shape[-1]):
        return gram_squares(r, delta)
    return weight_gradient(r, delta).safe_squares


def by_gram(batch: int, fan_in: int, fan_out: int) -> bool:
    """Whether two Gram matrices take less work than ∂C/∂W."""
    return batch * (fan_in + fan_out) <= fan_in * fan_out


def gram_squares(r: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² = Σ_ij R_ij D_ij with R = r rᵀ and D = δ δᵀ, each (batch, batch): ∂C/∂W is formed only if the sum cancels.
    """
    R, D = flat(r.gram), flat(delta.gram)
    total = np.vecdot(R, D).astype(np.float64, copy=False)
    cancelled = total <= CANCELLED * r.gram_norm * delta.gram_norm  # at least the sum of the magnitudes
    cancelled |= total < RISKY[r.mantissa.dtype]  # long samples of r meet short ones of delta: products underflow
    exponent = r.exponent + delta.exponent
    if any_of(cancelled):
        for depth, replicate, lane in zip(*np.nonzero(cancelled & (delta.largest > 0)), strict=True):
            one = replicate, min(lane, r.exponent.shape[1] - 1)  # one lane of r may serve all of delta
            below = Scaled(r.mantissa[one][None], r.exponent[one][None])
            above = Scaled(delta.mantissa[depth, replicate, lane][None], delta.exponent[depth, replicate, lane][None])
            squares, own = weight_gradient(below, above).safe_squares
            total[depth, replicate, lane], exponent[depth, replicate, lane] = squares[0], own[0]
    return total, exponent


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
