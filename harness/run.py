"""A block of networks over shared draws → its tables. Pure: the same block gives the same bits, wherever it runs."""

from collections.abc import Iterator

import numpy as np

from harness.footprint import Fit, fit, lane_state
from harness.lanes import Block, Group, Settings, groups
from harness.shared_draws import SharedDraws
from harness.tables import Records, Tables, tables
from harness.turn import Turn, flight

FLIGHT = 2**20  # bytes of an array in flight: lanes run in turns of about this size, so that they stay in cache


def run_block(block: Block, settings: Settings, within: Fit | None = None) -> Tables:
    """Draw, run forward, run backward, measure. `within` says how to keep within a memory limit."""
    within = within or fit(block, settings)
    records, log10_rms_inputs = Records(block.specs, block.replicates), []
    for piece in pieces(block, within.replicates):
        own = records if piece == block else Records(piece.specs, piece.replicates)
        shared = SharedDraws(piece, settings, within.draws)
        for group in groups(block.specs):
            for turn in turns(group, piece, settings, within.state):
                Turn(turn, shared, settings, own).run()
        records.put(own)
        log10_rms_inputs.append(shared.log10_rms_inputs())
    return tables(records, settings.seed, settings.decades, np.concatenate(log10_rms_inputs), settings.record_layers)


def pieces(block: Block, replicates: int) -> Iterator[Block]:
    """Replicates in turn, as many at a time as are said, so that their arrays stay in cache."""
    for start in range(0, len(block.replicates), replicates):
        yield Block(block.specs, block.replicates[start : start + replicates])


def turns(group: Group, block: Block, settings: Settings, state: int) -> Iterator[Group]:
    """The lanes of a group, as many at a time as stay in cache and within the memory kept for the way back."""
    if group.scales:  # one lane goes up, however many there are
        yield group
        return
    lanes = min(FLIGHT // flight(block, settings), state // lane_state(group, block, settings))
    for start in range(0, len(group.lanes), max(1, lanes)):
        yield group.some(slice(start, start + max(1, lanes)))
