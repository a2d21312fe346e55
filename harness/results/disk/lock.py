"""The lock of a results folder: one run writes at a time, into the folder that it began with.

Imports nothing heavy, so that a folder in use is reported within a second.
"""

import errno
import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from harness.base.errors import HarnessError, ResultsError
from harness.results.files import failpoint
from harness.results.folder import CONFIG, LAYERS, LOCK, NETWORKS, WRITE_TEST

HOLDER = ".lock.holder"  # names the run that holds the folder, where the file system has no locks
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
LOCK_SECONDS = 0.05  # how long to try for the lock; a process that only checks it holds it for microseconds


def require_unlocked(folder: Path) -> None:
    """Raise ResultsError if another run holds the folder's lock now. Changes nothing."""
    try:
        lock = (folder / LOCK).open(encoding="utf-8")
    except OSError:
        return  # no run has ever locked it
    with lock:
        if not _flock(folder, lock, fcntl.LOCK_SH):
            _require_no_holder(folder)


def is_locked(folder: Path) -> bool:
    """Whether a run holds the folder's lock now. Changes nothing."""
    try:
        require_unlocked(folder)
    except ResultsError:
        return True
    return False


class HeldFolder:
    """A results folder whose lock this process has."""

    def __init__(self, path: Path, stack: ExitStack):
        """Lock the folder until the stack is closed. Raises ResultsError if another run holds it, or OSError."""
        self.path = path
        self._stack = stack
        self._holder = ""  # what the file says that names this process, where the file system has no locks
        self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, self._folder)  # open until then, so that no other folder gets its inode
        self._lock()

    def check(self) -> None:
        """Raise HarnessError if the path no longer leads to this folder, or if another run has locked it.

        A lock that was deleted is made again.
        """
        try:
            same = os.path.samestat(os.stat(self.path), os.fstat(self._folder))
        except OSError:
            same = False
        if not same or not (self.path / CONFIG).exists():
            raise HarnessError(self._what_became_of_it())
        try:
            if not (self.path / LOCK).exists():
                self._lock()
            mine = os.path.samestat(os.lstat(self.path / LOCK), os.fstat(self._lock_file.fileno()))
        except (ResultsError, OSError):  # in use by another run, or removed again meanwhile
            mine = False
        if not mine or (self._holder and _content(self.path / HOLDER) != self._holder):
            raise HarnessError(
                f"{self.path}: another run took this folder while the sweep ran; finished blocks are kept: wait for "
                "that run, then run the same command again"
            )

    def _lock(self) -> None:
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        self._lock_file = self._stack.enter_context(os.fdopen(descriptor, "r+", encoding="utf-8"))
        if not _flock(self.path, self._lock_file, fcntl.LOCK_EX) and not self._holder:
            self._holder = _hold(self.path)
            self._stack.callback(self._release)
        self._lock_file.truncate(0)
        self._lock_file.write(str(os.getpid()))
        self._lock_file.flush()

    def _release(self) -> None:
        if _content(self.path / HOLDER) == self._holder:
            (self.path / HOLDER).unlink(missing_ok=True)

    def _what_became_of_it(self) -> str:
        """The message about a folder that is no longer where it was, with where the finished blocks are."""
        while_it_ran = "while the sweep ran"
        now = _path_of(self._folder)
        if os.fstat(self._folder).st_nlink == 0 or now == os.path.realpath(self.path):
            return f"{self.path}: this folder was removed {while_it_ran}; run the same command again to start anew"
        if now is None:
            return (
                f"{self.path}: this folder was moved, removed or unmounted {while_it_ran}; finished blocks are kept in "
                "it: put it back and run the same command again to go on"
            )
        return (
            f"{self.path}: this folder was moved {while_it_ran}; finished blocks are kept in it: to go on, run the "
            f"same command again with --out {now}"
        )


@contextmanager
def locked(folder: Path) -> Iterator[HeldFolder]:
    """Make the folder if need be, lock it against a second run, and check that it takes new files.

    The lock is the kernel's (flock) and ends with this process; workers do not inherit it. On a file system without
    locks a file names the process that holds the folder. Raises ResultsError.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = HeldFolder(folder, stack)
            _check_writable(folder)
        except OSError as error:
            raise _not_writable(folder, error) from None
        yield held


def _check_writable(folder: Path) -> None:
    """Write and remove a file in each folder, to find an error now and not after an hour of computing."""
    for place in (folder, folder / LAYERS, folder / NETWORKS):
        place.mkdir(exist_ok=True)
        probe = place / WRITE_TEST
        probe.unlink(missing_ok=True)
        probe.open("xb").close()
        failpoint(f"{place.name}-probed")
        probe.unlink()


def _not_writable(folder: Path, error: OSError) -> ResultsError:
    return ResultsError(f"{folder}: cannot be written: {error.strerror}; choose another with --out")


def _flock(folder: Path, lock: TextIO, kind: int) -> bool:
    """Lock a file. Raises ResultsError if another run holds it; False where the file system has no locks."""
    give_up = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > give_up:
                lock.seek(0)
                raise _in_use(folder, f"process {lock.read(20).strip()}") from None
        except OSError as error:
            if error.errno in NO_LOCKS:
                return False
            raise
        time.sleep(0.01)


def _in_use(folder: Path, by: str) -> ResultsError:
    return ResultsError(f"{folder}: in use by another run ({by}); wait for it")


# Without locks --------------------------------------------------------------------------------------------------------


def _hold(folder: Path) -> str:
    """Make the file that names this process as the holder of a folder. Returns what it says. Raises ResultsError."""
    me = f"{os.getpid()} {_started(os.getpid())} {_machine()}"
    while True:
        _require_no_holder(folder)
        try:
            descriptor = os.open(folder / HOLDER, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue  # another run was faster, and is asked about next
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(me)
        return me


def _require_no_holder(folder: Path) -> None:
    """Raise ResultsError if a run holds the folder; remove what a run that has ended on this machine left."""
    holder = folder / HOLDER
    said = _content(holder)
    pid, _, rest = said.partition(" ")
    started, _, machine = rest.partition(" ")
    if not said:
        return
    if machine != _machine():
        name = machine.split(" ")[0] or "another machine"
        raise _in_use(folder, f"process {pid} on {name}; if that has ended, remove {holder}")
    if pid.isdecimal() and _started(int(pid)) == started:
        raise _in_use(folder, f"process {pid}")
    holder.unlink(missing_ok=True)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _machine() -> str:
    """This machine since it was started, and this container of it: where the numbers of processes mean the same."""
    boot = _content(Path("/proc/sys/kernel/random/boot_id")).strip()
    try:
        container = os.readlink("/proc/self/ns/pid")
    except OSError:
        container = ""
    return f"{platform.node()} {boot} {container}"


def _started(pid: int) -> str:
    """When a process was started, in the kernel's ticks; "running" where it does not say, "" if there is no such
    process."""
    if stat := _content(Path(f"/proc/{pid}/stat")):
        return stat.rpartition(")")[2].split()[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass  # it is another user's
    return "running"


def _path_of(descriptor: int) -> str | None:
    """The path that an open folder has now; None where it is not known."""
    try:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        return path if os.path.samestat(os.stat(path), os.fstat(descriptor)) else None
    except OSError:
        return None
