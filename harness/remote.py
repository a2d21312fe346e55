"""In a worker of a cluster: who it is, and tasks computed as any other process of ours computes them."""

import pickle
import threading
from typing import Any
from uuid import uuid4

from threadpoolctl import threadpool_limits

from harness.data import Dataset, DataSpec, provide
from harness.environment import CODE, fingerprint
from harness.executors import attempt, keep_freed_memory

PROCESS = uuid4().hex  # which process this is: a worker may be started again at the same address


class Replaced(Exception):
    """The worker that a task was meant for is gone; another process has its address."""


def identity() -> dict[str, str]:
    """What this process computes with: the fingerprint, and the code."""
    return fingerprint() | {"code": CODE}


def examined(data: DataSpec, dataset: Dataset | None) -> dict[str, str]:
    """Take the sweep's data set; say who this is."""
    if dataset is not None:
        provide(data, dataset)
    return identity() | {"process": PROCESS}


def compute(process: str, call: bytes) -> Any:
    """The result of a pickled call. Raises Replaced where this is not the process that it was meant for."""
    if process != PROCESS:
        raise Replaced
    fn, args, kwargs = pickle.loads(call)
    keep_freed_memory()
    with ONE_THREAD:
        return attempt(fn, *args, **kwargs)


class _OneThread:
    """One BLAS thread while any task computes; threadpoolctl's own limits end for all when the first task ends."""

    def __init__(self):
        self._lock, self._inside, self._limits = threading.Lock(), 0, None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limits = threadpool_limits(limits=1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limits.restore_original_limits()


ONE_THREAD = _OneThread()
