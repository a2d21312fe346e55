"""Executors: where tasks run. Serial, or worker processes of one BLAS thread each; none outlives its use."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

from threadpoolctl import threadpool_limits

ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS"), "1"
)


class Serial(Executor):
    """An executor that computes at once, in this process."""

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Processes(ProcessPoolExecutor):
    """Worker processes that leave Ctrl-C to the driver, from their first instant on, and do not outlive it."""

    def __init__(self, workers: int):
        super().__init__(workers, mp_context=get_context("spawn"), initializer=_start_worker)

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a worker that starts here inherits it
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    os.environ.update(ONE_THREAD)  # for a BLAS that is loaded later, of which threadpoolctl cannot know
    threadpool_limits(limits=1)  # for one that is loaded already
    keep_freed_memory()


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
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise


def completed(submit: Callable[[Any], Future], tasks: Sequence[Any], at_once: int) -> Iterator[Any]:
    """Yields (task, future) as tasks finish, and None about every second in between.

    At most `at_once` are submitted and not yet taken, so that finished results do not pile up.
    """
    todo = list(reversed(tasks))
    running: dict[Future, Any] = {}
    while todo or running:
        while todo and len(running) < at_once:
            task = todo.pop()
            running[submit(task)] = task
        done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future
        if not done:
            yield None
