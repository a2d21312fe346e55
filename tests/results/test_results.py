"""From Python: a sweep, its tables, and any of its networks again, on which ten lines of numpy find the same norms."""

import os
import shutil
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from command import TINY, within

import harness
from harness.base.arrays import ZERO_UNDER
from harness.base.errors import ConfigError, HarnessError, ResultsError
from harness.config import digest
from harness.execution import dispatch, driver
from harness.execution.dispatch import Resources
from harness.networks.activations import ACTIVATIONS
from harness.results import parts
from harness.study.sweep import prepare

BASE = {
    "name": "built",
    "network": {"activation": ["relu", "sigmoid", "tanh"], "init": "he_normal", "depth": [1, 2, 6], "width": 10},
    "data": {"batch": 7},
    "replicates": 3,
    "figures": [],
}


def config(**changes) -> dict:
    """BASE with the keys of its mappings changed; a value that is no mapping replaces what was there."""
    mixed = {key: BASE.get(key, {}) | value if isinstance(value, dict) else value for key, value in changes.items()}
    return BASE | mixed


# The reference ------------------------------------------------------------------------------------------------------


def reference(
    network: harness.networks.draws.Network, phi, slope, top, top_slope, cost: str
) -> tuple[float, list[tuple]]:
    """Cost, and (‖∂C/∂W‖, ‖∂C/∂b‖, ‖∂C/∂z‖, ‖∂C/∂r‖) of every layer: the equations in plain arrays."""
    r, z, batch = [network.inputs], [], len(network.inputs)
    for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        z.append(r[k] @ W + b)
        r.append((top if k == len(network.weights) - 1 else phi)(z[k]))
    error = r[-1] - network.targets
    grad = (error if cost == "squared" else network.targets) / batch
    value = np.sum(error**2) / 2 / batch if cost == "squared" else abs(np.sum(network.targets * r[-1])) / batch
    norms = []
    for k in reversed(range(len(z))):
        delta = grad * (top_slope if k == len(z) - 1 else slope)(z[k])
        norms.append(tuple(map(np.linalg.norm, (r[k].T @ delta, delta.sum(axis=0), delta, grad))))
        grad = delta @ network.weights[k].T
    return value, norms[::-1]


COLUMNS = ["log10_grad_weights", "log10_grad_biases", "log10_grad_preactivations", "log10_grad_outputs"]


def disagreement(results: harness.Results, key: str) -> float:
    """Largest difference, in decades, between what was recorded and what the reference finds."""
    recorded = results.networks.set_index("network").loc[key]
    name, _, parameter = recorded["activation"].partition("(")
    parameters = {part.split("=")[0]: float(part.split("=")[1]) for part in parameter.rstrip(")").split(", ") if part}
    phi = ACTIVATIONS[name](**parameters)
    top = phi if recorded["output"] == "activation" else ACTIVATIONS["linear"]()
    network = results.build(key)
    cost, norms = reference(network, phi.value, phi.slope, top.value, top.slope, results.sweep.cost)
    layers = results.layers[results.layers["network"] == key].sort_values("layer")
    assert list(layers["layer"]) == list(range(1, len(norms) + 1))
    with np.errstate(divide="ignore"):
        expected = np.log10(norms)
    found = layers[COLUMNS].to_numpy()
    assert ((found == -np.inf) == (expected == -np.inf)).all()
    finite = np.isfinite(expected)
    weights = [np.log10(np.linalg.norm(W)) for W in network.weights]
    distances = [
        np.abs(found[finite] - expected[finite]),
        np.abs(layers["log10_norm_weights"].to_numpy() - weights),
        [abs(recorded["log10_cost"] - np.log10(cost))],
        [abs(recorded["log10_gradient_gain"] - (expected[0, 2] - expected[-1, 2]))] if finite.all() else [0.0],
    ]
    return max(map(np.max, distances))


def write_csv(folder: Path, rows: int = 12, columns: int = 5) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"x{i}" for i in range(columns)])
    path = folder / "data/mine.csv"
    path.parent.mkdir(exist_ok=True)
    frame.assign(label=rng.integers(5, 8, size=rows)).to_csv(path, index=False)
    return path


