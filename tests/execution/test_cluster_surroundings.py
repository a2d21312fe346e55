"""What surrounds a sweep on a Dask cluster and must not decide about it: output, signals, folders, workers' files."""

import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from clusters import DRIVER, Cluster
from command import alive, ended, run, said, start, within
from disturbed import cases, with_code
from faults import blocks_done, config_in, contents
from outputs import BAD_OUTPUT, OFTEN, with_output

import harness

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")]

# 6 blocks of a few tenths of a second
SIX = """\
name: six
network: {activation: tanh, init: he_normal, depth: 60, width: {from: 64, to: 69, steps: 6}}
data: {batch: 32}
replicates: 8
figures: []
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and a worker, which every driver here leaves as it found them."""
    made = Cluster(tmp_path_factory.mktemp("cluster") / "dask")
    made.worker()
    made.wait_for(1)
    yield made
    made.end()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    harness.sweep(config_in(folder, SIX), out=folder / "results")
    return contents(folder / "results")


def begun(cluster: Cluster, cwd: Path) -> subprocess.Popen:
    """A sweep on the cluster that has committed its first block, of six."""
    process = start("sweep", config_in(cwd, SIX), "--dask", cluster.address, "--out", "r", cwd=cwd, **DRIVER)
    assert within(60, lambda: blocks_done(cwd / "r"))
    return process


def test_a_results_folder_that_is_moved_ends_the_sweep_and_it_goes_on_there(tmp_path, cluster, undisturbed):
    process = begun(cluster, tmp_path)
    (tmp_path / "r").rename(tmp_path / "elsewhere")
    done = ended(process)
    assert (done.returncode, done.stdout) == (1, "")
    assert "this folder was moved while the sweep ran" in said(done)
    assert said(done).endswith(f"run the same command again with --out {tmp_path}/elsewhere\n")
    assert not (tmp_path / "r").exists() and 0 < blocks_done(tmp_path / "elsewhere") < 6
    harness.sweep(config_in(tmp_path, SIX), out=tmp_path / "elsewhere", dask=cluster.address)
    assert contents(tmp_path / "elsewhere") == undisturbed


def test_a_results_folder_that_is_removed_ends_the_sweep_and_is_not_made_again(tmp_path, cluster):
    process = begun(cluster, tmp_path)
    while (tmp_path / "r").exists():  # the sweep still writes into it
        shutil.rmtree(tmp_path / "r", ignore_errors=True)
    done = ended(process)
    assert (done.returncode, done.stdout, len(said(done).splitlines())) == (1, "", 1), done.stderr
    assert "this folder was removed while the sweep ran" in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("output", cases(BAD_OUTPUT, "vanished"))
def test_output_that_cannot_be_written_stops_no_sweep(tmp_path, cluster, undisturbed, output):
    command = ("sweep", config_in(tmp_path, SIX), "--dask", cluster.address, "--out", "r")
    with BAD_OUTPUT[output]() as err:
        changes = DRIVER | with_code(tmp_path, OFTEN)
        code, out, _ = with_output(command, tmp_path, subprocess.PIPE, err, **changes)
    assert code == 0
    assert b"tables: r/layers" in out
    assert contents(tmp_path / "r") == undisturbed


@pytest.mark.parametrize(
    "number",
    cases([signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], signal.SIGTERM),
    ids=lambda n: n.name,
)
def test_a_signal_ends_the_driver_and_leaves_the_cluster_to_the_next(tmp_path, cluster, undisturbed, number):
    process = begun(cluster, tmp_path)
    began = time.monotonic()
    process.send_signal(number)
    done = ended(process)
    assert time.monotonic() - began < 8
    assert (done.returncode, done.stdout) == (128 + number, ""), done.stderr
    ended_by = f"ended by {number.name}; finished blocks are kept: run the same command again to go on\n"
    assert said(done) == ended_by
    assert not [*(tmp_path / "r").rglob("*.aside")]
    assert within(5, lambda: not alive(process.pid)), alive(process.pid)
    kept = blocks_done(tmp_path / "r")
    assert 0 < kept < 6
    harness.sweep(config_in(tmp_path, SIX), out=tmp_path / "r", dask=cluster.address)
    assert contents(tmp_path / "r") == undisturbed
    assert harness.load(tmp_path / "r").manifest["last_run"]["blocks"] == 6 - kept


# A file that stands in for a module of the standard library and does what that does, so that Dask notices nothing.
SHIM = """
import sysconfig
with open(sysconfig.get_path("stdlib") + "/{name}.py") as file:
    exec(compile(file.read(), __file__, "exec"))
"""


@pytest.mark.parametrize("name", cases(["signal", "pickle", "struct", "json"], "pickle"))
@pytest.mark.parametrize("nanny", cases([False, True], False))
def test_a_worker_with_a_file_in_place_of_a_module_is_refused(tmp_path, name, nanny):
    cluster = Cluster(tmp_path / "dask")
    try:
        (tmp_path / f"dask/{name}.py").write_text(SHIM.format(name=name))
        cluster.worker(nanny=nanny)
        cluster.wait_for(1)
        command = ("sweep", config_in(tmp_path, SIX), "--dask", cluster.address, "--out", "r")
        done = run(*command, cwd=tmp_path, **DRIVER)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert f"is refused: RuntimeError: it imported {tmp_path}/dask/{name}.py in place of Python's own" in said(done)
        assert blocks_done(tmp_path / "r") == 0
    finally:
        cluster.end()
