"""Arrays that carry their exponent: mantissa · 2^exponent, one integer exponent per lane.

Gradients here reach 10^-6000. Scaling a normal number by a power of two is exact, so a lane that is renormalised by
its largest magnitude loses nothing and never underflows: an exact zero is a fact, not an accident of the format.
A lane is everything but the last two axes, (batch, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log10

import numpy as np

Array = np.ndarray

LOG10_2 = log10(2)
NOTHING = -(2**40)  # exponent of a lane that is exactly zero: under that of any number
# A lane whose largest magnitude is within 2^±KEPT of 1 is left as it is: squares of products are safe.
KEPT = {np.dtype(np.float64): 32, np.dtype(np.float32): 12}
ORDINARY = {dtype: (2.0 ** (-keep - 1), 2.0**keep) for dtype, keep in KEPT.items()}  # frexp says −keep … keep
FACTOR = 8  # a gain within 2^±FACTOR of 1 needs no exponent of its own
RISKY = {np.dtype(np.float64): 2.0**-900, np.dtype(np.float32): 2.0**-90}  # a smaller sum of squares may have lost some
COPIED = 2**16  # bytes: up to there a transpose is copied, by which a product takes two thirds of the time
CANCELLED = 2.0**-8  # a sum this small beside the sum of its magnitudes has lost 8 bits


@dataclass(frozen=True)
class Scaled:
    """mantissa (…, batch, width) times 2^exponent (…)."""

    mantissa: Array
    exponent: Array

    def __getitem__(self, which: int | slice | tuple | None) -> Scaled:
        """Of those lanes alone, by leading axes."""
        return Scaled(self.mantissa[which], self.exponent[which])

    def __matmul__(self, W: Weights) -> Scaled:
        return self.times(W)

    def times(self, W: Weights, out: Array | None = None) -> Scaled:
        """Each lane's product is a BLAS call of its own, so a lane's bits do not depend on its neighbours."""
        product = np.matmul(self.mantissa, W.base, out=out)
        if W.gain is None:
            return Scaled(product, self.exponent)
        product *= W.gain[:, None, None]
        return Scaled(product, self.exponent + W.exponent)

    def __add__(self, other: Scaled | None) -> Scaled:
        if other is None:
            return self
        exponent = np.maximum(self.exponent, other.exponent)
        mine, theirs = (shifted(a.mantissa, a.exponent - exponent) for a in (self, other))
        return Scaled(mine + theirs, exponent)

    def __sub__(self, other: Scaled) -> Scaled:
        return self + Scaled(-other.mantissa, other.exponent)

    def __mul__(self, factor: Scaled | Array | float) -> Scaled:
        if isinstance(factor, Scaled):
            return Scaled(self.mantissa * factor.mantissa, self.exponent + factor.exponent)
        return Scaled(self.mantissa * factor, self.exponent)

    def some(self, lanes: slice) -> Scaled:
        """Of those lanes alone."""
        return Scaled(self.mantissa[..., lanes, :, :], self.exponent[..., lanes])

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
        """Sum of squares and its exponent, (…): the mantissa's, or a closer one where squares may have underflowed."""
        risky = self.squares < RISKY[self.mantissa.dtype]
        if not any_of(risky) or not any_of(risky := risky & (self.largest > 0)):
            return self.squares, self.exponent
        squares, exponent = self.squares.copy(), self.exponent.copy()
        top, exponent[risky] = normalised(self.mantissa[risky], self.exponent[risky], keep=0)
        squares[risky] = np.vecdot(top, top).sum(axis=-1)
        return squares, exponent

    @cached_property
    def is_ordinary(self) -> bool:
        """Whether every lane's largest magnitude is within 2^±KEPT of 1: nothing to normalise, nothing amiss."""
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
        """The same numbers, their largest magnitude near 1 in every lane; in place: this one is used up."""
        if self.is_ordinary:
            return self
        return Scaled(*normalised(self.mantissa, self.exponent, top=self.largest))


