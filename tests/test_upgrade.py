"""The package is replaced while a sweep runs, as `pip install --upgrade` or an editor does, by real processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import ROOT, environment, part_files, run, said
from disturbed import FOUR_BLOCKS, assert_one_line, cases
from faults import blocks_done, contents

# Before a block of width 9 is computed for the first time, the package is replaced, and a worker is killed.
UPGRADES = """
import functools, os, signal, sys
from multiprocessing import parent_process
import harness.execution.block as run

run_block = run.run_block

@functools.wraps(run_block)
def upgrading(block, *arguments):
    if block.specs[0].width == 9 and os.readlink("installed") == "site":
        os.symlink("after", "installed.new")
        os.rename("installed.new", "installed")
        if parent_process():
            os.kill(os.getpid(), signal.SIGKILL)
    return run_block(block, *arguments)

run.run_block = upgrading
"""


def replaced(package: Path, file: str, old: str, new: str) -> None:
    text = (package / file).read_text(encoding="utf-8")
    assert old in text
    (package / file).write_text(text.replace(old, new), encoding="utf-8")


def computes(package: Path) -> None:
    replaced(package, "engine/measures.py", "import numpy as np", "import numpy as np\n\nEDITED = True")


def renamed(package: Path) -> None:
    """Names of functions that a worker and the driver look for, in files that move no number."""
    replaced(package, "interface/report/page.py", "def write_report", "def report_written")
    replaced(package, "execution/pools/worker.py", "def serve", "def answer_calls")


def comment(package: Path) -> None:
    """The only change with which a worker can start."""
    replaced(package, "engine/measures.py", "import numpy as np", "import numpy as np  # arrays")


def version(package: Path) -> None:
    package.with_name("gradient_harness-0.1.0.dist-info").rename(package.with_name("gradient_harness-9.dist-info"))
    replaced(package.with_name("gradient_harness-9.dist-info"), "METADATA", "Version: 0.1.0", "Version: 9")


def gone(package: Path) -> None:
    shutil.rmtree(package)


def installed(folder: Path, change: Callable[[Path], None]) -> dict[str, str]:
    """A package in `folder` that will be replaced by one with a change. Returns the environment that runs it."""
    for place in ("site", "after"):
        shutil.copytree(ROOT / "harness", folder / place / "harness", ignore=shutil.ignore_patterns("__pycache__"))
        information = folder / place / "gradient_harness-0.1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: gradient-harness\nVersion: 0.1.0\n")
    change(folder / "after/harness")
    (folder / "installed").symlink_to("site")
    (folder / "startup").mkdir()
    (folder / "startup/sitecustomize.py").write_text(UPGRADES)
    return {"PYTHONPATH": os.pathsep.join((str(folder / "startup"), str(folder / "installed")))}


EXPECTED = {  # of a sweep with worker processes
    computes: "the code of the harness was changed while the sweep ran; finished blocks are kept: put it back",
    renamed: "the code of the harness was changed while the sweep ran; finished blocks are kept: run the same command",
    version: "the software of a worker (harness: 0.1.0 -> 9) was changed while the sweep ran; finished blocks",
    gone: "the code of the harness was changed while the sweep ran; finished blocks are kept: put it back",
}


@pytest.mark.slow
@pytest.mark.parametrize("change", cases(EXPECTED, version))
def test_a_package_that_is_replaced_before_a_worker_starts_again_ends_the_sweep(tmp_path, plain, change):
    changes = installed(tmp_path, change)
    (tmp_path / "c.yaml").write_text(FOUR_BLOCKS)
    done = run("sweep", "c.yaml", "--out", "r", "--workers", 2, cwd=tmp_path, **changes)
    assert os.readlink(tmp_path / "installed") == "after"  # it was replaced
    assert_one_line(done, 1, EXPECTED[change])
    whole = contents(plain / "four")
    assert {name: content for name, content in contents(tmp_path / "r").items() if whole[name] != content} == {}
    assert blocks_done(tmp_path / "r") < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "change"),
    cases([(1, computes), (1, version), (1, renamed), (1, gone), (2, comment)], (1, renamed)),
)
def test_a_sweep_that_needs_no_new_process_is_finished_with_the_code_it_began_with(tmp_path, plain, workers, change):
    """Figures and the report, whose code is loaded when it is needed, may be missing: that is said in one line."""
    changes = installed(tmp_path, change)
    (tmp_path / "c.yaml").write_text(FOUR_BLOCKS)
    done = run("sweep", "c.yaml", "--out", "r", "--workers", workers, cwd=tmp_path, **changes)
    assert os.readlink(tmp_path / "installed") == "after"
    assert contents(tmp_path / "r") == contents(plain / "four")
    if done.returncode:
        assert done.returncode == 1 and change in (renamed, gone)
        assert len(said(done).splitlines()) == 1
        assert "the code of the harness was changed while this command ran" in done.stderr


LOADS = """
import sys
import harness.results.code.sources
with open("installed/harness/engine/measures.py", "a") as file:
    file.write("EDITED = True")
import harness
harness.sweep("c.yaml", out="r", workers=1)
"""


def test_code_that_changes_while_it_is_loaded_computes_nothing(tmp_path):
    """Some modules may be from before the change, and some from after it."""
    changes = installed(tmp_path, lambda _: None)
    (tmp_path / "startup/sitecustomize.py").unlink()
    (tmp_path / "c.yaml").write_text(FOUR_BLOCKS)
    (tmp_path / "script.py").write_text(LOADS)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(**changes), text=True, capture_output=True)
    assert done.returncode == 1
    assert "HarnessError: the code of the harness was changed while the sweep ran" in done.stderr
    assert not part_files(tmp_path / "r")
