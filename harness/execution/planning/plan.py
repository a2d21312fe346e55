"""The blocks of a sweep and their costs. They depend on the config only, never on the workers or the machine."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from harness.engine.lanes.groups import Block, Settings, draws_key, lane_key
from harness.execution.planning.cost import calls, draws, work
from harness.execution.planning.memory import fit, replicates_at_once
from harness.execution.planning.training import replicates_together
from harness.networks.spec import NetworkSpec
from harness.results.tables import recorded

WORK = 2e10  # multiplications of a block, if the sweep has as many: a second or two. Its overhead (a task and two
# files, some 20 ms) is then negligible, and a sweep of ten seconds still has blocks for several workers.
WORTH = 2  # Minimum ratio of a block's own work to its shared work, where that is possible: lanes share their draws,
# and replicates that run at once share the calls.
TRAINING = 8  # times WORK is what a block that trains may take so that its runs are trained by the dozen
ROWS = 2**20  # most rows of a block of several replicates: 0.6 GB while they are written


@dataclass(frozen=True)
class PlannedBlock:
    """A block with its name in the results folder, and the costs of what of it is to be computed."""

    name: str
    block: Block
    networks: int
    layers: int  # rows of the table `layers`
    work: float  # multiplications
    memory: int  # bytes without a memory limit, estimated
    missing: tuple[Block, ...]  # what of it is to be computed; the rest is taken over from an earlier sweep


@dataclass(frozen=True)
class Plan:
    """All blocks of a sweep, in order: those to compute, and those of which every network is taken over."""

    blocks: tuple[PlannedBlock, ...]
    settings: Settings
    taken_over: tuple[PlannedBlock, ...] = ()

    @cached_property
    def networks(self) -> int:
        """Number of networks to compute."""
        return sum(block.networks for block in self.blocks)

    @cached_property
    def layers(self) -> int:
        """Number of rows of `layers` to compute."""
        return sum(block.layers for block in self.blocks)


def plan(
    specs: Sequence[NetworkSpec],
    settings: Settings,
    replicates: int,
    finished: Iterable[str] = (),
    kept: Collection[str] = (),
) -> Plan:
    """Plan blocks for the replicates that no finished block (given by name) covers.

    A sweep that is extended keeps its finished blocks. If one ends inside the range of replicates of a new block, the
    rest of that range becomes a block of its own. `kept` names networks (key and replicate) whose rows are taken over.
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
            blocks += [_planned(pool, Block(members, part), settings, kept) for part in _ranges(set(run) - done)]
    to_compute = tuple(block for block in blocks if block.missing)
    return Plan(to_compute, settings, tuple(block for block in blocks if not block.missing))


def _missing(block: Block, kept: Collection[str]) -> tuple[Block, ...]:
    """The networks of a block that are not kept, as blocks: one for each range of replicates that some lack."""
    if not kept:
        return (block,)
    lacking: dict[tuple[int, int], list[NetworkSpec]] = {}
    for spec in block.specs:
        for run in _ranges({i for i in block.replicates if spec.network(i) not in kept}):
            lacking.setdefault((run.start, run.stop), []).append(spec)
    return tuple(Block(tuple(specs), range(*run)) for run, specs in lacking.items())


def pools(specs: Sequence[NetworkSpec], settings: Settings) -> dict[str, tuple[NetworkSpec, ...]]:
    """Networks that share base draws, {name: networks}. A pool with more work than a block needs is split."""
    shared: dict[tuple, dict[tuple, list[NetworkSpec]]] = {}
    deepest = _deepest_shapes(specs)
    for spec in specs:
        key = draws_key(replace(spec, widths=deepest[spec.widths])) if spec.widths else draws_key(spec)
        shared.setdefault(key, {}).setdefault(lane_key(spec), []).append(spec)
    result = {}
    numbers: Counter[str] = Counter()
    for lanes in shared.values():
        for members in _split([*lanes.values()], settings):
            name = f"{members[0].family}-i{members[0].input_width}-w{members[0].width}"
            result[f"{name}-{numbers[name]:03d}"] = tuple(members)
            numbers[name] += 1
    return result


def _deepest_shapes(specs: Sequence[NetworkSpec]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """For each list of widths the longest one whose hidden layers begin with those of it: they share their draws."""
    shapes = sorted({spec.widths for spec in specs if spec.widths}, key=lambda shape: (len(shape), shape), reverse=True)
    return {
        shape: next(other for other in shapes if other[: len(shape) - 1] == shape[:-1] and len(other) >= len(shape))
        for shape in shapes
    }


def _split(lanes: Sequence[list[NetworkSpec]], settings: Settings) -> list[list[NetworkSpec]]:
    """Split lanes evenly, each part with work for two blocks and enough for the draws that it makes again."""
    together = Block(tuple(spec for lane in lanes for spec in lane), range(1))
    enough = max(2 * WORK, (1 + WORTH) * draws(together))
    count = max(int(work(together, settings) / enough), -(-_rows(together.specs) // ROWS), 1)
    bounds = [round(part * len(lanes) / count) for part in range(count + 1)]
    parts = [[spec for lane in lanes[start:stop] for spec in lane] for start, stop in pairwise(bounds)]
    return [part for part in parts if part]


def replicates_per_block(members: Sequence[NetworkSpec], settings: Settings) -> int:
    """Replicates of a block: enough for WORK and for the calls that they share, with at most ROWS rows."""
    most = max(1, int(ROWS / _rows(members)))
    block = Block(tuple(members), range(most))
    per_replicate = (work(block, settings) - calls(block)) / most
    worth = min(replicates_at_once(block, settings), int(WORTH * calls(block) / per_replicate))
    worth = max(worth, min(replicates_together(members, settings), int(TRAINING * WORK / per_replicate)))
    return max(1, min(most, max(worth, int(WORK / per_replicate))))


def _rows(members: Sequence[NetworkSpec]) -> int:
    return sum(spec.depth for spec in members)


def _ranges(wanted: set[int]) -> list[range]:
    """Consecutive numbers as ranges, ascending."""
    runs: list[range] = []
    for i in sorted(wanted):
        if runs and runs[-1].stop == i:
            runs[-1] = range(runs[-1].start, i + 1)
        else:
            runs.append(range(i, i + 1))
    return runs


def _planned(pool: str, block: Block, settings: Settings, kept: Collection[str]) -> PlannedBlock:
    missing = _missing(block, kept)
    return PlannedBlock(
        name=f"{pool}-{block.replicates.start:07d}-{block.replicates.stop:07d}",
        block=block,
        networks=sum(len(part.specs) * len(part.replicates) for part in missing),
        layers=sum(_layers(part, settings) for part in missing),
        work=sum(work(part, settings) for part in missing),
        memory=max((fit(part, settings).peak for part in missing), default=0),
        missing=missing,
    )


def _layers(block: Block, settings: Settings) -> int:
    return sum(len(recorded(spec.depth, settings.record_layers)) for spec in block.specs) * len(block.replicates)
