"""Makes fixtures/remedied.npz: what PyTorch's autograd says of networks with normalised layers and skips, in float64.

    python tests/make_remedied_fixtures.py     (needs torch, which the project does not; run where harness is installed)

Every normalisation in both places with every order of skips, under three activations; see `by_autograd`.
"""

import os
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from make_torch_fixtures import FUNCTIONS
from nets import choice, drawn, spec

from harness.networks.remedies.normalisations import NORMALISATIONS
from harness.networks.remedies.residuals import RESIDUALS

PATH = Path(__file__).with_name("fixtures") / "remedied.npz"
COLUMNS = (
    "log10_grad_weights",
    "log10_grad_biases",
    "log10_grad_preactivations",
    "log10_grad_outputs",
    "log10_grad_gamma",
    "log10_grad_beta",
    "log10_rms_outputs",
)
OPTIONS = {"batch": 7, "seed": 2, "cost": "squared"}
EPSILON = 1e-2  # large enough that a wrong place of it is seen


def _choices(table, parameters):
    plain = (name for name, make in table.items() if not getattr(make(), "by_rule", False))
    return [choice(name) if name == "none" else choice(name, **parameters) for name in plain]


SPECS = [
    replace(
        spec(activation, "he_normal", 1.0, 0.2, depth=5, width=6, input_width=5, output_width=3),
        normalisation=normalisation,
        normalise=place,
        residual=residual,
    )
    for activation, normalisation, place, residual in product(
        ("relu", "tanh", "sigmoid"),
        _choices(NORMALISATIONS, {"epsilon": EPSILON}),
        ("preactivations", "outputs"),
        _choices(RESIDUALS, {"alpha": 0.7}),
    )
    if (normalisation.name, residual.name) != ("none", "none")
]
CASES = {one.key: one for one in SPECS}


def by_autograd(one):
    """Columns of one network, (depth,) each, with log10_cost, by torch in float64; nan where there is no gamma."""
    import torch

    weights, biases, x, y = (
        [torch.from_numpy(v).requires_grad_() for v in part] if isinstance(part, list) else torch.from_numpy(part)
        for part in drawn(one, **OPTIONS)
    )
    phi, kept, r, z = partial(FUNCTIONS[one.activation.name], torch.nn.functional), [], x, None
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        line = r @ W + b
        skip, last = 1 < k < one.depth, k == one.depth
        order, alpha = one.residual.name if skip else "none", one.branch_scale
        z = line if order in ("none", "inside") else alpha * line + (z if order == "pre" else r)
        affine = [torch.ones(6, dtype=x.dtype), torch.zeros(6, dtype=x.dtype)]
        gamma, beta = (v.requires_grad_() for v in affine)
        before = not last and one.normalise == "preactivations"
        value = phi(_normalised(one, z, gamma, beta) if before else z)
        value = _normalised(one, value, gamma, beta) if not last and not before else value
        r = r + alpha * value if order == "inside" else value
        r = r.clone()
        z.retain_grad()
        r.retain_grad()
        kept.append((W, b, z, r, gamma, beta))
    C = ((r - y) ** 2).sum(dim=1).mean() / 2
    C.backward()
    nothing = torch.tensor(float("nan"), dtype=x.dtype)
    with torch.no_grad():
        rows = [
            [
                *(nothing if v.grad is None else v.grad.norm() for v in (W, b, z, r, gamma, beta)),
                r.square().mean().sqrt(),
            ]
            for W, b, z, r, gamma, beta in kept
        ]
    columns = torch.tensor(rows, dtype=x.dtype).log10().numpy().T
    return dict(zip(COLUMNS, columns, strict=True)) | {"log10_cost": [np.log10(C.item())]}


def _normalised(one, z, gamma, beta):
    if one.normalisation.name == "none":
        return z
    dim = 0 if one.normalisation.name == "batch" else 1
    centred = z if one.normalisation.name == "rms" else z - z.mean(dim, keepdim=True)
    return gamma * centred / (centred.pow(2).mean(dim, keepdim=True) + EPSILON).sqrt() + beta


def main():
    packed = {}
    for key, one in CASES.items():
        columns = by_autograd(one)
        packed[key] = np.concatenate([columns[name] for name in (*COLUMNS, "log10_cost")])
    np.savez_compressed(PATH, **packed)
    print(f"{PATH.name}: {len(packed)} networks, {os.path.getsize(PATH)} bytes")


if __name__ == "__main__":
    main()
