"""`harness.probe` leaves a model as it was, its folder reads back, and the command names what it cannot use."""

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_models import Residual, Towers, classes, he, mlp

import harness
from harness.base.errors import ConfigError, ResultsError

pytestmark = pytest.mark.torch


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
    "the model is on the device meta, where there are no numbers; give one with weights": lambda m: m.to("meta"),
}


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize(("message", "change"), REFUSED.items(), ids=["TorchScript", "DataParallel", "int", "meta"])
def test_what_cannot_be_seen_is_refused(message, change):
    x, y = classes()
    with pytest.raises(ConfigError) as refused:
        harness.probe(change(mlp(2)), x, y, F.cross_entropy)
    assert str(refused.value) == message


NUMBERS = "give a function that returns one number, such as F.cross_entropy"
NO_LOSS = {
    f"the loss is a tensor of shape (48,); {NUMBERS}": lambda o, y: F.cross_entropy(o, y, reduction="none"),
    f"the loss is NoneType; {NUMBERS}": lambda o, y: None,
    "the loss is float, which has no gradient; return the tensor, without float() or .item()": lambda o, y: 0.7,
}


@pytest.mark.parametrize(("message", "loss"), NO_LOSS.items(), ids=["several numbers", "none", "float"])
def test_a_loss_that_is_no_number_with_a_gradient_is_refused(message, loss):
    with pytest.raises(ConfigError) as refused:
        harness.probe(mlp(2), *classes(), loss)
    assert str(refused.value) == message


def test_a_batch_without_samples_or_tensors_is_refused():
    x, y = classes()
    with pytest.raises(ConfigError, match=r"^the inputs have shape \(0, 48\), which holds no sample$"):
        harness.probe(mlp(2), x[:0], y[:0], F.cross_entropy)
    with pytest.raises(ConfigError, match=r"numpy arrays; give tensors, such as torch.from_numpy\(inputs\)$"):
        harness.probe(mlp(2), x.numpy(), y, F.cross_entropy)


def test_a_loss_that_cannot_take_what_the_model_returns_is_told_of_it():
    class Several(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    x, y = classes()
    with pytest.raises(ConfigError, match=r"^the model returns tuple; give a loss of your own"):
        harness.probe(Several(48, 10), x, y, F.cross_entropy)
    report = harness.probe(Several(48, 10), x, y, lambda output, y: F.cross_entropy(output[0], y))
    assert str(report) == "no finding: the gradient does not pass two weight operations"


def test_what_a_transform_computes_is_opaque():
    """Tensors inside vmap and grad have no numbers; the rest of the model is recorded."""

    class Mapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(48, 12), nn.Sequential(nn.Linear(12, 8), nn.Tanh())

        def forward(self, x):
            energy = torch.func.grad(lambda z: self.b(z).square().sum())
            return torch.func.vmap(energy)(F.relu(self.a(x)))[:, :10]

    torch.manual_seed(6)
    model, (x, y) = Mapped(), classes()
    report = harness.probe(model, x, y, F.cross_entropy)
    assert [*report.layers["op"]][:2] == ["linear", "relu"] and "b.0" not in [*report.layers["path"]]
    assert "opaque" in {finding.kind for finding in report.findings}
    F.cross_entropy(model(x), y).backward()
    expected = float(model.a.weight.grad.norm().log10())
    assert report.layers["log10_grad_weights"][0] == pytest.approx(expected, abs=1e-6)
