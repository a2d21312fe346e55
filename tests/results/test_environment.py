"""The fingerprint and the hash of the code: the same wherever bits are the same, another where they may be others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import blas_kernels

from harness.base.streams import Streams
from harness.results import environment
from harness.results.code import sources

ROOT = Path(environment.__file__).parents[2]
SCRIPT = "import json; from harness.results.environment import fingerprint; print(json.dumps(fingerprint()))"


def elsewhere(**changes: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | changes,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def changed(other: dict[str, str]) -> set[str]:
    ours = environment.fingerprint()
    return {name for name in ours if ours[name] != other[name]}


def test_another_process_has_the_same():
    assert changed(elsewhere()) == set()


def test_another_blas_kernel_is_told():
    kernel = "Haswell" if "Haswell" not in environment.fingerprint()["blas"] else "Nehalem"
    if kernel not in (kernels := blas_kernels(OPENBLAS_CORETYPE=kernel)):
        pytest.skip(f"this BLAS has no {kernel}: {kernels}")
    assert changed(elsewhere(OPENBLAS_CORETYPE=kernel)) == {"blas"}


def test_a_processor_feature_less_is_told():
    features = environment.fingerprint()["cpu"].split(": ")[1].split()
    if not features:
        pytest.skip("numpy dispatches on nothing here")
    assert changed(elsewhere(NPY_DISABLE_CPU_FEATURES=features[-1])) == {"cpu"}


def test_other_streams_are_told(monkeypatch):
    normal = Streams.normal
    monkeypatch.setattr(Streams, "normal", lambda *arguments: normal(*arguments) + np.float64(1e-6))
    environment.fingerprint.cache_clear()
    try:
        assert environment._first_draws() != elsewhere()["draws"]
    finally:
        environment.fingerprint.cache_clear()


# The hash of the code ------------------------------------------------------------------------------------------------


@pytest.fixture
def hash_with():
    """The hash of the code with a text added at the end of one file."""

    def edited(name: str, addition: str) -> str:
        return sources._hash({**sources.SOURCES, name: sources.SOURCES[name] + addition.encode()})

    return edited


COMPUTES = (
    "base/scaled.py",
    "engine/equations.py",
    "engine/measures.py",
    "networks/inits.py",
    "theory/mean_field.py",
    "results/tables.py",
    "execution/planning/plan.py",
    "config/axes.py",
)
MESSAGES = ("base/messages.py", "figures/kit/style.py", "interface/commands.py", "study/claims.py", "config/models.py")


@pytest.mark.parametrize("name", COMPUTES)
def test_code_that_may_move_a_number_has_another_hash(hash_with, name):
    added, subtracted = (hash_with(name, f"\n\nNUMBER = 2 {sign} 1\n") for sign in "+-")
    assert len({added, subtracted, sources.code_hash()}) == 3


@pytest.mark.parametrize(
    "addition", ["\n# A comment.\n", '\n"""A string that is not used, as a docstring is."""\n', "\n\n\n"]
)
def test_comments_docstrings_and_layout_do_not_count(hash_with, addition):
    assert hash_with("engine/equations.py", addition) == sources.code_hash()


def test_the_text_of_an_error_does_not_count_but_its_condition_does(hash_with):
    code = "\ndef check(x):\n    if x {}:\n        raise ValueError(f'{} {{x}}')\n"
    one, reworded, other = (
        hash_with("engine/equations.py", code.format(*words)) for words in (("> 0", "a"), ("> 0", "b"), (">= 0", "a"))
    )
    assert one == reworded != other


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_figures_commands_and_claims_do_not_count(hash_with, name):
    assert hash_with(name, "\n\nNUMBER = 2 + 1\n") == sources.code_hash()


def test_the_hash_covers_every_module_that_computing_a_block_loads(monkeypatch):
    script = """
import sys, harness.execution.block, harness.execution.planning.plan
print(*(m.__file__ for name, m in sys.modules.items() if name.startswith("harness.")), sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {Path(line).relative_to(ROOT / "harness").as_posix() for line in done.stdout.splitlines()}
    hashed = set()
    names = {content: name for name, content in sources.SOURCES.items()}
    parsed = sources._parsed
    monkeypatch.setattr(sources, "_parsed", lambda content: hashed.add(names[content]) or parsed(content))
    sources._hash(sources.SOURCES)
    files = {name for name in loaded if sources.SOURCES[name]}  # an empty __init__.py has no code
    assert len(files) > 30
    assert files - {*sources.NOT_COMPUTING} <= hashed
    assert {*sources.NOT_COMPUTING} <= sources.SOURCES.keys()


def test_a_package_without_source_files_is_known_by_its_version():
    assert sources._hash({}) == sources.NO_SOURCES
