"""Configs with the words of textbooks and frameworks: accepted, or told what stands for them here.

Each row is what someone wrote, with the networks that it makes or with the whole message.
"""

import numpy as np
import pytest

from harness.base.errors import ConfigError
from harness.config import dump, expand, from_mapping, json_schema
from harness.config.yaml_positions import read
from harness.networks.activations import ACTIVATION_SYNONYMS, ACTIVATIONS
from harness.networks.inits import INIT_SYNONYMS, INITS
from harness.networks.spec import init_of

NETWORK = {"activation": "tanh", "init": "lecun_normal", "depth": 10, "width": 500}
BY_WIDTHS = {key: value for key, value in NETWORK.items() if key not in ("depth", "width")}


def sweep_of(network, **keys):
    return from_mapping({"name": "s", "network": network, **keys})


def init_written(init):
    return [spec.init for spec in expand(sweep_of(NETWORK | {"init": init}))]


def message(network, **keys):
    with pytest.raises(ConfigError) as raised:
        sweep_of(network, **keys)
    return str(raised.value)


ACCEPTED = {  # init -> (sigma_w of the hidden layers at width 500, mean of a weight)
    "normal of an std": ({"name": "normal", "std": 0.01}, 0.01 * np.sqrt(500), 0),
    "normal of a mean": ({"name": "normal", "std": 0.01, "mean": 0.1}, 0.01 * np.sqrt(500), 0.1),
    "uniform on a bound": ({"name": "uniform", "bound": 0.1}, 0.1 * np.sqrt(500 / 3), 0),
    "uniform from low to high": ({"name": "uniform", "low": 0, "high": 1}, np.sqrt(500 / 12), 0.5),
    "truncated normal": ({"name": "trunc_normal", "std": 0.02}, 0.02 * 0.87962566 * np.sqrt(500), 0),
    "constant": ({"name": "constant", "value": 0.5}, 0, 0.5),
    "kaiming_normal": ("kaiming_normal", np.sqrt(2), 0),
    "kaiming with a gain": ({"name": "kaiming_uniform", "gain": 1}, 1, 0),
    "glorot_uniform": ("glorot_uniform", 1, 0),
    "xavier with the gain of tanh": ({"name": "xavier_normal", "gain": 5 / 3}, 5 / 3, 0),
    "orthogonal with a gain": ({"name": "orthogonal", "gain": 1.4}, 1.4, 0),
}


@pytest.mark.parametrize(("init", "sigma_w", "mean"), ACCEPTED.values(), ids=ACCEPTED)
def test_initialisations_as_people_write_them(init, sigma_w, mean):
    (chosen,) = init_written(init)
    assert init_of(chosen).sigma_w(500, 500) == pytest.approx(sigma_w, rel=1e-7)
    assert init_of(chosen).mean_w(500, 500) == pytest.approx(mean, rel=1e-12)


def test_what_was_written_is_read_back():
    """With defaults written out, except those that another parameter has taken the place of."""
    for init in (
        {"name": "normal", "std": [0.01, 0.1]},
        {"name": "uniform", "low": 0.0, "high": 1.0},
        "kaiming_normal",
    ):
        sweep = sweep_of(NETWORK | {"init": init, "bias": 0.1, "tied": True})
        assert from_mapping(read(dump(sweep).encode()).data) == sweep
    assert "init: {name: normal, std: 0.01}" in dump(sweep_of(NETWORK | {"init": {"name": "normal", "std": 0.01}}))
    assert "init: {name: normal, sigma_w: 1.0}" in dump(sweep_of(NETWORK | {"init": "normal"}))


def test_synonyms_are_the_entries_and_the_schema_completes_them():
    schema = json_schema()["$defs"]["NetworkAxes"]["properties"]
    for key, synonyms, table in (("activation", ACTIVATION_SYNONYMS, ACTIVATIONS), ("init", INIT_SYNONYMS, INITS)):
        for other, ours in synonyms.items():
            ((spec, *_),) = (expand(sweep_of(NETWORK | {key: name})) for name in [other])
            assert getattr(spec, key).name == ours
        assert f"'enum': {[*table, *synonyms]}" in str(schema[key])


def test_a_name_and_its_synonym_are_one():
    text = message(NETWORK | {"init": ["he_normal", "kaiming_normal"]})
    assert text == "network.init[1]: he_normal comes twice in this axis; remove one"


def test_a_constant_bias():
    (spec,) = expand(sweep_of(NETWORK | {"bias": 0.1}))
    assert (spec.bias, spec.bias_scale) == (0.1, 0.0)


