"""Sizes of numpy arrays, as `harness.execution.probe.tensors` takes them of tensors.

Axis 0 is the batch, the last axis the units.
"""

from math import inf, log10, nan

import numpy as np

from harness.base.arrays import Array
from harness.execution.probe.record import Size, Slopes, exponents, log10_of
from harness.networks.activations import SATURATED, Activation


def size_of(values: Array, in_detail: bool = False) -> Size:
    """Measure a finite float64 array. `in_detail`: count its zeros and its exponents, too."""
    largest = log10_of(float(np.abs(values).max(initial=0)))
    if not in_detail:
        return Size(log10_norm(values), largest, values.size, 0, "float64")
    zeros = int(values.size - np.count_nonzero(values))
    return Size(log10_norm(values), largest, values.size, zeros, "float64", exponents(values))


def log10_norm(values: Array) -> float:
    """log10 of the Euclidean norm; squares are taken of entries divided by the largest."""
    largest = float(np.abs(values).max(initial=0))
    return log10_of(float(np.linalg.norm(values / largest))) + log10(largest) if largest else -inf


def cosine(values: Array) -> float:
    """Mean cosine between two samples, weighted by length; NaN where fewer than two samples are other than zero."""
    largest = float(np.abs(values).max(initial=0))
    if len(values) < 2 or not largest:
        return nan
    rows = values.reshape(len(values), -1) / largest
    squares = float((rows**2).sum())
    between = float(np.linalg.norm(rows, axis=1).sum()) ** 2 - squares
    return (float((rows.sum(0) ** 2).sum()) - squares) / between if between > 0 else nan


def lengths(values: Array) -> Array:
    """The norm of each sample, (batch,)."""
    return np.linalg.norm(values.reshape(len(values), -1), axis=1)


def slopes_of(phi: Activation, z: Array) -> Slopes:
    """The slopes of an activation over units and batch."""
    slope = phi.slope(z).astype(np.float64)
    silent = phi.silent(z) if phi.silent else np.zeros(z.shape, dtype=bool)
    batch = tuple(range(z.ndim - 1))
    return Slopes(
        mean=float(slope.mean()),
        rms=float(np.sqrt((slope**2).mean())),
        dead=float(silent.all(batch).mean()),
        always_on=float((~silent.any(batch)).mean()),
        saturated=float((np.abs(slope) < SATURATED * phi.slope_bound).mean()),
    )
