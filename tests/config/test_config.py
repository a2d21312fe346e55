"""Configs: what they expand to, every way of being wrong with its whole message, and the way out and back."""

import itertools
import pickle
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import config
from harness.base.errors import ConfigError
from harness.base.messages import remedy
from harness.networks.activations import ACTIVATIONS
from harness.networks.costs import COSTS
from harness.networks.inits import INITS
from harness.networks.remedies.normalisations import NORMALISATIONS
from harness.networks.remedies.residuals import RESIDUALS
from harness.networks.spec import Choice, NetworkSpec

CONFIGS = Path(__file__).parents[2] / "configs"
NETWORK = {"activation": "relu", "init": "he_normal", "depth": 8, "width": 16}


def mapping(**network):
    return {"name": "t", "network": NETWORK | network}


def expanded(key, value, **network):
    return [getattr(spec, key) for spec in config.expand(config.from_mapping(mapping(**network, **{key: value})))]


def problems_of(call, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    return list(caught.value.problems)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What a config expands to -------------------------------------------------------------------------------------------


def test_defaults():
    sweep = config.from_mapping(mapping())
    assert config.expand(sweep) == (
        NetworkSpec(
            activation=Choice("relu"),
            init=Choice("he_normal"),
            weight_scale=1.0,
            bias_scale=0.0,
            depth=8,
            width=16,
            input_width=16,
            output_width=16,
        ),
    )
    assert (sweep.replicates, sweep.seed, sweep.cost, sweep.dtype) == (8, 0, "squared", "float64")
    assert (sweep.thresholds.decades, sweep.experiment, sweep.figures, sweep.cases) == (3.0, None, None, ())
    assert (sweep.data.inputs, sweep.data.targets, sweep.data.batch) == ("gaussian", "gaussian", 64)


def test_a_file_gives_its_name_and_a_config_without_it_is_short(folder):
    (folder / "my sweep.yaml").write_text("network: {activation: relu, init: he_normal, depth: 8}\n")
    (folder / "mine.yaml").write_text("network: {activation: relu, init: he_normal, depth: 8}\n")
    sweep = config.read_file("mine.yaml")
    assert (sweep.name, sweep.network.width, sweep.replicates) == ("mine", (128,), 8)
    (problem,) = problems_of(config.read_file, "my sweep.yaml")
    assert problem == f"my sweep.yaml:1:1: name: 'my sweep' {FOLDER}"


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("depth=20", "did you mean 'network.depth'?"),
        ("labels=y", "did you mean 'data.labels'?"),
        ("network.batch=3", "did you mean 'data.batch'?"),
        ("network.seed=1", "seed stands at the top level, beside network"),
    ],
)
def test_a_key_at_another_level_is_found(folder, override, meant):
    (folder / "c.yaml").write_text(GOOD)
    (problem,) = problems_of(config.read_file, "c.yaml", [override])
    assert problem == f"--set {override}: {override.split('=')[0]}: unknown key; {meant}"


def test_the_example_of_the_design():
    depth = {"from": 1, "to": 1024, "steps": 11, "spacing": "log"}
    axes = {"activation": ["relu", "sigmoid"], "init": ["he_normal", "xavier_normal"], "depth": depth}
    specs = config.expand(config.from_mapping(mapping(**axes)))
    assert [(s.activation.name, s.init.name, s.depth) for s in specs] == [
        (activation, init, 2**i)
        for activation in ("relu", "sigmoid")
        for init in ("he_normal", "xavier_normal")
        for i in range(11)
    ]


def test_the_order_is_that_of_the_product_depth_fastest():
    axes = {
        "activation": ["relu", "tanh"],
        "init": ["normal", "uniform"],
        "weight_scale": [1, 2],
        "bias_scale": [0, 1],
        "width": [3, 4],
        "input_width": [1, 2],
        "output_width": [1, 2],
        "output": ["activation", "linear"],
        "depth": [5, 6],
    }
    specs = config.expand(config.from_mapping(mapping(**axes)))
    found = [
        (
            s.activation.name,
            s.init.name,
            s.weight_scale,
            s.bias_scale,
            s.width,
            s.input_width,
            s.output_width,
            s.output,
            s.depth,
        )
        for s in specs
    ]
    assert found == list(itertools.product(*axes.values()))


def test_null_widths_follow_the_width():
    specs = config.expand(config.from_mapping(mapping(width=[16, 32], input_width=[None, 4])))
    assert [(s.width, s.input_width, s.output_width) for s in specs] == [
        (16, 16, 16),
        (16, 4, 16),
        (32, 32, 32),
        (32, 4, 32),
    ]


def test_null_biases_are_what_the_initialisation_brings():
    assert expanded("bias_scale", None) == [0.0]
    assert expanded("bias_scale", None, init="pytorch_default") == [None]
    assert expanded("bias_scale", [None, 0], init="pytorch_default") == [None, 0.0]


@pytest.mark.parametrize(
    "written, choices",
    [
        ("relu", [Choice("relu")]),
        ({"name": "relu", "at_zero": 1.0}, [Choice("relu")]),
        (
            {"name": "relu", "at_zero": [0, 0.5]},
            [Choice("relu", (("at_zero", 0),)), Choice("relu", (("at_zero", 0.5),))],
        ),
        (["tanh", {"name": "elu", "alpha": 2}], [Choice("tanh"), Choice("elu", (("alpha", 2.0),))]),
        (
            {"name": "leaky_relu", "negative_slope": [0.01, {"from": 0.1, "to": 0.3, "steps": 3}]},
            [Choice("leaky_relu"), *(Choice("leaky_relu", (("negative_slope", s),)) for s in (0.1, 0.2, 0.3))],
        ),
    ],
)
def test_parameters_expand_and_defaults_go_unsaid(written, choices):
    assert expanded("activation", written) == choices


def test_an_initialisation_takes_parameters_too():
    normal = {"name": "normal", "sigma_w": [1, 1.5]}
    assert expanded("init", normal) == [Choice("normal"), Choice("normal", (("sigma_w", 1.5),))]


