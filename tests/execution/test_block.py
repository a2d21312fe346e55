"""Blocks: what a network's numbers may depend on, and that every one of them is explained.

Guards against lanes that leak into each other, a NaN that nobody explains, and any warning from numpy (every warning
is an error in these tests).
"""

import json
import os
import platform
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as options_of_hypothesis
from hypothesis import strategies as st
from nets import CHOICES, KEYS, choice, differing, faults, label, run, spec

import harness.execution.block
from harness.engine.measures import MEASURES
from harness.networks.inits import INITS

NORMAL = ("he_normal", "lecun_normal", "xavier_normal", choice("normal", sigma_w=1.5))  # one family: one block
QUICK = {"deadline": None, "derandomize": True, "database": None}


def assert_same_alone(specs, replicates, parts, **options):
    layers, networks = run(specs, replicates, **options)
    for members, some in parts:
        alone = run(members, some, **options)
        assert differing(alone[0], layers, KEYS) == []
        assert differing(alone[1], networks, KEYS[:1]) == []


# Together and alone -------------------------------------------------------------------------------------------------

A_SPEC = st.builds(
    spec,
    activation=st.sampled_from(CHOICES),
    init=st.sampled_from(NORMAL),
    weight_scale=st.sampled_from([0.1, 1.0, 7.0, 1e-150, 1e200]),
    bias_scale=st.sampled_from([0.0, 0.3]),
    depth=st.integers(1, 12),
    width=st.just(5),
    input_width=st.just(3),
    output_width=st.sampled_from([1, 5]),
    output=st.sampled_from(["activation", "linear"]),
)


@options_of_hypothesis(max_examples=40, **QUICK)
@given(
    specs=st.lists(A_SPEC, min_size=2, max_size=12, unique=True),
    batch=st.sampled_from([1, 2, 5, 9]),
    cost=st.sampled_from(["squared", "linear"]),
    dtype=st.sampled_from(["float64", "float32"]),
    data=st.data(),
)
def test_lanes_together_are_the_lanes_alone(specs, batch, cost, dtype, data):
    """To the last bit, for any part of the networks, in any order, and any run of the replicates."""
    some = data.draw(st.lists(st.sampled_from(specs), min_size=1, unique=True))
    start = data.draw(st.integers(0, 2))
    stop = data.draw(st.integers(start + 1, 3))
    assert_same_alone(
        specs,
        range(3),
        [(some, range(start, stop)), (some[:1], range(stop - 1, stop))],
        batch=batch,
        cost=cost,
        dtype=dtype,
    )


@pytest.mark.parametrize("init", INITS)
def test_every_init_alone_and_together(init):
    """Biases that an init brings itself included."""
    bias_scales = (None, 0.2)
    specs = [spec("tanh", init, s, b, depth=d) for s, b, d in product((0.5, 2.0), bias_scales, (1, 3, 6))]
    assert_same_alone(specs, 4, [([s], range(i, i + 1)) for i, s in enumerate(specs[:4])] + [(specs[3:], range(1, 3))])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cache", [1, 5000])
def test_the_size_of_a_chunk_changes_no_bit(cache, dtype, monkeypatch):
    specs = [spec(a, i, 1.1, 0.1, depth=d) for a, i, d in product(("relu", "gelu"), NORMAL, (1, 2, 9))]
    layers, networks = run(specs, 3, dtype=dtype)
    monkeypatch.setattr("harness.execution.block.CACHE_BYTES", cache)
    monkeypatch.setattr("harness.engine.lanes.passes.BACKWARD_BYTES", cache)
    monkeypatch.setattr("harness.engine.lanes.depths.SUMMED_BYTES", cache)
    again = run(specs, 3, dtype=dtype)
    assert differing(again[0], layers, KEYS) == []
    assert differing(again[1], networks, KEYS[:1]) == []


