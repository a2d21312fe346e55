"""`harness.probe` leaves a model as it was, its folder reads back, and the command names what it cannot use."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_models import Residual, Towers, classes, he, mlp
from typer.testing import CliRunner

import harness
from harness.base.errors import ConfigError, ResultsError
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

number = 3
"""


def test_a_model_is_left_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(16, 10)
    )
    x, y = classes()
    F.cross_entropy(model(x), y).backward()
    before = [value.clone() for value in model.state_dict().values()]
    gradients = [p.grad.clone() for p in model.parameters()]
    state = torch.get_rng_state()
    harness.probe(model, x, y, F.cross_entropy)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), before, strict=True))
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_ledger_of_a_tower_is_exact():
    """From the top down into the tower that loses most: its own factors, and its share of what reaches all of them."""
    torch.manual_seed(2)
    x, y = classes()
    model, seen = Towers(mlp(4, init=he), mlp(8, nn.Sigmoid)).double(), {}
    for name in ("towers.1.0", "towers.1.14", "top"):
        model.get_submodule(name).register_forward_hook(
            lambda m, a, z, name=name: seen.update({name: z}) or z.retain_grad()
        )
    report = harness.probe(model, x.double(), y, F.cross_entropy, batches=1)
    F.cross_entropy(model(x.double()), y).backward()
    bottom, end, top = (float(seen[name].grad.norm().log10()) for name in ("towers.1.0", "towers.1.14", "top"))
    network = report.networks.iloc[0]
    assert (network["first"], network["last"]) == ("towers.1.0 (linear)", "top (linear)")
    assert network["log10_gradient_gain"] == pytest.approx(bottom - top, abs=1e-12)
    parts = network[["part_activation", "part_weight"]].sum()
    last = report.layers.query("path == 'top'").iloc[0]
    assert parts == pytest.approx(bottom - end + last["log10_factor"], abs=1e-12)
    assert network["part_rest"] == pytest.approx(end - last["log10_grad_argument"], abs=1e-12)


def test_the_ledger_of_a_chain_is_exact():
    torch.manual_seed(1)
    x, y = classes()
    report = harness.probe(mlp(12, nn.Tanh).double(), x.double(), y, F.cross_entropy, batches=1)
    network = report.networks.iloc[0]
    assert network["is_chain"] and abs(network["part_rest"]) < 1e-12
    deltas = report.layers.set_index("layer").query("kind == 'weight'")["log10_grad_preactivations"]
    assert network["log10_gradient_gain"] == deltas[1] - deltas[12]
    assert report.layers["on_trunk"].all()


def test_a_residual_block_multiplies_by_skip_and_branch():
    torch.manual_seed(2)
    x, y = classes()
    report = harness.probe(Residual(6).double(), x.double(), y, F.cross_entropy, batches=1)
    trunk = report.layers[report.layers["on_trunk"] & report.layers["log10_grad_result"].notna()]
    sums = trunk[trunk["branch"].notna()]
    assert len(sums) == 6 and set(sums["op"]) == {"add"}
    for at, row in sums.iterrows():
        below = trunk.loc[:at].iloc[-2]  # the tensor at which the skip starts
        factor = 10 ** (below["log10_grad_result"] - row["log10_grad_result"])
        assert factor**2 == pytest.approx(1 + row["branch"] ** 2 + 2 * row["branch"] * row["branch_cosine"], rel=1e-12)


def test_sigma_w_of_a_convolution_counts_its_kernel():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 2))
    report = harness.probe(model, torch.randn(4, 4, 8, 8), torch.tensor([0, 1, 0, 1]), F.cross_entropy)
    first = report.layers.iloc[0]
    assert first["fan_in"] == 4 * 9
    assert first["sigma_w"] == pytest.approx(
        float((36 * model[0].weight.detach().double().square().mean()).sqrt()), rel=1e-6
    )


def test_a_folder_reads_back(tmp_path):
    torch.manual_seed(4)
    x, y = classes()
    report = harness.probe(mlp(4, init=he), x, y, F.cross_entropy, out=tmp_path / "mine")
    again = harness.probe_results(tmp_path / "mine")
    assert again.findings == report.findings
    for name in ("log10_factor", "slope_mean", "sigma_w", "order", "path", "on_trunk"):
        assert [*again.layers[name].dropna()] == [*report.layers[name].dropna()]
    assert list(pd.read_parquet(tmp_path / "mine" / "layers")["op"]) == list(report.layers["op"])
    assert report.figures["gradient_through_model"].axes
    assert "<table>" in report._repr_html_() and "healthy" in report._repr_html_()
    with pytest.raises(ResultsError, match="results of a probe; read them"):
        harness.load(tmp_path / "mine")


REFUSED = {
    "the model is TorchScript, whose calls cannot be seen; give the nn.Module that was scripted": lambda m: (
        torch.jit.trace(m, torch.zeros(2, 48))
    ),
    "the model is DataParallel, which runs copies of it in threads; give model.module": nn.DataParallel,
    "the model is int; give a torch.nn.Module": lambda m: 3,
}


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize(("message", "change"), REFUSED.items(), ids=["TorchScript", "DataParallel", "int"])
def test_what_cannot_be_seen_is_refused(message, change):
    x, y = classes()
    with pytest.raises(ConfigError) as refused:
        harness.probe(change(mlp(2)), x, y, F.cross_entropy)
    assert str(refused.value) == message


def test_a_loss_of_several_numbers_is_refused():
    x, y = classes()
    with pytest.raises(ConfigError) as refused:
        harness.probe(mlp(2), x, y, lambda o, y: F.cross_entropy(o, y, reduction="none"))
    assert str(refused.value) == (
        "the loss is a tensor of shape (48,); give a function that returns one number, such as F.cross_entropy"
    )


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
