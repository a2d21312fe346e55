"""Numbers at the edge, by the whole way from a config to the tables: no warning, no NaN that is not documented."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nets import faults

import harness
from harness import config
from harness.base.errors import ConfigError
from harness.engine.measures import MEASURES
from harness.networks.activations import ACTIVATIONS
from harness.networks.inits import INITS

powers = st.floats(-200, 200).map(lambda power: float(10**power))
axes = st.fixed_dictionaries(
    {
        "activation": st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=1, max_size=3, unique=True),
        "init": st.lists(st.sampled_from(sorted(INITS)), min_size=1, max_size=2, unique=True),
        "weight_scale": st.lists(powers | st.floats(0.1, 10), min_size=1, max_size=2, unique=True),
        "bias_scale": st.sampled_from([0, 1e-300, 0.1, 1e150, 1e300, None]),
        "depth": st.lists(st.integers(1, 12), min_size=1, max_size=2, unique=True),
        "width": st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True),
        "output": st.sampled_from(["activation", "linear"]),
    }
)
inputs = st.sampled_from(["gaussian", "zeros", "one row of zeros", "tiny", "huge", "equal"])


def rows(kind: str) -> np.ndarray:
    """Eight inputs of three features."""
    drawn = np.random.default_rng(0).normal(size=(8, 3))
    return {
        "zeros": 0 * drawn,
        "one row of zeros": drawn * (np.arange(8) != 3)[:, None],
        "tiny": drawn * 1e-300,
        "huge": drawn * 1e300,
        "equal": np.ones((8, 3)),
    }[kind]


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    network=axes,
    source=inputs,
    batch=st.integers(1, 5),
    cost=st.sampled_from(["squared", "linear"]),
    dtype=st.sampled_from(["float64", "float32"]),
    targets=st.sampled_from(["gaussian", "zeros"]),
)
def test_any_sweep_explains_itself(network, source, batch, cost, dtype, targets):
    """Warnings are errors here; what is null is null for a reason that docs/results.md gives."""
    if cost == "linear":
        targets = "gaussian"  # the other is refused: it has no gradient at all
    if source in ("tiny", "huge"):
        dtype = "float64"  # as the next test says
    data = {"inputs": "gaussian", "batch": batch, "targets": targets}
    with tempfile.TemporaryDirectory() as folder:
        if source != "gaussian":
            np.save(Path(folder, "rows.npy"), rows(source))
            data["inputs"] = "rows.npy"
        written = {
            "name": "edge",
            "network": network,
            "data": data,
            "cost": cost,
            "dtype": dtype,
            "replicates": 2,
            "figures": [],
        }
        sweep = config.from_mapping(written, folder=Path(folder))
        results = harness.sweep(sweep, out=Path(folder) / "r")
        layers, networks = results.layers.astype({"network": str}), results.networks
        assert results.summary()
    assert len(networks) == config.count(sweep) * 2
    unexplained = faults(layers, networks, batch)
    if source in ("one row of zeros", "zeros", "equal", "tiny", "huge"):
        unexplained = [line for line in unexplained if "cosine: NaN" not in line]  # see below
        cosines_are_null_for_a_reason(layers, networks, batch)
    assert unexplained == []


def cosines_are_null_for_a_reason(layers: pd.DataFrame, networks: pd.DataFrame, batch: int) -> None:
    """Where a cosine is null of a network that is ok, there are fewer than two samples that are not zero: at the least,
    nothing was left between the samples, or all of the layer is zero."""
    ok = layers["network"].isin(networks.loc[networks["status"] == "ok", "network"])
    for column in ("output_cosine", "delta_cosine"):
        assert not np.isinf(layers[column]).any()
        if batch == 1:
            assert layers.loc[ok, column].isna().all()


@pytest.mark.parametrize("kind", ["huge", "tiny"])
def test_inputs_that_the_number_format_would_make_infinite_or_zero_are_refused(tmp_path, kind):
    values = rows(kind)
    np.save(tmp_path / "rows.npy", values)
    given = {
        "name": "x",
        "network": {"activation": "relu", "init": "he_normal", "depth": 1, "width": 1},
        "data": {"inputs": "rows.npy", "batch": 2},
        "dtype": "float32",
    }
    with pytest.raises(ConfigError) as refused:
        config.from_mapping(given, folder=tmp_path)
    assert str(refused.value) == f"dtype: float32 cannot hold {values[0, 0]:.3g} of rows.npy; use float64"
    assert config.from_mapping(given | {"dtype": "float64"}, folder=tmp_path)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_zero_inputs_are_told_from_dead_networks(tmp_path, activation, dtype):
    """All inputs zero, no biases: W[0] gets no gradient, for its input is zero; no other quantity is undefined for it.

    Step(0) is 1 by default: at zero, ReLU passes the gradient and no unit is dead by its slope.
    """
    np.save(tmp_path / "rows.npy", np.zeros((4, 3)))
    given = {
        "name": "zero",
        "network": {"activation": activation, "init": "he_normal", "depth": 4, "width": 5},
        "data": {"inputs": "rows.npy", "batch": 4},
        "dtype": dtype,
        "replicates": 2,
        "figures": [],
    }
    sweep = config.from_mapping(given, folder=tmp_path)
    results = harness.sweep(sweep, out=tmp_path / "r")
    assert set(results.networks["status"]) == {"ok"}
    first = results.layers[results.layers["layer"] == 1]
    assert set(first["log10_grad_weights"]) == {-np.inf}
    others = [name for name in MEASURES if "cosine" not in name]
    delta_is_zero = results.layers["log10_grad_preactivations"] == -np.inf
    assert results.layers.loc[~delta_is_zero, others].notna().all(axis=None)


RESULTS_PAGE = Path(__file__).parents[2] / "docs" / "results.md"


@pytest.mark.parametrize(
    "said",
    [
        "A zero norm is −inf",
        "The ratio of two zeros is null",
        "A cosine is null if fewer than two samples are not zero",
        "null at depth 1",
        "Everything that is unknown from that layer on is null",
        "`regime`",
        "`dead_from_layer`",
    ],
)
def test_the_page_on_results_says_what_is_null_and_when(said):
    assert said in " ".join(RESULTS_PAGE.read_text(encoding="utf-8").split())
