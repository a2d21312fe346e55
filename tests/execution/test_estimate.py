"""The piece that is timed before a sweep: like the whole, and small."""

import itertools
from dataclasses import replace

import pytest
from nets import spec
from training_runs import ENDS, recipe, training

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
    piece, _ = _piece(whole, SETTINGS)
    assert whole.work > 5 * PIECE
    assert lanes(piece) == lanes(whole.block)
    low, high = share
    assert low * PIECE < work(piece, SETTINGS) < high * PIECE
    deepest = max(s.depth for s in piece.specs)
    assert {s.depth for s in piece.specs} >= {min(s.depth for s in whole.block.specs), deepest} and deepest >= 2


def test_little_work_is_run_whole():
    whole = block(3, depth=[1, 2, 5])
    piece, _ = _piece(whole, SETTINGS)
    assert (set(piece.specs), piece.replicates) == (set(whole.block.specs), range(3))


def test_a_piece_has_two_layers_at_least():
    """However large: a single layer has no hidden one, and says nothing of the rate."""
    piece, _ = _piece(replace(block(1, width=2048, depth=[1, 3, 50]), work=1e15), SETTINGS)
    assert {s.depth for s in piece.specs} == {1, 2}


@pytest.mark.parametrize(
    ("replicates", "steps", "rates", "runs"),
    [
        (128, 20_000, 1, 64),  # as many replicates as are trained side by side, and fewer steps
        (1, 10**9, 4, 4),  # as few steps as it takes
        (1, 20, 3000, 1000),  # of few steps not fewer than five, but fewer recipes
    ],
)
def test_a_piece_of_much_training_is_small(replicates, steps, rates, runs):
    recipes = tuple(recipe(learning_rate=1 + i) for i in range(rates))
    settings = replace(SETTINGS, data=DataSpec("digits", "labels", 16), training=training(*recipes, steps=steps))
    specs = (spec(width=16, **ENDS),)
    whole = Block(specs, range(replicates))
    piece, shorter = _piece(PlannedBlock("x", whole, 0, 0, work(whole, settings), 0, (whole,)), settings)
    assert work(whole, settings) > 5 * PIECE
    assert 0.5 * PIECE < work(piece, shorter) < 1.5 * PIECE
    assert runs <= len(piece.replicates) * len(shorter.training.recipes) <= 3 * runs
    assert shorter.training.recorded[0] == 0 and shorter.training.recorded[-1] == shorter.training.steps


def test_seconds_are_those_of_the_busiest_worker(monkeypatch):
    """Three equal blocks, of which each is its own piece, by a clock on which that takes a second."""
    clock = itertools.count()
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: next(clock))
    own = [replace(block(2, depth=9), name=name) for name in "abc"]
    taken = [estimate.seconds(Plan(tuple(own), SETTINGS), workers) for workers in (1, 2, 3, 4)]
    assert taken == pytest.approx([3, 2, 1, 1])
    assert estimate.seconds(Plan((), SETTINGS), 2) == 0
