"""The piece that is timed before a sweep: like the whole, and small."""

import itertools
from dataclasses import replace

import pytest

from harness.config import expand, from_mapping
from harness.engine.lanes.groups import Block, Settings
from harness.execution import estimate
from harness.execution.estimate import PIECE, _piece
from harness.execution.planning.cost import work
from harness.execution.planning.plan import Plan, PlannedBlock
from harness.networks.data import DataSpec

SETTINGS = Settings(0, DataSpec(batch=64), "squared", "float64", 3.0)


def block(replicates: int, **network) -> PlannedBlock:
    """Two activations at two scales, of these depths and this width."""
    usual = {"activation": ["relu", "tanh"], "init": "he_normal", "weight_scale": [1, 2], "depth": 2, "width": 4}
    specs = expand(from_mapping({"name": "x", "network": usual | network}))
    whole = Block(specs, range(replicates))
    return PlannedBlock("x", whole, 0, 0, work(whole, SETTINGS), 0, (whole,))


def lanes(piece: Block) -> set:
    return {(s.activation, s.init, s.weight_scale, s.bias_scale, s.width) for s in piece.specs}


@pytest.mark.parametrize(
    ("replicates", "network", "share"),
    [
        (64, {"width": 256, "depth": [4, 16]}, (0.5, 1.5)),  # fewer replicates are enough
        (1, {"width": 256, "depth": [1, 500, 1000]}, (0.5, 1.5)),  # shallower networks
        (8, {"width": 512, "depth": [1, 300, 1000]}, (0.5, 1.5)),  # one replicate, and shallower too
    ],
)
def test_a_piece_of_much_work_is_small_and_of_all_lanes(replicates, network, share):
    """Work grows with replicates and, apart from the output layers, with depth: at most half as much again."""
    whole = block(replicates, **network)
    piece = _piece(whole)
    assert whole.work > 5 * PIECE
    assert lanes(piece) == lanes(whole.block)
    low, high = share
    assert low * PIECE < work(piece, SETTINGS) < high * PIECE
    deepest = max(s.depth for s in piece.specs)
    assert {s.depth for s in piece.specs} >= {min(s.depth for s in whole.block.specs), deepest} and deepest >= 2


def test_little_work_is_run_whole():
    whole = block(3, depth=[1, 2, 5])
    piece = _piece(whole)
    assert (set(piece.specs), piece.replicates) == (set(whole.block.specs), range(3))


def test_a_piece_has_two_layers_at_least():
    """However large: a single layer has no hidden one, and says nothing of the rate."""
    piece = _piece(replace(block(1, width=2048, depth=[1, 3, 50]), work=1e15))
    assert {s.depth for s in piece.specs} == {1, 2}


def test_seconds_are_those_of_the_busiest_worker(monkeypatch):
    """Three equal blocks, of which each is its own piece, by a clock on which that takes a second."""
    clock = itertools.count()
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(clock))
    own = [replace(block(2, depth=9), name=name) for name in "abc"]
    taken = [estimate.seconds(Plan(tuple(own), SETTINGS), workers) for workers in (1, 2, 3, 4)]
    assert taken == pytest.approx([3, 2, 1, 1])
    assert estimate.seconds(Plan((), SETTINGS), 2) == 0
