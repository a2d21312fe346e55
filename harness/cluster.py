"""An executor on a Dask cluster that others started: one process's bytes, from workers that need no disk of ours.

We choose each task's worker ourselves, one task a thread of it, in place of leaving that to the scheduler. So a worker
that joins is examined before it computes, and a worker's death is charged to the task it ran: once, by us.
"""

import asyncio
import logging
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from harness.data import DataSpec, dataset_of
from harness.errors import ConfigError, HarnessError
from harness.executors import WorkerDied
from harness.remote import Replaced, compute, examined, identity

LOG = logging.getLogger(__name__)
LOOK = 0.5  # seconds between two looks at who is there
PATIENCE = 10  # seconds that the scheduler may take to answer
SPARE = 4  # of so many threads one has a task waiting, or finished and not taken yet, so that no thread waits
WITHIN_TOLERANCE = ("versions", "blas", "cpu")  # what of an identity may change the last bits, and no more


@contextmanager
def cluster(address: str, data: DataSpec, mixed: bool = False) -> Iterator["Cluster"]:
    """The workers of the scheduler at an address, for a sweep of that data.

    `mixed`: accept workers whose results agree within tolerance, not to the byte. Raises ConfigError where there is
    nobody to connect to, HarnessError where every worker is refused.
    """
    try:
        import distributed
    except ImportError:
        raise ConfigError("--dask: Dask is not installed; pip install 'gradient-harness[dask]'") from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it would say of a lost peer, we say
    try:
        asyncio.run(_knock(address))
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"--dask: no scheduler at {address}: {error}") from None
    pool = Cluster(client, address, data, mixed)
    try:
        pool.open()
        yield pool
    finally:
        pool.close()


async def _knock(address: str) -> None:
    """Raises what is wrong with an address, or with TLS; a Client that fails on it ends late and loudly."""
    from distributed import Security
    from distributed.comm import connect

    comm = await connect(address, timeout=PATIENCE, **Security().get_connection_args("client"))
    await comm.close()


@dataclass(eq=False)
class _Task:
    call: bytes
    future: Future
    alone: bool = False  # no other task beside it, so that a death is certainly its own
    handle: Any = None  # Dask's future, while a worker has the task
    computed: bool = False  # and only its result is still to come


@dataclass(eq=False)
class _Worker:
    address: str
    process: str
    threads: int
    tasks: list[_Task] = field(default_factory=list)

    @property
    def computing(self) -> list[_Task]:
        return [task for task in self.tasks if not task.computed]

    def takes(self, task: _Task) -> bool:
        now = self.computing
        return not now or (len(now) < self.threads and not task.alone and not any(other.alone for other in now))


