"""Models whose fault is known, built with random weights: the verdict names it, and no healthy model has a fault.

SEEDS=3 takes three seeds in place of one, and FIRST_SEED others: CI takes new ones in every run.
"""

import os

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_models import (
    CLASSES,
    WIDTH,
    Detached,
    Logarithm,
    Recurrent,
    Residual,
    ResNet,
    Siamese,
    Towers,
    Transformer,
    classes,
    he,
    mlp,
    normal,
    scaled_he,
    xavier,
)

import harness

pytestmark = pytest.mark.torch

FIRST = int(os.environ.get("FIRST_SEED", 1000))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SEEDS", 1)))


def on_classes(model, loss=F.cross_entropy, **options):
    return model, *classes(), loss, options


def lecun(layer):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    nn.init.zeros_(layer.bias)


def negative_biases():
    model = mlp(10, init=he)
    for layer in model[::2]:
        nn.init.constant_(layer.bias, -1.0)
    return on_classes(model)


def saturated_softmax():
    model = nn.Sequential(*mlp(5, init=he), nn.Softmax(-1))
    nn.init.normal_(model[-2].weight, std=3.0)
    return on_classes(model, lambda output, y: F.mse_loss(output, F.one_hot(y, CLASSES).float()))


def learned_softmax():
    """Nine samples in ten are certain and right; the others say nothing yet, and their gradient arrives."""
    model = nn.Sequential(nn.Linear(CLASSES, CLASSES), nn.Linear(CLASSES, CLASSES), nn.Softmax(-1))
    nn.init.eye_(model[0].weight)
    model[1].weight.data = 20 * torch.eye(CLASSES)
    y = torch.randint(0, CLASSES, (50,))
    x = F.one_hot(y, CLASSES).float() * (torch.arange(50) % 10 > 0)[:, None]
    return model, x, y, lambda output, y: F.mse_loss(output, F.one_hot(y, CLASSES).float()), {}


def zero_head():
    model = mlp(10, init=he)
    nn.init.zeros_(model[-1].weight)
    return on_classes(model)


def frozen():
    model = mlp(6, init=he)
    for parameter in list(model.parameters())[:4]:
        parameter.requires_grad_(False)
    return on_classes(model)


def unused():
    model = mlp(4, init=he)
    model.idle = nn.Linear(2, 2)
    model.forward = lambda x: nn.Sequential(*list(model)[:-1])(x)
    return on_classes(model)


def float_of_loss():
    return on_classes(mlp(4), lambda output, y: torch.tensor(float(F.cross_entropy(output, y))))


def half_precision():
    model = mlp(5, init=he)
    x, _ = classes()
    small = 1e-3 * torch.randn(len(x), CLASSES)
    return model, x, small, lambda output, y: F.mse_loss(output.float(), y) * 1e-5, {"format": "float16"}


def large_inputs():
    x, y = classes()
    return mlp(6, nn.Tanh, normal(WIDTH**-0.5)), 100 * x, y, F.cross_entropy, {}


def images(model):
    return model, torch.randn(24, 3, 16, 16), torch.randint(0, CLASSES, (24,)), F.cross_entropy, {}


def sequences(kind):
    return Recurrent(kind), torch.randn(24, 200, 8), torch.randint(0, CLASSES, (24,)), F.cross_entropy, {}


def text(**options):
    x = torch.randint(0, 100, (24, 16))
    return Transformer(**options), x, x.roll(-1, 1), lambda o, y: F.cross_entropy(o.flatten(0, 1), y.flatten()), {}


def patches(layers):
    return Transformer(layers, patches=24), torch.randn(24, 16, 24), torch.randint(0, 10, (24,)), F.cross_entropy, {}


def pairs(**options):
    x, _ = classes()
    return Siamese(mlp(12, nn.Tanh, **options)), (x, x.roll(1, 0)), torch.rand(len(x)), F.mse_loss, {}


def towers(*options):
    return on_classes(Towers(*(mlp(10, *one) for one in options)))


