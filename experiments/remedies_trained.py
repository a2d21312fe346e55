"""Which remedies make deep networks learn, at learning rates tuned for each draw.

A remedy that keeps a gradient at birth need not make its network learn, and what makes ReLU explode may free sigmoid.
"""

from harness.results.training.tuning import best_over_rates, known, note_of_ends, tuned
from harness.study.claims import Case, Claim, every
from harness.study.selection import draw_groups

SENTENCE = (
    "Skips of alpha = 1/√depth make 32 layers of ReLU learn, and 16 of sigmoid; layer normalisation leaves sigmoid "
    "where it was, and batch normalisation frees sigmoid but not ReLU. Unit variance at the start (LSUV) is enough for "
    "neither, but for sigmoid with standardised weights."
)
FIGURES = ("update_ratio", "layers_over_steps")
CI = ("replicates=3", "training.steps=150", "training.record.times=2")
SWEEPS = {
    "remedies_trained": (*CI, "training.learning_rate=[0.003, 0.01, 0.1, 0.3, 1, 3]"),
    "remedies_trained_sigmoid": (*CI, "training.learning_rate=[0.1, 0.3, 3, 10]"),
}

LEARNS = 0.5  # of the test rows are right; guessing one class of ten is right for 0.1
GROUPS = ("activation", "depth", "normalisation", "residual")


def at_tuned_rates(results):
    """Networks that learn: the accuracy of each draw, NaN where its best rate lies at an end of the axis."""
    for where, _, rows in draw_groups(tuned(results.steps), *GROUPS):
        yield Case(where, known(rows, "accuracy_test")["accuracy_test"], at_least=LEARNS, note=note_of_ends(rows))


def at_any_rate(results):
    """Networks that do not learn: the best accuracy of each draw over all rates."""
    for where, _, rows in draw_groups(best_over_rates(results.steps, "accuracy_test"), *GROUPS):
        yield Case(where, rows["accuracy_test"], at_most=LEARNS, note=note_of_ends(rows))


def learns(name, sentence, activation, *remedies, often_said=False):
    """The claim that networks of an activation learn with each of these remedies."""
    return Claim(
        name,
        sentence,
        "accuracy of each draw on test rows, at its tuned rate",
        every,
        at_tuned_rates,
        sweep=SWEEP_OF[activation],
        scope=(f"activation == '{activation}'", *remedies),
        often_said=often_said,
    )


def does_not(name, sentence, activation, *remedies):
    """The claim that networks of an activation learn with none of these remedies, at no rate."""
    return Claim(
        name,
        sentence,
        "best accuracy of each draw on test rows, over all rates",
        every,
        at_any_rate,
        sweep=SWEEP_OF[activation],
        scope=(f"activation == '{activation}'", *remedies),
    )


SWEEP_OF = {"relu": "remedies_trained", "sigmoid": "remedies_trained_sigmoid"}
SKIPS, FIXUP = "residual == 'pre(depth_power=-0.5)'", "residual == 'fixup'"
LSUV, ALONE = "init == 'lsuv'", "init != 'lsuv'"
NORMALISED = "normalisation == '{}'".format
CLAIMS = (
    learns(
        "skips_make_relu_learn", "With skips of alpha = 1/√depth 32 layers of ReLU learn.", "relu", SKIPS, "depth == 32"
    ),
    does_not("relu_alone", "Without, they do not in as many steps.", "relu", ALONE, "depth == 32"),
    learns("fixup_makes_relu_learn", "Past branches that start at 0 (Fixup) they do.", "relu", FIXUP, "depth == 32"),
    does_not("lsuv_leaves_relu", "With unit variance at the start (LSUV) they do not.", "relu", LSUV, "depth == 32"),
    learns(
        "batch_normalisation_frees_relu",
        "The story says that batch normalisation makes deep networks learn: 32 layers of ReLU, too.",
        "relu",
        NORMALISED("batch"),
        "depth == 32",
        often_said=True,
    ),
    learns(
        "skips_make_sigmoid_learn", "With the same skips 16 layers of sigmoid learn.", "sigmoid", SKIPS, "depth == 16"
    ),
    does_not("sigmoid_alone", "Without, they do not in as many steps.", "sigmoid", ALONE, "depth == 16"),
    learns(
        "batch_normalisation_frees_sigmoid",
        "With batch normalisation they do.",
        "sigmoid",
        NORMALISED("batch"),
        "depth == 16",
    ),
    does_not(
        "layer_normalisation_leaves_sigmoid",
        "With layer normalisation they do not.",
        "sigmoid",
        NORMALISED("layer"),
        "depth == 16",
    ),
    does_not(
        "lsuv_leaves_sigmoid", "With unit variance at the start (LSUV) they do not.", "sigmoid", LSUV, "depth == 16"
    ),
    learns(
        "lsuv_of_standardised_weights_frees_sigmoid",
        "With LSUV of standardised weights, which do not feel a mean, they do.",
        "sigmoid",
        LSUV,
        "weight_standardised == True",
        "depth == 16",
    ),
)
