"""Two sweeps at the ends of what is asked for: very many tiny networks, and very deep ones."""

from benchmarks.contenders import run_harness, settings
from benchmarks.grids import Grid
from benchmarks.memory import alone
from harness.execution.pools.worker import keep_freed_memory

TINY = Grid("tiny", (10,), (1.0,), width=3)
DEEP = Grid("deep", (5000,), (1.0,), width=128, batch=32)
DRAWS = 100_000


def tiny() -> None:
    keep_freed_memory()
    relu = next(TINY.stacks()).specs
    run_harness(relu, settings("float64", TINY.batch), DRAWS)


def deep() -> None:
    keep_freed_memory()
    run_harness(DEEP.specs, settings("float64", DEEP.batch))


def lines() -> list[str]:
    """What they cost, each in a process of its own."""
    result = ["| harness alone, float64 | s | peak memory, GB |", "|---|---|---|"]
    for what, run in (
        (f"{DRAWS:,} ReLU networks of width 3 and depth 10, batch 64", tiny),
        ("depth 5000, width 128, batch 32, ReLU and sigmoid", deep),
    ):
        seconds, gigabytes = alone(run)
        result.append(f"| {what} | {seconds:.1f} | {gigabytes:.2f} |")
    return result
