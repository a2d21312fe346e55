"""Whether ReLU learns where sigmoid cannot, and whether it beats tanh, at learning rates tuned for each draw."""

from harness.results.training.tuning import paired, tuned
from harness.study.claims import Case, Claim, mean

SENTENCE = "ReLU learns in deep networks in which sigmoid learns nothing, and it learns better there than tanh."
FIGURES = ("accuracy_against_depth", "layers_over_steps", "norm_ledger", "update_ratio", "unit_lives")
SWEEPS = {
    "deep_accuracy": (
        "network.depth=8",
        "training.learning_rate=[0.01, 0.03, 0.1, 0.3, 1]",
        "training.steps=300",
        "training.record.times=4",
    )
}

DEEP = ("depth >= 8",)
CLEAR = 0.3  # of accuracy; guessing one class of ten is right for 0.1


def advantage(other, at_least):
    """Differences in accuracy between ReLU and another activation, paired by draw, at each depth."""

    def cases(results):
        for depth, rows in tuned(results.steps).groupby("depth"):
            names = set(rows["activation"].astype(str))
            if {"relu", other} <= names:
                values = paired(rows, "accuracy_test", "activation", "relu", other)
                note = f"{int(rows['at_end'].sum())} best rates at an end of the axis" if rows["at_end"].any() else ""
                yield Case(f"depth {depth}", values, at_least=at_least, note=note)

    return cases


CLAIMS = (
    Claim(
        "relu_learns_where_sigmoid_cannot",
        "From 8 layers ReLU learns what sigmoid does not.",
        "accuracy on test rows, ReLU − sigmoid, paired",
        mean,
        advantage("sigmoid", CLEAR),
        scope=DEEP,
    ),
    Claim(
        "relu_beats_tanh",
        "The story says that ReLU beats tanh in deep networks, as it beats sigmoid.",
        "accuracy on test rows, ReLU − tanh, paired",
        mean,
        advantage("tanh", CLEAR),
        scope=DEEP,
        often_said=True,
    ),
)
