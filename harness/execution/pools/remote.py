"""Functions that run in a worker of a cluster: they identify it, and compute tasks as worker processes do."""

import pickle
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

from threadpoolctl import threadpool_limits

import harness.execution.block  # noqa: F401  # what computes is loaded before the hash of the code is compared
from harness.execution.pools.worker import call_with_traceback, keep_freed_memory
from harness.networks.data import DataSpec, provide
from harness.networks.files.dataset import Dataset
from harness.results.environment import made_with

LIBRARY = Path(sysconfig.get_path("stdlib"))
PROCESS_ID = uuid4().hex  # identifies this process: a worker may be restarted at the same address


class WorkerReplaced(Exception):
    """The worker that a task was sent to is gone; another process has its address."""


def introduce(data: DataSpec, dataset: Dataset | None) -> dict[str, str]:
    """Keep the sweep's data set, if there is one. Returns what made the results of this process, and its identity.

    Raises RuntimeError where this process has loaded files of its current folder in place of the standard library.
    """
    if replaced := _standard_modules_from(Path.cwd()):
        raise RuntimeError(
            f"it imported {', '.join(replaced)} in place of Python's own; start the worker in another folder"
        )
    if dataset is not None:
        provide(data, dataset)
    return made_with() | {"process": PROCESS_ID}


def _standard_modules_from(folder: Path) -> list[str]:
    """Files in a folder that this process has loaded under names of the standard library."""
    names = sorted(sys.stdlib_module_names & sys.modules.keys())
    files = [Path(file) for name in names if (file := getattr(sys.modules[name], "__file__", None))]
    return [str(file) for file in files if folder in (file.parent, file.parent.parent) and file.parent != LIBRARY]


def compute(process: str, call: bytes) -> Any:
    """The result of a pickled call. Raises WorkerReplaced where `process` is not this process."""
    if process != PROCESS_ID:
        raise WorkerReplaced
    fn, args, kwargs = pickle.loads(call)
    keep_freed_memory()
    with ONE_THREAD:
        return call_with_traceback(fn, *args, **kwargs)


class _OneThread:
    """Limits BLAS to one thread while any task computes.

    threadpoolctl's own limits would end for all tasks when the first one ends.
    """

    def __init__(self) -> None:
        self._lock, self._tasks = threading.Lock(), 0
        self._limits: threadpool_limits | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._tasks += 1
            if self._limits is None:
                self._limits = threadpool_limits(limits=1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._tasks -= 1
            if self._tasks == 0 and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None


ONE_THREAD = _OneThread()
