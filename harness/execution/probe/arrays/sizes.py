"""Sizes of numpy arrays, as `harness.execution.probe.tensors` takes them of tensors.

Axis 0 is the batch, the last axis the units.
"""

from math import inf, log10, nan

import numpy as np

from harness.base.arrays import Array
from harness.execution.probe.record import ADAM_EPS, BINS, LEARN, LOST, LOWEST, Size, Slopes
from harness.networks.activations import SATURATED, Activation


def size_of(values: Array, in_detail: bool = False) -> Size:
    """Measure a finite float64 array. `in_detail`: count its zeros and its exponents, too."""
    largest = _log10(float(np.abs(values).max(initial=0)))
    if not in_detail:
        return Size(log10_norm(values), largest, values.size, 0, "float64")
    alive = values[values != 0]
    powers = np.frexp(alive)[1].clip(LOWEST, LOWEST + BINS - 1) - LOWEST
    counts = np.bincount(powers, minlength=BINS)
    return Size(log10_norm(values), largest, values.size, values.size - alive.size, "float64", counts)


def log10_norm(values: Array) -> float:
    """log10 of the Euclidean norm; squares are taken of entries divided by the largest."""
    largest = float(np.abs(values).max(initial=0))
    return _log10(float(np.linalg.norm(values / largest))) + log10(largest) if largest else -inf


def cosine(values: Array) -> float:
    """Mean cosine between two samples, weighted by length; NaN where fewer than two samples are other than zero."""
    largest = float(np.abs(values).max(initial=0))
    if len(values) < 2 or not largest:
        return nan
    rows = values.reshape(len(values), -1) / largest
    squares = float((rows**2).sum())
    between = float(np.linalg.norm(rows, axis=1).sum()) ** 2 - squares
    return (float((rows.sum(0) ** 2).sum()) - squares) / between if between > 0 else nan


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


def of_samples(above: Array, below: Array) -> tuple[float, float]:
    """log10 of the median over samples of ‖below‖ / ‖above‖, and the share of samples whose gradient is lost.

    Both are NaN where no sample has a gradient.
    """
    upper, lower = (np.linalg.norm(values.reshape(len(values), -1), axis=1) for values in (above, below))
    alive = upper > 0
    if not alive.any():
        return nan, nan
    learning = upper >= LEARN * upper.max()
    lost = (lower < LOST * upper)[learning]
    return _log10(float(np.median(lower[alive] / upper[alive]))), float(lost.mean())


def share_under_eps(gradient: Array) -> float:
    """Share of the entries other than zero whose magnitude is under Adam's default eps."""
    alive = np.abs(gradient[gradient != 0])
    return float((alive < ADAM_EPS).mean()) if alive.size else 0.0


def _log10(number: float) -> float:
    return log10(number) if number > 0 else -inf
