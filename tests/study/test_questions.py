"""Questions' files: the sentence is data that is read without running the file, and needs no docstring."""

import json

import pytest
from command import good, run

import harness
from harness.base.errors import ConfigError
from harness.study.claims import Case, Claim, judge
from harness.study.questions import sentence_of

QUESTION = '''"""About a question."""

from harness.study.claims import Case, Claim, every, mean

SENTENCE = "A gradient " "vanishes."
FIGURES = ()


def slopes(results):
    """Their slopes."""
    yield Case("all", results.networks["slope_per_layer"], at_most=1)


CLAIMS = (
    Claim("mean", "It does on average.", "mean slope", mean, slopes),
    Claim("every", "It always does.", "slope", every, slopes),
)
'''
CONFIG = """\
name: asked
experiment: asked
network: {activation: tanh, init: he_normal, depth: 4, width: 8}
data: {batch: 2}
replicates: 4
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with one question and its config, which is the current folder."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/asked.py").write_text(QUESTION)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/asked.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (QUESTION, "A gradient vanishes."),
        ('1 / 0\nSENTENCE = (\n    "One "\n    "sentence."\n)\n', "One sentence."),
        ('"""A docstring."""\nFIGURES = ()\n', "has no SENTENCE"),
        ('SENTENCE = input("which?")\n', "cannot be read"),
        ("SENTENCE = (\n", "cannot be read"),
    ],
)
def test_a_sentence_is_read_without_running_the_file(tmp_path, text, sentence):
    (tmp_path / "asked.py").write_text(text)
    assert sentence_of(tmp_path / "asked.py") == sentence


def test_a_file_that_cannot_be_opened_has_no_sentence(tmp_path):
    assert sentence_of(tmp_path / "asked.py") == "cannot be read"


def test_python_without_docstrings_writes_the_same_claims(checkout):
    """-OO strips docstrings: neither a question's sentence nor the name of an interval may come from one."""
    harness.sweep("configs/asked.yaml", out="with")
    said = good(run("sweep", "configs/asked.yaml", "--out", "without", cwd=checkout, PYTHONOPTIMIZE="2"))
    assert said.splitlines()[0].endswith("experiments/asked.py: A gradient vanishes.")
    names = {
        claim["name"]: claim["interval"] for claim in json.loads((checkout / "with/claims.json").read_text())["claims"]
    }
    assert names == {"mean": "mean, t interval", "every": "every value"}
    assert (checkout / "with/claims.json").read_bytes() == (checkout / "without/claims.json").read_bytes()


@pytest.mark.parametrize("missing", ["SENTENCE", "FIGURES"])
def test_a_file_without_its_sentence_or_figures_is_refused(checkout, missing):
    (checkout / "experiments/asked.py").write_text(QUESTION.replace(missing, "OTHER"))
    needs = r'experiments/asked\.py: a question\'s file needs a sentence, SENTENCE = "…", and figures, FIGURES = \(…,\)'
    with pytest.raises(ConfigError, match=needs):
        harness.sweep("configs/asked.yaml")


def test_an_interval_of_the_questions_own_is_said_to_be_one():
    claim = Claim("own", "It is small.", "value", lambda case, rate: (0.0, 0.0, 0.0), lambda _: [Case("all", [0.0])])
    assert judge(claim, None).interval == "value, an interval of the question's own"