@pytest.mark.parametrize("what, table", [("activation", ACTIVATIONS), ("init", INITS)])
def test_every_name_of_the_tables_can_be_chosen(what, table):
    assert expanded(what, list(table)) == [Choice(name) for name in table]
    assert expanded(what, [{"name": name} for name in table]) == [Choice(name) for name in table]


@pytest.mark.parametrize(
    "written, values",
    [
        (3, [3]),
        (3.0, [3]),
        (1e3, [1000]),
        ([4, 2], [4, 2]),
        ({"from": 1, "to": 4, "steps": 4}, [1, 2, 3, 4]),
        ({"from": 8, "to": 1, "steps": 4, "spacing": "log"}, [8, 4, 2, 1]),
        ({"from": 1, "to": 3, "steps": 100}, [1, 2, 3]),
        ([7, {"from": 1, "to": 2, "steps": 2}], [7, 1, 2]),
        (np.int64(5), [5]),
        (np.arange(1, 4), [1, 2, 3]),
        (range(1, 3), [1, 2]),
        ((1, 2), [1, 2]),
    ],
)
def test_depths(written, values):
    found = expanded("depth", written)
    assert found == values and all(type(depth) is int for depth in found)


@pytest.mark.parametrize(
    "written, values",
    [
        ({"from": 0.1, "to": 0.5, "steps": 5}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"from": 0.125, "to": 8, "steps": 7, "spacing": "log"}, [0.125, 0.25, 0.5, 1, 2, 4, 8]),
        ({"from": 1e-200, "to": 1e200, "steps": 3, "spacing": "log"}, [1e-200, 1, 1e200]),
        # an inner value rounded to 12 digits stays between ends closer than that
        ({"from": 1 + 1e-14, "to": 1 + 3e-14, "steps": 5}, [1 + 1e-14, 1 + 3e-14]),
        ({"from": 1e308, "to": 1.7e308, "steps": 3}, [1e308, 1.35e308, 1.7e308]),
    ],
)
def test_scales(written, values):
    assert expanded("weight_scale", written) == values


ends = st.floats(1e-300, 1e300)


@given(ends, ends, st.integers(2, 50), st.sampled_from(["linear", "log"]))
def test_a_range_holds_both_ends_and_each_value_once_in_order(start, stop, steps, spacing):
    if start == stop:
        return
    found = expanded("weight_scale", {"from": start, "to": stop, "steps": steps, "spacing": spacing})
    assert found[0] == start and found[-1] == stop and len(found) <= steps
    assert all((a < b) == (start < stop) for a, b in itertools.pairwise(found))


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 50), st.sampled_from(["linear", "log"]))
def test_a_range_of_whole_numbers_is_rounded_and_unique(start, stop, steps, spacing):
    if start == stop:
        return
    written = {"from": start, "to": stop, "steps": steps, "spacing": spacing}
    sweep = config.from_mapping(mapping(depth=written), allow_large=True)
    found = [spec.depth for spec in config.expand(sweep)]
    assert found[0] == start and found[-1] == stop and config.count(sweep) == len(found) <= steps
    assert all((a < b) == (start < stop) for a, b in itertools.pairwise(found))


def test_cases_replace_keys_and_come_first_in_the_order():
    network = {"init": "he_normal", "width": 4, "depth": [1, 2]}
    cases = [
        {"activation": "relu"},
        {"activation": ["tanh", "erf"], "depth": 9},
        {"activation": "relu", "bias_scale": 0.5},
    ]
    sweep = config.from_mapping({"name": "t", "network": network, "cases": cases})
    assert [(s.activation.name, s.depth, s.bias_scale) for s in config.expand(sweep)] == [
        ("relu", 1, 0),
        ("relu", 2, 0),
        ("tanh", 9, 0),
        ("erf", 9, 0),
        ("relu", 1, 0.5),
        ("relu", 2, 0.5),
    ]
    assert config.count(sweep) == 6


def test_a_case_may_put_null_back():
    case = {"bias_scale": None, "init": "pytorch_default"}
    sweep = config.from_mapping(mapping(bias_scale=0.1) | {"cases": [{}, case]})
    assert [s.bias_scale for s in config.expand(sweep)] == [0.1, None]


def test_digits_fix_the_widths():
    sweep = config.from_mapping(mapping() | {"data": {"inputs": "digits", "targets": "labels"}})
    (spec,) = config.expand(sweep)
    assert (spec.width, spec.input_width, spec.output_width) == (16, 64, 10)
    assert "input_width: 64\n" in config.dump(sweep)


def test_a_data_file_is_found_from_the_config_and_its_digest_kept(folder, monkeypatch):
    (folder / "sub").mkdir()
    np.save(folder / "mine.npy", np.ones((100, 5)))
    (folder / "sub" / "c.yaml").write_text(GOOD + "data: {inputs: ../mine.npy}\n")
    sweep = config.read_file("sub/c.yaml")
    assert config.expand(sweep)[0].input_width == 5
    assert sweep.data_spec().path.resolve() == (folder / "mine.npy").resolve()
    digest = sweep.data.inputs_sha256
    (folder / "results").mkdir()
    (folder / "results" / "config.yaml").write_text(config.dump(sweep))
    assert config.read_file("results/config.yaml", folder=Path("sub")) == sweep
    np.save(folder / "mine.npy", np.zeros((100, 5)))
    (problem,) = problems_of(config.read_file, "results/config.yaml", folder=Path("sub"))
    line = config.dump(sweep).splitlines().index(next(x for x in config.dump(sweep).splitlines() if "sha256" in x)) + 1
    assert problem.startswith(f"results/config.yaml:{line}:")
    assert f"data.inputs_sha256: {digest[:12]}… was recorded, sub/../mine.npy has " in problem
    assert config.expand(config.read_file("results/config.yaml", read_data=False)) == config.expand(sweep)


# Everything that is refused -----------------------------------------------------------------------------------------

GOOD = "name: t\nnetwork: {activation: relu, init: he_normal, depth: 8, width: 16}\n"
BLOCK = {"activation": "relu", "init": "he_normal", "depth": "8", "width": "16"}
FOLDER = "is not a folder name; use up to 100 of A-Z a-z 0-9 . _ -, a letter or digit first"
SOURCE = "use gaussian, digits or a path ending in .npy, .npz, .csv, .parquet"
LARGE = "; use less, or give --allow-large"


