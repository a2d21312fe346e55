"""Claims notice errors of the engine: each error of planted.py, put into a copy of the code, makes its claim fail.

With SOAK=1 in the environment, which `make soak` sets, all errors are planted, and a line for each says which claims,
references and unit tests see it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT
from planted import PLANTED, QUICK

SOAK = bool(os.environ.get("SOAK"))
UNIT_TESTS = ("base", "engine", "networks", "theory", "results")


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A checkout with the code, its tests, and what `harness verify` reads."""
    folder = tmp_path_factory.mktemp("planted")
    for name in ("harness", "tests", "docs", "experiments", "configs", "results/reference"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def python(folder: Path, *command: str) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": str(folder), "SOAK": ""}
    return subprocess.run([sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=1800)


def seen_by_claims(folder: Path, experiment: str) -> tuple[set[str], set[str]]:
    """The claims that fail at CI size, and the sweeps whose reference differs."""
    out = folder / "verified"
    shutil.rmtree(out, ignore_errors=True)
    done = python(folder, "-m", "harness", "verify", experiment, "--size", "ci", "--out", str(out))
    assert done.returncode in (0, 3), done.stderr  # 3: a claim does not hold, or a number differs
    sweeps = json.loads((out / "claims.json").read_text())["sweeps"]
    claims = {claim["name"] for sweep in sweeps for claim in sweep["claims"] if claim["grade"] == "fails"}
    return claims, {sweep["sweep"] for sweep in sweeps if any("differs" in line for line in sweep["reference"])}


def seen_by_tests(folder: Path) -> set[str]:
    """The names of the unit tests that fail."""
    chosen = ("-m", "not slow and not torch and not alone", *(f"tests/{name}" for name in UNIT_TESTS))
    done = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-rf", *chosen)
    return set(re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.MULTILINE))


@pytest.fixture
def planted(copy, request):
    """The copy with one error planted, and its name."""
    file, text, instead, *_ = PLANTED[request.param]
    path = copy / "harness" / file
    whole = path.read_text()
    path.write_text(whole.replace(text, instead))
    yield copy, request.param
    path.write_text(whole)


@pytest.mark.parametrize("name", PLANTED)
def test_an_error_can_be_planted(name):
    file, text, instead, experiment, claim = PLANTED[name]
    assert (ROOT / "harness" / file).read_text().count(text) == 1 and instead != text, "bring this error up to date"
    assert f'"{claim}"' in (ROOT / "experiments" / f"{experiment}.py").read_text() or not claim
    assert name in (ROOT / "docs/experiments.md").read_text(encoding="utf-8")


def test_at_least_twelve_errors_fail_a_claim():
    assert len(PLANTED) == 18 and sum(bool(claim) for *_, claim in PLANTED.values()) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED if SOAK else QUICK, indirect=True)
def test_a_claim_fails_where_an_error_is_planted(planted, capsys):
    folder, name = planted
    *_, experiment, claim = PLANTED[name]
    claims, references = seen_by_claims(folder, experiment)
    if SOAK:
        tests = sorted(seen_by_tests(folder))
        with capsys.disabled():
            print(f"\n{name}: claims {_listed(claims)}; references {_listed(references)}; tests {_listed(tests)}")
        assert claims or references or tests
    assert claim in claims or not claim


def _listed(names) -> str:
    return ", ".join(sorted(names)) or "none"
