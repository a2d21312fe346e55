"""Sweeps on a real Dask scheduler with real workers write the same bytes, whichever processes die meanwhile."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
from clusters import BLOCKS, DRIVER, MEDIUM, Cluster
from command import ROOT, ended, environment, good, run, said, start, within
from faults import blocks_done, config_in, contents, with_fault
from threadpoolctl import threadpool_info, threadpool_limits

import harness
from harness.base.errors import ConfigError
from harness.execution.pools import remote
from harness.results.environment import fingerprint

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")]


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path / "dask")
    yield made
    made.end()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    harness.sweep(config_in(folder, MEDIUM), out=folder / "results")
    return contents(folder / "results")


def test_the_bytes_are_those_of_one_process_though_a_worker_is_killed(tmp_path, cluster, undisturbed):
    first, _ = cluster.worker(threads=1), cluster.worker(threads=2)
    cluster.wait_for(2)
    sweep = ("sweep", config_in(tmp_path, MEDIUM), "--out", "results", "--dask", cluster.address)
    process = start(*sweep, cwd=tmp_path, **DRIVER)
    assert within(60, lambda: blocks_done(tmp_path / "results") >= 1)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert (ended(process).returncode, time.monotonic() - began < 5) == (130, True)
    kept = blocks_done(tmp_path / "results")
    process = start(*sweep, cwd=tmp_path, **DRIVER)
    assert within(60, lambda: blocks_done(tmp_path / "results") >= kept + 2)
    first.kill()
    good(ended(process))
    assert contents(tmp_path / "results") == undisturbed
    manifest = harness.load(tmp_path / "results").manifest
    assert (manifest["failed"], manifest["last_run"]["workers"]) == ([], 2)


def test_a_block_that_kills_its_workers_is_set_aside_and_named_while_the_rest_is_done(tmp_path, cluster, undisturbed):
    fault = with_fault(tmp_path, "kill:70")
    cluster.worker(threads=3, nanny=True, **fault)  # beside it, on the same worker, run others that are not to blame
    cluster.wait_for(1)
    done = run(
        "sweep", config_in(tmp_path, MEDIUM), "--out", "results", "--dask", cluster.address, cwd=tmp_path, **DRIVER
    )
    name = "normal-i70-w70-000-0000000-0000008"
    assert (done.returncode, done.stdout) == (1, "")
    failed = rf"^  block {name} \(needs about [\d.]+ GB\): its worker died, 3 times \(worker tcp://127\S+ was lost\)$"
    assert re.search(failed, done.stderr, re.MULTILINE) and "\n1 of the sweep's blocks failed" in "\n" + done.stderr
    assert contents(tmp_path / "results") == {n: content for n, content in undisturbed.items() if name not in n}


def test_a_lost_scheduler_ends_the_driver_soon_and_the_next_run_goes_on(tmp_path, cluster, undisturbed):
    cluster.worker()
    cluster.wait_for(1)
    config = config_in(tmp_path, MEDIUM)
    process = start("sweep", config, "--out", "results", "--dask", cluster.address, cwd=tmp_path, **DRIVER)
    assert within(60, lambda: blocks_done(tmp_path / "results") >= 2)
    cluster.scheduler.kill()
    began = time.monotonic()
    done = ended(process)
    assert time.monotonic() - began < 10
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"the scheduler at {cluster.address} is lost \(\w+\); finished blocks are kept: run the same "
        "command again to go on\n",
        said(done),
    )
    kept = blocks_done(tmp_path / "results")
    assert 2 <= kept < BLOCKS
    good(run("sweep", config, "--out", "results", cwd=tmp_path, **DRIVER))
    assert contents(tmp_path / "results") == undisturbed
    assert harness.load(tmp_path / "results").manifest["last_run"]["blocks"] == BLOCKS - kept


KERNEL = "Haswell" if "Haswell" not in fingerprint()["blas"] else "Nehalem"


def test_a_worker_with_another_fingerprint_is_refused_also_when_it_joins_late(tmp_path, cluster, undisturbed):
    cluster.worker(OPENBLAS_CORETYPE=KERNEL)
    cluster.wait_for(1)
    config = config_in(tmp_path, MEDIUM)
    sweep = ("sweep", config, "--out", "results", "--dask", cluster.address)
    done = run(*sweep, cwd=tmp_path, **DRIVER)
    refused = rf"worker tcp://127\S+ is refused: blas there: .*{KERNEL}.*, here: {re.escape(fingerprint()['blas'])}\n"
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(f"no worker of {cluster.address} computes as this process does:\n{refused}start", said(done))
    assert blocks_done(tmp_path / "results") == 0

    alike = cluster.worker()  # it joins, and in the middle another that is not
    cluster.wait_for(2)
    process = start(*sweep, cwd=tmp_path, **DRIVER)
    assert within(60, lambda: blocks_done(tmp_path / "results") >= 1)
    alike.send_signal(signal.SIGSTOP)
    cluster.worker(OPENBLAS_CORETYPE=KERNEL)
    cluster.wait_for(3)
    time.sleep(1)  # two looks of the driver
    alike.send_signal(signal.SIGCONT)
    done = ended(process)
    assert (done.returncode, contents(tmp_path / "results") == undisturbed) == (0, True)
    assert re.match(refused, said(done))
    assert harness.load(tmp_path / "results").manifest["last_run"]["workers"] == 1

    good(run(*sweep, "--fresh", "--mixed", cwd=tmp_path, **DRIVER))
    assert harness.load(tmp_path / "results").manifest["last_run"]["workers"] == 3


BENT = """
import numpy as np
from harness.networks.activations import Activation

