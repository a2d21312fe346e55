"""Makes fixtures/torch.npz: what PyTorch's autograd says of the networks in CASES, in float64.

    python tests/make_torch_fixtures.py        (needs torch, which the project does not; run where harness is installed)

Run it again only when CASES or the keys of the draws change; then say so in CHANGELOG.md.
"""

import os
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from nets import CHOICES, choice, drawn, spec

from harness.networks.inits import INITS

PATH = Path(__file__).with_name("fixtures") / "torch.npz"
COLUMNS = (
    "log10_grad_weights",
    "log10_grad_biases",
    "log10_grad_preactivations",
    "log10_grad_outputs",
    "log10_max_grad_preactivations",
    "log10_norm_weights",
    "log10_rms_outputs",
)
PARAMETERS = {"normal": {"sigma_w": 1.5}, "uniform": {"sigma_w": 1.5}, "constant": {"value": 0.1}}
FUNCTIONS = {  # the activations that torch has, given its torch.nn.functional
    "relu": lambda f, z, at_zero=1: z.relu(),  # no z here is 0
    "sigmoid": lambda f, z: z.sigmoid(),
    "linear": lambda f, z: z.clone(),
    "tanh": lambda f, z: z.tanh(),
    "erf": lambda f, z: z.erf(),
    "hard_tanh": lambda f, z: f.hardtanh(z),
    "leaky_relu": lambda f, z, negative_slope=0.01: f.leaky_relu(z, negative_slope),
    "elu": lambda f, z, alpha=1.0: f.elu(z, alpha),
    "selu": lambda f, z: f.selu(z),
    "gelu": lambda f, z: f.gelu(z),
    "silu": lambda f, z: f.silu(z),
    "relu6": lambda f, z: f.relu6(z),
    "softplus": lambda f, z: f.softplus(z, threshold=1e9),  # torch goes over to z beyond its threshold
}
ENDS = {"depth": 4, "width": 6, "input_width": 5, "output_width": 3}
OPTIONS = {"batch": 7, "seed": 2}
DIGITS = {"inputs": "digits", "targets": "labels"}
DATA = {"cross_entropy": DIGITS, "binary_cross_entropy": DIGITS, "sum": {}}  # of the costs other than the first two
COST_FUNCTIONS = {  # given torch.nn.functional, the outputs and the targets
    "squared": lambda f, r, y: ((r - y) ** 2).sum(dim=1).mean() / 2,
    "linear": lambda f, r, y: (r * y).sum(dim=1).mean(),
    "cross_entropy": lambda f, r, y: f.cross_entropy(r, y.argmax(dim=1)),
    "binary_cross_entropy": lambda f, r, y: f.binary_cross_entropy_with_logits(r, y, reduction="sum") / len(r),
    "sum": lambda f, r, y: r.sum(),
}

KNOWN = [chosen for chosen in CHOICES if chosen.name in FUNCTIONS]
INIT_CHOICES = [choice(name, **PARAMETERS.get(name, {})) for name in INITS]


def bias_scale(init):
    """The init's own biases where it has any, else 0.1."""
    return None if INITS[init.name]().sigma_b(1) else 0.1


# Every activation under two costs and outputs, every init, cost and other output under some, one deep network of three
# activations each.
SPECS = [
    *(
        (spec(a, "he_normal", 1.0, 0.2, output=output, **ENDS), cost)
        for a, output, cost in product(KNOWN, ("activation", "linear"), ("squared", "linear"))
    ),
    *(
        (spec(a, init, 1.1, bias_scale(init), **ENDS), "squared")
        for a, init in product(("relu", "sigmoid", "tanh"), INIT_CHOICES)
    ),
    *(
        (spec(a, "he_normal", 1.0, 0.0, depth=50, width=16, input_width=5, output_width=3), "squared")
        for a in ("relu", "sigmoid", "tanh")
    ),
    *(
        (spec(a, "he_normal", 1.5, 0.2, depth=4, width=6, input_width=64, output_width=10, output="linear"), cost)
        for a, cost in product(("relu", "sigmoid", "tanh"), DATA)
    ),
    *(
        (spec(a, "he_normal", 1.5, 0.0, output=output, **ENDS), "squared")
        for a, output in product(("relu", "tanh"), ("sigmoid", "softplus"))
    ),
]
CASES = {f"{s.key} {cost}": (s, cost) for s, cost in SPECS}


def by_autograd(one, cost):
    """Columns of one network, (depth,) each, with log10_cost, by torch in float64."""
    import torch

    weights, biases, x, y = (
        [torch.from_numpy(v).requires_grad_() for v in part] if isinstance(part, list) else torch.from_numpy(part)
        for part in drawn(one, **OPTIONS, **DATA.get(cost, {}))
    )
    phi = partial(FUNCTIONS[one.activation.name], torch.nn.functional)
    r, zs, rs = x, [], []
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        z = r @ W + b
        if k == one.depth and one.output != "activation":
            r = FUNCTIONS[one.output](torch.nn.functional, z)
        else:
            r = phi(z, **dict(one.activation.parameters))
        z.retain_grad()
        r.retain_grad()
        zs.append(z)
        rs.append(r)
    C = COST_FUNCTIONS[cost](torch.nn.functional, r, y)
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
