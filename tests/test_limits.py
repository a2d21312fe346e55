"""Limits of the machine and refusals of a file system: each is called what it is. docs/reliability.md has the table."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from command import HARNESS, SLOW, ended, environment, good, run, start, within
from disturbed import assert_one_line, cases, with_code
from faults import contents

# Limits of the machine ------------------------------------------------------------------------------------------------


@pytest.fixture
def group_of():
    """Makes cgroups (of version 1) with limits, where we may."""
    made: list[Path] = []

    def make(controller: str, **limits: object) -> Path:
        lines = Path("/proc/self/cgroup").read_text().splitlines() if Path("/proc/self/cgroup").exists() else []
        mine = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
        if controller not in mine:
            pytest.skip(f"no controller {controller} of cgroups, version 1")
        group = Path(f"/sys/fs/cgroup/{controller}{mine[controller]}") / f"harness-{os.getpid()}"
        try:
            group.mkdir()
            made.append(group)
            for name, limit in limits.items():
                (group / f"{controller}.{name}").write_text(str(limit))
        except OSError as error:
            pytest.skip(f"no cgroup of our own: {error}")
        return group

    yield make
    for group in made:
        assert within(5, lambda: not (group / "cgroup.procs").read_text())  # noqa: B023
        group.rmdir()


def run_in(group: Path, *arguments: object, cwd: Path, **changes: str) -> subprocess.CompletedProcess:
    script = f'echo $$ > {group}/cgroup.procs; exec "$@"'
    return subprocess.run(
        ["bash", "-c", script, "-", *HARNESS, *map(str, arguments)],
        cwd=cwd,
        env=environment(**changes),
        text=True,
        capture_output=True,
        timeout=100,
    )


def planned_workers(done: subprocess.CompletedProcess) -> int:
    return int(good(done).partition("workers:")[2].split()[0])


def test_a_quota_of_processors_is_kept_to(tmp_path, group_of):
    (tmp_path / "slow.yaml").write_text(SLOW)
    command = ("sweep", "slow.yaml", "--set", "replicates=400", "--dry-run")
    group = group_of("cpu", cfs_quota_us=100_000)
    assert planned_workers(run(*command, cwd=tmp_path)) == min(len(os.sched_getaffinity(0)), 32)
    assert planned_workers(run_in(group, *command, cwd=tmp_path)) == 1


@pytest.mark.slow
def test_workers_are_as_many_as_have_memory(tmp_path, group_of):
    """In a container with room for one worker, one is started, without being asked to."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    (tmp_path / "wide.yaml").write_text(WIDE)
    group = group_of("memory", limit_in_bytes=900_000_000)
    command = ("sweep", "wide.yaml", "--out", "r")
    assert planned_workers(run_in(group, *command, "--dry-run", cwd=tmp_path)) == 1
    done = run_in(group, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


WIDE = """\
name: wide
network: {activation: linear, init: he_normal, depth: [2, 3], width: [1500, 1501, 1502, 1503, 1504, 1505]}
data: {batch: 64}
replicates: 2
figures: []
"""


@pytest.mark.slow
def test_a_limit_on_processor_time_is_called_that(tmp_path):
    """Every worker has the limit for itself, so blocks end three of them while the driver goes on."""
    long = SLOW.replace("{from: 96, to: 131, steps: 8}", "[8, 1400]").replace("depth: 60", "depth: 20")
    (tmp_path / "c.yaml").write_text(long)
    process = start("sweep", "c.yaml", "--out", "r", "--workers", 2, cwd=tmp_path)
    resource.prlimit(process.pid, resource.RLIMIT_CPU, (4, 4))
    done = ended(process, 300)
    assert done.returncode == 1, done.stderr
    assert "limit on processor time" in done.stderr and "memory, give" not in done.stderr, done.stderr
    assert "lack of memory" not in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("most", cases([3, 6, 8, 10, 12], 3, 8))
def test_a_limit_on_processes_is_said_in_one_line_or_does_not_matter(plain, most):
    """ulimit -u, as somebody whom it binds."""
    tmp_path = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    tmp_path.chmod(0o777)
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o777)
    shutil.copy(plain / "four.yaml", tmp_path)
    caps = "+dac_override,+dac_read_search"
    somebody = ["setpriv", "--reuid=65533", "--clear-groups", f"--inh-caps={caps}", f"--ambient-caps={caps}"]
    if (
        os.getuid()
        or not shutil.which("setpriv")
        or subprocess.run([*somebody, "true"], capture_output=True).returncode
    ):
        pytest.skip("we may not become somebody else here (setpriv)")
    command = [*HARNESS, "sweep", "four.yaml", "--out", "out/r", "--workers", "2"]
    done = subprocess.run(
        [*somebody, "bash", "-c", f'ulimit -u {most}; exec "$@"', "-", *command],
        cwd=tmp_path,
        env=environment(OPENBLAS_NUM_THREADS=None),
        text=True,
        capture_output=True,
        timeout=60,
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("OpenBLAS", "<jemalloc>"))]
    if done.returncode == 0:
        assert contents(tmp_path / "out/r") == contents(plain / "four")
    else:
        assert done.returncode == 1 and len(lines) == 1, done.stderr
        assert "processes" in lines[0] or "threads" in lines[0], lines


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [1000, 2000])  # with less, numpy's BLAS itself ends the process as it is loaded
@pytest.mark.parametrize("workers", cases([1, 2], 2))
def test_a_limit_on_address_space_is_said_in_one_line_or_does_not_matter(tmp_path, plain, megabytes, workers):
    """ulimit -v, with the default number of BLAS threads."""
    command = [*HARNESS, "sweep", str(plain / "four.yaml"), "--out", "r", "--workers", str(workers)]
    done = subprocess.run(
        ["bash", "-c", f'ulimit -v {megabytes * 1000}; exec "$@"', "-", *command],
        cwd=tmp_path,
        env=environment(OPENBLAS_NUM_THREADS=None),
        text=True,
        capture_output=True,
        timeout=100,
    )
    if done.returncode == 0:
        assert contents(tmp_path / "r") == contents(plain / "four")
        return
    if done.returncode in (127, -signal.SIGABRT):  # glibc, or a library in C++, ends the process itself
        assert "cannot allocate memory" in done.stderr or "std::bad_alloc" in done.stderr, done.stderr
        return
    assert done.returncode == 1, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("OpenBLAS", "<jemalloc>"))]
    assert 1 <= len(lines) <= 12 and "Traceback" not in done.stderr, done.stderr
    assert "memory" in done.stderr, done.stderr


