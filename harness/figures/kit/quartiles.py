"""Median and quartiles, or means, over replicates: frame in, frame out.

−∞ is a value, below every number (the logarithm of a dead network's gradient); NaN is not known. Both are counted.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.base.arrays import Array

SHARES = {"low": 0.25, "median": 0.5, "high": 0.75}


def quartiles(frame: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """Median and quartiles of a column in each group: one row a group, sorted by group.

    Returns the columns `by`; draws, unknown (NaN) and dead (−∞), counts; low, median, high, of the known values.
    """
    groups = frame.groupby(list(by), observed=True, sort=True)
    result = groups.size().reset_index(name="draws")
    codes, values = groups.ngroup().to_numpy(), frame[column].to_numpy(dtype=float)
    values = values[np.lexsort((values, codes))]  # NaN sorts last
    draws = result["draws"].to_numpy()
    starts = np.cumsum(draws) - draws
    result["unknown"] = np.bincount(codes, weights=frame[column].isna(), minlength=len(draws)).astype(int)
    result["dead"] = np.bincount(codes, weights=frame[column] == -np.inf, minlength=len(draws)).astype(int)
    known = draws - result["unknown"].to_numpy()
    return result.assign(**{name: _quantile(values, starts, known, share) for name, share in SHARES.items()})


def means(frame: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """Mean of a column in each group, of the known values: one row a group, sorted by group.

    Returns the columns `by`; draws and unknown (NaN), counts; mean, and low and high, two standard errors beside it.
    """
    groups = frame.groupby(list(by), observed=True, sort=True)[column]
    found = groups.agg(draws="size", known="count", mean="mean", error="sem").reset_index()
    found["unknown"] = found["draws"] - found.pop("known")
    error = 2 * found.pop("error")
    return found.assign(low=found["mean"] - error, high=found["mean"] + error)


def _quantile(values: Array, starts: Array, known: Array, share: float) -> Array:
    """Quantile of each run of sorted values, linear between order statistics; −∞ between −∞ and a number."""
    place = share * np.maximum(known - 1, 0)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    if not len(values):
        return np.full(len(starts), np.nan)
    low, high = values[starts + below], values[starts + above]
    with np.errstate(invalid="ignore"):
        mixed = low + (place - below) * (high - low)
    mixed = np.where((place == below) | (low == high) | np.isinf(low), low, mixed)
    return np.where(known > 0, mixed, np.nan)
