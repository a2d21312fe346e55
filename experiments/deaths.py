"""Whether a unit that dies under training stays dead, and how often Step is 1 while a network learns.

A unit is dead where it passes no gradient for any row that trains. Above the first layer its inputs move on, and may
wake it. In the first layer they do not change, and under SGD a dead unit stays dead there, but hardly one dies.
"""

from harness.results.training.tuning import note_of_ends, of_tuned, scheduled, tuned
from harness.study.claims import Case, Claim, mean

SENTENCE = "A ReLU that died stays dead; and Step is 1 often enough for deep networks to learn."
FIGURES = ("unit_lives", "layers_over_steps")
SWEEPS = {
    "deaths": (
        "network.depth=8",
        "replicates=10",
        "training.optimiser=sgd",
        "training.learning_rate=[0.01, 0.03, 0.1, 0.3, 1]",
        "training.steps=150",
        "training.record.times=10",
    )
}

OFTEN = 0.3  # of units and samples; half of them at birth
RARE = 0.1  # of dead units


def hidden_layers(results, *by):
    """(name, rows of hidden layers at the end of the tuned runs, whether a rate lies at an end by draw, note)."""
    chosen = tuned(results.steps).astype({"optimiser": str})
    layers = scheduled(results.step_layers)
    layers = layers[layers["layer"] < layers["depth"]]
    for key, runs in chosen.groupby(list(by)):
        where = ", ".join(f"{name} {value}" for name, value in zip(by, key, strict=True))
        yield where, of_tuned(layers, runs), runs.groupby("replicate")["at_end"].any(), note_of_ends(runs)


def stays_dead(results):
    """Revivals per unit that was born dead or died, over the layers above the first and all optimisers of a draw."""
    for where, rows, at_end, note in hidden_layers(results, "depth"):
        sums = rows[rows["layer"] > 1].groupby("replicate")[["born", "died", "revived"]].sum()
        yield Case(where, (sums["revived"] / (sums["born"] + sums["died"])).mask(at_end), at_most=RARE, note=note)


def often_one(results):
    """The mean of Step over hidden layers."""
    for where, rows, at_end, note in hidden_layers(results, "optimiser", "depth"):
        yield Case(where, rows.groupby("replicate")["slope_mean"].mean().mask(at_end), at_least=OFTEN, note=note)


CLAIMS = (
    Claim(
        "stays_dead",
        "The story says that a unit that died stays dead: above the first layer, under a tenth revive.",
        "revivals over units born dead or dying, layers above the first, at tuned rates",
        mean,
        stays_dead,
        often_said=True,
    ),
    Claim(
        "step_is_one_often_enough",
        "At tuned learning rates Step is 1 for more than 0.3 of the units and samples.",
        "mean of Step over hidden layers, at tuned rates",
        mean,
        often_one,
    ),
)
