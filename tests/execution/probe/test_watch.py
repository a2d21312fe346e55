"""Under `harness.watch` a user's loop trains as without it, bit for bit; an error of the recorder does not end it."""

import copy
import gc
import pickle
import weakref
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint
from torch_models import classes, he, mlp

import harness
from harness.execution.probe.hooks import calls

pytestmark = pytest.mark.torch


def small():
    return mlp(4, init=he, width=16)


def with_dropout():
    layers = [nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(16, 10)]
    return nn.Sequential(*layers)


def frozen_bottom():
    model = small()
    model[0].requires_grad_(False)
    return model


def parametrised():
    model = small()
    parametrizations.weight_norm(model[0])
    parametrizations.spectral_norm(model[2])
    return model


def shared():
    model = small()
    model.insert(4, model[2])
    return model


def compiled_in_place():
    model = small()
    model.compile(backend="aot_eager")
    return model


@pytest.fixture(scope="module")
def one_process():
    """A process group of this process alone."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.a, self.b, self.reentrant = nn.Sequential(nn.Linear(48, 16), nn.Tanh()), nn.Linear(16, 10), reentrant

    def forward(self, x):
        x = x if x.requires_grad else x.requires_grad_()
        return self.b(checkpoint(self.a, x, use_reentrant=self.reentrant))


class Words(nn.Module):
    """Embedding with sparse gradients."""

    def __init__(self):
        super().__init__()
        self.table, self.top = nn.Embedding(20, 8, sparse=True), nn.Linear(8, 10)

    def forward(self, x):
        return self.top(self.table((x[:, :4] * 3).long().abs() % 20).mean(1))


class Mapped(nn.Module):
    """A part of it runs under a transform of torch.func, whose tensors have no numbers."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(48, 16), nn.Sequential(nn.Linear(16, 10), nn.Tanh())

    def forward(self, x):
        return torch.func.vmap(self.b)(F.relu(self.a(x)))


def steps(count=4):
    return range(count)


def plain(model, x, y, optimiser, losses):
    for _ in steps():
        update(optimiser, F.cross_entropy(model(x), y), losses)


def update(optimiser, loss, losses):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    losses.append(float(loss.detach()))


def accumulation(model, x, y, optimiser, losses):
    for _ in steps():
        optimiser.zero_grad()
        for part in (slice(0, 24), slice(24, 48)):
            loss = F.cross_entropy(model(x[part]), y[part]) / 2
            loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))


def without_sync(model, x, y, optimiser, losses):
    for _ in steps():
        optimiser.zero_grad()
        with model.no_sync():
            F.cross_entropy(model(x[:24]), y[:24]).backward()
        loss = F.cross_entropy(model(x[24:]), y[24:])
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))


def evaluation_between(model, x, y, optimiser, losses):
    for _ in steps():
        update(optimiser, F.cross_entropy(model(x), y), losses)
        model.eval()
        with torch.no_grad():
            losses.append(float(model(x).sum()))
        with torch.inference_mode():
            model(x)
        model.train()


def scaled(model, x, y, optimiser, losses):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    for _ in steps():
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = F.cross_entropy(model(x).float(), y)
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        losses.append(float(loss.detach()))


def lbfgs(model, x, y, optimiser, losses):
    optimiser = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=3)

    def closure():
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        losses.append(float(loss.detach()))
        return loss

    for _ in steps(2):
        optimiser.step(closure)


def double_backward(model, x, y, optimiser, losses):
    for _ in steps():
        leaf = x.clone().requires_grad_()
        loss = F.cross_entropy(model(leaf), y)
        (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
        update(optimiser, loss + gradient.square().sum(), losses)


def two_forwards(model, x, y, optimiser, losses):
    for _ in steps():
        update(optimiser, F.cross_entropy(model(x), y) + F.cross_entropy(model(x + 0.1), y), losses)


def two_backwards(model, x, y, optimiser, losses):
    for _ in steps():
        optimiser.zero_grad()
        output = model(x)
        F.cross_entropy(output, y).backward(retain_graph=True)
        loss = output.square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))


def raising(model, x, y, optimiser, losses):
    for _ in steps():
        with pytest.raises(RuntimeError):
            model(x[:, :3])
        update(optimiser, F.cross_entropy(model(x), y), losses)


def by_forward(model, x, y, optimiser, losses):
    for _ in steps():
        update(optimiser, F.cross_entropy(model.forward(x), y), losses)


def groups(model, x, y, optimiser, losses):
    bottom, *others = model.parameters()
    optimiser = torch.optim.AdamW([{"params": [bottom], "lr": 1e-2}, {"params": others, "lr": 1e-3}])
    plain(model, x, y, optimiser, losses)


def copied(model, x, y, optimiser, losses):
    plain(model, x, y, optimiser, losses)
    copy.deepcopy(model)(x)
    losses += [float(value.sum()) for value in pickle.loads(pickle.dumps(model)).state_dict().values()]


