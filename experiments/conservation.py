"""Where the growth of the weights comes from, and what SGD conserves while they grow.

For the updates u of any optimiser ‖W_T‖² = ‖W_0‖² + Σ 2⟨W, u⟩ + Σ ‖u‖². Under SGD the first sum is the same for the
weights and biases into a layer of homogeneous units as for the weights out of it, at every learning rate: the
difference of their squared norms changes by that of the steps' sizes alone.
"""

from harness.results.training.tuning import scheduled
from harness.study.claims import Case, Claim, every

SENTENCE = (
    "Under SGD and a positively homogeneous activation, the squared norms of neighbouring layers differ by what the "
    "sizes of the steps make of it, at every learning rate and with clipping."
)
FIGURES = ("norm_ledger", "update_ratio", "layers_over_steps")
SWEEPS = {"conservation": ("replicates=3", "training.steps=60", "training.learning_rate=0.03", "network.depth=4")}

HOMOGENEOUS = ("relu", "linear", "leaky_relu")
# A few hundred steps round sums of squares near 1 to some 1e-14; a gradient 10^-4 too large in one layer makes 5e-6.
ROUNDING = {"float64": 1e-12, "float32": 1e-4}
SEEN = 1e-6


def runs_of(results, homogeneous, optimisers):
    """The largest residual of each run, grouped by activation and optimiser."""
    layers = scheduled(results.step_layers)
    layers = layers[layers["layer"] < layers["depth"]]
    residual = layers.assign(size=layers["balance_residual"].astype(float).abs())
    by = ["activation", "optimiser", "run"]
    largest = residual.astype(dict.fromkeys(by, str)).groupby(by, sort=False)["size"].max().dropna()  # not diverged
    for (activation, optimiser), values in largest.groupby(level=by[:2], sort=False):
        if (activation.split("(")[0] in HOMOGENEOUS) == homogeneous and optimiser in optimisers:
            yield f"{activation}, {optimiser}", values.to_numpy()


def conserved(results):
    bound = ROUNDING[results.sweep.dtype]
    for where, values in runs_of(results, True, ("sgd",)):
        yield Case(where, values, at_most=bound)


def not_by_other_optimisers(results):
    for where, values in runs_of(results, True, ("momentum", "adam")):
        yield Case(where, values, at_least=SEEN)


def not_by_other_activations(results):
    for where, values in runs_of(results, False, ("sgd",)):
        yield Case(where, values, at_least=SEEN)


def ledger(results):
    """What the ledger leaves open, relative to ‖W_T‖², of every run and layer."""
    layers = results.step_layers
    first, last = (scheduled(layers, step).set_index(["run", "layer"]) for step in (0, layers["step"].max()))
    squares = 100.0 ** last["log10_norm_weights"]
    change = squares - 100.0 ** first["log10_norm_weights"]
    open_ = ((change - last["norm_flow"] - last["norm_step"]) / squares).abs()
    for optimiser, values in open_.groupby(last["optimiser"].astype(str), sort=False):
        yield Case(optimiser, values.dropna(), at_most=ROUNDING[results.sweep.dtype])


CLAIMS = (
    Claim(
        "conserved",
        "SGD conserves the balance of homogeneous layers.",
        "largest residual over ‖W‖² of each run",
        every,
        conserved,
        by_construction=True,
    ),
    Claim(
        "not_by_other_optimisers",
        "Momentum and Adam do not.",
        "largest residual over ‖W‖² of each run",
        every,
        not_by_other_optimisers,
    ),
    Claim(
        "not_by_other_activations",
        "SGD does not conserve it for tanh and sigmoid.",
        "largest residual over ‖W‖² of each run",
        every,
        not_by_other_activations,
    ),
    Claim(
        "ledger",
        "‖W_T‖² = ‖W_0‖² + Σ 2⟨W, u⟩ + Σ ‖u‖² for every optimiser.",
        "what is left open, over ‖W_T‖²",
        every,
        ledger,
        by_construction=True,
    ),
)
