"""`harness new`: what it writes is ready to sweep, and nothing is overwritten."""

import pytest

import harness
from harness.base.errors import ConfigError, DomainError
from harness.interface.checkout.scaffold import write


def test_a_new_question_runs_and_its_claim_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, question = write("mine", tmp_path)
    assert config.read_text().count("#") >= 8 and question.name == "mine.py"
    results = harness.sweep(config)
    assert [verdict.grade for verdict in results.verdicts()] == ["holds"]
    assert [path.name for path in sorted((results.path / "figures").iterdir())] == [
        "attenuation_against_depth.png",
        "attenuation_against_depth.svg",
    ]


def test_nothing_is_overwritten_and_a_name_must_be_one(tmp_path):
    write("mine", tmp_path)
    with pytest.raises(ConfigError) as caught:
        write("mine", tmp_path)
    assert str(caught.value) == f"{tmp_path / 'configs' / 'mine.yaml'}: exists; choose another name, or move it away"
    with pytest.raises(ConfigError) as caught:
        write("../up", tmp_path)
    assert str(caught.value) == "'../up' is no name of a question; use letters, digits and _, a letter first"


def test_what_is_asked_from_python_is_shown_in_a_notebook():
    sixteen = {"name": "normal", "sigma_w": 16}
    predicted = harness.predict("linear", sixteen, depth=40, width=256)
    rows = dict(predicted.rows)
    assert rows["float32 outputs are infinite"] == "from about layer 32"
    assert "<td>float32 outputs are infinite</td><td>from about layer 32</td>" in predicted._repr_html_()
    with pytest.raises(ConfigError, match="these are 2 networks"):
        harness.predict("tanh", "he_normal", depth=[2, 3])


def test_theory_takes_names():
    tanh = harness.activations.tanh()
    assert harness.theory.chi_1("tanh", 1.3, 0.5) == harness.theory.chi_1(tanh, 1.3, 0.5)
    half = harness.activations.elu(alpha=0.5)
    assert harness.theory.length_map("elu(alpha=0.5)", 1.0, 1.0, 0.0) == harness.theory.length_map(half, 1.0, 1.0, 0.0)
    with pytest.raises(DomainError) as caught:
        harness.theory.mean_field("tann", 1.0, 0.0)
    assert str(caught.value) == "there is no activation 'tann'; did you mean 'tanh'?"
