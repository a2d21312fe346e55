"""The arguments and options of the command line, each declared once, and the checks of their values.

Nothing here may import numpy or what needs it: `harness --help` reads this module.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.interface.checkout import completion

if TYPE_CHECKING:
    from harness.execution.dispatch import Resources
    from harness.figures import Appearance
    from harness.interface.terminal import Detail
    from harness.study.verify import Request

# Arguments ----------------------------------------------------------------------------------------------------------

Config = Annotated[
    Path,
    typer.Argument(
        help="YAML file of the sweep, such as configs/depth.yaml.",
        show_default=False,
        autocompletion=completion.configs,
    ),
]
Name = Annotated[str, typer.Argument(help="Name of the config and of its question.", show_default=False)]
Folder = Annotated[
    Path,
    typer.Argument(
        help="A results folder, such as results/depth.", show_default=False, autocompletion=completion.results
    ),
]
Experiments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[EXPERIMENT]...",
        help="Experiments, such as depth; all of them if none is named.",
        show_default=False,
        autocompletion=completion.experiments,
    ),
]

# Options of sweep and verify ----------------------------------------------------------------------------------------

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value of the config, such as network.width=64; may be repeated.",
        show_default=False,
        autocompletion=completion.settings,
    ),
]
Replicates = Annotated[
    int | None,
    typer.Option(help="Number of draws of each network. If there are fewer already, compute only the new ones."),
]
Out = Annotated[Path | None, typer.Option(help="Results folder; by default results/<name>/ under the current folder.")]
Workers = Annotated[str, typer.Option(help="Number of worker processes, or 'auto' for one per core.")]
Memory = Annotated[
    str | None,
    typer.Option(
        help="Memory for each worker, such as 1.5GB; by default the workers share most of this machine's memory."
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Compute on the workers of this Dask scheduler, such as tcp://host:8786."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan without running it.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Remove the results in the folder and start over.")]
AllowLarge = Annotated[bool, typer.Option("--allow-large", help="Accept a sweep of more networks than is sensible.")]
Drop = Annotated[bool, typer.Option("--drop", help="Remove networks in the folder that the config no longer asks for.")]
Mixed = Annotated[
    bool,
    typer.Option(
        "--mixed",
        help="Accept existing results, and Dask workers, of other software or another processor; "
        "the last digits may differ.",
    ),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report page.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the table of settings and the claims alone, and no progress.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also print every block and every stage as it ends, on stderr.")
]
Size = Annotated[str, typer.Option(help="full, or ci, which takes minutes on two cores for all experiments.")]
FreshSeeds = Annotated[
    bool,
    typer.Option("--fresh-seeds", help="Use a random seed and judge only the claims, which must hold for any seed."),
]
UpdateReference = Annotated[
    bool, typer.Option("--update-reference", help="Rewrite the references and print what changed.")
]
VerifyOut = Annotated[Path | None, typer.Option(help="Folder of the results; by default results/verify/SIZE.")]
Markdown = Annotated[
    Path | None, typer.Option(help="Also write the summary to this file, as the page of a CI job.", show_default=False)
]

# Options of show and diff -------------------------------------------------------------------------------------------

Where = Annotated[
    str | None,
    typer.Option(help="Print only networks that meet a condition, such as \"depth == 64 and activation == 'relu'\"."),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="Largest difference, in decades or as a fraction, that counts as equal; by default 1e-9, "
        "and 1e-4 for float32 sweeps."
    ),
]

# Options of plot ----------------------------------------------------------------------------------------------------

Figures = Annotated[
    list[str] | None,
    typer.Option(
        "--figure",
        help="Draw this figure; may be repeated. By default those that the config asks for.",
        autocompletion=completion.figures,
    ),
]
Formats = Annotated[
    list[str] | None, typer.Option("--format", help="png, svg or pdf; may be repeated. By default png and svg.")
]
FigureWidth = Annotated[str | None, typer.Option("--width", help="Width of the figure, such as 3.3in or 84mm.")]
Style = Annotated[Path | None, typer.Option(help="Style file of matplotlib, applied after the figures' own settings.")]
Colours = Annotated[
    list[str] | None,
    typer.Option("--colour", metavar="NAME=COLOUR", help="Colour of an activation, such as relu=navy; repeatable."),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs, instead of tables.")]

# Options of predict -------------------------------------------------------------------------------------------------


def _value(coordinate: str, help_: str) -> Any:
    """An option that takes a value of a coordinate, written as in a config and completed with its names."""
    return typer.Option(help=help_, show_default=False, autocompletion=completion.values_of(f"network.{coordinate}"))


Activation = Annotated[str, _value("activation", 'As in a config: tanh, or "{name: elu, alpha: 0.5}".')]
Init = Annotated[str, _value("init", 'As in a config: he_normal, or "{name: normal, sigma_w: 1.5}".')]
Width = Annotated[str, typer.Option(help="Number of units in each hidden layer.")]
Depth = Annotated[str, typer.Option(help="Number of layers of weights, including the output layer.")]
WeightScale = Annotated[str | None, typer.Option(help="Factor on the weights of the initialisation; by default 1.")]
BiasScale = Annotated[str | None, typer.Option(help="σ_b; by default that of the initialisation.")]
InputWidth = Annotated[str | None, typer.Option(help="Number of inputs; by default the width.")]
OutputWidth = Annotated[str | None, typer.Option(help="Number of outputs; by default the width.")]
Normalisation = Annotated[
    str | None, _value("normalisation", "Of every hidden layer: batch, layer, rms or none (the default).")
]
Normalise = Annotated[str | None, _value("normalise", "Where: preactivations (the default) or outputs.")]
Residual = Annotated[
    str | None, _value("residual", 'Skips: pre, inside, post, fixup or none, or "{name: pre, alpha: 0.5}".')
]
WeightStandardised = Annotated[
    bool, typer.Option("--weight-standardised", help="Centre and scale every column of the weights.")
]
Batch = Annotated[int, typer.Option(help="Number of samples in a batch; counts for batch normalisation.", min=1)]
Output = Annotated[str | None, typer.Option(help="Output layer: activation (the default) or linear.")]

# Checks of values ---------------------------------------------------------------------------------------------------


def resources(workers: str, memory: str | None = None, dask: str | None = None) -> "Resources":
    """The resources that `--workers`, `--memory` and `--dask` ask for. Raises BadParameter for unusable values."""
    if workers != "auto" and not (workers.isdecimal() and int(workers) > 0):
        raise typer.BadParameter(
            f"{workers!r} is not a number of workers; use 1 or more, or auto", param_hint="--workers"
        )
    if dask and workers != "auto":
        raise typer.BadParameter("a cluster has workers of its own; leave it out with --dask", param_hint="--workers")
    limit = _bytes(memory)
    from harness.execution.dispatch import Resources

    return Resources(workers if workers == "auto" else int(workers), limit, dask)


def detail(quiet: bool, verbose: bool) -> "Detail":
    """How much a sweep prints. Raises BadParameter for both."""
    if quiet and verbose:
        raise typer.BadParameter("not with --verbose", param_hint="--quiet")
    return "quiet" if quiet else "verbose" if verbose else "usual"


def _bytes(memory: str | None) -> int | None:
    from harness.execution.pools.machine import bytes_of

    try:
        return None if memory is None else bytes_of(memory)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--memory") from None


INCHES = {"in": 1.0, "mm": 1 / 25.4, "cm": 1 / 2.54, "pt": 1 / 72}
WIDTHS = (1.5, 40.0)  # inches: less holds no axis, more fits on no paper


def appearance(
    formats: list[str] | None, width: str | None, style: Path | None, colours: list[str] | None
) -> "Appearance":
    """The look that the options of `plot` ask for. Raises BadParameter for unusable values."""
    from harness.figures import FORMATS, USUAL, Appearance

    for form in formats or ():
        if form not in FORMATS:
            raise typer.BadParameter(f"{form!r} is not a format; use {', '.join(FORMATS)}", param_hint="--format")
    pairs = [colour.partition("=") for colour in colours or ()]
    if wrong := [f"{name}{equals}{colour}" for name, equals, colour in pairs if not (name and colour)]:
        raise typer.BadParameter(f"{wrong[0]!r} is not of the form relu=navy", param_hint="--colour")
    named = {name: colour for name, _, colour in pairs}
    return Appearance(tuple(formats or USUAL.formats), _inches(width), style, named)


def _inches(width: str | None) -> float | None:
    if width is None:
        return None
    number, unit = (width[:-2], width[-2:]) if width[-2:] in INCHES else (width, "in")
    try:
        inches = float(number) * INCHES[unit]
    except ValueError:
        inches = 0.0
    if not WIDTHS[0] <= inches <= WIDTHS[1]:
        raise typer.BadParameter(
            f"{width!r} is not a width of 1.5 to 40 inches; write 3.3in, 84mm, 8.4cm or 240pt", param_hint="--width"
        )
    return inches


def request(
    names: list[str] | None, size: str, fresh_seeds: bool, update_reference: bool, out: Path | None
) -> "Request":
    """The request that the options of `verify` make. Raises BadParameter for unusable values."""
    from harness.study.verify import SIZES, Request, new_seed

    if size not in SIZES:
        raise typer.BadParameter(f"{size!r} is not a size; use ci or full", param_hint="--size")
    if fresh_seeds and update_reference:
        raise typer.BadParameter(
            "not with --fresh-seeds: a reference has the config's own seed", param_hint="--update-reference"
        )
    return Request(tuple(names or ()), size, new_seed() if fresh_seeds else None, update_reference, out)
