"""Executors: where tasks run. Serial, or worker processes of one BLAS thread each; none outlives its use."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from threadpoolctl import threadpool_limits


class Serial(Executor):
    """An executor that computes at once, in this process."""

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def executor(workers: int) -> Iterator[Executor]:
    """Serial for one worker, else processes. On an error or an interrupt they are killed at once."""
    if workers == 1:
        with threadpool_limits(limits=1):
            yield Serial()
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver hears Ctrl-C, and ends its workers
    threadpool_limits(limits=1)


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
