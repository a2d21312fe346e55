"""Sizes of tensors: norms that neither overflow nor underflow, counts of exponents, and cosines between samples."""

from math import gcd, inf, log10, nan

import numpy as np
import torch
from torch import Tensor

from harness.base.arrays import Array
from harness.execution.probe.record import BINS, LOWEST, Row, Size

SAMPLE = 2**12  # entries that shares are taken of: one of 5 % is then known within 0.4 %
SAFE = 2.0**-50, 2.0**40  # largest magnitudes between which squares are summed as they are
MOST_SAMPLES = 2**12  # rows of a batch of which norms are kept

# The bits of a float: the integer type of its width, bits of the fraction, mask of the exponent, and exponent of 2^-1.
_BITS = {
    torch.float64: (torch.int64, 52, 2047, 1022),
    torch.float32: (torch.int32, 23, 255, 126),
    torch.bfloat16: (torch.int16, 7, 255, 126),
}


def dense(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, detached: those that a sparse one stores, and a complex one's two parts."""
    values = tensor.detach()
    if values.layout != torch.strided:
        values = values.coalesce().values()
    return torch.view_as_real(values) if values.is_complex() else values


def size_of(tensor: Tensor, in_detail: bool = False) -> Size:
    """Measure a tensor, NaN and infinities included. `in_detail`: count its zeros and its exponents, too."""
    values = dense(tensor)
    dtype = str(values.dtype).removeprefix("torch.")
    if not values.numel():
        return Size(-inf, -inf, 0, 0, dtype)
    largest = _largest(values)
    norm = _log10_norm(values, largest)
    if not in_detail:
        return Size(norm, log10_of(largest), values.numel(), 0, dtype)
    zeros = values.numel() - int(torch.count_nonzero(values))
    return Size(norm, log10_of(largest), values.numel(), zeros, dtype, _exponents(values))


def log10_of(number: float) -> float:
    """log10, with −inf for zero and NaN for NaN."""
    return log10(number) if number > 0 else -inf if number == 0 else nan


def log10_norm(tensor: Tensor) -> float:
    """log10 of the Euclidean norm."""
    values = dense(tensor)
    return _log10_norm(values, _largest(values)) if values.numel() else -inf


def _largest(values: Tensor) -> float:
    low, high = torch.aminmax(values)
    return float(torch.maximum(-low, high))


def _log10_norm(values: Tensor, largest: float) -> float:
    """Sum squares in float64; divide by the largest magnitude first where they could leave its range."""
    if largest == 0 or not largest < inf:
        return log10_of(largest)
    scale = 1.0 if SAFE[0] < largest < SAFE[1] else largest
    if scale != 1.0:
        values = values.double() / scale
    return log10_of(float(torch.linalg.vector_norm(values, dtype=torch.float64))) + log10(scale)


def _exponents(values: Tensor) -> Array:
    """Counts of the exponents e, 2^(e−1) ≤ |entry| < 2^e, of up to SAMPLE entries other than zero."""
    values = sampled(values)
    if values.dtype not in _BITS:
        values = values.float()
    integers, fraction, mask, half = _BITS[values.dtype]
    fields = (values.contiguous().view(integers) >> fraction) & mask
    counts = torch.bincount(fields, minlength=mask + 1).cpu().numpy()
    counts[0] -= values.numel() - int(torch.count_nonzero(values))
    found = np.zeros(BINS, dtype=np.int64)
    (there,) = np.nonzero(counts)
    np.add.at(found, (there - half - LOWEST).clip(0, BINS - 1), counts[there])
    return found


def sampled(values: Tensor) -> Tensor:
    """Up to SAMPLE entries, (n,), evenly spread. The stride has no factor of the last axis, so every unit is met."""
    stride, units = values.numel() // SAMPLE + 1, values.shape[-1] if values.ndim else 1
    while gcd(stride, units) > 1:
        stride += 1
    return values.flatten()[::stride]


def add_outputs(row: Row, result: Tensor) -> None:
    """Fill in what a row says of an activation's outputs."""
    row.output_cosine = cosine(result)
    if result.numel():
        values = dense(result)
        row.mean_result = float(values.mean(dtype=torch.float64))
        spread = torch.linalg.vector_norm(values - row.mean_result, dtype=torch.float64)
        row.std_result = float(spread) / values.numel() ** 0.5


def sample_norms(tensor: Tensor) -> Tensor | None:
    """The norm of each sample, (batch,), in float64; None for a tensor that is no batch."""
    if tensor.ndim < 2 or not 0 < tensor.shape[0] <= MOST_SAMPLES:
        return None
    return torch.linalg.vector_norm(dense(tensor).flatten(1), dim=1, dtype=torch.float64)


def cosine(tensor: Tensor) -> float:
    """Mean cosine between two samples, weighted by length: (ΣG − tr G) / ((Σ√G_ii)² − tr G), G the Gram matrix.

    Axis 0 is the batch. NaN where fewer than two samples are other than zero.
    """
    if tensor.ndim < 2 or tensor.shape[0] < 2 or not tensor.numel():
        return nan
    rows = dense(tensor).flatten(1)
    largest = _largest(rows)
    if not 0 < largest < inf:
        return nan
    if not SAFE[0] < largest < SAFE[1]:
        rows = rows.double() / largest
    lengths = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).cpu().numpy()
    squares = float(lengths @ lengths)
    between = float(lengths.sum()) ** 2 - squares
    total = float(torch.linalg.vector_norm(rows.sum(0, dtype=torch.float64))) ** 2
    return (total - squares) / between if between > 0 else nan
