"""How often intervals miss what they estimate, by simulation: every interval, law of the draws and number of draws."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from harness.base import intervals

DRAWS = (4, 8, 16, 32)
CHUNK = 20_000  # samples at once


class Law(NamedTuple):
    """A law of draws: (generator, shape) -> draws, with what the intervals estimate."""

    sample: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    mean: float
    median: float
    variance: float
    distance: float  # Kolmogorov's, to N(0, 1); NaN where it is not known
    above: float  # share of draws above the mean


def law(sample: Callable, frozen) -> Law:
    numbers = frozen.mean(), frozen.median(), frozen.var(), distance_to_normal(frozen), frozen.sf(frozen.mean())
    return Law(sample, *map(float, numbers))


def distance_to_normal(frozen) -> float:
    grid = np.linspace(-12, 12, 2_000_001)
    return float(np.abs(frozen.cdf(grid) - stats.norm.cdf(grid)).max())


def lognormal(sigma: float) -> Law:
    return law(lambda rng, shape: rng.lognormal(0, sigma, shape), stats.lognorm(sigma))


LAWS = {
    "normal": law(lambda rng, shape: rng.standard_normal(shape), stats.norm()),
    "uniform": law(lambda rng, shape: rng.random(shape), stats.uniform()),
    "log-normal ½": lognormal(0.5),
    "log-normal 1": lognormal(1.0),
    "exponential": law(lambda rng, shape: rng.exponential(size=shape), stats.expon()),
    "Beta(½, 8)": law(lambda rng, shape: rng.beta(0.5, 8, shape), stats.beta(0.5, 8)),
    "t₃": law(lambda rng, shape: rng.standard_t(3, shape), stats.t(3)),
    "share of .02": Law(lambda rng, shape: (rng.random(shape) < 0.02) * 1.0, 0.02, 0.0, 0.02 * 0.98, np.nan, 0.02),
    "all equal": Law(lambda rng, shape: np.full(shape, 0.5), 0.5, 0.5, 0.0, np.nan, 0.0),
    "average of 100 exponentials": law(lambda rng, shape: rng.gamma(100, 0.01, shape), stats.gamma(100, scale=0.01)),
}


def misses_of_proportion(law: Law, values: np.ndarray, rate: float) -> int:
    """Misses of the share of draws above the law's mean."""
    above = values > law.mean
    low, high = intervals.proportion_interval(above.sum(axis=1), np.array(values.shape[1]), rate)
    return int(((low > law.above) | (high < law.above)).sum())


def missed(found, truth: float) -> int:
    """Rows whose interval does not hold the truth. A row without an interval (NaN) claims nothing."""
    return int(((found.low > truth + 1e-12) | (found.high < truth - 1e-12)).sum())


def median_misses(law: Law, values: np.ndarray, rate: float) -> int:
    if not intervals.median_rank(values.shape[1], rate):
        return 0  # unbounded: nothing is claimed
    return missed(intervals.median_interval(values, rate), law.median)


INTERVALS = {
    "median": median_misses,
    "proportion": misses_of_proportion,
    "distance": lambda law, values, rate: missed(intervals.normal_distance_interval(values, rate), law.distance),
    "mean": lambda law, values, rate: missed(intervals.mean_interval(values, rate), law.mean),
    "variance": lambda law, values, rate: missed(intervals.variance_interval(values, rate), law.variance),
}


def misses(interval: str, name: str, n: int, samples: int, rate: float) -> float:
    """The share of samples of n draws of a law whose interval misses. NaN where the law has no such number."""
    law = LAWS[name]
    if interval == "distance" and np.isnan(law.distance):
        return np.nan
    rng = np.random.default_rng([n, list(LAWS).index(name)])
    chunks = [min(CHUNK, samples - start) for start in range(0, samples, CHUNK)]
    return sum(INTERVALS[interval](law, law.sample(rng, (size, n)), rate) for size in chunks) / samples


def tables(samples: int, rate: float) -> str:
    """The tables of docs/intervals.md: misses in 10,000 samples, for each interval."""
    lines = []
    for interval in INTERVALS:
        heads = " | ".join(f"{n} draws" for n in DRAWS)
        lines += [f"## {interval.capitalize()}", "", f"| law | {heads} |", "|---|" + "---:|" * len(DRAWS)]
        for name in LAWS:
            shares = [misses(interval, name, n, samples, rate) for n in DRAWS]
            cells = ("–" if np.isnan(share) else f"{1e4 * share:.2f}" for share in shares)
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables(200_000, 1e-4))
