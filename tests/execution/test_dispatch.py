"""Blocks on a pool: the order of blocks changes no byte, and kinds of failures are told apart."""

import random
from concurrent.futures import Executor, Future
from dataclasses import replace
from math import inf

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faults import SMALL

from harness import config
from harness.base.errors import HarnessError
from harness.engine.lanes.groups import Settings
from harness.execution import dispatch
from harness.execution.dispatch import FailedBlock, compute_blocks, error_of
from harness.execution.planning.plan import Plan, plan
from harness.execution.pools.processes import Serial, WorkerDied
from harness.results.environment import WITHIN_TOLERANCE, made_with


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> Plan:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    sweep = config.read_file(path)
    settings = Settings(sweep.seed, sweep.data_spec(), sweep.cost, sweep.dtype, sweep.thresholds.decades)
    return plan(config.expand(sweep), settings, sweep.replicates)


def files(made) -> list[bytes]:
    """Both tables as bytes of parquet."""
    sinks = [pa.BufferOutputStream() for _ in range(2)]
    for sink, table in zip(sinks, (made.tables.layers, made.tables.networks), strict=True):
        pq.write_table(table, sink)
    return [sink.getvalue().to_pybytes() for sink in sinks]


def test_the_bytes_of_a_block_do_not_depend_on_the_order_of_blocks(planned):
    largest_first = {block.name: files(made) for block, made in compute_blocks(planned, Serial(), inf, None)}
    chance = random.Random(1)
    shuffled = Plan(tuple(replace(block, work=chance.random()) for block in planned.blocks), planned.settings)
    at_random = {block.name: files(made) for block, made in compute_blocks(shuffled, Serial(), inf, None)}
    assert list(at_random) != list(largest_first)
    assert at_random == largest_first and len(at_random) == 16


class Faulty(Executor):
    """A pool that computes, except that blocks of given widths fail with a given error, a given number of times."""

    workers = max_submitted = 1

    def __init__(self, faults: dict[int, tuple[Exception, int]]):
        self.faults, self.tried = faults, []

    def submit(self, fn, /, blocks, *arguments) -> Future:
        width = blocks[0].specs[0].width
        self.tried.append(width)
        error, times = self.faults.get(width, (None, 0))
        if self.tried.count(width) > times:
            return Serial().submit(fn, blocks, *arguments)
        future: Future = Future()
        future.set_exception(error)
        return future


def test_deaths_are_tried_again_last_and_counted_by_block_while_other_errors_are_final(planned):
    dies = WorkerDied("SIGKILL")
    pool = Faulty({30: (dies, 2), 31: (dies, 3), 32: (MemoryError("2 GiB"), 1), 33: (ValueError("oh"), 1)})
    said: list[dispatch.Progress] = []
    outcomes = {
        block.block.specs[0].width: outcome for block, outcome in compute_blocks(planned, pool, inf, said.append)
    }
    failed = {width: outcome.reason for width, outcome in outcomes.items() if isinstance(outcome, FailedBlock)}
    assert failed == {
        31: "its worker died, 3 times (SIGKILL)",
        32: "out of memory (2 GiB)",
        33: "ValueError: oh",
    }
    assert len(outcomes) == 16
    assert [pool.tried.count(width) for width in (30, 31, 32, 33, 34)] == [3, 3, 1, 1, 1]
    assert set(pool.tried[-3:]) == {30, 31}  # tried again when all else was done
    done = sum(block.networks for block in planned.blocks if block.block.specs[0].width not in failed)
    last = dispatch.Progress(done, planned.networks, work=1.0, failed=3)
    assert replace(said[-1], work=round(said[-1].work, 9)) == last  # what failed is not done, and no longer to do


def test_what_concerns_every_block_ends_the_sweep(planned):
    with pytest.raises(HarnessError, match="the scheduler is lost"):
        list(compute_blocks(planned, Faulty({40: (HarnessError("the scheduler is lost"), 1)}), inf, None))


def test_many_failures_are_told_in_few_lines(planned):
    failed = [FailedBlock(block, "ValueError: oh", "Traceback\n  here") for block in planned.blocks]
    lines = str(error_of(failed)).splitlines()
    assert lines[0] == "16 of the sweep's blocks failed; all others are finished and kept"
    assert sum(line.startswith("  block normal-i") for line in lines) == 10
    assert "  and 6 more, which manifest.json names" in lines and lines.count("Traceback") == 1
    assert lines[-1] == "run the same command again to try them again"


def test_a_worker_with_other_software_than_the_driver_computes_nothing():
    """As one that starts after numpy was upgraded. With --mixed, what changes the last digits only is accepted."""
    here = made_with()
    for name in here:
        computed = dispatch.ComputedBlock(None, here | {name: "another"})
        with pytest.raises(HarnessError, match="was changed while the sweep ran") as refused:
            dispatch._require_same_software(computed, mixed=False)
        assert name == "code" or f"{name}: {here[name]} -> another" in str(refused.value)
        if name in WITHIN_TOLERANCE:
            assert dispatch._require_same_software(computed, mixed=True) is computed
        else:
            with pytest.raises(HarnessError, match="was changed while the sweep ran"):
                dispatch._require_same_software(computed, mixed=True)
