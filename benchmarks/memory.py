"""Peak memory of one run, in a process of its own."""

import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path


def alone(run: Callable, *arguments: object) -> tuple[float, float]:
    """(processor seconds, peak memory in GB) of `run(*arguments)` in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_measured, run, *arguments).result()


def _measured(run: Callable, *arguments: object) -> tuple[float, float]:
    started = time.process_time()
    run(*arguments)
    return time.process_time() - started, _peak() / 1e9


def _peak() -> int:
    """Bytes. On Linux the process's own high water: ru_maxrss begins with its parent's."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
