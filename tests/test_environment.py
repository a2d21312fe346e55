"""The fingerprint: the same wherever bits are the same, another where a kernel, a feature or a stream is another."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import blas_kernels

from harness import environment
from harness.streams import Streams

SCRIPT = "import json; from harness.environment import fingerprint; print(json.dumps(fingerprint()))"


def elsewhere(**changes: str) -> dict[str, str]:
    root = str(Path(environment.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONPATH": root} | changes,
                          capture_output=True, text=True, check=True)  # fmt: skip
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
