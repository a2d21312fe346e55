"""Networks for tests: drawn ones through the very path that a sweep takes, given ones through the equations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from threadpoolctl import ThreadpoolController

from harness.base.scaled import Scaled
from harness.engine.lanes.groups import Block, Settings
from harness.engine.lanes.records import OK
from harness.engine.measures import IN_RMS_OUTPUTS, MEASURES
from harness.engine.walk import Walk, walk
from harness.execution.block import run_block
from harness.networks.activations import ACTIVATIONS, SATURATED, Activation
from harness.networks.data import DataSpec, draw_batch
from harness.networks.draws import draw_parameters
from harness.networks.remedies.unit_variance import MOST
from harness.networks.spec import Choice, NetworkSpec, activation_labelled, activation_of

# Every activation with its defaults, and those whose parameters change a piece of code.
CHOICES = [
    *map(Choice, ACTIVATIONS),
    Choice("relu", (("at_zero", 0),)),
    Choice("relu", (("at_zero", 0.5),)),
    Choice("leaky_relu", (("negative_slope", -0.5),)),
    Choice("leaky_relu", (("negative_slope", 3.0),)),
    Choice("elu", (("alpha", 0.3),)),
    Choice("elu", (("alpha", 2.0),)),
]
KEYS = ["network", "layer"]
BLAS = ThreadpoolController()


def label(value: object) -> str:
    """What pytest shows of a parameter."""
    return value.label if isinstance(value, Choice) else str(value)


def choice(name: str | Choice, **parameters: float) -> Choice:
    return name if isinstance(name, Choice) else Choice(name, tuple(sorted(parameters.items())))


def spec(
    activation: str | Choice = "relu",
    init: str | Choice = "he_normal",
    weight_scale: float = 1.0,
    bias_scale: float | None = 0.0,
    depth: int = 4,
    width: int = 6,
    input_width: int | None = None,
    output_width: int | None = None,
    output: str = "activation",
) -> NetworkSpec:
    return NetworkSpec(
        activation=choice(activation),
        init=choice(init),
        weight_scale=weight_scale,
        bias_scale=bias_scale,
        depth=depth,
        width=width,
        input_width=input_width or width,
        output_width=output_width or width,
        output=output,
    )


def settings(
    seed: int = 0,
    batch: int = 4,
    cost: str = "squared",
    dtype: str = "float64",
    decades: float = 3.0,
    record_layers: int | tuple[int, ...] | None = None,
    saturated_below: float = SATURATED,
    mean_abs_grad_weights: bool = False,
    **data: object,
) -> Settings:
    of_data = DataSpec(batch=batch, **data)
    means = mean_abs_grad_weights
    return Settings(seed, of_data, cost, dtype, decades, record_layers, saturated_below, mean_abs_grad_weights=means)


def run(specs: NetworkSpec | Sequence[NetworkSpec], replicates: int | range = 1, **options: object):
    """Both tables of a block, (layers, networks), as DataFrames; options are those of `settings`."""
    specs = (specs,) if isinstance(specs, NetworkSpec) else tuple(specs)
    replicates = range(replicates) if isinstance(replicates, int) else replicates
    with BLAS.limit(limits=1):  # as a worker does; several would wait for each other on a busy machine
        tables = run_block(Block(specs, replicates), settings(**options))
    return tables.layers.to_pandas(), tables.networks.to_pandas()


def profile(layers: pd.DataFrame, column: str) -> np.ndarray:
    """A column as (networks, depth), for networks of one depth."""
    return layers[column].to_numpy().reshape(-1, layers["depth"].iloc[0])


def drawn(spec: NetworkSpec, replicate: int = 0, **options: object):
    """(weights, biases, inputs, targets) of a drawn network, in float64; of LSUV, plain ones, scaled."""
    s = settings(**options)
    x, y = draw_batch(s.data, s.seed, [replicate], spec.input_width, spec.output_width)
    weights, biases = draw_parameters(spec, s.seed, replicate)
    if spec.within is not None:
        weights = lsuv_weights(weights, biases, x[0], activation_of(spec.activation), spec.within)
    return weights, biases, x[0], y[0]


def lsuv_weights(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], x: np.ndarray, activation: Activation, within: float
) -> list[np.ndarray]:
    """The weights of a plain network after LSUV on the batch x, (batch, fan_in), one division after another."""
    scaled, r = [], x
    for W, b in zip(weights, biases, strict=True):
        for _ in range(MOST):
            variance = (r @ W + b).var()
            if abs(variance - 1) < within:
                break
            W = W / np.sqrt(variance)
        scaled.append(W)
        r = activation.value(r @ W + b)
    return scaled


# Given weights ------------------------------------------------------------------------------------------------------


def values(a: Scaled) -> np.ndarray:
    """The numbers of the first lane, as an ordinary array."""
    first = (0,) * a.exponent.ndim
    return np.ldexp(a.mantissa[first], a.exponent[first])


def propagated(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    activation: Activation,
    cost: str = "squared",
    output: str = "activation",
) -> Walk:
    """One network forward and backward by the equations, with one activation."""
    last = activation if output == "activation" else ACTIVATIONS[output]()
    return walk(weights, biases, x, y, [activation] * (len(weights) - 1) + [last], cost)


# Comparisons --------------------------------------------------------------------------------------------------------


def differing(ours: pd.DataFrame, theirs: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Columns of a table that are not the same to the last bit as those of the same rows of a larger one."""
    theirs = ours[list(keys)].merge(theirs, on=list(keys), how="left", validate="one_to_one")
    return [name for name in ours.columns if not _same(ours[name], theirs[name])]


