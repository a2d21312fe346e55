"""Runs on whole parts of the data: cost, accuracy, and which units are dead.

Layers that are normalised over the batch take, for rows that do not train, the mean and the deviation of all rows that
do (Ioffe & Szegedy 2015, algorithm 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, unscaled
from harness.engine.equations import cost_gradient
from harness.engine.remedied.normalise import Statistics
from harness.engine.training.at_start import Stack
from harness.engine.training.passes import hidden_layers, output_layer
from harness.networks.training.split import Rows


@dataclass(frozen=True)
class OverRows:
    """What one run makes of all rows that train."""

    dead: list[Array | None]  # which units of each layer pass no gradient for any row, (units,)
    statistics: list[Statistics] | None  # of each hidden layer; None where none is normalised over the batch


def over_rows(stack: Stack, rows: Rows) -> OverRows:
    """The dead units of one run over some rows, and the statistics of its layers."""
    stack, _ = stack.multiplying()
    normalisation, dead, statistics = stack.remedy.normalisation, [], []
    r = unscaled(rows.inputs[None, None])
    over_batch = normalisation is not None and normalisation.over == "batch"
    for here, _ in hidden_layers(stack, r):
        dead.append(_dead(here.layer.silent))
        if over_batch and here.normalised is not None:
            statistics.append(here.normalised.statistics)
        r = here.layer.r
    dead.append(_dead(output_layer(stack, r).silent))
    return OverRows(dead, statistics if over_batch else None)


def outputs(stack: Stack, rows: Rows, statistics: Sequence[Statistics] | None) -> Scaled | None:
    """r[L] of one run, (1, 1, rows, output_width); None where the forward pass leaves the number format."""
    stack, _ = stack.multiplying()
    r, failed = unscaled(rows.inputs[None, None]), False
    for here, fails in hidden_layers(stack, r, statistics):
        r, failed = here.layer.r, failed or bool(fails)
    top = output_layer(stack, r)
    return None if failed or (top.overflows is not None and top.overflows.any()) else top.r


def fit(r: Scaled | None, rows: Rows, cost: str) -> tuple[float, float]:
    """log10 of the cost, and the share of the rows whose largest output is that of their class; NaN without outputs."""
    if r is None:
        return np.nan, np.nan
    log10_cost, _ = cost_gradient(r, unscaled(rows.targets[None, None]), cost)
    right = r.mantissa[0, 0].argmax(axis=-1) == rows.targets.argmax(axis=-1)
    return float(log10_cost[0, 0]), float(right.mean())


def _dead(silent: Array | None) -> Array | None:
    return None if silent is None else silent[0, 0].all(axis=0)
