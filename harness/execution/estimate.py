"""Estimate the time and memory of a sweep from a run of a small piece of it."""

import heapq
import time
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from harness.base.arrays import evenly_spaced
from harness.engine.lanes.groups import Block, Settings
from harness.execution.block import lane_chunks, run_block
from harness.execution.dispatch import WORKER_BYTES, Resources, require_fit, worker_count
from harness.execution.planning.cost import draws, work
from harness.execution.planning.memory import draws_bytes, fit
from harness.execution.planning.plan import Plan, PlannedBlock
from harness.execution.planning.training import replicates_together
from harness.execution.pools.worker import keep_freed_memory
from harness.networks.spec import NetworkSpec
from harness.networks.training.recipe import Training, recorded_steps

PIECE = 3e9  # multiplications in the piece: a few tenths of a second, enough for a steady rate
STEPS = 5  # of training, before recipes are left out: fewer runs side by side take more time each


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
    piece, settings = _piece(largest, planned.settings)
    keep_freed_memory()
    with threadpool_limits(limits=1):
        run_block(piece, settings)  # once without a clock: the first run loads and allocates
        started = time.perf_counter()
        run_block(piece, settings)
    rate = work(piece, settings) / (time.perf_counter() - started)
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


def _piece(planned: PlannedBlock, settings: Settings) -> tuple[Block, Settings]:
    """A part of a block of about PIECE work: fewer replicates, then shallower networks or less training; all lanes.

    Runs that are trained side by side share their calls, so the piece has as many replicates as the whole trains so.
    """
    block = max(planned.missing, key=lambda part: len(part.specs) * len(part.replicates))
    share, count = PIECE / planned.work, len(block.replicates)
    replicates = max(1, min(count, max(round(share * count), replicates_together(block.specs, settings))))
    share, part = min(1, share * count / replicates), block.replicates[:replicates]
    if settings.training is not None:
        return Block(block.specs, part), replace(settings, training=_shorter(settings.training, share))
    shares = ((spec, round(share * spec.depth)) for spec in block.specs)
    shallow = {_cut(spec, max(min(2, spec.depth), depth)): None for spec, depth in shares}
    return Block(tuple(shallow), part), settings


def _shorter(training: Training, share: float) -> Training:
    """A share of the training: fewer steps and records of them, then fewer recipes, then fewer than STEPS steps."""
    count, fewest = len(training.recipes), min(1, STEPS / training.steps)
    kept = evenly_spaced(np.arange(count), max(1, round(share / max(share, fewest) * count)))
    steps = max(1, round(min(1, share * count / len(kept)) * training.steps))
    times = max(2, round(steps / training.steps * len(training.recorded)))
    recipes = tuple(training.recipes[i] for i in kept)
    return replace(training, recipes=recipes, steps=steps, recorded=recorded_steps(steps, times, "linear"))


def _cut(spec: NetworkSpec, depth: int) -> NetworkSpec:
    """The network with fewer layers."""
    widths = None if spec.widths is None else (*spec.widths[:depth], spec.output_width)
    return replace(spec, depth=depth, widths=widths)
