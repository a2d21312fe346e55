"""Every measure of `layers` of runs that are trained, at a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled
from harness.engine.equations import cost_gradient
from harness.engine.lanes.ascent import Failures
from harness.engine.lanes.groups import PLAIN
from harness.engine.lanes.records import status_of, unknown
from harness.engine.measures import FORWARD, MEASURES, in_units
from harness.engine.remedied.descent import Passes, Top
from harness.engine.remedied.measures import add_alpha, backward_columns
from harness.engine.training.at_start import Stack
from harness.engine.training.passes import Ascent, ascended, hidden_layers, output_layer
from harness.engine.walk import forward_sums, measures_together, walk_together


@dataclass(frozen=True)
class Measured:
    """Runs on a batch. What a pass that left the number format has made unknown is nan, as in the table `layers`."""

    columns: dict[str, Array]  # every measure, (runs, depth)
    status: Array  # (runs,) of str, as in the table `networks`
    slope_failures: Array  # (runs,): the highest layer at which a slope underflows, 0 for none


def measured(stack: Stack, x: Scaled, y: Scaled, cost: str, saturated_below: float) -> Measured:
    """Every measure of every layer on a batch: x and y are (runs, 1, batch, width)."""
    measures_of = _plain if stack.remedy == PLAIN else _remedied
    columns, lost = measures_of(stack, x, y, cost, saturated_below)
    failed, text = _forward_failures(stack, x)
    lost = np.where(failed, 0, lost)
    depth = len(stack.layers)
    columns = {name: np.where(unknown(name, depth, failed, lost), np.nan, of) for name, of in columns.items()}
    return Measured(columns, np.array([status_of(*run) for run in zip(text, lost, strict=True)], dtype=object), lost)


def _plain(stack: Stack, x: Scaled, y: Scaled, cost: str, saturated_below: float) -> tuple[dict[str, Array], Array]:
    """The measures of plain networks, and the layer at which a slope underflows."""
    walked = walk_together(stack.weights, stack.scaled_biases(), x, y, stack.activations, cost)
    return measures_together(walked, saturated_below), walked.slope_failures


def _remedied(stack: Stack, x: Scaled, y: Scaled, cost: str, saturated_below: float) -> tuple[dict[str, Array], Array]:
    """The same of networks with normalisations or skips."""
    ascent = ascended(stack, x)
    depth = len(ascent.Ws)
    top = Top(ascent.top, ascent.weights(depth - 1), *cost_gradient(ascent.top.r, y, cost))
    passes = Passes(ascent, [depth], [top])
    columns = {name: values[:, 0] for name, values in backward_columns(passes.sums).items()}
    columns = add_alpha(columns, ascent.remedy, depth) | _forward_columns(ascent, stack, saturated_below)
    columns = {name: values[..., 0].T for name, values in in_units(columns).items() if name in MEASURES}
    return columns, passes.slope_failures[0, :, 0]


def _forward_failures(stack: Stack, x: Scaled) -> tuple[Array, Array]:
    """The layer at which each run leaves the number format, 0 for none, and what happens there, each (runs,)."""
    depth, r, failures = len(stack.layers), x, Failures(x.exponent.shape, x.mantissa.shape[-2])
    for k, (here, fails) in enumerate(hidden_layers(stack, x), start=1):
        failures.add(here.layer, k, fails[:, None])  # an overflow is recorded first, and else fails: divides by 0
        r = here.layer.r
    failed, _, text = failures.with_output(output_layer(stack, r), depth)
    return failed[:, 0], text[:, 0]


def _forward_columns(ascent: Ascent, stack: Stack, saturated_below: float) -> dict[str, Array]:
    """The measures of the forward pass, (depth, runs, 1)."""
    layers = [*(here.layer for here in ascent.hidden), ascent.top]
    of_layers = zip(layers, ascent.Ws, stack.activations, strict=True)
    sums = [forward_sums(*of_layer, saturated_below) for of_layer in of_layers]
    return {name: np.concatenate([measure(one) for one in sums]) for name, measure in FORWARD.items()}