def with_key(key, text):
    """The value alone, at its line: activation 3, init 4, depth 5, width 6, anything else 7."""
    return "name: t\nnetwork:\n" + "".join(f"  {k}: {v}\n" for k, v in (BLOCK | {key: text}).items())


BAD = {
    # the network's numbers
    "depth 0": (with_key("depth", "0"), "5:10: network.depth: 0 is not a depth; use 1 or more"),
    "depth −1": (with_key("depth", "-1"), "5:10: network.depth: -1 is not a depth; use 1 or more"),
    "depth 2.5": (with_key("depth", "2.5"), "5:10: network.depth: 2.5 is not a depth; use a whole number, 1 or more"),
    "depth true": (
        with_key("depth", "true"),
        "5:10: network.depth: true is not a depth; use a whole number, 1 or more",
    ),
    "depth yes": (with_key("depth", "yes"), "5:10: network.depth: 'yes' is not a depth; use a whole number, 1 or more"),
    "depth 1:30": (
        with_key("depth", "1:30"),
        "5:10: network.depth: '1:30' is not a depth; use a whole number, 1 or more; "
        "a list is [1, 2, 3], a range {from: 1, to: 9, steps: 3}",
    ),
    "activation called": (
        with_key("activation", "leaky_relu(0.1)"),
        "3:15: network.activation: 'leaky_relu(0.1)' is not an activation; "
        "did you mean 'leaky_relu'? parameters are written {name: …, parameter: …}",
    ),
    "depth quoted": (
        with_key("depth", "'8'"),
        "5:10: network.depth: '8' is not a depth; use a whole number, 1 or more",
    ),
    "depth null": (with_key("depth", ""), "5:9: network.depth: null is not a depth; use a whole number, 1 or more"),
    "depth nan": (with_key("depth", ".nan"), "5:10: network.depth: .nan is not a depth; use a whole number, 1 or more"),
    "depth inf": (
        with_key("depth", ".inf"),
        "5:10: network.depth: .inf is too large for a depth; use 2147483647 or less",
    ),
    "depth 10^400": (
        with_key("depth", "1" + "0" * 99),
        "5:10: network.depth: a number of more than 20 digits is too large for a depth; use 2147483647 or less",
    ),
    "width 0": (with_key("width", "[4, 0]"), "6:14: network.width[1]: 0 is not a width; use 1 or more"),
    "width −3": (with_key("width", "-3"), "6:10: network.width: -3 is not a width; use 1 or more"),
    "input width": (with_key("input_width", "0"), "7:16: network.input_width: 0 is not an input width; use 1 or more"),
    "scale 0": (
        with_key("weight_scale", "0"),
        "7:17: network.weight_scale: 0 is not a weight scale; use a finite number above 0",
    ),
    "scale negative": (
        with_key("weight_scale", "[1, -2]"),
        "7:21: network.weight_scale[1]: -2 is not a weight scale; use a finite number above 0",
    ),
    "scale nan": (
        with_key("weight_scale", ".nan"),
        "7:17: network.weight_scale: .nan is not a weight scale; use a finite number above 0",
    ),
    "scale 1e999": (
        with_key("weight_scale", "1e999"),
        "7:17: network.weight_scale: .inf is not a weight scale; use a finite number above 0",
    ),
    "bias negative": (
        with_key("bias_scale", "-0.1"),
        "7:15: network.bias_scale: -0.1 is not a bias scale; use a finite number, 0 or more",
    ),
    "output": (with_key("output", "lineer"), "7:11: network.output: 'lineer' is not an output; did you mean 'linear'?"),
    # axes
    "empty axis": (with_key("depth", "[]"), "5:10: network.depth: an axis of zero length; give at least one value"),
    "nested axis": (
        with_key("depth", "[[8]]"),
        "5:11: network.depth[0]: a list is not a depth; use a whole number, 1 or more",
    ),
    "twice": (with_key("depth", "[1, 2, 1.0]"), "5:17: network.depth[2]: 1 comes twice in this axis; remove one"),
    "twice by lines": (
        with_key("depth", "\n  - 4\n  - 4"),
        "7:5: network.depth[1]: 4 comes twice in this axis; remove one",
    ),
    "twice by a range": (
        with_key("depth", "[4, {from: 1, to: 8, steps: 4, spacing: log}]"),
        "5:14: network.depth[1]: 4 comes twice in this axis; remove one",
    ),
    "twice by null": (
        with_key("bias_scale", "[null, 0]"),
        "7:15: network.bias_scale: null stands for a value that is given too; remove one",
    ),
    "twice by width": (
        with_key("input_width", "[null, 16]"),
        "7:16: network.input_width: null stands for a value that is given too; remove one",
    ),
    "equal ends": (
        with_key("depth", "{from: 3, to: 3, steps: 2}"),
        "5:10: network.depth: from and to are equal; write the value instead of a range",
    ),
    "one step": (
        with_key("depth", "{from: 3, to: 4, steps: 1}"),
        "5:10: network.depth: one step cannot hold both ends; use steps: 2 or more",
    ),
    "no steps": (
        with_key("depth", "{from: 3, to: 4}"),
        "5:3: network.depth.steps: missing; a range needs from, to and steps",
    ),
    "step": (
        with_key("depth", "{from: 3, to: 4, step: 1}"),
        "5:27: network.depth.step: unknown key; did you mean 'steps'?",
    ),
    "many steps": (
        with_key("depth", "{from: 3, to: 4, steps: 1e9}"),
        "5:34: network.depth.steps: 1000000000 is too large for a number of steps; use 10000 or less",
    ),
    "infinite range": (
        with_key("weight_scale", "{from: 1, to: .inf, steps: 3}"),
        "7:31: network.weight_scale.to: .inf is not a weight scale; use a finite number above 0",
    ),
    "log of 0": (
        with_key("bias_scale", "{from: 0, to: 1, steps: 3, spacing: log}"),
        "7:15: network.bias_scale: a range with spacing: log needs from and to above 0; use spacing: linear",
    ),
    "spacing": (
        with_key("depth", "{from: 1, to: 9, steps: 2, spacing: logg}"),
        "5:46: network.depth.spacing: 'logg' is not a spacing; did you mean 'log'?",
    ),
    # names with parameters
    "activation": (
        with_key("activation", "rleu"),
        "3:15: network.activation: 'rleu' is not an activation; did you mean 'relu'?",
    ),
    "activation list": (
        with_key("activation", "[relu, Sigmod]"),
        "3:22: network.activation[1]: 'Sigmod' is not an activation; did you mean 'sigmoid'?",
    ),
    "activation number": (
        with_key("activation", "3"),
        "3:15: network.activation: 3 is not an activation; use a name or {name: …, parameter: …}",
    ),
    "activation without a name": (
        with_key("activation", "{at_zero: 1}"),
        "3:15: network.activation: the mapping names no activation; add name: relu",
    ),
    "parameter": (
        with_key("activation", "[relu, {name: leaky_relu, negative_slop: 0.1}]"),
        "3:41: network.activation[1].negative_slop: unknown key; did you mean 'negative_slope'?",
    ),
    "no parameters": (
        with_key("activation", "{name: linear, slope: 2}"),
        "3:30: network.activation.slope: unknown key; linear has no parameters",
    ),
    "value not allowed": (
        with_key("activation", "{name: relu, at_zero: 2}"),
        "3:37: network.activation.at_zero: 2 is not an at_zero; use 0, 0.5 or 1",
    ),
    "value refused": (
        with_key("activation", "{name: elu, alpha: [1, -1]}"),
        "3:38: network.activation.alpha[1]: alpha must be positive, not -1",
    ),
    "value refused in a range": (
        with_key("activation", "{name: leaky_relu, negative_slope: {from: -1, to: 1, steps: 3}}"),
        "3:50: network.activation.negative_slope: negative_slope 0 is relu; use that",
    ),
    "activation twice": (
        with_key("activation", "[relu, {name: relu, at_zero: 1}]"),
        "3:22: network.activation[1]: relu comes twice in this axis; remove one",
    ),
    "parameter twice": (
        with_key("init", "{name: normal, sigma_w: [1, 1.0]}"),
        "4:37: network.init.sigma_w[1]: 1 comes twice in this axis; remove one",
    ),
    "sigma_w": (
        with_key("init", "{name: normal, sigma_w: -1}"),
        "4:33: network.init.sigma_w: sigma_w must be positive, not -1",
    ),
    "init": (with_key("init", "he"), "4:9: network.init: 'he' is not an initialisation; did you mean 'he_normal'?"),
    # keys
    "unknown key": (GOOD + "sed: 3\n", "3:1: sed: unknown key; did you mean 'seed'?"),
    "duplicate key": (
        with_key("depth", "8") + "  depth: 9\n",
        "7:3: network.depth: given twice, on line 5 and on line 7; keep one",
    ),
    "no network": ("name: t\n", "1:1: network: missing; add it, with activation, init and depth"),
    "network missing keys": (
        "name: t\nnetwork: {activaton: relu, width: 3}\n",
        "2:1: network.init: missing; add it, such as init: he_normal",
        "2:1: network.depth: missing; add it, such as depth: 16",
        "2:11: network.activaton: unknown key; did you mean 'activation'?",
    ),
    "network a number": ("name: t\nnetwork: 3\n", "2:10: network: 3 is not a mapping; write key: value"),
    "key like a tag": (
        with_key("depth", "{<range>: {from: 1}, from: 1}"),
        "5:3: network.depth.to: missing; a range needs from, to and steps",
        "5:3: network.depth.steps: missing; a range needs from, to and steps",
        "5:11: network.depth.'<range>': unknown key; use from, to, steps or spacing",
    ),
    "merge key": (
        GOOD + "<<: {seed: 1}\n",
        "3:1: '<<': unknown key; use name, network, cases, data, cost, replicates, seed, dtype, "
        "record_layers, mean_abs_grad_weights, training, thresholds, experiment or figures",
    ),
    # the rest of the file
    "cost": (GOOD + "cost: sqared\n", "3:7: cost: 'sqared' is not a cost; did you mean 'squared'?"),
    "dtype": (GOOD + "dtype: half\n", "3:8: dtype: 'half' is not a dtype; use float64 or float32"),
    "seed −1": (GOOD + "seed: -1\n", "3:7: seed: -1 is not a seed; use 0 or more"),
    "seed 2^63": (
        GOOD + "seed: 9223372036854775808\n",
        "3:7: seed: 9223372036854775808 is too large for a seed; use 9223372036854775807 or less",
    ),
    "replicates": (GOOD + "replicates: 0\n", "3:13: replicates: 0 is not a number of replicates; use 1 or more"),
    "decades": (
        GOOD + "thresholds: {decades: 0}\n",
        "3:23: thresholds.decades: 0 is not a number of decades; use a finite number above 0",
    ),
    "thresholds": (GOOD + "thresholds: 3\n", "3:13: thresholds: 3 is not a mapping; write key: value"),
    "experiment": (
        GOOD + "experiment: ../evil\n",
        "3:13: experiment: '../evil' is not a name; use letters, digits and _",
    ),
    "figures": (GOOD + "figures: profile\n", "3:10: figures: 'profile' is not a list of figures; write [name, …]"),
    "figures twice": (GOOD + "figures: [a, a]\n", "3:10: figures: 'a' comes twice; remove one"),
    "figures markup": (GOOD + "figures: ['$x$']\n", "3:11: figures[0]: '$x$' is not a name; use letters, digits and _"),
    # names that leave the results folder
    "name up": (GOOD.replace("name: t", "name: ../x"), f"1:7: name: '../x' {FOLDER}"),
    "name absolute": (GOOD.replace("name: t", "name: /tmp/x"), f"1:7: name: '/tmp/x' {FOLDER}"),
    "name dots": (GOOD.replace("name: t", "name: .."), f"1:7: name: '..' {FOLDER}"),
    "name hidden": (GOOD.replace("name: t", "name: .x"), f"1:7: name: '.x' {FOLDER}"),
    "name trailing dot": (GOOD.replace("name: t", "name: x."), f"1:7: name: 'x.' {FOLDER}"),
    "name newline": (GOOD.replace("name: t", 'name: "x\\n"'), f"1:7: name: 'x\\n' {FOLDER}"),
    "name NUL": (GOOD.replace("name: t", 'name: "a\\0b"'), f"1:7: name: 'a\\x00b' {FOLDER}"),
    "name empty": (GOOD.replace("name: t", "name: ''"), f"1:7: name: '' {FOLDER}"),
    "name number": (GOOD.replace("name: t", "name: 012"), f"1:7: name: 12 {FOLDER}"),
    "name long": (GOOD.replace("name: t", "name: " + "x" * 101), f"1:7: name: '{'x' * 57}...' {FOLDER}"),
    "name reserved": (
        GOOD.replace("name: t", "name: con.txt"),
        "1:7: name: 'con.txt' is a name that Windows keeps for itself; use another",
    ),
    # data
    "inputs": (
        GOOD + "data: {inputs: digit}\n",
        "3:16: data.inputs: 'digit' is no source of inputs; did you mean 'digits'?",
    ),
    "inputs suffix": (
        GOOD + "data: {inputs: mine.txt}\n",
        f"3:16: data.inputs: 'mine.txt' is no source of inputs; {SOURCE}",
    ),
    "inputs number": (GOOD + "data: {inputs: 3}\n", f"3:16: data.inputs: 3 is no source of inputs; {SOURCE}"),
    "inputs absolute": (
        GOOD + "data: {inputs: /etc/x.npy}\n",
        "3:16: data.inputs: '/etc/x.npy' cannot be found on another machine; write a path relative to the config",
    ),
    "inputs drive": (
        GOOD + "data: {inputs: 'C:\\x.npy'}\n",
        "3:16: data.inputs: 'C:\\\\x.npy' cannot be found on another machine; write a path relative to the config",
    ),
    "inputs NUL": (
        GOOD + 'data: {inputs: "x\\0.npy"}\n',
        "3:16: data.inputs: 'x\\x00.npy' cannot be found on another machine; write a path relative to the config",
    ),
    "inputs missing": (GOOD + "data: {inputs: no.npy}\n", "3:16: data.inputs: no.npy: no such file"),
    "batch 0": (GOOD + "data: {batch: 0}\n", "3:15: data.batch: 0 is not a batch; use 1 or more"),
    "batch over rows": (
        GOOD + "data: {inputs: digits, batch: 1798}\n",
        "3:31: data.batch: 1798 is more than the 1797 rows of digits; use 1797 or less",
    ),
    "layers too deep": (
        GOOD + "record_layers: [77, 80]\n",
        "3:16: record_layers: no network has layer 77, the deepest has 8; list layers up to that, or write all",
    ),
    "labels of gaussian": (
        GOOD + "data: {targets: labels}\n",
        "3:17: data.targets: labels, but 'gaussian' has none; use inputs: digits, "
        "or a file with classes, and name their column or array: data: {labels: …}",
    ),
    "labels of no file": (
        GOOD + "data: {inputs: digits, labels: species}\n",
        "3:32: data.labels: only a data file has one; remove it",
    ),
    "labels no name": (
        GOOD + "data: {inputs: digits, labels: 3}\n",
        "3:32: data.labels: 3 is no name in a data file; write that of a column or an array",
    ),
    "digits and width": (
        with_key("input_width", "32") + "data: {inputs: digits}\n",
        "7:16: network.input_width: 32, but digits has 64 features; remove input_width",
    ),
    "digits and a range": (
        with_key("input_width", "{from: 8, to: 64, steps: 2}") + "data: {inputs: digits}\n",
        "7:16: network.input_width: a range, but digits has 64 features; remove input_width",
    ),
    "digits and a case": (
        GOOD + "cases: [{input_width: 3}]\ndata: {inputs: digits}\n",
        "3:23: cases[0].input_width: 3, but digits has 64 features; remove input_width",
    ),
    "width twice": (
        with_key("input_width", "[null, 64]") + "data: {inputs: digits}\n",
        "7:23: network.input_width[1]: comes twice: digits has 64 features; remove input_width",
    ),
    "classes and width": (
        with_key("output_width", "[10, 5]") + "data: {inputs: digits, targets: labels}\n",
        "7:22: network.output_width[1]: 5, but digits has 10 classes; remove output_width",
    ),
    "linear cost of zeros": (
        GOOD + "cost: linear\ndata: {targets: zeros}\n",
        "3:7: cost: linear with targets: zeros has no gradient at all; use squared",
    ),
    "digest malformed": (
        GOOD + "data: {inputs_sha256: abc}\n",
        "3:23: data.inputs_sha256: 'abc' is not a SHA-256; use 64 hexadecimal digits, or remove it",
    ),
    "digest of nothing": (
        GOOD + f"data: {{inputs_sha256: '{'a' * 64}'}}\n",
        "3:23: data.inputs_sha256: only a data file has one; remove it",
    ),
    "data a list": (GOOD + "data: []\n", "3:7: data: a list is not a mapping; write key: value"),
    # cases
    "cases a mapping": (
        GOOD + "cases: {depth: 3}\n",
        "3:8: cases: a mapping is not a list of cases; write each as - {depth: 8}",
    ),
    "case a number": (GOOD + "cases: [3]\n", "3:9: cases[0]: 3 is not a mapping; write key: value"),
    "case key": (
        GOOD + "cases:\n- depth: 3\n- dept: 1\n  width: 0\n",
        "5:3: cases[1].dept: unknown key; did you mean 'depth'?",
        "6:10: cases[1].width: 0 is not a width; use 1 or more",
    ),
    "case repeated": (
        GOOD + "cases:\n- {depth: 3}\n- {depth: [4, 3]}\n",
        "5:3: cases[1]: repeats a network of cases[0]: relu, he_normal, weight_scale 1, depth 3, "
        "width 16; remove one of them",
    ),
    "case repeated by null": (
        GOOD + "cases: [{}, {bias_scale: 0, input_width: 16}]\n",
        "3:13: cases[1]: repeats a network of cases[0]: relu, he_normal, weight_scale 1, "
        "depth 8, width 16; remove one of them",
    ),
    "case incomplete": (
        "name: t\nnetwork: {init: he_normal, width: 4, depth: 2}\ncases: [{activation: relu}, {depth: 3}]\n",
        "3:29: cases[1].activation: missing here and under network; add activation",
    ),
    # absurd sizes, counted before anything is expanded
    "10^8 networks": (
        GOOD.replace("8", "{from: 1, to: 1e4, steps: 1e4}").replace("16", "{from: 1, to: 1e4, steps: 1e4}"),
        f"2:10: network: up to 800,000,000 networks, more than 10,000,000{LARGE}",
    ),
    "10^9 replicates": (
        GOOD + "replicates: 1e9\n",
        f"2:10: network: up to 1,000,000,000 networks, more than 10,000,000{LARGE}",
    ),
    "10^11 rows": (
        GOOD.replace("8", "1000000") + "replicates: 1e5\n",
        f"2:10: network: up to 100,000,000,000 rows, more than 10,000,000,000{LARGE}",
    ),
    "10^7 values": (
        GOOD.replace("8", "[" + "{from: 1, to: 1e4, steps: 1e4}, " * 1000 + "]"),
        f"2:10: network: the axes hold 10,000,015 values, more than 50,000{LARGE}",
    ),
    "width 10^6": (with_key("width", "1000000"), f"6:10: network.width: 1000000 is more than 100000{LARGE}"),
    "depth 10^8": (
        with_key("depth", "{from: 1, to: 1e8, steps: 9}"),
        f"5:10: network.depth: 100000000 is more than 1000000{LARGE}",
    ),
    "batch 10^9": (GOOD + "data: {batch: 1e9}\n", f"3:15: data.batch: 1000000000 is more than 1000000{LARGE}"),
    "1001 cases": (
        GOOD + "cases:\n" + "- {}\n" * 1001,
        "4:1: cases: 1001 cases, more than 1000; use axes, or split the sweep",
    ),
    # not a mapping, not YAML, not a config
    "list": ("- name: t\n", "1:1: a list, not a mapping; a sweep begins with name: …"),
    "scalar": ("hello\n", "1:1: 'hello', not a mapping; a sweep begins with name: …"),
    "null": ("---\n", "2:1: null, not a mapping; a sweep begins with name: …"),
    "empty": ("", "1:1: the file is empty; a sweep needs name, network, …"),
    "tab": ("name: t\nnetwork:\n\tdepth: 1\n", "3:1: a tab; YAML indents with spaces"),
    "tag": ("name: !!python/name:os.system t\n", "1:7: name: tags (!!python/name:os.system) are not read; remove it"),
    "alias": ("a: &x [1]\nb: [*x, *x]\n", "2:5: b[0]: aliases (*x) are not read; write the value out"),
    "nested": ("a: " + "[" * 100_000, "1:36: a: nested more than 32 deep"),
    # all at once
    "misspelt beside the right one": (
        with_key("width", "0") + "  widht: 3\nsed: 1\nseed: -1\n",
        "6:10: network.width: 0 is not a width; use 1 or more",
        "7:3: network.widht: unknown key; did you mean 'width'?",
        "8:1: sed: unknown key; did you mean 'seed'?",
        "9:7: seed: -1 is not a seed; use 0 or more",
    ),
    "many": (
        "name: t\nnetwork:\n  activation: relu\n  init: he_norml\n  depth: 0\n  width: [16, 16]\n  width: 3\n"
        "data: {batch: 0, targets: labels}\ncost: linear\nsed: 1\n",
        "4:9: network.init: 'he_norml' is not an initialisation; did you mean 'he_normal'?",
        "5:10: network.depth: 0 is not a depth; use 1 or more",
        "7:3: network.width: given twice, on line 6 and on line 7; keep one",
        "8:15: data.batch: 0 is not a batch; use 1 or more",
        "8:27: data.targets: labels, but 'gaussian' has none; use inputs: digits, or a file with classes, "
        "and name their column or array: data: {labels: …}",
        "10:1: sed: unknown key; did you mean 'seed'?",
    ),
}


