"""A pool on a Dask cluster that is already running. Its results have the bytes that one process would compute.

Workers need no access to the driver's files. The pool chooses the worker of each task itself, one task for each of its
threads, instead of leaving the choice to the scheduler. So a worker that joins is examined before it computes, and the
death of a worker is charged once, to the task that it ran.
"""

import asyncio
import logging
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from harness.base.errors import ConfigError, HarnessError
from harness.execution.pools.processes import WorkerDied
from harness.execution.pools.remote import WorkerReplaced, compute, introduce
from harness.networks.data import DataSpec, dataset_of
from harness.results.environment import WITHIN_TOLERANCE, made_with

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.5  # between two looks at which workers there are
TIMEOUT = 10  # seconds that the scheduler may take to answer
THREADS_PER_SPARE = 4  # one task more than threads for each so many of them, so that no thread waits for its next


@contextmanager
def cluster(address: str, data: DataSpec, mixed: bool = False) -> Iterator["Cluster"]:
    """The workers of the scheduler at an address, for a sweep of some data.

    With `mixed` workers are accepted whose results agree within tolerance, not to the byte. Raises ConfigError where
    there is no scheduler or no Dask, HarnessError where every worker is refused.
    """
    try:
        import distributed
    except ImportError:
        raise ConfigError("--dask: Dask is not installed; pip install 'gradient-harness[dask]'") from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the pool itself reports lost peers
    try:
        with ThreadPoolExecutor(1) as thread:  # of its own: in a notebook an event loop runs in this one
            thread.submit(lambda: asyncio.run(_check_address(address))).result()
        client = distributed.Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"--dask: no scheduler at {address}: {error}") from None
    pool = Cluster(client, address, data, mixed)
    try:
        pool.open()
        yield pool
    finally:
        pool.close()


async def _check_address(address: str) -> None:
    """Raises what is wrong with an address or with TLS. A Client would find it late, and log at length."""
    from distributed import Security
    from distributed.comm import connect

    comm = await connect(address, timeout=TIMEOUT, **Security().get_connection_args("client"))
    await comm.close()


@dataclass(eq=False)
class _Task:
    """A pickled call, its future, and its state on the cluster."""

    call: bytes
    future: Future
    alone: bool = False  # runs with no other task beside it, so that a death is certainly its own
    handle: Any = None  # Dask's future, while a worker has the task
    computed: bool = False  # only the result has still to be fetched


@dataclass(eq=False)
class _Worker:
    """A worker that was accepted, and the tasks that it has."""

    address: str
    process: str
    threads: int
    tasks: list[_Task] = field(default_factory=list)

    @property
    def computing(self) -> list[_Task]:
        """The tasks whose results are not there yet."""
        return [task for task in self.tasks if not task.computed]

    def has_place_for(self, task: _Task) -> bool:
        """Whether a thread is free for a task, and no task must run alone."""
        now = self.computing
        return not now or (len(now) < self.threads and not task.alone and not any(other.alone for other in now))


