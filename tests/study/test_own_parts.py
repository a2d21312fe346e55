"""Activations, initialisations, measures and figures of the user's own: in a question's file, or given by a call.

Guards against parts that a worker process does not know, results of one definition that are taken for those of another,
a name that hides a built-in one, a part that outlives its call, and a file that is run where it must not be.
"""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from command import ROOT, environment, forked, good
from faults import contents

import harness
from harness.base.errors import ConfigError, ResultsError
from harness.engine.measures import BACKWARD, FORWARD, MEASURES, Measure, log10_grad_weights, measures
from harness.engine.own.code import digest
from harness.engine.own.parts import NONE
from harness.engine.sums import BackwardSums, ForwardSums
from harness.figures import FIGURES
from harness.networks.activations import ACTIVATIONS, Activation
from harness.networks.inits import INITS, Init
from harness.study.own.declared import declared, defines_parts
from harness.study.own.given import own_parts
from harness.study.questions import load_question

FILE = '''"""About squareplus."""

import numpy as np

from harness.engine.measures import log10_grad_weights, measures
from harness.engine.sums import BackwardSums, ForwardSums
from harness.figures.kit.page import Grid, new_page
from harness.networks.activations import Activation
from harness.networks.inits import Init

SENTENCE = "Squareplus keeps more of a gradient than ReLU."
HALF = 0.5


def squareplus(b: float = 4.0) -> Activation:
    """A smooth ReLU; Barron 2021."""
    if not b > 0:
        raise ValueError(f"b must be positive, not {b:g}")

    def root(z):
        return np.sqrt(z * z + z.dtype.type(b))

    return Activation("squareplus", lambda z: HALF * (z + root(z)), lambda z: HALF * (1 + z / root(z)), 1.0, "bent")


def halved() -> Init:
    return Init("halved", "normal", lambda fan_in, fan_out: (HALF / fan_in) ** 0.5, "N(0, 1/(2 fan_in))")


@measures("slope", "Standard deviation of phi'(z[k])")
def slope_spread(forward: ForwardSums) -> np.ndarray:
    mean = forward.slope_total / forward.slopes
    return np.sqrt(np.maximum(forward.slope_squares.squares / forward.slopes - mean * mean, 0))


@measures("log10", "The norm of the weight gradient, doubled", scales_as="log10_grad_weights")
def log10_double(backward: BackwardSums) -> np.ndarray:
    return np.log10(2) + log10_grad_weights(backward)


class dots:
    """Dots: the attenuation of every draw."""

    @staticmethod
    def prepare(layers, networks):
        return networks[["depth", "log10_gradient_gain"]].dropna()

    @staticmethod
    def draw(prepared, heading):
        figure, ((axes,),) = new_page(heading, Grid(1, 1), "A dot is a network.")
        axes.plot(prepared["depth"], prepared["log10_gradient_gain"], "o")
        return figure


ACTIVATIONS = (squareplus,)
INITS = (halved,)
MEASURES = (slope_spread, log10_double)
FIGURES = (dots,)
'''
CONFIG = """\
experiment: mine
network: {activation: [relu, {name: squareplus, b: [1, 4]}], init: [he_normal, halved], depth: [2, 5], width: [6, 7]}
data: {batch: 2}
replicates: 2
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with a question that defines parts, and its config, which is the current folder."""
    for name, text in (("experiments/mine.py", FILE), ("configs/mine.yaml", CONFIG)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def redefined(checkout, old: str, new: str) -> None:
    text = (checkout / "experiments/mine.py").read_text()
    assert text.count(old) == 1
    (checkout / "experiments/mine.py").write_text(text.replace(old, new))


def bent() -> Activation:
    return Activation("bent", lambda z: z + np.tanh(z), lambda z: 1 + 1 / np.cosh(z) ** 2, 2.0, "z + tanh z")


def small(**network) -> dict:
    network = {"init": "he_normal", "depth": 2, "width": 4, **network}
    return {"name": "small", "network": network, "data": {"batch": 2}, "replicates": 1, "figures": []}


@pytest.mark.slow
def test_a_file_and_its_workers_compute_with_its_parts(checkout):
    """The bytes are the same with worker processes, which never import the file; figure and measures are there."""
    results = harness.sweep("configs/mine.yaml", workers=2)
    alone = harness.sweep("configs/mine.yaml", workers=1, out="alone")
    assert contents(results.path) == contents(alone.path)
    assert {"squareplus", "squareplus(b=1)"} < set(results.networks["activation"])
    assert (results.path / "figures/dots.png").is_file()
    layers = results.layers
    np.testing.assert_allclose(layers["log10_double"], layers["log10_grad_weights"] + np.log10(2), atol=1e-12)
    relu = layers[layers["activation"] == "relu"]
    share = relu["slope_mean"]
    np.testing.assert_allclose(relu["slope_spread"], np.sqrt(share * (1 - share)), atol=1e-12)


def test_an_own_activation_computes_what_the_built_in_one_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def mine(alpha: float = 1.0) -> Activation:
        built_in = ACTIVATIONS["elu"](alpha)
        return Activation("mine", built_in.value, built_in.slope, built_in.slope_bound, "elu", kinks=built_in.kinks)

    results = harness.sweep(small(activation=["elu", "mine"], depth=4), activations=[mine])
    columns = [name for name in MEASURES if name in results.layers]
    one, other = (results.layers.query("activation == @name")[columns].to_numpy() for name in ("elu", "mine"))
    np.testing.assert_array_equal(one, other)


def test_own_parts_are_there_for_their_call_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = (ACTIVATIONS, INITS, FORWARD, BACKWARD, MEASURES, FIGURES)
    before = [list(table) for table in tables]
    results = harness.sweep(small(activation="bent"), activations=[bent()])
    assert [list(table) for table in tables] == before
    assert results.summary() and results.build(results.networks["network"][0]).spec.activation.name == "bent"
    with pytest.raises(ConfigError, match="'bent' is not an activation"):
        harness.sweep(small(activation="bent"), out="other")
    with pytest.raises(ResultsError, match=r"computed with 'bent' of your own, which is not here; give it: harness\.l"):
        harness.load("results/small")
    assert harness.load("results/small", activations=[bent]).summary()


def test_results_of_another_definition_are_not_taken_for_these(checkout):
    harness.sweep("configs/mine.yaml")
    made = contents(checkout / "results/mine")
    redefined(checkout, '"""A smooth ReLU; Barron 2021."""', '"""Another word."""  # and a comment')
    redefined(checkout, "FIGURES = (dots,)", "FIGURES = (dots,)\n\n\ndef other():\n    return 1")
    assert contents(harness.sweep("configs/mine.yaml").path) == made
    redefined(checkout, "HALF = 0.5", "HALF = 0.25")
    with pytest.raises(ResultsError, match=r"with another definition of squareplus, halved; put it back, compute all"):
        harness.sweep("configs/mine.yaml")
    with pytest.raises(ResultsError, match=r"'squareplus' is now defined otherwise"):
        harness.load("results/mine")
    assert contents(checkout / "results/mine") == made
    harness.sweep("configs/mine.yaml", fresh=True)
    assert contents(checkout / "results/mine") != made


def test_a_sweep_grows_by_a_part(checkout):
    """Another activation in the file and in the config leaves what is there."""
    harness.sweep("configs/mine.yaml", overrides=["network.activation=[relu]"])
    results = harness.sweep("configs/mine.yaml")
    alone = harness.sweep("configs/mine.yaml", out="alone")
    pd.testing.assert_frame_equal(results.layers, alone.layers)
    redefined(checkout, "MEASURES = (slope_spread, log10_double)", "MEASURES = (slope_spread,)")
    with pytest.raises(ResultsError, match="another definition of log10_double"):
        harness.sweep("configs/mine.yaml")


def test_a_file_is_run_in_its_checkout_only(checkout, monkeypatch):
    harness.sweep("configs/mine.yaml", overrides=["network.depth=2"])
    monkeypatch.chdir(checkout.parent)
    for call in (harness.sweep, harness.load):
        folder = "configs/mine.yaml" if call is harness.sweep else "results/mine"
        with pytest.raises(ConfigError, match=r"experiments/mine\.py is code of another checkout, and is not run"):
            call(checkout / folder)


@pytest.mark.slow
def test_commands_that_run_a_file_name_it(checkout):
    good(forked("sweep", "configs/mine.yaml", "--set", "network.depth=2", cwd=checkout))
    done = forked("show", "results/mine", cwd=checkout)
    assert "squareplus(b=1)" in done.stdout
    assert done.stderr.startswith(f"{checkout}/experiments/mine.py: the activations, initialisations, measures and")
    assert "squareplus" in good(forked("list", cwd=checkout))


def test_a_list_reads_a_file_without_running_it(tmp_path):
    (tmp_path / "mine.py").write_text("1 / 0\n" + FILE)
    assert [part[:2] for part in declared(tmp_path / "mine.py")] == [
        ("activations", "squareplus"),
        ("inits", "halved"),
        ("measures", "slope_spread"),
        ("measures", "log10_double"),
        ("figures", "dots"),
    ]
    assert declared(tmp_path / "mine.py")[0].summary == "A smooth ReLU; Barron 2021."
    assert declared(tmp_path / "mine.py")[2].summary == "Standard deviation of phi'(z[k])"


@measures("", "Without an annotation")
def bare(sums):
    return sums.weights


@measures("log10", "Scales as nothing known", scales_as="log10_grad_weight")
def misscaled(backward: BackwardSums):
    return log10_grad_weights(backward)


def relu() -> Activation:
    return ACTIVATIONS["relu"]()


def swish() -> Activation:
    return Activation("swish", np.tanh, np.tanh, 1.0, "")


def required(slope: float) -> Activation:
    return bent()


def failing() -> Init:
    raise OSError("no file")


def other_name() -> Init:
    return Init("another", "normal", lambda fan_in, fan_out: 1.0, "")


def slope_mean(forward: ForwardSums):
    return forward.slopes


@pytest.mark.parametrize(
    ("kind", "entries", "words"),
    [
        ("activations", [relu], "'relu' is built in; give yours another name"),
        ("activations", [swish], "'swish' is built in; give yours another name"),
        ("activations", [bent, bent()], "two have the name 'bent'; rename one"),
        ("activations", bent, "is not a sequence; write (activation, …)"),
        ("activations", [3], "3 is not an Activation or a function that returns one"),
        ("activations", [required], "required: parameter 'slope' needs a default that is a number"),
        ("inits", [bent], "bent() returns Activation(name='bent'"),
        ("inits", [failing], "failing() fails: OSError: no file"),
        ("inits", [other_name], "other_name() has the name 'another'; give function and initialisation one name"),
        ("measures", [slope_mean], "slope_mean is not a measure; put @measures(unit, meaning) above its function"),
        ("measures", [Measure("slope_mean", "", "", slope_mean)], "'slope_mean' is built in; give yours another name"),
        ("measures", [bare], "bare: annotate its argument with ForwardSums or BackwardSums"),
        ("measures", [misscaled], "misscaled: scales_as: did you mean 'log10_grad_weights'?"),
        ("figures", [bent], "bent has no function prepare; see docs/figures.md"),
    ],
)
def test_parts_that_cannot_be_used_are_refused_by_name(kind, entries, words):
    with pytest.raises(ConfigError) as refused:
        own_parts("here", **{kind: entries})
    assert str(refused.value).startswith(f"here: {kind}: ") and words in str(refused.value)


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.py")), ids=lambda path: path.stem)
def test_a_question_that_looks_something_up_in_a_built_in_table_defines_nothing(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert load_question(path.stem, ROOT / "configs").own == NONE and not defines_parts(path)


def test_a_name_of_the_question_and_of_the_call_is_refused(checkout):
    def squareplus() -> Activation:
        return Activation("squareplus", np.tanh, np.tanh, 1.0, "")

    with pytest.raises(ConfigError, match="activations: 'squareplus' is given by the question's file and by the call"):
        harness.sweep("configs/mine.yaml", activations=[squareplus])


@pytest.mark.parametrize(
    ("activation", "words"),
    [
        ("squareplu", "network.activation: 'squareplu' is not an activation; did you mean 'squareplus'?"),
        ({"name": "squareplus", "c": 1}, "network.activation: squareplus: c: unknown parameter; use b"),
        ({"name": "squareplus", "b": -1}, "network.activation.b: b must be positive, not -1"),
    ],
)
def test_a_config_that_misuses_them_is_refused(checkout, activation, words):
    config = small(activation=activation) | {"experiment": "mine"}
    with pytest.raises(ConfigError) as refused:
        harness.sweep(config)
    assert str(refused.value) == words


def made(factor, text="a"):
    """A function of a closure, a default and a global."""

    def inner(z, shift=1.0):
        return bent().value(z * factor) + shift

    inner.__doc__ = text
    return inner


def test_the_digest_is_of_what_is_computed():
    assert digest(made(2.0)) == digest(made(2.0, "other words"))
    assert len({digest(made(2.0)), digest(made(3.0)), digest(np.tanh), digest(np.sinh), digest(bent)}) == 5
    assert digest(Activation("a", np.tanh, np.tanh, 1.0, "")) != digest(Activation("a", np.tanh, np.sinh, 1.0, ""))


@pytest.mark.slow
def test_the_digest_is_the_same_in_another_process(checkout):
    code = "import json; from pathlib import Path; from harness.study.questions import load_question"
    code += "; print(json.dumps(load_question('mine', Path('configs')).own.code()))"
    said = subprocess.check_output([sys.executable, "-c", code], env=environment(PYTHONHASHSEED="1"), text=True)
    here = load_question("mine", checkout / "configs").own.code()
    assert json.loads(said) == here and len(here) == 4
