"""Makes fixtures/torch_training.npz: the weights and biases that PyTorch trains, after STEPS steps, in float64.

    python tests/make_torch_training_fixtures.py      (needs torch, which the project does not; run where harness is)

Run it again only when CASES or the keys of the draws change; then say so in CHANGELOG.md.
"""

import os
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from nets import choice, settings, spec
from nets import drawn as drawn_by_hand

from harness.engine.training.at_start import Run, drawn
from harness.networks.training.recipe import Recipe

PATH = Path(__file__).with_name("fixtures") / "torch_training.npz"
STEPS, BATCH, SEED = 20, 8, 3
ENDS = {"depth": 4, "width": 6, "input_width": 5, "output_width": 3, "output": "linear"}
COSTS = ("squared", "cross_entropy")
OPTIMISERS = (
    (choice("sgd"), 0.3),
    (choice("momentum"), 0.1),
    (choice("momentum", momentum=0.5), 0.2),
    (choice("adam"), 0.02),
    (choice("adam", beta1=0.5, beta2=0.9, epsilon=1e-3), 0.02),
)
CLIPS = (None, 0.7)  # the second lies among the norms of these gradients


def recipe_name(recipe):
    return f"{recipe.optimiser.label} {recipe.learning_rate:g} clip {recipe.clip}"


CASES = {
    f"{activation} {cost} {recipe_name(recipe)}": (spec(activation, bias_scale=0.1, **ENDS), cost, recipe)
    for activation, cost, recipe in product(
        ("relu", "tanh", "sigmoid"),
        COSTS,
        [Recipe(optimiser, rate, clip, BATCH) for (optimiser, rate), clip in product(OPTIMISERS, CLIPS)],
    )
}

EPSILON = 1e-2  # of normalisations
REMEDIED = (  # every normalisation, every order of skips, both places, one without epsilon
    ("relu", "batch", "none", "preactivations", EPSILON, *OPTIMISERS[0]),
    ("tanh", "layer", "pre", "preactivations", EPSILON, *OPTIMISERS[1]),
    ("sigmoid", "rms", "inside", "preactivations", EPSILON, *OPTIMISERS[3]),
    ("relu", "none", "pre", "preactivations", 0.0, *OPTIMISERS[3]),
    ("tanh", "batch", "post", "outputs", EPSILON, *OPTIMISERS[3]),
    ("relu", "batch", "pre", "preactivations", EPSILON, *OPTIMISERS[3]),
    ("sigmoid", "layer", "inside", "outputs", 0.0, choice("sgd"), 0.02),
    ("relu", "rms", "post", "outputs", EPSILON, *OPTIMISERS[2]),
)
for activation, normalisation, residual, place, epsilon, optimiser, rate in REMEDIED:
    one = replace(
        spec(activation, bias_scale=0.1, **ENDS),
        normalisation=choice(normalisation, **({"epsilon": epsilon} if epsilon else {})),
        residual=choice(residual, **({"alpha": 0.7} if residual != "none" else {})),
        normalise=place,
    )
    for cost, clip in zip(COSTS, CLIPS, strict=True):
        recipe = Recipe(optimiser, rate, clip, BATCH)
        CASES[f"{activation} {normalisation} {residual} {place} {cost} {recipe_name(recipe)}"] = one, cost, recipe

STANDARDISED, TIED = {"weight_standardised": True}, {"tied": True}
PRE = {name: choice("pre", **parameters) for name, parameters in (("of 1", {"alpha": 0.7}), ("of 2", {"every": 2}))}
ON_WEIGHTS = (  # standardised, scaled by a batch, shared, or within branches of several layers, alone and together
    ("relu", STANDARDISED, *OPTIMISERS[0]),
    ("tanh", STANDARDISED | {"normalisation": choice("layer"), "residual": PRE["of 1"]}, *OPTIMISERS[3]),
    ("sigmoid", {"init": choice("lsuv")}, *OPTIMISERS[1]),
    ("relu", {"residual": PRE["of 2"]}, choice("sgd"), 0.05),
    ("tanh", {"normalisation": choice("batch", epsilon=EPSILON), "residual": choice("pre", every=3)}, *OPTIMISERS[3]),
    ("relu", {"residual": choice("fixup")}, *OPTIMISERS[1]),
    ("tanh", TIED, *OPTIMISERS[2]),
    ("relu", TIED | STANDARDISED | {"residual": PRE["of 2"]}, *OPTIMISERS[0]),
    ("sigmoid", TIED | {"normalisation": choice("layer", epsilon=EPSILON)}, *OPTIMISERS[3]),
)
for activation, coordinates, optimiser, rate in ON_WEIGHTS:
    one = replace(spec(activation, bias_scale=0.1, **ENDS | {"depth": 7}), **coordinates)
    for cost, clip in zip(COSTS, CLIPS, strict=True):
        recipe = Recipe(optimiser, rate, clip, BATCH)
        values = ", ".join(f"{name} {getattr(value, 'label', value)}" for name, value in coordinates.items())
        CASES[f"{activation} {values} {cost} {recipe_name(recipe)}"] = one, cost, recipe

