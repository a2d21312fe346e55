"""`harness report`: the page of a results folder, or of each of several with an index page before them."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.base.errors import ResultsError
from harness.interface.reading import opened
from harness.interface.terminal import say

if TYPE_CHECKING:
    from harness.study.results import Results

HELP = "Write the report page of a results folder, or of each one in a folder of them, with an index page."

Folder = Annotated[
    Path, typer.Argument(help="A results folder, such as results/depth, or a folder of them.", show_default=False)
]
Open = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]
Out = Annotated[
    Path | None,
    typer.Option(help="File to write; by default report.html in the results folder, or index.html above several."),
]


def report(results: Folder, open_page: Open = False, out: Out = None) -> None:
    """Write the page, print its path, and open it if asked to."""
    if out is not None and not out.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.absolute().parent}; make it", param_hint="--out")
    if out is not None and out.is_dir():
        raise typer.BadParameter(
            f"{out} is a folder; give the name of a file, such as {out / 'report.html'}", param_hint="--out"
        )
    path = _write(results, out)
    say(path)
    if open_page:
        webbrowser.open(path.absolute().as_uri())


def after_sweep(results: "Results", quiet: bool) -> None:
    """Write the page of a sweep that has run, and print its path."""
    from harness.interface.report.page import write_report

    path = write_report(results)
    if not quiet:
        say(f"report: {path}")


def _write(results: Path, out: Path | None) -> Path:
    from harness.interface.report import index, page

    folders = index.results_in(results)
    if not folders:
        return page.write_report(opened(results), out)
    if out is not None and out.absolute().parent != results.absolute():
        raise ResultsError(f"{out}: the index page links to the pages beside it; give --out a name in {results}")
    return index.write_index(results, folders, out)
