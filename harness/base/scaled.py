"""Arrays that carry their exponent: mantissa · 2^exponent, with one integer exponent per lane.

Gradients reach 10^-6000. Scaling a normal number by a power of two is exact, so a lane that is renormalised by its
largest magnitude loses nothing and never underflows: an exact zero is a property of the network, not of the number
format. The last two axes of an array are (batch, width); each index of the other axes is a lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np

from harness.base.arrays import LOG10_2, Array, any_of, flat, inner, largest, log10_of

NOTHING = -(2**40)  # exponent of a lane that is exactly zero: below that of any number
# A lane whose largest magnitude lies within 2^±KEPT of 1 is not renormalised: squares of its products cannot underflow.
KEPT = {np.dtype(np.float64): 32, np.dtype(np.float32): 12}
ORDINARY = {dtype: (2.0 ** (-keep - 1), 2.0**keep) for dtype, keep in KEPT.items()}  # frexp gives −keep … keep
FACTOR = 8  # a gain within 2^±FACTOR of 1 needs no exponent of its own
# A sum of squares or products below this may have lost digits to underflow.
RISKY = {np.dtype(np.float64): 2.0**-900, np.dtype(np.float32): 2.0**-90}
COPIED = 2**16  # bytes: up to this size a transpose is copied, which makes its product a third faster
CANCELLED = 2.0**-8  # a sum below this share of the sum of magnitudes has lost 8 bits to cancellation


# Scaled, Slope, Weights and Layer are not frozen: many are made at each layer, and freezing them takes 3 % of a sweep.
# No code changes one.
@dataclass
class Scaled:
    """mantissa (…, batch, width) times 2^exponent (…)."""

    mantissa: Array
    exponent: Array

    def __getitem__(self, which: int | slice | tuple | None) -> Scaled:
        """Select by the leading axes."""
        return Scaled(self.mantissa[which], self.exponent[which])

    def select_lanes(self, lanes: slice) -> Scaled:
        """Select by the last axis of the exponent."""
        return Scaled(self.mantissa[..., lanes, :, :], self.exponent[..., lanes])

    def broadcast_like(self, other: Scaled) -> Scaled:
        """The same numbers as a read-only view in the shape of another array."""
        mantissa = np.broadcast_to(self.mantissa, other.mantissa.shape)
        return Scaled(mantissa, np.broadcast_to(self.exponent, other.exponent.shape))

    @property
    def dtype(self) -> np.dtype:
        return self.mantissa.dtype

    @property
    def T(self) -> Scaled:
        """The transpose of each lane, (…, width, batch); a view."""
        return Scaled(self.mantissa.swapaxes(-1, -2), self.exponent)

    def __matmul__(self, other: Weights | Scaled) -> Scaled:
        """Matrix product lane by lane. Each is a BLAS call of its own, so a lane's bits do not depend on the others."""
        if isinstance(other, Scaled):
            return Scaled(self.mantissa @ other.mantissa, self.exponent + other.exponent)
        product = np.matmul(self.mantissa, other.base, out=other.out)
        if other.gain is None:
            return Scaled(product, self.exponent)
        product *= other.gain[..., None, None]
        return Scaled(product, self.exponent + other.exponent)

    def __add__(self, other: Scaled | None) -> Scaled:
        if other is None:
            return self
        exponent = np.maximum(self.exponent, other.exponent)
        a, b = (shifted(number.mantissa, number.exponent - exponent) for number in (self, other))
        return Scaled(a + b, exponent)

    def __sub__(self, other: Scaled) -> Scaled:
        return self + Scaled(-other.mantissa, other.exponent)

    def __mul__(self, factor: Scaled | Slope | Array | float) -> Scaled:
        """Elementwise product."""
        if isinstance(factor, Slope):
            return self._times_slope(factor)
        if isinstance(factor, Scaled):
            return Scaled(self.mantissa * factor.mantissa, self.exponent + factor.exponent)
        return Scaled(self.mantissa * factor, self.exponent)

    def _times_slope(self, slope: Slope) -> Scaled:
        """Elementwise product with slopes, exact to one rounding even where it is far smaller than this array.

        A very small product may have lost digits to underflow; it is then computed again from normalised slopes. A lane
        becomes 0 if one of its slopes has underflowed, because that slope is no longer known.
        """
        values = slope.values.astype(self.mantissa.dtype, copy=False)
        product = Scaled(np.multiply(self.mantissa, values, out=slope.out), self.exponent)
        if slope.has_zeros or product.is_ordinary:
            return product
        risky = product.largest < RISKY[product.mantissa.dtype] * self.largest  # relative: mantissas are not all near 1
        if not any_of(risky):
            return product
        delta, exponent = product.mantissa, self.exponent.copy()
        values = np.broadcast_to(values, delta.shape)[risky]  # a copy
        underflowed = (np.abs(values) < np.finfo(values.dtype).tiny).any(axis=(-2, -1))
        top, shift = normalised(values, np.zeros(len(values), dtype=np.int64))  # exact: lanes with subnormals become 0
        delta[risky] = np.where(underflowed[:, None, None], 0, self.mantissa[risky] * top)
        exponent[risky] += shift
        return Scaled(delta, exponent)

    @cached_property
    def largest(self) -> Array:
        """Largest magnitude of the mantissa, (…)."""
        return largest(self.mantissa)

    @cached_property
    def lengths(self) -> Array:
        """Squared length of each sample's mantissa, (…, batch), float64."""
        return np.vecdot(self.mantissa, self.mantissa).astype(np.float64, copy=False)

    @cached_property
    def squares(self) -> Array:
        """Sum of squares of the mantissa, (…), float64."""
        return np.add.reduce(self.lengths, axis=-1)

    @cached_property
    def safe_squares(self) -> tuple[Array, Array]:
        """Sum of squares and its exponent, (…); from a normalised mantissa where squares may have underflowed."""
        risky = self.squares < RISKY[self.mantissa.dtype]
        if not any_of(risky) or not any_of(risky := risky & (self.largest > 0)):
            return self.squares, self.exponent
        squares, exponent = self.squares.copy(), self.exponent.copy()
        top, exponent[risky] = normalised(self.mantissa[risky], self.exponent[risky], keep=0)
        squares[risky] = np.vecdot(top, top).sum(axis=-1)
        return squares, exponent

    @cached_property
    def flat_squares(self) -> tuple[Array, Array]:
        """`safe_squares` by one product a lane, summed in the array's own format: for arrays of parameters."""
        squares = inner(self.mantissa, self.mantissa)
        risky = squares < RISKY[self.mantissa.dtype]
        if not any_of(risky) or not any_of(risky := risky & (self.largest > 0)):
            return squares, self.exponent
        safe, exponent = self.safe_squares
        return np.where(risky, safe, squares), np.where(risky, exponent, self.exponent)

    @cached_property
    def is_ordinary(self) -> bool:
        """Whether every lane's largest magnitude is within 2^±KEPT of 1, so that no lane needs normalising."""
        top, (least, bound) = self.largest, ORDINARY[self.mantissa.dtype]  # a nan is in no range
        return bool(np.minimum.reduce(top, axis=None) >= least and np.maximum.reduce(top, axis=None) < bound)

    @cached_property
    def total(self) -> Array:
        """Sum of the samples' mantissas, (…, width)."""
        return np.ones(self.mantissa.shape[-2], self.mantissa.dtype) @ self.mantissa

    @cached_property
    def gram(self) -> Array:
        """Inner products of the samples' mantissas, (…, batch, batch)."""
        return self.mantissa @ self.mantissa.swapaxes(-1, -2)

    @cached_property
    def gram_norm(self) -> Array:
        """Frobenius norm of the mantissas' Gram matrix, (…), float64."""
        G = flat(self.gram)
        return np.sqrt(np.vecdot(G, G).astype(np.float64, copy=False))

    @property
    def log10_norm(self) -> Array:
        """log10 of the Frobenius norm of each lane, (…)."""
        squares, exponent = self.safe_squares
        return log10_of(squares) / 2 + exponent * LOG10_2

    def normalised(self) -> Scaled:
        """The same numbers with a largest magnitude near 1 in every lane. Works in place: discard this array."""
        if self.is_ordinary:
            return self
        return Scaled(*normalised(self.mantissa, self.exponent, top=self.largest))


