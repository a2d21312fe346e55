"""Order statistics over replicates: frame in, frame out.

−inf is a value (a dead network: below every number), NaN is not known. Both are counted, neither is dropped in silence.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

Array = np.ndarray

CONFIDENCE = 0.95  # of an interval, at least; the exact one is said beside it


def spread(frame: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """Median and quartiles of a column in each group, a row each, sorted by group.

    Columns: `by`, then draws, unknown (NaN), dead (−inf), low, median, high (quartiles of what is known).
    """
    groups = frame.groupby(list(by), observed=True, sort=True)
    result = groups.size().reset_index(name="draws")
    codes, values = groups.ngroup().to_numpy(), frame[column].to_numpy(dtype=float)
    order = np.lexsort((values, codes))  # NaN sorts last
    values = values[order]
    draws = result["draws"].to_numpy()
    starts = np.cumsum(draws) - draws
    result["unknown"] = np.bincount(codes, weights=frame[column].isna(), minlength=len(draws)).astype(int)
    result["dead"] = np.bincount(codes, weights=frame[column] == -np.inf, minlength=len(draws)).astype(int)
    known = draws - result["unknown"].to_numpy()
    for name, share in (("low", 0.25), ("median", 0.5), ("high", 0.75)):
        result[name] = _quantile(values, starts, known, share)
    return result


def _quantile(values: Array, starts: Array, known: Array, share: float) -> Array:
    """Linear between order statistics, of runs of sorted values; between −inf and a number it is −inf."""
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


def median_interval(values: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Exact interval of the median of each row, from order statistics; NaN is left out.

    [x(k), x(n+1−k)] holds the median of any distribution with probability 1 − 2·P(Binomial(n, ½) < k); k is the largest
    for which that is 95 % or more, and 1 where none is (n < 6): then `coverage` says how much it is
    (David & Nagaraja 2003, section 7.1). Takes (rows, n); returns median, low, high, coverage, n, each (rows,).
    """
    values = np.sort(values, axis=1)  # NaN last
    known = np.count_nonzero(~np.isnan(values), axis=1)
    rows = np.arange(len(values))
    k = np.ones(len(values), dtype=int)
    coverage = np.full(len(values), np.nan)
    for n in np.unique(known[known > 0]):
        k[known == n], coverage[known == n] = _rank(int(n))
    last = np.maximum(known - 1, 0)
    low, high = values[rows, np.minimum(k - 1, last)], values[rows, np.maximum(known - k, 0)]
    left, right = values[rows, last // 2], values[rows, (last + 1) // 2]
    with np.errstate(invalid="ignore"):
        median = np.where(left == right, left, (left + right) / 2)
    alone = known < 2  # one draw has a value and no interval
    return median, np.where(alone, np.nan, low), np.where(alone, np.nan, high), coverage, known


def _rank(n: int) -> tuple[int, float]:
    """k and the coverage of [x(k), x(n+1−k)]."""
    coverage = 1 - 2 * special.bdtr(np.arange(max(n // 2, 1)), n, 0.5)  # of k = 1, 2, …
    k = max(int(np.count_nonzero(coverage >= CONFIDENCE)), 1)
    return k, max(float(coverage[k - 1]), 0.0)
