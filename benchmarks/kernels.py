"""How far tables lie apart under other BLAS kernels and processor features: python benchmarks/kernels.py [float32]

Runs each case in processes of their own under OpenBLAS's and numpy's switches (OPENBLAS_CORETYPE,
NPY_DISABLE_CPU_FEATURES), compares every column with what this processor gives by itself, and prints a table for
docs/reliability.md: the largest difference over all networks and layers, in decades for the logarithms. Says too, on
stderr, whether `harness verify` would take the two for the same.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import harness
from harness.results.environment import fingerprint
from harness.study import reference

KERNELS = ("Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX")
CASES = {
    "ReLU, He": {"activation": "relu", "init": "he_normal"},
    "sigmoid, Xavier": {"activation": "sigmoid", "init": "xavier_normal"},
    "tanh, σ_w = 1 (ordered)": {"activation": "tanh", "init": {"name": "normal", "sigma_w": 1.0}},
    "tanh, σ_w = 2 (chaotic)": {"activation": "tanh", "init": {"name": "normal", "sigma_w": 2.0}},
}
DEPTHS, WIDTH, BATCH, REPLICATES = (10, 20, 50, 100, 200), 64, 16, 4
COLUMNS = {  # the widest of each group of columns is shown
    "gradient norms": ("log10_grad_weights", "log10_grad_biases", "log10_grad_preactivations", "log10_grad_outputs"),
    "factors": ("log10_activation_factor", "log10_weight_factor"),
    "shares": ("slope_mean", "slope_rms", "dead_fraction", "saturated_fraction"),
    "cosines": ("output_cosine", "delta_cosine"),
}


def given(case: str, dtype: str) -> dict:
    network = {**CASES[case], "depth": list(DEPTHS), "width": WIDTH}
    return {
        "name": "kernels",
        "network": network,
        "data": {"batch": BATCH},
        "replicates": REPLICATES,
        "dtype": dtype,
        "figures": [],
    }


def elsewhere(case: str, dtype: str, out: Path, switches: dict[str, str]) -> harness.Results | None:
    """The sweep under these switches; None where this processor cannot run it."""
    done = subprocess.run([sys.executable, __file__, dtype, case, out], env=os.environ | switches, capture_output=True)
    return harness.load(out) if done.returncode == 0 else None


def verdict(one: harness.Results, other: harness.Results) -> str:
    """What `harness verify` says of two machines, of which one made the reference."""
    there = replace(reference.of_results(other), fingerprint=other.manifest["made_with"][0])
    return reference.compare(there, reference.of_results(one)).verdict


def differences(one: harness.Results, other: harness.Results) -> pd.DataFrame:
    """The largest difference in each group of columns, by depth; infinite where only one has a number."""
    keys = ["network", "layer"]
    a, b = (results.layers.astype({"network": str}).set_index(keys).sort_index() for results in (one, other))
    apart = {}
    for name, columns in COLUMNS.items():
        x, y = a[list(columns)].to_numpy(), b[list(columns)].to_numpy()
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        with np.errstate(invalid="ignore"):
            distance = np.where(same, 0, np.where(np.isfinite(x) & np.isfinite(y), np.abs(x - y), np.inf))
        apart[name] = distance.max(axis=1)
    return pd.DataFrame(apart, index=a.index).groupby(a["depth"]).max()


def report(folder: Path, dtype: str) -> None:
    dispatched = fingerprint()["cpu"].split(": ")[1].split()
    disabled = " ".join(dispatched)
    switches = {f"BLAS kernel {kernel}": {"OPENBLAS_CORETYPE": kernel} for kernel in KERNELS}
    switches[f"numpy without {disabled}"] = {"NPY_DISABLE_CPU_FEATURES": disabled}
    switches[f"Nehalem, and numpy without {disabled}"] = {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": disabled,
    }
    print(f"Compared with {fingerprint()['blas']}, {fingerprint()['cpu']}.\n")
    print("| case | depth |", " | ".join(COLUMNS), "|\n|---|---|" + "---|" * len(COLUMNS))
    for n, case in enumerate(CASES):
        here = harness.sweep(given(case, dtype), out=folder / f"{n}")
        worst = None
        for m, (name, changes) in enumerate(switches.items()):
            other = elsewhere(case, dtype, folder / f"{n}-{m}", changes)
            if other is None or other.manifest["made_with"] == here.manifest["made_with"]:
                print(f"{case}: {name}: not here, or the same", file=sys.stderr)
                continue
            found = differences(here, other)
            print(f"{case}: {name}: {found.to_numpy().max():.1e}, {verdict(here, other)}", file=sys.stderr)
            worst = found if worst is None else np.maximum(worst, found)
        for depth, row in worst.iterrows():
            print(f"| {case} | {depth} |", " | ".join(f"{value:.0e}" if value else "0" for value in row), "|")


if __name__ == "__main__":
    dtype, *one = sys.argv[1:] or ["float64"]
    if one:
        harness.sweep(given(one[0], dtype), out=one[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            report(Path(folder), dtype)