@pytest.mark.parametrize("text, messages", [(text, messages) for text, *messages in BAD.values()], ids=BAD.keys())
def test_bad_configs_are_refused_with_every_problem_and_its_place(folder, text, messages):
    (folder / "c.yaml").write_text(text, encoding="utf-8")
    began = time.process_time()
    assert problems_of(config.read_file, "c.yaml") == [f"c.yaml:{message}" for message in messages]
    assert time.process_time() - began < 1


def test_a_mapping_has_paths_but_no_positions():
    assert problems_of(config.from_mapping, mapping(depth=0, widht=3)) == [
        "network.widht: unknown key; did you mean 'width'?",
        "network.depth: 0 is not a depth; use 1 or more",
    ]
    assert problems_of(config.from_mapping, {}) == [
        "name: missing; a config that is no file needs one, such as name: depth",
        "network: missing; add it, with activation, init and depth",
    ]
    endless = {}
    endless["network"] = endless
    assert problems_of(config.from_mapping, endless) == ["nested more than 32 deep"]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("no.yaml", None, "no.yaml: cannot be read: No such file or directory; give the path of a YAML file"),
        ("dir", "folder", "dir: cannot be read: Is a directory; give the path of a YAML file"),
        ("a\0b", None, "a\0b: cannot be read: embedded null byte; give the path of a YAML file"),
    ],
)
def test_an_unreadable_file_is_a_problem(folder, name, content, message):
    if content == "folder":
        (folder / name).mkdir()
    assert problems_of(config.read_file, name) == [message]


