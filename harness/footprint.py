"""What a block takes in memory, and how it is run so that it fits. None of it changes a bit of what it computes."""

from dataclasses import dataclass

import numpy as np

from harness.lanes import Block, Group, Settings, groups
from harness.measures import MEASURES
from harness.tables import LAYER_COORDINATES
from harness.turn import SHARING, TOGETHER

STATE = 3 * 2**29  # bytes of forward state that a turn keeps for its way back, if one lane does not take more
DRAWS = 2**28  # bytes of base draws that replicates may keep which run at once
IN_FLIGHT = 2**18  # numbers in an array in flight, by which small networks run many replicates at once
FLYING = 8  # arrays of all endings at once on the way down: ∂C/∂r[k], ∂C/∂z[k], ∂C/∂r[k−1], r − y where they start, a
# product before it is normalised, its magnitudes or squares, and what numpy's allocator holds of two freed before
DATA = 4  # inputs and targets, each as drawn and with its exponents
LAYERS_DRAWN = 2  # base draws held where none is kept: of this layer, and of the one before until it is let go
HOLES = 0.2  # of a lane's state, where draws are made again: they leave holes between layers that stay, and the next
# layers rarely fill one; measured 0.17 to 0.21, and 0.28 where no draws are kept
COPIES = 3  # of a block's tables: the arrays that a run fills, the table made of them, the file or message it goes into


@dataclass(frozen=True)
class Fit:
    """How a block is run: replicates at once, base draws kept for the way back, forward state held."""

    draws: int  # bytes; what is beyond is made again
    state: int  # bytes of forward state that a turn may hold
    peak: int  # bytes that all of it takes, about
    replicates: int = 2**62  # that run at once; the others in turn, as lanes do


def fit(block: Block, settings: Settings, limit: float = np.inf) -> Fit:
    """How to run a block within `limit` bytes: as many replicates at once as fit with their draws beside one lane, then
    as many draws kept as fit, then as many lanes.

    Where even one lane of one replicate with its draws made again is too much, that is what it is: `peak` says so.
    """
    replicates = at_once(block, settings)
    while replicates > 1 and _one_lane(some(block, replicates), block, settings) > limit:
        replicates //= 2
    piece = some(block, replicates)
    rising = [(lane_state(group, piece, settings), 1 if group.scales else len(group.lanes))
              for group in groups(block.specs)]  # fmt: skip
    least = max(lane for lane, _ in rising)
    held = fixed_bytes(piece, settings) + layer_draws(piece, settings) + tables_bytes(block)
    draws = draws_bytes(piece, settings)
    if held + draws + least > limit:
        held += int(HOLES * least)
        draws = int(max(0, limit - held - least))
    room = max(least, min(STATE, limit - held - draws))
    state = max(lane * min(lanes, int(room // lane)) for lane, lanes in rising)
    return Fit(draws, state, held + draws + state, replicates)


def at_once(block: Block, settings: Settings) -> int:
    """Replicates that run at once where there is no limit: enough to fill an array, few enough for memory."""
    one = some(block, 1)
    lanes = len({(s.activation, s.init, s.weight_scale, s.bias_scale) for s in block.specs})
    fill = IN_FLIGHT / (lanes * settings.data.batch * _widest(block))
    state = STATE / max(lane_state(group, one, settings) for group in groups(block.specs))
    return max(1, int(min(len(block.replicates), fill, state, DRAWS / draws_bytes(one, settings))))


def some(block: Block, replicates: int) -> Block:
    """The first replicates of a block."""
    return Block(block.specs, block.replicates[:replicates])


def lane_state(group: Group, block: Block, settings: Settings) -> int:
    """Forward state of one lane over all replicates: of each layer r[k], phi'(z[k]) and silent units."""
    itemsize = np.dtype(settings.dtype).itemsize
    slope = group.activation.slope_dtype(np.dtype(settings.dtype)).itemsize
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
    """Base draws that are held at once where they are made again: in float64, and cast or made orthogonal."""
    return LAYERS_DRAWN * 2 * 8 * len(block.replicates) * block.specs[0].width * _widest(block)


def fixed_bytes(block: Block, settings: Settings) -> int:
    """Data, and arrays in flight."""
    sample = len(block.replicates) * settings.data.batch * _widest(block) * np.dtype(settings.dtype).itemsize
    sharing = max(min(SHARING, len(group.lanes)) if group.scales else 1 for group in groups(block.specs))
    return FLYING * max(TOGETHER, sharing * sample) + DATA * sample


def tables_bytes(block: Block) -> int:
    """The block's tables: a number of eight bytes in each column of `layers`."""
    rows = len(block.replicates) * sum(spec.depth for spec in block.specs)
    return COPIES * 8 * (len(MEASURES) + len(LAYER_COORDINATES)) * rows


def _one_lane(piece: Block, block: Block, settings: Settings) -> int:
    """A piece of a block, run a lane at a time with its draws kept, and the tables of the block."""
    lane = max(lane_state(group, piece, settings) for group in groups(block.specs))
    made = layer_draws(piece, settings) + draws_bytes(piece, settings)
    return fixed_bytes(piece, settings) + made + lane + tables_bytes(block)


def _widest(block: Block) -> int:
    return max(max(spec.input_width, spec.width, spec.output_width) for spec in block.specs)
