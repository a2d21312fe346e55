"""The command line: parse, call, print."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.dispatch import Progress
    from harness.driver import Prepared
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
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Compute on the workers of this Dask scheduler, such as tcp://host:8786.")] = None,  # noqa: E501
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be computed, and end.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the results that are there and start over.")] = False,
    allow_large: Annotated[bool, typer.Option("--allow-large", help="Accept a sweep of absurd size.")] = False,
    mixed: Annotated[bool, typer.Option("--mixed", help="Go on from results made with other software or another processor, and accept such Dask workers; the last digits may differ.")] = False,  # noqa: E501
) -> None:
    """Run a sweep: networks, tables, figures, summary. What is there already is not computed again."""
    count = _workers(workers)
    if dask and workers != "auto":
        raise typer.BadParameter("a cluster has workers of its own; leave it out with --dask", param_hint="--workers")
    from harness import folder
    from harness.config import read  # before what is heavy: nonsense, and a folder in use, are told within a second

    given = read(config, set_, replicates, allow_large)
    folder.require_free(folder.results_folder(given.name, out))
    from harness import dispatch, driver

    prepared = driver.prepare(given, out=out, fresh=fresh, mixed=mixed)
    if dry_run:
        _print_plan(prepared, dispatch.how_many(count, prepared.plan))
        return
    if prepared.question:
        _say(_printable(f"{prepared.question.path}: {prepared.question.sentence}"))
    progress = _progress(prepared)
    with _interruptible(), progress as report:
        driver.execute(prepared, count, report, note=lambda line: _say(line, err=True), dask=dask)
    _print_written(prepared.folder)


@app.command(epilog=EXIT_CODES)
def show(
    results: Folder,
    where: Annotated[str | None, typer.Option(help="Only these networks, as in \"depth == 64 and activation == 'relu'\".")] = None,  # noqa: E501
) -> None:
    """Print the summary of a results folder again."""
    from harness.results import load

    found = load(results)
    for table in found.summary(where):
        _print_table(table)
    wanted = found.manifest.get("networks", 0)
    if len(found.networks) < wanted:
        _say(f"unfinished: {len(found.networks):,} of {wanted:,} networks; run the sweep again to go on", err=True)
    for failed in found.manifest.get("failed", ()):
        _say(f"block {failed['block']} failed: {_printable(failed['why'])}", err=True)


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


def _workers(text: str) -> int | str:
    if text == "auto" or (text.isdecimal() and int(text) > 0):
        return text if text == "auto" else int(text)
    raise typer.BadParameter(f"{text!r} is not a number of workers; use 1 or more, or auto", param_hint="--workers")


# Ctrl-C: only a sweep has work to put away; all else, the first second of imports too, ends where it is --------------


GRACE = 3  # seconds for a sweep to put its work away


def _end(*_: object) -> None:
    print("interrupted", file=sys.stderr)
    if sys.stderr.isatty():
        print("\x1b[?25h", end="", file=sys.stderr, flush=True)  # the cursor, which a bar hides
    os._exit(130)


@contextmanager
def _interruptible() -> Iterator[None]:
    _on_interrupt(signal.default_int_handler)
    _insist()
    try:
        yield
    except KeyboardInterrupt:
        _say("interrupted; finished blocks are kept: run the same command again to go on", err=True)
        raise typer.Exit(130) from None
    finally:
        _on_interrupt(_end)


def _insist() -> None:
    """End on a second Ctrl-C, or some seconds after the first: Python hears neither inside of a long call into C."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)  # the C handler itself writes each signal's number there

    def watch() -> None:
        while os.read(reads, 1) != bytes([signal.SIGINT]):
            pass
        select.select([reads], [], [], GRACE)
        _end()

    threading.Thread(target=watch, daemon=True).start()


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
    _say(f"tables: {folder / 'layers'}, {folder / 'networks'}    config: {folder / 'config.yaml'}")
    for path in figures:
        if path.suffix == ".png":
            _say(f"figure: {path}")


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
