"""The tables of recordings: `layers`, a row per call of an operation, and `networks`, a row per recorded step.

They have the columns of a sweep's tables first, null where a user's model has no such thing, then the probe's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import nan

import pandas as pd

from harness.execution.probe.record import Recording, Row, Size
from harness.results import columns
from harness.results.columns import Column

FORMATS = {"float16": -25, "bfloat16": -134}  # magnitudes under 2^power round to zero

OWN_LAYERS = (
    Column("step", "", "Recorded step of training; 0 for a probe", "index"),
    Column("order", "", "Number of the call in order of execution, from 0", "index"),
    Column("path", "", "Module that made the call, as `named_modules` gives it", "index"),
    Column("op", "", "Operation", "index"),
    Column("call", "", "Calls of this operation in this module before this one", "index"),
    Column("kind", "", "activation, weight, norm, product, attention, recurrent, embedding, loss or other", "index"),
    Column("param", "", "Parameter that holds the weights", "index"),
    Column("on_trunk", "", "Whether every path from the loss to the data passes through the result", "record"),
    Column("log10_grad_result", "log10", "‖∂C/∂y‖ of the result y, from all its uses", "measure"),
    Column("log10_grad_argument", "log10", "‖∂C/∂x‖ of the argument x, through this call alone", "measure"),
    Column("log10_factor", "decades", "‖∂C/∂x‖ / ‖∂C/∂y‖: what this call multiplies the gradient by", "measure"),
    Column("log10_grad_query", "log10", "‖∂C/∂Q‖ of attention", "measure"),
    Column("log10_grad_key", "log10", "‖∂C/∂K‖ of attention", "measure"),
    Column("log10_rms_argument", "log10", "Root mean square of x", "measure"),
    Column("log10_max_result", "log10", "Largest magnitude of y", "measure"),
    Column("fan_in", "", "Inputs of one unit; of a convolution, channels times the size of the kernel", "record"),
    Column("sigma_w", "", "√(fan_in · mean W²)", "measure"),
    Column("sigma_b", "", "√(mean b²)", "measure"),
    Column("always_on_fraction", "fraction", "Share of units with a slope other than 0 for every sample", "measure"),
    Column("log10_sample_factor", "decades", "Median over samples of a sample's own factor", "measure"),
    Column("lost_samples", "fraction", "Share of the samples whose own factor is under 1 %; see the page", "measure"),
    Column("branch", "", "Of a sum on the trunk: ‖gradient through its branch‖ / ‖through its skip‖", "measure"),
    Column("branch_cosine", "cosine", "Cosine between the two", "measure"),
    Column("zero_fraction", "fraction", "Share of the entries of ∂C/∂x that are exactly 0", "measure"),
    *(
        Column(f"lost_{name}", "fraction", f"Share of the other entries of ∂C/∂x that {name} reads as 0", "measure")
        for name in FORMATS
    ),
    Column("under_adam_eps", "fraction", "Share of the entries of ∂C/∂W, zeros aside, under 1e-8", "measure"),
)


def layers_frame(recordings: Iterable[Recording], name: str) -> pd.DataFrame:
    """The table `layers` of recordings of one model."""
    rows = [
        {"network": f"{name}-{recording.step}", "step": recording.step, **_cells(row)}
        for recording in recordings
        for row in recording.rows
    ]
    return _frame(rows, (*columns.LAYERS, *OWN_LAYERS))


def networks_frame(rows: Sequence[Mapping[str, object]], own: Sequence[Column]) -> pd.DataFrame:
    """The table `networks` of rows, with the columns of a sweep's and `own` ones after them."""
    return _frame(rows, (*columns.NETWORKS, *own))


def _frame(rows: Sequence[Mapping[str, object]], names: Sequence[Column]) -> pd.DataFrame:
    wanted = list(dict.fromkeys(column.name for column in names))
    return pd.DataFrame(list(rows), columns=wanted).infer_objects()


def _cells(row: Row) -> dict[str, object]:
    """The cells of a call: those that every operation has, and those of its kind."""
    gradient, result = row.grad_argument, row.result
    cells: dict[str, object] = {
        "layer": row.layer,
        "order": row.order,
        "path": row.path,
        "op": row.op,
        "call": row.call,
        "kind": row.kind,
        "param": row.param or None,
        "on_trunk": row.on_trunk,
        "log10_grad_result": _norm(row.grad_result),
        "log10_grad_argument": _norm(gradient),
        "log10_factor": row.factor,
        "log10_grad_query": _norm(row.grad_query),
        "log10_grad_key": _norm(row.grad_key),
        "log10_rms_argument": row.argument.rms if row.argument else nan,
        "log10_max_result": result.largest if result else nan,
        "log10_sample_factor": row.sample_factor,
        "lost_samples": row.lost_samples,
        "branch": row.branch,
        "branch_cosine": row.branch_cosine,
        "zero_fraction": gradient.zeros / max(gradient.entries, 1) if gradient else nan,
        **{f"lost_{name}": gradient.share_below(power) if gradient else nan for name, power in FORMATS.items()},
    }
    return cells | {"activation": _activation, "weight": _weight}.get(row.kind, _other)(row)


def _activation(row: Row) -> dict[str, object]:
    cells = {
        "log10_grad_outputs": _norm(row.grad_result),
        "log10_activation_factor": row.factor,
        "log10_rms_outputs": row.result.rms if row.result else nan,
        "log10_max_outputs": row.result.largest if row.result else nan,
        "mean_outputs": row.mean_result,
        "std_outputs": row.std_result,
        "output_cosine": row.output_cosine,
    }
    if row.slopes is not None:
        cells |= {
            "slope_mean": row.slopes.mean,
            "slope_rms": row.slopes.rms,
            "dead_fraction": row.slopes.dead,
            "saturated_fraction": row.slopes.saturated,
            "always_on_fraction": row.slopes.always_on,
        }
    return dict(cells)


def _weight(row: Row) -> dict[str, object]:
    return {
        "log10_grad_weights": _norm(row.grad_weight),
        "log10_grad_biases": row.grad_bias,
        "log10_grad_preactivations": _norm(row.grad_result),
        "log10_max_grad_preactivations": row.grad_result.largest if row.grad_result else nan,
        "log10_norm_weights": _norm(row.weight),
        "log10_weight_factor": row.factor,
        "delta_cosine": row.delta_cosine,
        "fan_in": row.fan_in,
        "sigma_w": row.sigma_w,
        "sigma_b": row.sigma_b,
        "under_adam_eps": row.under_eps,
    }


def _other(row: Row) -> dict[str, object]:
    return {"log10_grad_weights": _norm(row.grad_weight)} if row.grad_weight else {}


def _norm(size: Size | None) -> float:
    return size.norm if size else nan


def by_layer(layers: pd.DataFrame) -> pd.DataFrame:
    """One row per network and layer, as a sweep has it: a weight operation together with the activation after it."""
    measured = [column.name for column in columns.LAYERS if column.source == "measure"]
    kept = layers[layers["kind"].isin(("weight", "activation")) & (layers["layer"] > 0)]
    return kept.groupby(["network", "layer"], sort=False)[measured].first().reset_index()


def zero_from(recording: Recording, under: float) -> float:
    """The first layer, from the output down, whose largest ∂C/∂z is under a bound (log10); NaN for none."""
    deltas = [(row.layer, row.grad_result.largest) for row in recording.of_kind("weight") if row.grad_result]
    return max((float(layer) for layer, largest in deltas if largest < under), default=nan)