def test_a_list_of_widths_is_a_network_and_a_list_of_lists_several():
    (one,) = expand(sweep_of(BY_WIDTHS | {"widths": [784, 256, 10]}))
    assert [one.fans(k) for k in range(2)] == [(784, 256), (256, 10)]
    assert (one.depth, one.width, one.input_width, one.output_width) == (2, 256, 784, 10)
    two = expand(sweep_of(BY_WIDTHS | {"widths": [[784, 256, 10], [784, 300, 100, 10]]}))
    assert [spec.depth for spec in two] == [2, 3]


def test_a_case_may_give_widths_or_take_their_place():
    specs = expand(sweep_of(NETWORK, cases=[{"widths": [3, 4, 5]}, {"depth": 2}]))
    assert [(spec.widths, spec.depth, spec.width) for spec in specs] == [((3, 4, 5), 2, 4), (None, 2, 500)]
    specs = expand(sweep_of(BY_WIDTHS | {"widths": [3, 4, 5]}, cases=[{"depth": 2, "width": 7}, {"bias": 1}]))
    assert [(spec.widths, spec.depth, spec.width) for spec in specs] == [(None, 2, 7), ((3, 4, 5), 2, 4)]


TOLD = {
    "mse": (
        NETWORK,
        {"cost": "mse"},
        "cost: 'mse' is not a cost; use squared, ½‖y_hat − y‖² summed over the outputs: "
        "mse is that times 2/output_width",
    ),
    "float16": (
        NETWORK,
        {"dtype": "float16"},
        "dtype: 'float16' is not a dtype; use float32 or float64; "
        "the columns zero_from_layer_… say where other formats fail",
    ),
    "prelu": (
        NETWORK | {"activation": "prelu"},
        {},
        "network.activation: 'prelu' is not an activation; "
        "before training it is {name: leaky_relu, negative_slope: 0.25}",
    ),
    "softmax": (
        NETWORK | {"output": "softmax"},
        {},
        "network.output: 'softmax' is not an output; use cost: cross_entropy, which applies it to a linear output",
    ),
    "zeros": (
        NETWORK | {"init": "zeros"},
        {},
        "network.init: 'zeros' is not an initialisation; use {name: constant, value: 0}",
    ),
    "std of another init": (
        NETWORK | {"init": {"name": "he_normal", "std": 0.01}},
        {},
        "network.init.std: unknown key; write {name: normal, std: …}",
    ),
    "std as a key": (NETWORK | {"std": 0.01}, {}, "network.std: unknown key; write {name: normal, std: …}"),
    "stddev": (
        NETWORK | {"init": {"name": "normal", "stddev": 0.01}},
        {},
        "network.init.stddev: unknown key; use std",
    ),
    "gain of an init without": (
        NETWORK | {"init": {"name": "lecun_normal", "gain": 2}},
        {},
        "network.init.gain: unknown key; lecun_normal has no parameters",
    ),
    "two spreads": (
        NETWORK | {"init": {"name": "normal", "std": 0.01, "sigma_w": 2}},
        {},
        "network.init: give sigma_w or std, not both",
    ),
    "a bad combination": (
        NETWORK | {"init": {"name": "uniform", "low": [0, 2], "high": [3, 1]}},
        {},
        "network.init: low must be below high, not 2 and 1",
    ),
    "one end": (
        NETWORK | {"init": {"name": "uniform", "low": 0}},
        {},
        "network.init.low: low and high come together",
    ),
    "widths beside depth": (
        NETWORK | {"widths": [784, 256, 10]},
        {},
        "network.depth: widths has it already; remove depth or widths\n"
        "network.width: widths has it already; remove width or widths",
    ),
    "one width": (
        BY_WIDTHS | {"widths": [784]},
        {},
        "network.widths[0]: [784] is not a list of widths; write [inputs, hidden, …, outputs], such as [784, 256, 10]",
    ),
    "widths that the data do not have": (
        BY_WIDTHS | {"widths": [784, 256, 10]},
        {"data": {"inputs": "digits"}},
        "network.widths[0]: 784 at the inputs, but digits has 64 features; write 64",
    ),
    "outputs that the classes do not have": (
        BY_WIDTHS | {"widths": [64, 256, 9]},
        {"data": {"inputs": "digits", "targets": "labels"}},
        "network.widths[0]: 9 at the outputs, but digits has 10 classes; write 10",
    ),
    "a flag that is none": (
        NETWORK | {"tied": "yes"},
        {},
        "network.tied: 'yes' is not a value of tied; use true or false",
    ),
}


@pytest.mark.parametrize(("network", "keys", "text"), TOLD.values(), ids=TOLD)
def test_what_there_is_not_is_told_what_stands_for_it(network, keys, text):
    assert message(network, **keys) == text


def test_relu6_is_an_activation():
    (spec,) = expand(sweep_of(NETWORK | {"activation": "relu6"}))
    assert spec.activation.name == "relu6"
