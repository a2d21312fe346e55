"""Commands that read results folders: `harness diff`, `harness compare` and `harness watch`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.interface import options
from harness.interface.checkout import completion
from harness.interface.probe import probing
from harness.interface.terminal import print_differences, print_table, progress_line, say, say_error
from harness.results.folder import is_probe

if TYPE_CHECKING:
    from harness.study.results import Results

DIFF_HELP = "Compare two results folders: identical, within tolerance, or different (exit code 3)."


def opened(folder: Path) -> "Results":
    """The results in a folder. A question's file that is run for the parts that it defines is named on stderr."""
    from harness.study.results import load

    results = load(folder)
    for file in results.own.files:
        say_error(f"{file}: the activations, initialisations, measures and figures that it defines are used")
    return results


def diff(
    a: options.Folder, b: options.Folder, tolerance: options.Tolerance = None, as_json: options.Json = False
) -> None:
    """Print the first differences and the verdict; exit code 3 for a difference."""
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise typer.BadParameter(
            f"{tolerance:g} is not a tolerance; use 0 or more, such as 1e-9", param_hint="--tolerance"
        )
    if is_probe(a) or is_probe(b):
        return probing.diff(a, b, tolerance, as_json)
    from harness.results.diff import DIFFERS, other_config, usual_tolerance
    from harness.results.diff import diff as compare

    first, second = opened(a), opened(b)
    comparison = compare(first, second, usual_tolerance(first, second) if tolerance is None else tolerance)
    print_differences(comparison.verdict, comparison.mismatches, other_config(first, second), as_json)
    if comparison.verdict == DIFFERS:
        raise typer.Exit(3)


COMPARE_HELP = """Compare two sweeps, or the settings of one, over the same draws: differences with intervals.

Give two results folders, or one and --by with the name of a coordinate, such as init.
"""

First = Annotated[
    Path,
    typer.Argument(metavar="A", help="A results folder.", show_default=False, autocompletion=completion.results),
]
Second = Annotated[
    Path | None,
    typer.Argument(
        metavar="[B]",
        help="The results folder to compare with it.",
        show_default=False,
        autocompletion=completion.results,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        help="A coordinate whose values are compared: activation, init, width, …",
        autocompletion=completion.coordinates,
    ),
]
Figure = Annotated[
    Path | None, typer.Option("--figure", help="Also draw the differences into this file: .png, .svg or .pdf.")
]


def compare(a: First, b: Second = None, by: By = None, figure: Figure = None) -> None:
    """Print the table and the sentence, and draw the figure if asked to."""
    if (b is None) == (by is None):
        raise typer.BadParameter("give two results folders, or one and --by", param_hint="B")
    _check_figure(figure)
    from harness.study.compare import comparison

    first = opened(a)
    found = comparison.compare_sweeps(first, opened(b)) if b else comparison.compare_settings(first, str(by))
    print_table(comparison.summary(found))
    say(found.sentence)
    if figure is not None:
        from harness.figures import save_comparisons

        save_comparisons(found.table, figure, found.sentence)
        say(f"figure: {figure}")


def _check_figure(figure: Path | None) -> None:
    from harness.figures import FORMATS

    if figure is not None and figure.suffix[1:] not in FORMATS:
        raise typer.BadParameter(
            f"{str(figure)!r} does not end in {', '.join(f'.{form}' for form in FORMATS)}", param_hint="--figure"
        )


WATCH_HELP = "Follow a running sweep from another terminal, until it ends."

SECONDS = 1.0  # between two looks at the folder

Watched = Annotated[Path, typer.Argument(help="The results folder of a sweep that runs.", show_default=False)]


def watch(results: Watched) -> None:
    """Print a line whenever blocks have finished. Exit code 1 where no sweep runs and networks are missing."""
    from harness.results.disk.lock import is_locked
    from harness.study.results import load

    opened(results)  # names the file that is run, once
    began, first, said = time.monotonic(), None, -1
    while True:
        running = is_locked(results)  # before the networks are counted: none is missed
        done, total = load(results).progress()
        first = done if first is None else first
        if done != said:
            say(progress_line(done, total, done - first, time.monotonic() - began))
            said = done
        if not running:
            break
        time.sleep(SECONDS)
    say("finished" if done >= total else "no sweep runs here; run it again to go on")
    if done < total:
        raise typer.Exit(1)
