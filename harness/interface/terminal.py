"""Printing on the terminal: plans, tables, verdicts and progress.

These functions take finished values. They compute, draw and write nothing.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from harness.base.text_table import Table
    from harness.execution.dispatch import Progress, Report, Resources
    from harness.execution.driver import Prepared
    from harness.execution.estimate import Estimate
    from harness.results.diff import Mismatch
    from harness.study.claims import Verdict
    from harness.study.sweep import Conclusion

MOST_LINES = 20  # of differences between two results: a screen of them
Detail = Literal["quiet", "usual", "verbose"]  # of what a sweep prints


def say(text: object) -> None:
    """Print a text on stdout, without the control characters that configs, data files and results may hold."""
    _print(_printable_lines(text))


def say_error(text: object) -> None:
    """Print a text on stderr, as `say` does on stdout."""
    _print(_printable_lines(text), err=True)


def _printable_lines(text: object) -> str:
    return "\n".join(map(printable, str(text).split("\n"))) + "\n"


def _print(text: str, err: bool = False) -> None:
    typer.echo(text, nl=False, err=err)


def print_plan(prepared: "Prepared", resources: "Resources", estimate: "Estimate") -> None:
    """Print what a sweep would compute, and the time and memory that it would take."""
    plan, training = prepared.plan, prepared.plan.settings.training
    runs = (
        (("training runs", f"{plan.networks * len(training.recipes):,}, of {training.steps:,} steps"),)
        if training
        else ()
    )
    for name, value in (
        ("results folder", prepared.folder),
        ("networks", f"{plan.networks:,}"),
        ("rows, one per layer", f"{plan.layers:,}"),
        *runs,
        ("inputs", prepared.inputs),
        ("blocks", f"{len(plan.blocks):,}"),
        ("workers", f"those of {resources.dask}" if resources.dask else estimate.workers),
        ("memory per worker", f"about {estimate.memory / 1e9:.2g} GB"),
        ("time to compute", f"about {_duration(estimate.seconds)}" + " on one core" * bool(resources.dask)),
    ):
        say(f"{name + ':':22}{value}")


def print_conclusion(conclusion: "Conclusion", quiet: bool = False) -> None:
    """Print what a sweep that has run found, and where its files are; with `quiet`, a line a setting and the claims."""
    if conclusion.glance:
        print_table(conclusion.glance)
    if quiet:
        print_verdicts(conclusion.name, conclusion.verdicts)
    else:
        _print_all(conclusion)
    for line in conclusion.failed_figures:
        say_error(line)


def _print_all(conclusion: "Conclusion") -> None:
    print_results(conclusion.name, conclusion.tables, conclusion.verdicts)
    tables = ", ".join(str(folder) for folder in conclusion.folders)
    say(f"tables: {tables}    config: {conclusion.results.path / 'config.yaml'}")
    for path in conclusion.figures:
        if path.suffix == ".png":
            say(f"figure: {path}")
    for line in conclusion.not_drawn:
        say(line)


def print_results(name: str, tables: "Sequence[Table]", verdicts: "Sequence[Verdict]") -> None:
    """Print the summary tables and the verdicts of a sweep."""
    for table in tables:
        print_table(table)
    print_verdicts(name, verdicts)


def print_verdicts(name: str, verdicts: "Sequence[Verdict]") -> None:
    """Print verdicts as a table; nothing where there are none."""
    from harness.study.verdicts import table

    if written := table(f"Claims of {name}", verdicts):
        print_table(written)


def print_table(table: "Table") -> None:
    """Print a table of texts and the note below it. Without a terminal lines are 200 characters wide.

    A table that is too wide to keep its words whole is printed as a list, with a line for each cell.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=False, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = 200  # a pipe or a file has no width; do not fold what programs read
    if _least_width(table) > console.width:
        table = _as_list(table)
    with console.capture() as captured:
        console.print(_drawn(table))
        if table.note:
            console.print(Text(printable(table.note)))
    _print(captured.get())


def _drawn(table: "Table") -> "RichTable":
    """The table as rich draws it, with a line under the headings."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        title=Text(printable(table.title)),
        box=box.SIMPLE_HEAD,
        show_header=any(table.columns),
        title_justify="left",
        title_style="bold",
    )
    for column in table.columns:
        drawn.add_column(Text(printable(column)), overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    return drawn


def _least_width(table: "Table") -> int:
    """The width that keeps every word whole: of each column its longest word, with a margin of two on either side."""
    columns = zip(table.columns, *table.rows, strict=True)
    return sum(2 + max(len(word) for cell in cells for word in (cell.split() or [""])) for cells in columns) + 2


def _as_list(table: "Table") -> "Table":
    """The same table with one row for each cell: its column and its value. An empty row is between two rows."""
    rows: list[tuple[str, str]] = []
    for row in table.rows:
        rows += [("", "")] * bool(rows) + list(zip(table.columns, row, strict=True))
    return replace(table, columns=("", ""), rows=rows)


def print_json(content: object) -> None:
    """Print a value as JSON on stdout; control characters in its texts are escaped."""
    _print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def plain_table(table: "Table") -> dict[str, object]:
    """A table of texts as JSON has it: a row is an object from columns to texts."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {"title": table.title, "rows": rows, "note": table.note}


