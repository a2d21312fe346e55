"""What the recorder sees of every activation, against values taken by hand: r, ∂C/∂r and the activation's own ∂C/∂z.

By hand: the same network written out of place, with `retain_grad` on each tensor.
"""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from harness.execution.probe.hooks.mode import Mode
from harness.execution.probe.hooks.modules import ModuleHooks
from harness.execution.probe.hooks.tape import Guard, Tape

pytestmark = pytest.mark.torch


class Sequential(nn.Module):
    def __init__(self, in_place=False):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 16), nn.ReLU(in_place), nn.Linear(16, 16), nn.ReLU(in_place), nn.Linear(16, 4)
        )

    def forward(self, x):
        return self.net(x)

    def by_hand(self, x):
        z1 = self.net[0](x)
        r1 = F.relu(z1)
        z2 = self.net[2](r1)
        r2 = F.relu(z2)
        return self.net[4](r2), [(z1, r1), (z2, r2)]


class InPlace(Sequential):
    def __init__(self):
        super().__init__(in_place=True)


class Functional(Sequential):
    def forward(self, x):
        return self.net[4](torch.relu(self.net[2](F.relu(self.net[0](x)))))


class FunctionalInPlace(Sequential):
    def forward(self, x):
        return self.net[4](F.relu(self.net[2](F.relu(self.net[0](x), inplace=True)), inplace=True))


class Methods(Sequential):
    def forward(self, x):
        return self.net[4](self.net[2](self.net[0](x).relu()).relu_())


class Residual(nn.Module):
    """One activation module that is called twice, in place, and a sum in place."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.inputs = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.inputs(x)
        h = self.b(self.act(self.a(x)))
        h += x
        return self.act(h)

    def by_hand(self, x):
        x = self.inputs(x)
        z1 = self.a(x)
        r1 = F.relu(z1)
        z2 = self.b(r1) + x
        r2 = F.relu(z2)
        return r2, [(z1, r1), (z2, r2)]


class UsedTwice(nn.Module):
    """z goes into the activation and past it: ∂C/∂z is not the activation's share."""

    def __init__(self):
        super().__init__()
        self.a, self.act, self.top = nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4)

    def forward(self, x):
        z = self.a(x)
        return self.top(self.act(z) + z)

    def by_hand(self, x):
        z = self.a(x)
        own = z.view_as(z)
        r = torch.tanh(own)
        return self.top(r + z), [(own, r)]


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act = nn.Linear(8, 8), nn.Tanh()

    def forward(self, x):
        for _ in range(3):
            x = self.act(self.a(x))
        return x

    def by_hand(self, x):
        pairs = []
        for _ in range(3):
            z = self.a(x)
            x = torch.tanh(z)
            pairs.append((z, x))
        return x, pairs


class DataDependent(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.act = nn.Linear(8, 8), nn.Linear(8, 8), nn.ReLU()

    def forward(self, x):
        h = self.act(self.a(x))
        return self.act(self.b(h)) if h.sum() > 0 else h

    def by_hand(self, x):
        z1 = self.a(x)
        r1 = F.relu(z1)
        z2 = self.b(r1)
        r2 = F.relu(z2)
        return r2, [(z1, r1), (z2, r2)]


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class OwnActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(8, 8), Swish(), nn.Linear(8, 4)

    def forward(self, x):
        return self.b(self.act(self.a(x)))

    def by_hand(self, x):
        z = self.a(x)
        r = F.silu(z)
        return self.b(r), [(z, r)]


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.norm, self.d = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3)
        self.top = nn.Linear(6, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.c(x)), True)
        return self.top(F.gelu(self.d(x)).mean((2, 3)))

    def by_hand(self, x):
        z1 = self.norm(self.c(x))
        r1 = F.relu(z1)
        z2 = self.d(r1)
        r2 = F.gelu(z2)
        return self.top(r2.mean((2, 3))), [(z1, r1), (z2, r2)]


class Checkpointed(Sequential):
    reentrant = False

    def forward(self, x):
        return checkpoint(self.net, x, use_reentrant=self.reentrant)


