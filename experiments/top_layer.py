"""What becomes of the top hidden layer of a sigmoid network under SGD (Glorot & Bengio 2010, figure 2).

The output layer learns first and finds nothing in the top hidden layer to tell classes apart, so it pushes that layer's
outputs towards 0, where they saturate. The lower layers, whose gradient passes through it, take long to free it.
"""

from harness.results.training.tuning import scheduled
from harness.study.claims import Case, Claim, every
from harness.study.selection import draw_groups

SENTENCE = (
    "The top hidden layer of a sigmoid network falls to 0; with 3 and 4 hidden layers it escapes, with 5 it does not."
)
FIGURES = ("fall_and_escape", "layers_over_steps", "update_ratio")
SWEEPS = {"top_layer": ("replicates=3",)}

FALLEN = 0.15
ESCAPED = 0.1  # above the lowest mean


def courses(results):
    """For each number of hidden layers, the mean output of the top one: of each draw (rows) at each step."""
    layers = results.step_layers
    top = layers[(layers["layer"] == layers["depth"] - 1) & layers["reached"].isna()]
    for _, (depth,), rows in draw_groups(top, "depth"):
        means = rows.astype({"run": str}).pivot(index="run", columns="step", values="mean_outputs")
        yield f"{depth - 1} hidden layers", means.sort_index(axis=1)


def falls(results):
    for where, means in courses(results):
        yield Case(where, means.min(axis=1), at_most=FALLEN)


def rises(**band):
    """How far the mean is above its lowest at the last step."""

    def cases(results):
        for where, means in courses(results):
            yield Case(where, means.iloc[:, -1] - means.min(axis=1), **band)

    return cases


def learns(**band):
    """The accuracy on the test rows at the last step."""

    def cases(results):
        for _, (depth,), rows in draw_groups(scheduled(results.steps), "depth"):
            yield Case(f"{depth - 1} hidden layers", rows["accuracy_test"], **band)

    return cases


SIGMOID, SHALLOW, DEEP = "activation == 'sigmoid'", "depth in [4, 5]", "depth == 6"
CLAIMS = (
    Claim(
        "falls",
        "The mean output of the top hidden layer falls from a half to below 0.15.",
        "lowest mean output of the top hidden layer, of each draw",
        every,
        falls,
        scope=(SIGMOID, "depth >= 4"),
    ),
    Claim(
        "escapes",
        "With 3 and 4 hidden layers it rises again.",
        "rise above its lowest, of each draw",
        every,
        rises(at_least=ESCAPED),
        scope=(SIGMOID, SHALLOW),
    ),
    Claim(
        "then_learns",
        "Those networks have begun to learn: three times as many rows are right as by guessing.",
        "accuracy on test rows, of each draw",
        every,
        learns(at_least=0.3),
        scope=(SIGMOID, SHALLOW),
    ),
    Claim(
        "does_not_escape",
        "With 5 hidden layers it stays where it fell, for all steps of the sweep.",
        "rise above its lowest, of each draw",
        every,
        rises(at_most=ESCAPED),
        scope=(SIGMOID, DEEP),
    ),
)
