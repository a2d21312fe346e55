"""The type of every array in the package, what is asked of plain arrays, and where number formats end.

Docstrings and comments give the shapes. The last two axes are (batch, width); each index of the others is a lane.
"""

from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LOG10_2 = log10(2)
# log10 of half the smallest subnormal of each number format: anything smaller is read as 0.
ZERO_UNDER = {
    name: -bits * LOG10_2 for name, bits in (("float16", 25), ("bfloat16", 134), ("float32", 150), ("float64", 1075))
}
# log10 from which a magnitude, rounded to the format, is infinite: half a unit in the last place above its largest.
INFINITE_FROM = {
    name: exponent * LOG10_2 + log10(1 - 2.0 ** -(digits + 1))
    for name, exponent, digits in (
        ("float16", 16, 11),
        ("bfloat16", 128, 8),
        ("float32", 128, 24),
        ("float64", 1024, 53),
    )
}


def evenly_spaced(values: Array, most: int) -> Array:
    """At most so many of the values, evenly spaced, the first and the last among them. (values,) -> (≤ most,)"""
    return values[np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).round().astype(int))]


def flat(array: Array) -> Array:
    """Merge the last two axes, so that each lane is a vector."""
    return array.reshape(*array.shape[:-2], -1)


def inner(a: Array, b: Array) -> Array:
    """The inner product of each lane of two arrays, (…), float64; summed in the format of the arrays."""
    return np.vecdot(flat(a), flat(b)).astype(np.float64, copy=False)


def any_of(holds: Array) -> bool:
    """Whether any entry is true: `holds.any()`, three times as fast for small arrays."""
    return bool(np.logical_or.reduce(holds, axis=None))


def count(holds: Array) -> Array:
    """Number of true entries on the last axis, (…), float64. Faster than a sum, which would first widen each entry."""
    return np.add.reduce(np.bitwise_count(np.packbits(holds, axis=-1)), axis=-1, dtype=np.float64)


def largest(mantissa: Array) -> Array:
    """Largest magnitude of each lane, (…); nan where a lane holds a nan."""
    lanes = flat(mantissa)
    return np.maximum(np.maximum.reduce(lanes, axis=-1), -np.minimum.reduce(lanes, axis=-1))


def log10_of(values: Array | float) -> Array:
    """log10 in float64; −inf at 0."""
    with np.errstate(divide="ignore"):
        return np.log10(values, dtype=np.float64)


def log10_ratio(above: Array, below: Array) -> Array:
    """log10 of a ratio from the log10 of both magnitudes; nan for a ratio of two zeros."""
    with np.errstate(invalid="ignore"):
        return above - below