class CheckpointedReentrant(Checkpointed):
    reentrant = True


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)

    def forward(self, x):
        return self.layer(x)

    def by_hand(self, x):
        layer = self.layer
        x = layer.norm1(x + layer.self_attn(x, x, x, need_weights=False)[0])
        z = layer.linear1(x)
        r = F.relu(z)
        return layer.norm2(x + layer.linear2(r)), [(z, r)]


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.t()

    @staticmethod
    def backward(ctx, gradient):
        x, w = ctx.saved_tensors
        return gradient @ w, gradient.t() @ x


class OwnFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act = nn.Linear(8, 8, bias=False), nn.ReLU()

    def forward(self, x):
        return self.act(Product.apply(x, self.a.weight))

    def by_hand(self, x):
        z = self.a(x)
        r = F.relu(z)
        return r, [(z, r)]


ROWS, IMAGES, TOKENS = (8, 8), (4, 3, 8, 8), (4, 5, 16)
CASES = {
    "modules": (Sequential, ROWS, {}),
    "modules in place": (InPlace, ROWS, {}),
    "F.relu": (Functional, ROWS, {}),
    "F.relu in place": (FunctionalInPlace, ROWS, {}),
    "x.relu() and x.relu_()": (Methods, ROWS, {}),
    "residual in place": (Residual, ROWS, {}),
    "z used twice": (UsedTwice, ROWS, {}),
    "shared module": (Shared, ROWS, {}),
    "data-dependent branch": (DataDependent, ROWS, {}),
    "own activation module": (OwnActivation, ROWS, {}),
    "convolutions and batch norm": (Convolutions, IMAGES, {}),
    "TransformerEncoderLayer": (Encoder, TOKENS, {}),
    "checkpoint": (Checkpointed, ROWS, {}),
    "reentrant checkpoint": (CheckpointedReentrant, ROWS, {"needs_input_gradient": True}),
    "autograd.Function": (OwnFunction, ROWS, {}),
    "torch.compile": (Sequential, ROWS, {"compile": True}),
    "autocast to bfloat16": (Functional, ROWS, {"autocast": torch.bfloat16}),
    "autocast to float16": (Functional, ROWS, {"autocast": torch.float16}),
}


def norm(tensor):
    return float(torch.linalg.vector_norm(tensor.detach().double()))


def squares(output):
    return output.float().square().mean()


def casting(options):
    return torch.autocast("cpu", options["autocast"]) if "autocast" in options else nullcontext()


def expected(model, x, options):
    with casting(options):
        output, pairs = model.by_hand(x)
    for pair in pairs:
        for tensor in pair:
            tensor.retain_grad()
    squares(output).backward()
    return [(norm(r), norm(r.grad), norm(z.grad)) for z, r in pairs]


def recorded(model, x, options):
    tape = Tape(model, Guard())
    mode = Mode(tape)
    hooks = ModuleHooks(mode)
    called = torch.compile(model, backend="aot_eager") if options.get("compile") else model
    with torch.compiler.set_stance("force_eager"):
        with mode, casting(options):
            cost = squares(called(x))
        cost.backward()
    hooks.remove()
    rows = list(tape.recording.of_kind("activation"))
    return [tuple(10**size.norm for size in (row.result, row.grad_result, row.grad_argument)) for row in rows]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [0])
def test_every_activation_is_seen_rightly(case, seed):
    make, shape, options = CASES[case]
    torch.manual_seed(seed)
    model, x = make(), torch.randn(shape)
    x.requires_grad_(options.get("needs_input_gradient", False))
    by_hand = expected(model, x, options)
    model.zero_grad()
    seen = recorded(model, x, options)
    assert len(seen) == len(by_hand)
    for ours, theirs in zip(seen, by_hand, strict=True):
        # half-precision gradients round at 2^-8; float32 norms of a few hundred entries at 1e-6
        assert ours == pytest.approx(theirs, rel=2e-2 if "autocast" in options else 1e-5)