@dataclass(frozen=True)
class Weights:
    """W = gain · 2^exponent · base: base (replicates, 1, fan_in, fan_out) is shared, gain and exponent are (lanes,)."""

    base: Array
    gain: Array | None  # None: 1 in every lane
    exponent: Array

    @property
    def T(self) -> Weights:
        """The transpose: a copy where it is small, else a view. That follows from the shape alone, as bits must."""
        base = self.base.swapaxes(-1, -2)
        small = base.shape[-1] * base.shape[-2] * base.itemsize <= COPIED
        return Weights(np.ascontiguousarray(base) if small else base, self.gain, self.exponent)


def base_alone(base: Array) -> Weights:
    """The base draw itself as weights of one lane."""
    return Weights(base, None, np.zeros(1, np.int64))


def split(numbers: Array, dtype: np.dtype) -> tuple[Array, Array]:
    """Numbers as (mantissa, exponent): those of ordinary size keep exponent 0, the others are split by frexp."""
    mantissa, exponent = np.frexp(np.asarray(numbers, dtype=np.float64))
    ordinary = np.abs(exponent) <= FACTOR
    mantissa = np.where(ordinary, numbers, mantissa).astype(dtype)
    return mantissa, np.where(ordinary, 0, exponent).astype(np.int64)


def scaled(values: Array) -> Scaled:
    """An ordinary array (…, batch, width) as a scaled one."""
    return Scaled(values.copy(), np.zeros(values.shape[:-2], dtype=np.int64)).normalised()


def flat(array: Array) -> Array:
    """Lanes as vectors: the last two axes as one."""
    return array.reshape(*array.shape[:-2], -1)


def any_of(holds: Array) -> bool:
    """`holds.any()`, at a third of the cost for the few booleans of the lanes."""
    return bool(np.logical_or.reduce(holds, axis=None))


def count(holds: Array) -> Array:
    """How many of a lane's booleans (…, n) are true, (…), float64; a sum would first widen every one of them."""
    return np.add.reduce(np.bitwise_count(np.packbits(holds, axis=-1)), axis=-1, dtype=np.float64)


def largest(mantissa: Array) -> Array:
    """Largest magnitude of each lane, (…); nan where a lane holds one."""
    lanes = flat(mantissa)
    return np.maximum(np.maximum.reduce(lanes, axis=-1), -np.minimum.reduce(lanes, axis=-1))


def normalised(mantissa: Array, exponent: Array, top: Array | None = None,
               keep: int | None = None) -> tuple[Array, Array]:  # fmt: skip
    """Mantissa, in place, and exponent with each lane's largest magnitude within 2^±keep of 1, by default KEPT.

    A lane of zeros gets the exponent NOTHING.
    """
    top = largest(mantissa) if top is None else top
    shift = np.frexp(top)[1].astype(np.int64)
    shift[np.abs(shift) <= (KEPT[mantissa.dtype] if keep is None else keep)] = 0
    exponent = np.where(top == 0, NOTHING, exponent + shift)
    return shifted(mantissa, -shift, out=mantissa), exponent


def shifted(mantissa: Array, shift: Array, out: Array | None = None) -> Array:
    """mantissa · 2^shift, lane by lane; the mantissa itself where no lane is shifted."""
    if not any_of(shift):
        return mantissa
    if np.maximum.reduce(np.abs(shift), axis=None) < 100:
        return np.multiply(mantissa, np.ldexp(mantissa.dtype.type(1), shift)[..., None, None], out=out)
    return np.ldexp(mantissa, np.clip(shift, -5000, 5000)[..., None, None], out=out)  # beyond any format: 0 or inf


def log10_of(values: Array) -> Array:
    """log10 in float64, −inf at 0."""
    with np.errstate(divide="ignore"):
        return np.log10(values, dtype=np.float64)


def log10_ratio(above: Array, below: Array) -> Array:
    """Difference of two log10 magnitudes; nan for a ratio of two zeros."""
    with np.errstate(invalid="ignore"):
        return above - below
