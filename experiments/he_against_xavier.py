"""Whether He's initialisation trains 22 and 30 layers of ReLU, with which Xavier's stalls (He et al. 2015, § 2.2).

For square layers Xavier's variance is 1/width, half of He's: a gradient loses a factor √2 at every layer.
"""

from harness.results.training.tuning import scheduled, tuned
from harness.study.claims import Case, Claim, every
from harness.study.selection import draw_groups

SENTENCE = "From He's initialisation 22 and 30 layers of ReLU learn; from Xavier's they stall at guessing."
FIGURES = ("update_ratio", "layers_over_steps", "accuracy_against_depth")
SWEEPS = {
    "he_against_xavier": (
        "network.depth=22",
        "replicates=4",
        "training.learning_rate=[0.0003, 0.003, 0.01, 0.1]",
        "training.steps=300",
        "training.record.times=3",
    )
}

LEARNS, GUESSES = 0.2, 0.15  # of the test rows are right; guessing one class of ten is right for 0.1


def learns(results):
    """The accuracy of each draw at its tuned rate, NaN where that lies at an end of the axis."""
    for where, _, rows in draw_groups(tuned(results.steps), "depth", "init"):
        note = f"{int(rows['at_end'].sum())} best rates at an end of the axis" if rows["at_end"].any() else ""
        yield Case(where, rows["accuracy_test"].where(~rows["at_end"]), at_least=LEARNS, note=note)


def stalls(results):
    """The best accuracy of each draw over all rates."""
    last = scheduled(results.steps).fillna({"accuracy_test": 0.0}).astype({"network": str})  # 0: diverged
    best = last.sort_values("accuracy_test").groupby("network").tail(1)
    for where, _, rows in draw_groups(best, "depth", "init"):
        yield Case(where, rows["accuracy_test"], at_most=GUESSES)


RELU = ("activation == 'relu'", "depth >= 22")
CLAIMS = (
    Claim(
        "he_learns",
        "From He's initialisation they learn.",
        "accuracy of each draw on test rows, at its tuned rate",
        every,
        learns,
        scope=(*RELU, "init == 'he_normal'"),
    ),
    Claim(
        "xavier_stalls",
        "From Xavier's they are no better than guessing after as many steps.",
        "best accuracy of each draw on test rows, over all rates",
        every,
        stalls,
        scope=(*RELU, "init == 'xavier_normal'"),
    ),
)
