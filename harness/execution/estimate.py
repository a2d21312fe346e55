"""Estimate the time and memory of a sweep from a run of a small piece of it."""

import heapq
import time
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from harness.engine.lanes.groups import Block, Settings
from harness.execution.block import lane_chunks, run_block
from harness.execution.dispatch import WORKER_BYTES, Resources, require_fit, worker_count
from harness.execution.planning.cost import draws, work
from harness.execution.planning.memory import draws_bytes, fit
from harness.execution.planning.plan import Plan, PlannedBlock
from harness.execution.pools.worker import keep_freed_memory
from harness.networks.spec import NetworkSpec

PIECE = 3e9  # multiplications in the piece: a few tenths of a second, enough for a steady rate


@dataclass(frozen=True)
class Estimate:
    """The workers, the memory and the time that a plan takes."""

    workers: int
    memory: int  # bytes per worker
    seconds: float


def estimate(planned: Plan, resources: Resources) -> Estimate:
    """Run a small piece of a plan and scale up. Raises ConfigError where a block does not fit into memory."""
    workers = 1 if resources.dask else worker_count(resources, planned)
    limit = resources.block_memory(workers)
    require_fit(planned, limit)
    peak = max(
        (fit(part, planned.settings, limit).peak for block in planned.blocks for part in block.missing), default=0
    )
    return Estimate(workers, WORKER_BYTES + peak, seconds(planned, workers, limit))


def seconds(planned: Plan, workers: int, limit: float = float("inf")) -> float:
    """Seconds that `workers` workers take for the blocks, largest first, where each block has `limit` bytes.

    The rate is measured on a piece of the largest block.
    """
    if not planned.blocks:
        return 0.0
    largest = max(planned.blocks, key=lambda block: block.work)
    piece = _piece(largest)
    keep_freed_memory()
    with threadpool_limits(limits=1):
        run_block(piece, planned.settings)  # once without a clock: the first run loads and allocates
        started = time.perf_counter()
        run_block(piece, planned.settings)
    rate = work(piece, planned.settings) / (time.perf_counter() - started)
    busy = [0.0] * workers
    for block_work in sorted((_within(block, planned.settings, limit) for block in planned.blocks), reverse=True):
        heapq.heapreplace(busy, busy[0] + block_work / rate)
    return max(busy)


def _within(planned: PlannedBlock, settings: Settings, limit: float) -> float:
    """The work of a block within `limit` bytes, including draws that each pass makes again for lack of memory."""
    return planned.work + sum(_draws_again(part, settings, limit) for part in planned.missing)


def _draws_again(block: Block, settings: Settings, limit: float) -> float:
    """The work of the draws that each pass makes again for lack of memory."""
    found = fit(block, settings, limit)
    piece = block.first_replicates(found.replicates)
    missing = 1 - found.draws / draws_bytes(piece, settings)
    passes = sum(2 for group in block.groups for _ in lane_chunks(group, piece, settings, found.state))
    return missing * (passes - 1) * len(block.replicates) * draws(block)


def _piece(planned: PlannedBlock) -> Block:
    """A part of a block of about PIECE work: fewer replicates, then shallower networks; all of its lanes."""
    block = max(planned.missing, key=lambda part: len(part.specs) * len(part.replicates))
    share = PIECE / planned.work
    replicates = max(1, min(len(block.replicates), round(share * len(block.replicates))))
    share *= len(block.replicates) / replicates
    shares = ((spec, round(min(share, 1) * spec.depth)) for spec in block.specs)
    shallow = {_cut(spec, max(min(2, spec.depth), depth)): None for spec, depth in shares}
    return Block(tuple(shallow), block.replicates[:replicates])


def _cut(spec: NetworkSpec, depth: int) -> NetworkSpec:
    """The network with fewer layers."""
    widths = None if spec.widths is None else (*spec.widths[:depth], spec.output_width)
    return replace(spec, depth=depth, widths=widths)
