"""Claims: a statement about recorded numbers, the statistic and the interval it is judged by, and its grade.

A claim is tested in one or several cases. In each, a statistic of independent draws is to lie within a band; its
interval lies inside the band (holds), outside of it (fails), or straddles an end (undecided). A claim holds where all
its cases do, and fails where one does. Intervals share ERROR_RATE among the cases of a claim (Bonferroni), so that a
true statement fails in fewer than one of 10,000 fresh seeds.
"""

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, isnan, log, nan, sqrt
from typing import Any

import numpy as np
from scipy import special

from harness.errors import HarnessError
from harness.selection import Selected

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

    `statistic`: what is computed, in words. `scope`: conditions on the networks that it speaks of, as Selected takes
    them. `cases`: from the results of these networks (`networks`, `read`, `layers`, `neurons`) to the cases. `sweep`:
    the config of the experiment whose results it takes; the experiment's own name where it is empty.
    """

    name: str
    sentence: str
    statistic: str
    interval: Interval
    cases: Callable[[Selected], Iterable[Case]]
    sweep: str = ""
    scope: tuple[str, ...] = ()


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
    """A claim as judged, with its evidence. `scope`: what the networks it was tested on have that others have not."""

    name: str
    sentence: str
    statistic: str
    interval: str
    grade: str
    findings: tuple[Finding, ...] = field(default=())
    scope: tuple[str, ...] = ()

    @property
    def deciding(self) -> Finding | None:
        """The case on which the grade hangs: of the worst grade, the one with the least room."""
        order = {FAILS: 0, UNDECIDED: 1, HOLDS: 2}
        known = [finding for finding in self.findings if not np.isnan(finding.estimate)] or self.findings
        worst = min((order[finding.grade] for finding in self.findings), default=2)
        candidates = [finding for finding in known if order[finding.grade] == worst] or self.findings
        return min(candidates, key=lambda finding: finding.room, default=None)


def judge(claim: Claim, results: Any) -> Verdict:
    """The verdict on a claim. Of a sweep that has nothing it speaks of it is undecided, and says why.

    Raises HarnessError where the claim's own code trips: that says nothing of the networks.
    """
    selected = Selected(results, claim.scope)
    try:
        cases = list(claim.cases(selected))
    except HarnessError as error:
        return unknown(claim, str(error))
    except Exception as error:
        raise HarnessError(f"{_place(error)}: claim {claim.name!r} cannot be judged: {type(error).__name__}: "
                           f"{error}; mend the question's file") from error  # fmt: skip
    if not cases:
        return unknown(claim, "does not apply: this sweep has none of the networks that it speaks of")
    findings = tuple(_finding(claim.interval, case, ERROR_RATE / len(cases)) for case in cases)
    grades = {finding.grade for finding in findings}
    grade = next(grade for grade in (FAILS, UNDECIDED, HOLDS) if grade in grades)
    return _verdict(claim, grade, findings, selected.restrictions if claim.scope else ())


def unknown(claim: Claim, why: str) -> Verdict:
    """Undecided, and why."""
    return _verdict(claim, UNDECIDED, (Finding("", UNDECIDED, nan, nan, nan, -inf, inf, 0, why),))


def _verdict(claim: Claim, grade: str, findings: tuple[Finding, ...], scope: tuple[str, ...] = ()) -> Verdict:
    interval = (claim.interval.__doc__ or "").strip().split(":")[0]  # what its docstring calls it
    return Verdict(claim.name, claim.sentence, claim.statistic, interval, grade, findings, scope)


def _place(error: Exception) -> str:
    """The line of the question's file at which its code tripped: `judge` called it."""
    frames = traceback.extract_tb(error.__traceback__)
    file = frames[min(1, len(frames) - 1)].filename
    return f"{file}:{[frame.lineno for frame in frames if frame.filename == file][-1]}"


def _finding(interval: Interval, case: Case, error_rate: float) -> Finding:
    values = np.asarray(case.values, dtype=float)
    estimate = low = high = nan
    if len(values) and not np.isnan(values).any():
        estimate, low, high = interval(case, error_rate)
    note = "; ".join(filter(None, (case.note, _why_unknown(values) if isnan(low) else "")))
    grade = graded(low, high, case.at_least, case.at_most)
    band = float(case.at_least), float(case.at_most)
    return Finding(case.where, grade, estimate, low, high, *band, len(values), note)


def _why_unknown(values: Array) -> str:
    """Why there is no interval."""
    for what, count in (("null", np.isnan(values).sum()), ("infinite, of dead networks", np.isinf(values).sum())):
        if count:
            return f"{count} of {len(values)} values are {what}"
    return "an interval needs two draws or more" if len(values) else "no draws"


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


def near(value: float, tolerance: float) -> dict[str, float]:
    """The band value ± tolerance, as a Case takes it."""
    return {"at_least": value - tolerance, "at_most": value + tolerance}


# As JSON ------------------------------------------------------------------------------------------------------------


def to_json(verdicts: Sequence[Verdict]) -> list[dict]:
    """Plain values; what JSON has no number for (±∞, NaN) as text."""
    return [_plain(verdict) for verdict in verdicts]


def from_json(written: Sequence[dict]) -> list[Verdict]:
    """The verdicts that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    verdicts = [Verdict(**_texts(entry), findings=tuple(map(_read, entry["cases"])),
                        scope=tuple(map(str, entry.get("scope", ())))) for entry in written]  # fmt: skip
    for graded in (*verdicts, *(finding for verdict in verdicts for finding in verdict.findings)):
        if graded.grade not in (HOLDS, UNDECIDED, FAILS):
            raise ValueError(f"{graded.grade!r} is no grade")
    if not all(verdict.findings for verdict in verdicts):
        raise ValueError("a verdict without a case")
    return verdicts


_TEXTS = ("name", "sentence", "statistic", "interval", "grade")
_NUMBERS = ("estimate", "low", "high", "at_least", "at_most")


def _texts(entry: dict) -> dict:
    return {name: str(entry[name]) for name in _TEXTS}


def _plain(verdict: Verdict) -> dict:
    cases = [
        {name: _number(value) if name in _NUMBERS else value for name, value in vars(finding).items()}
        for finding in verdict.findings
    ]
    texts = {name: getattr(verdict, name) for name in _TEXTS}
    return texts | {"scope": list(verdict.scope), "error_rate": ERROR_RATE, "cases": cases}


def _number(value: float) -> float | str:
    return float(value) if isfinite(value) else str(float(value))


def _read(finding: dict) -> Finding:
    texts = {name: str(finding[name]) for name in ("where", "grade", "note")}
    return Finding(**texts, **{name: float(finding[name]) for name in _NUMBERS}, draws=int(finding["draws"]))
