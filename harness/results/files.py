"""Files that appear whole or not at all: written under another name, flushed to the disk, then renamed.

For tests, the environment variable HARNESS_FAILPOINT names a step of writing a file, such as `layers-renamed`; the
process is killed there, as if the machine had failed.
"""

import errno
import json
import os
import re
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from harness.base.errors import HarnessError

FAILPOINT_VARIABLE = "HARNESS_FAILPOINT"
FAILPOINT_STEPS = "opened", "half-written", "written", "synced", "renamed", "published"  # of every file, in this order

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# of file systems that put a new name on the disk without being asked to, or not at all
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM, errno.EBADF)

UNFINISHED = ".aside"  # ends the name of a file that is being written
_OURS = re.compile(
    r"\.([\w.-]+\.(parquet|png|svg|pdf)|config\.yaml|(manifest|claims|findings)\.json|report\.html|probe)\.aside"
)


def is_unfinished(path: Path) -> bool:
    """Whether a file has the name under which a run writes a file of a results folder before it is whole."""
    return _OURS.fullmatch(path.name) is not None and path.is_file()


def text_path(path: Path) -> str:
    """A path as pyarrow takes it, which encodes texts as UTF-8 whatever the locale is.

    Raises HarnessError for a path that is not UTF-8.
    """
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: its name is not UTF-8; rename the folder or the file") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all. Bytes of a path that are no text are escaped, as JSON has it."""
    write_whole(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, content: Mapping) -> None:
    """Write an indented JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_whole(path: Path, content: bytes | memoryview, what: str | None = None, make_folder: bool = True) -> None:
    """Write a file under a name that starts with a dot, flush it to the disk, then rename it; on failure leave nothing.

    `make_folder`: whether the folder around it is made where it is missing. Failpoints call the file `what`, by default
    its name. Raises HarnessError if the disk is full or refuses the file.
    """
    aside = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        if make_folder:
            path.parent.mkdir(exist_ok=True)
        aside.unlink(missing_ok=True)
        _write_and_rename(aside, path, memoryview(content), what or path.name)
    except OSError as error:
        _remove(aside)
        said, remedy = f"{path}: cannot be written: {error.strerror}", "run the same command again to go on"
        if error.errno in NO_ROOM:
            said += f": it takes {_size(len(content))}, {_free(path.parent)}"
            remedy = f"free some space and {remedy}"
        raise HarnessError(f"{said}; finished blocks are kept: {remedy}") from None
    except BaseException:  # a signal that ends the sweep
        _remove(aside)
        raise


def _write_and_rename(aside: Path, path: Path, content: memoryview, what: str) -> None:
    half = len(content) // 2
    with aside.open("xb") as file:  # x: never write through a link that exists
        failpoint(f"{what}-opened")
        file.write(content[:half])
        file.flush()
        failpoint(f"{what}-half-written")
        file.write(content[half:])
        file.flush()
        failpoint(f"{what}-written")
        os.fsync(file.fileno())
        failpoint(f"{what}-synced")
    os.replace(aside, path)
    failpoint(f"{what}-renamed")
    try:
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # puts the new name on the disk
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    failpoint(f"{what}-published")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # the caller reports the first error; the next run removes the file


def _free(folder: Path) -> str:
    try:
        return f"{_size(shutil.disk_usage(folder).free)} are free there"
    except OSError:
        return "and what is free there is not known"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count:,} bytes"


def failpoint(name: str) -> None:
    """Kill this process if HARNESS_FAILPOINT is set to this name."""
    if os.environ.get(FAILPOINT_VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
