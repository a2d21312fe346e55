"""A block of networks over shared draws → its tables. Pure: the same block gives the same bits, wherever it runs."""

from collections.abc import Iterator

import numpy as np

from harness.lanes import Block, Group, Settings, groups
from harness.tables import Records, Tables, tables
from harness.turn import FLIGHT, SharedDraws, Turn

STATE = 2**29  # bytes of forward state that a turn may keep for its way back


def run_block(block: Block, settings: Settings) -> Tables:
    """Draw, run forward, run backward, measure."""
    records = Records(block.specs, block.replicates)
    shared = SharedDraws(block, settings, keep=True)
    for group in groups(block.specs):
        for turn in turns(group, block, settings):
            Turn(turn, shared, settings, records).run()
    return tables(records, settings.seed, settings.decades)


def turns(group: Group, block: Block, settings: Settings) -> Iterator[Group]:
    """The lanes of a group, as many at a time as stay in cache and within the memory kept for the way back."""
    if group.scales:  # one lane goes up, however many there are
        yield group
        return
    spec, replicates = block.specs[0], len(block.replicates)
    in_flight = replicates * settings.data.batch * spec.width * np.dtype(settings.dtype).itemsize
    state = 3 * in_flight * group.endings[0].depth  # r, phi' and the Gram matrix of each layer
    size = max(1, min(FLIGHT // in_flight, STATE // state))
    for start in range(0, len(group.lanes), size):
        yield group.some(slice(start, start + size))
