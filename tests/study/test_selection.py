"""The networks that a claim reads: those of its scope, in groups that hold each draw once."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import harness
from harness.networks.coordinates import NAMES
from harness.study.selection import DoesNotApply, Selected, deepest_layers, draw_groups, per_draw

NETWORKS = pd.DataFrame(
    {
        "network": ["a-0", "a-1", "b-0", "b-1"],
        "activation": ["relu", "relu", "tanh", "tanh"],
        "init": "he_normal",
        "width": [8, 8, 8, 8],
        "input_width": 8,
        "output_width": 8,
        "output": "activation",
        "depth": [2, 2, 3, 3],
        "sigma_w": [1.0, 1.0, 2.0, 2.0],
        "bias_scale": 0.0,
        "replicate": [0, 1, 0, 1],
        "dead_from_layer": pd.array([None, 1, None, None], dtype="Int64"),
    }
)
LAYERS = pd.DataFrame({"network": NETWORKS["network"].repeat(2).to_numpy(), "layer": [1, 2] * 4})
SWEEP = SimpleNamespace(
    cost="linear", dtype="float64", data=SimpleNamespace(batch=1, inputs="gaussian", targets="gaussian")
)
RESULTS = SimpleNamespace(networks=NETWORKS, layers=LAYERS, sweep=SWEEP)


@pytest.mark.parametrize(
    ("scope", "chosen"),
    [
        ((), ["a-0", "a-1", "b-0", "b-1"]),
        (("activation == 'relu'",), ["a-0", "a-1"]),
        (("activation in ['relu']", "alive"), ["a-0"]),
        (("1.9 < sigma_w < 2.1", "cost == 'linear' and batch == 1"), ["b-0", "b-1"]),
        (("bias_scale == 0 or (init == 'x' and bias_scale * (3 * width) ** 0.5 < 1)", "not alive"), ["a-1"]),
    ],
)
def test_a_scope_chooses_networks_and_their_layers(scope, chosen):
    selected = Selected(RESULTS, scope)
    assert list(selected.networks["network"]) == chosen
    assert list(selected.layers["network"].unique()) == chosen
    assert list(selected.layers["sigma_w"]) == [s for s in selected.networks["sigma_w"] for _ in range(2)]


def test_a_claim_reads_the_columns_and_the_layers_that_it_asks_for(tmp_path):
    network = {
        "activation": ["relu", "tanh"],
        "init": "he_normal",
        "bias_scale": [0, 1],
        "depth": [1, 3, 4],
        "width": 4,
    }
    results = harness.sweep(
        {"name": "r", "network": network, "data": {"batch": 2}, "replicates": 2, "figures": []}, out=tmp_path / "r"
    )
    selected = Selected(results, ("activation == 'relu'", "depth < 4", "bias_scale == 0"))
    found, whole = selected.read("slope_mean", filters=[("layer", ">", 1)]), selected.layers
    assert set(found) == {"network", *NAMES, "sigma_w", "replicate", "layer", "slope_mean"}
    assert list(found["layer"]) == [2, 3, 2, 3]
    np.testing.assert_array_equal(found.astype(str), whole.loc[whole["layer"] > 1, list(found)].astype(str))
    assert set(deepest_layers(selected, "slope_mean")["depth"]) == {3}
    with pytest.raises(LookupError, match=r"slope_meen.*; the columns are network, "):
        selected.read("slope_meen")  # not a claim that does not apply: judge() says whose mistake it is


def test_only_what_leaves_networks_out_is_said():
    assert Selected(RESULTS, ("cost == 'linear'", "activation == 'relu'")).restrictions == ("activation == 'relu'",)


def test_the_condition_that_leaves_nothing_is_named():
    with pytest.raises(DoesNotApply, match="networks with cost == 'squared', and this sweep has none"):
        _ = Selected(RESULTS, ("activation == 'relu'", "cost == 'squared'")).layers


def test_the_same_draws_again_are_a_group_of_their_own():
    """Two weight scales over 2 replicates are not 4 independent draws of one activation."""
    again = pd.concat([NETWORKS.assign(weight_scale=1.0), NETWORKS.assign(weight_scale=2.0)])
    found = [(words, key, len(rows)) for words, key, rows in draw_groups(again, "activation")]
    assert found == [
        ("relu, weight scale 1", ("relu",), 2),
        ("relu, weight scale 2", ("relu",), 2),
        ("tanh, weight scale 1", ("tanh",), 2),
        ("tanh, weight scale 2", ("tanh",), 2),
    ]


def test_what_is_compared_within_a_group_stays_in_it():
    assert [words for words, _, _ in draw_groups(NETWORKS, "init", across=("activation", "depth"))] == ["he_normal"]


def test_a_mean_over_layers_is_null_where_a_layer_is():
    layers = pd.DataFrame({"network": ["a", "a", "b", "b"], "x": [1.0, 3.0, 1.0, np.nan]})
    np.testing.assert_array_equal(per_draw(layers, "x"), [2.0, np.nan])