def test_a_file_of_100_mb_is_refused_without_being_read(folder):
    with (folder / "c.yaml").open("wb") as file:
        file.truncate(100 * 2**20)
    tracemalloc.start()
    problems = problems_of(config.read_file, "c.yaml")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problems == ["c.yaml:1:1: larger than 256 kB; a sweep is a few lines, data have their own file"]
    assert peak < 2e6  # the limit on a config, a few times over


def test_a_flood_of_problems_is_cut_short(folder):
    (folder / "c.yaml").write_text(GOOD + "cases:\n" + "- {dept: 1, x: 3}\n" * 1000)
    began = time.process_time()
    problems = problems_of(config.read_file, "c.yaml")
    assert time.process_time() - began < 1
    assert problems[0] == "c.yaml:4:4: cases[0].dept: unknown key; did you mean 'depth'?"
    assert len(problems) == 101 and problems[-1] == "… and 1900 more"


@pytest.mark.alone
def test_a_thousand_cases_are_compared_within_seconds(folder):
    (folder / "c.yaml").write_text(GOOD + "cases:\n" + "".join(f"- {{depth: {i + 1}}}\n" for i in range(1000)))
    began = time.process_time()
    assert config.count(config.read_file("c.yaml")) == 1000
    assert time.process_time() - began < 3  # alone, the first to use the models, which are then built


