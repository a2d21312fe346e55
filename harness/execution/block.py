"""Run a block: from networks over shared draws to its tables. The same block gives the same bits wherever it runs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.engine.lanes.draws import SharedDraws
from harness.engine.lanes.groups import Block, Group, Settings
from harness.engine.lanes.passes import run_group
from harness.engine.lanes.records import Records
from harness.execution.planning.memory import Fit, fit, lane_state
from harness.execution.training import train_block
from harness.networks.costs import COSTS
from harness.results.tables import Tables, tables

CACHE_BYTES = 2**20  # bytes of one forward array; limits how many lanes are propagated together


def run_block(block: Block, settings: Settings, within: Fit | None = None) -> Tables:
    """Draw, propagate forward and backward, measure. `within` says how to keep within a memory limit."""
    within = within or fit(block, settings)
    records, log10_rms_inputs = Records(block.specs, block.replicates), []
    for part in replicate_chunks(block, within.replicates):
        part_records = records if part == block else Records(part.specs, part.replicates)
        draws = SharedDraws(part, settings, within.draws)
        for group in block.groups:
            for lanes in lane_chunks(group, part, settings, within.state):
                run_group(lanes, draws, part_records)
        records.add_replicates(part_records)
        log10_rms_inputs.append(draws.log10_rms_inputs())
    made = tables(
        records,
        settings.seed,
        settings.decades,
        np.concatenate(log10_rms_inputs),
        settings.record_layers,
        batch=settings.data.batch,
        in_domain=COSTS[settings.cost].fixed_start and settings.data.batch == 1,
    )
    return made if settings.training is None else replace(made, steps=train_block(settings, settings.training, records))


def replicate_chunks(block: Block, replicates: int) -> Iterator[Block]:
    """The block in parts of so many replicates, whose arrays fit into the cache."""
    for start in range(0, len(block.replicates), replicates):
        yield Block(block.specs, block.replicates[start : start + replicates])


def lane_chunks(group: Group, block: Block, settings: Settings, state: int) -> Iterator[Group]:
    """The group in parts of as many lanes as fit into the cache, and whose forward state fits into `state` bytes."""
    if group.forward_lanes == 1:
        yield group
        return
    lanes = min(CACHE_BYTES // block.lane_bytes(settings), state // lane_state(group, block, settings))
    for start in range(0, len(group.lanes), max(1, lanes)):
        yield group.select_lanes(slice(start, start + max(1, lanes)))
