"""Blocks follow from the config alone, cover every network once, and go on from whatever is there."""

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import config
from harness.engine.lanes.groups import Block, Settings, lane_key
from harness.execution.block import run_block
from harness.execution.dispatch import Resources, worker_count
from harness.execution.planning import plan as planning
from harness.execution.planning.cost import draws
from harness.execution.planning.cost import work as work_of
from harness.execution.planning.memory import fit, replicates_at_once
from harness.execution.planning.plan import Plan, plan, pools, replicates_per_block
from harness.networks.data import DataSpec
from harness.networks.spec import Choice, NetworkSpec

ROOT = Path(__file__).parents[2]


def of_config(mapping: dict) -> tuple[tuple[NetworkSpec, ...], Settings, int]:
    sweep = config.from_mapping({"name": "x", **mapping})
    return config.expand(sweep), settings_of(sweep), sweep.replicates


def settings_of(sweep: config.Sweep) -> Settings:
    return Settings(sweep.seed, sweep.data_spec(), sweep.cost, sweep.dtype, sweep.thresholds.decades)


def spec(**changes) -> NetworkSpec:
    width = changes.get("width", 16)
    usual = {
        "activation": Choice("relu"),
        "init": Choice("he_normal"),
        "weight_scale": 1.0,
        "bias_scale": None,
        "depth": 8,
        "width": 16,
        "input_width": width,
        "output_width": width,
    }
    return NetworkSpec(**usual | changes)


def setting(batch: int = 16, dtype: str = "float64") -> Settings:
    return Settings(0, DataSpec(batch=batch), "squared", dtype, 3.0)


def work(members, common: Settings) -> float:
    return work_of(Block(tuple(members), range(1)), common)


def memory(members, common: Settings, replicates: int) -> int:
    return fit(Block(tuple(members), range(replicates)), common).peak


def networks(planned: Plan) -> Counter:
    """How often each (network, replicate) is computed."""
    return Counter(s.network(i) for b in planned.blocks for s in b.block.specs for i in b.block.replicates)


def wanted(specs, replicates: range) -> Counter:
    return Counter(s.network(i) for s in specs for i in replicates)


