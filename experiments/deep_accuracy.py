"""Whether ReLU learns where sigmoid cannot, and whether it beats tanh, at learning rates tuned for each draw."""

from harness.results.training.tuning import note_of_ends, paired, scheduled, tuned
from harness.study.claims import Case, Claim, mean, near

SENTENCE = "ReLU learns in deep networks in which sigmoid learns nothing, and it learns better there than tanh."
FIGURES = ("accuracy_against_depth", "layers_over_steps", "norm_ledger", "update_ratio", "unit_lives")
SWEEPS = {
    "deep_accuracy": ("network.depth=8", "training.steps=200", "training.record.times=5"),
    "deep_accuracy_shallow": ("training.record.times=2",),
    "deep_accuracy_long": ("training.steps=800", "training.record.times=2"),
}

# Of accuracy, of which guessing one class of ten has 0.1: a clear advantage, and one that would be worth a word.
CLEAR, WORTH = 0.3, 0.1
EARLY = 50  # steps; an epoch is as many


def advantage(other, step=None, **band):
    """Differences in accuracy between ReLU and another activation, paired by draw, at each depth."""

    def cases(results):
        steps = results.steps
        rows = steps if step is None else scheduled(steps, step)
        for depth, chosen in tuned(rows).groupby("depth"):
            names = chosen["activation"].astype(str)
            if {"relu", other} <= set(names):
                both = chosen[names.isin(("relu", other))]
                values = paired(both, "accuracy_test", "activation", "relu", other)
                yield Case(f"depth {depth}", values, note=note_of_ends(both), **band)

    return cases


DEEP = ("depth >= 8",)
AGAINST_SIGMOID, AGAINST_TANH = (f"accuracy on test rows, ReLU − {other}, paired" for other in ("sigmoid", "tanh"))
CLAIMS = (
    Claim(
        "relu_learns_where_sigmoid_cannot",
        "From 8 layers ReLU learns what sigmoid does not.",
        AGAINST_SIGMOID,
        mean,
        advantage("sigmoid", at_least=CLEAR),
        sweep="deep_accuracy",
        scope=DEEP,
    ),
    Claim(
        "relu_beats_tanh",
        "The story says that ReLU beats tanh in deep networks, as it beats sigmoid.",
        AGAINST_TANH,
        mean,
        advantage("tanh", at_least=WORTH),
        sweep="deep_accuracy",
        scope=DEEP,
        often_said=True,
    ),
    Claim(
        "behind_tanh_at_first",
        f"After {EARLY} steps ReLU is behind tanh.",
        f"{AGAINST_TANH}, at rates tuned for {EARLY} steps",
        mean,
        advantage("tanh", EARLY, at_most=0),
        sweep="deep_accuracy",
        scope=DEEP,
    ),
    Claim(
        "level_with_tanh",
        "In the end 8 layers of either are level.",
        AGAINST_TANH,
        mean,
        advantage("tanh", **near(0, WORTH)),
        sweep="deep_accuracy_long",
        scope=("depth == 8",),
    ),
    Claim(
        "level_with_sigmoid_when_shallow",
        "With 4 layers ReLU and sigmoid are level.",
        AGAINST_SIGMOID,
        mean,
        advantage("sigmoid", **near(0, WORTH)),
        sweep="deep_accuracy_shallow",
        scope=("depth == 4",),
    ),
)
