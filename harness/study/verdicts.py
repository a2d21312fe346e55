"""Verdicts as others read them: a table for the terminal, Markdown for the page of a CI job, JSON for programs."""

from collections.abc import Sequence
from math import isfinite, isnan

from harness.base.numbers import UNKNOWN, formatted
from harness.base.text_table import Table
from harness.study.claims import (
    BY_CONSTRUCTION,
    ERROR_RATE,
    FAILS,
    GOOD,
    HOLDS,
    REFUTED,
    UNDECIDED,
    JudgedCase,
    Verdict,
)
from harness.study.selection import NOT_APPLICABLE

COLUMNS = ("verdict", "claim")
APART = "not applicable"


def table(title: str, verdicts: Sequence[Verdict]) -> Table | None:
    """One row per claim: in a line where it holds, else in full with the case that decides its grade.

    None without claims. Claims about networks that the sweep does not have share the last row.
    """
    if not verdicts:
        return None
    judged = [verdict for verdict in verdicts if _applies(verdict)]
    judged.sort(key=lambda verdict: verdict.grade in GOOD)  # stable: what fails or is undecided comes first
    rows = [(verdict.grade, _line_of(verdict) if verdict.grade in GOOD else _in_full(verdict)) for verdict in judged]
    if others := [verdict.name for verdict in verdicts if not _applies(verdict)]:
        rows.append((APART, ", ".join(others)))
    return Table(title, COLUMNS, rows, f"{counted(verdicts)}; error rate of each: {ERROR_RATE:g}.")


def _applies(verdict: Verdict) -> bool:
    return not verdict.deciding.note.startswith(NOT_APPLICABLE)


def _line_of(verdict: Verdict) -> str:
    """`attenuation_grows: −0.25, bound ≤ 0`."""
    return f"{verdict.name}: {number(verdict.deciding.estimate)}, bound {bound(verdict.deciding)}"


def _in_full(verdict: Verdict) -> str:
    return f"{verdict.name}: {verdict.sentence} {evidence(verdict)}"


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many claims hold and fail, how many of those that follow from definitions hold, and how many do not apply."""
    grades = [verdict.grade for verdict in verdicts if _applies(verdict)]
    apart = grades.count(BY_CONSTRUCTION)
    told = grades.count(REFUTED)
    line = f"{grades.count(HOLDS)} of {len(grades) - apart - told} claims hold"
    line += f", and {apart} by construction" if apart else ""
    line += f"; {told} often said refuted" if told else ""
    line += f"; {grades.count(FAILS)} fail" if FAILS in grades else ""
    return f"{line}; {left} {APART}" if (left := len(verdicts) - len(grades)) else line


def evidence(verdict: Verdict) -> str:
    """The deciding case: `mean 0.1, in 0.0 to 0.2 (t interval); bound −0.3 to 0.3; width 20; 2000 values`."""
    case = verdict.deciding
    if not case.draws and case.note:  # not judged at all
        return f"{verdict.statistic}: {case.note}"
    kind, _, method = verdict.interval.partition(", ")
    measured = f"{kind} {number(case.estimate)}"
    if method:
        measured += f", in {number(case.low)} to {number(case.high)} ({method})"
    cases = f"1 of {len(verdict.cases)} cases" if len(verdict.cases) > 1 else ""
    values = f"{case.draws} value" + "s" * (case.draws > 1) if case.draws else ""
    conditions = [condition for condition in verdict.scope if not condition.startswith("activation ")]  # `where` has it
    scope = f"of networks with {', '.join(conditions)}" if conditions else ""
    parts = (f"bound {bound(case)}", case.where, values, cases, scope, case.note)
    return f"{verdict.statistic}: " + "; ".join(filter(None, (measured, *parts)))


def bound(case: JudgedCase) -> str:
    """The band that the interval must lie in, as text."""
    if case.at_least == case.at_most:
        return f"exactly {number(case.at_least)}"
    if case.at_least == float("-inf"):
        return "–" if case.at_most == float("inf") else f"≤ {number(case.at_most)}"
    if case.at_most == float("inf"):
        return f"≥ {number(case.at_least)}"
    return f"{number(case.at_least)} to {number(case.at_most)}"


def number(value: float) -> str:
    """The number with five significant digits; "–" for NaN."""
    return UNKNOWN if isnan(value) else formatted(value, ".5g")


def markdown(title: str, sections: Sequence[tuple[str, str, Sequence[Verdict], Sequence[str]]]) -> str:
    """A page with a section for each sweep: (heading, sentence, verdicts, lines about the reference)."""
    lines = [f"# {title}", ""]
    for heading, sentence, verdicts, remarks in sections:
        lines += [f"## {heading}", "", _cell(sentence), ""]
        if verdicts:
            lines += ["| verdict | claim | measured |", "|---|---|---|"]
            lines += [_line((_bold(v.grade), f"{v.sentence} (`{v.name}`)", evidence(v))) for v in verdicts] + [""]
        lines += [*(f"- {_cell(remark)}" for remark in remarks), ""]
    return "\n".join(lines)


def _bold(grade: str) -> str:
    return grade if grade in GOOD else f"**{grade}**"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# As JSON ------------------------------------------------------------------------------------------------------------

_TEXTS = ("name", "sentence", "statistic", "interval", "grade")
_NUMBERS = ("estimate", "low", "high", "at_least", "at_most")


def to_json(verdicts: Sequence[Verdict]) -> list[dict]:
    """The verdicts as plain values. Numbers that JSON does not have (±∞, NaN) are texts."""
    return [_plain(verdict) for verdict in verdicts]


def from_json(written: Sequence[dict]) -> list[Verdict]:
    """The verdicts that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    verdicts = [_verdict_of(entry) for entry in written]
    for verdict in verdicts:
        if not verdict.cases:
            raise ValueError("a verdict without a case")
        if not {verdict.grade, *(case.grade for case in verdict.cases)} <= {*GOOD, UNDECIDED, FAILS}:
            raise ValueError(f"{verdict.name}: a grade that does not exist")
    return verdicts


def _plain(verdict: Verdict) -> dict:
    cases = [
        {name: _json_number(value) if name in _NUMBERS else value for name, value in vars(case).items()}
        for case in verdict.cases
    ]
    texts = {name: getattr(verdict, name) for name in _TEXTS}
    return texts | {"scope": list(verdict.scope), "error_rate": ERROR_RATE, "cases": cases}


def _json_number(value: float) -> float | str:
    return float(value) if isfinite(value) else str(float(value))


def _verdict_of(entry: dict) -> Verdict:
    name, sentence, statistic, interval, grade = (str(entry[key]) for key in _TEXTS)
    cases, scope = map(_case_of, entry["cases"]), map(str, entry.get("scope", ()))
    return Verdict(name, sentence, statistic, interval, grade, tuple(cases), tuple(scope))


def _case_of(entry: dict) -> JudgedCase:
    estimate, low, high, at_least, at_most = (float(entry[key]) for key in _NUMBERS)
    where, grade, note = (str(entry[key]) for key in ("where", "grade", "note"))
    return JudgedCase(where, grade, estimate, low, high, at_least, at_most, int(entry["draws"]), note)