@dataclass
class Slope:
    """phi'(z): an ordinary array (…, batch, width); of booleans where it is only ever 0 or 1."""

    values: Array
    has_zeros: bool  # phi' is exactly 0 somewhere, as Step is; otherwise a slope of 0 has underflowed
    out: Array | None = None  # receives products with this slope; None: a new array

    def __getitem__(self, which: int | slice | None) -> Slope:
        """Select by the leading axis; None adds one."""
        return Slope(self.values[which], self.has_zeros)

    def into(self, out: Array) -> Slope:
        """The same slopes; products with them are stored in `out`."""
        return Slope(self.values, self.has_zeros, out)


@dataclass
class Weights:
    """W = gain · 2^exponent · base: base (replicates, 1, fan_in, fan_out) is shared.

    gain and exponent are (lanes,), or (replicates, lanes) where they follow from the data.
    """

    base: Array
    gain: Array | None  # None: 1 in every lane
    exponent: Array
    out: Array | None = None  # receives products with these weights; None: a new array

    @property
    def T(self) -> Weights:
        """The transpose: a copy if it is small, else a view. The shape alone decides, so results are reproducible."""
        base = self.base.swapaxes(-1, -2)
        small = base.shape[-1] * base.shape[-2] * base.itemsize <= COPIED
        return Weights(np.ascontiguousarray(base) if small else base, self.gain, self.exponent, self.out)

    def times(self, factor: float) -> Weights:
        """These weights times a factor near 1."""
        if factor == 1:
            return self
        gain = np.full(1, factor, self.base.dtype) if self.gain is None else self.gain * self.base.dtype.type(factor)
        return Weights(self.base, gain, self.exponent, self.out)

    def into(self, out: Array) -> Weights:
        """The same weights; products with them, or with their transpose, are stored in `out`."""
        return Weights(self.base, self.gain, self.exponent, out)


