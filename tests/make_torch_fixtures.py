"""Makes fixtures/torch.npz: what PyTorch's autograd says of the networks in CASES, in float64.

    python tests/make_torch_fixtures.py        (needs torch, which the project does not; run where harness is installed)

Run it again only when CASES or the keys of the draws change; then say so in CHANGELOG.md.
"""

import os
from itertools import product
from pathlib import Path

import numpy as np
from nets import CHOICES, choice, drawn, spec

PATH = Path(__file__).with_name("fixtures") / "torch.npz"
COLUMNS = ("log10_grad_weights", "log10_grad_biases", "log10_grad_preactivations", "log10_grad_outputs",
           "log10_max_grad_preactivations", "log10_norm_weights", "log10_rms_outputs")  # fmt: skip
INITS = (choice("normal", sigma_w=1.5), choice("uniform", sigma_w=1.5), "he_normal", "he_uniform", "xavier_normal",
         "xavier_uniform", "lecun_normal", "lecun_uniform", "orthogonal", "pytorch_default")  # fmt: skip
ENDS = {"depth": 4, "width": 6, "input_width": 5, "output_width": 3}
OPTIONS = {"batch": 7, "seed": 2}

# Every activation under both costs and outputs, every init under some activations, one deep network each of three.
SPECS = [
    *((spec(a, "he_normal", 1.0, 0.2, output=output, **ENDS), cost)
      for a, output, cost in product(CHOICES, ("activation", "linear"), ("squared", "linear"))),
    *((spec(a, init, 1.1, None if init == "pytorch_default" else 0.1, **ENDS), "squared")
      for a, init in product(("relu", "sigmoid", "tanh"), INITS)),
    *((spec(a, "he_normal", 1.0, 0.0, depth=50, width=16, input_width=5, output_width=3), "squared")
      for a in ("relu", "sigmoid", "tanh")),
]  # fmt: skip
CASES = {f"{s.key} {cost}": (s, cost) for s, cost in SPECS}


def functions():
    """The activations as torch has them."""
    import torch
    from torch.nn import functional as f

    return {
        "relu": lambda z, at_zero=1: torch.relu(z),  # no z here is 0
        "sigmoid": torch.sigmoid,
        "linear": lambda z: z.clone(),
        "tanh": torch.tanh,
        "erf": torch.erf,
        "hard_tanh": f.hardtanh,
        "leaky_relu": lambda z, negative_slope=0.01: f.leaky_relu(z, negative_slope),
        "elu": lambda z, alpha=1.0: f.elu(z, alpha),
        "selu": f.selu,
        "gelu": f.gelu,
        "silu": f.silu,
        "softplus": lambda z: f.softplus(z, threshold=1e9),  # torch goes over to z beyond its threshold
    }


def by_autograd(one, cost):
    """Columns of one network, (depth,) each, with log10_cost, by torch in float64."""
    import torch

    weights, biases, x, y = ([torch.from_numpy(v).requires_grad_() for v in part] if isinstance(part, list)
                             else torch.from_numpy(part) for part in drawn(one, **OPTIONS))  # fmt: skip
    phi = functions()[one.activation.name]
    r, zs, rs = x, [], []
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        z = r @ W + b
        last = k == one.depth and one.output == "linear"
        r = z.clone() if last else phi(z, **dict(one.activation.parameters))
        z.retain_grad()
        r.retain_grad()
        zs.append(z)
        rs.append(r)
    C = ((r - y) ** 2).sum(dim=1).mean() / 2 if cost == "squared" else (r * y).sum(dim=1).mean()
    C.backward()
    norms = {
        "log10_grad_weights": [v.grad.norm() for v in weights],
        "log10_grad_biases": [v.grad.norm() for v in biases],
        "log10_grad_preactivations": [v.grad.norm() for v in zs],
        "log10_grad_outputs": [v.grad.norm() for v in rs],
        "log10_max_grad_preactivations": [v.grad.abs().max() for v in zs],
        "log10_norm_weights": [v.detach().norm() for v in weights],
        "log10_rms_outputs": [v.detach().pow(2).mean().sqrt() for v in rs],
        "log10_cost": [C.detach().abs()],
    }
    return {name: torch.stack(values).log10().numpy() for name, values in norms.items()}


def main():
    packed = {}
    for key, (one, cost) in CASES.items():
        columns = by_autograd(one, cost)
        packed[key] = np.concatenate([columns[name] for name in (*COLUMNS, "log10_cost")])
    PATH.parent.mkdir(exist_ok=True)
    np.savez_compressed(PATH, **packed)
    print(f"{PATH.name}: {len(packed)} networks, {os.path.getsize(PATH)} bytes")


if __name__ == "__main__":
    main()
