"""How far a deep sigmoid network's first layer moves under SGD and under Adam, and what ends it.

Adam divides a gradient by its own size, so that a vanished one moves its layer as far as any other, until it falls
below epsilon.
"""

import numpy as np

from harness.results.training.tuning import scheduled
from harness.study.claims import Case, Claim, every, mean

SENTENCE = "The first layer of a deep sigmoid network barely moves under SGD; Adam frees it, down to its epsilon."
FIGURES = ("update_ratio", "layers_over_steps")
SWEEPS = {
    "first_layer": ("replicates=6", "training.steps=60"),
    "first_layer_float32": ("replicates=4", "training.steps=60"),
}


def moved(optimiser, **band):
    """log10 of how far the first layer has moved beside the last, each relative to its start."""

    def cases(results):
        layers = scheduled(results.step_layers)
        layers = layers[layers["optimiser"].astype(str) == optimiser]
        by_layer = {k: rows["moved"].to_numpy() for k, rows in layers.groupby("layer")}
        if by_layer:
            yield Case(optimiser, np.log10(by_layer[1] / by_layer[max(by_layer)]), **band)

    return cases


def unmoved(results):
    layers = scheduled(results.step_layers)
    yield Case("layer 1", layers[layers["layer"] == 1]["moved"], at_least=0, at_most=0)


DEEP = ("depth >= 20",)
CLAIMS = (
    Claim(
        "barely_moves",
        "Under SGD the first layer moves less than a hundredth of the last.",
        "log10 of moved, first layer over last",
        mean,
        moved("sgd", at_most=-2),
        scope=DEEP,
    ),
    Claim(
        "adam_frees_it",
        "Adam with a vanishing epsilon moves the first layer as far as the last.",
        "log10 of moved, first layer over last",
        mean,
        moved("adam(epsilon=1e-40)", at_least=-0.5),
        scope=DEEP,
    ),
    Claim(
        "its_epsilon_ends_that",
        "Adam with its usual epsilon moves the first layer less than a tenth of the last.",
        "log10 of moved, first layer over last",
        mean,
        moved("adam", at_most=-1),
        scope=DEEP,
    ),
    Claim(
        "not_one_bit",
        "In float32 no bit of the first layer of 24 changes under SGD.",
        "moved of the first layer",
        every,
        unmoved,
        sweep="first_layer_float32",
        scope=("dtype == 'float32'", "depth >= 24"),
    ),
)
