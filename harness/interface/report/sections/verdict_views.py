"""Verdicts as the page shows them: word, sign, and each interval on a line with its bound."""

from dataclasses import dataclass
from math import isfinite, isnan

from harness.study import verdicts
from harness.study.claims import BY_CONSTRUCTION, FAILS, HOLDS, REFUTED, UNDECIDED, JudgedCase, Verdict

SIGNS = {HOLDS: "✓", BY_CONSTRUCTION: "≡", FAILS: "✗", REFUTED: "✗", UNDECIDED: "?"}
MARGIN = 0.18  # of the span, on either side of what is drawn


@dataclass(frozen=True)
class Strip:
    """A case on a line, in percent of its width: band, interval and estimate. `bounds` are places and texts."""

    band: tuple[float, float]
    low: float
    high: float
    at: float
    bounds: list[tuple[float, str]]
    words: str


@dataclass(frozen=True)
class CaseView:
    """A row of the table of cases, as texts."""

    where: str
    grade: str
    estimate: str
    interval: str
    bound: str
    draws: int
    note: str


@dataclass(frozen=True)
class VerdictView:
    """A claim as the page shows it. `brief` is the deciding case in a few words; `kind` names the estimate."""

    name: str
    sentence: str
    grade: str
    css: str
    sign: str
    brief: str
    bound: str
    statistic: str
    evidence: str
    kind: str
    strip: Strip | None
    cases: list[CaseView]


def verdict_view(verdict: Verdict) -> VerdictView:
    """A verdict in texts and places."""
    found, kind = verdict.deciding, verdict.interval.partition(", ")[0]
    return VerdictView(
        verdict.name,
        verdict.sentence,
        verdict.grade,
        verdict.grade.replace(" ", "-"),
        SIGNS.get(verdict.grade, ""),
        _brief(found, kind),
        verdicts.bound(found),
        verdict.statistic,
        verdicts.evidence(verdict),
        kind,
        _strip(found),
        [_case_view(case) for case in verdict.cases],
    )


def _brief(case: JudgedCase, kind: str) -> str:
    """`mean −0.629, in −0.6295 to −0.6280`; a value alone where there is no interval."""
    if isnan(case.estimate):
        return case.note or "not known"
    word = "the nearest value" if kind == "every value" else kind
    inside = "" if case.low == case.high else f", in {_interval(case)}"
    return f"{word} {verdicts.number(case.estimate)}{inside}"


def _interval(case: JudgedCase) -> str:
    return f"{verdicts.number(case.low)} to {verdicts.number(case.high)}"


def _case_view(case: JudgedCase) -> CaseView:
    estimate, bound = verdicts.number(case.estimate), verdicts.bound(case)
    return CaseView(case.where, case.grade, estimate, _interval(case), bound, case.draws, case.note)


def _strip(case: JudgedCase) -> Strip | None:
    """The places of a case on a line. None where there is no bound or no estimate to draw."""
    bounds = sorted({bound for bound in (case.at_least, case.at_most) if isfinite(bound)})
    points = [point for point in (case.low, case.high, case.estimate) if isfinite(point)]
    if not bounds or not points or isnan(case.estimate):
        return None
    low, high = min(bounds + points), max(bounds + points)
    span = (high - low) or abs(high) or 1.0
    low, high = low - MARGIN * span, high + MARGIN * span

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 2)

    texts = [verdicts.number(bound) for bound in bounds]
    words = f"Estimate {verdicts.number(case.estimate)}; the bound is {' to '.join(texts)}, its band shaded."
    return Strip(
        (place(case.at_least), place(case.at_most)),
        place(case.low),
        place(case.high),
        place(case.estimate),
        [(place(bound), text) for bound, text in zip(bounds, texts, strict=True)],
        words,
    )