CASES = {
    "gaussian": config(),
    "linear cost": config(cost="linear"),
    "biases": config(network={"bias_scale": [0.3, 2]}),
    "orthogonal, not square": config(network={"init": "orthogonal", "input_width": 13, "output_width": 4}),
    "uniform and a scale": config(network={"init": ["xavier_uniform", "lecun_uniform"], "weight_scale": [0.1, 3]}),
    "linear output": config(network={"output": "linear"}),
    "pytorch": config(network={"init": "pytorch_default", "input_width": 17, "output_width": 3}),
    "parameters": config(network={"activation": [{"name": "leaky_relu", "negative_slope": 0.2}, "gelu", "softplus"]}),
    "digits": config(data={"inputs": "digits", "targets": "labels", "batch": 9}),
    "zero targets": config(data={"targets": "zeros"}),
    "file": config(data={"inputs": "data/mine.csv", "targets": "labels", "batch": 6}),
    "cases": config(
        network={"activation": "relu", "init": "he_normal", "width": 5},
        cases=[{"depth": 3}, {"activation": "tanh", "width": 6, "depth": 2}],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_network_that_is_built_has_the_norms_that_were_recorded(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path)
    results = harness.sweep(CASES[name])
    assert results.path == Path("results/built")
    for key in results.networks["network"]:
        assert disagreement(results, key) < 1e-10, key


def test_a_float32_sweep_is_of_the_same_networks(tmp_path):
    double, single = (harness.sweep(config(dtype=dtype), out=tmp_path / dtype) for dtype in ("float64", "float32"))
    assert list(single.networks["network"]) == list(double.networks["network"])
    distances = [disagreement(single, key) for key in single.networks["network"]]
    assert 1e-9 < max(distances) < 1e-3
    np.testing.assert_array_equal(
        single.build(single.networks["network"][0]).weights[0], double.build(double.networks["network"][0]).weights[0]
    )


def test_the_reference_notices_another_network(tmp_path):
    results = harness.sweep(BASE, out=tmp_path / "a")
    other = harness.sweep(BASE | {"seed": 1}, out=tmp_path / "b")
    results.__dict__["layers"], results.__dict__["networks"] = other.layers, other.networks
    assert disagreement(results, results.networks["network"][0]) > 1e-3


def test_what_is_built_has_its_shapes_and_its_share_of_the_others(tmp_path):
    ends = {"input_width": 13, "output_width": 4, "bias_scale": 0.5}
    results = harness.sweep(config(network=ends), out=tmp_path / "a")
    keys = results.networks.set_index(["activation", "depth", "replicate"])["network"]
    deep, shallow, single = (results.build(keys["relu", depth, 1]) for depth in (6, 2, 1))
    assert [W.shape for W in deep.weights] == [(13, 10), *[(10, 10)] * 4, (10, 4)]
    assert [b.shape for b in deep.biases] == [(10,)] * 5 + [(4,)]
    assert [W.shape for W in single.weights] == [(13, 4)]
    assert (deep.inputs.shape, deep.targets.shape) == ((7, 13), (7, 4))
    assert all(a.dtype == np.float64 for a in (*deep.weights, *deep.biases, deep.inputs, deep.targets))
    np.testing.assert_array_equal(deep.weights[0], shallow.weights[0])  # a shallow network is a prefix
    assert not np.allclose(deep.weights[-1], shallow.weights[-1])  # with an output layer of its own
    sigmoid = results.build(keys["sigmoid", 6, 1])
    for a, b in zip(deep.weights, sigmoid.weights, strict=True):
        np.testing.assert_array_equal(a, b)  # activations are compared over the same draws
    np.testing.assert_array_equal(deep.inputs, sigmoid.inputs)
    others = [results.build(keys["relu", 6, i]) for i in (0, 2)]
    for a, b in ((deep, others[0]), (deep, others[1]), others):
        assert not np.allclose(a.weights[0], b.weights[0]) and not np.allclose(a.inputs, b.inputs)


@pytest.mark.parametrize(
    "key",
    ["", "nonsense", "0123456789ab-0", "{key}", "{key}-3", "{key}--1", "{key}-x", "{key}-0-0", "{key}-1.0", None, 3],
)
def test_an_unknown_network_is_refused(built, key):
    key = key.format(key=built.networks["network"][0].partition("-")[0]) if isinstance(key, str) else key
    with pytest.raises(ResultsError) as refused:
        built.build(key)
    assert str(refused.value) == (f"{built.path}: no network {key!r}; the column `network` of the tables has the keys")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> harness.Results:
    return harness.sweep(BASE, out=tmp_path_factory.mktemp("built") / "results")


# A user's data file -------------------------------------------------------------------------------------------------


@pytest.fixture
def with_file(tmp_path) -> harness.Results:
    """A sweep of a config in one folder, its data beside it, and its results in a third; run from a fourth."""
    configs = tmp_path / "configs"
    configs.mkdir()
    write_csv(configs)
    (configs / "mine.yaml").write_text(
        TINY.replace("data: {batch: 4}", "data: {inputs: data/mine.csv, targets: labels, batch: 4}")
    )
    (tmp_path / "out").mkdir()
    return harness.sweep(configs / "mine.yaml", out=tmp_path / "out/mine")


def test_a_data_file_is_found_from_the_results_wherever_one_stands(with_file, tmp_path, monkeypatch):
    key = with_file.networks["network"][0]
    expected = with_file.build(key)
    table = pd.read_csv(tmp_path / "configs/data/mine.csv")
    assert {tuple(row) for row in expected.inputs} <= {tuple(row) for row in table.drop(columns="label").to_numpy()}
    assert (expected.inputs.shape, expected.targets.shape) == ((4, 5), (4, 3))
    monkeypatch.chdir(tmp_path / "out")
    np.testing.assert_array_equal(harness.load("mine").build(key).inputs, expected.inputs)
    monkeypatch.chdir(tmp_path)
    forget_what_was_read()
    os.rename(tmp_path, tmp_path.with_name(tmp_path.name + "-moved"))  # all together
    try:
        moved = harness.load(tmp_path.with_name(tmp_path.name + "-moved") / "out/mine")
        np.testing.assert_array_equal(moved.build(key).inputs, expected.inputs)
    finally:
        os.rename(tmp_path.with_name(tmp_path.name + "-moved"), tmp_path)


def forget_what_was_read() -> None:
    """A data file is read once a process."""
    from harness.networks import data

    data._read_recorded.cache_clear()


def test_results_outlive_their_data_file(with_file, tmp_path):
    (tmp_path / "configs/data/mine.csv").unlink()
    forget_what_was_read()
    again = harness.load(with_file.path)
    pd.testing.assert_frame_equal(again.networks, with_file.networks)
    assert len(again.layers) == 16
    assert again.summary()[0].rows
    assert again.draw() == []
    with pytest.raises(ResultsError) as refused:
        again.build(again.networks["network"][0])
    path = tmp_path / "configs/data/mine.csv"
    assert str(refused.value) == f"{path}: cannot be read: No such file or directory; put the data file back"


def test_a_data_file_that_was_changed_is_refused(with_file, tmp_path):
    path = tmp_path / "configs/data/mine.csv"
    key = with_file.networks["network"][0]
    path.write_text(path.read_text().replace("0.1", "0.2", 1))
    forget_what_was_read()
    with pytest.raises(ResultsError) as refused:
        harness.load(with_file.path).build(key)
    assert str(refused.value) == f"{path}: changed since the sweep began; start again with --fresh"
    with pytest.raises(ResultsError, match=r"data\.inputs_sha256: [0-9a-f]{64} -> [0-9a-f]{64}\n"):
        harness.sweep(tmp_path / "configs/mine.yaml", out=with_file.path, replicates=3)
    assert len(harness.load(with_file.path).networks) == 8


# Sweeping from Python -----------------------------------------------------------------------------------------------


def test_sweep_and_load_give_the_same(built):
    again = harness.load(str(built.path))
    assert isinstance(again, harness.Results)
    pd.testing.assert_frame_equal(again.layers, built.layers)
    pd.testing.assert_frame_equal(again.networks, built.networks)
    assert (len(built.networks), len(built.layers)) == (3 * 3 * 3, 3 * 9 * 3)
    assert built.networks["network"].is_unique


def test_tables_say_what_they_are_supposed_to(built):
    networks = built.networks.set_index("network")
    layers = built.layers.join(networks[["log10_gradient_gain", "slope_per_layer"]], on="network")
    delta = layers.pivot(index="network", columns="layer", values="log10_grad_preactivations")
    last = layers[layers["layer"] == layers["depth"]].set_index("network")["log10_grad_preactivations"]
    gain = (delta[1] - last).loc[networks.index]
    np.testing.assert_allclose(networks["log10_gradient_gain"], gain, atol=1e-12)
    deep = networks["depth"] > 1
    slope = gain[deep] / (networks["depth"][deep] - 1)
    np.testing.assert_allclose(networks["slope_per_layer"][deep], slope, atol=1e-12)
    assert networks["slope_per_layer"][~deep].isna().all()
    regime = np.select([gain < -3, gain > 3], ["vanishing", "exploding"], "healthy")
    assert (networks["regime"].astype(str) == regime).all()
    assert set(networks["status"]) == {"ok"} and networks["dead_from_layer"].isna().all()
    for name, under in ZERO_UNDER.items():
        small = layers[layers["log10_max_grad_preactivations"] < under].groupby("network", observed=True)["layer"].max()
        recorded = networks[f"zero_from_layer_{name}"].dropna()
        assert dict(recorded) == dict(small)


def test_options_of_a_sweep(tmp_path):
    said = []
    changes = ["network.width=4", "seed=5"]
    results = harness.sweep(BASE, overrides=changes, replicates=1, out=tmp_path / "r", report=said.append)
    assert (set(results.networks["width"]), set(results.networks["seed"]), len(results.networks)) == ({4}, {5}, 9)
    assert said[-1] == dispatch.Progress(networks=9, total_networks=9, work=1.0)
    with pytest.raises(ResultsError):
        harness.sweep(BASE, out=tmp_path / "r")
    assert len(harness.sweep(BASE, out=tmp_path / "r", fresh=True).networks) == 27


def test_nothing_is_written_for_a_config_that_is_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        harness.sweep(config(network={"width": 0}))
    assert refused.value.problems == ("network.width: 0 is not a width; use 1 or more",)
    assert isinstance(refused.value, HarnessError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (5, {}, "5 is no config; give the path of a YAML file, or a dict with its keys"),
        ([BASE], {}, "a list is no config; give the path of a YAML file, or a dict with its keys"),
        (None, {}, "null is no config; give the path of a YAML file, or a dict with its keys"),
        (BASE, {"overrides": "seed=5"}, "overrides: 'seed=5' is not a list; write ['seed=5']"),
        (BASE, {"overrides": [5]}, "overrides: 5 is not KEY=VALUE; write for example 'network.width=64'"),
        (BASE, {"workers": "many"}, "workers: 'many' is not a number of workers; use 1 or more, or 'auto'"),
        (BASE, {"workers": 0}, "workers: 0 is not a number of workers; use 1 or more, or 'auto'"),
        (BASE, {"memory": "much"}, "memory: 'much' is not an amount of memory; write for example 4GB or 800MB"),
        (BASE, {"out": 5}, "out: 5 is not a folder; give its path"),
    ],
)
def test_what_is_no_config_is_refused_in_words(tmp_path, monkeypatch, given, options, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        harness.sweep(given, **options)
    assert refused.value.problems == (said,)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_is_refused_in_words():
    with pytest.raises(ResultsError, match=r"^5 is not a folder; give the path of one that `harness sweep` wrote$"):
        harness.load(5)


def test_no_figures_means_none_and_no_word_means_all_that_apply(tmp_path):
    assert harness.sweep(BASE, out=tmp_path / "none").draw() == []
    chosen = harness.sweep(BASE | {"figures": ["gradient_profile"]}, out=tmp_path / "one")
    assert [path.name for path in chosen.draw()] == ["gradient_profile.png", "gradient_profile.svg"]


@pytest.mark.slow
@pytest.mark.parametrize("thinned", [3, [1, 2, 9]])
def test_sweeps_that_record_some_layers_are_drawn_where_that_is_enough(tmp_path, thinned):
    given = {key: value for key, value in BASE.items() if key != "figures"} | {"record_layers": thinned}
    drawn = {path.stem for path in harness.sweep(given, out=tmp_path / "r").draw()}
    assert "gradient_profile" in drawn and "step_against_sigmoid" not in drawn


def test_a_run_that_ends_while_another_waits_is_not_written_over(tmp_path):
    """Both read the empty folder; the second finds, once it holds the folder, what the first has left."""
    one, other = (prepare(BASE | {"seed": seed}, out=tmp_path / "r").prepared for seed in (0, 1))
    more = prepare(BASE, replicates=5, out=tmp_path / "r").prepared
    driver.execute(one, Resources(1))
    with pytest.raises(ResultsError, match="seed: 0 -> 1"):
        driver.execute(other, Resources(1))
    driver.execute(more, Resources(1))
    results = harness.load(tmp_path / "r")
    assert results.networks["network"].is_unique and len(results.networks) == 5 * 9
    assert results.manifest["last_run"]["networks"] == 2 * 9


@pytest.mark.slow
def test_what_ends_the_writing_ends_the_workers(tmp_path, monkeypatch):
    def commit(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.results.parts.commit", commit)
    changes = ["network.init=[he_normal, he_uniform, orthogonal]", "network.width=[10, 11, 12]"]
    prepared = prepare(BASE, changes, out=tmp_path / "r").prepared
    assert len(prepared.plan.blocks) == 9
    with pytest.raises(KeyboardInterrupt) as interrupt:
        driver.execute(prepared, Resources(2))
    assert within(5, lambda: not active_children())
    assert interrupt.tb  # whose frames are still there: what they hold has to be ended, not forgotten
    assert parts.committed_blocks(tmp_path / "r", digest(prepared.sweep)) == ({}, [])


def test_a_copied_folder_is_a_results_folder(built, tmp_path):
    shutil.copytree(built.path, tmp_path / "copy", ignore=shutil.ignore_patterns(".lock", "manifest.json"))
    copy = harness.load(tmp_path / "copy")
    assert (copy.manifest["networks"], copy.manifest.get("last_run")) == (27, None)
    key = built.networks["network"][0]
    np.testing.assert_array_equal(copy.build(key).weights[0], built.build(key).weights[0])
    harness.sweep(BASE, out=tmp_path / "copy")
    assert harness.load(tmp_path / "copy").manifest["last_run"]["networks"] == 0


def test_only_what_is_public_is_there():
    assert {"Results", "load", "sweep"} <= set(harness.__all__)
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'swep'"):
        _ = harness.swep


# Some of a table ----------------------------------------------------------------------------------------------------


def test_columns_and_rows_can_be_chosen_as_pandas_and_pyarrow_do(built):
    chosen = built.read(columns=["layer", "slope_mean"], filters=[("depth", "==", 6), ("activation", "in", ["relu"])])
    layers = built.layers
    expected = layers[(layers["depth"] == 6) & (layers["activation"] == "relu")][["layer", "slope_mean"]]
    assert len(expected)
    pd.testing.assert_frame_equal(chosen, expected.reset_index(drop=True))
    networks = built.read("networks", filters=ds.field("slope_per_layer") < -0.5)
    steep = built.networks[built.networks["slope_per_layer"] < -0.5]
    pd.testing.assert_frame_equal(networks, steep.reset_index(drop=True))
    pd.testing.assert_frame_equal(built.read(), built.layers)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"columns": ["slop_mean"]}, r"layers: No match for FieldRef\.Name\(slop_mean\); the columns are network, "),
        ({"filters": [("depht", "==", 9)]}, r"layers: No match for FieldRef\.Name\(depht\); the columns are network, "),
        ({"table": "layer"}, "there is no table 'layer'; there are layers, networks, steps, step_layers"),
    ],
)
def test_what_cannot_be_read_is_said(built, given, message):
    with pytest.raises(ResultsError, match=message):
        built.read(**given)
