"""One function runs, draws and judges; printing needs nothing but what it returns."""

import ast
import shutil

import pytest
from command import ROOT

from harness.execution.dispatch import Resources
from harness.interface.terminal import print_conclusion
from harness.study.sweep import prepare, run

TINY = {
    "name": "tiny",
    "network": {"activation": ["relu", "tanh"], "init": "he_normal", "depth": [1, 3], "width": 8},
    "replicates": 2,
    "figures": ["gradient_profile", "single_neuron"],
}


@pytest.fixture
def conclusion(tmp_path):
    return run(prepare(TINY, out=tmp_path / "r"), Resources(1))


def test_a_conclusion_has_all_that_is_said_of_a_sweep(conclusion):
    assert [path.name for path in conclusion.figures] == ["gradient_profile.png", "gradient_profile.svg"]
    assert [line.partition(":")[0] for line in conclusion.not_drawn] == ["figure single_neuron is not drawn"]
    assert conclusion.tables[0].title == "Slope of the gradient towards the input"
    assert (conclusion.name, list(conclusion.verdicts)) == ("tiny", [])


def test_printing_reads_draws_and_computes_nothing(conclusion, capsys):
    """The folder is removed, and with it everything that the results had read."""
    shutil.rmtree(conclusion.results.path)
    vars(conclusion.results).clear()
    object.__setattr__(conclusion.results, "path", ROOT / "nowhere")
    print_conclusion(conclusion)
    said = capsys.readouterr().out
    assert "Slope of the gradient towards the input" in said and "gradient_profile.png" in said


def test_a_quiet_sweep_prints_the_settings_alone(conclusion, capsys):
    print_conclusion(conclusion, quiet=True)
    said = capsys.readouterr().out
    assert "What is left of the gradient" in said and "output → input" in said
    assert "Slope of the gradient" not in said and "tables:" not in said


def test_blocks_are_computed_from_one_place():
    """`harness sweep`, `harness verify` and `harness.sweep` all go through study/sweep.py."""
    callers = {
        path.relative_to(ROOT / "harness").as_posix()
        for path in (ROOT / "harness").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("driver.executed", "driver.execute")
    }
    assert callers == {"study/sweep.py"}