def test_large_sweeps_pass_when_they_are_meant():
    sweep = config.from_mapping(mapping(depth=10**7, width=200_000) | {"replicates": 10**6}, allow_large=True)
    assert config.count(sweep) == 1


GARBAGE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["relu", "he_normal", "digits", "labels", "log", "x.npy", "<range>", "<relu>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "network",
                    "cases",
                    "data",
                    "activation",
                    "init",
                    "depth",
                    "width",
                    "input_width",
                    "bias_scale",
                    "weight_scale",
                    "inputs",
                    "targets",
                    "batch",
                    "from",
                    "to",
                    "steps",
                    "at_zero",
                    "<range>",
                    "<relu>",
                    "figures",
                    "thresholds",
                    "",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: GARBAGE
            for key in ("name", "network", "cases", "data", "cost", "seed", "thresholds", "figures", "replicates")
        },
    ),
    st.booleans(),
)
def test_a_garbage_mapping_loads_or_is_refused(written, sound):
    if sound:  # so that the checks behind the first are reached
        written = mapping() | {key: value for key, value in written.items() if key not in ("name", "network")}
    try:
        sweep = config.from_mapping(written)
    except ConfigError as error:
        assert error.problems and all("\n" not in problem for problem in error.problems)
    else:
        assert config.count(sweep) == len(set(config.expand(sweep)))


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["depth", "width", "weight_scale", "bias_scale", "activation", "output"]), GARBAGE, max_size=3
    )
)
def test_a_garbage_network_loads_or_is_refused(network):
    try:
        config.from_mapping(mapping(**network))
    except ConfigError as error:
        assert error.problems


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.text("namework:{}[], \n-&*!'\"", max_size=80))
def test_garbage_text_is_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "garbage.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert problems_of(config.read_file, path)


