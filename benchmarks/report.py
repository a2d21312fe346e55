"""Times as Markdown, printed or put into docs/performance.md."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders import HARNESS, LIMIT
from benchmarks.grids import Grid
from benchmarks.timing import Times

PATH = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- begin: make bench ARGS=--write -->", "<!-- end -->"

Result = Mapping[str, Mapping[str, Times]]  # by dtype, then by contender


def table(grid: Grid, result: Result, peaks: Mapping[tuple[str, str], float]) -> list[str]:
    """One grid: a row a contender, three columns a dtype; `peaks` are GB by (contender, dtype), where measured."""
    head, rule = "|  |", "|---|"
    for dtype in result:
        head += f" {dtype}: s | wall s | × harness | × limit |" + (" peak GB |" if peaks else "")
        rule += "---|---|---|---|" + ("---|" if peaks else "")
    rows = [_row(name, result, peaks) for name in next(iter(result.values()))]
    return [grid.title, "", head, rule, *rows]


def _row(name: str, result: Result, peaks: Mapping[tuple[str, str], float]) -> str:
    notes, cells = [], ""
    for dtype, times in result.items():
        mine = times[name]
        cells += f" {_median(mine.processor)} | {_median(mine.wall)} | {_ratio(mine, times.get(HARNESS))} |"
        cells += f" {_ratio(mine, times.get(LIMIT))} |" + (f" {peaks[name, dtype]:.2f} |" if peaks else "")
        if mine.compiling:
            notes.append(f"{dtype}: compiled in {mine.compiling:.0f} s, not counted")
        if len(mine.processor) < max(len(other.processor) for other in times.values()):
            notes.append(f"{dtype}: {len(mine.processor)} runs")
    return f"| {name}{' (' + '; '.join(notes) + ')' if notes else ''} |{cells}"


def _median(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return f"{middle:.2f}"


def _ratio(mine: Times, other: Times | None) -> str:
    return f"{mine.over(other):.2f}" if other else ""


def write(text: str, path: Path = PATH) -> None:
    """Put the text between the two marks of the page."""
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path}: has no place for the table; put the lines {BEGIN} and {END} where it is to be")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