class Cluster(Executor):
    """The workers of a Dask scheduler as a pool. A task waits here until an accepted worker has a free thread."""

    def __init__(self, client: Any, address: str, data: DataSpec, mixed: bool) -> None:
        self._client, self._address, self._mixed = client, address, mixed
        self._data, self._dataset = data, None if data.path is None else dataset_of(data)
        self._workers: dict[str, _Worker] = {}
        self._refused: set[str] = set()
        self._waiting: deque[_Task] = deque()
        self._lost_error: HarnessError | None = None
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._warned_idle = False

    @property
    def workers(self) -> int:
        with self._lock:
            return sum(worker.threads for worker in self._workers.values())

    @property
    def max_submitted(self) -> int:
        return self.workers + max(1, self.workers // THREADS_PER_SPARE)

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        task = _Task(pickle.dumps((fn, args, kwargs)), Future())
        with self._lock:
            self._waiting.append(task)
            if self._lost_error:
                self._fail(self._lost_error)
            self._assign()
        return task.future

    def open(self) -> None:
        """Examine the workers there are, and watch for others. Raises HarnessError where all are refused."""
        refused = self._update_workers()
        if refused and not self._workers:
            advice = (
                "start them with the same versions on the same kind of processor, or accept with --mixed\n"
                "results that agree within tolerance, not to the byte (other code or other draws are never accepted)"
            )
            heading = f"no worker of {self._address} computes as this process does:"
            raise HarnessError("\n".join([heading, *refused[:5], advice]))
        self._log_refused(refused)
        threading.Thread(target=self._watch, daemon=True).start()

    def close(self) -> None:
        """Fail the tasks that are left and disconnect. The cluster itself goes on."""
        self._closed.set()
        with self._lock:
            self._fail(HarnessError("the pool has ended"))
        try:
            self._client.close(timeout=2)
        except Exception as error:  # a scheduler that is gone; the connection ends with this process
            LOG.debug("closing: %r", error)

    # Workers ---------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            try:
                self._log_refused(self._update_workers())
            except Exception as error:  # of any type: the connection is lost
                self._connection_lost(error)
                return

    def _log_refused(self, refused: list[str]) -> None:
        for why in refused:
            LOG.warning(why)
        if not self._workers and not self._warned_idle:
            LOG.warning("%s has no workers that were accepted; waiting for some", self._address)
        self._warned_idle = not self._workers

    def _update_workers(self) -> list[str]:
        """Remove workers that are gone and examine those that have joined. Returns why some are refused."""
        if self._client.status != "running":
            raise OSError(f"the connection is {self._client.status}")
        threads = self._client.nthreads(callback_timeout=TIMEOUT)
        for address in [*self._workers, *self._refused]:
            if address not in threads:
                self._refused.discard(address)
                self._remove_worker(address)
        joined = [address for address in threads if address not in self._workers and address not in self._refused]
        return self._examine({address: threads[address] for address in joined}) if joined else []

    def _examine(self, threads: dict[str, int]) -> list[str]:
        here = made_with()
        refused: list[str] = []
        answers = self._client.run(introduce, self._data, self._dataset, workers=list(threads), on_error="return")
        for address, answer in answers.items():
            if isinstance(answer, OSError):  # gone meanwhile; the next look removes it
                continue
            why = f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else self._differs(here, answer)
            if why:
                self._refused.add(address)
                refused.append(f"worker {address} is refused: {why}")
                continue
            with self._lock:
                self._workers[address] = _Worker(address, answer["process"], threads[address])
                self._assign()
        return refused

    def _differs(self, here: dict[str, str], there: dict[str, str]) -> str:
        """The parts of a worker's identity that are not acceptable, as a text; empty where all are."""
        names = [name for name in here if here[name] != there[name]]
        if self._mixed:
            names = [name for name in names if name not in WITHIN_TOLERANCE]
        return "; ".join(f"{name} there: {there[name]}, here: {here[name]}" for name in names)

    def _remove_worker(self, address: str) -> None:
        """Take back the tasks of a worker that is gone. Its death is charged to a task only if no other ran there."""
        with self._lock:
            worker = self._workers.pop(address, None)
            if worker is None:
                return
            suspects = worker.computing
            for task in worker.tasks:
                task.handle.release()
                task.handle = None
                if suspects == [task]:
                    task.future.set_exception(WorkerDied(f"worker {address} was lost"))
                else:
                    task.alone, task.computed = task.alone or not task.computed, False
                    self._waiting.appendleft(task)
            self._assign()

    def _connection_lost(self, error: Exception) -> None:
        LOG.debug("lost", exc_info=error)
        with self._lock:
            self._lost_error = HarnessError(
                f"the scheduler at {self._address} is lost ({type(error).__name__}); finished blocks are kept: run the "
                "same command again to go on"
            )
            self._fail(self._lost_error)

    def _fail(self, error: HarnessError) -> None:
        """End all tasks with an error."""
        tasks = [*self._waiting, *(task for worker in self._workers.values() for task in worker.tasks)]
        self._waiting.clear()
        for worker in self._workers.values():
            worker.tasks.clear()
        for task in tasks:
            task.handle = None
            task.future.set_exception(error)

    # Tasks ----------------------------------------------------------------------------------------------------------

    def _assign(self) -> None:
        """Send waiting tasks to workers with free threads, the least busy first."""
        while self._waiting:
            free = [worker for worker in self._workers.values() if worker.has_place_for(self._waiting[0])]
            if not free:
                return
            self._send(self._waiting.popleft(), min(free, key=lambda worker: len(worker.computing) / worker.threads))

    def _send(self, task: _Task, worker: _Worker) -> None:
        try:
            task.handle = self._client.submit(
                compute,
                worker.process,
                task.call,
                key=f"harness-{uuid4().hex}",
                workers=[worker.address],
                allow_other_workers=False,
                retries=0,
                pure=False,
            )
        except Exception as error:  # a connection that has just been lost
            self._waiting.appendleft(task)
            self._connection_lost(error)
            return
        worker.tasks.append(task)
        task.handle.add_done_callback(partial(self._receive, task, worker))

    def _receive(self, task: _Task, worker: _Worker, handle: Any) -> None:
        """Fetch the result of a task; its thread has the next task meanwhile."""
        with self._lock:
            if task.handle is not handle:
                return  # the task was taken back
            task.computed = True
            self._assign()
        result: Any = None
        error: Exception | None = None
        try:
            result = handle.result()
        except Exception as raised:
            error = raised
        with self._lock:
            if task.handle is not handle:
                return
            if isinstance(error, CancelledError):
                self._connection_lost(error)
            elif isinstance(error, WorkerReplaced) or type(error).__name__ == "KilledWorker":
                task.computed = False
                self._remove_worker(worker.address)
            else:
                worker.tasks.remove(task)
                task.handle = None
                self._assign()
                task.future.set_exception(error) if error else task.future.set_result(result)
        handle.release()
