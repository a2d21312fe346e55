"""How long a sweep will take, reckoned from running a small piece of it."""

import heapq
import time
from dataclasses import replace

from threadpoolctl import threadpool_limits

from harness.executors import keep_freed_memory
from harness.lanes import Block
from harness.plan import Plan, PlannedBlock, work
from harness.run import run_block

PIECE = 3e9  # multiplications of the piece that is run: a few tenths of a second, enough for a steady rate


def seconds(planned: Plan, workers: int) -> float:
    """Seconds that the blocks will take so many workers, largest first, at the rate of a piece of the largest."""
    if not planned.blocks:
        return 0.0
    largest = max(planned.blocks, key=lambda block: block.work)
    piece = _piece(largest)
    keep_freed_memory()
    with threadpool_limits(limits=1):
        run_block(piece, planned.settings)  # once for what is loaded and allocated the first time
        started = time.perf_counter()
        run_block(piece, planned.settings)
    rate = work(piece.specs, planned.settings) * len(piece.replicates) / (time.perf_counter() - started)
    busy = [0.0] * workers
    for block in sorted(planned.blocks, key=lambda block: -block.work):
        heapq.heapreplace(busy, busy[0] + block.work / rate)
    return max(busy)


def _piece(planned: PlannedBlock) -> Block:
    """A part of a block: fewer replicates, then shallower networks, all of its lanes."""
    block, share = planned.block, PIECE / planned.work
    replicates = max(1, min(len(block.replicates), round(share * len(block.replicates))))
    share *= len(block.replicates) / replicates
    shares = ((spec, round(min(share, 1) * spec.depth)) for spec in block.specs)
    shallow = {replace(spec, depth=max(min(2, spec.depth), depth)): None for spec, depth in shares}
    return Block(tuple(shallow), block.replicates[:replicates])
