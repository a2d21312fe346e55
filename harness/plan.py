"""A sweep as blocks, and what each costs. The blocks follow from the config alone: never from workers or machine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from harness.cost import calls, draws, work
from harness.footprint import at_once, fit
from harness.lanes import Block, Settings
from harness.network import NetworkSpec
from harness.tables import recorded

WORK = 2e10  # a block has about this much work if the sweep has it: a second or two, so that its overhead (a task, two
# files flushed: some 20 ms) does not count, and yet a sweep of ten seconds has blocks for several workers
WORTH = 2  # what a block's own work is at least, in units of what it shares with others, where that can be had: lanes
# share their draws, and replicates that run at once the calls
ROWS = 2**20  # rows of a block of several replicates: 0.6 GB while they are made into files


@dataclass(frozen=True)
class PlannedBlock:
    """A block with its name in the results folder and its cost."""

    name: str
    block: Block
    networks: int
    layers: int  # rows of the table `layers`
    work: float  # multiplications
    memory: int  # bytes, about, where there is no limit


@dataclass(frozen=True)
class Plan:
    """All blocks of a sweep, in order."""

    blocks: tuple[PlannedBlock, ...]
    settings: Settings

    @cached_property
    def networks(self) -> int:
        return sum(block.networks for block in self.blocks)

    @cached_property
    def layers(self) -> int:
        return sum(block.layers for block in self.blocks)


def plan(specs: Sequence[NetworkSpec], settings: Settings, replicates: int, finished: Iterable[str] = ()) -> Plan:
    """Blocks for the replicates that no finished block (by name) covers.

    A sweep that is extended keeps what it has: where a finished block ends inside a run of replicates, the rest of
    that run becomes a block of its own.
    """
    covered: dict[str, list[range]] = {}
    for name in finished:
        pool, first, end = name.rsplit("-", 2)
        covered.setdefault(pool, []).append(range(int(first), int(end)))
    blocks = []
    for pool, members in pools(specs, settings).items():
        size = replicates_per_block(members, settings)
        done = {i for other in covered.get(pool, ()) for i in other}
        for start in range(0, replicates, size):
            run = range(start, min(start + size, replicates))
            blocks += [_planned(pool, Block(members, part), settings) for part in _runs(set(run) - done)]
    return Plan(tuple(blocks), settings)


def pools(specs: Sequence[NetworkSpec], settings: Settings) -> dict[str, tuple[NetworkSpec, ...]]:
    """Networks that share base draws, {name: networks}; a pool with more work than a block needs is cut."""
    shared: dict[tuple, dict[tuple, list[NetworkSpec]]] = {}
    for spec in specs:
        lane = (spec.activation, spec.init, spec.weight_scale, spec.bias_scale)
        base = (spec.family, spec.input_width, spec.width)
        shared.setdefault(base, {}).setdefault(lane, []).append(spec)
    result = {}
    for (family, input_width, width), lanes in shared.items():
        for number, members in enumerate(_cut([*lanes.values()], settings)):
            result[f"{family}-i{input_width}-w{width}-{number:03d}"] = tuple(members)
    return result


def _cut(lanes: Sequence[list[NetworkSpec]], settings: Settings) -> list[list[NetworkSpec]]:
    """Whole lanes in as many parts as have work for two blocks each, and are worth the draws that each makes; alike."""
    together = Block(tuple(spec for lane in lanes for spec in lane), range(1))
    enough = max(2 * WORK, (1 + WORTH) * draws(together))
    count = max(int(work(together, settings) / enough), -(-_rows(together.specs) // ROWS), 1)
    bounds = [round(part * len(lanes) / count) for part in range(count + 1)]
    parts = [[spec for lane in lanes[start:stop] for spec in lane] for start, stop in pairwise(bounds)]
    return [part for part in parts if part]


def replicates_per_block(members: Sequence[NetworkSpec], settings: Settings) -> int:
    """Enough replicates for the work of a block, and to be worth the calls they share; few enough for many blocks."""
    most = max(1, int(ROWS / _rows(members)))
    block = Block(tuple(members), range(most))
    each = (work(block, settings) - calls(block)) / most
    worth = min(at_once(block, settings), int(WORTH * calls(block) / each))
    return max(1, min(most, max(worth, int(WORK / each))))


def _rows(members: Sequence[NetworkSpec]) -> int:
    return sum(spec.depth for spec in members)


def _runs(wanted: set[int]) -> list[range]:
    """Consecutive numbers as ranges, ascending."""
    runs: list[range] = []
    for i in sorted(wanted):
        if runs and runs[-1].stop == i:
            runs[-1] = range(runs[-1].start, i + 1)
        else:
            runs.append(range(i, i + 1))
    return runs


def _planned(pool: str, block: Block, settings: Settings) -> PlannedBlock:
    replicates = len(block.replicates)
    return PlannedBlock(
        name=f"{pool}-{block.replicates.start:07d}-{block.replicates.stop:07d}",
        block=block,
        networks=len(block.specs) * replicates,
        layers=sum(len(recorded(spec.depth, settings.record_layers)) for spec in block.specs) * replicates,
        work=work(block, settings),
        memory=fit(block, settings).peak,
    )