# Overrides ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "override, where, value",
    [
        ("network.width=64", "network.width", 64),
        ("network.width=[64, 32]", "network.width", [64, 32]),
        (
            "network.depth={from: 1, to: 4, steps: 3, spacing: log}",
            "network.depth",
            {"from": 1, "to": 4, "steps": 3, "spacing": "log"},
        ),
        ("network.bias_scale=", "network.bias_scale", None),
        ("network.activation[0]=tanh", "network.activation", "tanh"),
        ("network.activation[0].at_zero=0", "network.activation", {"name": "relu", "at_zero": 0}),
        ("replicates=9", "replicates", 9),
        ("data.batch=3", "data.batch", 3),
        ("name=other", "name", "other"),
    ],
)
def test_overrides(override, where, value):
    base = mapping(bias_scale=0.5, activation=[{"name": "relu", "at_zero": 0.5}])
    before, after = config.from_mapping(base), config.from_mapping(base, overrides=[override])
    assert [(change.where, change.new) for change in config.differences(before, after)] == [(where, value)]


def test_the_last_override_wins_and_the_mapping_given_stays():
    given_mapping = mapping()
    sweep = config.from_mapping(given_mapping, overrides=["seed=1", "seed=2"])
    assert sweep.seed == 2 and given_mapping == mapping()


@pytest.mark.parametrize(
    "override, message",
    [
        ("network.widht=64", "network.widht: unknown key; did you mean 'width'?"),
        ("network.depth=0", "network.depth: 0 is not a depth; use 1 or more"),
        ("network.depth=[1, 0]", "network.depth[1]: 0 is not a depth; use 1 or more"),
        (
            "network.activation[1]=rleu",
            "network.activation[1]: there is no such place; set network.activation as a whole",
        ),
        ("network.width.x=3", "network.width.x: there is no such place; set network.width as a whole"),
        ("tresholds.decades=3", "tresholds: unknown key; did you mean 'thresholds'?"),
        ("cost.x=3", f"cost: a mapping is not a cost; {remedy(None, COSTS)}"),
        (
            "network.depth=[1",
            "network.depth: not valid YAML: expected ',' or ']', but got '<stream end>'; "
            "look at the quotes, brackets and indentation here and above",
        ),
        (
            "network.depth=!!python/name:os.system x",
            "network.depth: tags (!!python/name:os.system) are not read; remove it",
        ),
        ("width", "not KEY=VALUE; write for example network.width=64"),
        ("=3", "not KEY=VALUE; write for example network.width=64"),
        ("a..b=3", "not KEY=VALUE; write for example network.width=64"),
    ],
)
def test_a_problem_in_an_override_is_put_down_to_it(override, message):
    assert problems_of(config.from_mapping, mapping(), overrides=[override]) == [f"--set {override}: {message}"]


def test_an_override_may_mend_the_file_and_problems_keep_their_order(folder):
    (folder / "c.yaml").write_text(GOOD.replace("16", "0") + "sed: 1\n")
    assert problems_of(config.read_file, "c.yaml", ["network.width=4", "seed=-1"]) == [
        "c.yaml:3:1: sed: unknown key; did you mean 'seed'?",
        "--set seed=-1: seed: -1 is not a seed; use 0 or more",
    ]


# Out and back -------------------------------------------------------------------------------------------------------

scales = st.floats(1e-200, 1e200)
sizes = st.integers(1, 200)


