"""A plan's blocks handed to an executor, largest first, and their tables as they come back.

A block whose worker dies is tried again, after all others; one that has ended three workers is set aside, as is one
that runs out of memory or trips over an error of ours. The rest is done all the same.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from harness.environment import CODE, made_with
from harness.errors import ConfigError, HarnessError
from harness.executors import WorkerDied, completed, cores, executor
from harness.footprint import Fit, fit
from harness.lanes import Block, Settings
from harness.machine import memory_limit
from harness.plan import Plan, PlannedBlock
from harness.run import run_block
from harness.tables import Tables

SERIAL_WORK = 3e10  # with less to do than this, two seconds, starting workers is not worth their time
STRIKES = 3  # workers that a block may end
NAMED = 10  # failed blocks that a message lists
PROCESS = 250_000_000  # bytes of a worker before its first block: Python, numpy, scipy, pandas and pyarrow, measured


@dataclass(frozen=True)
class Where:
    """Where blocks are computed, and in how much memory."""

    workers: int | str = "auto"  # processes of this machine
    memory: int | None = None  # bytes that each may take; None: its part of a share of what this machine has
    dask: str | None = None  # the address of a scheduler, whose workers compute in their place

    def limit(self, workers: int) -> float:
        """Bytes that a block may take in one of so many workers; of another machine's memory we know nothing."""
        known = self.memory or (float("inf") if self.dask else memory_limit() / workers)
        return known - PROCESS


@dataclass(frozen=True)
class Progress:
    """How far a sweep is; `report` is called with one about every second."""

    networks: int  # of blocks whose tables are there
    of_networks: int
    work: float  # share of the work that is no longer to do, in [0, 1]
    failed: int = 0  # blocks that were set aside


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Made:
    """A block's tables, and what made them, which on a cluster need not be what the driver has."""

    tables: Tables
    made_with: dict[str, str]


@dataclass(frozen=True)
class Failed:
    """Why there are no tables of a block; with a traceback where it is an error of ours."""

    block: PlannedBlock
    why: str
    traceback: str = ""

    @property
    def line(self) -> str:
        return f"block {self.block.name} (needs about {self.block.memory / 1e9:.2g} GB): {self.why}"


def how_many(workers: int | str, planned: Plan) -> int:
    """The number of worker processes; "auto" takes the cores there are, and none for a small sweep."""
    if workers == "auto":
        workers = 1 if sum(block.work for block in planned.blocks) < SERIAL_WORK else cores()
    return max(1, min(int(workers), len(planned.blocks)))


def executor_for(planned: Plan, where: Where, mixed: bool) -> AbstractContextManager[Executor]:
    """Where a plan runs: in this process, in processes of this machine, or on a cluster."""
    if where.dask is None:
        return executor(how_many(where.workers, planned))
    from harness.cluster import cluster  # with an optional package

    return cluster(where.dask, planned.settings.data, mixed)


def require_fit(planned: Plan, limit: float) -> None:
    """Raises ConfigError for blocks that cannot be computed within `limit` bytes, before any of them is."""
    if limit <= 0:
        raise ConfigError(f"a worker takes {PROCESS / 1e9:.2g} GB before its first block; say more --memory")
    least = {block.name: fit(block.block, planned.settings, limit).peak for block in planned.blocks}
    beyond = [name for name in least if least[name] > limit]
    if beyond:
        worst = max(beyond, key=least.__getitem__)
        raise ConfigError(
            f"{len(beyond)} of {len(least)} blocks do not fit into {(limit + PROCESS) / 1e9:.2g} GB a worker, such as "
            f"{worst}, which needs {(least[worst] + PROCESS) / 1e9:.2g} GB; say fewer --workers or more --memory, or "
            "take a smaller batch, width or depth"
        )


def make(block: Block, settings: Settings, within: Fit) -> Made:
    """In a worker: a block's tables."""
    return Made(run_block(block, settings, within), made_with())


def computed(planned: Plan, pool: Executor, limit: float,
             report: Report | None) -> Iterator[tuple[PlannedBlock, Made | Failed]]:  # fmt: skip
    """Blocks as they finish, or fail, each within `limit` bytes.

    Raises HarnessError where none can be computed any more.
    """
    fits = {block.name: fit(block.block, planned.settings, limit) for block in planned.blocks}
    todo = deque(replace(block, memory=PROCESS + fits[block.name].peak)
                 for block in sorted(planned.blocks, key=lambda block: -block.work))  # fmt: skip
    finished: list[PlannedBlock] = []
    failed: list[PlannedBlock] = []
    deaths: Counter[str] = Counter()

    def submit(block: PlannedBlock) -> Future:
        return pool.submit(make, block.block, planned.settings, fits[block.name])

    for event in completed(pool, submit, todo):
        if event:
            block, future = event
            outcome = _outcome(block, future, deaths)
            if outcome is None:
                todo.append(block)
            else:
                yield block, outcome
                (failed if isinstance(outcome, Failed) else finished).append(block)
        if report:
            report(_progress(planned, finished, failed))


def _outcome(block: PlannedBlock, future: Future, deaths: Counter[str]) -> Made | Failed | None:
    """None: to be tried again."""
    try:
        return _of_our_code(future.result())
    except HarnessError:
        raise
    except WorkerDied as error:
        deaths[block.name] += 1
        if deaths[block.name] < STRIKES:
            return None
        return Failed(block, f"its worker died, {STRIKES} times ({error})")
    except MemoryError as error:
        return Failed(block, f"out of memory ({error})" if str(error) else "out of memory")
    except Exception as error:
        return Failed(block, f"{type(error).__name__}: {error}", "\n".join(getattr(error, "__notes__", ())))


def _of_our_code(made: Made) -> Made:
    """Raises HarnessError where a worker, which reads the source as it starts, found another than this process had."""
    if made.made_with["code"] != CODE:
        raise HarnessError("the code of the harness was changed while the sweep ran; finished blocks are kept: put it "
                           "back and run the same command again, or start over with --fresh")  # fmt: skip
    return made


def record(failed: Failed) -> dict:
    """A failure as the manifest keeps it."""
    return {"block": failed.block.name, "networks": failed.block.networks, "memory": failed.block.memory,
            "why": failed.why, "traceback": failed.traceback}  # fmt: skip


def failure(failed: Sequence[Failed]) -> HarnessError:
    """What to say of blocks that were set aside: each by name, and the first traceback there is."""
    lines = [f"{len(failed)} of the sweep's blocks failed; all others are finished and kept", ""]
    lines += [f"  {one.line}" for one in failed[:NAMED]]
    if len(failed) > NAMED:
        lines.append(f"  and {len(failed) - NAMED} more, which manifest.json names")
    traceback = next((one.traceback for one in failed if one.traceback), None)
    lines += ["", traceback.rstrip()] if traceback else []
    more = "" if all(one.traceback for one in failed) else "; fewer --workers, or more --memory, give each more"
    lines += ["", f"run the same command again to try them again{more}"]
    return HarnessError("\n".join(lines))


def _progress(planned: Plan, finished: Sequence[PlannedBlock], failed: Sequence[PlannedBlock]) -> Progress:
    total = sum(block.work for block in planned.blocks)
    return Progress(sum(block.networks for block in finished), planned.networks,
                    sum(block.work for block in (*finished, *failed)) / total, len(failed))  # fmt: skip
