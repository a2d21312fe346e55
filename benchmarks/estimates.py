"""What `harness sweep --dry-run` says of time and memory, beside what happens: python -m benchmarks.estimates [CASE …]

Each sweep in a process of its own, one worker, one thread; seconds of the processor, which others on the machine change
less than those of the clock; memory as the kernel counts it, at most.
"""

from benchmarks import one_thread  # noqa: F401, I001  (before numpy)

import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from harness import config
from harness.execution import driver, estimate
from harness.execution.dispatch import WORKER_BYTES, Resources

ROOT = Path(__file__).parents[1]
SCALES = [0.5, 1, 1.5, 2]
CASES = {
    "configs/depth.yaml": ROOT / "configs/depth.yaml",
    "configs/thousand_layers.yaml": ROOT / "configs/thousand_layers.yaml",
    "configs/born_dead.yaml": ROOT / "configs/born_dead.yaml",
    "50 scales of ReLU": (
        {
            "activation": "relu",
            "weight_scale": {"from": 0.5, "to": 2, "steps": 50, "spacing": "log"},
            "depth": 50,
            "width": 128,
        },
        40,
        "float64",
    ),
    "10^4 networks of width 3": ({"activation": "relu", "depth": 10, "width": 3}, 10_000, "float64"),
    "12 of width 1024": ({"activation": ["relu", "sigmoid"], "depth": [4, 16], "width": 1024}, 3, "float64"),
    "8 of width 1024, orthogonal": (
        {"activation": ["relu", "sigmoid"], "init": "orthogonal", "depth": [4, 16], "width": 1024},
        2,
        "float64",
    ),
    "192 of width 128, float32": (
        {"activation": ["relu", "sigmoid"], "weight_scale": SCALES, "depth": [16, 64, 200], "width": 128},
        8,
        "float32",
    ),
    "96 of width 128, biases": (
        {
            "activation": ["relu", "tanh"],
            "weight_scale": SCALES,
            "bias_scale": 0.1,
            "depth": [16, 64, 200],
            "width": 128,
        },
        4,
        "float64",
    ),
    "160 of width 64, biases of the init": (
        {"activation": ["relu", "tanh"], "init": "pytorch_default", "depth": [16, 300], "width": 64},
        40,
        "float64",
    ),
}


def prepared(case: str, folder: Path) -> driver.Prepared:
    given = CASES[case]
    if isinstance(given, Path):
        return driver.prepare(config.read(given, ("figures=[]",)), out=folder)
    network, replicates, dtype = given
    sweep = {
        "name": "x",
        "network": {"init": "he_normal"} | network,
        "replicates": replicates,
        "dtype": dtype,
        "figures": [],
    }
    return driver.prepare(config.from_mapping(sweep), out=folder)


def said(case: str) -> tuple[float, float]:
    """Seconds, and bytes."""
    time.perf_counter = time.process_time
    with tempfile.TemporaryDirectory() as folder:
        planned = prepared(case, Path(folder) / "r").plan
        return estimate.seconds(planned, 1), WORKER_BYTES + max(block.memory for block in planned.blocks)


def took(case: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        sweep = prepared(case, Path(folder) / "r")
        began = time.process_time()
        driver.execute(sweep, Resources(1))
        seconds = time.process_time() - began
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    print("| sweep | s said | s taken | ratio | GB said | GB taken | ratio |\n|---|---|---|---|---|---|---|")
    for case in sys.argv[1:] or CASES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            (s, b), (seconds, taken) = (pool.submit(run, case).result() for run in (said, took))
        print(
            f"| {case} | {s:.2f} | {seconds:.2f} | {s / seconds:.2f} | {b / 1e9:.2f} | {taken / 1e9:.2f} | "
            f"{b / taken:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
