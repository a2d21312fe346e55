"""A plan's blocks handed to an executor, largest first, and their tables as they come back."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.executors import completed, cores, executor
from harness.plan import Plan, PlannedBlock
from harness.run import run_block
from harness.tables import Tables

SERIAL_WORK = 2e10  # with less to do than this, two seconds, starting workers is not worth their time


@dataclass(frozen=True)
class Progress:
    """How far a sweep is; `report` is called with one about every second."""

    networks: int
    of_networks: int
    blocks: int
    of_blocks: int
    work: float  # share of the work done, in [0, 1]


Report = Callable[[Progress], None]


def how_many(workers: int | str, planned: Plan) -> int:
    """The number of worker processes; "auto" takes the cores there are, and none for a small sweep."""
    if workers == "auto":
        workers = 1 if sum(block.work for block in planned.blocks) < SERIAL_WORK else cores()
    return max(1, min(int(workers), len(planned.blocks)))


def computed(planned: Plan, workers: int, report: Report | None) -> Iterator[tuple[PlannedBlock, Tables]]:
    """Blocks as they finish, largest first."""
    largest_first = sorted(planned.blocks, key=lambda block: -block.work)
    finished: list[PlannedBlock] = []
    with executor(workers) as pool:

        def submit(block: PlannedBlock) -> Future:
            try:
                return pool.submit(run_block, block.block, planned.settings)
            except BrokenProcessPool as error:  # a worker died since the last one was submitted
                failed: Future = Future()
                failed.set_exception(error)
                return failed

        for event in completed(submit, largest_first, at_once=workers + 1 if workers > 1 else 1):
            if event:
                block, future = event
                yield block, _result(block, future)
                finished.append(block)
            if report:
                report(_progress(planned, finished))


def _result(block: PlannedBlock, future: Future) -> Tables:
    try:
        return future.result()
    except BrokenProcessPool:
        raise HarnessError(
            f"a worker process died while block {block.name} was computed (out of memory? it needs about "
            f"{block.memory / 1e9:.1f} GB); finished blocks are kept: run the same command again to go on"
        ) from None


def _progress(planned: Plan, finished: Sequence[PlannedBlock]) -> Progress:
    total = sum(block.work for block in planned.blocks)
    return Progress(sum(block.networks for block in finished), planned.networks, len(finished), len(planned.blocks),
                    sum(block.work for block in finished) / total)  # fmt: skip
