"""The command `harness probe`, and show, plot and diff of what it wrote."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.interface.terminal import plain_table, print_differences, print_json, print_table, say

if TYPE_CHECKING:
    from harness.study.probe.report import Report

Model = Annotated[
    str,
    typer.Argument(
        metavar="FILE.py:NAME",
        help="A Python file and, in it, a torch.nn.Module or a function that returns one.",
        show_default=False,
    ),
]
Input = Annotated[
    Path,
    typer.Option(
        help="A .npz file: the array `inputs`, or the model's arguments by name, and `targets`.", show_default=False
    ),
]
Loss = Annotated[
    str | None,
    typer.Option(
        help="A function of torch.nn.functional, such as cross_entropy, or NAME of a function in the file. By default "
        "cross_entropy for whole targets, mse_loss for others, and without targets what the model returns."
    ),
]
Batches = Annotated[int, typer.Option(help="Number of parts of the batch that tell how sure the findings are.")]
Format = Annotated[str | None, typer.Option(help="Also run under autocast to float16 or bfloat16.")]
Out = Annotated[Path | None, typer.Option(help="Write the results into this folder.")]
Evaluate = Annotated[bool, typer.Option("--eval", help="Put the model into evaluation mode, not training mode.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND",
        help="Exit with code 3 on a finding of this kind, such as vanishing or 'dead layer'; may be repeated.",
        show_default=False,
    ),
]

HELP = """Find what is wrong with the gradients of your own PyTorch model: where, whose fault it is, and what to change.

Runs the code of the file and of the model. Needs PyTorch: pip install "gradient-harness\\[torch]".
"""


def probe(
    model: Model,
    input: Input,
    loss: Loss = None,
    batches: Batches = 3,
    format: Format = None,
    evaluate: Evaluate = False,
    out: Out = None,
    fail_on: FailOn = None,
) -> None:
    from harness.study.probe.judge import kinds_matching
    from harness.study.probe.probe import require_torch

    require_torch("harness probe")
    refused = {kind for asked in fail_on or () for kind in kinds_matching(asked)}
    from harness.interface.probe.users_code import batch_of, load_model, loss_of, pass_errors, run_file

    say(f"running the code of {model}")
    module = run_file(model)
    built = load_model(module, model).train(not evaluate)
    inputs, targets = batch_of(input, built)
    from harness.study.probe.probe import probe as run

    cost = loss_of(loss, module, targets)
    with pass_errors(model):
        report = run(built, inputs, targets, cost, batches=batches, format=format, out=out)
    print_report(report)
    if out is not None:
        say(f"results: {out}")
    if any(finding.kind in refused for finding in report.findings):
        raise typer.Exit(3)


def print_report(report: "Report") -> None:
    """Print the table of operations, then the findings, gravest first."""
    print_table(report.table())
    say(report)


def show(folder: Path, where: str | None, as_json: bool) -> None:
    """Print the report in a folder again, or as JSON."""
    from harness.study.probe.folder import probe_results

    if where is not None:
        raise typer.BadParameter(f"{folder} has the results of a probe, of one network", param_hint="--where")
    report = probe_results(folder)
    if as_json:
        findings = [asdict(finding) for finding in report.findings]
        tables = [plain_table(report.table())]
        print_json({"name": report.name, "tables": tables, "findings": findings, "notes": report.notes})
    else:
        print_report(report)


def plot(folder: Path) -> None:
    """Draw the figures of the report in a folder."""
    from harness.figures.probe import FIGURES, save
    from harness.results.folder import FIGURES as FOLDER
    from harness.study.probe.folder import probe_results

    report = probe_results(folder)
    for name in FIGURES:
        for path in save(name, report.layers, report.networks, folder / FOLDER):
            say(path)


def diff(a: Path, b: Path, tolerance: float | None, as_json: bool) -> None:
    """Compare two reports, row by row. Exit code 3 where they differ by more than the tolerance, by default 1e-4."""
    from harness.results.diff import DIFFERS, IDENTICAL, WITHIN
    from harness.study.probe.folder import differences, probe_results

    found = differences(probe_results(a), probe_results(b))
    allowed = 1e-4 if tolerance is None else tolerance  # float32 on two machines
    largest = max((mismatch.largest for mismatch in found), default=0.0)
    verdict = IDENTICAL if not found else WITHIN if largest <= allowed else DIFFERS
    print_differences(verdict, found, "", as_json)
    if verdict == DIFFERS:
        raise typer.Exit(3)
