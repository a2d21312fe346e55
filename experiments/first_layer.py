"""How far a deep sigmoid network's first layer moves under SGD and under Adam, and what ends it.

Adam divides a gradient by its own size, so that a vanished one moves its layer as far as any other, until it falls
below epsilon.
"""

import numpy as np

from harness.results.training.tuning import scheduled
from harness.study.claims import Case, Claim, every, mean

SENTENCE = (
    "The first layer of a deep sigmoid network barely moves under SGD; Adam frees it, down to its epsilon, and the "
    "network does not learn by that alone."
)
FIGURES = ("update_ratio", "layers_over_steps")
SWEEPS = {
    "first_layer": ("training.steps=60", "training.record.times=3"),
    "first_layer_float32": ("replicates=4", "training.steps=60"),
}

GUESSES = 0.15  # of the test rows are right; guessing one class of ten is right for 0.1
ADAM_FREE = "adam(epsilon=1e-40)"


def moved(optimiser, **band):
    """log10 of how far the first layer has moved beside the last, each relative to its start, at each depth."""

    def cases(results):
        layers = scheduled(results.step_layers)
        layers = layers[layers["optimiser"].astype(str) == optimiser]
        for depth, rows in layers.groupby("depth"):
            first, last = (rows[rows["layer"] == k].set_index("replicate")["moved"] for k in (1, depth))
            yield Case(f"{optimiser}, depth {depth}", np.log10(first / last), **band)

    return cases


def guesses(results):
    """The accuracy on test rows under the Adam that frees the first layer."""
    last = scheduled(results.steps)
    for depth, rows in last[last["optimiser"].astype(str) == ADAM_FREE].groupby("depth"):
        yield Case(f"{ADAM_FREE}, depth {depth}", rows["accuracy_test"], at_most=GUESSES)


def moved_in_float32(at_most):
    """How far the first layer of each draw has moved."""

    def cases(results):
        layers = scheduled(results.step_layers)
        yield Case("layer 1", layers[layers["layer"] == 1]["moved"], at_least=0, at_most=at_most)

    return cases


CLAIMS = (
    Claim(
        "barely_moves",
        "Under SGD the first layer of 8 moves less than a hundredth of the last, and so do those of 16 and 20.",
        "log10 of moved, first layer over last",
        mean,
        moved("sgd", at_most=-2),
        scope=("depth >= 8",),
    ),
    Claim(
        "adam_frees_it",
        "Adam with a vanishing epsilon moves the first layer as far as the last, or further.",
        "log10 of moved, first layer over last",
        mean,
        moved(ADAM_FREE, at_least=0),
        scope=("depth >= 8",),
    ),
    Claim(
        "its_epsilon_ends_that",
        "Adam with its usual epsilon moves the first of 16 layers less than a tenth of the last.",
        "log10 of moved, first layer over last",
        mean,
        moved("adam", at_most=-1),
        scope=("depth >= 16",),
    ),
    Claim(
        "moving_is_not_learning",
        "16 layers whose first layer Adam has moved as far are still no better than guessing.",
        "accuracy of each draw on test rows",
        every,
        guesses,
        scope=("depth >= 16",),
    ),
    Claim(
        "hardly_a_bit",
        "In float32 the first layer of 16 moves less than 10^-9 of its norm under SGD.",
        "moved of the first layer",
        every,
        moved_in_float32(1e-9),
        sweep="first_layer_float32",
        scope=("dtype == 'float32'", "depth == 16"),
    ),
    Claim(
        "not_one_bit",
        "In float32 no bit of the first layer of 24 changes.",
        "moved of the first layer",
        every,
        moved_in_float32(0),
        sweep="first_layer_float32",
        scope=("dtype == 'float32'", "depth >= 24"),
    ),
)