class Cluster(Executor):
    """Dask's workers as an executor; a task waits here until a worker that was examined has a thread free."""

    def __init__(self, client: Any, address: str, data: DataSpec, mixed: bool):
        self._client, self._address, self._mixed = client, address, mixed
        self._data, self._dataset = data, None if data.path is None else dataset_of(data)
        self._workers: dict[str, _Worker] = {}
        self._refused: set[str] = set()
        self._waiting: deque[_Task] = deque()
        self._lost: HarnessError | None = None
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._said_none = False

    @property
    def workers(self) -> int:
        with self._lock:
            return sum(worker.threads for worker in self._workers.values())

    @property
    def at_once(self) -> int:
        return self.workers + max(1, self.workers // SPARE)

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        task = _Task(pickle.dumps((fn, args, kwargs)), Future())
        with self._lock:
            self._waiting.append(task)
            if self._lost:
                self._fail(self._lost)
            self._assign()
        return task.future

    def open(self) -> None:
        refused = self._look()
        if refused and not self._workers:
            raise HarnessError("\n".join(
                [f"no worker of {self._address} computes as this process does:", *refused[:5],
                 "start them with the same versions on the same kind of processor, or accept with --mixed",
                 "results that agree within tolerance, not to the byte (other code or other draws are never accepted)"]
            ))  # fmt: skip
        self._tell(refused)
        threading.Thread(target=self._watch, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._fail(HarnessError("the pool has ended"))
        try:
            self._client.close(timeout=2)
        except Exception as error:  # a scheduler that is gone; the connection ends with this process
            LOG.debug("closing: %r", error)

    # Who is there ---------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._closed.wait(LOOK):
            try:
                self._tell(self._look())
            except Exception as error:  # whatever the connection trips over
                self._lose(error)
                return

    def _tell(self, refused: list[str]) -> None:
        for why in refused:
            LOG.warning(why)
        if not self._workers and not self._said_none:
            LOG.warning("%s has no workers for us; waiting for some", self._address)
        self._said_none = not self._workers

    def _look(self) -> list[str]:
        """Take leave of workers that are gone, examine those that have come. Returns what is wrong with some."""
        if self._client.status != "running":
            raise OSError(f"the connection is {self._client.status}")
        threads = self._client.nthreads(callback_timeout=PATIENCE)
        for address in [*self._workers, *self._refused]:
            if address not in threads:
                self._refused.discard(address)
                self._bury(address)
        new = [address for address in threads if address not in self._workers and address not in self._refused]
        return self._examine({address: threads[address] for address in new}) if new else []

    def _examine(self, threads: dict[str, int]) -> list[str]:
        here, refused = identity(), []
        answers = self._client.run(examined, self._data, self._dataset, workers=list(threads), on_error="return")
        for address, answer in answers.items():
            if isinstance(answer, OSError):  # gone meanwhile; the next look tells
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
        names = [name for name in here if here[name] != there[name]]
        if self._mixed:
            names = [name for name in names if name not in WITHIN_TOLERANCE]
        return "; ".join(f"{name} there: {there[name]}, here: {here[name]}" for name in names)

    def _bury(self, address: str) -> None:
        """Take back the tasks of a worker that is gone. A death is charged to the only task it can have been."""
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

    def _lose(self, error: Exception) -> None:
        LOG.debug("lost", exc_info=error)
        with self._lock:
            self._lost = HarnessError(
                f"the scheduler at {self._address} is lost ({type(error).__name__}); finished blocks are kept: run the "
                "same command again to go on"
            )
            self._fail(self._lost)

    def _fail(self, error: HarnessError) -> None:
        tasks = [*self._waiting, *(task for worker in self._workers.values() for task in worker.tasks)]
        self._waiting.clear()
        for worker in self._workers.values():
            worker.tasks.clear()
        for task in tasks:
            task.handle = None
            task.future.set_exception(error)

    # Tasks ----------------------------------------------------------------------------------------------------------

    def _assign(self) -> None:
        while self._waiting:
            free = [worker for worker in self._workers.values() if worker.takes(self._waiting[0])]
            if not free:
                return
            self._hand(self._waiting.popleft(), min(free, key=lambda worker: len(worker.computing) / worker.threads))

    def _hand(self, task: _Task, worker: _Worker) -> None:
        try:
            task.handle = self._client.submit(
                compute, worker.process, task.call, key=f"harness-{uuid4().hex}", workers=[worker.address],
                allow_other_workers=False, retries=0, pure=False,
            )  # fmt: skip
        except Exception as error:  # a connection that has just been lost
            self._waiting.appendleft(task)
            self._lose(error)
            return
        worker.tasks.append(task)
        task.handle.add_done_callback(partial(self._take, task, worker))

    def _take(self, task: _Task, worker: _Worker, handle: Any) -> None:
        """Fetch what came of a task, while its thread has the next."""
        with self._lock:
            if task.handle is not handle:
                return  # taken back
            task.computed = True
            self._assign()
        result = error = None
        try:
            result = handle.result()
        except Exception as raised:
            error = raised
        with self._lock:
            if task.handle is not handle:
                return
            if isinstance(error, CancelledError):
                self._lose(error)
            elif isinstance(error, Replaced) or type(error).__name__ == "KilledWorker":
                task.computed = False
                self._bury(worker.address)
            else:
                worker.tasks.remove(task)
                task.handle = None
                self._assign()
                task.future.set_exception(error) if error else task.future.set_result(result)
        handle.release()