LOOPS = {
    "plain": (small, plain),
    "dropout and batch norm": (with_dropout, plain),
    "gradient accumulation": (small, accumulation),
    "evaluation in between": (small, evaluation_between),
    "AMP with GradScaler": (small, scaled),
    "LBFGS": (small, lbfgs),
    "double backward": (small, double_backward),
    "checkpoint": (lambda: Checkpointed(False), plain),
    "reentrant checkpoint": (lambda: Checkpointed(True), plain),
    "torch.compile": (lambda: torch.compile(small(), backend="aot_eager"), plain),
    "model.compile()": (compiled_in_place, plain),
    "parameter groups": (small, groups),
    "frozen bottom": (frozen_bottom, plain),
    "two forwards, one backward": (small, two_forwards),
    "one forward, two backwards": (small, two_backwards),
    "a forward that raises": (small, raising),
    "model.forward(x)": (small, by_forward),
    "shared module": (shared, plain),
    "parametrisations": (parametrised, plain),
    "sparse gradients": (Words, plain),
    "torch.func": (Mapped, plain),
    "DistributedDataParallel": (lambda: DistributedDataParallel(small()), plain),
    "DistributedDataParallel without synchronisation": (lambda: DistributedDataParallel(small()), without_sync),
    "copies and files of the model": (small, copied),
}
NOT_RECORDED = ("model.forward(x)",)


def trained(build, loop, watching):
    torch.manual_seed(0)
    model = build()
    x, y = classes()
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.05)
    losses = []
    with watching(model) as watched:
        loop(model, x, y, optimiser, losses)
    return losses, [p.detach().clone() for p in model.state_dict().values()], torch.rand(3), watched, model


@pytest.mark.parametrize("name", LOOPS)
def test_training_is_bit_for_bit_the_same(name, one_process):
    build, loop = LOOPS[name]
    losses, state, drawn, *_ = trained(build, loop, lambda model: nullcontext())
    ours, our_state, our_draw, watched, model = trained(build, loop, lambda model: harness.watch(model, every=2))
    assert ours == losses
    assert torch.equal(our_draw, drawn)
    assert all(torch.equal(a, b) for a, b in zip(our_state, state, strict=True))
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    assert sum(hooks) == sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in build().modules())
    report = watched.report
    if name in NOT_RECORDED:
        assert report.layers.empty and report.notes[0].startswith("nothing was recorded: the model was never called")
        return
    assert len(report.networks) >= 1, report.notes
    assert report.layers["log10_grad_result"].notna().any()
    assert not any("recording stopped" in note for note in report.notes), report.notes


@pytest.mark.parametrize("as_errors", [False, True])
def test_an_error_of_the_recorder_ends_the_recording_only(monkeypatch, as_errors, capsys):
    def broken(tape, call):
        raise ValueError("planted")

    losses, *_ = trained(small, plain, lambda model: nullcontext())
    monkeypatch.setitem(calls.HANDLERS, "relu", broken)
    if as_errors:  # as pytest has it here: a warning raises
        ours, _, _, watched, _ = trained(small, plain, lambda model: harness.watch(model, every=1))
        assert "recording stopped at forward pass 1: ValueError: planted; training goes on" in capsys.readouterr().err
    else:
        with pytest.warns(RuntimeWarning, match="recording stopped at forward pass 1: ValueError: planted"):
            ours, _, _, watched, _ = trained(small, plain, lambda model: harness.watch(model, every=1))
    assert ours == losses
    assert watched.report.notes


def test_no_graph_outlives_its_step():
    torch.manual_seed(0)
    model = small()
    x, y = classes()
    gc.collect()
    gc.disable()
    try:
        results = []
        with harness.watch(model, every=1):
            for _ in range(3):
                output = model(x)
                results.append(weakref.ref(output))
                F.cross_entropy(output, y).backward()
                del output
                assert results[-1]() is None  # freed at once, without the garbage collector
    finally:
        gc.enable()


def test_no_hook_is_left_after_a_recorded_step():
    """Not even an empty table of hooks, which PyTorch calls in every backward pass; the user's own hook stays."""
    model, (x, y) = small(), classes()
    mine = model[0].weight.register_hook(lambda gradient: None)
    with harness.watch(model, every=100) as watched:
        for _ in range(2):
            F.cross_entropy(model(x), y).backward()
    assert len(watched.report.layers)
    left = {name: p._backward_hooks for name, p in model.named_parameters() if p._backward_hooks is not None}
    assert list(left) == ["0.weight"] and mine.id in left["0.weight"]


@pytest.mark.parametrize("rows", [1, 2000])
def test_steps_are_in_the_tables(tmp_path, monkeypatch, rows):
    monkeypatch.setattr("harness.study.probe.watch.PENDING_ROWS", rows)  # at every step, or only at the end
    torch.manual_seed(0)
    model = small()
    x, y = classes()
    optimiser = torch.optim.SGD(model.parameters(), 0.05)
    with harness.watch(model, every=3, out=tmp_path / "run", name="mine") as watched:
        for _ in range(7):
            update(optimiser, F.cross_entropy(model(x), y), [])
    report = harness.probe_results(tmp_path / "run")
    assert list(report.networks["step"]) == [0, 3, 6] == list(watched.report.networks["step"])
    assert list(report.networks["network"]) == ["mine-0", "mine-3", "mine-6"]
    assert set(report.layers["step"]) == {0, 3, 6}
    assert {finding.kind for finding in report.findings} == {finding.kind for finding in watched.report.findings}