ARM = platform.machine().lower() in ("arm64", "aarch64")
# Not Prescott, for processors of before 2008: its dot product rounds by how its operands are aligned.
KERNELS = ("ARMV8", "NEOVERSEN1") if ARM else ("Nehalem", "Sandybridge", "Haswell", "SkylakeX")


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [None, *KERNELS])
def test_together_and_alone_under_another_kernel(kernel):
    """OpenBLAS picks its kernels by the processor; each has its own bits, and lanes must agree under all of them."""
    paths = [str(Path(harness.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if kernel:
        environment["OPENBLAS_CORETYPE"] = kernel
    script = Path(__file__).parents[1] / "kernels.py"
    done = subprocess.run([sys.executable, "-W", "error", script], env=environment, capture_output=True, text=True)
    if kernel and done.returncode < 0:
        pytest.skip(f"this processor cannot run {kernel}: signal {-done.returncode}")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    if kernel and kernel not in report["kernels"]:
        pytest.skip(f"this BLAS has {report['kernels']}, not {kernel}")
    assert report["differ"] == {}


# Small shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_one_sample_has_no_cosines(chosen):
    layers, networks = run(spec(chosen, depth=3, width=16), 2, batch=1)
    assert layers[["output_cosine", "delta_cosine"]].isna().all(axis=None)
    others = [name for name in MEASURES if name not in ("output_cosine", "delta_cosine")]
    assert layers[others].notna().all(axis=None)
    assert (networks["status"] == "ok").all()


@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_one_layer_has_no_slope_per_layer(chosen):
    layers, networks = run(spec(chosen, depth=1, width=16), 2)
    assert layers[list(MEASURES)].notna().all(axis=None)
    assert networks["slope_per_layer"].isna().all()
    assert not networks["log10_gradient_gain"].to_numpy().any()
    assert set(networks["regime"]) == {"healthy"}


# Anything at all ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("chosen", CHOICES, ids=label)
def test_no_weight_scale_gives_a_warning_or_an_unexplained_nan(chosen, dtype):
    scales = (1e-200, 1e-60, 1e-5, 1e5, 1e60, 1e200)
    for width, batch, cost in ((1, 1, "squared"), (2, 3, "linear"), (7, 2, "squared")):
        specs = [
            spec(chosen, "lecun_normal", s, b, depth=d, width=width)
            for s, b, d in product(scales, (0.0, 0.5, 1e150), (1, 2, 6))
        ]
        assert faults(*run(specs, 3, dtype=dtype, batch=batch, cost=cost), batch) == []


@options_of_hypothesis(max_examples=80, **QUICK)
@given(
    specs=st.lists(
        st.builds(
            spec,
            activation=st.sampled_from(CHOICES),
            init=st.sampled_from(NORMAL),
            weight_scale=st.floats(-200, 200).map(lambda power: 10**power) | st.floats(0.01, 100),
            bias_scale=st.sampled_from([0.0, 1e-300, 1e-20, 0.1, 10.0, 1e20, 1e300]),
            depth=st.integers(1, 20),
            width=st.just(3),
            output_width=st.integers(1, 4),
            output=st.sampled_from(["activation", "linear"]),
        ),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    batch=st.integers(1, 5),
    seed=st.integers(0, 2**32),
    targets=st.sampled_from(["gaussian", "zeros"]),
    cost=st.sampled_from(["squared", "linear"]),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_any_small_sweep_explains_itself(specs, **options):
    assert faults(*run(specs, 3, **options), options["batch"]) == []


@pytest.mark.parametrize(
    "column, value, fault",
    [
        ("log10_grad_weights", np.nan, "log10_grad_weights: NaN in"),
        ("log10_activation_factor", np.nan, "log10_activation_factor: NaN in"),
        ("delta_cosine", 1.5, "delta_cosine: outside of [-1, 1]"),
        ("dead_fraction", -0.1, "dead_fraction: outside of [0, 1]"),
        ("log10_weight_factor", 3.0, "the ledger is off by"),
        ("log10_grad_preactivations", -np.inf, "not dead, and no gradient at layer 1"),
    ],
)
def test_the_check_of_a_sweep_sees_a_planted_fault(column, value, fault):
    layers, networks = run(spec("tanh"))
    assert faults(layers, networks) == []
    layers.loc[layers["layer"] == (1 if value == -np.inf else 2), column] = value
    assert any(fault in found for found in faults(layers, networks))
