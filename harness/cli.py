"""The command line: parse, call, print."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.interrupts import end, interruptible, on_interrupt
from harness.terminal import print_plan, print_table, print_verdicts, print_written, progress, say

if TYPE_CHECKING:
    from harness.dispatch import Where
    from harness.driver import Prepared
    from harness.verify import Request

EXIT_CODES = """
Exit codes: 0 done, 1 a run failed or was left unfinished, 2 a config, an option or a results folder that cannot be
used, 3 a comparison differs or a claim does not hold (diff, verify), 130 interrupted (finished blocks are kept).
A sweep that ends has done its work, and prints its verdicts: it is verify whose exit code is about claims.
"""

app = typer.Typer(
    help="How gradients vanish and explode with depth, and what share is the activation's and what the weights'.",
    epilog=EXIT_CODES, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)  # fmt: skip



def _say_version(asked: bool) -> None:
    if asked:
        say(f"harness {sys.modules[__package__].__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version, and end.")] = False,  # noqa: E501
) -> None:
    """Options before a command."""


Config = Annotated[Path, typer.Argument(help="YAML file of the sweep, such as configs/depth.yaml.", show_default=False)]
Folder = Annotated[Path, typer.Argument(help="A results folder, such as results/depth.", show_default=False)]


def main() -> None:
    """Run the command line; an error the user can act on is its text on stderr and its exit code."""
    from harness.errors import HarnessError

    on_interrupt(end)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal of another encoding gets ? for what it cannot show
    try:
        app()
    except HarnessError as error:
        say(error, err=True)
        sys.exit(error.exit_code)


@app.command(epilog=EXIT_CODES)
def sweep(
    config: Config,
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change the config, such as network.width=64; may be repeated.")] = [],  # noqa: B006, E501
    replicates: Annotated[int | None, typer.Option(help="Number of draws of each network; more than before computes only the new ones.")] = None,  # noqa: E501
    out: Annotated[Path | None, typer.Option(help="Results folder; by default results/<name>/ under the current folder.")] = None,  # noqa: E501
    workers: Annotated[str, typer.Option(help="Worker processes, or 'auto': one a core.")] = "auto",
    memory: Annotated[str | None, typer.Option(help="Memory each worker may take, such as 1.5GB; by default its part of a share of what this machine has.")] = None,  # noqa: E501
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Compute on the workers of this Dask scheduler, such as tcp://host:8786.")] = None,  # noqa: E501
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be computed, and end.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the results that are there and start over.")] = False,
    allow_large: Annotated[bool, typer.Option("--allow-large", help="Accept a sweep of absurd size.")] = False,
    mixed: Annotated[bool, typer.Option("--mixed", help="Go on from results, and accept Dask workers, of other software or another processor; the last digits may differ.")] = False,  # noqa: E501
) -> None:
    """Run a sweep: networks, tables, figures, summary. What is there already is not computed again."""
    count, limit = _workers(workers), _memory(memory)
    if dask and workers != "auto":
        raise typer.BadParameter("a cluster has workers of its own; leave it out with --dask", param_hint="--workers")
    from harness import folder
    from harness.config import read  # before what is heavy: nonsense, and a folder in use, are told within a second

    given = read(config, set_, replicates, allow_large)
    folder.require_free(folder.results_folder(given.name, out))
    from harness import driver
    from harness.dispatch import Where

    where = Where(count, limit, dask)
    prepared = driver.prepare(given, out=out, fresh=fresh, mixed=mixed)
    if dry_run:
        print_plan(prepared, where)
        return
    if prepared.question:
        say(f"{prepared.question.path}: {prepared.question.sentence}")
    with interruptible():
        _execute(prepared, where)
    print_written(prepared)


@app.command(epilog=EXIT_CODES)
def show(
    results: Folder,
    where: Annotated[str | None, typer.Option(help="Only these networks, as in \"depth == 64 and activation == 'relu'\".")] = None,  # noqa: E501
) -> None:
    """Print the summary of a results folder again."""
    from harness.results import load

    found = load(results)
    tables, verdicts, wanted = found.summary(where), found.verdicts(), found.manifest["networks"]
    for table in tables:
        print_table(table)
    if len(found.networks) < wanted:
        say(f"unfinished: {len(found.networks):,} of {wanted:,} networks; run the sweep again to go on", err=True)
    print_verdicts(found.sweep.name, verdicts)
    for failed in found.manifest.get("failed", ()):
        say(f"block {failed['block']} failed: {failed['why']}", err=True)


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
    from harness import verify as verification
    from harness.dispatch import Where

    where = Where(_workers(workers))
    request = _request(tuple(names or ()), size, fresh_seeds, update_reference, out)
    if markdown is not None and not markdown.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {markdown.absolute().parent}; make it", param_hint="--markdown")
    outcomes = []
    for job in verification.jobs(request):
        with interruptible():
            outcomes.append(verification.run(job, request, lambda prepared: _execute(prepared, where)))
        print_verdicts(job.title, outcomes[-1].verdicts)
        for line in verification.remarks(outcomes[-1]):
            say(line)
    say(f"claims: {verification.write_claims(request, outcomes)}")
    if markdown is not None:
        markdown.write_text(verification.page(request, outcomes), encoding="utf-8")
    say(verification.summary(outcomes) + (f"; seed {request.fresh_seed}" if fresh_seeds else ""))
    if not all(outcome.good for outcome in outcomes):
        raise typer.Exit(3)


@app.command(epilog=EXIT_CODES)
def plot(results: Folder) -> None:
    """Draw the figures of a results folder again."""
    from harness.results import load

    found = load(results)
    for path in found.draw():
        say(path)
    for line in found.not_drawn():
        say(line, err=True)


@app.command(epilog=EXIT_CODES)
def diff(
    a: Folder,
    b: Folder,
    tolerance: Annotated[float | None, typer.Option(help="Largest difference, in decades or as a fraction, that counts as none; by default 1e-9, of float32 sweeps 1e-4.")] = None,  # noqa: E501
) -> None:
    """Compare two results folders: identical, within tolerance, or different (exit code 3)."""
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise typer.BadParameter(f"{tolerance:g} is none; use 0 or more, such as 1e-9", param_hint="--tolerance")
    from harness.diff import DIFFERS, other_config, usual_tolerance
    from harness.diff import diff as compare
    from harness.results import load

    first, second = load(a), load(b)
    comparison = compare(first, second, usual_tolerance(first, second) if tolerance is None else tolerance)
    if told := other_config(first, second):
        say(told)
    for finding in comparison.findings:
        say(f"{finding.where}: {finding.what}")
    say(comparison.verdict)
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
    print_table(forecast(spec_of(written)))


@app.command("list", epilog=EXIT_CODES)
def list_() -> None:
    """List activations, initialisations, measures, figures and experiments."""
    from harness.catalogue import catalogue

    for table in catalogue(Path("experiments")):
        print_table(table)


@app.command(epilog=EXIT_CODES)
def schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    import json

    from harness.config import json_schema

    say(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _request(names: tuple[str, ...], size: str, fresh_seeds: bool, update: bool, out: Path | None) -> "Request":
    from harness.verify import SIZES, Request, new_seed

    if size not in SIZES:
        raise typer.BadParameter(f"{size!r} is no size; use ci or full", param_hint="--size")
    if fresh_seeds and update:
        raise typer.BadParameter("not with --fresh-seeds: a reference has the config's own seed", param_hint="--update-reference")  # noqa: E501
    return Request(names, size, new_seed() if fresh_seeds else None, update, out)


def _execute(prepared: "Prepared", where: "Where") -> None:
    from harness import driver

    with progress() as report:
        driver.execute(prepared, where, report, note=lambda line: say(line, err=True))


def _workers(text: str) -> int | str:
    if text == "auto" or (text.isdecimal() and int(text) > 0):
        return text if text == "auto" else int(text)
    raise typer.BadParameter(f"{text!r} is not a number of workers; use 1 or more, or auto", param_hint="--workers")


def _memory(text: str | None) -> int | None:
    from harness.machine import bytes_of

    try:
        return None if text is None else bytes_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--memory") from None
