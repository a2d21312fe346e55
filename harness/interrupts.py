"""Ctrl-C: only a sweep has work to put away; all else, the first second of imports too, ends where it is."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import typer

from harness.terminal import say

GRACE = 3  # seconds for a sweep to put its work away


def end(*_: object) -> None:
    print("interrupted", file=sys.stderr)
    if sys.stderr.isatty():
        print("\x1b[?25h", end="", file=sys.stderr, flush=True)  # the cursor, which a bar hides
    os._exit(130)


@contextmanager
def interruptible() -> Iterator[None]:
    on_interrupt(signal.default_int_handler)
    _insist()
    try:
        yield
    except KeyboardInterrupt:
        on_interrupt(signal.SIG_IGN)  # it ends: to a second one Python would answer by dying of it, with another code
        say("interrupted; finished blocks are kept: run the same command again to go on", err=True)
        raise typer.Exit(130) from None
    finally:
        on_interrupt(end)


@cache
def _insist() -> None:
    """End on a second Ctrl-C, or some seconds after the first: Python hears neither inside of a long call into C."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)  # the C handler itself writes each signal's number there

    def watch() -> None:
        while os.read(reads, 1) != bytes([signal.SIGINT]):
            pass
        select.select([reads], [], [], GRACE)
        end()

    threading.Thread(target=watch, daemon=True).start()


def on_interrupt(handler: Callable) -> None:
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # which a background job has
        signal.signal(signal.SIGINT, handler)
