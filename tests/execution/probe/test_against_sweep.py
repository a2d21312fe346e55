"""The networks of a sweep, built in PyTorch in float64 and probed, have the sweep's numbers in every column.

They agree where float64 holds the gradients: a sweep carries exponents beyond it, PyTorch does not.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import harness
from harness.execution.probe.run import record
from harness.execution.probe.tables import by_layer, layers_frame
from harness.results.columns import LAYERS

pytestmark = pytest.mark.torch

FUNCTIONS = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
MEASURES = [column.name for column in LAYERS if column.source == "measure"]


def half_squares(output, target):
    return (output - target).square().sum(1).mean() / 2


def products(output, target):
    return (output * target).sum(1).mean()


COSTS = {"squared": half_squares, "linear": products}


def built(network):
    layers = []
    for W, b in zip(network.weights, network.biases, strict=True):
        linear = nn.Linear(*W.shape, dtype=torch.float64)
        linear.weight.data = torch.tensor(W.T.copy())
        linear.bias.data = torch.zeros(W.shape[1], dtype=torch.float64) if b is None else torch.tensor(np.array(b))
        layers += [linear, FUNCTIONS[network.spec.activation.name]()]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("seed", [0])
def test_a_sweep_and_a_probe_agree(tmp_path, cost, seed):
    sweep = {
        "name": "agree",
        "network": {
            "activation": list(FUNCTIONS),
            "init": "he_normal",
            "bias_scale": [0, 0.1],
            "depth": [1, 7],
            "width": 12,
            "output": "activation",
        },
        "data": {"inputs": "gaussian", "targets": "gaussian", "batch": 6},
        "cost": cost,
        "replicates": 1,
        "figures": [],
        "seed": seed,
    }
    results = harness.sweep(sweep, out=tmp_path / "r", workers=1)
    for key in results.networks["network"].astype(str):
        network = results.build(key)
        x, y = torch.tensor(network.inputs), torch.tensor(network.targets)
        ours = by_layer(layers_frame([record(built(network), x, y, COSTS[cost])], "model"))
        theirs = results.layers[results.layers["network"].astype(str) == key].set_index("layer")
        agree(ours.set_index("layer"), theirs, f"{key} {network.spec}")


def agree(ours: pd.DataFrame, theirs: pd.DataFrame, what: str) -> None:
    for name in MEASURES:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-12, err_msg=f"{name} of {what}")