DATA = settings(batch=BATCH, seed=SEED).data  # by whose batch LSUV scales


def minibatches_of(cost):
    """The inputs and targets of each step, (batch, input_width) and (batch, output_width); one-hot for classes."""
    rng = np.random.default_rng(SEED)
    for _ in range(STEPS):
        targets = rng.standard_normal((BATCH, ENDS["output_width"]))
        if cost == "cross_entropy":
            targets = (targets == targets.max(axis=1, keepdims=True)).astype(float)
        yield rng.standard_normal((BATCH, ENDS["input_width"])), targets


def flattened(stack):
    """The parameters of the only run of a stack, layer by layer, in one vector."""
    return np.concatenate([layer[0].ravel() for layer in stack.layers])


def by_torch(one, cost, recipe):
    """The same vector as `flattened`, of the network that torch has trained."""
    import torch

    stack = drawn([Run(one, 0, recipe)], SEED, np.dtype(float), DATA)
    layers = []
    for layer in stack.layers:  # W, b and, of normalised layers, gamma and beta
        n = stack.fan_in(len(layers))
        parts = [layer[0, 0, :n], *layer[0, 0, n:]]
        layers.append([torch.from_numpy(part.copy()).requires_grad_() for part in parts])
    if one.within is not None:
        for (W, *_), scaled in zip(layers, drawn_by_hand(one, batch=BATCH, seed=SEED)[0], strict=True):
            W.data = torch.from_numpy(scaled)
    if one.tied:
        layers = [layers[0], *[layers[1]] * (one.depth - 2), layers[-1]]
    if one.normalisation.name == "batch" and one.normalise == "preactivations":
        for _, b, *_ in layers[:-1]:
            b.requires_grad_(False)  # its gradient is 0 but for rounding, by whose size Adam would divide it
    parameters = [*dict.fromkeys(p for layer in layers for p in layer if p.requires_grad)]
    chosen, given = recipe.optimiser, dict(recipe.optimiser.parameters)
    if chosen.name == "adam":
        betas = given.get("beta1", 0.9), given.get("beta2", 0.999)
        optimiser = torch.optim.Adam(parameters, recipe.learning_rate, betas, given.get("epsilon", 1e-8))
    else:
        moment = given.get("momentum", 0.9) if chosen.name == "momentum" else 0
        optimiser = torch.optim.SGD(parameters, recipe.learning_rate, moment)
    for x, y in minibatches_of(cost):
        r, y = _outputs(one, layers, torch.from_numpy(x)), torch.from_numpy(y)
        optimiser.zero_grad()
        squared = ((r - y) ** 2).sum(dim=1).mean() / 2
        (squared if cost == "squared" else torch.nn.functional.cross_entropy(r, y)).backward()
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimiser.step()
    return np.concatenate([p.detach().numpy().ravel() for layer in layers for p in layer])


def _outputs(one, layers, x):
    """The outputs of the network for inputs x."""
    import torch

    phi, r, trunk = getattr(torch, one.activation.name), x, None
    alpha, name = (1.0, "pre") if one.residual.name == "fixup" else (one.branch_scale, one.residual.name)
    for k, (W, b, *affine) in enumerate(layers, start=1):
        line = r @ (_standardised(W, one.sigma_w_of(k - 1)) if one.weight_standardised else W) + b
        if k == one.depth:
            return line
        joins = (k - 1) % one.block_layers == 0
        order = name if k > 1 and joins else "none"
        z = line if order in ("none", "inside") else alpha * line + (trunk if order == "pre" else r)
        trunk = z if joins else trunk
        value = phi(_normalised(one, z, *affine) if affine and one.normalise == "preactivations" else z)
        value = _normalised(one, value, *affine) if affine and one.normalise == "outputs" else value
        r = r + alpha * value if order == "inside" else value


def _standardised(V, sigma_w):
    """W, whose columns have mean 0 and variance sigma_w²/fan_in."""
    centred = V - V.mean(dim=0)
    return sigma_w * centred / centred.norm(dim=0)


def _normalised(one, z, gamma, beta):
    import torch

    epsilon = dict(one.normalisation.parameters).get("epsilon", 0.0)
    if one.normalisation.name == "batch":
        return torch.nn.functional.batch_norm(z, None, None, gamma, beta, training=True, eps=epsilon)
    if one.normalisation.name == "layer":
        return torch.nn.functional.layer_norm(z, z.shape[1:], gamma, beta, epsilon)
    return torch.nn.functional.rms_norm(z, z.shape[1:], gamma, epsilon) + beta


def main():
    packed = {key: by_torch(*case) for key, case in CASES.items()}
    np.savez_compressed(PATH, **packed)
    print(f"{PATH.name}: {len(packed)} networks, {os.path.getsize(PATH)} bytes")


if __name__ == "__main__":
    main()
