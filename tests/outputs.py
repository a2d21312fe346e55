"""Output that cannot be written, and commands that are given it."""

import contextlib
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

from command import HARNESS, environment


@contextlib.contextmanager
def full() -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@contextlib.contextmanager
def vanished() -> Iterator[int]:
    """A terminal whose window is closed: writing gives EIO."""
    master, slave = pty.openpty()
    os.close(master)
    yield slave
    os.close(slave)


@contextlib.contextmanager
def unread() -> Iterator[int]:
    """A pipe that is full and that nobody reads."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writes, b"x" * 4096)
    os.set_blocking(writes, True)
    yield writes
    os.close(reads)
    os.close(writes)


@contextlib.contextmanager
def unread_terminal() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(slave)
    os.close(master)


BAD_OUTPUT = {"full": full, "vanished": vanished, "unread": unread, "unread terminal": unread_terminal}


def with_output(arguments: tuple, cwd: Path, out: int, err: int, **changes: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [*HARNESS, *map(str, arguments)],
        cwd=cwd,
        env=environment(TERM="xterm", **changes),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        timeout=100,
        start_new_session=True,
    )
    return done.returncode, done.stdout or b"", done.stderr or b""


# Progress every tenth of a second, so that a test need not take ten seconds.
OFTEN = """
import time
real, start = time.monotonic, time.monotonic()
import harness.interface.terminal as terminal
terminal.time = type("Clock", (), {"monotonic": staticmethod(lambda: start + 100 * (real() - start))})
"""
