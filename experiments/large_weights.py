"""Whether large weights are poor solutions that SGD avoids: costs of doubled weights, and where the gradient points.

norm_flow is Σ 2⟨W, u⟩ over the steps: below 0 the direction of descent points inward, above 0 outward.
"""

import numpy as np

from harness.engine.walk import walk
from harness.networks.activations import ACTIVATIONS
from harness.networks.spec import activation_of
from harness.results.training.tuning import known, note_of_ends, scheduled, tuned
from harness.study.claims import Case, Claim, every
from harness.study.selection import draw_groups

SENTENCE = (
    "Large weights are poor solutions: twice the weights of a trained network cost more, descent leads back from them "
    "with ReLU but not with activations that saturate, and from there ReLU diverges where sigmoid does not."
)
FIGURES = ("norm_ledger", "update_ratio")
SWEEPS = {
    "large_weights": (
        "replicates=4",
        "training.learning_rate=[0.003, 0.03, 0.3, 1, 3, 10]",
        "training.record.times=2",
    ),
    "large_weights_fitted": ("replicates=4", "training.record.times=2"),
    "large_weights_squared": ("replicates=4", "training.steps=300", "training.record.times=2"),
}

DIVERGED = 2  # decades of ‖W‖²
RATE = 1.0  # between the tuned rates of tanh and sigmoid


def doubled(results):
    """log10 of C(2θ)/C(θ) on the rows that train, of each draw at its tuned rate; θ: all weights and biases."""
    for where, _, rows in draw_groups(tuned(results.steps), "activation", "weight_scale"):
        costs = [_cost_of_doubling(results, *run) for run in zip(rows["run"], rows["step"], strict=True)]
        yield Case(where, known(rows.assign(cost=costs), "cost")["cost"], at_least=0, note=note_of_ends(rows))


def _cost_of_doubling(results, run, step):
    network, cost = results.build(str(run), int(step)), results.sweep.cost
    hidden = activation_of(network.spec.activation)
    activations = [hidden] * (network.spec.depth - 1) + [ACTIVATIONS["linear"]()]
    costs = []
    for factor in (1, 2):
        weights, biases = ([factor * p for p in ps] for ps in (network.weights, network.biases))
        costs.append(walk(weights, biases, network.inputs, network.targets, activations, cost).log10_cost.item())
    return costs[1] - costs[0]


def norms(results):
    """norm_flow and norm_step of all layers of each run, over ‖W_0‖², by run."""
    layers = results.step_layers.astype({"run": str})
    start = (100.0 ** scheduled(layers, 0).set_index("run")["log10_norm_weights"]).groupby(level=0).sum()
    sums = scheduled(layers).groupby("run")[["norm_flow", "norm_step"]].sum(min_count=1)
    return sums.div(start, axis=0)


def at_tuned_rates(value, **band):
    """A function of the columns of `norms`, of each draw at its tuned rate; NaN where that lies at an end."""

    def cases(results):
        sums = norms(results)
        for where, _, rows in draw_groups(tuned(results.steps), "activation", "weight_scale"):
            values = value(sums.loc[rows["run"].astype(str)]).to_numpy()
            yield Case(where, known(rows.assign(value=values), "value")["value"], note=note_of_ends(rows), **band)

    return cases


def flow(sums):
    return sums["norm_flow"]


def growth_by_size(sums):
    """What the size of the steps adds to ‖W‖², over what their direction takes away."""
    return sums["norm_step"] / -sums["norm_flow"]


def growth(**band):
    """Decades by which ‖W‖² has grown at one rate; ∞ where the run left the number format."""

    def cases(results):
        last = scheduled(results.steps)
        last = last[last["learning_rate"] == RATE]
        last = last.merge(scheduled(results.steps, 0)[["run", "log10_norm_weights"]], on="run", suffixes=("", "_0"))
        for where, _, rows in draw_groups(last, "activation", "weight_scale"):
            grown = 2 * (rows["log10_norm_weights"] - rows["log10_norm_weights_0"])
            yield Case(where, grown.fillna(np.inf), **band)

    return cases


RELU, TWICE = "activation == 'relu'", "weight_scale == 2"
FLOW = "Σ 2⟨W, u⟩ / ‖W₀‖² of each draw, at its tuned rate"
CLAIMS = (
    Claim(
        "doubled_squared",
        "Under the squared cost, twice the weights of a trained ReLU network cost more.",
        "log10 of C(2θ)/C(θ) of each draw",
        every,
        doubled,
        sweep="large_weights_squared",
        scope=(RELU, "cost == 'squared'", "weight_scale == 1"),
    ),
    Claim(
        "doubled_fitted",
        "The story says that large weights are poor solutions: under cross-entropy, to a network that has learnt its "
        "rows, too.",
        "log10 of C(2θ)/C(θ) of each draw",
        every,
        doubled,
        sweep="large_weights_fitted",
        scope=(RELU, "cost == 'cross_entropy'", "weight_scale == 1"),
        often_said=True,
    ),
    Claim(
        "outward_when_fitted",
        "There growing is the direction of descent.",
        FLOW,
        every,
        at_tuned_rates(flow, at_least=0),
        sweep="large_weights_fitted",
        scope=(RELU, "cost == 'cross_entropy'", "weight_scale == 1"),
    ),
    Claim(
        "inward_for_relu",
        "From twice the usual weights, descent points inward for ReLU.",
        FLOW,
        every,
        at_tuned_rates(flow, at_most=0),
        sweep="large_weights",
        scope=(RELU, TWICE),
    ),
    Claim(
        "relu_grows_all_the_same",
        "The story goes on that ReLU's norm grows all the same, by the size of the steps.",
        "Σ ‖u‖² over −Σ 2⟨W, u⟩ of each draw, at its tuned rate",
        every,
        at_tuned_rates(growth_by_size, at_least=1),
        sweep="large_weights",
        scope=(RELU, TWICE),
        often_said=True,
    ),
    Claim(
        "outward_for_saturating",
        "It points outward for activations that saturate.",
        FLOW,
        every,
        at_tuned_rates(flow, at_least=0),
        sweep="large_weights",
        scope=("activation != 'relu'", TWICE),
    ),
    Claim(
        "relu_diverges",
        "From there and at a learning rate of 1 ReLU diverges: ‖W‖² grows by two decades or more.",
        "decades of ‖W‖² gained by each draw",
        every,
        growth(at_least=DIVERGED),
        sweep="large_weights",
        scope=(RELU, TWICE),
    ),
    Claim(
        "sigmoid_does_not",
        "Sigmoid does not.",
        "decades of ‖W‖² gained by each draw",
        every,
        growth(at_most=DIVERGED),
        sweep="large_weights",
        scope=("activation == 'sigmoid'", TWICE),
    ),
)
