"""Where the growth of the weights comes from, and what SGD conserves while they grow.

For the updates u of any optimiser ‖W_T‖² = ‖W_0‖² + Σ 2⟨W, u⟩ + Σ ‖u‖². Under SGD the first sum is the same for the
weights and biases into a layer of homogeneous units as for the weights out of it, at every learning rate: the
difference of their squared norms changes by that of the steps' sizes alone. The same holds for the weights and the bias
into each unit and the weights out of it.
"""

import numpy as np

from harness.results.training.tuning import scheduled
from harness.study.claims import Case, Claim, every

SENTENCE = (
    "Under SGD and a positively homogeneous activation, the squared norms of neighbouring layers differ by what the "
    "sizes of the steps make of it, at every learning rate and with clipping."
)
FIGURES = ("norm_ledger", "update_ratio", "layers_over_steps")
SWEEPS = {"conservation": ("replicates=2", "training.steps=60", "network.depth=4")}

HOMOGENEOUS = ("relu", "linear", "leaky_relu")
# A few hundred steps round sums of squares near 1 to some 1e-14; a gradient 10^-4 too large in one layer makes 5e-6.
ROUNDING = {"float64": 1e-12, "float32": 1e-4}
SEEN = 1e-6
STEP = 10  # in which units are looked at one by one; any other would do


def runs_of(results, homogeneous, optimisers):
    """(name, the last rows of layers with one above, the note on runs left out) of each activation and optimiser."""
    layers = scheduled(results.step_layers).astype({"activation": str, "optimiser": str, "run": str})
    layers = layers[layers["layer"] < layers["depth"]]
    for (activation, optimiser), rows in layers.groupby(["activation", "optimiser"], sort=False):
        if (activation.split("(")[0] in HOMOGENEOUS) == homogeneous and optimiser in optimisers:
            known = rows[rows["balance_residual"].notna()]
            lost = rows["run"].nunique() - known["run"].nunique()
            yield f"{activation}, {optimiser}", known, diverged(lost)


def diverged(runs):
    return f"without {runs} runs that diverged" if runs else ""


def largest(rows):
    """The largest residual of each run."""
    return rows["balance_residual"].astype(float).abs().groupby(rows["run"], sort=False).max().to_numpy()


def conserved(results):
    bound = ROUNDING[results.sweep.dtype]
    for where, rows, note in runs_of(results, True, ("sgd",)):
        yield Case(where, largest(rows), at_most=bound, note=note)


def conserved_by_unit(results):
    bound = ROUNDING[results.sweep.dtype]
    for where, rows, note in runs_of(results, True, ("sgd",)):
        yield Case(where, [_largest_of_units(results, run) for run in rows["run"].unique()], at_most=bound, note=note)


def _largest_of_units(results, run):
    """The largest residual of a unit in one step, over the squared norm of its weights: both sides are of that unit."""
    before, after = (results.build(run, step) for step in (STEP - 1, STEP))
    worst = 0.0
    for k in range(before.spec.depth - 1):
        into = np.vstack([before.weights[k], before.biases[k]]), np.vstack([after.weights[k], after.biases[k]])
        out = before.weights[k + 1].T, after.weights[k + 1].T
        change, size = gained(*into) - gained(*out), moved(*into) - moved(*out)
        worst = max(worst, float(np.max(np.abs(change - size) / np.square(before.weights[k]).sum(axis=0))))
    return worst


def gained(before, after):
    """Δ‖·‖² of each column."""
    return (np.square(after) - np.square(before)).sum(axis=0)


def moved(before, after):
    """‖u‖² of each column."""
    return np.square(after - before).sum(axis=0)


def not_by_other_optimisers(results):
    for where, rows, note in runs_of(results, True, ("momentum", "adam")):
        yield Case(where, largest(rows), at_least=SEEN, note=note)


def not_by_other_activations(results):
    for where, rows, note in runs_of(results, False, ("sgd",)):
        yield Case(where, largest(rows), at_least=SEEN, note=note)


def ledger(results):
    """What the ledger leaves open, relative to ‖W_T‖², of every run and layer."""
    layers = results.step_layers
    first, last = (scheduled(layers, step).set_index(["run", "layer"]) for step in (0, layers["step"].max()))
    squares = 100.0 ** last["log10_norm_weights"]
    change = squares - 100.0 ** first["log10_norm_weights"]
    open_ = ((change - last["norm_flow"] - last["norm_step"]) / squares).abs()
    for optimiser, values in open_.groupby(last["optimiser"].astype(str), sort=False):
        lost = int(values.isna().groupby(level="run").any().sum())
        yield Case(optimiser, values.dropna(), at_most=ROUNDING[results.sweep.dtype], note=diverged(lost))


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
        "conserved_by_unit",
        "It conserves that of every unit.",
        f"largest residual of a unit in step {STEP}, of each run",
        every,
        conserved_by_unit,
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
