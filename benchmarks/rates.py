"""The rates that docs/scaling.md reckons with: python -m benchmarks.rates"""

from benchmarks import one_thread  # noqa: F401, I001  (before numpy)

import pickle
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import machine
from benchmarks.contenders import settings
from benchmarks.extremes import TINY
from benchmarks.grids import GRIDS
from harness.results import parts
from harness.execution.pools.worker import keep_freed_memory
from harness.engine.lanes.groups import Block
from harness.networks.draws import BaseDraws
from harness.networks.spec import Choice, NetworkSpec
from harness.execution.planning.plan import plan
from harness.execution.block import run_block
from harness.base.streams import Streams

RUNS = 5
WIDTHS = (3, 64, 128, 512, 4096)
LANES = 2**20  # numbers of a stack of operands
SCALES = tuple(0.5 + 0.03 * i for i in range(50))  # of a sweep of ReLU; none is 1, which has a start of its own


def main() -> None:
    keep_freed_memory()
    print(f"{machine.line()} Seconds of the processor, for files of the clock; medians of {RUNS}.\n")
    with threadpool_limits(limits=1):
        print("| GFLOP/s of (64, n) @ (n, n), n = |", " | ".join(map(str, WIDTHS)), "|\n|---|" + "---|" * len(WIDTHS))
        for dtype in ("float32", "float64"):
            print(f"| {dtype} |", " | ".join(f"{product_rate(n, dtype):.1f}" for n in WIDTHS), "|")
        families = (f"{family} {draw_seconds(family, 1024):.3f} s" for family in ("normal", "uniform", "orthogonal"))
        print(f"\nBase draws of 1024 × 1024: {', '.join(families)}.\n")
        print(costs(), "\n")
        print("| tables | rows | rows/s computed | rows/s written | rows/s read | B/row on disk | B/row pickled |")
        print("|---|---|---|---|---|---|---|")
        grid = GRIDS["depth"]
        print(tables_line("the grid *depth*, float64", grid.specs, settings("float64", grid.batch), 1))
        alone = [spec for spec in grid.specs if spec.depth == 64]
        for dtype in ("float64", "float32"):
            print(tables_line(f"depth 64 of it alone, {dtype}", alone, settings(dtype, grid.batch), 100))
        print(
            tables_line(
                "5,000 ReLU networks of width 3, depth 10, float64",
                next(TINY.stacks()).specs,
                settings("float64", TINY.batch),
                5000,
            )
        )


def product_rate(n: int, dtype: str) -> float:
    """GFLOP/s of stacked products in cache, a BLAS call for each."""
    r = np.ones((max(1, LANES // (64 * max(n, 16))), 64, n), dtype)
    W, z = np.ones((n, n), dtype), np.empty_like(r)
    repeats = max(1, int(4e9 / (2 * r.size * n)))
    return 2 * r.size * n * repeats / _seconds(lambda: [np.matmul(r, W, out=z) for _ in range(repeats)]) / 1e9


def draw_seconds(family: str, n: int) -> float:
    draws = BaseDraws(0, family, [0], np.dtype(np.float64))
    return _seconds(lambda: draws.hidden(0, n, n))


def costs() -> str:
    """What harness.execution.planning.cost sets against a multiplication of 1/16 ns."""
    a_draw = _seconds(lambda: Streams(0, "x").normal(0, 0, range(10_000), (1, 1))) / 10_000
    calls = block_seconds(2000, width=3, batch=1, replicates=1) / 4000 - a_draw / 2
    row = block_seconds(10, width=3, batch=1, replicates=4000) / 40_000 - 1.2 * a_draw  # inputs and targets are drawn
    n, batch, replicates = 128, 64, 4
    layer = block_seconds(64, n, batch, replicates) / 64
    each = 2 * batch * n * (n + batch) / 16e9 + n * n * 17e-9 + row  # products and Gram matrices both ways, and a draw
    a_number = (layer - replicates * each - 2 * calls) / replicates / 2 / (batch * n)
    few, many = (block_seconds(64, n, batch, replicates, "relu", scales) for scales in (SCALES[:2], SCALES))
    superposed = ((many - few) / 64 / replicates / (len(SCALES) - 2) - row) / (batch * n)
    return (
        f"A draw {a_draw * 1e6:.1f} µs; a layer's calls, one way, {calls * 1e6:.0f} µs; a row of the tables "
        f"{row * 1e6:.1f} µs; a number passing a layer, one way, {a_number * 1e9:.1f} ns; in a lane that shares "
        f"its starts {superposed * 1e9:.1f} ns."
    )


def block_seconds(
    depth: int, width: int, batch: int, replicates: int, activation: str = "sigmoid", scales: Sequence[float] = (1.0,)
) -> float:
    """Of networks of one depth."""
    specs = tuple(
        NetworkSpec(
            activation=Choice(activation),
            init=Choice("he_normal"),
            weight_scale=scale,
            bias_scale=0.0,
            depth=depth,
            width=width,
            input_width=width,
            output_width=width,
        )
        for scale in scales
    )
    return _seconds(lambda: run_block(Block(specs, range(replicates)), settings("float64", batch)), runs=3)


def tables_line(name: str, specs, how, replicates: int) -> str:
    """From the first block of a sweep."""
    planned = plan(specs, how, replicates).blocks[0]
    computing = _seconds(lambda: run_block(planned.block, how), runs=2)
    tables = run_block(planned.block, how)
    rows = tables.layers.num_rows
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        parts.make_folders(folder)
        writing = _seconds(
            lambda: parts.commit(folder, planned.name, tables.layers, tables.networks, {}, ""), clock=time.perf_counter
        )
        reading = _seconds(
            lambda: parts.read_table(parts.committed_parts(folder, "")[parts.LAYERS]), clock=time.perf_counter
        )
        size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    return (
        f"| {name} | {rows:,} | {rows / computing:,.0f} | {rows / writing:,.0f} | {rows / reading:,.0f} | "
        f"{size / rows:.0f} | {len(pickle.dumps(tables)) / rows:.0f} |"
    )


def _seconds(run: Callable[[], object], runs: int = RUNS, clock: Callable[[], float] = time.process_time) -> float:
    """Of the processor; of the clock where the disk is waited for."""
    taken = []
    for _ in range(runs):
        started = clock()
        run()
        taken.append(clock() - started)
    return median(taken)


if __name__ == "__main__":
    main()
