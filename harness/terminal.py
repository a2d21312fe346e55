"""What the terminal shows: plans, tables, verdicts, and progress. It is told what to say, and decides nothing."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.claims import Verdict
    from harness.dispatch import Progress, Where
    from harness.driver import Prepared
    from harness.summary import Table


def say(text: object, *, err: bool = False) -> None:
    """Print, as text: what configs, data files and results bring along colours, moves and retitles nothing."""
    _print("\n".join(map(printable, str(text).split("\n"))) + "\n", err)


def _print(text: str, err: bool = False) -> None:
    """Where what reads our output has ended, as `head` does, the work goes on in silence."""
    try:
        typer.echo(text, nl=False, err=err)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if err else sys.stdout).fileno())


def print_plan(prepared: "Prepared", where: "Where") -> None:
    from harness import dispatch, estimate
    from harness.footprint import fit

    plan = prepared.plan
    workers = 1 if where.dask else dispatch.how_many(where.workers, plan)
    limit = where.limit(workers)
    dispatch.require_fit(plan, limit)
    seconds = estimate.seconds(plan, workers, limit)
    memory = dispatch.PROCESS + max((fit(block.block, plan.settings, limit).peak for block in plan.blocks), default=0)
    for name, value in (
        ("results folder", prepared.folder),
        ("networks", f"{plan.networks:,}"),
        ("layers, that is rows", f"{plan.layers:,}"),
        ("blocks", f"{len(plan.blocks):,}"),
        ("workers", f"those of {where.dask}" if where.dask else workers),
        ("memory per worker", f"about {memory / 1e9:.2g} GB"),
        ("time to compute", f"about {_duration(seconds)}" + " on one core" * bool(where.dask)),
    ):
        say(f"{name + ':':22}{value}")


def print_written(prepared: "Prepared") -> None:
    from harness.results import load

    folder = prepared.folder
    results = load(folder)
    figures = results.draw()
    for table in results.summary():
        print_table(table)
    print_verdicts(results.sweep.name, results.write_verdicts(prepared.question))
    say(f"tables: {folder / 'layers'}, {folder / 'networks'}    config: {folder / 'config.yaml'}")
    for path in figures:
        if path.suffix == ".png":
            say(f"figure: {path}")
    for line in results.not_drawn():
        say(line)


def print_verdicts(name: str, verdicts: "Sequence[Verdict]") -> None:
    from harness.verdicts import table

    if drawn := table(f"Claims of {name}", verdicts):
        print_table(drawn)


def print_table(table: "Table") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(soft_wrap=False, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = 200  # a pipe or a file has no width; do not fold what is read by programs
    drawn = RichTable(title=Text(printable(table.title)), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in table.columns:
        drawn.add_column(Text(printable(column)), overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    with console.capture() as captured:
        console.print(drawn)
        if table.note:
            console.print(Text(printable(table.note)))
    _print(captured.get())


def printable(text: str) -> str:
    """On one line, and nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# Progress: a bar on a terminal, else a plain line every 10 s --------------------------------------------------------


def progress():
    from rich.console import Console

    console = Console(stderr=True)
    return _Bar(console) if console.is_terminal and not console.is_dumb_terminal else _Lines()


class _Lines:
    """A plain line every 10 s, on stderr."""

    def __enter__(self) -> Callable[["Progress"], None]:
        self.started = self.said = time.monotonic()
        return self.report

    def report(self, progress: "Progress") -> None:
        now = time.monotonic()
        if now - self.said >= 10:
            self.said = now
            say(_said(progress, now - self.started), err=True)

    def __exit__(self, *_: object) -> None:
        pass


class _Bar:
    """rich's progress bar, with networks done, their rate, and the time left."""

    def __init__(self, console):
        from rich.progress import BarColumn, Progress, TextColumn

        self.bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True)

    def __enter__(self) -> Callable[["Progress"], None]:
        self.started = time.monotonic()
        self.bar.start()
        self.task = self.bar.add_task("starting", total=1.0)
        return self.report

    def report(self, progress: "Progress") -> None:
        said = _said(progress, time.monotonic() - self.started)
        self.bar.update(self.task, completed=progress.work, description=said)

    def __exit__(self, *_: object) -> None:
        self.bar.stop()


def _said(progress: "Progress", seconds: float) -> str:
    text = f"{progress.networks:,} of {progress.of_networks:,} networks"
    if progress.failed:
        text += f", {progress.failed:,} blocks failed"
    if not progress.work:
        return text
    left = seconds / progress.work * (1 - progress.work)
    return f"{text}, {progress.networks / max(seconds, 1e-9):,.0f} a second, {_duration(left)} left"
