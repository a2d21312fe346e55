"""Makes fixtures/torch_training.npz: the weights and biases that PyTorch trains, after STEPS steps, in float64.

    python tests/make_torch_training_fixtures.py      (needs torch, which the project does not; run where harness is)

Run it again only when CASES or the keys of the draws change; then say so in CHANGELOG.md.
"""

import os
from itertools import product
from pathlib import Path

import numpy as np
from nets import choice, spec

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


def minibatches_of(cost):
    """The inputs and targets of each step, (batch, input_width) and (batch, output_width); one-hot for classes."""
    rng = np.random.default_rng(SEED)
    for _ in range(STEPS):
        targets = rng.standard_normal((BATCH, ENDS["output_width"]))
        if cost == "cross_entropy":
            targets = (targets == targets.max(axis=1, keepdims=True)).astype(float)
        yield rng.standard_normal((BATCH, ENDS["input_width"])), targets


def flattened(stack):
    """Weights and biases of the only run of a stack, layer by layer, in one vector."""
    return np.concatenate([p[0].ravel() for both in zip(stack.weights, stack.biases, strict=True) for p in both])


def by_torch(one, cost, recipe):
    """The same vector as `flattened`, of the network that torch has trained."""
    import torch

    stack = drawn([Run(one, 0, recipe)], SEED, np.dtype(float))
    layers = [
        [torch.from_numpy(p[0].reshape(shape).copy()).requires_grad_() for p, shape in ((W, W.shape[2:]), (b, -1))]
        for W, b in zip(stack.weights, stack.biases, strict=True)
    ]
    parameters = [p for both in layers for p in both]
    chosen, given = recipe.optimiser, dict(recipe.optimiser.parameters)
    if chosen.name == "adam":
        betas = given.get("beta1", 0.9), given.get("beta2", 0.999)
        optimiser = torch.optim.Adam(parameters, recipe.learning_rate, betas, given.get("epsilon", 1e-8))
    else:
        moment = given.get("momentum", 0.9) if chosen.name == "momentum" else 0
        optimiser = torch.optim.SGD(parameters, recipe.learning_rate, moment)
    phi = getattr(torch, one.activation.name)
    for x, y in minibatches_of(cost):
        r, y = torch.from_numpy(x), torch.from_numpy(y)
        for k, (W, b) in enumerate(layers, start=1):
            r = r @ W + b if k == one.depth else phi(r @ W + b)
        optimiser.zero_grad()
        squared = ((r - y) ** 2).sum(dim=1).mean() / 2
        (squared if cost == "squared" else torch.nn.functional.cross_entropy(r, y)).backward()
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimiser.step()
    return np.concatenate([p.detach().numpy().ravel() for p in parameters])


def main():
    packed = {key: by_torch(*case) for key, case in CASES.items()}
    np.savez_compressed(PATH, **packed)
    print(f"{PATH.name}: {len(packed)} networks, {os.path.getsize(PATH)} bytes")


if __name__ == "__main__":
    main()
