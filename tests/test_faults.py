"""Sweeps whose processes are killed, interrupted or short of memory keep finished blocks, and the next run goes on.

SOAK=1 in the environment, which `make soak` sets, kills a hundred sweeps in place of ten.
"""

import contextlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import SLOW, alive, end_all, ended, environment, good, run, said, start, within
from faults import BLOCKS, SMALL, blocks_done, config_in, contents, with_fault

import harness

SOAK = bool(os.environ.get("SOAK"))
KILLS = 100 if SOAK else 10


@dataclass(frozen=True)
class Undisturbed:
    contents: dict[str, bytes]
    seconds: float  # that the command took


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    good(run("sweep", config_in(folder, SMALL), "--out", folder / "results", "--workers", 1, cwd=folder))
    seconds = time.monotonic() - began
    whole = contents(folder / "results")
    assert len(whole) == 2 * BLOCKS + 1
    return Undisturbed(whole, seconds)


# SIGKILL of all -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sweep_that_is_killed_at_any_instant_is_finished_by_the_next_one(tmp_path, undisturbed):
    """Even-numbered kills come shortly after a random number of finished blocks, odd-numbered ones at a random time."""
    config, chance, in_the_middle = config_in(tmp_path, SMALL), random.Random(20), 0
    for number in range(KILLS):
        folder = tmp_path / f"results-{number}"
        workers = 2 if number % 6 == 0 else 1
        process = start("sweep", config, "--out", folder, "--workers", workers, cwd=tmp_path)
        if number % 2 == 0:
            wanted = chance.randrange(1, BLOCKS - 2)
            assert within(60, lambda: blocks_done(folder) >= wanted), wanted  # noqa: B023
            time.sleep(chance.uniform(0, 0.02))
        else:
            time.sleep(chance.uniform(0, undisturbed.seconds))
        end_all(process)
        assert within(5, lambda: not alive(process.pid))  # noqa: B023
        in_the_middle += 0 < blocks_done(folder) < BLOCKS
        if number % 10 == 0:
            good(run("sweep", config, "--out", folder, "--workers", workers, cwd=tmp_path))
        else:
            harness.sweep(config, out=folder)
        assert contents(folder) == undisturbed.contents, number
    assert in_the_middle >= KILLS / 2


# SIGKILL of the driver alone -----------------------------------------------------------------------------------------

IN_BLAS = """
import time
from pathlib import Path

import numpy as np

from harness.execution.pools.processes import worker_pool

def product(path):
    a = np.ones((8000, 8000), np.float32)
    path.touch()
    a @ a  # one call, of 10^12 operations: ten seconds and more
    path.unlink()

if __name__ == "__main__":
    with worker_pool(2) as pool:
        futures = [pool.submit(product, Path(name)) for name in ("first", "second")]
        [future.result() for future in futures]
"""


@pytest.mark.slow
def test_no_process_outlives_a_driver_that_is_killed_even_inside_a_long_product(tmp_path):
    (tmp_path / "script.py").write_text(IN_BLAS)
    driver = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, env=environment(), start_new_session=True)
    try:
        assert within(60, lambda: (tmp_path / "first").exists() and (tmp_path / "second").exists())
        time.sleep(0.5)
        assert len(alive(driver.pid)) == 4  # the driver, its workers, and what multiprocessing has beside them
        driver.kill()
        driver.wait()
        assert within(5, lambda: not alive(driver.pid)), alive(driver.pid)
        assert (tmp_path / "first").exists()  # it was inside of the product
    finally:
        end_all(driver)


# A worker that dies --------------------------------------------------------------------------------------------------


def workers_of(process: subprocess.Popen) -> list[int]:
    """The process ids of a sweep's workers."""
    listing = ["ps", "-ww", "-A", "-o", "pgid=,pid=,args="]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return [int(pid) for pgid, pid, args in rows if pgid == str(process.pid) and "spawn_main" in args]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_its_block_tried_again(tmp_path, undisturbed):
    process = start("sweep", config_in(tmp_path, SMALL), "--out", "results", "--workers", 2, cwd=tmp_path)
    killed: set[int] = set()
    for wanted in (0, 3, 6):  # the first while it starts
        assert within(60, lambda: set(workers_of(process)) - killed and blocks_done(tmp_path / "results") >= wanted)  # noqa: B023
        killed.add(max(set(workers_of(process)) - killed))
        os.kill(max(killed), signal.SIGKILL)
    good(ended(process))
    assert contents(tmp_path / "results") == undisturbed.contents
    assert within(5, lambda: not alive(process.pid)), alive(process.pid)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "why"),
    [("kill:33", "its worker died, 3 times (SIGKILL"), ("raise:33", "ValueError: a mistake of ours\n")],
)
def test_a_block_that_fails_is_set_aside_and_named_while_the_rest_is_done(tmp_path, undisturbed, fault, why):
    config = config_in(tmp_path, SMALL)
    done = run("sweep", config, "--out", "results", "--workers", 2, cwd=tmp_path, **with_fault(tmp_path, fault))
    name = "normal-i33-w33-000-0000000-0000003"
    assert (done.returncode, done.stdout) == (1, "")
    assert said(done).startswith("1 of the sweep's blocks failed; all others are finished and kept\n")
    assert re.search(rf"^  block {name} \(needs about [\d.e-]+ GB\): {re.escape(why)}", done.stderr, re.MULTILINE)
    assert ("Traceback" in done.stderr) == ("in faulty" in done.stderr) == (fault == "raise:33")
    whole = {file: content for file, content in undisturbed.contents.items() if name not in file}
    assert len(whole) == 2 * BLOCKS - 1 and contents(tmp_path / "results") == whole
    (failed,) = harness.load(tmp_path / "results").manifest["failed"]
    assert (failed["block"], failed["networks"]) == (name, 12) and failed["why"].startswith(why.strip())
    assert failed["memory"] > 0 and ("in faulty" in failed["traceback"]) == (fault == "raise:33")

    harness.sweep(config, out=tmp_path / "results")  # the fault is mended: only that block is computed
    assert contents(tmp_path / "results") == undisturbed.contents
    assert harness.load(tmp_path / "results").manifest["last_run"]["blocks"] == 1


