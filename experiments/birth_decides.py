"""Whether the attenuation of a network at birth decides if it trains."""

import numpy as np

from harness.results.training.tuning import known, note_of_ends, tuned
from harness.study.claims import Case, Claim, every, mean
from harness.study.selection import draw_groups

SENTENCE = "A gradient that loses three decades at birth does not train in 300 steps; one kept within a decade does."
FIGURES = ("cost_at_birth", "layers_over_steps", "update_ratio")
SWEEPS = {"birth_decides": ("replicates=10", "training.learning_rate=[0.01, 0.03, 0.1, 1]", "training.record.times=2")}

LOST, KEPT = -3, 1  # decades
GUESSING = np.log10(np.log(10))  # log10 of the cross-entropy of guessing one class of ten
NOTHING, HALF = np.log10(0.9), np.log10(0.5)  # of that cost, left where hardly anything and where half is learnt


def at_birth(results, holds, **band):
    """Cases of networks by their attenuation at birth: log10 of the cost at the tuned rate over that of guessing."""
    birth = results.steps[results.steps["step"] == 0].astype({"run": str}).set_index("run")["log10_gradient_gain"]
    chosen = tuned(results.steps)
    chosen = chosen[holds(birth.loc[chosen["run"].astype(str)].to_numpy())]
    for where, _, rows in draw_groups(chosen, "activation", "init", "weight_scale"):
        yield Case(
            where, known(rows, "log10_cost_probe")["log10_cost_probe"] - GUESSING, note=note_of_ends(rows), **band
        )


def lost(results):
    return at_birth(results, lambda born: born <= LOST, at_least=NOTHING)


def kept(left):
    return lambda results: at_birth(results, lambda born: np.abs(born) <= KEPT, at_most=left)


COST = "log10 of the cost on the probe over that of guessing"
CLAIMS = (
    Claim(
        "lost_does_not_train",
        "A network whose gradient loses three decades or more at birth does not train: over 0.9 of the cost is left.",
        f"{COST}, of each draw",
        every,
        lost,
    ),
    Claim(
        "kept_trains",
        "A gradient of ReLU or tanh that is kept within a decade at birth trains: under 0.9 of the cost is left.",
        f"{COST}, of each draw",
        every,
        kept(NOTHING),
        scope=("activation != 'sigmoid'",),
    ),
    Claim(
        "kept_trains_at_the_edge",
        "The story says that what is kept within a decade trains: sigmoid at its edge learns half of the cost, too.",
        COST,
        mean,
        kept(HALF),
        scope=("activation == 'sigmoid'",),
        often_said=True,
    ),
)
