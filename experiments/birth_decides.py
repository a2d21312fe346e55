"""Whether the attenuation of a network at birth decides if it trains."""

import numpy as np

from harness.results.training.tuning import tuned
from harness.study.claims import Case, Claim, mean
from harness.study.selection import draw_groups

SENTENCE = "A gradient that loses three decades at birth does not train in 300 steps; one kept within a decade does."
FIGURES = ("cost_at_birth", "layers_over_steps", "update_ratio")
SWEEPS = {"birth_decides": ("replicates=5",)}

LOST, KEPT = -3, 1  # decades
GUESSING = np.log(10)  # cross-entropy of guessing one class of ten
UNLEARNT, LEARNT = np.log10(0.9), np.log10(0.25)  # of that cost, left at the end


def at_birth(results, holds):
    """Networks by their attenuation at birth: log10 of the cost at the tuned rate over that of guessing."""
    birth = results.steps[results.steps["step"] == 0].astype({"run": str}).set_index("run")["log10_gradient_gain"]
    chosen = tuned(results.steps)
    chosen = chosen[holds(birth.loc[chosen["run"].astype(str)].to_numpy())]
    for where, _, rows in draw_groups(chosen, "activation", "init", "weight_scale"):
        yield where, rows["log10_cost_probe"] - np.log10(GUESSING)


def lost(results):
    for where, values in at_birth(results, lambda born: born <= LOST):
        yield Case(where, values, at_least=UNLEARNT)


def kept(results):
    for where, values in at_birth(results, lambda born: np.abs(born) <= KEPT):
        yield Case(where, values, at_most=LEARNT)


CLAIMS = (
    Claim(
        "lost_does_not_train",
        "A network whose gradient loses three decades or more at birth does not train.",
        "log10 of the cost on the probe over that of guessing",
        mean,
        lost,
    ),
    Claim(
        "kept_trains",
        "The story says that a gradient kept within a decade at birth trains, at sigmoid's edge too.",
        "log10 of the cost on the probe over that of guessing",
        mean,
        kept,
        scope=("activation == 'sigmoid'",),
        often_said=True,
    ),
)
