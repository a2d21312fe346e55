"""Whether He's initialisation trains 22 and 30 layers of ReLU, and what becomes of them from Xavier's.

For square layers Xavier's variance is 1/width, half of He's: a gradient loses a factor √2 at every layer. He et al.
(2015, § 2.2, figures 2 and 3) saw 22 layers learn later from Xavier's initialisation, and 30 layers not at all.
"""

from harness.results.training.tuning import best_over_rates, known, note_of_ends, paired, tuned
from harness.study.claims import Case, Claim, every
from harness.study.selection import draw_groups

SENTENCE = (
    "From He's initialisation 22 and 30 layers of ReLU learn; from Xavier's 22 lag behind and 30 stall at guessing."
)
FIGURES = ("update_ratio", "layers_over_steps", "accuracy_against_depth")
SWEEPS = {
    "he_against_xavier": (
        "network.depth=30",
        "replicates=2",
        "training.learning_rate=[0.0003, 0.001, 0.003, 0.01, 0.03]",
        "training.steps=800",
        "training.record.times=2",
    )
}

LEARNS, GUESSES = 0.2, 0.15  # of the test rows are right; guessing one class of ten is right for 0.1
AHEAD = 0.1  # of accuracy


def learns(results):
    """The accuracy of each draw at its tuned rate, NaN where that lies at an end of the axis."""
    for where, _, rows in draw_groups(tuned(results.steps), "depth", "init"):
        yield Case(where, known(rows, "accuracy_test")["accuracy_test"], at_least=LEARNS, note=note_of_ends(rows))


def ahead(results):
    """Differences in accuracy between the two initialisations, paired by draw, at each depth."""
    for depth, rows in tuned(results.steps).groupby("depth"):
        if rows["init"].nunique() == 2:
            values = paired(rows, "accuracy_test", "init", "he_normal", "xavier_normal")
            yield Case(f"depth {depth}", values, at_least=AHEAD, note=note_of_ends(rows))


def stalls(results):
    """The best accuracy of each draw over all rates."""
    for where, _, rows in draw_groups(best_over_rates(results.steps, "accuracy_test"), "depth", "init"):
        yield Case(where, rows["accuracy_test"], at_most=GUESSES, note=note_of_ends(rows))


RELU = "activation == 'relu'"
CLAIMS = (
    Claim(
        "he_learns",
        "From He's initialisation 22 and 30 layers learn.",
        "accuracy of each draw on test rows, at its tuned rate",
        every,
        learns,
        scope=(RELU, "depth >= 22", "init == 'he_normal'"),
    ),
    Claim(
        "he_is_ahead",
        "They are ahead of those from Xavier's after as many steps.",
        "accuracy on test rows, He − Xavier, of each draw",
        every,
        ahead,
        scope=(RELU, "depth >= 22"),
    ),
    Claim(
        "xavier_stalls",
        "From Xavier's 30 layers are no better than guessing after as many steps.",
        "best accuracy of each draw on test rows, over all rates",
        every,
        stalls,
        scope=(RELU, "depth >= 30", "init == 'xavier_normal'"),
    ),
)