SHIPPED = sorted(path for path in (ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_sweep_is_cut_into_blocks_that_cover_it_once(path):
    sweep = config.read_file(path)
    specs = config.expand(sweep)
    planned = plan(specs, settings_of(sweep), sweep.replicates)
    assert networks(planned) == wanted(specs, range(sweep.replicates))
    assert (planned.networks, planned.layers) == (
        len(specs) * sweep.replicates,
        sum(s.depth for s in specs) * sweep.replicates,
    )
    assert len({block.name for block in planned.blocks}) == len(planned.blocks)
    assert plan(specs, settings_of(sweep), sweep.replicates) == planned
    for block in planned.blocks:
        draws = {(s.family, s.input_width, s.width) for s in block.block.specs}
        assert len(draws) == 1
        assert block.work > 0 and 0 < block.memory < 3e9
        assert block.layers <= planning.ROWS or len(block.block.replicates) == 1


def test_blocks_do_not_ask_how_many_workers_there_are(monkeypatch):
    specs, common, replicates = of_config(
        {
            "network": {
                "activation": ["relu", "tanh"],
                "init": ["he_normal", "he_uniform"],
                "depth": [4, 400],
                "width": [32, 256],
            },
            "replicates": 9,
        }
    )
    one = plan(specs, common, replicates)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert plan(specs, common, replicates) == one
    assert worker_count(Resources(64), one) == len(one.blocks) > 1
    assert (worker_count(Resources(1), one), worker_count(Resources(2), one)) == (1, 2)


def test_a_small_sweep_starts_no_workers_of_its_own_accord():
    small = plan([spec()], setting(), 2)
    assert worker_count(Resources("auto"), small) == 1
    assert worker_count(Resources("auto"), Plan((), setting())) == 1


def test_small_networks_run_many_replicates_at_once_and_large_ones_few():
    def together(**changes) -> int:
        return replicates_at_once(Block((spec(**changes),), range(10**6)), setting())

    assert together(width=3) > 1000 > together(width=256) >= 1
    assert together(width=3, input_width=4096) < 10  # it is the input that fills the arrays
    assert replicates_per_block([spec(width=3, depth=100_000)], setting()) < 20  # it is the rows


def test_a_block_has_more_replicates_than_run_at_once():
    """16 networks of width 128 fill the cache with two replicates, half a second; a block is a second or two."""
    lanes = [
        spec(activation=Choice(name), weight_scale=scale, depth=64, width=128)
        for name in ("relu", "tanh")
        for scale in np.linspace(0.5, 2, 8)
    ]
    block = plan(lanes, setting(64), 62_500).blocks[0]
    assert replicates_at_once(block.block, setting(64)) == 2
    assert planning.WORK / 2 < block.work <= planning.WORK


def test_lanes_stay_with_their_depths_where_a_pool_is_cut(monkeypatch):
    monkeypatch.setattr(planning, "WORK", 1e6)
    specs, common, _ = of_config(
        {
            "network": {
                "activation": ["relu", "tanh", "sigmoid"],
                "init": "he_normal",
                "weight_scale": [0.5, 1, 2],
                "depth": [1, 2, 4, 8],
                "width": 16,
            }
        }
    )
    cut = pools(specs, common)
    assert len(cut) > 2
    places = {}
    for name, members in cut.items():
        for s in members:
            places.setdefault(lane_key(s), set()).add(name)
    assert all(len(names) == 1 for names in places.values())
    assert sorted(s.key for members in cut.values() for s in members) == sorted(s.key for s in specs)


def test_lanes_are_parted_only_where_they_are_worth_the_draws_of_each_part():
    """At width 4096 the draws of a block take twice what a lane does, and lanes take what is left of eight.

    Scales of ReLU would share their way, and be too cheap to be parted.
    """
    wide = [
        spec(activation=Choice(name), weight_scale=scale, depth=64, width=4096)
        for name in ("sigmoid", "tanh")
        for scale in np.linspace(0.5, 2, 8)
    ]
    shared = draws(Block(tuple(wide), range(1)))
    assert work(wide[:1], setting(64)) < 2 * shared
    cut = pools(wide, setting(64))
    assert 1 < len(cut) < 4
    for members in cut.values():
        assert work(members, setting(64)) - shared > 0.8 * planning.WORTH * shared  # not all parts are quite alike


def test_more_lanes_make_new_pools_rather_than_longer_ones():
    lanes = [spec(activation=Choice("tanh"), weight_scale=float(s), depth=400, width=128) for s in range(1, 150)]
    cut = pools(lanes, setting(64))
    assert len(cut) > 1
    assert max(work(members, setting(64)) for members in cut.values()) <= 4 * planning.WORK


# Going on -----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    stages=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    size=st.integers(1, 12),
    lost=st.sets(st.integers(0, 30)),
)
def test_a_sweep_that_is_extended_computes_exactly_what_is_missing(stages, size, lost):
    """From any number of replicates to any larger one, in any number of steps, with any blocks lost on the way."""
    specs = (spec(), spec(width=8), spec(activation=Choice("tanh"), depth=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "replicates_per_block", lambda *_: size)
        have: dict[str, planning.PlannedBlock] = {}
        for replicates in sorted(stages):
            planned = plan(specs, setting(), replicates, have)
            there = sum((networks(Plan((block,), setting())) for block in have.values()), Counter())
            assert there + networks(planned) == wanted(specs, range(replicates))
            assert not {block.name for block in planned.blocks} & set(have)
            have |= {block.name: block for block in planned.blocks}
            have = {name: block for i, (name, block) in enumerate(have.items()) if i not in lost}


def test_an_extension_keeps_the_blocks_that_one_run_would_make():
    size = replicates_per_block([spec()], setting())
    once = plan([spec()], setting(), 3 * size)
    first = plan([spec()], setting(), 2 * size)
    then = plan([spec()], setting(), 3 * size, [block.name for block in first.blocks])
    assert (*first.blocks, *then.blocks) == once.blocks


def test_the_rows_of_a_run_cut_in_two_are_the_rows_of_the_run():
    specs = (spec(depth=3), spec(activation=Choice("tanh"), depth=4, bias_scale=0.5))
    whole = run_block(Block(specs, range(5)), setting())
    pieces = [run_block(Block(specs, part), setting()) for part in (range(2), range(2, 5))]
    for name in ("layers", "networks"):
        keys = ["network", "layer"] if name == "layers" else ["network"]
        together = [getattr(piece, name).to_pandas() for piece in pieces]
        rows = {tuple(row[: len(keys)]): row for frame in together for row in ordered(frame, keys)}
        expected = {tuple(row[: len(keys)]): row for row in ordered(getattr(whole, name).to_pandas(), keys)}
        assert rows.keys() == expected.keys()
        for key, row in expected.items():
            assert all(same(a, b) for a, b in zip(row, rows[key], strict=True)), key


def ordered(frame, keys) -> list[tuple]:
    return list(frame[[*keys, *frame.columns.difference(keys)]].astype(object).itertuples(index=False, name=None))


def same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b) or (a is None and b is None)


# Cost ---------------------------------------------------------------------------------------------------------------

LARGER = {
    "depth": {"depth": 9},
    "width": {"width": 17, "input_width": 17, "output_width": 17},
    "input": {"input_width": 1000},
    "output": {"output_width": 1000},
}


@pytest.mark.parametrize("what", LARGER)
def test_what_is_larger_is_not_said_to_cost_less(what):
    small, large = [spec()], [spec(**LARGER[what])]
    common = setting()
    assert 0 < work(small, common) <= work(large, common)
    assert 0 < memory(small, common, 1) <= memory(large, common, 1) < memory(large, common, 500)
    assert memory(large, common, 100) > memory(small, common, 100)


def test_cost_grows_with_batch_lanes_and_replicates():
    lanes = [spec(weight_scale=scale) for scale in (0.5, 1.0, 2.0)]
    assert work(lanes[:1], setting()) < work(lanes, setting()) < 3 * work(lanes[:1], setting())
    assert work(lanes, setting(batch=32)) > work(lanes, setting())
    assert memory(lanes, setting(batch=4096), 4) > memory(lanes, setting(), 4)
    assert memory(lanes, setting(dtype="float32"), 400) < memory(lanes, setting(), 400)
    (one,), (two,) = (plan(lanes, setting(), n).blocks for n in (1, 2))
    assert one.work < two.work < 2 * one.work  # they run at once
    assert (two.networks, two.layers) == (2 * one.networks, 2 * one.layers)


def test_a_block_goes_to_a_worker_without_its_groups():
    """They hold functions, which cannot be pickled; the worker makes them again."""
    block = Block((spec(), spec(activation=Choice("tanh"))), range(2))
    assert len(block.groups) == 2 and block.groups is block.groups
    there = pickle.loads(pickle.dumps(block))
    assert there == block and [group.networks for group in there.groups] == [group.networks for group in block.groups]


def test_numbers_of_rows_are_those_of_the_tables():
    (block,) = plan([spec(depth=3), spec(depth=5)], setting(), 2).blocks
    made = run_block(block.block, setting())
    assert (made.layers.num_rows, made.networks.num_rows) == (block.layers, block.networks)
    assert np.isfinite(block.work)
