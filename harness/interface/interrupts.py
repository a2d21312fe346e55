"""Signals that end a process: a running sweep keeps its finished blocks; everything else ends immediately.

Ctrl-C, the end of a terminal (SIGHUP) and the end of a job in a batch system (SIGTERM) are treated alike. The exit code
is 128 plus the number of the signal.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import FrameType
from typing import NoReturn

import typer

from harness.interface.terminal import say_error

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
GRACE = 3  # seconds that a sweep has to end after the first signal
LAST_WORDS = 0.5  # seconds that the last message may take: its reader may be paused

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class _Interrupted(KeyboardInterrupt):
    """A signal that ends the sweep."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end(number: int = signal.SIGINT, _: FrameType | None = None) -> NoReturn:
    """End this process at once, with the exit code of the signal. A signal handler."""
    text = f"{_said(number)}\n" + "\x1b[?25h" * os.isatty(2)  # shows the cursor, which a progress bar hides
    writer = threading.Thread(target=_write_error, args=(text,), daemon=True)
    with suppress(RuntimeError):  # the system starts no more threads
        writer.start()
        writer.join(LAST_WORDS)
    os._exit(128 + number)


def _write_error(text: str) -> None:
    with suppress(OSError):
        os.write(2, text.encode())


def _said(number: int) -> str:
    return "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal interrupt the body: say that finished blocks are kept, and exit with its code."""
    on_interrupt(_interrupt)
    _watch_interrupts()
    try:
        yield
    except KeyboardInterrupt as interrupt:
        on_interrupt(signal.SIG_IGN)  # a second one would make Python exit with another code
        number = getattr(interrupt, "number", signal.SIGINT)
        say_error(f"{_said(number)}; finished blocks are kept: run the same command again to go on")
        raise typer.Exit(128 + number) from None
    finally:
        on_interrupt(end)


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    raise _Interrupted(number)


@cache
def _watch_interrupts() -> None:
    """End on a second signal, or GRACE seconds after the first. Python runs no handler during a long call into C."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)  # the C handler itself writes the number of each signal

    def watch() -> None:
        while (number := os.read(reads, 1)[0]) not in SIGNALS:
            pass
        select.select([reads], [], [], GRACE)
        end(number)

    threading.Thread(target=watch, daemon=True).start()


def on_interrupt(handler: Handler) -> None:
    """Set the handler of all these signals, except those that this process ignores, as under nohup."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
