"""Standard output and standard error that never stop a sweep.

Text that cannot be written is dropped, which is reported once: a sweep can outlive its terminal, the disk of its log,
and the reader of its messages.
"""

from __future__ import annotations

import io
import os
import queue
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PATIENCE = 3  # seconds that a message waits for the reader of standard error, before the sweep goes on
MOST_WAITING = 2**16  # bytes of messages that are kept for a reader that does not take them


class Output(io.RawIOBase):
    """The file of a standard stream. Its writes do not fail; `error` is the first one that was refused."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        text = bytes(data)
        self._write_or_drop(text)
        return len(text)

    def _write_or_drop(self, text: bytes) -> None:
        try:
            while text:
                text = text[os.write(self._descriptor, text) :]
        except BrokenPipeError:  # the reader of a pipe wants no more, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._descriptor)
        except OSError as error:  # a full disk, or a terminal that is gone
            self.error = self.error or error


class PatientOutput(Output):
    """An output whose reader may stop reading, as a paused terminal does. A thread writes, so the sweep goes on."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._queue: queue.SimpleQueue[tuple[bytes, threading.Event]] = queue.SimpleQueue()
        self._queued = self._done = 0  # bytes; each number is changed by one thread only
        self._last_written = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        text, late = bytes(data), self._queued > self._done
        if sys.is_finalizing():  # a thread no longer runs
            return super().write(text)
        if self._queued + len(text) - self._done > MOST_WAITING:
            return len(text)
        if self._thread is None and not self._start():
            return super().write(text)
        self._last_written = threading.Event()
        self._queued += len(text)
        self._queue.put((text, self._last_written))
        if not late:
            self._last_written.wait(PATIENCE)
        return len(text)

    def wait(self) -> None:
        """Give the reader a moment to take what is left."""
        if self._queued > self._done:
            self._last_written.wait(PATIENCE)

    def _start(self) -> bool:
        thread = threading.Thread(target=self._write_queued, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system starts no more threads
            return False
        self._thread = thread
        return True

    def _write_queued(self) -> None:
        while True:
            text, written = self._queue.get()
            self._write_or_drop(text)
            self._done += len(text)
            written.set()


class StandardStreams:
    """Puts such outputs in the place of this process's standard streams; a stream that a caller replaced stays."""

    def __init__(self) -> None:
        self.out, self.err = self._replace("stdout", Output), self._replace("stderr", PatientOutput)

    def _replace(self, name: str, kind: type[Output]) -> Output | None:
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):  # closed, or a caller's
            return None
        if stream is not getattr(sys, f"__{name}__"):
            stream.reconfigure(errors="replace")
            return None
        output = kind(stream.fileno())
        text = io.TextIOWrapper(
            io.BufferedWriter(output),
            encoding=stream.encoding,
            errors="replace",  # a terminal of another encoding shows ? for what it lacks
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,  # as PYTHONUNBUFFERED asks
        )
        setattr(sys, name, text)
        return output

    def finish(self, results_kept: bool) -> bool:
        """Report what could not be written, on the stream that still works. Returns whether the answer was lost.

        `results_kept` says that the results are in files, so that nothing is lost with what was printed.
        """
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        if self.out and self.out.error:
            print(_message("standard output", self.out.error), file=sys.stderr, flush=True)
        elif self.err and self.err.error and results_kept and sys.stdout:
            print(_message("standard error", self.err.error), flush=True)
        if isinstance(self.err, PatientOutput):
            self.err.wait()
        return bool(self.out and self.out.error) and not results_kept


def _message(stream: str, error: OSError) -> str:
    return f"{stream} cannot be written: {error.strerror}; some messages are lost"