CASES = {
    "deep sigmoid": (lambda: on_classes(mlp(20, nn.Sigmoid, xavier)), "vanishing by slopes"),
    "Xavier on 50 ReLU layers": (lambda: on_classes(mlp(50, init=xavier)), "vanishing by weights"),
    "framework default, 50 ReLU layers": (lambda: on_classes(mlp(50)), "vanishing by weights"),
    "tanh, std 0.02": (lambda: on_classes(mlp(20, nn.Tanh, normal(0.02))), "vanishing by weights"),
    "tanh, std 1": (lambda: on_classes(mlp(20, nn.Tanh, normal(1.0))), "exploding by weights"),
    "tanh, framework default": (lambda: on_classes(mlp(20, nn.Tanh)), "vanishing by weights"),
    "tanh, critical": (lambda: on_classes(mlp(20, nn.Tanh, normal(WIDTH**-0.5))), "healthy"),
    "He, 50 ReLU layers": (lambda: on_classes(mlp(50, init=he)), "healthy"),
    "SELU, 50 layers": (lambda: on_classes(mlp(50, nn.SELU, lecun)), "healthy"),
    "layer norm, 50 layers": (lambda: on_classes(mlp(50, init=he, norm=nn.LayerNorm)), "healthy"),
    "batch norm, 50 layers": (lambda: on_classes(mlp(50, init=he, norm=nn.BatchNorm1d)), "exploding by norms"),
    "1.5 times He, 50 layers": (lambda: on_classes(mlp(50, init=scaled_he(1.5))), "exploding by weights"),
    "biases of −1": (negative_biases, "dead layer"),
    "softmax with squared cost": (saturated_softmax, "lost at the loss"),
    "softmax that has learned": (learned_softmax, "healthy"),
    "zero head": (zero_head, "zero weights"),
    "NaN by a logarithm": (lambda: on_classes(Logarithm()), "non-finite forward"),
    "detach": (lambda: on_classes(Detached()), "detached"),
    "float of the loss": (float_of_loss, "detached"),
    "frozen layers": (frozen, "frozen"),
    "unused parameters": (unused, "unused"),
    "float16": (half_precision, "format underflow"),
    "inputs times 100": (large_inputs, "inputs too large"),
    "LSTM over 200 steps": (lambda: sequences(nn.LSTM), "vanishing over time"),
    "GRU over 200 steps": (lambda: sequences(nn.GRU), "vanishing over time"),
    "ResNet with norms": (lambda: images(ResNet()), "healthy"),
    "ResNet without norms": (lambda: images(ResNet(norm=False)), "healthy"),
    "residual network without norms": (lambda: on_classes(Residual(40)), "exploding inside blocks"),
    "zero-initialised branches": (lambda: on_classes(Residual(20, zero=True)), "zero weights"),
    "GPT": (lambda: text(layers=4), "healthy"),
    "GPT without norms, std 0.02": (lambda: text(layers=8, norm=False), "healthy"),
    "GPT without norms, std 0.2": (lambda: text(layers=16, norm=False, std=0.2), "non-finite backward"),
    "siamese, std 0.04": (lambda: pairs(init=normal(0.04)), "vanishing by weights"),
    "siamese, critical": (lambda: pairs(init=normal(WIDTH**-0.5)), "healthy"),
    "towers, the second of sigmoids": (lambda: towers((nn.ReLU, he), (nn.Sigmoid, xavier)), "vanishing by slopes"),
    "towers, the first of sigmoids": (lambda: towers((nn.Sigmoid, xavier), (nn.ReLU, he)), "vanishing by slopes"),
    "towers, std 0.5": (lambda: towers((nn.ReLU, he), (nn.ReLU, normal(0.5))), "exploding by weights"),
    "towers, He and critical": (lambda: towers((nn.ReLU, he), (nn.Tanh, normal(WIDTH**-0.5))), "healthy"),
    "ViT": (lambda: patches(4), "healthy"),
}
NOT_FAULTS = ("healthy", "zero weights", "frozen", "unused")


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")  # torch's, of float(loss)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_verdict_names_the_fault(case, seed):
    build, kind = CASES[case]
    torch.manual_seed(seed)
    model, x, y, loss, options = build()
    report = harness.probe(model, x, y, loss, **options)
    kinds = {finding.kind for finding in report.findings}
    faults = {finding.kind for finding in report.findings if finding.severity == "fault"}
    assert kind in kinds, report
    assert not faults if kind in NOT_FAULTS else kind in faults, report
