"""What a block takes in memory, and how it is run so that it fits. None of it changes a bit of what it computes."""

from dataclasses import dataclass

import numpy as np

from harness.lanes import Block, Group, Settings, groups
from harness.measures import MEASURES
from harness.tables import LAYER_COORDINATES
from harness.turn import TOGETHER

STATE = 3 * 2**29  # bytes of forward state that a turn keeps for its way back, if one lane does not take more


@dataclass(frozen=True)
class Fit:
    """How a block is run: how much of its base draws is kept for the way back, and how much forward state is held."""

    draws: int  # bytes; what is beyond is made again
    state: int  # bytes of forward state that a turn may hold
    peak: int  # bytes that all of it takes, about


def fit(block: Block, settings: Settings, limit: float = np.inf) -> Fit:
    """How to run a block within `limit` bytes: as many draws kept as fit beside one lane, then as many lanes as fit.

    Where even one lane with its draws made again is too much, that is what is returned: `peak` says so.
    """
    rising = [(lane_state(group, block, settings), 1 if group.scales else len(group.lanes))
              for group in groups(block.specs)]  # fmt: skip
    least = max(lane for lane, _ in rising)
    held = fixed_bytes(block, settings) + layer_draws(block, settings)
    draws = int(max(0, min(draws_bytes(block, settings), limit - held - least)))
    room = max(least, min(STATE, limit - held - draws))
    state = max(lane * min(lanes, int(room // lane)) for lane, lanes in rising)
    return Fit(draws, state, held + draws + state)


def lane_state(group: Group, block: Block, settings: Settings) -> int:
    """Forward state of one lane over all replicates: of each layer r[k], phi'(z[k]) and silent units."""
    itemsize = np.dtype(settings.dtype).itemsize
    slope = group.activation.slope(np.zeros(1, settings.dtype)).itemsize
    batch, width = settings.data.batch, block.specs[0].width
    layer = batch * width * (itemsize + slope + (group.activation.silent is not None))
    return len(block.replicates) * group.endings[0].depth * layer


def draws_bytes(block: Block, settings: Settings) -> int:
    """Base draws of a block, kept for the way back."""
    first, deepest = block.specs[0], max(spec.depth for spec in block.specs)
    outputs = sum(width for _, width in {(spec.depth, spec.output_width) for spec in block.specs})
    entries = first.width * (first.input_width + (deepest - 1) * first.width + outputs)
    return len(block.replicates) * entries * np.dtype(settings.dtype).itemsize


def layer_draws(block: Block, settings: Settings) -> int:
    """Base draws that are held at once where they are made again: two layers', in float64 before they are cast."""
    widest = max(max(spec.input_width, spec.width, spec.output_width) for spec in block.specs)
    return 4 * 8 * len(block.replicates) * block.specs[0].width * widest


def fixed_bytes(block: Block, settings: Settings) -> int:
    """Data, arrays in flight, and the block's tables: as filled, as a table, as a file."""
    replicates, batch = len(block.replicates), settings.data.batch
    widest = max(max(spec.input_width, spec.width, spec.output_width) for spec in block.specs)
    sample = replicates * batch * widest * np.dtype(settings.dtype).itemsize
    rows = replicates * sum(spec.depth for spec in block.specs)
    return 8 * max(TOGETHER, sample) + 4 * sample + 3 * 8 * (len(MEASURES) + len(LAYER_COORDINATES)) * rows
