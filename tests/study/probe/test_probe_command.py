"""The command `harness probe`: what it prints, and what it cannot use is named with what to do."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.base.errors import ConfigError
from harness.execution.probe.hooks.calls import HANDLERS
from harness.interface.commands import app

pytestmark = pytest.mark.torch

MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(8, 3))

def no_model():
    return 3

def argued(depth):
    return nn.Linear(8, depth)

def ending():
    raise SystemExit(3)

class Failing(nn.Linear):
    def __init__(self):
        super().__init__(8, 3)

    def forward(self, x):
        raise ValueError("planted")

number = 3
"""


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(MODEL)
    rng = np.random.default_rng(0)
    np.savez("data.npz", inputs=rng.normal(size=(24, 8)), targets=rng.integers(0, 3, size=24))
    run = CliRunner().invoke
    done = run(app, ["probe", "train.py:build", "--input", "data.npz", "--out", "mine", "--fail-on", "vanishing"])
    assert done.exit_code == 3, done.output
    assert done.output.startswith("running the code of train.py:build\n")
    assert "vanishing by slopes" in done.output and "change: replace sigmoids" in done.output
    assert run(app, ["probe", "train.py:build", "--input", "data.npz", "--fail-on", "exploding"]).exit_code == 0
    assert "vanishing by slopes" in run(app, ["show", "mine"]).output
    assert (tmp_path / "mine/figures/gradient_through_model.png") in [
        tmp_path / line for line in run(app, ["plot", "mine"]).output.splitlines()
    ]
    assert run(app, ["diff", "mine", "mine"]).output == "identical\n"


ARGUMENTS = {
    "train.py: give a Python file and a name in it, such as train.py:build_model": ["train.py"],
    "train.py:biuld: there is no 'biuld' in the file; did you mean 'build'?": ["train.py:biuld"],
    "train.py:no_model: gives int; give an nn.Module or a function that returns one": ["train.py:no_model"],
    "train.py:number: gives int; give an nn.Module or a function that returns one": ["train.py:number"],
    "train.py:argued: TypeError: argued() missing 1 required positional argument: 'depth'": ["train.py:argued"],
    'train.py:ending: the code calls sys.exit(3); put what is not to run here below if __name__ == "__main__":': [
        "train.py:ending"
    ],
    "train.py:Failing: on this batch, ValueError (train.py:24): planted": ["train.py:Failing"],
    "other.py: there is no such file": ["other.py:build"],
    "loss: unknown 'cross_entropi'; did you mean 'cross_entropy'?": ["train.py:build", "--loss", "cross_entropi"],
    "format: unknown 'float61'; did you mean 'float16'?": ["train.py:build", "--format", "float61"],
}


@pytest.mark.parametrize(("message", "arguments"), ARGUMENTS.items(), ids=ARGUMENTS)
def test_what_the_command_cannot_use_is_named(tmp_path, monkeypatch, message, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(MODEL)
    np.savez("data.npz", inputs=np.ones((8, 8)), targets=np.zeros(8, dtype=int))
    done = CliRunner().invoke(app, ["probe", *arguments, "--input", "data.npz"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == message


ARRAYS = {
    "data.npz: there is no such file": lambda: None,
    "data.npz: is no .npz file; write it with numpy.savez(path, inputs=…, targets=…)": lambda: Path(
        "data.npz"
    ).write_text("1 2 3"),
    "data.npz: the model has no argument 'target'; did you mean 'targets'?": lambda: np.savez(
        "data.npz", input=np.ones((8, 8)), target=np.zeros(8, dtype=int)
    ),
    "data.npz: no inputs; store an array `inputs`, or the model's arguments by name": lambda: np.savez(
        "data.npz", targets=np.zeros(8, dtype=int)
    ),
    "train.py:build: on this batch, RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x9 and 8x8)": lambda: (
        np.savez("data.npz", inputs=np.ones((8, 9)), targets=np.zeros(8, dtype=int))
    ),
    "train.py:build: on this batch, IndexError: Target 7 is out of bounds.": lambda: np.savez(
        "data.npz", inputs=np.ones((8, 8)), targets=np.full(8, 7)
    ),
}


@pytest.mark.parametrize(("message", "write"), ARRAYS.items(), ids=ARRAYS)
def test_data_that_do_not_fit_are_named(tmp_path, monkeypatch, message, write):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(MODEL)
    write()
    done = CliRunner().invoke(app, ["probe", "train.py:build", "--input", "data.npz"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == message


def test_an_error_of_the_recorder_is_not_taken_for_one_of_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(MODEL)
    np.savez("data.npz", inputs=np.ones((8, 8)), targets=np.zeros(8, dtype=int))

    def broken(tape, call):
        raise ValueError("planted")

    monkeypatch.setitem(HANDLERS, "linear", broken)
    # its frame is this file's, as an error of the recorder has one in the package
    monkeypatch.setattr("harness.interface.probe.users_code.PACKAGE", __file__)
    done = CliRunner().invoke(app, ["probe", "train.py:build", "--input", "data.npz"])
    assert type(done.exception) is ValueError
