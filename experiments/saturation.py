"""Whether saturating makes weights large: growth of the weights when the training cost has fallen to the same value.

Each draw is taken at the learning rate that reaches the cost in the fewest steps; it has no value where that rate lies
at an end of the axis.
"""

import numpy as np

from harness.results.training.tuning import grown_at_cost, known
from harness.study.claims import Case, Claim, mean

SENTENCE = "At equal cost an activation that saturates has grown larger weights, because it saturates."
FIGURES = ("growth_at_cost", "norm_ledger", "layers_over_steps", "update_ratio")
SWEEPS = {
    "saturation": (
        "replicates=8",
        "training.learning_rate=[0.1, 0.2, 0.4, 1.6, 3.2, 6.4]",
        "training.steps=300",
        "training.record.times=2",
    ),
    "saturation_ceiling": (
        "network.activation=[relu, {name: clipped_relu, ceiling: [1, 3]}]",
        "training.record.times=2",
    ),
}


def growth(results):
    """log10 of ‖W‖²/‖W_0‖² where the cost was reached: replicates by activation, NaN where no tuned rate reached it."""
    steps = results.steps
    table = known(grown_at_cost(steps), "grown").pivot(index="replicate", columns="activation", values="grown")
    activations = sorted(steps["activation"].astype(str).unique())
    return table.reindex(sorted(steps["replicate"].unique())).reindex(columns=activations)


def more(one, other, **band):
    """Differences in growth, paired by draw."""

    def cases(results):
        table = growth(results)
        if {one, other} <= set(table):
            yield Case(f"{one} − {other}", (table[one] - table[other]).to_numpy(), **band)

    return cases


def owed_to_saturating(results):
    """The share of sigmoid's growth beyond ReLU's that is left when its slope at 0 is 1 and its mean 0."""
    table = growth(results)
    if {"relu", "sigmoid", "centred_sigmoid"} <= set(table):
        left = (table["centred_sigmoid"] - table["relu"]) / (table["sigmoid"] - table["relu"])
        yield Case("centred_sigmoid, beside sigmoid", np.asarray(left), at_least=0.5)


CLAIMS = (
    Claim(
        "ceiling_grows_weights",
        "ReLU with a ceiling of 1, so that it saturates, has grown larger weights than without.",
        "log10 of ‖W‖²/‖W₀‖² at equal cost, clipped_relu − relu, paired",
        mean,
        more("clipped_relu", "relu", at_least=0),
        sweep="saturation_ceiling",
    ),
    Claim(
        "a_higher_ceiling_grows_less",
        "With a ceiling of 3 it has grown less than with one of 1.",
        "log10 of ‖W‖²/‖W₀‖² at equal cost, ceiling 1 − ceiling 3, paired",
        mean,
        more("clipped_relu", "clipped_relu(ceiling=3)", at_least=0),
        sweep="saturation_ceiling",
    ),
    Claim(
        "sigmoid_grows_weights",
        "Sigmoid has grown larger weights than ReLU.",
        "log10 of ‖W‖²/‖W₀‖² at equal cost, sigmoid − relu, paired",
        mean,
        more("sigmoid", "relu", at_least=0),
        sweep="saturation",
    ),
    Claim(
        "because_it_saturates",
        "The story says that this growth is due to its saturating: with slope 1 and mean 0 over half of it is left.",
        "share of the growth beyond ReLU's that is left",
        mean,
        owed_to_saturating,
        sweep="saturation",
        often_said=True,
    ),
)
