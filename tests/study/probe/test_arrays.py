"""`harness measure --ops`: the numbers of a sweep from saved arrays, and each wrong array is named."""

import json
import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from command import forked, good

import harness
from harness.base.errors import ConfigError
from harness.execution.probe.arrays.sizes import lengths
from harness.execution.probe.record import of_samples
from harness.execution.probe.tables import by_layer
from harness.networks.activations import ACTIVATIONS
from harness.results.columns import LAYERS
from harness.study.probe.rules.lines import ANY

DOCS = Path(__file__).parents[3] / "docs/probe.md"
OF_REMEDIES = ("log10_normalisation_factor", "log10_grad_gamma", "log10_grad_beta", "log10_branch_ratio")
NOT_HERE = (*OF_REMEDIES, "branch_cosine", "log10_block_factor", "lsuv_divisions", "mean_abs_grad_weights")
MEASURES = [column.name for column in LAYERS if column.source == "measure" and column.name not in NOT_HERE]


def network(depth=4, gain=1.0, seed=0):
    rng = np.random.default_rng(seed)
    widths = [8, *[12] * (depth - 1), 4]
    Ws = [gain * rng.normal(size=shape) / np.sqrt(shape[0]) for shape in pairwise(widths)]
    bs = [0.1 * rng.normal(size=width) for width in widths[1:]]
    return Ws, bs, rng.normal(size=(16, 8)), rng.normal(size=(16, 4))


def signals(Ws, bs, x, y, phi):
    """Both passes by hand, under half the mean squared distance."""
    zs, rs = [], [x]
    for W, b in zip(Ws, bs, strict=True):
        zs.append(rs[-1] @ W + b)
        rs.append(phi.value(zs[-1]))
    arrays, dr = {"inputs": x}, (rs[-1] - y) / len(x)
    for k in reversed(range(len(Ws))):
        dz = dr * phi.slope(zs[k])
        arrays |= {f"{k}.z": zs[k], f"{k}.r": rs[k + 1], f"{k}.dz": dz, f"{k}.dr": dr, f"{k}.W": Ws[k], f"{k}.b": bs[k]}
        dr = dz @ Ws[k].T
    return arrays


def chain(depth=4, activation="tanh"):
    return {
        "name": "mine",
        "layers": [{"name": str(k), "op": "linear", "activation": activation} for k in range(depth)],
    }


