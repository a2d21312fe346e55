"""Claims: a statement about recorded numbers, the statistic and the interval it is judged by, and its grade.

A claim is tested in one or several cases. In each, a statistic of independent draws is to lie within a band; its
interval lies inside the band (holds), outside of it (fails), or straddles an end (undecided). A claim holds where all
its cases do, and fails where one does. Intervals share ERROR_RATE among the cases of a claim (Bonferroni), so that a
true statement fails in fewer than one of 10,000 fresh seeds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, log, nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from harness.errors import HarnessError

Array = np.ndarray

HOLDS, UNDECIDED, FAILS = "holds", "undecided", "fails"
ERROR_RATE = 1e-4  # of a claim: how often its intervals may miss what they estimate


@dataclass(frozen=True, eq=False)
class Case:
    """Where a claim is tested: one value an independent draw, and the band that their statistic is to lie in.

    `note` says what was left out, and why: nothing is dropped in silence.
    """

    where: str
    values: Array
    at_least: float = -inf
    at_most: float = inf
    note: str = ""


Interval = Callable[[Case, float], tuple[float, float, float]]  # case, error rate -> estimate, low, high


@dataclass(frozen=True)
class Claim:
    """A sentence that could be false, and how it is tested.

    `statistic`: what is computed, in words. `cases`: from a sweep's results (`networks`, `layers`, `build`) to the
    cases. `sweep`: the config of the experiment whose results it takes; the experiment's own name where it is empty.
    """

    name: str
    sentence: str
    statistic: str
    interval: Interval
    cases: Callable[[Any], Iterable[Case]]
    sweep: str = ""


@dataclass(frozen=True)
class Finding:
    """One case as judged."""

    where: str
    grade: str
    estimate: float
    low: float
    high: float
    at_least: float
    at_most: float
    draws: int
    note: str = ""

    @property
    def room(self) -> float:
        """How far the interval is inside the band, in widths of the interval; negative outside."""
        room = min(self.low - self.at_least, self.at_most - self.high)
        return room / (self.high - self.low) if self.high > self.low and isfinite(room) else room


@dataclass(frozen=True)
class Verdict:
    """A claim as judged, with its evidence."""

    name: str
    sentence: str
    statistic: str
    interval: str
    grade: str
    findings: tuple[Finding, ...] = field(default=())

    @property
    def deciding(self) -> Finding | None:
        """The case on which the grade hangs: of the worst grade, the one with the least room."""
        order = {FAILS: 0, UNDECIDED: 1, HOLDS: 2}
        known = [finding for finding in self.findings if not np.isnan(finding.estimate)] or self.findings
        worst = min((order[finding.grade] for finding in self.findings), default=2)
        candidates = [finding for finding in known if order[finding.grade] == worst] or self.findings
        return min(candidates, key=lambda finding: finding.room, default=None)


def judge(claim: Claim, results: Any) -> Verdict:
    """The verdict on a claim. Where results lack what it needs, it is undecided, and says what is missing."""
    try:
        cases = list(claim.cases(results))
    except KeyError as error:
        return unknown(claim, f"the tables have no {error}")
    except HarnessError as error:
        return unknown(claim, str(error))
    if not cases:
        return unknown(claim, "this sweep has none of the networks that it speaks of")
    findings = tuple(_finding(claim.interval, case, ERROR_RATE / len(cases)) for case in cases)
    grades = {finding.grade for finding in findings}
    grade = next(grade for grade in (FAILS, UNDECIDED, HOLDS) if grade in grades)
    return Verdict(claim.name, claim.sentence, claim.statistic, _words(claim.interval), grade, findings)


def unknown(claim: Claim, why: str) -> Verdict:
    """Undecided, and why."""
    finding = Finding("", UNDECIDED, nan, nan, nan, -inf, inf, 0, why)
    return Verdict(claim.name, claim.sentence, claim.statistic, _words(claim.interval), UNDECIDED, (finding,))


def _words(interval: Interval) -> str:
    """What an interval's docstring calls it."""
    return (interval.__doc__ or "").strip().split(":")[0]


def _finding(interval: Interval, case: Case, error_rate: float) -> Finding:
    values = np.asarray(case.values, dtype=float)
    nulls = int(np.isnan(values).sum())
    estimate = low = high = nan
    note = case.note
    if nulls:
        note = "; ".join(filter(None, (note, f"{nulls} of {len(values)} values are null")))
    elif len(values):
        estimate, low, high = interval(case, error_rate)
    grade = graded(low, high, case.at_least, case.at_most)
    band = float(case.at_least), float(case.at_most)
    return Finding(case.where, grade, estimate, low, high, *band, len(values), note)


def graded(low: float, high: float, at_least: float, at_most: float) -> str:
    """Interval against band. An interval that is not known (NaN) decides nothing."""
    if at_least <= low and high <= at_most:
        return HOLDS
    return FAILS if high < at_least or low > at_most else UNDECIDED


# Intervals: (case, error rate) to (estimate, low, high); the beginning of the docstring names it in tables ----------


def every(case: Case, error_rate: float) -> tuple[float, float, float]:
    """every value: no interval; the value that is furthest beyond the band, or nearest to its ends, must be inside."""
    values = np.asarray(case.values, dtype=float)
    ends = values.min(), values.max()
    with np.errstate(invalid="ignore"):  # an end that is its infinite bound has all the room there is
        room = [np.inf if np.isnan(own) else own for own in (ends[0] - case.at_least, case.at_most - ends[1])]
    worst = float(ends[0] if room[0] < room[1] else ends[1])
    return worst, worst, worst


