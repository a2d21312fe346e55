"""Every measure of `layers` of runs that are trained, at a step."""

from __future__ import annotations

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled
from harness.engine.equations import cost_gradient
from harness.engine.lanes.groups import PLAIN
from harness.engine.measures import FORWARD, MEASURES, in_units
from harness.engine.remedied.descent import Passes, Top
from harness.engine.remedied.measures import add_alpha, backward_columns
from harness.engine.training.at_start import Stack
from harness.engine.training.passes import Ascent, ascended
from harness.engine.walk import forward_sums, measures_together, walk_together


def measured(stack: Stack, x: Scaled, y: Scaled, cost: str, saturated_below: float) -> dict[str, Array]:
    """Every measure of every layer, (runs, depth), on a batch: x and y are (runs, 1, batch, width)."""
    if stack.remedy == PLAIN:
        walked = walk_together(stack.weights, stack.scaled_biases(), x, y, stack.activations, cost)
        return measures_together(walked, saturated_below)
    ascent = ascended(stack, x)
    depth = len(ascent.Ws)
    top = Top(ascent.top, ascent.weights(depth - 1), *cost_gradient(ascent.top.r, y, cost))
    columns = {name: values[:, 0] for name, values in backward_columns(Passes(ascent, [depth], [top]).sums).items()}
    columns = add_alpha(columns, ascent.remedy, depth) | _forward_columns(ascent, stack, saturated_below)
    return {name: values[..., 0].T for name, values in in_units(columns).items() if name in MEASURES}


def _forward_columns(ascent: Ascent, stack: Stack, saturated_below: float) -> dict[str, Array]:
    """The measures of the forward pass, (depth, runs, 1)."""
    layers = [*(here.layer for here in ascent.hidden), ascent.top]
    of_layers = zip(layers, ascent.Ws, stack.activations, strict=True)
    sums = [forward_sums(*of_layer, saturated_below) for of_layer in of_layers]
    return {name: np.concatenate([measure(one) for one in sums]) for name, measure in FORWARD.items()}