# Memory ---------------------------------------------------------------------------------------------------------------

# Three blocks of nothing, and one whose weights alone are {width}² numbers of 8 bytes.
LARGE = """\
name: large
network: {{activation: relu, init: he_normal, depth: 2, width: [16, 17, 18, {width}]}}
data: {{batch: 2}}
replicates: 1
figures: []
"""


TOLD = ("--memory", "100GB")  # more than there is: a sweep that knew would not begin


def assert_only_the_large_block_failed(folder: Path, done: subprocess.CompletedProcess, width: int, why: str) -> None:
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    estimate = 4 * 8 * width**2 / 1e9  # GB: the draws, drawn and kept, and what a product takes
    line = rf"^  block normal-i{width}-w{width}-\S+ \(needs about ([\d.]+) GB\): {why}"
    found = re.search(line, done.stderr, re.MULTILINE)
    assert found and estimate / 2 < float(found[1]) < estimate * 2, done.stderr
    assert done.stderr.endswith("try them again; fewer --workers, or more --memory, give each more\n")
    assert sorted(harness.load(folder / "results").networks["width"]) == [16, 17, 18]
    assert len(harness.load(folder / "results").manifest["failed"]) == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process's address space")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_block_that_runs_out_of_memory_is_named_while_the_rest_is_done(tmp_path, workers):
    width = 16_000  # 2 GB a matrix
    config = config_in(tmp_path, LARGE.format(width=width))
    process = start("sweep", config, "--out", "results", "--workers", workers, *TOLD, cwd=tmp_path)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (2_500_000_000, 2_500_000_000))  # workers inherit it
    why = "out of memory \\(Unable to allocate 1.91 GiB for an array"
    assert_only_the_large_block_failed(tmp_path, ended(process), width, why)


@pytest.fixture
def memory_group():
    """A cgroup of 700 MB, where the system permits one."""
    lines = Path("/proc/self/cgroup").read_text().splitlines() if Path("/proc/self/cgroup").exists() else []
    mine = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    first = "memory" in mine
    parent = f"/sys/fs/cgroup/memory{mine['memory']}" if first else f"/sys/fs/cgroup{mine.get('', '')}"
    group = Path(parent) / f"harness-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if first else "memory.max")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup of our own: {error}")
    try:
        limit.write_text("700000000") if limit.exists() else pytest.skip("no memory controller")
        yield group
    finally:
        assert within(5, lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


@pytest.mark.slow
def test_a_block_that_the_kernel_kills_for_lack_of_memory_is_named_while_the_rest_is_done(tmp_path, memory_group):
    width = 9_000  # 650 MB a matrix
    config = config_in(tmp_path, LARGE.format(width=width))
    process = start("sweep", config, "--out", "results", "--workers", 2, *TOLD, cwd=tmp_path)
    (memory_group / "cgroup.procs").write_text(str(process.pid))
    why = "its worker died, 3 times \\(SIGKILL, by the system for lack of memory\\)"
    assert_only_the_large_block_failed(tmp_path, ended(process), width, why)


# Ctrl-C ---------------------------------------------------------------------------------------------------------------

# Weights that are the QR of a 6000 × 6000 matrix: ten seconds inside of LAPACK.
LONG_CALL = """\
name: long
network: {activation: linear, init: orthogonal, depth: 2, width: 6000}
data: {batch: 1}
replicates: 1
figures: []
"""


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize(("workers", "interrupts"), [(1, 1), (1, 2), (2, 1)])
def test_ctrl_c_ends_a_long_call_within_5_s_and_a_second_one_at_once(tmp_path, workers, interrupts):
    process = start("sweep", config_in(tmp_path, LONG_CALL), "--out", "results", "--workers", workers, cwd=tmp_path)
    assert within(60, lambda: (tmp_path / "results/config.yaml").exists())
    time.sleep(4 if workers == 2 else 1.5)  # by now it draws, or is inside of LAPACK
    began = time.monotonic()
    for _ in range(interrupts):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
    done = ended(process)
    seconds = time.monotonic() - began
    assert (done.returncode, done.stdout) == (130, "")
    assert said(done).startswith("interrupted")
    assert seconds < (1 if interrupts == 2 else 5)
    assert within(5, lambda: not alive(process.pid)), alive(process.pid)


@pytest.mark.slow
def test_a_second_ctrl_c_while_the_first_is_being_heard_changes_no_exit_code(tmp_path):
    """While the sweep ends, and while Python itself ends, when it no longer has a handler."""
    (tmp_path / "slow.yaml").write_text(SLOW)
    for gap in (0.02, 0.06, 0.1, 0.2) if SOAK else (0.02, 0.1):
        process = start("sweep", "slow.yaml", "--out", str(gap), "--workers", 1, cwd=tmp_path)
        assert within(60, lambda: blocks_done(tmp_path / str(gap)))  # noqa: B023
        for _ in range(2):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(gap)
        done = ended(process)
        assert (done.returncode, done.stdout) == (130, ""), gap
