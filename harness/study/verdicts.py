"""Verdicts in words: a table for the terminal, and Markdown for the page of a CI job."""

from collections.abc import Sequence
from math import isnan

from harness.base.numbers import UNKNOWN, formatted
from harness.base.text_table import Table
from harness.study.claims import BY_CONSTRUCTION, ERROR_RATE, FAILS, GOOD, HOLDS, REFUTED, JudgedCase, Verdict
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