def print_differences(verdict: str, mismatches: "Sequence[Mismatch]", changes: str, as_json: bool) -> None:
    """Print how two results differ, at most MOST_LINES of it, or all as JSON; `changes` are those of the config."""
    if as_json:
        found = [{"where": mismatch.where, "what": mismatch.what} for mismatch in mismatches]
        print_json({"verdict": verdict, "config": changes, "mismatches": found})
        return
    lines = [changes, *(f"{mismatch.where}: {mismatch.what}" for mismatch in mismatches[:MOST_LINES])]
    if len(mismatches) > MOST_LINES:
        lines.append(f"and {len(mismatches) - MOST_LINES} more; --json prints all of them")
    say("\n".join(filter(None, [*lines, verdict])))


def printable(text: str) -> str:
    """The text on one line, with a replacement for each character that a terminal would obey."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# Progress: a bar on a terminal, else a plain line every 10 s --------------------------------------------------------


def progress(detail: Detail = "usual") -> "AbstractContextManager[Report]":
    """A display of progress on stderr. Entering it gives the function to call with each `Progress`.

    It is empty for "quiet"; for "verbose" it has lines, and every block, figure and claim is logged between them.
    """
    if detail == "quiet":
        return nullcontext(lambda progress: None)
    if detail == "verbose":
        return _Logged()
    from rich.console import Console

    console = Console(stderr=True)
    return _Bar(console) if console.is_terminal and not console.is_dumb_terminal else _Lines()


class _Lines(AbstractContextManager):
    """A plain line every 10 s."""

    def __enter__(self) -> Callable[["Progress"], None]:
        self.started = self.last_line = time.monotonic()
        return self.report

    def report(self, progress: "Progress") -> None:
        now = time.monotonic()
        if now - self.last_line >= 10:
            self.last_line = now
            say_error(line_of(progress, now - self.started))

    def __exit__(self, *_: object) -> None:
        pass


class _Logged(_Lines):
    """Such lines, and what the harness logs meanwhile, with the seconds since the start."""

    def __enter__(self) -> Callable[["Progress"], None]:
        self.handler = logging.Handler()
        self.handler.emit = self._emit  # type: ignore[method-assign]
        logger = logging.getLogger("harness")
        logger.addHandler(self.handler)
        logger.setLevel(logging.INFO)
        return super().__enter__()

    def _emit(self, record: logging.LogRecord) -> None:
        say_error(f"{time.monotonic() - self.started:8.1f} s  {record.getMessage()}")

    def __exit__(self, *_: object) -> None:
        logging.getLogger("harness").removeHandler(self.handler)


class _Bar(AbstractContextManager):
    """A progress bar with the networks that are finished, their rate, and the time left."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self.bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True)

    def __enter__(self) -> Callable[["Progress"], None]:
        self.started = time.monotonic()
        self.bar.start()
        self.task = self.bar.add_task("starting", total=1.0)
        return self.report

    def report(self, progress: "Progress") -> None:
        line = line_of(progress, time.monotonic() - self.started)
        self.bar.update(self.task, completed=progress.work, description=line)

    def __exit__(self, *_: object) -> None:
        self.bar.stop()


def line_of(progress: "Progress", seconds: float) -> str:
    """`44 of 704 networks, 3 a second, 4 min left`, after so many seconds."""
    text = f"{progress.networks:,} of {progress.total_networks:,} networks"
    if progress.failed:
        text += f", {progress.failed:,} blocks failed"
    if not progress.work:
        return text
    left = seconds / progress.work * (1 - progress.work)
    return f"{text}, {progress.networks / max(seconds, 1e-9):,.0f} a second, {_duration(left)} left"


def progress_line(done: int, total: int, since: int, seconds: float) -> str:
    """`44 of 704 networks, 3 a second, 4 min left`; `since` networks have finished in so many seconds."""
    text = f"{done:,} of {total:,} networks"
    if since <= 0 or done >= total:
        return text
    rate = since / max(seconds, 1e-9)
    return f"{text}, {rate:,.0f} a second, {_duration((total - done) / rate)} left"
