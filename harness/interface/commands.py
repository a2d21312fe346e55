"""The command line: each command parses, calls one function, and prints what it returns."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.interface import measuring, options, reading
from harness.interface.checkout import checking
from harness.interface.checkout import commands as checkout
from harness.interface.interrupts import end, interruptible, on_interrupt
from harness.interface.output import StandardStreams
from harness.interface.probe import probing
from harness.interface.report import command as reporting
from harness.interface.terminal import (
    plain_table,
    print_conclusion,
    print_json,
    print_plan,
    print_results,
    print_table,
    print_verdicts,
    progress,
    say,
    say_error,
)
from harness.results.code import sources
from harness.results.folder import is_probe

if TYPE_CHECKING:
    from harness.config import Sweep

EXIT_CODES = (
    "Exit codes: 0 done, 1 a run failed or was left unfinished, or a check fails, 2 a config, an option or a results "
    "folder cannot be used, 3 a comparison differs, or a claim or figure fails (diff, verify), or a probe finds "
    "what --fail-on names, 130 interrupted, 143, 129 and 131 ended by SIGTERM, SIGHUP and SIGQUIT (finished "
    "blocks are kept). A sweep exits with 0 whatever its verdicts are; verify's exit code depends on claims."
)

app = typer.Typer(
    help="How gradients vanish and explode with depth, and how much of it the activation and the weights account for.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line. An error that the user can act on is printed to stderr and sets the exit code.

    Output that cannot be written does not end a command. The exit code of a sweep says what its results are; that of
    a command whose answer is what it prints is 1 if the answer was lost.
    """
    on_interrupt(end)
    from harness.execution.pools.worker import ONE_THREAD

    # The command multiplies small matrices only, and where processes are limited BLAS would end it.
    os.environ.update(ONE_THREAD | os.environ)
    streams = StandardStreams()
    code = _run()
    answer_lost = streams.finish(results_kept=sys.argv[1:2] in (["sweep"], ["verify"]) and "--dry-run" not in sys.argv)
    sys.exit(code or int(answer_lost))


def _run() -> int | str | None:
    """Run the command that the arguments name. Returns its exit code."""
    from harness.base.errors import HarnessError, shortage

    try:
        app()
    except SystemExit as ended:
        return ended.code
    except HarnessError as error:
        say_error(error)
        return error.exit_code
    except Exception as error:
        if said := shortage(error) or sources.reason_of_change(error):
            say_error(said)
            return 1
        raise
    return 0


def _print_version(asked: bool) -> None:
    if asked:
        say(f"harness {sys.modules['harness'].__version__}")
        raise typer.Exit


