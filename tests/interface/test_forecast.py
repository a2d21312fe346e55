"""`harness predict`, the whole program: its answers for known networks and its messages for nonsense.

Guards against options read otherwise than a config's, a prediction of another network, and a trace instead of an error.
"""

import re

import numpy as np
import pytest
from command import forked, good
from nets import choice, spec

from harness.base.errors import ConfigError
from harness.interface.forecast import forecast, spec_of
from harness.theory import gaussian_relu

HE = ("--activation", "relu", "--init", "he_normal", "--width", 128, "--depth", 100)


def cells(one):
    """The table as a mapping, with true minus signs made plain."""
    return {what: said.replace("−", "-") for what, said in forecast(one).rows}


def first_number(text):
    return float(re.search(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?", text).group().replace(",", ""))


def test_the_example_of_the_readme(tmp_path):
    said = good(forked("predict", *HE, cwd=tmp_path))
    assert "relu, he_normal, width 128, depth 100: predicted, not run" in said
    law = gaussian_relu(128, 2**0.5)
    for what, value in (
        ("gradient, decades a layer towards the input", law.slope_per_layer),
        ("spread of that over draws", (law.variance / 99) ** 0.5 / 2 / np.log(10)),
        ("probability of being dead at birth", 100 * 2.0**-128),  # 99 hidden layers and the output
        ("deepest within 3 decades", np.floor(-3 / law.slope_per_layer) + 1),
        ("float32 reads 0", np.ceil(150 * np.log10(2) / -law.slope_per_layer) + 1),
    ):
        line = next(line for line in said.splitlines() if line.strip().startswith(what))
        assert first_number(line.replace("−", "-").split(what)[1]) == pytest.approx(value, rel=2e-3)
    assert re.search(r"would be critical +1 \(σ_w = 1\.41421\) at infinite width, 1\.0099", said)
    assert not list(tmp_path.iterdir())  # nothing is written


def test_every_option_as_in_a_config(tmp_path):
    said = good(
        forked(
            "predict",
            "--activation",
            "{name: leaky_relu, negative_slope: 0.1}",
            "--init",
            "{name: normal, sigma_w: 1.5}",
            "--width",
            "1e2",
            "--depth",
            20,
            "--weight-scale",
            0.9,
            "--bias-scale",
            0.1,
            "--input-width",
            7,
            "--output-width",
            3,
            "--output",
            "linear",
            cwd=tmp_path,
        )
    )
    assert "leaky_relu(negative_slope=0.1), normal(sigma_w=1.5), width 100, depth 20" in said
    assert "σ_w = 1.35, σ_b = 0.1." in said


@pytest.mark.parametrize(
    "options, text",
    [
        (("--activation", "rleu", *HE[2:]), "network.activation: 'rleu' is not an activation; did you mean 'relu'?"),
        ((*HE, "--weight-scale", ".nan"), "network.weight_scale: .nan is not a weight scale"),
        ((*HE[:4], "--width", 0, "--depth", -1), "network.width: 0 is not a width; use 1 or more"),
        (
            (*HE[:6], "--depth", "[1, 2]"),
            "these are 2 networks; predict answers for one: give one value for each option",
        ),
        ((*HE[:6], "--depth", "{from: 1"), "--depth: "),
        ((*HE[:6], "--depth", ""), "--depth: no value; give one, or leave the option out"),
        (HE[:6], "Missing option '--depth'"),
    ],
)
def test_nonsense_ends_with_2_and_says_what_to_do(options, text, tmp_path):
    done = forked("predict", *options, cwd=tmp_path)
    assert done.returncode == 2 and text in done.stderr and "Traceback" not in done.stderr


def test_the_text_of_options_is_read_as_yaml():
    written = {"activation": "tanh", "init": "pytorch_default", "width": "64", "depth": "1e1", "bias_scale": None}
    assert spec_of(written) == spec("tanh", "pytorch_default", 1.0, None, 10, 64)
    with pytest.raises(ConfigError):
        spec_of({**written, "width": "wide"})


def test_what_it_says_of_sigmoid_and_tanh():
    said = cells(spec("sigmoid", choice("normal", sigma_w=1.0), depth=100, width=100))
    assert first_number(said["at infinite width"].split(",")[1]) == pytest.approx(-0.62699, abs=6e-6)
    assert said["deepest within 3 decades"] == "depth 5"
    assert said["weight scale that would be critical"].startswith("10.1493 (σ_w = 10.1493)")
    assert said["probability of being dead at birth"] == "0: no unit is silent"
    tanh = cells(spec("tanh", choice("normal", sigma_w=1.3), bias_scale=0.3, depth=50, width=100))
    assert tanh["fixed points of lengths, of angles"] == "q* = 0.607047; c* = 1"
    assert tanh["depth scales of lengths ξ_q, of angles ξ_c"] == "1.338 layers; 16.11 layers"


def test_where_there_is_no_answer_it_says_why():
    said = cells(spec("softplus", "he_normal", 1.0, 0.0, 300, 20))
    assert "no answer: theory's expansion in 1/width does not hold here" == said["spread of that over draws"]
    assert "lengths grow without bound" in said["fixed point of lengths"]
    assert said["weight scale that would be critical"].startswith("none: softplus at σ_b = 0: no σ_w has χ₁ = 1")
    alone = cells(spec("relu", depth=1, width=5))
    assert alone["gradient, decades a layer towards the input"] == "none: a single layer"


def test_one_dimensional_inputs():
    said = cells(spec("relu", depth=11, width=4, input_width=1, output="linear"))["probability of being dead at birth"]
    assert said.startswith("0.4755 for one input; 0.336") and said.endswith("for inputs of both signs (hidden layers)")


@pytest.mark.parametrize(
    "changes, said",
    [
        ({}, "; 0.3367 ± 0.0002 for inputs of both signs (hidden layers)"),
        (
            {"width": 40, "depth": 3},
            "1.819e-12 for one input; at most 1.8e-12 for inputs of both signs (hidden layers)",
        ),
        ({"depth": 3}, "; 0.01123 for inputs"),
        ({"init": "he_uniform"}, "; at most 0.48, without a formula for weights that are not Gaussian, for inputs"),
        ({"init": "orthogonal"}, "; at most 0.48, without a formula for weights that are not Gaussian, for inputs"),
    ],
)
def test_death_for_both_signs_has_as_many_digits_as_are_known(changes, said):
    one = spec(**{"depth": 11, "width": 4, "input_width": 1, "output": "linear"} | changes)
    assert said in cells(one)["probability of being dead at birth"]


def test_edges_at_this_width():
    what = "where a typical gradient is critical at this width"
    said = cells(spec("sigmoid", "lecun_normal", depth=20, width=32))
    assert said[what] == "σ_w = 14.14 and 57.32; it grows between them, and vanishes again above"
    said = cells(spec("sigmoid", "lecun_normal", depth=20, width=12))
    assert said[what] == "none: the typical gradient vanishes at every σ_w"
    assert what not in cells(spec("gelu", "lecun_normal", depth=20, width=12))


def test_an_edge_that_needs_biases():
    said = cells(spec("gelu", "he_normal", depth=20, width=64))
    assert said["weight scale that would be critical"].endswith("; there is an edge only for σ_b > 0.4158")


def test_the_shift_of_relu_and_the_init_without_it():
    said = cells(spec("relu", "he_normal", depth=129, width=16))
    assert said["attenuation from the last layer to the first"] == "-4.90 ± 1.6 decades"
    assert said["the attenuation with the init he_finite_width"] == "+0.00 ± 1.6 decades"
    assert "the attenuation with the init he_finite_width" not in cells(spec("relu", "he_finite_width", depth=129))
    assert "the attenuation with the init he_finite_width" not in cells(spec("tanh", "he_normal", depth=9, width=50))


@pytest.mark.parametrize(
    "sigma_w, scale, said", [(1e-320, 1.0, "10^320.15 (σ_w = 1.41421)"), (1e-200, 1e-200, "none:")]
)
def test_weights_that_float64_hardly_holds(sigma_w, scale, said):
    for name in ("relu", "tanh", "gelu"):
        rows = cells(spec(name, choice("normal", sigma_w=sigma_w), scale, depth=5, width=10))
        if name == "relu":
            assert rows["weight scale that would be critical"].startswith(said)


def test_certain_death(tmp_path):
    said = good(forked("predict", *HE[:4], "--width", 2, "--depth", 1000, cwd=tmp_path))  # where a warning is an error
    assert re.search(r"being dead at birth +1 for one input", said) and "medians over draws that are not dead." in said


@pytest.mark.parametrize("scale", [1e-300, 1e300])
@pytest.mark.parametrize("name", ["relu", "tanh", "softplus", "hard_tanh"])
def test_absurd_scales_have_a_forecast(name, scale):
    assert cells(spec(name, weight_scale=scale, depth=9, width=30))
