"""The backward pass of lanes with normalised layers or skips, from several outputs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.base.arrays import Array, any_of, log10_of
from harness.base.scaled import Scaled, Weights, concatenated, scaled
from harness.engine.equations import cost_gradient, layer_forward, through_activation, through_weights
from harness.engine.gram import weight_gradient_squares
from harness.engine.lanes.ascent import repeat_lanes
from harness.engine.lanes.depths import slope_lost
from harness.engine.lanes.descent import Descent
from harness.engine.lanes.groups import Output, Remedy
from harness.engine.lanes.starts import Start
from harness.engine.layers import Layer
from harness.engine.measures import FORWARD, in_units
from harness.engine.remedied.ascent import Ascent, forward_sums, weights_on
from harness.engine.remedied.hidden import Hidden, at_z_hat, times
from harness.engine.remedied.measures import OF_NORMALISATION, add_alpha, backward_columns
from harness.engine.remedied.normalise import through_normalisation
from harness.engine.remedied.standardised import trained_gradient_sums
from harness.engine.remedied.sums import RemediedSums
from harness.engine.remedied.unit_variance import UnitVariance
from harness.engine.sums import base_squares


class Ascended(Protocol):
    """What the backward pass takes of hidden layers after the forward pass."""

    @property
    def remedy(self) -> Remedy: ...

    @property
    def hidden(self) -> Sequence[Hidden]: ...

    @property
    def means(self) -> bool: ...

    @property
    def scales(self) -> Sequence[UnitVariance | None]: ...

    def r(self, k: int) -> Scaled: ...

    def weights(self, k: int) -> Weights: ...

    def standardised(self, k: int, output_width: int | None) -> tuple[Array, Array] | None: ...


@dataclass(frozen=True)
class Top:
    """The output layer of the networks of one depth, and where their backward pass starts."""

    layer: Layer
    W: Weights  # W[depth − 1]
    log10_cost: Array
    grad_r: Scaled  # ∂C/∂r[depth], (replicates, lanes, batch, output_width)
    scale: UnitVariance | None = None  # what scaled W, if the batch does


def descend(ascent: Ascent, start: Start, outputs: tuple[Output, ...]) -> list[Descent]:
    """Propagate all lanes backward from some outputs, deepest first. Returns the results for each output."""
    tops = [_top(ascent, output) for output in outputs]
    passes = Passes(ascent, [output.depth for output in outputs], tops)
    columns = backward_columns(passes.sums)
    remedy, results = ascent.remedy, []
    for j, (output, top) in enumerate(zip(outputs, tops, strict=True)):
        of_layers = {name: column[: output.depth, j] for name, column in columns.items()}
        of_depth = add_alpha(of_layers, remedy, output.depth)
        for measure in OF_NORMALISATION if remedy.normalisation else ():
            of_depth[measure.name][-1] = np.nan  # the output layer is not normalised
        of_depth |= _forward_columns(ascent, output, top)
        of_depth["log10_norm_weights"] = of_depth["log10_norm_weights"] + _log10_gains(ascent, start, output, top)
        failed, dead_from, text = ascent.failures_of(output.depth).with_output(top.layer, output.depth)
        results.append(Descent(in_units(of_depth), top.log10_cost, failed, dead_from, text, passes.slope_failures[j]))
    return results


class Passes:
    """The backward passes from all outputs, one layer of all deeper networks at a time."""

    def __init__(self, ascent: Ascended, depths: Sequence[int], tops: Sequence[Top]) -> None:
        self.ascent, self.remedy = ascent, ascent.remedy
        shape = len(tops), *tops[0].log10_cost.shape
        self.sums = RemediedSums(self.remedy, depths[0], *shape, means=ascent.means)
        self.slope_failures = np.zeros(shape, dtype=np.int64)
        for k, scale in enumerate(ascent.scales):
            self.sums.divisions[k] = np.nan if scale is None else scale.divisions
        grad_r: list[Scaled] = []  # ∂C/∂r[k] of the networks deeper than k, (depths, replicates, lanes, batch, width)
        trunk: list[Scaled] = []  # with skips from z to z, ∂C/∂z at which one ends, of the networks deeper than that
        places: dict[int, list[int]] = {depth: [] for depth in depths}
        for j, depth in enumerate(depths):
            places[depth].append(j)
        for k in range(depths[0], 0, -1):
            if grad_r:
                below, trunk = self._hidden(k, concatenated(grad_r), trunk)
                grad_r = [below]
            grad_r += [self._output(j, k, tops[j])[None] for j in places.get(k, ())]

    def _output(self, j: int, k: int, top: Top) -> Scaled:
        """∂C/∂r[k−1] from the output layer k of one network."""
        self.sums.add_start(j, k, top.grad_r)
        delta = through_activation(top.grad_r, top.layer.slope)
        self._note_lost(k, slice(j, j + 1), top.grad_r[None], delta[None], top.layer.slope.has_zeros)
        below = through_weights(delta, top.W)
        where = k - 1, slice(j, j + 1)
        self.sums.divisions[where] = np.nan if top.scale is None else top.scale.divisions
        self._add_layer(k, slice(j, j + 1), delta[None], below[None], top)
        self.sums.grad_r.add(where, *below[None].safe_squares)
        self.sums.first.add(where, *delta[None].safe_squares)
        self.sums.second.add(where, *delta[None].safe_squares)
        return below

    def _hidden(self, k: int, grad_r: Scaled, trunk: list[Scaled]) -> tuple[Scaled, list[Scaled]]:
        """∂C/∂r[k−1] of several depths, and the gradient that the next skip from z to z carries."""
        depths = slice(0, len(grad_r.mantissa))
        delta = self._through_nonlinearity(k, depths, grad_r)
        if self.remedy.order == "pre" and self.remedy.joins(k):
            delta = self._joined_at_z(k, delta, trunk)
            trunk = [delta]
        below = through_weights(delta, self.ascent.weights(k - 1))
        self._add_layer(k, depths, delta, below)
        skip = {"inside": grad_r, "post": delta}.get(str(self.remedy.order)) if k > 1 else None
        if skip is not None:
            joined = (skip + times(below, self.remedy.alpha)).normalised()
            self.sums.add_block((k - 1, depths), skip, below, joined)
            below = joined
        self.sums.grad_r.add((k - 1, depths), *below.safe_squares)
        return below, trunk

    def _through_nonlinearity(self, k: int, depths: slice, grad_r: Scaled) -> Scaled:
        """∂C/∂z[k] from ∂C/∂r[k] (of the branch alone beside a skip): phi and the normalisation."""
        here, normalisation, where = self.ascent.hidden[k - 1], self.remedy.normalisation, (k - 1, depths)
        if normalisation is None or here.normalised is None:
            first = second = self._through_activation(k, depths, grad_r, here)
        elif self.remedy.after:
            self.sums.add_affine(where, grad_r, here.normalised.values)
            first = through_normalisation(normalisation, at_z_hat(grad_r, here), here.normalised)
            second = self._through_activation(k, depths, first, here)
        else:
            first = self._through_activation(k, depths, grad_r, here)
            self.sums.add_affine(where, first, here.normalised.values)
            second = through_normalisation(normalisation, at_z_hat(first, here), here.normalised)
        self.sums.first.add(where, *first.safe_squares)
        self.sums.second.add(where, *second.safe_squares)
        return second

    def _through_activation(self, k: int, depths: slice, grad: Scaled, here: Hidden) -> Scaled:
        delta = through_activation(grad, here.layer.slope)
        self._note_lost(k, depths, grad, delta, here.layer.slope.has_zeros)
        return delta

    def _joined_at_z(self, k: int, branch: Scaled, trunk: list[Scaled]) -> Scaled:
        """∂C/∂z[k] of skips from z[k] to z[k + every]; the networks that end before that have no skip there."""
        if not trunk:
            return branch
        count = len(trunk[0].mantissa)
        beside = branch[:count]
        joined = (trunk[0] + times(beside, self.remedy.alpha)).normalised()
        self.sums.add_block((k + self.remedy.every - 1, slice(0, count)), trunk[0], beside, joined)
        return concatenated([joined, branch[count:]])

    def _add_layer(self, k: int, depths: slice, delta: Scaled, below: Scaled, top: Top | None = None) -> None:
        where = k - 1, depths
        self.sums.delta.add_samples(where, delta)
        self.sums.largest[where] = delta.largest
        self.sums.below.add(where, *below.safe_squares)
        r = self.ascent.r(k - 1)
        standardised = self.ascent.standardised(k - 1, None if top is None else top.W.base.shape[-1])
        if standardised is None:
            self.sums.grad_weights.add(where, *weight_gradient_squares(r, delta))
            self.sums.add_mean(where, r, delta)
        else:  # of the weights that are trained
            squares, means = trained_gradient_sums(r, delta, *standardised)
            self.sums.grad_weights.add(where, *squares)
            if self.sums.grad_weights_mean is not None:
                self.sums.grad_weights_mean.add(where, *means)

    def _note_lost(self, k: int, depths: slice, grad: Scaled, delta: Scaled, has_zeros: bool) -> None:
        """Note slopes that have underflowed at layer k."""
        if not has_zeros and any_of(lost := slope_lost(grad.largest, delta.largest)):
            failures = self.slope_failures[depths]
            np.maximum(failures, k, out=failures, where=lost)


def _top(ascent: Ascent, output: Output) -> Top:
    draws, parameters = ascent.draws, ascent.parameters
    activation = ascent.group.output_activation(output)
    below, b = ascent.r(output.depth - 1), parameters.output_bias(output)
    W, scale = weights_on(below, parameters.weights(draws.output(output.depth, output.width)), b, ascent.remedy)
    layer = layer_forward(below, W, b, activation)
    _, targets = draws.batch(output.width)
    y = repeat_lanes(scaled(targets), layer.r.exponent.shape[1])
    log10_cost, grad_r = cost_gradient(layer.r, y, draws.settings.cost)
    return Top(layer, W, log10_cost, grad_r, scale)


def _log10_gains(ascent: Ascent, start: Start, output: Output, top: Top) -> Array:
    """log10 of the gain of each layer of the networks with one output, (depth, replicates, lanes)."""
    scales = [scale for scale in (*ascent.scales[: output.depth - 1], top.scale) if scale is not None]
    if not scales:
        ruled = np.array([ascent.group.lanes[0].rule_gain(k) for k in range(1, output.depth + 1)])
        return ascent.parameters.gains(output, start.lanes).per_layer + log10_of(ruled)[:, None, None]
    return np.stack([scale.log10_gain for scale in scales])


def _forward_columns(ascent: Ascent, output: Output, top: Top) -> dict[str, Array]:
    """The forward measures of all layers of the networks with one output, (depth, replicates, lanes)."""
    sums = forward_sums(ascent.group, ascent.draws, 1, output.width, ascent.group.output_activation(output))
    sums.add(slice(0, 1), top.layer[None], [base_squares(top.W.base)], [top.layer.r.largest])
    hidden = {name: column[: output.depth - 1] for name, column in ascent.columns.items()}
    return {name: np.concatenate([hidden[name], measure(sums)]) for name, measure in FORWARD.items()}