@app.callback()
def _main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Declare the options that stand before a command."""


@app.command(help="Run a sweep: compute what is missing, then draw and summarise.", epilog=EXIT_CODES)
def sweep(
    config: options.Config,
    overrides: options.Overrides = None,
    replicates: options.Replicates = None,
    out: options.Out = None,
    workers: options.Workers = "auto",
    memory: options.Memory = None,
    dask: options.Dask = None,
    dry_run: options.DryRun = False,
    fresh: options.Fresh = False,
    allow_large: options.AllowLarge = False,
    mixed: options.Mixed = False,
    drop: options.Drop = False,
    no_report: options.NoReport = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    detail = options.detail(quiet, verbose)
    given = _read_unlocked(config, overrides or (), replicates, out, allow_large)
    resources = options.resources(workers, memory, dask)
    from harness.study.sweep import prepare, run

    study = prepare(given, out=out, fresh=fresh, mixed=mixed, drop=drop)
    if dry_run:
        from harness.execution.estimate import estimate

        with study.prepared.own.in_force():
            print_plan(study.prepared, resources, estimate(study.prepared.plan, resources))
        return
    if study.question and not quiet:
        say(f"{study.question.path}: {study.question.sentence}")
    with interruptible(), progress(detail) as report:
        conclusion = run(study, resources, report, say_error)
    print_conclusion(conclusion, quiet)
    if not no_report:
        reporting.after_sweep(conclusion.results, quiet)
    if conclusion.failed_figures:
        raise typer.Exit(1)


def _read_unlocked(
    config: Path, overrides: Sequence[str], replicates: int | None, out: Path | None, allow_large: bool
) -> "Sweep":
    """The sweep that a config describes. Raises ConfigError, or ResultsError where its results folder is in use."""
    from harness.config import read  # first: a wrong config, or a folder in use, is reported within a second
    from harness.results.disk.lock import require_unlocked
    from harness.results.folder import results_folder
    from harness.study.own.finding import own_of_config

    with own_of_config(config, overrides).in_force():
        given = read(config, overrides, replicates, allow_large)
    require_unlocked(results_folder(given.name, out))
    return given


@app.command(help="Print the summary of a results folder again.", epilog=EXIT_CODES)
def show(results: options.Folder, where: options.Where = None, as_json: options.Json = False) -> None:
    if is_probe(results):
        return probing.show(results, where, as_json)
    found = reading.opened(results)
    tables, verdicts = [*filter(None, [found.glance(where)]), *found.summary(where)], found.verdicts()
    finished, wanted, failures = len(found.networks), found.manifest["networks"], found.manifest.get("failed", ())
    if as_json:
        from harness.study.verdicts import to_json

        plain = {"name": found.sweep.name, "question": found.question(), "answer": found.answer()}
        print_json(plain | {"tables": [*map(plain_table, tables)], "claims": to_json(verdicts)})
    else:
        print_results(found.sweep.name, tables, verdicts)
    if finished < wanted:
        say_error(f"unfinished: {finished:,} of {wanted:,} networks; run the sweep again to go on")
    for failed in failures:
        say_error(f"block {failed['block']} failed: {failed['why']}")


@app.command(
    help="Run experiments again: do their claims hold, and do the numbers agree with those in results/reference?",
    epilog=EXIT_CODES,
)
def verify(
    names: options.Experiments = None,
    size: options.Size = "full",
    fresh_seeds: options.FreshSeeds = False,
    update_reference: options.UpdateReference = False,
    out: options.VerifyOut = None,
    workers: options.Workers = "auto",
    markdown: options.Markdown = None,
    as_json: options.Json = False,
) -> None:
    resources = options.resources(workers)
    request = options.request(names, size, fresh_seeds, update_reference, out)
    if markdown is not None and not markdown.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {markdown.absolute().parent}; make it", param_hint="--markdown")
    from harness.study import verify as verification

    done = []
    for job in verification.jobs(request):
        with interruptible(), progress() as report:
            done.append(verification.verify_sweep(job, request, resources, report, say_error))
        if not as_json:
            print_verdicts(job.title, done[-1].verdicts)
            for line in verification.remarks(done[-1]):
                say(line)
    path = verification.write_claims(request, done)
    if markdown is not None:
        markdown.write_text(verification.page(request, done), encoding="utf-8")
    if as_json:
        print_json(verification.plain(request, done))
    else:
        say(f"claims: {path}")
        say(verification.summary(done) + (f"; seed {request.fresh_seed}" if fresh_seeds else ""))
    if not all(verified.good for verified in done):
        raise typer.Exit(3)


@app.command(help="Draw the figures of a results folder again.", epilog=EXIT_CODES)
def plot(
    results: options.Folder,
    figure: options.Figures = None,
    formats: options.Formats = None,
    width: options.FigureWidth = None,
    style: options.Style = None,
    colours: options.Colours = None,
) -> None:
    if is_probe(results):
        return probing.plot(results)
    look = options.appearance(formats, width, style, colours)
    found = reading.opened(results)
    figures, not_drawn = found.draw(figure, look), found.not_drawn(figure)
    for path in figures:
        say(path)
    for line in not_drawn:
        say_error(line)


@app.command(help="Print what theory predicts for a network, without running it.", epilog=EXIT_CODES)
def predict(
    activation: options.Activation,
    init: options.Init,
    width: options.Width,
    depth: options.Depth,
    weight_scale: options.WeightScale = None,
    bias_scale: options.BiasScale = None,
    input_width: options.InputWidth = None,
    output_width: options.OutputWidth = None,
    output: options.Output = None,
    normalisation: options.Normalisation = None,
    normalise: options.Normalise = None,
    residual: options.Residual = None,
    weight_standardised: options.WeightStandardised = False,
    batch: options.Batch = 64,
    as_json: options.Json = False,
) -> None:
    from harness.interface.forecast import forecasts, spec_of

    written = {
        "activation": activation,
        "init": init,
        "width": width,
        "depth": depth,
        "weight_scale": weight_scale,
        "bias_scale": bias_scale,
        "input_width": input_width,
        "output_width": output_width,
        "output": output,
        "normalisation": normalisation,
        "normalise": normalise,
        "residual": residual,
        "weight_standardised": "true" if weight_standardised else None,
    }
    tables = forecasts(spec_of(written, batch), batch)
    if as_json:
        print_json([*map(plain_table, tables)])
        return
    for table in tables:
        print_table(table)


app.command(help=measuring.HELP, epilog=EXIT_CODES)(measuring.measure)
app.command(help=reading.DIFF_HELP, epilog=EXIT_CODES)(reading.diff)
app.command(help=reading.COMPARE_HELP, epilog=EXIT_CODES)(reading.compare)
app.command(help=reading.WATCH_HELP, epilog=EXIT_CODES)(reading.watch)
app.command(help=reporting.HELP, epilog=EXIT_CODES)(reporting.report)
app.command(help=probing.HELP, epilog=EXIT_CODES)(probing.probe)
app.command("list", help=checkout.LIST_HELP, epilog=EXIT_CODES)(checkout.list_)
app.command(help=checkout.NEW_HELP, epilog=EXIT_CODES)(checkout.new)
app.command(help=checking.HELP, epilog=EXIT_CODES)(checking.check)


@app.command(help="Print the JSON Schema of a config, for editors.", epilog=EXIT_CODES)
def schema() -> None:
    import json

    from harness.config import json_schema

    say(json.dumps(json_schema(), indent=2, ensure_ascii=False))
