"""Whether a unit that dies under training stays dead, and how often Step is 1 while a network learns.

A unit is dead where it passes no gradient for any row that trains. The first layer's inputs do not change, so there a
dead unit stays dead; above it the inputs move on, and may wake it.
"""

import pandas as pd

from harness.results.training.tuning import of_tuned, scheduled, tuned
from harness.study.claims import Case, Claim, mean

SENTENCE = "A ReLU that died stays dead; and Step is 1 often enough for deep networks to learn."
FIGURES = ("unit_lives", "layers_over_steps")
SWEEPS = {
    "deaths": (
        "network.depth=8",
        "replicates=6",
        "training.learning_rate=[0.01, 0.03, 0.1]",
        "training.steps=150",
        "training.record.times=15",
    )
}


OFTEN = 0.25  # of units and samples; half of them at birth


def revived(first, at_most):
    """Revivals per unit that was born dead or died, over all hidden layers and recipes of a draw."""

    def cases(results):
        layers = results.step_layers
        layers = layers[layers["reached"].isna() & layers["born"].notna()]
        layers = layers[(layers["layer"] == 1) == first]
        last = layers.sort_values("step").groupby([layers["run"].astype(str), "layer"]).tail(1)
        for depth, rows in last.groupby("depth"):
            sums = rows.groupby("replicate")[["born", "died", "revived"]].sum()
            yield Case(f"depth {depth}", sums["revived"] / (sums["born"] + sums["died"]), at_most=at_most)

    return cases


def often_one(results):
    """The mean of Step over hidden layers, at the learning rate with the least validation cost."""
    chosen = tuned(results.steps)
    layers = of_tuned(scheduled(results.step_layers), chosen)
    layers = layers[layers["layer"] < layers["depth"]].astype({"optimiser": str})
    slopes = layers.groupby(["optimiser", "depth", "replicate"])["slope_mean"].mean()
    for (optimiser, depth), values in slopes.groupby(level=["optimiser", "depth"]):
        yield Case(f"{optimiser}, depth {depth}", pd.Series(values.to_numpy()), at_least=OFTEN)


CLAIMS = (
    Claim(
        "stays_dead",
        "The story says that a unit that died stays dead: above the first layer, under a tenth revive.",
        "revivals over births and deaths of dead units, layers above the first",
        mean,
        revived(False, 0.1),
        often_said=True,
    ),
    Claim(
        "step_is_one_often_enough",
        "At tuned learning rates Step is 1 for more than a quarter of the units and samples.",
        "mean of Step over hidden layers",
        mean,
        often_one,
    ),
)
