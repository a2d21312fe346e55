"""Hand the blocks of a plan to a pool, largest first, and yield their tables as they come back.

A block whose worker dies is tried again after all others. A block that has killed three workers is set aside, and so is
one that runs out of memory or raises an error. All other blocks are computed regardless.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from multiprocessing import current_process

from harness.base.errors import ConfigError, HarnessError
from harness.engine.lanes.groups import Block, Settings
from harness.engine.own.parts import NONE, Own, unpickled
from harness.execution.block import run_block
from harness.execution.planning.memory import Fit, fit
from harness.execution.planning.plan import Plan, PlannedBlock
from harness.execution.pools.machine import cores, memory_limit
from harness.execution.pools.processes import Pool, WorkerDied, completed, worker_pool
from harness.results.code.sources import CHANGED, CODE_CHANGED
from harness.results.environment import WITHIN_TOLERANCE, made_with
from harness.results.tables import Tables, joined

LOG = logging.getLogger(__name__)

SERIAL_WORK = 3e10  # a sweep of less work than this, two seconds, is faster without starting workers
MAX_DEATHS = 3  # workers that a block may kill before it is set aside
LISTED_FAILURES = 10  # failed blocks that a message lists
WORKER_BYTES = 250_000_000  # of a worker before its first block: Python, numpy, scipy, pandas and pyarrow, measured


@dataclass(frozen=True)
class Resources:
    """The workers that compute the blocks of a sweep, and their memory."""

    workers: int | str = "auto"  # processes on this machine
    memory: int | None = None  # bytes for each worker; None: the workers share a part of this machine's memory
    dask: str | None = None  # address of a scheduler whose workers compute instead

    def block_memory(self, workers: int) -> float:
        """Bytes that a block may take in one of `workers` workers; infinite on a cluster, whose memory is unknown."""
        known = self.memory or (float("inf") if self.dask else memory_limit() / workers)
        return known - WORKER_BYTES


@dataclass(frozen=True)
class Progress:
    """The progress of a sweep. A `Report` is called with one about every second."""

    networks: int  # in blocks that are finished
    total_networks: int
    work: float  # share of the work that is done or set aside, in [0, 1]
    failed: int = 0  # blocks that were set aside


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class ComputedBlock:
    """The tables of a block, and the software and processor that made them: on a cluster not always the driver's."""

    tables: Tables
    made_with: dict[str, str]


@dataclass(frozen=True)
class FailedBlock:
    """A block that was set aside, and why. `traceback` is not empty where the block raised an unexpected error."""

    block: PlannedBlock
    reason: str
    traceback: str = ""

    @property
    def line(self) -> str:
        """The block, the memory it needs and the reason, in one line."""
        return f"block {self.block.name} (needs about {self.block.memory / 1e9:.2g} GB): {self.reason}"


