"""Sweeps that train, through the driver: parts, resuming, workers, memory, reading, and networks built again."""

import numpy as np
import pandas as pd
import pytest

import harness
from harness import config
from harness.base.errors import ResultsError
from harness.execution.driver import prepare
from harness.results import parts
from harness.results.columns import TABLES

SWEEP = {
    "name": "t",
    "network": {
        "activation": ["relu", "sigmoid"],
        "init": "he_normal",
        "depth": [2, 3],
        "width": 5,
        "output": "linear",
    },
    "data": {"inputs": "digits", "targets": "labels", "batch": 16},
    "replicates": 3,
    "figures": [],
    "training": {
        "optimiser": ["sgd", "adam"],
        "learning_rate": 0.01,
        "batch": 8,
        "steps": 9,
        "split": {"train": 40, "validation": 20, "test": 30},
        "record": {"times": 3},
    },
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    return harness.sweep(SWEEP, out=tmp_path_factory.mktemp("swept") / "r", workers=1)


def test_the_tables_of_training_have_the_declared_columns_and_their_rows(swept):
    for name in ("steps", "step_layers"):
        assert list(getattr(swept, name)) == [column.name for column in TABLES[name]]
    runs, recorded = 2 * 2 * 3 * 2, 3
    assert len(swept.steps) == runs * recorded and swept.steps["run"].nunique() == runs
    assert len(swept.step_layers) == 2 * 3 * 2 * recorded * (2 + 3)
    assert set(swept.steps["network"].astype(str)) == set(swept.networks["network"].astype(str))
    assert swept.steps["accuracy_test"].between(0, 1).all()


def test_some_columns_are_read_and_an_unknown_table_is_named(swept):
    frame = swept.read("step_layers", ["moved"], [("step", "==", 9), ("layer", "==", 1)])
    assert list(frame) == ["moved"] and len(frame) == 24 and (frame["moved"] > 0).all()
    with pytest.raises(ResultsError) as error:
        swept.read("step")
    assert str(error.value) == "there is no table 'step'; there are layers, networks, steps, step_layers"


def test_a_sweep_without_training_says_so(tmp_path):
    plain = harness.sweep({k: v for k, v in SWEEP.items() if k != "training"}, out=tmp_path / "r", workers=1)
    with pytest.raises(ResultsError) as error:
        plain.read("steps")
    assert str(error.value) == (
        f"{tmp_path / 'r'}: no table 'steps': this sweep does not train; add training: to its config"
    )


def test_any_number_of_workers_writes_the_same_bytes(swept, tmp_path):
    harness.sweep(SWEEP, out=tmp_path / "two", workers=2)
    for kind in TABLES:
        mine, others = (
            {p.name for p in (folder / kind).glob("*.parquet")} for folder in (swept.path, tmp_path / "two")
        )
        assert mine == others and mine  # the names hold the hash of the content


def test_a_killed_training_goes_on_from_its_finished_blocks(swept, tmp_path, monkeypatch):
    """The first run ends before it has written the last part of its second block."""
    folder, calls = tmp_path / "r", []
    whole = parts.commit

    def dies(*given, **named):
        calls.append(given[1])
        if len(calls) == 2:
            raise KeyboardInterrupt
        whole(*given, **named)

    monkeypatch.setattr("harness.execution.planning.plan.WORK", 1e6)  # several blocks
    monkeypatch.setattr(parts, "commit", dies)
    with pytest.raises(KeyboardInterrupt):
        harness.sweep(SWEEP, out=folder, workers=1)
    monkeypatch.setattr(parts, "commit", whole)
    left = prepare(config.read(SWEEP), folder).plan
    assert calls[0] not in {block.name for block in left.blocks} and calls[1] in {block.name for block in left.blocks}
    again = harness.sweep(SWEEP, out=folder, workers=1)
    for name in ("steps", "step_layers"):
        pd.testing.assert_frame_equal(sorted_(getattr(again, name)), sorted_(getattr(swept, name)), check_exact=True)


def sorted_(frame):
    texts = dict.fromkeys(frame.select_dtypes("category"), str)
    by = [name for name in ("run", "step", "layer") if name in frame]
    return frame.astype(texts).sort_values(by).reset_index(drop=True)


@pytest.mark.parametrize("kind", ["steps", "step_layers"])
def test_a_damaged_part_of_training_is_named_and_computed_again(swept, tmp_path, kind):
    harness.sweep(SWEEP, out=tmp_path / "r", workers=1)
    part = next((tmp_path / "r" / kind).glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(ResultsError) as error:
        harness.load(tmp_path / "r").read("networks")
    assert str(error.value) == f"{part}: does not match its checksum; run the sweep again to replace it"
    with pytest.warns(UserWarning, match="does not match its checksum; it is computed again"):
        again = harness.sweep(SWEEP, out=tmp_path / "r", workers=1)
    pd.testing.assert_frame_equal(sorted_(again.steps), sorted_(swept.steps), check_exact=True)


def test_a_network_is_built_at_any_step_of_its_run(swept):
    runs = swept.steps[(swept.steps["step"] == 9) & (swept.steps["depth"] == 3)]
    layers = swept.step_layers.astype({"run": str})
    for key in runs["run"].astype(str).head(3):
        drawn, start, end = swept.build(key.rpartition("-")[0]), swept.build(key, step=0), swept.build(key, step=9)
        own = layers[(layers["run"] == key) & (layers["step"] == 9)].sort_values("layer")
        for k, moved in enumerate(own["moved"]):
            np.testing.assert_array_equal(start.weights[k], drawn.weights[k])
            away = np.linalg.norm(end.weights[k] - start.weights[k]) / np.linalg.norm(start.weights[k])
            np.testing.assert_allclose(away, moved, rtol=1e-12)
        np.testing.assert_allclose(
            [np.log10(np.linalg.norm(W)) for W in end.weights], own["log10_norm_weights"], rtol=0, atol=1e-12
        )
        np.testing.assert_array_equal(end.inputs[:16], drawn.inputs)  # the probe is the first rows that train


def test_a_normalised_network_is_built_with_its_gamma_and_beta(tmp_path):
    network = {"activation": "relu", "init": "he_normal", "depth": 3, "width": 5, "output": "linear"}
    remedied = network | {"normalisation": "batch", "residual": {"name": "pre", "depth_power": -0.5}}
    results = harness.sweep(SWEEP | {"network": remedied, "replicates": 1}, out=tmp_path / "r", workers=1)
    assert results.steps["accuracy_test"].between(0, 1).all()
    key = str(results.steps["run"].iloc[0])
    drawn, end = results.build(key.rpartition("-")[0]), results.build(key, step=9)
    assert [gamma.shape for gamma in end.gammas] == [beta.shape for beta in end.betas] == [(5,), (5,)]
    assert all((gamma == 1).all() for gamma in drawn.gammas) and all((beta == 0).all() for beta in drawn.betas)
    assert all((gamma != 1).all() for gamma in end.gammas) and all((beta != 0).all() for beta in end.betas)


ON_WEIGHTS = {
    "lsuv": {"init": "lsuv", "normalisation": "layer", "residual": {"name": "pre", "every": 2}},
    "standardised": {"weight_standardised": True},
    "tied": {"tied": True},
}


@pytest.fixture(scope="module")
def on_weights(tmp_path_factory):
    """A sweep of each of these networks, the cases of one."""
    return harness.sweep(WITH_WEIGHTS, out=tmp_path_factory.mktemp("on_weights") / "r", workers=1)


WITH_WEIGHTS = SWEEP | {
    "network": {"activation": "tanh", "init": "he_normal", "depth": 5, "width": 6, "output": "linear"},
    "cases": list(ON_WEIGHTS.values()),
    "replicates": 2,
}


def one_run(results, **coordinates):
    rows = results.steps.astype({"residual": str, "init": str, "optimiser": str, "run": str})
    of = {"init": "he_normal", "weight_standardised": False, "tied": False, "optimiser": "adam"} | coordinates
    chosen = rows[np.logical_and.reduce([rows[name] == value for name, value in of.items()])]
    key = chosen["run"].iloc[-1]
    layers = results.step_layers.astype({"run": str})
    last = layers[(layers["run"] == key) & (layers["step"] == 9)].sort_values("layer")
    return results.build(key.rpartition("-")[0]), results.build(key, step=0), results.build(key, step=9), last


def test_training_starts_from_the_weights_that_lsuv_has_made_of_any_network(on_weights):
    drawn, start, end, last = one_run(on_weights, init="lsuv")
    for one, other in zip(drawn.weights, start.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    x = drawn.inputs @ drawn.weights[0] + drawn.biases[0]
    assert abs(x.var() - 1) < 0.1  # the tolerance of LSUV
    norms = [np.log10(np.linalg.norm(W)) for W in end.weights]
    np.testing.assert_allclose(norms, last["log10_norm_weights"], rtol=0, atol=1e-12)
    assert end.unstandardised == []


def test_a_standardised_network_is_built_with_the_weights_that_are_trained(on_weights):
    drawn, start, end, last = one_run(on_weights, weight_standardised=True)
    for one, other in zip(drawn.weights, start.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)
    assert drawn.unstandardised == []
    for k, (V, W, V_0) in enumerate(zip(end.unstandardised, end.weights, start.unstandardised, strict=True)):
        centred = V - V.mean(axis=0)
        by_hand = drawn.spec.sigma_w_of(k) * centred / np.linalg.norm(centred, axis=0)
        np.testing.assert_allclose(W, by_hand, rtol=0, atol=1e-14)
        away = np.linalg.norm(V - V_0) / np.linalg.norm(V_0)
        np.testing.assert_allclose(away, last["moved"].iloc[k], rtol=1e-12)


def test_a_tied_network_is_built_with_one_w_in_its_hidden_layers(on_weights):
    drawn, start, end, _ = one_run(on_weights, tied=True)
    for network in (drawn, start, end):
        for W, b in zip(network.weights[2:-1], network.biases[2:-1], strict=True):
            np.testing.assert_array_equal(W, network.weights[1])
            np.testing.assert_array_equal(b, network.biases[1])
    assert (end.weights[1] != start.weights[1]).all()


def test_any_number_of_workers_trains_them_to_the_same_bytes(on_weights, tmp_path):
    harness.sweep(WITH_WEIGHTS, out=tmp_path / "two", workers=2)
    for kind in TABLES:
        mine, others = (
            {p.name for p in (folder / kind).glob("*.parquet")} for folder in (on_weights.path, tmp_path / "two")
        )
        assert mine == others and mine


def test_a_run_that_diverged_is_built_up_to_the_step_before(tmp_path):
    wild = SWEEP | {"network": SWEEP["network"] | {"depth": 3}, "replicates": 1}
    wild["training"] = SWEEP["training"] | {"learning_rate": 1e60, "optimiser": "sgd", "record": {"times": 10}}
    results = harness.sweep(wild, out=tmp_path / "r", workers=1)
    steps = results.steps[results.steps["status"].astype(str).str.startswith("diverged at step ")]
    key, status = str(steps["run"].iloc[0]), str(steps["status"].iloc[0])
    step = int(status.split()[-1])
    assert all(np.isfinite(W).all() and W.any() for W in results.build(key, step=step - 1).weights)
    with pytest.raises(ResultsError) as error:
        results.build(key, step=step)
    assert str(error.value) == f"{results.path}: {key} {status}; give a step before that"


def test_unknown_runs_and_steps_are_named(swept):
    key = str(swept.steps["run"].iloc[0])
    for given, message in (
        ((key[:-2] + "zz", 1), f"no training run {key[:-2] + 'zz'!r}; the column `run` of `steps` has the keys"),
        ((key, 10), "no step 10; the runs have 9"),
    ):
        with pytest.raises(ResultsError) as error:
            swept.build(given[0], step=given[1])
        assert str(error.value) == f"{swept.path}: {message}"
