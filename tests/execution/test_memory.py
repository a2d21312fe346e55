"""Blocks within a memory limit: they fit, and what they compute does not change by a bit.

Guards against a draw that is another one when it is made again, lanes that depend on how many run at once, and an
estimate that is not what a process takes.
"""

from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context

import numpy as np
import pytest
from nets import choice, settings, spec
from peak import peak

from harness.engine.lanes.groups import Block
from harness.execution.block import run_block
from harness.execution.planning.memory import (
    Fit,
    draws_bytes,
    fit,
    fixed_bytes,
    lane_state,
    layer_draws,
    tables_bytes,
)


def same_tables(a, b) -> bool:
    return a.layers.equals(b.layers) and a.networks.equals(b.networks)


@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("init", ["he_normal", "orthogonal", "pytorch_default"])
def test_a_block_that_is_short_of_memory_computes_the_same(init, dtype, cost):
    """With draws made again on the backward pass and one lane at a time, the tables are the same to the bit."""
    specs = [
        spec(activation, init, scale, bias, depth=depth, width=7, input_width=5, output_width=3)
        for activation, scale, bias, depth in product(("relu", "tanh"), (0.5, 1.0, 2.0), (0.0, 0.3), (1, 4, 9))
    ]
    block, common = Block(tuple(specs), range(2, 5)), settings(dtype=dtype, cost=cost)
    whole = run_block(block, common)
    for draws, replicates in ((0, 3), (draws_bytes(block, common) // 2, 3), (2**62, 1), (0, 2)):
        assert same_tables(run_block(block, common, Fit(draws, 1, 0, replicates)), whole), (draws, replicates)


def test_less_memory_keeps_fewer_lanes_then_fewer_draws():
    specs = tuple(spec("tanh", weight_scale=float(s), depth=300, width=64) for s in range(1, 9))
    block, common = Block(specs, range(1)), settings(batch=32)
    (group,) = block.groups
    least, draws = lane_state(group, block, common), draws_bytes(block, common)
    ample = fit(block, common)
    assert (ample.draws, ample.state) == (draws, 8 * least)
    held = fixed_bytes(block, len(block.replicates), common) + layer_draws(block, common) + tables_bytes(block)
    assert ample.peak == held + draws + 8 * least
    seen = [fit(block, common, limit) for limit in np.linspace(ample.peak, 0, 200)]
    for limit, one in zip(np.linspace(ample.peak, 0, 200), seen, strict=True):
        assert one.peak <= limit or (one.draws, one.state) == (0, least)  # there is no less than that
        assert one.draws == draws or one.state == least
    for kept in ([one.draws for one in seen], [one.state for one in seen]):
        assert kept == sorted(kept, reverse=True)


def test_less_memory_runs_fewer_replicates_before_it_draws_again():
    block, common = Block(tuple(spec("tanh", depth=d, width=8) for d in (20, 40)), range(400)), settings()
    ample = fit(block, common)
    assert ample.replicates == 400
    seen = [fit(block, common, share * ample.peak) for share in np.linspace(1, 0, 200)]
    for share, one in zip(np.linspace(1, 0, 200), seen, strict=True):
        kept = one.draws == draws_bytes(block.first_replicates(one.replicates), common)
        assert kept or one.replicates == 1
        assert one.peak <= share * ample.peak or (one.replicates, one.draws) == (1, 0)
    assert len({one.replicates for one in seen}) > 5


def test_what_scales_alike_goes_up_as_one_lane():
    """Fifty weight scales of a ReLU network take the forward state of one; of a sigmoid network, of fifty."""

    def state(activation: str) -> tuple[int, int]:
        specs = tuple(spec(activation, weight_scale=float(s), depth=50, width=64) for s in range(1, 51))
        block = Block(specs, range(1))
        return fit(block, settings(batch=32)).state, lane_state(block.groups[0], block, settings(batch=32))

    state_of_all, state_of_one = state("relu")
    assert state_of_all == state_of_one
    state_of_all, state_of_one = state("sigmoid")
    assert state_of_all == 50 * state_of_one


DEEP = {
    "lanes": [spec(a, weight_scale=s, depth=400, width=128) for a in ("tanh", "relu") for s in (0.5, 1.0, 1.5, 2.0)],
    "draws": [spec("sigmoid", depth=2000, width=128)],
    "depths": [spec(choice("leaky_relu", negative_slope=0.2), depth=d, width=100) for d in range(10, 200, 5)],
}


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("what", DEEP)
def test_a_block_takes_what_was_said(what, share):
    """Peak memory in a process of its own, within a factor of 1.5 of what was planned, with and without a limit."""
    block, common = Block(tuple(DEEP[what]), range(1)), settings(batch=64)
    ample = fit(block, common)
    within = fit(block, common, share * ample.peak)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        taken = pool.submit(peak, block, common, within).result()
    assert within.peak / 1.5 < taken < 1.5 * within.peak


@pytest.mark.slow
def test_draws_that_are_made_again_are_let_go_one_by_one():
    """Layers of a small batch are summed many at a time; a base is 8 MB, and sixty of them must not wait for that."""
    block, common = Block((spec("sigmoid", depth=60, width=1024),), range(1)), settings(batch=1)
    within = fit(block, common, 0)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(peak, block, common, within).result() < 1.5 * within.peak