def axis(values, scale=None):
    several = st.lists(values, min_size=1, max_size=4, unique=True)
    if scale is None:
        return values | several
    ranges = st.tuples(scale, scale, st.integers(2, 9), st.sampled_from(["linear", "log"])).filter(
        lambda r: r[0] != r[1]
    )
    return values | several | ranges.map(lambda r: dict(zip(("from", "to", "steps", "spacing"), r, strict=True)))


activations = (
    st.sampled_from(sorted(ACTIVATIONS))
    | scales.map(lambda a: {"name": "elu", "alpha": a})
    | st.just({"name": "relu", "at_zero": [0, 0.5, 1]})
)
sweeps = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["t", "012", "1e3", "0o7", "true", "null", "1.5", "a.b-c_d", "no"]),
        "network": st.fixed_dictionaries(
            {
                "activation": activations,
                "init": axis(st.sampled_from(sorted(INITS))),
                "depth": axis(sizes, sizes),
                "width": axis(sizes, sizes),
            },
            optional={
                "weight_scale": axis(scales, scales),
                "bias_scale": axis(scales, scales) | st.none(),
                "input_width": st.none() | sizes,
                "output": st.sampled_from(["activation", "linear"]),
            },
        ),
    },
    optional={
        "cases": st.lists(
            st.fixed_dictionaries({"output_width": st.integers(201, 10**5)}),
            max_size=3,
            unique_by=lambda case: case["output_width"],
        ),
        "data": st.fixed_dictionaries({"targets": st.sampled_from(["gaussian", "zeros"]), "batch": sizes}),
        "replicates": sizes,
        "seed": st.integers(0, 2**63 - 1),
        "dtype": st.sampled_from(["float64", "float32"]),
        "thresholds": st.fixed_dictionaries({"decades": scales}),
        "experiment": st.none() | st.just("depth"),
        "figures": st.none() | st.lists(st.sampled_from(["a", "b", "null", "true"]), unique=True),
    },
)


@settings(max_examples=200, deadline=None)
@given(sweeps)
def test_a_dump_loads_to_an_equal_sweep(tmp_path_factory, written):
    sweep = config.from_mapping(written)
    path = tmp_path_factory.getbasetemp() / "dump.yaml"
    path.write_text(config.dump(sweep), encoding="utf-8")
    again = config.read_file(path)
    assert again == sweep and config.differences(sweep, again) == []
    assert config.dump(again) == config.dump(sweep)
    assert config.expand(again) == config.expand(sweep)
    assert config.count(sweep) == len(set(config.expand(sweep)))


@pytest.mark.parametrize("key, table", [("normalisation", NORMALISATIONS), ("residual", RESIDUALS)])
def test_a_dump_of_remedies_has_the_digest_of_what_it_was_dumped_from(key, table):
    """A parameter's default that is written 1 and read again as 1.0 would be another config."""
    sweep = config.from_mapping(mapping(**{key: [*table]}))
    again = config.from_mapping(yaml.safe_load(config.dump(sweep)))
    assert config.digest(again) == config.digest(sweep)


def test_a_dump_writes_every_default_out():
    assert (
        config.dump(config.from_mapping(mapping()))
        == """\
name: t
network:
  activation: {name: relu, at_zero: 1}
  init: he_normal
  weight_scale: 1.0
  bias_scale: null
  bias: 0.0
  tied: false
  width: 16
  input_width: null
  output_width: null
  widths: null
  output: activation
  normalisation: none
  normalise: preactivations
  weight_standardised: false
  residual: none
  depth: 8
cases: []
data: {inputs: gaussian, targets: gaussian, batch: 64, inputs_key: null, labels: null, inputs_sha256: null}
cost: squared
replicates: 8
seed: 0
dtype: float64
record_layers: all
mean_abs_grad_weights: false
training: null
thresholds: {decades: 3.0, saturated_below: 0.01}
experiment: null
figures: null
"""
    )


def test_a_sweep_pickles_and_cannot_be_changed():
    sweep = config.from_mapping(mapping(depth={"from": 1, "to": 9, "steps": 3}), folder=Path("elsewhere"))
    again = pickle.loads(pickle.dumps(sweep))
    assert again == sweep and config.expand(again) == config.expand(sweep)
    with pytest.raises(ValueError, match="frozen"):
        sweep.seed = 3


def test_differences_say_where_and_what():
    before = config.from_mapping(mapping(width=128))
    after = config.from_mapping(mapping(depth=[1, 2], bias_scale=0.5) | {"cases": [{"width": 3}], "replicates": 2})
    assert [str(change) for change in config.differences(before, after)] == [
        "network.bias_scale: null -> 0.5",
        "network.width: 128 -> 16",
        "network.depth: 8 -> [1, 2]",
        "cases: [] -> [{width: 3}]",
        "replicates: 8 -> 2",
    ]


# The schema and the shipped configs ---------------------------------------------------------------------------------


def test_every_key_is_described():
    schema = config.json_schema()
    for owner in (schema, *schema["$defs"].values()):
        assert owner["additionalProperties"] is False
        for key, value in owner["properties"].items():
            assert value.get("description", "").endswith(".") or key == "name", key
    assert schema["$defs"]["leaky_relu"]["properties"].keys() == {"name", "negative_slope"}
    assert {*ACTIVATIONS, *INITS} <= schema["$defs"].keys()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_load(path):
    sweep = config.read_file(path)
    assert sweep.name == path.stem
    assert len(set(config.expand(sweep))) == config.count(sweep)
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")


# Which layers get a row ---------------------------------------------------------------------------------------------

NETS = {"name": "x", "network": {"activation": "relu", "init": "he_normal", "depth": 9, "width": 3}}


@pytest.mark.parametrize("given, read", [("all", None), (None, None), (5, 5), ([1, 3, 9], (1, 3, 9))])
def test_record_layers_comes_back_as_it_was_written(given, read):
    sweep = config.from_mapping({**NETS, "record_layers": given})
    assert sweep.record_layers == read
    assert config.from_mapping(yaml.safe_load(config.dump(sweep))) == sweep


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "some", [], [0], [2, 1], [1, 1], ["all"], {"count": 3}])
def test_record_layers_that_cannot_be(given):
    with pytest.raises(ConfigError, match="record_layers"):
        config.from_mapping({**NETS, "record_layers": given})
