"""The suite is kept honest: faults of the kind it is there for, each put into a copy of the code, must turn it red."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT

MUTANTS = {  # what is swapped in: the file, its text, what stands in its place, and the test that must notice
    "a writer that writes in place": (
        "store.py",
        '    aside = path.with_name(f".{path.name}.aside")\n',
        "    aside = path\n",
        "test_damage.py::test_a_sweep_killed_in_the_middle_of_a_part_leaves_no_part",
    ),
    "a resume that trusts that a file exists": (
        "store.py",
        "        wrong = _wrong(path) or _wrong(folder / LAYERS / _layers_of(path)) or _misnamed(path)\n",
        "        wrong = None if path.exists() else str(path)\n",
        "test_store.py::test_a_damaged_part_is_named_by_who_reads_and_computed_again[layers-truncated]",
    ),
    "a resume that trusts a file's size": (
        "store.py",
        '    return None if path.stem.endswith(f"-{digest[:HASH_DIGITS]}") else',
        "    return None if path.stat().st_size else",
        "test_store.py::test_a_damaged_part_is_named_by_who_reads_and_computed_again[layers-flipped]",
    ),
    "a checksum that is never compared": (
        "store.py",
        '    return None if path.stem.endswith(f"-{digest[:HASH_DIGITS]}") else',
        "    return None if digest else",
        "test_store.py::test_a_damaged_part_is_named_by_who_reads_and_computed_again[networks-flipped]",
    ),
    "a block that is committed before it is whole": (
        "store.py",
        "    publish(folder / LAYERS / name, content, LAYERS)\n    content = _encoded(networks",
        "    late, content = content, _encoded(networks",
        "test_store.py::test_the_networks_part_comes_last",
    ),
    "a lock that is a plain file": (
        "folder.py",
        "            return fcntl.flock(lock, kind | fcntl.LOCK_NB)\n        except BlockingIOError:\n",
        "            if (lock.seek(0) or lock.read()) and kind == fcntl.LOCK_EX: raise BlockingIOError\n"
        "            return\n        except BlockingIOError:\n",
        "test_store.py::test_a_lock_file_of_a_process_that_is_gone_holds_nothing",
    ),
    "checksums before the lock": (
        "driver.py",
        "    require_free(folder)\n",
        "    store.done(folder)\n    require_free(folder)\n",
        "test_damage.py::test_checksums_come_after_the_lock",
    ),
    "blocks made elsewhere, mixed in silence": (
        "driver.py",
        "    if elsewhere and _plan(sweep, finished).blocks and not mixed:\n",
        "    if False:\n",
        "test_damage.py::test_results_of_another_version_are_not_mixed_in_silence",
    ),
}


def judged(folder: Path, *tests: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
               *(f"tests/{test}" for test in tests)]  # fmt: skip
    return subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True,
                          text=True, timeout=300)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The project's code and tests, in a folder of their own."""
    folder = tmp_path_factory.mktemp("mutants")
    for name in ("harness", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "fixtures"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_that_is_put_in_turns_the_suite_red(copy, name):
    file, text, instead, test = MUTANTS[name]
    path = copy / "harness" / file
    whole = path.read_text()
    assert whole.count(text) == 1, f"{file} has changed: bring this mutant up to date"
    try:
        path.write_text(whole.replace(text, instead))
        done = judged(copy, test)
    finally:
        path.write_text(whole)
    assert done.returncode == 1, done.stdout  # tests failed; 2 and more: they could not be run
    assert "1 failed" in done.stdout


@pytest.mark.slow
def test_the_copy_without_a_fault_is_green(copy):
    """Or else the others would be red for another reason."""
    done = judged(copy, *{test for *_, test in MUTANTS.values()})
    assert done.returncode == 0, done.stdout
