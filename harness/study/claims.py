"""Claims: a statement about recorded numbers, the statistic and the interval that judge it, and its grade.

A claim is tested in one or several cases. In each case a statistic of independent draws must lie within a band. If the
interval of the statistic lies inside the band the case holds, outside of it the case fails, and across an end of it the
case is undecided. A claim holds where all of its cases hold, and fails where one fails. The cases of a claim share
ERROR_RATE (Bonferroni), so a true statement fails for fewer than one of 10,000 fresh seeds if its interval is right
for the law of its draws. A claim that follows from definitions cannot fail unless the code is wrong; its grade says so.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan

import numpy as np
import numpy.typing as npt

from harness.base import intervals
from harness.base.arrays import Array
from harness.base.errors import HarnessError
from harness.study.selection import NOT_APPLICABLE, Recorded, Selected

HOLDS, UNDECIDED, FAILS = "holds", "undecided", "fails"
BY_CONSTRUCTION = "by construction"  # instead of HOLDS, for what follows from definitions
REFUTED = "refuted"  # instead of FAILS, for what is often said and known to be false here
GOOD = (HOLDS, BY_CONSTRUCTION, REFUTED)
ERROR_RATE = 1e-4  # of a claim: how often its intervals may miss what they estimate


@dataclass(frozen=True, eq=False)
class Case:
    """One test of a claim: a value for each independent draw, and the band that their statistic must lie in.

    `where` names the networks. `note` says what was left out and why: nothing is dropped without a word.
    """

    where: str
    values: npt.ArrayLike
    at_least: float = -inf
    at_most: float = inf
    note: str = ""


Interval = Callable[[Case, float], tuple[float, float, float]]  # case, error rate -> estimate, low, high


@dataclass(frozen=True)
class Claim:
    """A sentence that could be false, and the test of it.

    `statistic` says in words what is computed, and `interval` is one of INTERVAL_NAMES. `scope` holds the conditions
    on the networks that the claim is about, as `Selected` takes them. `cases` makes the cases from the results of these
    networks (`networks`, `read`, `layers`, `neurons`). `sweep` names the config whose results the claim is about; where
    it is empty, that is the first of the question's sweeps. `by_construction` says that the sentence follows from the
    definitions of what is recorded: it is checked all the same, and counted apart. `often_said`: a sentence told
    elsewhere that is known to fail here; it must fail, and is then called refuted.
    """

    name: str
    sentence: str
    statistic: str
    interval: Interval
    cases: Callable[[Selected], Iterable[Case]]
    sweep: str = ""
    scope: tuple[str, ...] = ()
    by_construction: bool = False
    often_said: bool = False


@dataclass(frozen=True)
class JudgedCase:
    """A case with its estimate, its interval, its band and its grade. `draws` counts the values."""

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
    def margin(self) -> float:
        """Distance of the interval from the ends of the band, in widths of the interval; negative outside the band."""
        margin = min(self.low - self.at_least, self.at_most - self.high)
        return margin / (self.high - self.low) if self.high > self.low and isfinite(margin) else margin


@dataclass(frozen=True)
class Verdict:
    """A claim as judged, with the evidence: `cases` holds one or more judged cases.

    `scope` holds the conditions of the claim that some networks of the sweep do not meet.
    """

    name: str
    sentence: str
    statistic: str
    interval: str
    grade: str
    cases: tuple[JudgedCase, ...]
    scope: tuple[str, ...] = ()

    @property
    def deciding(self) -> JudgedCase:
        """The case that decides the grade: of the worst grade, the one with the smallest margin."""
        order = {FAILS: 0, UNDECIDED: 1, HOLDS: 2}
        known = [case for case in self.cases if not np.isnan(case.estimate)] or self.cases
        worst = min(order[case.grade] for case in self.cases)
        candidates = [case for case in known if order[case.grade] == worst] or self.cases
        return min(candidates, key=lambda case: case.margin)


def judge(claim: Claim, results: Recorded) -> Verdict:
    """The verdict on a claim. It is undecided, with the reason, where the sweep has none of the claim's networks.

    Raises HarnessError where the claim's own code raises an error: that says nothing about the networks.
    """
    selected = Selected(results, claim.scope)
    try:
        cases = list(claim.cases(selected))
    except HarnessError as error:
        return undecided(claim, str(error))
    except Exception as error:
        raise HarnessError(
            f"{_place(error)}: claim {claim.name!r} cannot be judged: {type(error).__name__}: {error}; "
            "correct the question's file"
        ) from error
    if not cases:
        return undecided(claim, f"{NOT_APPLICABLE}this sweep has none of the networks that it speaks of")
    judged = tuple(_judged(claim.interval, case, ERROR_RATE / len(cases)) for case in cases)
    grades = {case.grade for case in judged}
    grade = next(grade for grade in (FAILS, UNDECIDED, HOLDS) if grade in grades)
    return _verdict(claim, _named(grade, claim), judged, selected.restrictions if claim.scope else ())


def _named(grade: str, claim: Claim) -> str:
    """The grade in the words for this kind of claim. What is often said is undecided where it does not fail."""
    if claim.often_said:
        return REFUTED if grade == FAILS else UNDECIDED
    return BY_CONSTRUCTION if grade == HOLDS and claim.by_construction else grade


def undecided(claim: Claim, reason: str) -> Verdict:
    """The verdict on a claim that cannot be tested, with the reason."""
    return _verdict(claim, UNDECIDED, (JudgedCase("", UNDECIDED, nan, nan, nan, -inf, inf, 0, reason),))


def _verdict(claim: Claim, grade: str, cases: tuple[JudgedCase, ...], scope: tuple[str, ...] = ()) -> Verdict:
    interval = INTERVAL_NAMES.get(claim.interval, "value, an interval of the question's own")
    return Verdict(claim.name, claim.sentence, claim.statistic, interval, grade, cases, scope)


def _place(error: Exception) -> str:
    """The line of the question's file that raised the error: `judge` called it."""
    frames = traceback.extract_tb(error.__traceback__)
    file = frames[min(1, len(frames) - 1)].filename
    return f"{file}:{[frame.lineno for frame in frames if frame.filename == file][-1]}"