DAEMONIC = """
import multiprocessing
import harness
from harness.base.errors import HarnessError

def sweep():
    try:
        harness.sweep("four.yaml", out="r", workers=2)
    except HarnessError as error:
        print(error)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=sweep, daemon=True)
    process.start()
    process.join()
"""


@pytest.mark.slow
def test_workers_asked_for_in_a_daemonic_process_are_refused_by_that_reason(tmp_path, plain):
    shutil.copy(plain / "four.yaml", tmp_path)
    (tmp_path / "script.py").write_text(DAEMONIC)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment(), text=True, capture_output=True
    )
    assert done.stdout.count("\n") == 1 and "daemon" in done.stdout and "workers=1" in done.stdout, done.stdout
    assert "AssertionError" not in done.stdout
    assert not (tmp_path / "r").exists()


# What a file system refuses -------------------------------------------------------------------------------------------

REFUSES = """
import errno, os, stat

real_fsync, real_replace = os.fsync, os.replace

def fsync(descriptor):
    if {what!r} == "fsync of folders" and stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise OSError(errno.{name}, os.strerror(errno.{name}))
    real_fsync(descriptor)

def replace(source, target, **options):
    if {what!r} == "rename" and str(target).endswith(".parquet"):
        raise OSError(errno.{name}, os.strerror(errno.{name}))
    real_replace(source, target, **options)

os.fsync, os.replace = fsync, replace
"""


@pytest.mark.parametrize("name", cases(["EINVAL", "ENOTSUP", "EACCES", "EBADF", "EPERM"], "EINVAL", "EPERM"))
def test_a_file_system_that_cannot_sync_folders_can_be_used(tmp_path, plain, name):
    changes = with_code(tmp_path, REFUSES.format(what="fsync of folders", name=name))
    good(run("sweep", plain / "four.yaml", "--out", "r", cwd=tmp_path, **changes))
    assert contents(tmp_path / "r") == contents(plain / "four")


@pytest.mark.parametrize("name", cases(["EPERM", "EACCES", "EINVAL", "EIO", "EROFS", "ESTALE"], "EPERM", "EIO"))
def test_what_is_no_lack_of_room_is_not_called_that(tmp_path, plain, name):
    changes = with_code(tmp_path, REFUSES.format(what="rename", name=name))
    done = run("sweep", plain / "four.yaml", "--out", "r", "--workers", 1, cwd=tmp_path, **changes)
    assert_one_line(done, 1, "cannot be written", os.strerror(getattr(__import__("errno"), name)))
    assert "room" not in done.stderr and "free" not in done.stderr, done.stderr
    assert "run the same command again" in done.stderr
