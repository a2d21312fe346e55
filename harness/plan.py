"""A sweep as blocks, and what each costs. The blocks follow from the config alone: never from workers or machine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.footprint import STATE, draws_bytes, fit, lane_state
from harness.lanes import Block, Settings, groups
from harness.network import NetworkSpec
from harness.tables import recorded

WORK = 4e10  # a block has about this much work if the sweep has it: seconds, so that its overhead does not count
IN_FLIGHT = 2**18  # numbers in an array in flight, by which small networks run many replicates at once
DRAWS = 2**28  # bytes of base draws that a block of several replicates may keep
ROWS = 2**20  # rows of a block of several replicates


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
        draws = (spec.family, spec.input_width, spec.width)
        shared.setdefault(draws, {}).setdefault(lane, []).append(spec)
    result = {}
    for (family, input_width, width), lanes in shared.items():
        for number, members in enumerate(_cut(lanes.values(), settings)):
            result[f"{family}-i{input_width}-w{width}-{number:03d}"] = tuple(members)
    return result


def _cut(lanes: Iterable[list[NetworkSpec]], settings: Settings) -> list[list[NetworkSpec]]:
    """Whole lanes together until they are enough work or rows for a block."""
    parts: list[list[NetworkSpec]] = [[]]
    for lane in lanes:
        if parts[-1] and (work(parts[-1], settings) > WORK or _rows(parts[-1]) > ROWS):
            parts.append([])
        parts[-1].extend(lane)
    return parts


def replicates_per_block(members: Sequence[NetworkSpec], settings: Settings) -> int:
    """Enough replicates that small networks fill an array, few enough for memory and for many blocks."""
    one = Block(tuple(members), range(1))
    lanes = len({(s.activation, s.init, s.weight_scale, s.bias_scale) for s in members})
    fill = IN_FLIGHT / (lanes * settings.data.batch * _widest(members))
    state = STATE / max(lane_state(group, one, settings) for group in groups(members))
    limits = (fill, state, WORK / work(members, settings), DRAWS / draws_bytes(one, settings), ROWS / _rows(members))
    return max(1, int(min(limits)))


def work(members: Sequence[NetworkSpec], settings: Settings) -> float:
    """Multiplications of one replicate: products, the cheaper route to ‖∂C/∂W‖, and what is done to every number."""
    spec, batch = members[0], settings.data.batch
    up = down = 0  # layers of lanes that go up, and come down
    for group in groups(members):
        rising = 1 if group.scales else len(group.lanes)
        falling = 1 if group.scales and settings.cost == "linear" else len(group.lanes)
        up += rising * (group.endings[0].depth + len(group.endings))
        down += falling * sum(ending.depth for ending in group.endings)
    product = batch * spec.width**2
    norm = min(product, batch**2 * spec.width)
    elementwise = 80 * batch * spec.width  # a dozen passes over an array cost as much as these multiplications
    measured = 20 * _rows(members)  # columns of the tables
    return up * (product + norm + elementwise) + down * (product + norm + elementwise) + measured


def _rows(members: Sequence[NetworkSpec]) -> int:
    return sum(spec.depth for spec in members)


def _widest(members: Sequence[NetworkSpec]) -> int:
    return max(max(spec.input_width, spec.width, spec.output_width) for spec in members)


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
        work=work(block.specs, settings) * replicates,
        memory=fit(block, settings).peak,
    )
