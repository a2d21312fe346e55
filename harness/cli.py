"""The command line: parse, call, print."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.claims import Verdict
    from harness.driver import Prepared, Progress
    from harness.summary import Table

EXIT_CODES = """
Exit codes: 0 done, 1 a run failed or was left unfinished, 2 a config, an option or a results folder that cannot be
used, 3 a comparison differs, 130 interrupted (finished blocks are kept).
"""

app = typer.Typer(
    help="How gradients vanish and explode with depth, and what share is the activation's and what the weights'.",
    epilog=EXIT_CODES, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)  # fmt: skip

Config = Annotated[Path, typer.Argument(help="YAML file of the sweep, such as configs/depth.yaml.", show_default=False)]
Folder = Annotated[Path, typer.Argument(help="A results folder, such as results/depth.", show_default=False)]


def main() -> None:
    """Run the command line; an error the user can act on is its text on stderr and its exit code."""
    from harness.errors import HarnessError

    _on_interrupt(_end)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal of another encoding gets ? for what it cannot show
    try:
        app()
    except HarnessError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _say(text: object, *, err: bool = False, end: str = "\n") -> None:
    """Print; where what reads our output has ended, as `head` does, the work goes on in silence."""
    try:
        typer.echo(f"{text}{end}", nl=False, err=err)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if err else sys.stdout).fileno())


@app.command(epilog=EXIT_CODES)
def sweep(
    config: Config,
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change the config, such as network.width=64; may be repeated.")] = [],  # noqa: B006, E501
    replicates: Annotated[int | None, typer.Option(help="Number of draws of each network; more than before computes only the new ones.")] = None,  # noqa: E501
    out: Annotated[Path | None, typer.Option(help="Results folder; by default results/<name>/ under the current folder.")] = None,  # noqa: E501
    workers: Annotated[str, typer.Option(help="Worker processes, or 'auto': one a core.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be computed, and end.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the results that are there and start over.")] = False,
    allow_large: Annotated[bool, typer.Option("--allow-large", help="Accept a sweep of absurd size.")] = False,
) -> None:
    """Run a sweep: networks, tables, figures, summary. What is there already is not computed again."""
    count = _workers(workers)
    from harness import driver

    prepared = driver.prepare(config, set_, replicates, out, fresh, allow_large)
    if dry_run:
        _print_plan(prepared, driver.how_many(count, prepared.plan))
        return
    if prepared.question:
        _say(f"{prepared.question.path}: {prepared.question.sentence}")
    with _interruptible():
        _execute(prepared, count)
    _print_written(prepared.folder)


@app.command(epilog=EXIT_CODES)
def show(
    results: Folder,
    where: Annotated[str | None, typer.Option(help="Only these networks, as in \"depth == 64 and activation == 'relu'\".")] = None,  # noqa: E501
) -> None:
    """Print the summary of a results folder again."""
    from harness.results import load

    shown = load(results)
    for table in shown.summary(where):
        _print_table(table)
    _print_verdicts(shown.sweep.name, shown.verdicts())


@app.command(epilog=EXIT_CODES)
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[EXPERIMENT]...", help="Experiments, such as depth; all of them if none is named.", show_default=False)] = None,  # noqa: E501
    size: Annotated[str, typer.Option(help="full, or ci: minutes on two cores for all of them.")] = "full",
    fresh_seeds: Annotated[bool, typer.Option("--fresh-seeds", help="With a seed that nobody chose: claims only, which must not hang on one.")] = False,  # noqa: E501
    update_reference: Annotated[bool, typer.Option("--update-reference", help="Rewrite the references, and say what changed.")] = False,  # noqa: E501
    out: Annotated[Path | None, typer.Option(help="Folder for the results; by default results/verify/SIZE.")] = None,
    workers: Annotated[str, typer.Option(help="Worker processes, or 'auto': one a core.")] = "auto",
    markdown: Annotated[Path | None, typer.Option(help="Write the summary to this file too, as a CI job's page shows it.")] = None,  # noqa: E501
) -> None:
    """Run the experiments again: do their claims hold, and are the numbers those of results/reference?"""
    count = _workers(workers)
    from harness import verify as verification

    if size not in verification.SIZES:
        raise typer.BadParameter(f"{size!r} is no size; use ci or full", param_hint="--size")
    if fresh_seeds and update_reference:
        raise typer.BadParameter("not with --fresh-seeds: a reference has the config's own seed", param_hint="--update-reference")  # noqa: E501
    seed = verification.new_seed() if fresh_seeds else None
    request = verification.Request(tuple(names or ()), size, seed, update_reference, out)
    outcomes = []
    for job in verification.jobs(request):
        with _interruptible():
            outcomes.append(verification.run(job, request, lambda prepared: _execute(prepared, count)))
        _print_verdicts(job.title, outcomes[-1].verdicts)
        for line in verification.remarks(outcomes[-1]):
            _say(line)
    _say(f"claims: {verification.write_claims(request, outcomes)}")
    if markdown is not None:
        markdown.write_text(verification.page(request, outcomes), encoding="utf-8")
    _say(verification.summary(outcomes) + (f"; seed {seed}" if fresh_seeds else ""))
    if not all(outcome.good for outcome in outcomes):
        raise typer.Exit(3)


@app.command(epilog=EXIT_CODES)
def plot(results: Folder) -> None:
    """Draw the figures of a results folder again."""
    from harness.results import load

    for path in load(results).draw():
        _say(path)


@app.command(epilog=EXIT_CODES)
def diff(
    a: Folder,
    b: Folder,
    tolerance: Annotated[float, typer.Option(help="Largest difference, in decades or as a fraction, that counts as none.")] = 1e-9,  # noqa: E501
) -> None:
    """Compare two results folders: identical, within tolerance, or different (exit code 3)."""
    from harness.diff import DIFFERS
    from harness.diff import diff as compare
    from harness.results import load

    comparison = compare(load(a), load(b), tolerance)
    for finding in comparison.findings:
        _say(f"{finding.where}: {finding.what}")
    _say(comparison.verdict)
    if comparison.verdict == DIFFERS:
        raise typer.Exit(3)


@app.command(epilog=EXIT_CODES)
def predict(
    activation: Annotated[str, typer.Option(help="As in a config: tanh, or \"{name: elu, alpha: 0.5}\".")],
    init: Annotated[str, typer.Option(help="As in a config: he_normal, or \"{name: normal, sigma_w: 1.5}\".")],
    width: Annotated[str, typer.Option(help="Number of units in each hidden layer.")],
    depth: Annotated[str, typer.Option(help="Number of layers of weights, the output layer's included.")],
    weight_scale: Annotated[str | None, typer.Option(help="Multiplies the initialisation; default 1.")] = None,
    bias_scale: Annotated[str | None, typer.Option(help="σ_b; default what the initialisation has.")] = None,
    input_width: Annotated[str | None, typer.Option(help="Number of inputs; default the width.")] = None,
    output_width: Annotated[str | None, typer.Option(help="Number of outputs; default the width.")] = None,
    output: Annotated[str | None, typer.Option(help="activation (the default) or linear.")] = None,
) -> None:
    """Say what theory predicts of a network, without running it."""
    from harness.forecast import forecast, spec_of

    written = {"activation": activation, "init": init, "width": width, "depth": depth, "weight_scale": weight_scale,
               "bias_scale": bias_scale, "input_width": input_width, "output_width": output_width,
               "output": output}  # fmt: skip
    _print_table(forecast(spec_of(written)))


@app.command("list", epilog=EXIT_CODES)
def list_() -> None:
    """List activations, initialisations, measures, figures and experiments."""
    from harness.catalogue import catalogue

    for table in catalogue(Path("experiments")):
        _print_table(table)


@app.command(epilog=EXIT_CODES)
def schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    import json

    from harness.config import json_schema

    _say(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _execute(prepared: "Prepared", workers: int | str) -> None:
    from harness import driver

    with _progress(prepared) as report:
        driver.execute(prepared, workers, report)


def _workers(text: str) -> int | str:
    if text == "auto" or (text.isdecimal() and int(text) > 0):
        return text if text == "auto" else int(text)
    raise typer.BadParameter(f"{text!r} is not a number of workers; use 1 or more, or auto", param_hint="--workers")


# Ctrl-C: only a sweep has work to put away; all else, the first second of imports too, ends where it is --------------


def _end(*_: object) -> None:
    print("interrupted", file=sys.stderr)
    os._exit(130)


@contextmanager
def _interruptible() -> Iterator[None]:
    _on_interrupt(signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        _say("interrupted; finished blocks are kept: run the same command again to go on", err=True)
        raise typer.Exit(130) from None
    finally:
        _on_interrupt(_end)


def _on_interrupt(handler: Callable) -> None:
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # which a background job has
        signal.signal(signal.SIGINT, handler)


# What is said -------------------------------------------------------------------------------------------------------


def _print_plan(prepared: "Prepared", workers: int) -> None:
    from harness.driver import estimate

    plan = prepared.plan
    memory = max((block.memory for block in plan.blocks), default=0)
    for name, value in (
        ("results folder", prepared.folder),
        ("networks", f"{plan.networks:,}"),
        ("layers, that is rows", f"{plan.layers:,}"),
        ("blocks", f"{len(plan.blocks):,}"),
        ("workers", workers),
        ("memory per worker", f"about {memory / 1e9:.2g} GB"),
        ("time", f"about {_duration(estimate(plan, workers))}"),
    ):
        _say(f"{name + ':':22}{value}")


def _print_written(folder: Path) -> None:
    from harness.results import load

    results = load(folder)
    figures = results.draw()
    for table in results.summary():
        _print_table(table)
    _print_verdicts(results.sweep.name, results.write_verdicts() or ())
    _say(f"tables: {folder / 'layers'}, {folder / 'networks'}    config: {folder / 'config.yaml'}")
    for path in figures:
        if path.suffix == ".png":
            _say(f"figure: {path}")


def _print_verdicts(name: str, verdicts: "Sequence[Verdict]") -> None:
    from harness.verdicts import table

    if drawn := table(f"Claims of {name}", verdicts):
        _print_table(drawn)


def _print_table(table: "Table") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(soft_wrap=False, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = 200  # a pipe or a file has no width; do not fold what is read by programs
    drawn = RichTable(title=Text(table.title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in table.columns:
        drawn.add_column(Text(column), overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(_printable(cell)) for cell in row))
    with console.capture() as captured:
        console.print(drawn)
        if table.note:
            console.print(Text(table.note))
    _say(captured.get(), end="")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# Progress: a bar on a terminal, else a plain line every 10 s --------------------------------------------------------


def _progress(prepared: "Prepared"):
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
            _say(_said(progress, now - self.started), err=True)

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
    if not progress.work:
        return text
    left = seconds / progress.work * (1 - progress.work)
    return f"{text}, {progress.networks / max(seconds, 1e-9):,.0f} a second, {_duration(left)} left"
