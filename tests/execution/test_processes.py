"""Pools of processes: one BLAS thread each, results in the order in which they finish, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future
from multiprocessing import active_children
from types import SimpleNamespace

import pytest
import scipy.linalg  # noqa: F401  with its BLAS, as the process of a sweep has it
from command import TINY, environment, within

from harness.execution.pools.processes import completed, worker_pool


def blas_threads() -> list[int]:
    """The number of threads of each BLAS that numpy and scipy load."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((200, 200)) @ np.ones((200, 200))
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_has_one_blas_thread(workers):
    with worker_pool(workers) as pool:
        assert set(pool.submit(blas_threads).result()) == {1}


@pytest.mark.slow
def test_workers_leave_an_interrupt_to_the_driver():
    """A terminal sends Ctrl-C to every process: while workers start, and while they wait or work."""
    with worker_pool(2) as pool:
        first = pool.submit(os.getpid)
        assert within(20, active_children)
        (starting,) = active_children()
        os.kill(starting.pid, signal.SIGINT)
        assert first.result() == starting.pid
        os.kill(starting.pid, signal.SIGINT)
        time.sleep(0.1)
        assert pool.submit(os.getpid).result() == starting.pid


def test_results_come_as_they_are_ready_and_few_are_waiting():
    futures: dict[int, Future] = {}

    def submit(task: int) -> Future:
        futures[task] = Future()
        return futures[task]

    events = completed(SimpleNamespace(max_submitted=2), submit, deque([10, 11, 12, 13]))
    assert next(events) is None  # about a second, in which nothing was ready
    assert list(futures) == [10, 11]
    futures[11].set_result("b")
    assert next(events) == (11, futures[11])
    assert list(futures) == [10, 11]  # the next is submitted when this one has been taken
    futures[10].set_result("a")
    assert next(events) == (10, futures[10])
    assert list(futures) == [10, 11, 12]
    futures[12].set_result("c")
    assert next(events) == (12, futures[12])
    futures[13].set_result("d")
    assert next(events) == (13, futures[13])
    assert list(events) == []


@pytest.mark.slow
def test_an_error_ends_the_workers_at_once():
    began = time.monotonic()
    with pytest.raises(ValueError, match="enough"), worker_pool(2) as pool:
        future = pool.submit(time.sleep, 60)
        assert within(20, active_children) and within(20, future.running)
        raise ValueError("enough")
    assert time.monotonic() - began < 20
    assert active_children() == []


SCRIPT = """
import harness

if __name__ == "__main__":
    import numpy as np  # a BLAS that is loaded before the workers start
    results = harness.sweep("tiny.yaml", overrides=["network.init=[he_normal, he_uniform]"], workers=2)
    print(len(results.networks), results.manifest["last_run"]["workers"])
"""


@pytest.mark.slow
def test_a_script_may_ask_for_workers(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "16 2\n", "")


@pytest.mark.slow
def test_workers_that_cannot_start_end_the_sweep_with_what_to_do(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "script.py").write_text(SCRIPT.replace('if __name__ == "__main__":', "if True:"))
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    said = "worker processes do not start (exit code 1); see above, or run with --workers 1. A script that asks for "
    assert done.returncode == 1 and f'HarnessError: {said}workers needs `if __name__ == "__main__":`' in done.stderr


@pytest.mark.slow
def test_an_error_comes_back_with_its_traceback_and_one_that_cannot_be_sent_as_its_text():
    with worker_pool(2) as pool:
        with pytest.raises(ZeroDivisionError) as caught:
            pool.submit(divmod, 1, 0).result()
        assert "Traceback" in caught.value.__notes__[0]
        with pytest.raises(RuntimeError, match="Unsendable: 1, 2"):
            pool.submit(trip).result()
        assert pool.submit(divmod, 7, 2).result() == (3, 1)  # the worker goes on


class Unsendable(Exception):
    def __init__(self, a, b):  # of which pickle keeps one text
        super().__init__(f"{a}, {b}")


def trip() -> None:
    raise Unsendable(1, 2)
