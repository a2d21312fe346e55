"""Confidence intervals of a median, a proportion, a mean, a variance and a distance to N(0, 1), row by row.

Those of the median, the proportion and the distance hold for every law of the draws. Those of the mean and the
variance hold for normal draws; docs/intervals.md shows how often each misses for other laws.
"""

from math import log
from typing import NamedTuple

import numpy as np
from scipy import special

from harness.base.arrays import Array


class Interval(NamedTuple):
    """Estimates and the two ends of their intervals, each (rows,)."""

    estimate: Array
    low: Array
    high: Array


class MedianInterval(NamedTuple):
    """Medians and their intervals, each (rows,): `coverage` is the probability, `known` the number of values."""

    median: Array
    low: Array
    high: Array
    coverage: Array
    known: Array


def median_interval(values: Array, error_rate: float) -> MedianInterval:
    """Exact interval of the median of each row of `values` (rows, n), from order statistics. NaN is left out.

    For any distribution, infinite values included, [x(k), x(n+1−k)] holds the median with probability
    1 − 2·P(Binomial(n, ½) < k). k is the rank of `median_rank`, or 1 where that is 0: then the coverage is less than
    1 − error_rate. A single value has no interval (NaN). Source: David & Nagaraja 2003, section 7.1.
    """
    values = np.sort(values, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(values), axis=1)
    rows, last = np.arange(len(values)), np.maximum(count - 1, 0)
    rank, coverage = np.ones(len(values), dtype=int), np.full(len(values), np.nan)
    for n in np.unique(count[count > 0]).tolist():
        k = max(median_rank(n, error_rate), 1)
        rank[count == n], coverage[count == n] = k, max(1 - 2 * float(special.bdtr(k - 1, n, 0.5)), 0.0)
    low, high = values[rows, np.minimum(rank - 1, last)], values[rows, np.maximum(count - rank, 0)]
    left, right = values[rows, last // 2], values[rows, (last + 1) // 2]
    with np.errstate(invalid="ignore"):
        median = np.where(left == right, left, (left + right) / 2)
    single = count < 2
    return MedianInterval(median, np.where(single, np.nan, low), np.where(single, np.nan, high), coverage, count)


def median_rank(n: int, error_rate: float) -> int:
    """The largest k with 2·P(Binomial(n, ½) < k) ≤ error_rate; 0 where n values are too few for any."""
    below = special.bdtr(np.arange(n // 2 + 1), n, 0.5)  # P(Binomial < k) of k = 1, 2, …
    return int(np.count_nonzero(2 * below <= error_rate))


def proportion_interval(successes: Array, trials: Array, error_rate: float) -> tuple[Array, Array]:
    """Exact binomial interval of a proportion, elementwise: its two ends. Source: Clopper & Pearson 1934."""
    k, n = np.asarray(successes), np.asarray(trials)
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, error_rate / 2), 0.0)
    high = np.where(k < n, special.betaincinv(k + 1, np.maximum(n - k, 1), 1 - error_rate / 2), 1.0)
    return low, high


def mean_interval(values: Array, error_rate: float) -> Interval:
    """Student's t interval of the mean of each row of `values` (rows, n). It holds for normal draws.

    NaN where it says nothing: for fewer than two draws, for infinite ones, and for draws that are all equal, whose
    standard deviation of 0 would claim a certainty that no number of draws gives. Source: Student 1908.
    """
    n = values.shape[1]
    with np.errstate(invalid="ignore"):
        means, deviations = values.mean(axis=1), values.std(axis=1, ddof=1) if n > 1 else np.zeros(len(values))
    unknown = _without_spread(values)
    means = np.where(unknown, np.nan, means)
    half = special.stdtrit(max(n - 1, 1), 1 - error_rate / 2) * deviations / np.sqrt(n)
    return Interval(means, means - half, means + half)


def variance_interval(values: Array, error_rate: float) -> Interval:
    """Chi-square interval of the variance of each row of `values` (rows, n). It holds for normal draws.

    (n − 1)s²/σ² has the law χ² with n − 1 degrees of freedom. NaN as for `mean_interval`. Source: Fisher 1925.
    """
    n = values.shape[1]
    unknown = _without_spread(values)
    with np.errstate(invalid="ignore"):
        squares = np.square(values - values.mean(axis=1, keepdims=True)).sum(axis=1)
    squares = np.where(unknown, np.nan, squares)
    upper, lower = (special.chdtri(max(n - 1, 1), tail) for tail in (error_rate / 2, 1 - error_rate / 2))
    return Interval(squares / max(n - 1, 1), squares / upper, squares / lower)


def _without_spread(values: Array) -> Array:
    """Rows of `values` (rows, n) whose spread says nothing: one that is not finite among them, or all equal. (rows,)"""
    return ~np.isfinite(values).all(axis=1) | (values == values[:, :1]).all(axis=1)


def normal_distance_interval(values: Array, error_rate: float) -> Interval:
    """Interval of Kolmogorov's distance between the law of each row of `values` (rows, n) and N(0, 1).

    The half-width √(ln(2/error_rate)/2n) holds for every law and every n. Source: Dvoretzky, Kiefer & Wolfowitz 1956;
    Massart 1990.
    """
    n = values.shape[1]
    normal = special.ndtr(np.sort(values, axis=1))
    above, below = np.arange(1, n + 1) / n - normal, normal - np.arange(n) / n
    gap = np.maximum(above, below).max(axis=1)
    half = np.sqrt(log(2 / error_rate) / (2 * n))
    return Interval(gap, np.maximum(gap - half, 0.0), np.minimum(gap + half, 1.0))
