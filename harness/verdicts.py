"""Verdicts put into words: rows for a table in the terminal, and Markdown for the page of a CI job."""

from collections.abc import Sequence

from harness.claims import ERROR_RATE, HOLDS, Finding, Verdict
from harness.figures.text import MINUS
from harness.summary import Table

COLUMNS = ("verdict", "claim", "measured where it is nearest to its bound, or furthest beyond")


def table(title: str, verdicts: Sequence[Verdict]) -> Table | None:
    """A row a claim, with the case on which it hangs. None without claims."""
    if not verdicts:
        return None
    rows = [(verdict.grade, f"{verdict.name}: {verdict.sentence}", evidence(verdict)) for verdict in verdicts]
    holding = sum(verdict.grade == HOLDS for verdict in verdicts)
    return Table(title, COLUMNS, rows, f"{holding} of {len(verdicts)} claims hold; error rate of each: {ERROR_RATE:g}.")


def evidence(verdict: Verdict) -> str:
    """`mean 0.1, in 0.0 to 0.2 (t interval); bound −0.3 to 0.3; width 20; 2000 values`: of the deciding case."""
    found = verdict.deciding
    if not found.draws and found.note:  # not judged at all
        return f"{verdict.statistic}: {found.note}"
    kind, _, method = verdict.interval.partition(", ")
    measured = f"{kind} {number(found.estimate)}"
    if method:
        measured += f", in {number(found.low)} to {number(found.high)} ({method})"
    cases = f"1 of {len(verdict.findings)} cases" if len(verdict.findings) > 1 else ""
    values = f"{found.draws} value" + "s" * (found.draws > 1) if found.draws else ""
    conditions = [own for own in verdict.scope if not own.startswith("activation ")]  # which the case names
    scope = f"of networks with {', '.join(conditions)}" if conditions else ""
    parts = (f"bound {bound(found)}", found.where, values, cases, scope, found.note)
    return f"{verdict.statistic}: " + "; ".join(filter(None, (measured, *parts)))


def bound(found: Finding) -> str:
    """The band that an interval must lie in."""
    if found.at_least == found.at_most:
        return f"exactly {number(found.at_least)}"
    if found.at_least == float("-inf"):
        return "–" if found.at_most == float("inf") else f"≤ {number(found.at_most)}"
    if found.at_most == float("inf"):
        return f"≥ {number(found.at_least)}"
    return f"{number(found.at_least)} to {number(found.at_most)}"


def number(value: float) -> str:
    """Five significant digits, a true minus, "–" for what is not known."""
    if value != value:
        return "–"
    return f"{value:.5g}".replace("inf", "∞").replace("-", MINUS)


def markdown(title: str, sections: Sequence[tuple[str, str, Sequence[Verdict], Sequence[str]]]) -> str:
    """A page: (heading, sentence, verdicts, lines about the reference) for each sweep."""
    lines = [f"# {title}", ""]
    for heading, sentence, verdicts, remarks in sections:
        lines += [f"## {heading}", "", _cell(sentence), ""]
        if verdicts:
            lines += ["| verdict | claim | measured |", "|---|---|---|"]
            lines += [_line((_bold(v.grade), f"{v.sentence} (`{v.name}`)", evidence(v))) for v in verdicts] + [""]
        lines += [*(f"- {_cell(remark)}" for remark in remarks), ""]
    return "\n".join(lines)


def _bold(grade: str) -> str:
    return grade if grade == HOLDS else f"**{grade}**"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