def worker_count(resources: Resources, planned: Plan) -> int:
    """The number of worker processes. "auto" is one for a small sweep, else one per core, within the memory."""
    if resources.workers != "auto":
        return max(1, min(int(resources.workers), len(planned.blocks)))
    if sum(block.work for block in planned.blocks) < SERIAL_WORK or current_process().daemon:
        return 1  # a daemonic process may start no others
    most = min(cores(), len(planned.blocks))
    if resources.memory is None:
        least = max(_peak(block, planned.settings, 0) for block in planned.blocks)
        most = min(most, memory_limit() // (WORKER_BYTES + least))
    return max(1, most)


def pool_for(planned: Plan, resources: Resources, mixed: bool) -> AbstractContextManager[Pool]:
    """The pool that computes a plan: this process, processes of this machine, or a cluster."""
    if resources.dask is None:
        return worker_pool(worker_count(resources, planned))
    from harness.execution.pools.cluster import cluster  # needs an optional package

    return cluster(resources.dask, planned.settings.data, mixed)


def require_fit(planned: Plan, limit: float) -> None:
    """Raises ConfigError where blocks cannot be computed within `limit` bytes, before any of them is."""
    if limit <= 0:
        raise ConfigError(f"a worker takes {WORKER_BYTES / 1e9:.2g} GB before its first block; use more --memory")
    least = {block.name: _peak(block, planned.settings, limit) for block in planned.blocks}
    beyond = [name for name in least if least[name] > limit]
    if beyond:
        worst = max(beyond, key=least.__getitem__)
        raise ConfigError(
            f"{len(beyond)} of {len(least)} blocks do not fit into {(limit + WORKER_BYTES) / 1e9:.2g} GB a worker, "
            f"such as {worst}, which needs {(least[worst] + WORKER_BYTES) / 1e9:.2g} GB; use fewer --workers or more "
            "--memory, or take a smaller batch, width or depth"
        )


def _peak(block: PlannedBlock, settings: Settings, limit: float) -> int:
    return max(fit(part, settings, limit).peak for part in block.missing)


def compute_block(blocks: Sequence[Block], settings: Settings, fits: Sequence[Fit], own: bytes = b"") -> ComputedBlock:
    """Compute what is missing of a planned block, of the user's own parts as pickled. This runs in a worker."""
    with unpickled(own).in_force():
        computed = [run_block(block, settings, within) for block, within in zip(blocks, fits, strict=True)]
    if len(computed) > 1:
        names = [spec.network(i) for block in blocks for spec in block.specs for i in block.replicates]
        return ComputedBlock(joined(computed, names), made_with())
    return ComputedBlock(computed[0], made_with())


def compute_blocks(
    planned: Plan, pool: Pool, limit: float, report: Report | None, own: Own = NONE, mixed: bool = False
) -> Iterator[tuple[PlannedBlock, ComputedBlock | FailedBlock]]:
    """Yield blocks as they finish or fail, each computed within `limit` bytes.

    With `mixed`, workers may have software or a processor that changes the last digits. Raises HarnessError where no
    further block can be computed.
    """
    fits = {block.name: [fit(part, planned.settings, limit) for part in block.missing] for block in planned.blocks}
    waiting = deque(
        replace(block, memory=WORKER_BYTES + max(within.peak for within in fits[block.name]))
        for block in sorted(planned.blocks, key=lambda block: -block.work)
    )
    finished: list[PlannedBlock] = []
    failed: list[PlannedBlock] = []
    deaths: Counter[str] = Counter()
    parts = own.pickled()

    def submit(block: PlannedBlock) -> Future:
        return pool.submit(compute_block, block.missing, planned.settings, fits[block.name], parts)

    for event in completed(pool, submit, waiting):
        if event:
            block, future = event
            result = _result(block, future, deaths, mixed)
            if result is None:
                waiting.append(block)
            else:
                LOG.info("block %s: %d networks, %s", block.name, block.networks, _outcome(result))
                yield block, result
                (failed if isinstance(result, FailedBlock) else finished).append(block)
        if report:
            report(_progress(planned, finished, failed))


def _outcome(result: ComputedBlock | FailedBlock) -> str:
    return f"failed: {result.reason}" if isinstance(result, FailedBlock) else "computed"


def _result(
    block: PlannedBlock, future: Future, deaths: Counter[str], mixed: bool
) -> ComputedBlock | FailedBlock | None:
    """The result of a block; None where it is to be tried again."""
    try:
        return _require_same_software(future.result(), mixed)
    except HarnessError:
        raise
    except WorkerDied as error:
        deaths[block.name] += 1
        if deaths[block.name] < MAX_DEATHS:
            return None
        return FailedBlock(block, f"its worker died, {MAX_DEATHS} times ({error})")
    except MemoryError as error:
        return FailedBlock(block, f"out of memory ({error})" if str(error) else "out of memory")
    except Exception as error:
        return FailedBlock(block, f"{type(error).__name__}: {error}", "\n".join(getattr(error, "__notes__", ())))


def _require_same_software(computed: ComputedBlock, mixed: bool) -> ComputedBlock:
    """Raises HarnessError where the worker, which loads the software when it starts, loaded other than this process."""
    here, there = made_with(), computed.made_with
    changed = [name for name in here if there[name] != here[name] and not (mixed and name in WITHIN_TOLERANCE)]
    if "code" in changed:
        raise HarnessError(CODE_CHANGED)
    if changed:
        what = "; ".join(f"{name}: {here[name]} -> {there[name]}" for name in changed)
        raise HarnessError(CHANGED.format(f"the software of a worker ({what})"))
    return computed


def manifest_entry(failed: FailedBlock) -> dict:
    """A failed block as the manifest records it. `memory` is in bytes."""
    return {
        "block": failed.block.name,
        "networks": failed.block.networks,
        "memory": failed.block.memory,
        "why": failed.reason,
        "traceback": failed.traceback,
    }


def error_of(failed: Sequence[FailedBlock]) -> HarnessError:
    """The error that names the blocks that were set aside, with the first traceback among them."""
    lines = [f"{len(failed)} of the sweep's blocks failed; all others are finished and kept", ""]
    lines += [f"  {block.line}" for block in failed[:LISTED_FAILURES]]
    if len(failed) > LISTED_FAILURES:
        lines.append(f"  and {len(failed) - LISTED_FAILURES} more, which manifest.json names")
    traceback = next((block.traceback for block in failed if block.traceback), None)
    lines += ["", traceback.rstrip()] if traceback else []
    lacking = any("memory" in block.reason for block in failed if not block.traceback)
    more = "; fewer --workers, or more --memory, give each more" if lacking else ""
    lines += ["", f"run the same command again to try them again{more}"]
    return HarnessError("\n".join(lines))


def _progress(planned: Plan, finished: Sequence[PlannedBlock], failed: Sequence[PlannedBlock]) -> Progress:
    total = sum(block.work for block in planned.blocks)
    return Progress(
        sum(block.networks for block in finished),
        planned.networks,
        sum(block.work for block in (*finished, *failed)) / total,
        len(failed),
    )
