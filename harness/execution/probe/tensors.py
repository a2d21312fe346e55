"""Sizes of tensors: norms that neither overflow nor underflow, counts of exponents, and cosines between samples."""

from dataclasses import dataclass
from functools import cached_property
from math import gcd, inf, log10, nan

import numpy as np
import torch
from torch import Tensor

from harness.base.arrays import Array
from harness.execution.probe.record import Row, Size, exponents, log10_of

SAMPLE = 2**12  # entries that shares are taken of: one of 5 % is then known within 0.4 %
SAFE = 2.0**-50, 2.0**40  # largest magnitudes between which squares are summed as they are
MOST_SAMPLES = 2**12  # rows of a batch of which norms are kept
AT_ONCE = 2**20  # entries that are converted to float64 in one piece, 8 MB


def dense(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, detached: those that a sparse one stores, and a complex one's two parts."""
    values = tensor.detach()
    if values.layout != torch.strided:
        values = values.coalesce().values()
    return torch.view_as_real(values) if values.is_complex() else values


class Numbers:
    """The numbers of a tensor, (batch, ...). Norms of samples and sums are computed when they are first asked for."""

    def __init__(self, tensor: Tensor) -> None:
        self.values, self._key = dense(tensor), _key(tensor)
        self.largest = _largest(self.values)  # magnitude; NaN if there is one
        self.is_regular = 0 < self.largest < inf  # neither zero, infinite nor NaN, and not empty
        is_safe = SAFE[0] < self.largest < SAFE[1]
        self._scale = (
            self.largest if self.is_regular and not is_safe else 1.0
        )  # squares of numbers / scale are in range

    def are_of(self, tensor: Tensor) -> bool:
        """Whether these are the numbers of a tensor: it has the same memory, which has not been written to since."""
        return self._key is not None and self._key == _key(tensor)

    def size(self, in_detail: bool = False) -> Size:
        """NaN and infinities are measured, too. `in_detail`: count zeros and exponents."""
        values, dtype = self.values, str(self.values.dtype).removeprefix("torch.")
        entries = values.numel()
        if not (in_detail and entries):
            return Size(self.norm, log10_of(self.largest), entries, 0, dtype)
        zeros = entries - int(torch.count_nonzero(values))
        return Size(self.norm, log10_of(self.largest), entries, zeros, dtype, exponents(sampled(values)))

    @property
    def norm(self) -> float:
        """log10 of the Euclidean norm; taken of the norms of samples where these are known."""
        if not self.is_regular:
            return log10_of(self.largest)
        if (lengths := self.__dict__.get("_lengths")) is not None:
            norm = float(lengths @ lengths) ** 0.5
        else:
            norm = float(torch.linalg.vector_norm(self._rows, dtype=torch.float64))
        return log10_of(norm) + log10(self._scale)

    @property
    def lengths(self) -> Array | None:
        """The norm of each sample, (batch,); None for a tensor that is no batch."""
        if self.values.ndim < 2 or not 0 < self.values.shape[0] <= MOST_SAMPLES:
            return None
        return self._lengths * self._scale if self.is_regular else np.full(self.values.shape[0], self.largest)

    @property
    def cosine(self) -> float:
        """Mean cosine between two samples, weighted by length; NaN where fewer than two are other than zero.

        It is (ΣG − tr G) / ((Σ√G_ii)² − tr G) with the Gram matrix G of the samples.
        """
        if self.values.ndim < 2 or self.values.shape[0] < 2 or not self.is_regular:
            return nan
        squares = float(self._lengths @ self._lengths)
        between = float(self._lengths.sum()) ** 2 - squares
        total = float(torch.linalg.vector_norm(self._sums)) ** 2
        return (total - squares) / between if between > 0 else nan

    @property
    def mean(self) -> float:
        return float(self._sums.sum()) * self._scale / self.values.numel()

    def norm_of_sums(self, axis: int) -> float:
        """log10 of the norm of the sums over all axes but one."""
        if not self.is_regular:
            return log10_of(self.largest)
        if axis == 0:
            sums = self._rows.sum(1, dtype=torch.float64)
        else:
            sums = self._sums.reshape(self.values.shape[1:])
            others = [d for d in range(sums.ndim) if d != axis - 1]
            sums = sums.sum(others) if others else sums
        return log10_of(float(torch.linalg.vector_norm(sums))) + log10(self._scale)

    @cached_property
    def _rows(self) -> Tensor:
        """The samples, (batch, numbers of one), divided by the scale."""
        rows = self.values.flatten(1) if self.values.ndim > 1 else self.values.reshape(1, -1)
        return rows if self._scale == 1 else rows.double() / self._scale

    @cached_property
    def _lengths(self) -> Array:
        """The norms of the rows, (batch,), in float64."""
        rows = self._rows
        parts = (rows,) if rows.numel() <= AT_ONCE else rows.split(max(AT_ONCE // rows.shape[1], 1))
        norms = [torch.linalg.vector_norm(part.double(), dim=1) for part in parts]
        return (norms[0] if len(norms) == 1 else torch.cat(norms)).cpu().numpy()

    @cached_property
    def _sums(self) -> Tensor:
        """The rows added up, (numbers of a sample,), in float64."""
        return self._rows.sum(0, dtype=torch.float64)


def _largest(values: Tensor) -> float:
    if not values.numel():
        return 0.0
    low, high = torch.aminmax(values)
    return float(torch.maximum(-low, high))


def _key(tensor: Tensor) -> tuple | None:
    """What two tensors of the same numbers have in common; None for one whose memory cannot be compared."""
    if type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.layout != torch.strided or tensor.is_inference():
        return None
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor._version


@dataclass
class Latest:
    """The numbers that were measured last. They are often asked for again: the result of a call is the argument of the
    next, and the gradient of an alias is that of the tensor behind it.
    """

    numbers: Numbers | None = None

    def of(self, tensor: Tensor) -> Numbers:
        if self.numbers is None or not self.numbers.are_of(tensor):
            self.numbers = Numbers(tensor)
        return self.numbers

    def forget(self) -> None:
        """Let go of the tensor."""
        self.numbers = None


def size_of(tensor: Tensor) -> Size:
    """Measure a tensor, NaN and infinities included."""
    return Numbers(tensor).size()


def log10_norm(tensor: Tensor) -> float:
    """log10 of the Euclidean norm."""
    return Numbers(tensor).norm


def sampled(values: Tensor) -> Array:
    """Up to SAMPLE entries, (n,), evenly spread in memory. No axis has a factor of the stride, so all units are met."""
    stride = values.numel() // SAMPLE + 1
    while gcd(stride, values.numel()) > 1:
        stride += 1
    if not values.is_contiguous():
        values = values.permute(sorted(range(values.ndim), key=values.stride, reverse=True))
    values = values.flatten()[::stride]
    return (values if values.dtype in (torch.float32, torch.float64) else values.float()).cpu().numpy()


def add_outputs(row: Row, result: Numbers) -> None:
    """Fill in what a row says of an activation's outputs."""
    row.output_cosine = result.cosine
    if result.values.numel():
        row.mean_result = result.mean
        spread = torch.linalg.vector_norm(result.values - row.mean_result, dtype=torch.float64)
        row.std_result = float(spread) / result.values.numel() ** 0.5
