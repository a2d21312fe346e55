"""The memory of a block, and how it is run so that it fits. None of this changes a bit of the results."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.engine.lanes.groups import Block, Group, Settings, lane_key
from harness.engine.lanes.passes import BACKWARD_BYTES
from harness.engine.remedied.standardised import FORMED_BYTES
from harness.execution.planning.training import training_bytes
from harness.results.columns import LAYERS

STATE_BYTES = 3 * 2**29  # bytes of forward state kept for the backward pass, unless one lane takes more
DRAWS_BYTES = 2**28  # bytes of base draws of replicates that run at once
CACHE_NUMBERS = 2**18  # numbers in one array, which many replicates of small networks share
BACKWARD_ARRAYS = 8  # backward arrays that are held at once: ∂C/∂r[k], ∂C/∂z[k], ∂C/∂r[k−1], r − y at the output, a
# product before it is normalised, its magnitudes or squares, and two freed ones that numpy's allocator keeps
STANDARDISING_ARRAYS = 2  # in float64: the base less its means, and its squares
FORMED_ARRAYS = 4  # ∂C/∂W, its product with v_hat, that of the projection, and the difference
DATA_ARRAYS = 4  # inputs and targets, each as drawn and with exponents
LAYERS_DRAWN = 2  # base draws held if none is kept: of this layer, and of the one before until it is released
FRAGMENTATION = 0.2  # share of a lane's state lost to holes if draws are made again: measured 0.17 to 0.21,
# and 0.28 if no draws are kept
TABLE_COPIES = 3  # of a block's tables: the arrays that are filled, the table, and the file or message


@dataclass(frozen=True)
class Fit:
    """The way to run a block within a memory limit."""

    draws: int  # bytes of base draws kept for the backward pass; the others are made again
    state: int  # bytes of forward state held at once
    peak: int  # bytes that all of it takes, estimated
    replicates: int = 2**62  # replicates that run at once


def fit(block: Block, settings: Settings, limit: float = np.inf) -> Fit:
    """Choose the way to run a block within `limit` bytes.

    First choose as many replicates at once as fit with one lane and all draws kept, then as many kept draws, then as
    many lanes. If even one lane of one replicate without kept draws is too large, `peak` is above `limit`.
    """
    replicates = replicates_at_once(block, settings)
    while replicates > 1 and _one_lane(block, replicates, settings) > limit:
        replicates //= 2
    part = block.first_replicates(replicates)
    states = [(lane_state(group, part, settings), group.forward_lanes) for group in block.groups]
    least = max(lane for lane, _ in states)
    held = fixed_bytes(block, replicates, settings) + layer_draws(part, settings) + tables_bytes(block)
    held += training_bytes(block, settings)
    draws = draws_bytes(part, settings)
    if held + draws + least > limit:
        held += int(FRAGMENTATION * least)
        draws = int(max(0, limit - held - least))
    available = max(least, min(STATE_BYTES, limit - held - draws))
    state = max(lane * min(lanes, int(available // lane)) for lane, lanes in states)
    return Fit(draws, state, held + draws + state, replicates)


def replicates_at_once(block: Block, settings: Settings) -> int:
    """Replicates that run at once without a memory limit: enough to fill an array, few enough for the memory."""
    one = block.first_replicates(1)
    lanes = len({lane_key(spec) for spec in block.specs})
    fill = CACHE_NUMBERS / (lanes * settings.data.batch * _widest(block))
    state = STATE_BYTES / max(lane_state(group, one, settings) for group in block.groups)
    return max(1, int(min(len(block.replicates), fill, state, DRAWS_BYTES / draws_bytes(one, settings))))


def lane_state(group: Group, block: Block, settings: Settings) -> int:
    """Bytes of forward state of one lane over all replicates: r[k], phi'(z[k]), silent units, z_hat of each layer."""
    itemsize = np.dtype(settings.dtype).itemsize
    slope = group.activation.slope_dtype(np.dtype(settings.dtype)).itemsize
    normalised = itemsize if group.remedy is not None and group.remedy.normalisation is not None else 0
    number = itemsize + slope + (group.activation.silent is not None) + normalised
    units = sum(block.widths[: group.deepest + 1]) if block.widths else group.deepest * block.width
    return len(block.replicates) * settings.data.batch * units * number


def draws_bytes(block: Block, settings: Settings) -> int:
    """Bytes of all base draws of a block."""
    first, deepest = block.specs[0], max(spec.depth for spec in block.specs)
    outputs = sum(width for _, width in {(spec.depth, spec.output_width) for spec in block.specs})
    if block.widths:
        entries = sum(a * b for a, b in pairwise(block.widths)) + block.width * outputs
    else:
        square = min(deepest - 1, 1) if first.tied else deepest - 1
        entries = first.width * (first.input_width + square * first.width + outputs)
    return len(block.replicates) * entries * np.dtype(settings.dtype).itemsize


def layer_draws(block: Block, settings: Settings) -> int:
    """Bytes of base draws held at once if they are made again: in float64, and cast or made orthogonal."""
    return LAYERS_DRAWN * 2 * 8 * len(block.replicates) * block.width * _widest(block)


def fixed_bytes(block: Block, replicates: int, settings: Settings) -> int:
    """Bytes of the data and of the backward arrays, with so many replicates at once."""
    lane = replicates * settings.data.batch * _widest(block) * np.dtype(settings.dtype).itemsize
    chunk = max(group.smallest_backward_chunk for group in block.groups)
    arrays = BACKWARD_ARRAYS * max(BACKWARD_BYTES, chunk * lane) + DATA_ARRAYS * lane
    return arrays + standardising_bytes(block, replicates, settings)


def standardising_bytes(block: Block, replicates: int, settings: Settings) -> int:
    """Bytes that standardised weights take beside their base: to make it, and for gradients of the trained weights."""
    if not block.specs[0].weight_standardised:
        return 0
    weights = block.width * _widest(block)
    formed = max(FORMED_BYTES, weights * np.dtype(settings.dtype).itemsize)
    made, v_hat = 8 * weights * replicates, weights * replicates * np.dtype(settings.dtype).itemsize
    return STANDARDISING_ARRAYS * made + v_hat + FORMED_ARRAYS * formed


def tables_bytes(block: Block) -> int:
    """Bytes of the block's tables: eight for each column of each row of `layers`."""
    rows = len(block.replicates) * sum(spec.depth for spec in block.specs)
    return TABLE_COPIES * 8 * len(LAYERS) * rows


def _one_lane(block: Block, replicates: int, settings: Settings) -> int:
    """Bytes of a block run with so many replicates and one lane at a time and all draws kept."""
    part = block.first_replicates(replicates)
    lane = max(lane_state(group, part, settings) for group in block.groups)
    drawn = layer_draws(part, settings) + draws_bytes(part, settings)
    return fixed_bytes(block, replicates, settings) + drawn + lane + tables_bytes(block)


def _widest(block: Block) -> int:
    return max(max(spec.input_width, spec.width, spec.output_width) for spec in block.specs)