def mean(case: Case, error_rate: float) -> tuple[float, float, float]:
    """mean, t interval: for means of independent draws (Student 1908). NaN for fewer than two, or an infinite one."""
    values = np.asarray(case.values, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        return nan, nan, nan
    half = special.stdtrit(len(values) - 1, 1 - error_rate / 2) * values.std(ddof=1) / sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def median(case: Case, error_rate: float) -> tuple[float, float, float]:
    """median, order statistics: [x(k), x(n+1−k)] for the largest k with 2·P(Binomial(n, ½) < k) ≤ the error rate.

    Exact for any distribution, −∞ included (David & Nagaraja 2003, section 7.1). Unbounded where n is too small.
    """
    values = np.sort(np.asarray(case.values, dtype=float))
    below = special.bdtr(np.arange(len(values) // 2 + 1), len(values), 0.5)  # P(Binomial < k) of k = 1, 2, …
    k = int(np.count_nonzero(2 * below <= error_rate))
    left, right = values[(len(values) - 1) // 2], values[len(values) // 2]
    middle = float(left if left == right else (left + right) / 2)
    return (middle, float(values[k - 1]), float(values[len(values) - k])) if k else (middle, -inf, inf)


def proportion(case: Case, error_rate: float) -> tuple[float, float, float]:
    """share, exact binomial interval: Clopper & Pearson 1934. Values are 0 or 1."""
    values = np.asarray(case.values, dtype=float)
    n, k = len(values), int(values.sum())
    low = special.betaincinv(k, n - k + 1, error_rate / 2) if k else 0.0
    high = special.betaincinv(k + 1, n - k, 1 - error_rate / 2) if k < n else 1.0
    return k / n, float(low), float(high)


def variance(case: Case, error_rate: float) -> tuple[float, float, float]:
    """variance, chi-square interval: (n − 1)s²/σ² is χ² of n − 1 degrees for normal draws (Fisher 1925)."""
    values = np.asarray(case.values, dtype=float)
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        return nan, nan, nan
    total = float(((values - values.mean()) ** 2).sum())
    quantile = [special.chdtri(n - 1, tail) for tail in (error_rate / 2, 1 - error_rate / 2)]
    return total / (n - 1), total / quantile[0], total / quantile[1]


def distance_to_normal(case: Case, error_rate: float) -> tuple[float, float, float]:
    """distance, DKW interval: Kolmogorov's, the largest gap between the draws' distribution and N(0, 1)'s.

    ± √(ln(2/error rate)/2n) holds for any distribution and any n (Dvoretzky, Kiefer & Wolfowitz; Massart 1990).
    """
    values = np.sort(np.asarray(case.values, dtype=float))
    n = len(values)
    normal = special.ndtr(values)
    gap = float(max((np.arange(1, n + 1) / n - normal).max(), (normal - np.arange(n) / n).max()))
    half = sqrt(log(2 / error_rate) / (2 * n))
    return gap, max(gap - half, 0.0), min(gap + half, 1.0)


# What claims take from tables ---------------------------------------------------------------------------------------


def near(value: float, tolerance: float) -> dict[str, float]:
    """The band value ± tolerance, as a Case takes it."""
    return {"at_least": value - tolerance, "at_most": value + tolerance}


def groups(frame: pd.DataFrame, *by: str) -> Iterator[tuple[str, tuple, pd.DataFrame]]:
    """(words, key, rows) for each combination of these coordinates, in the order of the sweep."""
    for key, own in frame.groupby(list(by), observed=True, sort=False):
        words = ", ".join(_coordinate(name, value) for name, value in zip(by, key, strict=True))
        yield words, key, own


def _coordinate(name: str, value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)
    return text if name in ("activation", "init") else f"{name.replace('_', ' ')} {text}"


def per_draw(layers: pd.DataFrame, column: str) -> Array:
    """The mean of a column over the layers of each network, one value a network; null where one of them is."""
    values = layers[column].astype(float).groupby(layers["network"].astype(str), sort=False)
    return values.mean().where(values.count() == values.size()).to_numpy()


# As JSON ------------------------------------------------------------------------------------------------------------


def to_json(verdicts: Sequence[Verdict]) -> list[dict]:
    """Plain values; what JSON has no number for (±∞, NaN) as text."""
    return [_plain(verdict) for verdict in verdicts]


def from_json(written: Sequence[dict]) -> list[Verdict]:
    """The verdicts that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    return [Verdict(**_texts(entry), findings=tuple(_read(finding) for finding in entry["cases"])) for entry in written]


_TEXTS = ("name", "sentence", "statistic", "interval", "grade")
_NUMBERS = ("estimate", "low", "high", "at_least", "at_most")


def _texts(entry: dict) -> dict:
    return {name: str(entry[name]) for name in _TEXTS}


def _plain(verdict: Verdict) -> dict:
    cases = [
        {name: _number(value) if name in _NUMBERS else value for name, value in vars(finding).items()}
        for finding in verdict.findings
    ]
    return {name: getattr(verdict, name) for name in _TEXTS} | {"error_rate": ERROR_RATE, "cases": cases}


def _number(value: float) -> float | str:
    return float(value) if isfinite(value) else str(float(value))


def _read(finding: dict) -> Finding:
    return Finding(**(finding | {name: float(finding[name]) for name in _NUMBERS}))
