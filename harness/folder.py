"""The results folder as a place: where it is, whether it may be written, and who holds it.

Imports nothing heavy, so that a folder in use is told within a second.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from harness.errors import ResultsError
from harness.failpoints import failpoint

LOCK = ".lock"
CONFIG, MANIFEST, CLAIMS = "config.yaml", "manifest.json", "claims.json"
LAYERS, NETWORKS, FIGURES = "layers", "networks", "figures"
OURS = (MANIFEST, CLAIMS, FIGURES, NETWORKS, LAYERS, CONFIG)  # last what says they are ours
PROBED = ".probe.aside"  # a file that is there for as long as it takes to see that one can be
PROBE = 0.05  # seconds to try for the lock: another process that only looks at it holds it for microseconds


def results_folder(name: str, out: str | os.PathLike | None) -> Path:
    """`out`, or results/<name>. Raises ResultsError for a place that cannot be, or leads elsewhere.

    A config, which may be a stranger's, names a folder inside results/ and no link out of it; `out` is the user's word.
    """
    if out is None:
        folder = Path("results") / name
        if folder.is_symlink():
            raise ResultsError(f"{folder}: a link; to write where it leads, say --out {os.path.realpath(folder)}")
        return folder
    folder = Path(out)
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise ResultsError(f"{folder}: there is no folder {parent}; make it, or choose another with --out")
    return folder


def start_over(folder: Path) -> None:
    """Remove what an earlier run left in a folder, if it was one of ours; raises ResultsError while one is running."""
    if is_ours(folder):
        with held(folder):
            clear(folder)


def is_ours(folder: Path) -> bool:
    """Whether a folder holds results. Raises ResultsError for a file, or a folder that holds something else.

    A config.yaml alone does not make a results folder, which --fresh may empty: a run leaves more.
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


def _is_empty_folder(path: Path) -> bool:
    """As a run leaves them that was killed before it wrote a file, or while it tried whether it could."""
    return path.is_dir() and not path.is_symlink() and all(inside.name == PROBED for inside in path.iterdir())


def _refuse_links(folder: Path) -> None:
    """What is written goes into the folder, and through no link out of it."""
    inside = [folder / name for name in (LOCK, *OURS)]
    figures = folder / FIGURES
    inside += figures.iterdir() if figures.is_dir() and not figures.is_symlink() else ()
    for path in inside:
        if path.is_symlink():
            raise ResultsError(f"{path}: a link out of the results folder; remove it, or choose another with --out")


def require_free(folder: Path) -> None:
    """Raises ResultsError where another run holds the folder. Changes nothing, and promises nothing for later."""
    try:
        lock = (folder / LOCK).open(encoding="utf-8")
    except OSError:
        return  # nobody has ever held it
    with lock:
        _lock(folder, lock, fcntl.LOCK_SH)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, made if need be, found to take new files, and locked against a second run.

    The lock is the kernel's (flock) and ends with this process; workers do not inherit it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _not_writable(folder, error) from None
    with os.fdopen(descriptor, "r+", encoding="utf-8") as lock:
        _lock(folder, lock, fcntl.LOCK_EX)
        try:
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            _try_writing(folder)
        except OSError as error:
            raise _not_writable(folder, error) from None
        yield


def _lock(folder: Path, lock: TextIO, kind: int) -> None:
    give_up = time.monotonic() + PROBE
    while True:
        try:
            return fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                lock.seek(0)
                by = f"process {lock.read(20).strip()}"
                raise ResultsError(f"{folder}: in use by another run ({by}); wait for it") from None
        time.sleep(0.01)


def _try_writing(folder: Path) -> None:
    """A file in each folder that will get some: better told now than after an hour of computing."""
    for place in (folder, folder / LAYERS, folder / NETWORKS):
        place.mkdir(exist_ok=True)
        probe = place / PROBED
        probe.unlink(missing_ok=True)
        probe.open("xb").close()
        failpoint(f"{place.name}-probed")
        probe.unlink()


def _not_writable(folder: Path, error: OSError) -> ResultsError:
    return ResultsError(f"{folder}: cannot be written: {error.strerror}; choose another with --out")


def clear(folder: Path) -> None:
    """Remove the results of an earlier sweep, and only those."""
    for name in OURS:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