def agree(report, measured):
    ours = by_layer(report.layers)
    for name in MEASURES:
        np.testing.assert_allclose(ours[name], measured.layers[name], rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_numbers_are_those_of_measure(activation):
    Ws, bs, x, y = network()
    report = harness.measure_arrays(signals(Ws, bs, x, y, ACTIVATIONS[activation]()), chain(activation=activation))
    agree(report, harness.measure(Ws, bs, x, y, activation=activation))
    one = report.networks.iloc[0]
    assert one["is_chain"] and abs(one["part_rest"]) < 1e-12


def test_the_numbers_are_those_of_a_sweep(tmp_path):
    asked = {
        "name": "s",
        "network": {"activation": "relu", "init": "he_normal", "depth": 5, "width": 12},
        "figures": [],
    }
    results = harness.sweep(asked | {"data": {"batch": 6}, "replicates": 1}, out=tmp_path / "r", workers=1)
    drawn = results.build(results.networks["network"][0])
    biases = [np.zeros(W.shape[1]) if b is None else b for W, b in zip(drawn.weights, drawn.biases, strict=True)]
    arrays = signals(drawn.weights, biases, drawn.inputs, drawn.targets, ACTIVATIONS["relu"]())
    agree(harness.measure_arrays(arrays, chain(5, "relu")), results)


def test_the_verdict_names_the_fault():
    small = harness.measure_arrays(signals(*network(30, 0.5), ACTIVATIONS["tanh"]()), chain(30))
    assert (small.worst.kind, small.worst.confidence) == ("vanishing by weights", "sure")
    sigmoids = harness.measure_arrays(signals(*network(20), ACTIVATIONS["sigmoid"]()), chain(20, "sigmoid"))
    assert sigmoids.worst.kind == "vanishing by slopes"


def test_a_residual_network_and_a_convolution():
    """Branches are not on the trunk; a convolution's weights have channels in front of those that go out."""
    rng = np.random.default_rng(0)
    image, kernel, W = rng.normal(size=(6, 5, 5, 3)), rng.normal(size=(1, 1, 3, 4)), rng.normal(size=(4, 4))
    z = image @ kernel[0, 0]  # a 1 × 1 convolution is a product over channels
    r = np.tanh(z)
    branch, above = r @ W, rng.normal(size=z.shape)
    dr = above + above @ W.T
    arrays = {"inputs": image, "0.z": z, "0.r": r, "0.dr": dr, "0.dz": dr * (1 - r**2), "0.W": kernel}
    arrays["0.dW"] = np.einsum("bhwi,bhwj->ij", image, arrays["0.dz"])[None, None]
    arrays |= {"1.z": branch, "1.dz": above, "1.W": W, "2.z": r + branch, "2.dz": above, "2.x": r}
    ops = [{"name": "0", "op": "conv", "activation": "tanh"}, {"name": "1", "op": "linear", "on_trunk": False}]
    report = harness.measure_arrays(arrays, {"layers": [*ops, {"name": "2", "op": "other"}]})
    first, _, second, _ = report.layers.itertuples()
    assert (first.fan_in, second.on_trunk, first.kind) == (3, False, "weight")
    assert first.sigma_w == pytest.approx(np.sqrt(3 * (kernel**2).mean()), rel=1e-12)
    assert second.log10_factor == pytest.approx(np.log10(np.linalg.norm(above @ W.T) / np.linalg.norm(above)))
    gain = np.log10(np.linalg.norm(arrays["0.dz"]) / np.linalg.norm(above))
    assert report.networks["log10_gradient_gain"][0] == pytest.approx(gain, rel=1e-12)


def test_samples_that_are_learned_do_not_count_as_lost():
    above, below = np.array([[1.0], [1.0], [1e-3], [0.0]]), np.array([[1e-3], [0.5], [1e-9], [0.0]])
    median, lost = of_samples(lengths(above), lengths(below))
    assert lost == 0.5 and median == pytest.approx(-3)


REMEDIES = {  # activation, depth and gain of the weights -> a finding, and what its remedy says
    ("tanh", 30, 0.3): ("vanishing by weights", "normal weights with a standard deviation of 1 / sqrt(fan_in)"),
    ("relu", 30, 4.0): ("exploding by weights", "a standard deviation of 1.414 / sqrt(fan_in); biases of 0"),
    ("sigmoid", 12, 1.0): ("vanishing by slopes", "ReLU, with normal weights with a standard deviation of 1.414"),
    ("relu", 20, 0.1): ("under Adam's eps", "Adam with eps=1e-20"),
    ("tanh", 10, 0.2): ("float16 underflow foretold", "multiply the loss by 2.0**"),
}


@pytest.mark.parametrize(("activation", "depth", "gain"), REMEDIES)
def test_remedies_name_no_framework(activation, depth, gain):
    kind, words = REMEDIES[activation, depth, gain]
    arrays = signals(*network(depth, gain), ACTIVATIONS[activation]())
    found = harness.measure_arrays(arrays, chain(depth, activation)).findings
    assert words in next(finding.remedy for finding in found if finding.kind == kind)
    assert not any(re.search(r"\bnn\.|torch|\bF\.|GradScaler", finding.remedy) for finding in found)


def test_words_name_no_framework():
    words = [*(text for text in vars(ANY).values() if isinstance(text, str)), ANY.init("relu", 2**0.5)]
    assert [text for text in words if re.search(r"\bnn\.|torch|\bF\.|GradScaler|\.weight", text)] == []


def changed(**arrays):
    """The arrays of a network with some replaced; those that are None are left out."""
    found = signals(*network(), ACTIVATIONS["tanh"]())
    found |= {name.replace("_", "."): values for name, values in arrays.items()}
    return {name: values for name, values in found.items() if values is not None}


def swapped(one, other):
    found = changed()
    found[one], found[other] = found[other], found[one]
    return found


WRONG_ARRAYS = {
    "2.dz is missing: ∂C/∂z": lambda: changed(**{"2_dz": None}),
    "inputs is missing: the batch, (samples, …)": lambda: changed(inputs=None),
    "'2.dzz' is not an array of a layer; did you mean '2.dz'?": lambda: changed(**{"2_dzz": 0}),
    "1.z holds NaN; the first layer with one is where to look": lambda: changed(**{"1_z": np.full((16, 12), np.nan)}),
    "1.dr holds infinity; the first": lambda: changed(**{"1_dr": np.full((16, 12), np.inf)}),
    "0.W holds <U1; convert it to float32 or float64": lambda: changed(**{"0_W": np.array(["a"])}),
    "1.dr has shape (16, 11), but 1.z has (16, 12)": lambda: changed(**{"1_dr": np.ones((16, 11))}),
    "0.W has shape (12, 8); from arguments (16, 8) to results (16, 12) it must be (8, 12)": lambda: changed(
        **{"0_W": network()[0][0].T}
    ),
    "0.b has shape (3,); the layer has 12 units": lambda: changed(**{"0_b": np.ones(3)}),
    "1.z is not xW + b of its argument, weights and biases: it differs by": lambda: swapped("1.W", "2.W"),
    "1.r is not tanh(1.z): it differs by": lambda: changed(**{"1_r": np.ones((16, 12))}),
    "1.dz is not 1.dr times the slopes of tanh: it differs by": lambda: swapped("1.dr", "1.dz"),
}
WRONG_OPS = {
    'give {"layers": [{"name": "0", "op": "linear", "activation": "tanh"}, …]}, lowest layer first': {"layers": []},
    "unknown key 'layer'; did you mean 'layers'?": {"layer": [], "layers": [{}]},
    "layers[0]: name is missing; give a text": {"layers": [{"op": "linear"}]},
    "layers[0]: op: unknown 'linaer'; did you mean 'linear'?": {"layers": [{"name": "0", "op": "linaer"}]},
    "layer 0: activation: unknown 'tahn'; did you mean 'tanh'?": {
        "layers": [{"name": "0", "op": "linear", "activation": "tahn"}]
    },
    "layers[1]: a second layer of the name '0'": {"layers": [{"name": "0", "op": "norm"}] * 2},
    "cost: 'low' is not a number": {"layers": [{"name": "0", "op": "norm"}], "cost": "low"},
}


@pytest.mark.parametrize(("message", "make"), WRONG_ARRAYS.items(), ids=WRONG_ARRAYS)
def test_an_array_that_cannot_be_used_is_named(message, make):
    with pytest.raises(ConfigError) as refused:
        harness.measure_arrays(make(), chain())
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(("message", "ops"), WRONG_OPS.items(), ids=WRONG_OPS)
def test_a_list_of_operations_that_cannot_be_used_is_named(message, ops):
    with pytest.raises(ConfigError) as refused:
        harness.measure_arrays(changed(), ops)
    assert str(refused.value) == message


def test_the_command(tmp_path):
    np.savez(tmp_path / "signals.npz", **signals(*network(30, 0.5), ACTIVATIONS["tanh"]()))
    (tmp_path / "ops.json").write_text(json.dumps(chain(30)))
    done = forked("measure", "signals.npz", "--ops", "ops.json", "--out", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "vanishing by weights" in done.stdout and "results: mine" in done.stdout
    assert forked("show", "mine", cwd=tmp_path).stdout + "results: mine\n" == done.stdout
    shown = json.loads(good(forked("show", "mine", "--json", cwd=tmp_path)))
    (table,), findings = shown["tables"], [finding["sentence"] for finding in shown["findings"]]
    assert findings and table["rows"] and all(sentence in done.stdout for sentence in findings)
    same = json.loads(good(forked("diff", "mine", "mine", "--json", cwd=tmp_path)))
    assert (same["verdict"], same["mismatches"]) == ("identical", [])
    refused = forked("show", "mine", "--where", "depth == 2", cwd=tmp_path)
    assert refused.returncode == 2 and "results of a probe" in refused.stderr
    (tmp_path / "ops.json").write_text("{")
    for message, more in (("ops.json: cannot be read as JSON", ()), ("--ops: leave out --transpose", ("--transpose",))):
        done = forked("measure", "signals.npz", "--ops", "ops.json", *more, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.startswith(message)


def test_the_lines_for_jax(tmp_path, monkeypatch):
    """The lines of the page, run by JAX itself: the numbers are those of `harness.measure`."""
    if os.environ.get("ARCHITECTURES") != "required":
        pytest.importorskip("jax")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    for block in blocks:
        if "params" in block:
            exec(block, names)
    report = harness.measure_arrays(np.load("signals.npz"), json.loads(Path("ops.json").read_text()))
    Ws, bs = zip(*names["params"], strict=True)
    agree(report, harness.measure(Ws, bs, names["x"], names["y"], activation="tanh"))
