"""What a Dask cluster costs beside worker processes of this machine: the same sweep, the same number of workers.

    python benchmarks/cluster.py [workers runs]

Runs are taken in turn; the time is that of computing and writing, workers started beforehand where they can be (a
cluster's are; a sweep starts its own, which is reported apart). Scheduler and workers run here, on 127.0.0.1.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import config
from harness.execution import driver
from harness.execution.dispatch import Resources
from harness.execution.pools.processes import worker_pool

ROOT = Path(__file__).parents[1]
CHANGES = ("replicates=16", "network.depth={from: 1, to: 512, steps: 10, spacing: log}", "figures=[]")


@contextmanager
def dask_cluster(workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers of one thread."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

        def start(command: str, *options: str) -> subprocess.Popen:
            words = [sys.executable, "-m", f"distributed.cli.{command}", "--scheduler-file", file, "--no-dashboard"]
            return subprocess.Popen([*words, "--host", "127.0.0.1", *options], **quiet)

        started = [start("dask_scheduler", "--port", "0")]
        try:
            while not (file.exists() and file.read_text().endswith("}")):
                time.sleep(0.1)
            started += [start("dask_worker", "--nthreads", "1", "--no-nanny") for _ in range(workers)]
            address = json.loads(file.read_text())["address"]
            from distributed import Client

            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(workers)
            yield address
        finally:
            for process in reversed(started):
                process.kill()
                process.wait()


def seconds(workers: int, dask: str | None) -> float:
    with tempfile.TemporaryDirectory() as folder:
        prepared = driver.prepare(config.read(ROOT / "configs/depth.yaml", CHANGES), out=Path(folder) / "results")
        started = time.perf_counter()
        driver.execute(prepared, Resources(workers, dask=dask))
        return time.perf_counter() - started


def load() -> None:
    import harness.execution.block  # noqa: F401


def start_of_workers(workers: int) -> float:
    """Seconds until worker processes have loaded what a block needs."""
    started = time.perf_counter()
    with worker_pool(workers) as pool:
        for future in [pool.submit(load) for _ in range(workers)]:
            future.result()
    return time.perf_counter() - started


def main() -> None:
    workers, runs = map(int, sys.argv[1:] or ("2", "5"))
    with dask_cluster(workers) as address:
        seconds(workers, address)  # once for what is loaded the first time
        local, dask = zip(*((seconds(workers, None), seconds(workers, address)) for _ in range(runs)), strict=True)
    started = start_of_workers(workers)
    a, b = statistics.median(local), statistics.median(dask)
    print(f"{'workers':10}{'local':>10}{'of which start':>16}{'Dask':>10}{'Dask / local without start':>28}")
    print(f"{workers:<10}{a:>8.1f} s{started:>14.1f} s{b:>8.1f} s{b / (a - started):>28.3f}")


if __name__ == "__main__":
    main()
