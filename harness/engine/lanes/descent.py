"""The backward pass of lanes of a group from several outputs, and the measures of every layer that it gives."""

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, base_alone, scaled
from harness.engine.equations import cost_gradient
from harness.engine.lanes.ascent import Ascent, repeat_lanes
from harness.engine.lanes.depths import OutputLayer, backward, layers_per_array
from harness.engine.lanes.groups import Output
from harness.engine.lanes.starts import Start
from harness.engine.measures import of_backward
from harness.engine.sums import BackwardSums


@dataclass(frozen=True)
class Descent:
    """The networks of some lanes with one output, after both passes."""

    columns: dict[str, Array]  # every measure, (depth, replicates, lanes)
    log10_cost: Array  # (replicates, lanes)
    forward_failure: Array  # layer at which the forward pass left the number format, 0 for none
    dead_from_layer: Array  # 0 for never
    failure_text: Array  # what failed in the forward pass
    slope_failure: Array  # highest layer at which a slope underflows, 0 for none


@dataclass(frozen=True)
class _Top:
    """Networks with one output at their output layer: the start of the backward pass, and the cost."""

    layer: OutputLayer
    grad_r: Scaled  # ∂C/∂r[depth] of the lanes of which sums are taken
    log10_cost: Array
    factor: Scaled | None  # product of the gains, (1, lanes, 1, 1), of lanes that differ by a factor only


def descend(ascent: Ascent, start: Start, outputs: tuple[Output, ...]) -> list[Descent]:
    """Propagate lanes backward from some outputs, deepest first. Returns the results for each output."""
    tops = [_top(ascent, start, output) for output in outputs]
    sums, slope_failures = _propagate(ascent, start, tops)
    columns = of_backward(sums)
    return [
        _finish(ascent, start, output, top, {name: c[: output.depth, j] for name, c in columns.items()}, failures)
        for j, (output, top, failures) in enumerate(zip(outputs, tops, slope_failures, strict=True))
    ]


def _propagate(ascent: Ascent, start: Start, tops: list[_Top]) -> tuple[BackwardSums, Array]:
    """The sums of all layers, and the highest layer at which a slope underflows, (outputs, replicates, lanes)."""
    shape = tops[0].grad_r.exponent.shape  # (replicates, lanes of which sums are taken)
    sums = BackwardSums(tops[0].layer.depth, len(tops), *shape, means=ascent.draws.settings.mean_abs_grad_weights)
    slope_failures = np.zeros((len(tops), *shape), dtype=np.int64)
    for j, top in enumerate(tops):
        sums.add_start(j, top.layer.depth, top.grad_r)
    factors, output_layers = _stacked([top.factor for top in tops]), [top.layer for top in tops]
    per_array = layers_per_array(ascent.draws, shape[1])
    for lowest, first, layers in backward(ascent.x, ascent.hidden, output_layers, ascent.base_weights, per_array):
        layer_count, depth_count = layers.largest.shape[:2]
        slots, depths = slice(lowest - 1, lowest - 1 + layer_count), slice(first, first + depth_count)
        start.add(sums, slots, depths, layers, factors)
        if layers.underflows is not None:
            failures = slope_failures[depths]
            for k, underflows in enumerate(layers.underflows, start=lowest):
                np.maximum(failures, k, out=failures, where=start.underflows(underflows))
    return sums, slope_failures


def _top(ascent: Ascent, start: Start, output: Output) -> _Top:
    """The output layer of the networks with one output, where the backward pass starts."""
    layer, base = ascent.output_layer(output)
    factor = None
    if ascent.group.homogeneous:
        factor = ascent.parameters.gains(output, start.lanes).product(ascent.draws.dtype)
    r = layer.r if factor is None else layer.r * factor
    _, targets = ascent.draws.batch(output.width)
    y = repeat_lanes(scaled(targets), r.exponent.shape[1])
    log10_cost, grad_r = cost_gradient(r, y, ascent.draws.settings.cost)
    propagated = start.propagated(layer.r, y, grad_r)
    output_layer = OutputLayer(output.depth, propagated, layer, base_alone(base))
    return _Top(output_layer, start.summed(grad_r), log10_cost, factor)


def _finish(
    ascent: Ascent, start: Start, output: Output, top: _Top, backward_columns: dict[str, Array], failures: Array
) -> Descent:
    layer, shape = top.layer.layer, top.log10_cost.shape
    columns = backward_columns | ascent.columns_with(output, layer, top.layer.W.base)
    gains = ascent.parameters.gains(output, start.lanes)
    failed, dead_from, text = (
        np.broadcast_to(values, shape) for values in ascent.failures.with_output(layer, output.depth)
    )
    return Descent(
        gains.add_to(columns, ascent.group.homogeneous),
        top.log10_cost,
        failed,
        dead_from,
        text,
        np.broadcast_to(failures, shape),
    )


def _stacked(factors: list[Scaled | None]) -> Scaled | None:
    """One factor per depth, (depths, 1, lanes, 1, 1)."""
    known = [factor for factor in factors if factor is not None]
    if not known:
        return None
    return Scaled(np.stack([f.mantissa for f in known]), np.stack([f.exponent for f in known]))
