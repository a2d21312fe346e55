"""Whether an optimiser takes the step of its formula, and whether clipping is by the norm of the whole gradient.

At a learning rate of 10^-6 the gradient of all rows stays what it is for a few steps. Of a layer whose gradient is g,
in a network whose gradient is G, the weights then change in step t by

    ‖u‖ = η · min(1, clip/‖G‖) · ‖g‖ · (1 − μ^t)/(1 − μ)    under SGD (μ = 0) and momentum (Polyak 1964)
    ‖u‖ = η · √(number of weights)                          under Adam (Kingma & Ba 2015), clipped or not
"""

import numpy as np

from harness.study.claims import Case, Claim, every, near

SENTENCE = (
    "SGD, momentum and Adam take the steps of their formulas, clipped by the norm of the whole network's gradient."
)
FIGURES = ("update_ratio",)
SWEEPS = {"first_steps": ("replicates=2",)}

# log10. In six steps of 10^-6 the gradient changes by 10^-5 or so; clipping adds 10^-6 to the norm that it divides by.
STEADY = 1e-3
MOMENTUM, ADAM, CLASSES = 0.9, "adam(epsilon=1e-30)", 10  # of configs/first_steps.yaml


def steps_of(results, optimiser):
    """Rows of the layers above the first (a pixel that is always 0 has no gradient) after each step of an optimiser.

    Columns `update`, log10 of ‖u‖, and `gradient`, log10 of η · min(1, clip/‖G‖) · ‖g‖ of the gradient before it.
    """
    layers = results.step_layers.astype({"run": str, "optimiser": str})
    layers = layers[(layers["optimiser"] == optimiser) & (layers["layer"] > 1)].sort_values("step")
    norms = results.steps.astype({"run": str})[["run", "step", "log10_grad_norm"]]
    layers = layers.merge(norms, on=["run", "step"])
    before = layers.groupby(["run", "layer"])["log10_grad_weights"].shift()
    clipped = np.minimum(np.log10(layers["clip"].astype(float)).fillna(np.inf) - layers["log10_grad_norm"], 0)
    update = layers["log10_update_ratio"] + layers["log10_norm_weights"]
    layers = layers.assign(update=update, gradient=np.log10(layers["learning_rate"]) + clipped + before)
    return layers[layers["step"] > 0]


def by_clip(rows, values, **band):
    for clip, chosen in values.groupby(rows["clip"].astype(float), dropna=False):
        yield Case("not clipped" if np.isnan(clip) else f"clipped at {clip:g}", chosen, **band)


def plain(results):
    rows = steps_of(results, "sgd")
    yield from by_clip(rows, rows["update"] - rows["gradient"], **near(0, STEADY))


def gathered(results):
    rows = steps_of(results, "momentum")
    sums = (1 - MOMENTUM ** rows["step"]) / (1 - MOMENTUM)
    yield from by_clip(rows, rows["update"] - rows["gradient"] - np.log10(sums), **near(0, STEADY))


def one_size(results):
    rows = steps_of(results, ADAM)
    fan_out = np.where(rows["layer"] == rows["depth"], CLASSES, rows["width"])
    expected = np.log10(rows["learning_rate"]) + np.log10(rows["width"] * fan_out) / 2
    yield from by_clip(rows, rows["update"] - expected, **near(0, STEADY))


CLAIMS = (
    Claim(
        "sgd",
        "Under SGD a layer changes by the learning rate times its gradient, clipped by the norm of the whole gradient.",
        "log10 of ‖u‖ over the norm expected, of each step and layer",
        every,
        plain,
        by_construction=True,
    ),
    Claim(
        "momentum",
        "Under momentum it changes by the sum of the gradients so far, each 0.9 of the next.",
        "log10 of ‖u‖ over the norm expected, of each step and layer",
        every,
        gathered,
        by_construction=True,
    ),
    Claim(
        "adam",
        "Under Adam every weight changes by the learning rate, from the first step on.",
        "log10 of ‖u‖ over the norm expected, of each step and layer",
        every,
        one_size,
        by_construction=True,
    ),
)
