"""The results folder: its path, the names of what it holds, and whether a folder is one.

Imports nothing heavy, so that a folder in use is reported within a second.
"""

import os
from collections.abc import Collection
from pathlib import Path

from harness.base.errors import ResultsError

LOCK = ".lock"
CONFIG, MANIFEST, CLAIMS = "config.yaml", "manifest.json", "claims.json"
FINDINGS = "findings.json"  # of a probe; a sweep has none
LAYERS, NETWORKS, FIGURES, REPORT = "layers", "networks", "figures", "report.html"
STEPS, STEP_LAYERS = "steps", "step_layers"  # tables of a sweep that trains
BEFORE = ".before"  # parts of a sweep that is being changed, from which networks are taken over
RESULT_FILES = (MANIFEST, CLAIMS, FINDINGS, REPORT, FIGURES, NETWORKS, STEPS, STEP_LAYERS, LAYERS, CONFIG, BEFORE)
WRITE_TEST = ".probe.aside"  # written and removed to see whether the folder takes new files


def results_folder(name: str, out: str | os.PathLike | None) -> Path:
    """`out`, or else results/<name>. Raises ResultsError if `out` has no parent folder or results/<name> is a link.

    The name comes from a config, which may be someone else's, so it must not lead out of results/; `out` is the user's.
    """
    if out is None:
        folder = Path("results") / name
        if folder.is_symlink():
            raise ResultsError(f"{folder}: a link; to write where it leads, give --out {os.path.realpath(folder)}")
        return folder
    folder = Path(out)
    require_text(folder)
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise ResultsError(f"{folder}: there is no folder {parent}; make it, or choose another with --out")
    return folder


def require_text(folder: Path) -> None:
    """Raise ResultsError for a path that is not UTF-8, in which the readers of parts take every path."""
    try:
        os.fsencode(folder).decode()
    except UnicodeDecodeError:
        raise ResultsError(
            f"{folder}: the name is not UTF-8; rename the folder, or choose another with --out"
        ) from None


def is_results_folder(folder: Path) -> bool:
    """Whether a folder holds results. Raises ResultsError for a file, or a folder that holds other files.

    --fresh may empty a results folder, so a config.yaml alone does not make one: a run leaves more.
    """
    if not os.path.lexists(folder):
        return False
    if not folder.is_dir():
        raise ResultsError(f"{folder}: a file, not a folder; choose another with --out")
    if (folder / CONFIG).is_file() and any((folder / name).exists() for name in (LOCK, NETWORKS)):
        _refuse_links(folder)
        return True
    if any(not path.name.startswith(".") and not _is_empty_folder(path) for path in folder.iterdir()):
        raise ResultsError(f"{folder}: not a results folder, and not empty; choose another with --out")
    return False


def is_probe(folder: Path) -> bool:
    """Whether a folder holds the results of a probe or of a watched training, and not those of a sweep."""
    return (folder / FINDINGS).is_file()


def _is_empty_folder(path: Path) -> bool:
    """Whether a folder is empty, but for the write test of a run that was killed."""
    return path.is_dir() and not path.is_symlink() and all(inside.name == WRITE_TEST for inside in path.iterdir())


def _refuse_links(folder: Path) -> None:
    """Raise ResultsError for a link, through which files would be written outside of the folder."""
    inside = [folder / name for name in (LOCK, *RESULT_FILES)]
    figures = folder / FIGURES
    inside += figures.iterdir() if figures.is_dir() and not figures.is_symlink() else ()
    for path in inside:
        if path.is_symlink():
            raise ResultsError(f"{path}: a link out of the results folder; remove it, or choose another with --out")


def remove_results(folder: Path, figures: Collection[str]) -> None:
    """Remove the manifest, the claims and the config of an earlier sweep, and its figures of these names.

    `parts.remove_leftovers` removes its tables. Files that no run writes stay.
    """
    for name in figures:
        for form in ("png", "svg"):
            (folder / FIGURES / f"{name}.{form}").unlink(missing_ok=True)
    for name in (MANIFEST, CLAIMS, FINDINGS, CONFIG):
        (folder / name).unlink(missing_ok=True)
    try:
        (folder / FIGURES).rmdir()
    except OSError:
        pass  # there are files of the user's in it, or it was never made