def base_alone(base: Array) -> Weights:
    """A base draw (replicates, 1, fan_in, fan_out) as weights with a gain of 1."""
    return Weights(base, None, np.zeros(1, np.int64))


def split(numbers: Array, dtype: np.dtype, keep: int = FACTOR) -> tuple[Array, Array]:
    """Split numbers into (mantissa, exponent). Numbers within 2^±keep of 1 have the exponent 0."""
    mantissa, exponent = np.frexp(np.asarray(numbers, dtype=np.float64))
    ordinary = np.abs(exponent) <= keep
    mantissa = np.where(ordinary, numbers, mantissa).astype(dtype)
    return mantissa, np.where(ordinary, 0, exponent).astype(np.int64)


def scaled(values: Array) -> Scaled:
    """A scaled copy of an ordinary array (…, batch, width)."""
    return Scaled(values.copy(), np.zeros(values.shape[:-2], dtype=np.int64)).normalised()


def unscaled(values: Array) -> Scaled:
    """An ordinary array (…, batch, width) as it is, with exponents of 0."""
    return Scaled(values, np.zeros(values.shape[:-2], dtype=np.int64))


def from_ln(ln_sizes: Array, signs: Array, dtype: np.dtype) -> Scaled:
    """Numbers (…, batch, width) from the natural logarithms of their sizes (−∞: zero), in float64, and their signs."""
    top = np.maximum.reduce(flat(ln_sizes), axis=-1)
    exponent = np.where(np.isfinite(top), np.rint(top / log(2)), 0).astype(np.int64)
    exponent[np.abs(exponent) <= KEPT[dtype]] = 0
    sizes = np.exp(ln_sizes - (exponent * log(2))[..., None, None])
    return Scaled((signs * sizes).astype(dtype), exponent).normalised()


def concatenated(parts: Sequence[Scaled], axis: int = 0) -> Scaled:
    """Concatenate arrays along a leading axis. A single array is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    mantissas, exponents = [part.mantissa for part in parts], [part.exponent for part in parts]
    return Scaled(np.concatenate(mantissas, axis), np.concatenate(exponents, axis))


def normalised(
    mantissa: Array, exponent: Array, top: Array | None = None, keep: int | None = None
) -> tuple[Array, Array]:
    """Scale each lane so that its largest magnitude lies within 2^±keep of 1. Returns mantissa and exponent.

    The mantissa is changed in place. `top` is the largest magnitude of each lane, if it is known; `keep` is KEPT by
    default. A lane of zeros gets the exponent NOTHING.
    """
    top = largest(mantissa) if top is None else top
    shift = np.frexp(top)[1].astype(np.int64)
    shift[np.abs(shift) <= (KEPT[mantissa.dtype] if keep is None else keep)] = 0
    exponent = np.where(top == 0, NOTHING, exponent + shift)
    return shifted(mantissa, -shift, out=mantissa), exponent


def shifted(mantissa: Array, shift: Array, out: Array | None = None) -> Array:
    """mantissa · 2^shift, lane by lane. Returns the mantissa itself if every shift is 0."""
    if not any_of(shift):
        return mantissa
    if np.maximum.reduce(np.abs(shift), axis=None) < 100:
        return np.multiply(mantissa, np.ldexp(mantissa.dtype.type(1), shift)[..., None, None], out=out)
    return np.ldexp(mantissa, np.clip(shift, -5000, 5000)[..., None, None], out=out)  # beyond any format: 0 or inf
