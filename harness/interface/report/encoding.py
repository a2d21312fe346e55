"""Numbers as the page carries them: JSON, and columns of log10 values as packed whole steps."""

import base64
import gzip
import json
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from harness.base.arrays import Array

QUANTUM = 1e-4  # decades; a value on the page is off by at most half of it, 0.012 %
ZERO, UNKNOWN = -(2**31), -(2**31) + 1  # codes of −∞ and of NaN

Plain = str | int | float | None


def packed(content: bytes) -> str:
    """Bytes as base64 of gzip; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()


def packed_json(content: object) -> str:
    """A value as packed JSON. Raises ValueError for a number that JSON does not have."""
    return packed(json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())


def packed_columns(columns: Iterable[Array]) -> str:
    """Columns of log10 values, one after the other, as packed steps.

    All lowest bytes come first, then all second ones, and so on: the high bytes of steps are nearly all equal.
    """
    steps = steps_of(list(columns)).astype("<i4")
    return packed(steps.view(np.uint8).reshape(-1, 4).T.tobytes())


def steps_of(columns: Sequence[Array]) -> Array:
    """Columns, joined, as whole multiples of QUANTUM, each less the last finite one before it in its column.

    −∞ and NaN are ZERO and UNKNOWN. Sums of the steps are exact, so that rounding does not add up over layers. Raises
    OverflowError for a step of 2·10^5 decades.
    """
    values = np.concatenate([np.empty(0), *columns])
    finite = np.isfinite(values)
    whole = np.round(np.where(finite, values, 0) / QUANTUM)
    last = np.maximum.accumulate(np.where(finite, np.arange(len(values)), -1))
    before = np.concatenate([[-1], last])[: len(values)]
    lengths = [len(column) for column in columns]
    in_column = before >= np.repeat(np.cumsum([0, *lengths[:-1]])[: len(lengths)], lengths)
    steps = whole - np.where(in_column, whole[before], 0)
    if (np.abs(steps) >= 2**31 - 2).any():
        raise OverflowError(f"a step of {np.abs(steps).max() * QUANTUM:g} decades")
    return np.where(finite, steps, np.where(np.isnan(values), UNKNOWN, ZERO)).astype(np.int64)


def plain(value: object, digits: int = 7) -> Plain:
    """A value of a table as JSON has it: a text, a number of so many digits, "-inf", or None for one not known."""
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return None
        return float(f"{value:.{digits}g}") if math.isfinite(value) else str(value)
    return int(value) if isinstance(value, int | np.integer) else str(value)


def plain_column(column: pd.Series, digits: int = 7) -> list[Plain]:
    """A column of a table as JSON has it; what is missing is None."""
    return [None if value is None or value is pd.NA else plain(value, digits) for value in column.astype(object)]
