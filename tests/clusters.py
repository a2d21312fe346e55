"""A real Dask scheduler with real workers, for tests of sweeps on a cluster."""

import json
import subprocess
import sys
from pathlib import Path

from command import end_all, environment, within

# Dask's own warnings, of what coming Pythons will drop, are not ours to mend.
DRIVER = {"PYTHONWARNINGS": "error,ignore::DeprecationWarning"}

# 12 blocks of a few tenths of a second
MEDIUM = """\
name: medium
network: {activation: tanh, init: he_normal, depth: 60, width: {from: 64, to: 75, steps: 12}}
data: {batch: 32}
replicates: 8
figures: []
"""
BLOCKS = 12


class Cluster:
    """A scheduler and its workers, each in a session of its own."""

    def __init__(self, folder: Path, protocol: str = "tcp", **changes: str):
        folder.mkdir()
        self.file, self.workers, self.log = folder / "scheduler.json", [], (folder / "dask.log").open("w")
        self.scheduler = self._start("dask_scheduler", "--port", "0", "--protocol", protocol, **changes)
        assert within(60, lambda: self.file.exists() and self.file.read_text().endswith("}"))
        self.address = json.loads(self.file.read_text())["address"]

    def worker(self, threads: int = 1, nanny: bool = False, **changes: str) -> subprocess.Popen:
        options = ("--nthreads", str(threads), "--nanny" if nanny else "--no-nanny")
        self.workers.append(self._start("dask_worker", *options, **changes))
        return self.workers[-1]

    def wait_for(self, workers: int) -> None:
        log = Path(self.log.name)
        assert within(60, lambda: log.read_text().count("Register worker") >= workers), log.read_text()

    def _start(self, command: str, *options: str, **changes: str) -> subprocess.Popen:
        words = [
            sys.executable,
            "-m",
            f"distributed.cli.{command}",
            "--scheduler-file",
            str(self.file),
            "--host",
            "127.0.0.1",
            "--no-dashboard",
            *options,
        ]
        changes = {"PYTHONWARNINGS": None} | changes
        return subprocess.Popen(
            words,
            env=environment(**changes),
            cwd=self.file.parent,
            start_new_session=True,
            stdout=self.log,
            stderr=self.log,
        )

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            end_all(process)
        self.log.close()