def _same(a: pd.Series, b: pd.Series) -> bool:
    if a.dtype.kind == "f":
        return np.array_equal(a.to_numpy(), b.to_numpy(), equal_nan=True)
    return a.astype(object).where(a.notna(), None).tolist() == b.astype(object).where(b.notna(), None).tolist()


def faults(layers: pd.DataFrame, networks: pd.DataFrame, batch: int = 4) -> list[str]:
    """What a pair of tables says that cannot be: an unexplained NaN, a share outside of [0, 1], a broken ledger."""
    rows = layers.merge(networks[["network", "status", "dead_from_layer"]], on="network")
    ok, zero = rows["status"] == OK, -np.inf
    delta, grad_r = rows["log10_grad_preactivations"], rows["log10_grad_outputs"]
    # No two samples may be left with an angle between them: there is only one; single ones may die; or a slope may
    # be so small that, beside the longest sample of its network, a sample is below the number format.
    activations = [activation_labelled(label) for label in rows["activation"]]
    few = (batch == 1) | np.array([activation.silent is not None for activation in activations])
    few |= ~np.array([activation.homogeneous for activation in activations]) & (
        (rows["weight_scale"] > 1.5) | (rows["bias_scale"] > 0.5)
    )
    may_be_nan = {  # else only a ratio of two zeros
        "log10_activation_factor": grad_r == zero,
        "log10_weight_factor": delta == zero,
        "delta_cosine": few | (delta == zero),
        "output_cosine": few | (rows["log10_rms_outputs"] == zero),
    }
    found = []
    for name in MEASURES:
        unexplained = ok & rows[name].isna() & ~may_be_nan.get(name, False)
        if unexplained.any():
            found.append(f"{name}: NaN in {rows[unexplained].iloc[0].to_dict()}")
        beyond_float64 = (rows["log10_rms_outputs"] > 307) & (name in IN_RMS_OUTPUTS)
        if ((rows[name] == np.inf) & ~beyond_float64).any():
            found.append(f"{name}: infinite")
    for name in ("dead_fraction", "saturated_fraction"):
        if not rows[name].dropna().between(0, 1).all():
            found.append(f"{name}: outside of [0, 1]")
    for name in ("output_cosine", "delta_cosine"):
        if not (rows[name].dropna().abs() <= 1 + 1e-4).all():  # float32 with a batch of a few dozen
            found.append(f"{name}: outside of [-1, 1]")
    if (rows["slope_mean"].abs() > rows["slope_rms"] * (1 + 1e-6) + 1e-300).any():  # float32
        found.append("slope_mean: beyond slope_rms")
    if (rows["log10_max_grad_preactivations"] > delta + 1e-6).any():  # float32
        found.append("log10_max_grad_preactivations: beyond the norm")
    for problem in _network_faults(layers, networks):
        found.append(problem)
    return found


def _network_faults(layers: pd.DataFrame, networks: pd.DataFrame) -> list[str]:
    found = []
    rows = layers.sort_values("layer")
    places = rows.groupby("network", observed=True).indices
    columns = {
        name: rows[name].to_numpy()
        for name in (
            "layer",
            "log10_grad_preactivations",
            "log10_grad_weights",
            "log10_activation_factor",
            "log10_weight_factor",
        )
    }
    for row in networks.itertuples():
        mine = {name: column[places[row.network]] for name, column in columns.items()}
        delta = mine["log10_grad_preactivations"]
        name = f"{row.network} ({row.activation}, {row.status})"
        dead, ok = not np.isnan(row.dead_from_layer), row.status == OK
        if list(mine["layer"]) != list(range(1, row.depth + 1)):
            found.append(f"{name}: layers missing")
        if dead and not ok:
            found.append(f"{name}: dead from layer {row.dead_from_layer} beside a status")
        if dead != (row.regime == "dead"):
            found.append(f"{name}: dead from layer {row.dead_from_layer}, regime {row.regime}")
        if ok and dead < (delta[0] == -np.inf):
            found.append(f"{name}: not dead, and no gradient at layer 1")
        if dead and mine["log10_grad_weights"][0] != -np.inf:  # its biases may have one, by Step(0) = 1
            found.append(f"{name}: dead from layer {row.dead_from_layer}, and a gradient at layer 1")
        if ok and row.regime is None:
            found.append(f"{name}: no regime")
        if ok and np.isnan(row.log10_gradient_gain) and delta[-1] != -np.inf:
            found.append(f"{name}: attenuation is NaN")
        if ok and np.isfinite(delta).all() and row.depth > 1:
            terms = np.concatenate([mine["log10_weight_factor"][1:], mine["log10_activation_factor"][:-1]])
            if abs(terms.sum() - row.log10_gradient_gain) > 1e-12 * np.abs(terms).sum() + 1e-14 * np.abs(delta).max():
                found.append(f"{name}: the ledger is off by {terms.sum() - row.log10_gradient_gain}")
    return found
