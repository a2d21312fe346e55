"""A test of the tests: each fault of mutants.py, put into a copy of the code, must make its test fail.

With SOAK=1 in the environment, which `make soak` sets, all faults are tried, which takes 20 minutes on two cores.
"""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT
from mutants import ALWAYS, SOAK

MUTANTS = ALWAYS | (SOAK if os.environ.get("SOAK") else {})
MEMORY = 6_000_000_000  # bytes of address space: a mutant may lack the check that keeps a sweep within memory

# The first failing example is enough: hypothesis would take minutes to look for the smallest one.
ANY_FAILURE = """
from hypothesis import Phase, settings

settings.register_profile("any", phases=[Phase.generate])
settings.load_profile("any")
"""


def judged(folder: Path, *tests: str, seconds: float = 300) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *(f"tests/{test}" for test in tests),
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "SOAK": ""},
        capture_output=True,
        text=True,
        timeout=seconds,
        preexec_fn=limited,
    )


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the code, the tests and the pages that some tests read."""
    folder = tmp_path_factory.mktemp("mutants")
    for name in ("harness", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "fixtures", "_build"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    (folder / "conftest.py").write_text(ANY_FAILURE)
    return folder


@pytest.mark.parametrize("name", ALWAYS | SOAK)
def test_a_fault_can_be_put_in_and_there_is_a_test_to_notice_it(name):
    file, text, instead, test = (ALWAYS | SOAK)[name]
    assert (ROOT / "harness" / file).read_text().count(text) == 1 and instead != text, "bring this mutant up to date"
    module, function = test.partition("[")[0].split("::")
    assert f"\ndef {function}(" in (ROOT / "tests" / module).read_text()
    assert not ALWAYS.keys() & SOAK.keys()
    assert name in (ROOT / "docs/reliability.md").read_text(encoding="utf-8")  # under "Tests that were seen to fail"


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_that_is_put_in_turns_the_suite_red(copy, name):
    file, text, instead, test = MUTANTS[name]
    path = copy / "harness" / file
    whole = path.read_text()
    try:
        path.write_text(whole.replace(text, instead))
        done = judged(copy, test)
    finally:
        path.write_text(whole)
    assert done.returncode == 1, done.stdout  # tests failed; 2 or more would mean that they could not be run
    assert "1 failed" in done.stdout


@pytest.mark.slow
def test_the_copy_without_a_fault_is_green(copy):
    """Without this the mutants might fail for another reason."""
    done = judged(copy, *{test for *_, test in MUTANTS.values()}, seconds=1800)
    assert done.returncode == 0, done.stdout