SENTENCE, FIGURES = "An activation of one's own.", ()


def bent() -> Activation:
    return Activation("bent", lambda z: z + np.tanh(z), lambda z: 1 + 1 / np.cosh(z) ** 2, 2.0, "z + tanh z")


ACTIVATIONS = (bent,)
"""


def test_a_worker_needs_no_file_of_the_drivers(tmp_path, cluster, monkeypatch):
    """The worker cannot open the data file, like a worker on another machine, nor the file of an activation."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.py").write_text(BENT)
    rows = "\n".join(f"{i * i % 7},{i % 5},{i % 3}" for i in range(30))
    (tmp_path / "mine.csv").write_text(f"a,b,label\n{rows}\n")
    text = MEDIUM.replace("data: {batch: 32}", "data: {inputs: mine.csv, targets: labels, batch: 8}")
    text = text.replace("activation: tanh", "activation: [tanh, bent]") + "experiment: mine\n"
    config = config_in(tmp_path, text.replace("steps: 12", "steps: 2"))
    cluster.worker(**with_fault(tmp_path, "open:mine.csv"))
    cluster.wait_for(1)
    good(run("sweep", config, "--out", "there", "--dask", cluster.address, cwd=tmp_path, **DRIVER))
    harness.sweep(config, out=tmp_path / "here")
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def certificate(folder: Path) -> dict[str, str]:
    """A certificate of its own authority, and the variables that docs/clusters.md exports for it."""
    folder.mkdir()
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=harness",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]
    if shutil.which("openssl") is None or subprocess.run(made, cwd=folder, capture_output=True).returncode:
        pytest.skip("no certificate can be made here (openssl)")
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    page = (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
    exports = textwrap.dedent(re.search(r"(?<=\n\n)    export DASK_.*?\n    done", page, re.DOTALL)[0])
    set_ = subprocess.check_output(["bash", "-c", f"{exports}\nenv -0"], text=True).split("\0")
    variables = dict(one.split("=", 1) for one in set_ if one.startswith("DASK_DISTRIBUTED__COMM__"))
    assert len(variables) == 8
    return {name: str(folder / value) if value.endswith(".pem") else value for name, value in variables.items()}


def test_a_cluster_under_tls_admits_holders_of_a_certificate_and_nobody_else(tmp_path, undisturbed):
    """TLS as docs/clusters.md sets it up. Without it a scheduler runs the code of anybody who can reach it."""
    ours, theirs = certificate(tmp_path / "ours"), certificate(tmp_path / "theirs")
    cluster = Cluster(tmp_path / "dask", "tls", **ours)
    try:
        assert cluster.address.startswith("tls://127.0.0.1:")
        cluster.worker(**ours)
        cluster.wait_for(1)
        config = config_in(tmp_path, MEDIUM)
        sweep = ("sweep", config, "--out", "results", "--dask")
        plain = cluster.address.replace("tls", "tcp")
        without = [(cluster.address, {}), (cluster.address, theirs), (plain, {})]
        strangers = [start(*sweep, address, cwd=tmp_path, **DRIVER, **has) for address, has in without]
        for (address, _), stranger in zip(without, map(ended, strangers), strict=True):
            assert (stranger.returncode, stranger.stdout) == (2, "")
            assert re.fullmatch(rf"--dask: no scheduler at {address}: .+\n", stranger.stderr), stranger.stderr
        assert not (tmp_path / "results").exists()
        good(run(*sweep, cluster.address, cwd=tmp_path, **DRIVER, **ours))
        assert contents(tmp_path / "results") == undisturbed
    finally:
        cluster.end()


async def in_a_notebook(config, folder):
    """Sweep in a thread that runs an event loop."""
    harness.sweep(config, out=folder / "results", dask="tcp://127.0.0.1:1")


def test_there_is_nobody_to_compute(tmp_path, monkeypatch):
    config = config_in(tmp_path, MEDIUM)
    monkeypatch.setattr("harness.execution.pools.cluster.TIMEOUT", 0.5)  # of ten seconds
    with pytest.raises(ConfigError, match=r"^--dask: no scheduler at tcp://127\.0\.0\.1:1: .+$"):
        harness.sweep(config, out=tmp_path / "results", dask="tcp://127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"^--dask: no scheduler at tcp://127\.0\.0\.1:1: .+$"):
        with ThreadPoolExecutor(1) as thread:  # this one may run an event loop of the browser's tests
            thread.submit(asyncio.run, in_a_notebook(config, tmp_path)).result()
    (tmp_path / "distributed.py").write_text("raise ImportError")
    path = os.pathsep.join((str(tmp_path), environment()["PYTHONPATH"]))
    done = run("sweep", config, "--dask", "tcp://127.0.0.1:1", cwd=tmp_path, PYTHONPATH=path, **DRIVER)
    text = "--dask: Dask is not installed; pip install 'gradient-harness[dask]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", text)


def test_a_task_for_a_process_that_is_gone_is_not_computed():
    """When a worker is restarted at the same address, the scheduler gives the task to the new process."""
    with pytest.raises(remote.WorkerReplaced):
        remote.compute("another process", b"")


def test_tasks_in_threads_keep_to_one_blas_thread_while_any_of_them_computes():
    def blas() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(limits=2):
        with remote.ONE_THREAD:
            with remote.ONE_THREAD:
                assert blas() == {1}
            assert blas() == {1}
        assert blas() == {2}