def _judged(interval: Interval, case: Case, error_rate: float) -> JudgedCase:
    values = np.asarray(case.values, dtype=float)
    estimate = low = high = nan
    if len(values) and not np.isnan(values).any():
        estimate, low, high = interval(case, error_rate)
    note = "; ".join(filter(None, (case.note, _why_no_interval(values) if isnan(low) else "")))
    grade = graded(low, high, case.at_least, case.at_most)
    band = float(case.at_least), float(case.at_most)
    return JudgedCase(case.where, grade, estimate, low, high, *band, len(values), note)


def _why_no_interval(values: Array) -> str:
    for what, count in (("null", np.isnan(values).sum()), ("infinite, of dead networks", np.isinf(values).sum())):
        if count:
            return f"{count} of {len(values)} values are {what}"
    if len(values) > 1:
        equal = (values == values[0]).all()
        return "all draws are equal, which tells nothing of their spread" if equal else "values other than 0 and 1"
    return "an interval needs two draws or more" if len(values) else "no draws"


def graded(low: float, high: float, at_least: float, at_most: float) -> str:
    """The grade of an interval against a band. An interval that is not known (NaN) is undecided."""
    if at_least <= low and high <= at_most:
        return HOLDS
    return FAILS if high < at_least or low > at_most else UNDECIDED


# Intervals: (case, error rate) to (estimate, low, high) -------------------------------------------------------------


def every(case: Case, error_rate: float) -> tuple[float, float, float]:
    """The value that is furthest outside the band, or else nearest to an end of it; there is no interval."""
    values = np.asarray(case.values, dtype=float)
    ends = values.min(), values.max()
    with np.errstate(invalid="ignore"):  # ∞ − ∞: a value that equals its infinite bound lies infinitely far inside
        margins = [
            np.inf if np.isnan(margin) else margin for margin in (ends[0] - case.at_least, case.at_most - ends[1])
        ]
    worst = float(ends[0] if margins[0] < margins[1] else ends[1])
    return worst, worst, worst


def mean(case: Case, error_rate: float) -> tuple[float, float, float]:
    """Student's t interval (`mean_interval`). It holds for normal draws.

    A claim uses it where each draw is an average over many layers or units, hence near normal; elsewhere `median`.
    """
    return _of_one_row(intervals.mean_interval(_row(case), error_rate))


def median(case: Case, error_rate: float) -> tuple[float, float, float]:
    """The interval of a median from order statistics (`median_interval`), for every law; unbounded for few values."""
    values = _row(case)
    middle, low, high, *_ = (float(end[0]) for end in intervals.median_interval(values, error_rate))
    return (middle, low, high) if intervals.median_rank(values.size, error_rate) else (middle, -inf, inf)


def proportion(case: Case, error_rate: float) -> tuple[float, float, float]:
    """The exact interval of a proportion (Clopper & Pearson 1934), of values that are 0 or 1."""
    values = _row(case)[0]
    if not np.isin(values, (0, 1)).all():
        return nan, nan, nan
    low, high = intervals.proportion_interval(values.sum(), np.array(len(values)), error_rate)
    return float(values.mean()), float(low), float(high)


def variance(case: Case, error_rate: float) -> tuple[float, float, float]:
    """The chi-square interval of a variance (`variance_interval`). It holds for normal draws."""
    return _of_one_row(intervals.variance_interval(_row(case), error_rate))


def distance_to_normal(case: Case, error_rate: float) -> tuple[float, float, float]:
    """The interval of Kolmogorov's distance to N(0, 1) (`normal_distance_interval`), for every law."""
    return _of_one_row(intervals.normal_distance_interval(_row(case), error_rate))


def _row(case: Case) -> Array:
    return np.asarray(case.values, dtype=float)[None]


def _of_one_row(found: intervals.Interval) -> tuple[float, float, float]:
    return float(found.estimate[0]), float(found.low[0]), float(found.high[0])


INTERVAL_NAMES: Mapping[Interval, str] = {  # "estimate, interval", as tables and claims.json have it
    every: "every value",
    mean: "mean, t interval",
    median: "median, order statistics",
    proportion: "share, exact binomial interval",
    variance: "variance, chi-square interval",
    distance_to_normal: "distance, DKW interval",
}


def near(value: float, tolerance: float) -> dict[str, float]:
    """The band value ± tolerance, as keyword arguments of a Case."""
    return {"at_least": value - tolerance, "at_most": value + tolerance}
