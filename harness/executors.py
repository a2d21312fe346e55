"""Executors: where tasks run. Serial, or worker processes of one BLAS thread each; none outlives its use.

An executor takes calls by `submit` and has `workers`, how many run at a time. A task whose process ends before its
result is there raises WorkerDied; a task's own error comes back as it is, its traceback along as a note.
"""

import ctypes
import os
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import Pipe, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from harness.errors import HarnessError

ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS"), "1"
)
STARTS = 3  # times that a worker may be killed while it starts before we stop starting it


class WorkerDied(Exception):
    """The process that ran a task ended before its result was there; says how."""


class Serial(Executor):
    """An executor that computes at once, in this process."""

    workers = at_once = 1

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(attempt(fn, *args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes(Executor):
    """Worker processes. A thread for each hands it one task at a time: so it is known whose task a death was."""

    def __init__(self, workers: int):
        self.workers = workers
        self.at_once = workers + 1  # one waits, so that no worker does
        self._threads = ThreadPoolExecutor(workers)
        self._mine = threading.local()
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._ended = False
        resource_tracker.ensure_running()  # now, for it lets SIGINT in again when it starts, and a worker inherits that

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        return self._threads.submit(self._run, pickle.dumps((fn, args, kwargs)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        with self._lock:
            self._ended = True
            for worker in self._all:
                worker.end()

    def kill(self) -> None:
        """End all workers at once, whatever they do."""
        with self._lock:
            self._ended = True
            for worker in self._all:
                worker.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, call: bytes) -> Any:
        worker = getattr(self._mine, "worker", None)
        if worker is None or not worker.alive():  # a worker that died with nothing to do is replaced, no more
            worker = self._mine.worker = self._started()
        try:
            return worker.run(call)
        except EOFError:
            raise WorkerDied(self._buried(worker)) from None
        except MemoryError:  # the next task gets all that there is: this worker keeps what it has once had
            with self._lock:
                self._all.discard(worker)
                worker.end()
            raise

    def _started(self) -> "_Worker":
        for _ in range(STARTS):
            with self._lock:
                if self._ended:
                    raise WorkerDied("the pool has ended")
                try:
                    worker = _Worker()
                except OSError as error:  # no process to be had
                    raise HarnessError(f"worker processes do not start: {error}; run with --workers 1") from None
                self._all.add(worker)
            if worker.ready():
                return worker
            how = self._buried(worker)
            if worker.process.exitcode >= 0:  # it was not killed, and would end so again
                break
        raise HarnessError(
            f"worker processes do not start ({how}); see above, or run with --workers 1. "
            'A script that asks for workers needs `if __name__ == "__main__":`'
        )

    def _buried(self, worker: "_Worker") -> str:
        """How a worker ended that has ended."""
        wait_for_any([worker.process.sentinel])
        with self._lock:  # one at a time: multiprocessing reaps other children while it starts one
            self._all.discard(worker)
            return worker.how_it_ended()


class _Worker:
    """One process, and our end of the pipe to it."""

    def __init__(self):
        self.pipe, theirs = Pipe()
        self.process = get_context("spawn").Process(target=_work, args=(theirs,), daemon=True)
        self.out_of_memory_before = out_of_memory_kills()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which the process inherits
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def ready(self) -> bool:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return False

    def alive(self) -> bool:
        return not wait_for_any([self.process.sentinel], timeout=0)

    def run(self, call: bytes) -> Any:
        """Raises EOFError where the process ends before its answer is there."""
        try:
            self.pipe.send_bytes(call)
            good, answer = self.pipe.recv()
        except OSError:  # a broken pipe, a connection reset
            raise EOFError from None
        if good:
            return answer
        raise answer

    def end(self) -> None:
        self.pipe.close()
        self.process.join()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def how_it_ended(self) -> str:
        self.process.join()
        self.pipe.close()
        code = self.process.exitcode
        if code != -signal.SIGKILL:
            return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        if out_of_memory_kills() > self.out_of_memory_before:
            return "SIGKILL, by the system for lack of memory"
        return "SIGKILL, as the system does for lack of memory"


def out_of_memory_kills() -> int:
    """Processes that the Linux kernel has killed for lack of memory; 0 where it does not say."""
    try:
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    except OSError:
        return 0
    return int(counts.get("oom_kill", 0))


# In the worker ------------------------------------------------------------------------------------------------------


def attempt(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call; an error takes its traceback along as a note, for it may leave this process."""
    try:
        return fn(*args, **kwargs)
    except Exception as error:
        error.add_note(traceback.format_exc())
        raise


def _work(pipe: Connection) -> None:
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    os.environ.update(ONE_THREAD)  # for a BLAS that is loaded later, of which threadpoolctl cannot know
    threadpool_limits(limits=1)  # for one that is loaded already
    keep_freed_memory()
    pipe.send(True)
    while True:
        try:
            call = pipe.recv_bytes()
        except EOFError:  # nothing more to do
            return
        pipe.send_bytes(_answer(call))


def _answer(call: bytes) -> bytes:
    """What comes of a call, as it is sent: (whether it is a result, the result or the error)."""
    try:
        fn, args, kwargs = pickle.loads(call)
        return pickle.dumps((True, attempt(fn, *args, **kwargs)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        try:
            sent = pickle.dumps((False, error))
            pickle.loads(sent)  # some can be written, but not read
            return sent
        except Exception:
            return pickle.dumps((False, RuntimeError("".join(traceback.format_exception(error)))))


def keep_freed_memory() -> None:
    """Let the C library keep what arrays free: fresh pages from the system would cost a tenth of a block's time.

    glibc only: M_TRIM_THRESHOLD is −1, M_MMAP_THRESHOLD is −3 and at most 32 MiB (mallopt(3)).
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: None)
        mallopt(-3, 2**25)
        mallopt(-1, 2**31 - 1)


def _end_with_the_driver() -> None:
    parent_process().join()
    os._exit(1)


# In the driver ------------------------------------------------------------------------------------------------------


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def executor(workers: int) -> Iterator[Executor]:
    """Serial for one worker, else processes. On an error or an interrupt they are killed at once."""
    if workers == 1:
        keep_freed_memory()
        with threadpool_limits(limits=1):
            yield Serial()
        return
    pool = Processes(workers)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.kill()
        raise


def completed(pool: Executor, submit: Callable[[Any], Future], todo: deque) -> Iterator[Any]:
    """Yields (task, future) as tasks finish, and None about every second in between.

    A task that is put back into `todo` is submitted again. At most `pool.at_once` are submitted and not yet taken, so
    that finished results do not pile up.
    """
    running: dict[Future, Any] = {}
    while todo or running:
        while todo and len(running) < pool.at_once:
            task = todo.popleft()
            running[submit(task)] = task
        done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future
        if not done:
            yield None
