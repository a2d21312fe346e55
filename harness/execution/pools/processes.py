"""Pools that run tasks: in this process, or in worker processes of one BLAS thread each, which end with the pool.

The future of a task raises WorkerDied where its process ended before the result was there. An error that the task
itself raised comes back as it is, with its traceback as a note.
"""

import os
import pickle
import resource
import signal
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import Pipe, current_process, get_context, resource_tracker
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from harness.base.errors import HarnessError
from harness.execution.pools.machine import out_of_memory_kills, processor_seconds
from harness.execution.pools.worker import call_with_traceback, keep_freed_memory, serve
from harness.results.code.sources import require_unchanged

LEFT_TO_DRIVER = {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}  # signals that a terminal sends to every process
MAX_STARTS = 3  # attempts to start a worker that is killed while it starts

Task = TypeVar("Task")


class WorkerDied(Exception):
    """The process that ran a task ended before the result was there. The message says how it ended."""


class Pool(Protocol):
    """An executor of known size. `max_submitted` tasks, submitted and not yet taken, keep every worker busy."""

    @property
    def workers(self) -> int: ...

    @property
    def max_submitted(self) -> int: ...

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future: ...


class Serial(Executor):
    """A pool that computes each task as it is submitted, in this process."""

    workers = max_submitted = 1

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(call_with_traceback(fn, *args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes(Executor):
    """A pool of worker processes. A thread sends each worker one task at a time, so the task of a death is known."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.max_submitted = workers + 1  # one task waits, so that no worker does
        self._threads = ThreadPoolExecutor(workers)
        self._local = threading.local()
        self._workers: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False
        if current_process().daemon:
            raise HarnessError("a daemonic process may start no worker processes; use workers=1")
        with _safe_start():
            resource_tracker.ensure_running()  # now: starting it unblocks SIGINT, which a worker would inherit

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        return self._threads.submit(self._run, pickle.dumps((fn, args, kwargs)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.end()

    def kill(self) -> None:
        """End all workers immediately, whatever they do."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, call: bytes) -> Any:
        worker = getattr(self._local, "worker", None)
        if worker is None or not worker.alive():  # one that died while idle is replaced; no task is charged
            worker = self._local.worker = self._start_worker()
        try:
            return worker.run(call)
        except EOFError:
            raise WorkerDied(self._remove_worker(worker)) from None
        except MemoryError:  # a worker keeps the memory that it once had: end it, so that the next task has all
            with self._lock:
                self._workers.discard(worker)
                worker.end()
            raise

    def _start_worker(self) -> "_Worker":
        for _ in range(MAX_STARTS):
            require_unchanged()
            with self._lock:
                if self._closed:
                    raise WorkerDied("the pool has ended")
                try:
                    worker = _Worker()
                except OSError as error:  # the system starts no process
                    raise HarnessError(f"worker processes do not start: {error}; run with --workers 1") from None
                self._workers.add(worker)
            try:
                how = worker.reason_against()
            except EOFError:
                how = self._remove_worker(worker)
            if not how:
                return worker
            if not worker.was_killed:  # it ended by itself, and would do so again
                break
        raise HarnessError(
            f"worker processes do not start ({how}); see above, or run with --workers 1. "
            'A script that asks for workers needs `if __name__ == "__main__":`'
        )

    def _remove_worker(self, worker: "_Worker") -> str:
        """Forget a worker that has ended. Returns how it ended."""
        wait_for_any([worker.process.sentinel])
        with self._lock:  # one at a time: multiprocessing reaps other children while it starts one
            self._workers.discard(worker)
            return worker.describe_exit()


@contextmanager
def _safe_start() -> Iterator[None]:
    """Start processes that import no file of the current folder, and leave signals of the terminal to the driver.

    Python would put the current folder first on the path of a process that it starts with code instead of a file. An
    interactive driver has it there, too, as "". A file signal.py or pickle.py there would run in every worker.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, LEFT_TO_DRIVER)  # which the process inherits
    safe_path, path = os.environ.get("PYTHONSAFEPATH"), sys.path
    os.environ["PYTHONSAFEPATH"] = "1"
    sys.path = _safe_path(path)  # multiprocessing hands it on
    try:
        yield
    finally:
        sys.path = path
        os.environ.pop("PYTHONSAFEPATH") if safe_path is None else os.environ.update(PYTHONSAFEPATH=safe_path)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _safe_path(path: list[str]) -> list[str]:
    """A path on which the standard library comes first, and the current folder only if the harness lies there."""
    library = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    library |= {os.path.join(folder, "lib-dynload") for folder in library}
    first = [entry for entry in path if entry in library]
    package = Path(__file__).parents[3]
    others = [entry for entry in path if entry not in library and (entry or package == Path.cwd())]
    return first + others


class _Worker:
    """A worker process, and this process's end of the pipe to it."""

    def __init__(self) -> None:
        self.pipe, worker_end = Pipe()
        self.process = get_context("spawn").Process(target=serve, args=(worker_end,), daemon=True)
        self.out_of_memory_before = out_of_memory_kills()
        try:
            with _safe_start():
                self.process.start()
        finally:
            worker_end.close()

    def reason_against(self) -> str:
        """Why the process cannot be a worker, once it has started; empty if it can. Raises EOFError where it ended."""
        try:
            return self.pipe.recv()
        except OSError:
            raise EOFError from None

    def alive(self) -> bool:
        return not wait_for_any([self.process.sentinel], timeout=0)

    def run(self, call: bytes) -> Any:
        """The result of a pickled call. Raises the call's error, or EOFError where the process ends first."""
        try:
            self.pipe.send_bytes(call)
            succeeded, answer = self.pipe.recv()
        except OSError:  # a broken pipe, a connection reset
            raise EOFError from None
        if succeeded:
            return answer
        raise answer

    def end(self) -> None:
        self.pipe.close()
        self.process.join()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended the process."""
        return self.process.exitcode is not None and self.process.exitcode < 0

    def describe_exit(self) -> str:
        """How the process ended: its exit code or its signal."""
        seconds = processor_seconds(self.process.pid)  # before its parent asks for its exit code
        self.process.join()
        self.pipe.close()
        code = self.process.exitcode or 0
        limit = resource.getrlimit(resource.RLIMIT_CPU)[0]
        if code in (-signal.SIGKILL, -signal.SIGXCPU) and limit != resource.RLIM_INFINITY and seconds >= limit - 1:
            return f"{signal.Signals(-code).name}, at the limit on processor time, {limit} s (ulimit -t)"
        if code != -signal.SIGKILL:
            return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        if out_of_memory_kills() > self.out_of_memory_before:
            return "SIGKILL, by the system for lack of memory"
        return "SIGKILL, as the system does for lack of memory"


# Run tasks ----------------------------------------------------------------------------------------------------------


@contextmanager
def worker_pool(workers: int) -> Iterator[Pool]:
    """A serial pool for one worker, else processes. On an error or an interrupt the processes are killed."""
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


def completed(
    pool: Pool, submit: Callable[[Task], Future], waiting: deque[Task]
) -> Iterator[tuple[Task, Future] | None]:
    """Yield (task, future) as tasks finish, and None about every second in between.

    A task that is put back into `waiting` is submitted again. At most `pool.max_submitted` tasks are submitted and not
    yet taken, so that finished results do not pile up.
    """
    running: dict[Future, Task] = {}
    while waiting or running:
        while waiting and len(running) < pool.max_submitted:
            task = waiting.popleft()
            running[submit(task)] = task
        done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future
        if not done:
            yield None
