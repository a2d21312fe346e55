"""The forward pass of lanes with normalised layers or skips, through the hidden layers that all depths share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, Weights, scaled
from harness.engine.equations import preactivations
from harness.engine.lanes.ascent import Failures, hidden_units, repeat_lanes
from harness.engine.lanes.draws import SharedDraws
from harness.engine.lanes.gains import LaneParameters
from harness.engine.lanes.groups import Group, Remedy
from harness.engine.measures import FORWARD
from harness.engine.remedied.hidden import Hidden, activated, joined
from harness.engine.remedied.unit_variance import UnitVariance, unit_variance
from harness.engine.sums import ForwardSums, base_squares
from harness.networks.activations import Activation


@dataclass(frozen=True)
class Ascent:
    """The results of the forward pass, for the backward pass and for the tables."""

    parameters: LaneParameters
    x: Scaled  # r[0], (replicates, lanes, batch, input_width)
    hidden: list[Hidden]
    failures: Failures
    columns: dict[str, Array]  # the forward measures of the hidden layers, (layers, replicates, lanes)
    scales: list[UnitVariance | None]  # of the hidden layers' weights, where the batch scales them

    def failures_of(self, depth: int) -> Failures:
        """The failures of networks of one depth. With skips from z to z only layers above the last end a gradient."""
        if self.remedy.order != "pre" or depth == 1:
            return self.failures
        found = Failures(self.failures.layer.shape, self.failures.silent_layer.shape[-1])
        found.layer, found.text = self.failures.layer, self.failures.text
        for k in range(depth - 1, 0, -1):
            silent = self.hidden[k - 1].layer.silent
            if silent is not None:
                found.silent_layer[np.logical_and.reduce(silent, axis=-1)] = k
            if self.remedy.joins(k):
                break
        return found

    @property
    def group(self) -> Group:
        return self.parameters.group

    @property
    def remedy(self) -> Remedy:
        """What the hidden layers of the group have."""
        return remedy_in(self.group)

    @property
    def draws(self) -> SharedDraws:
        return self.parameters.draws

    @property
    def means(self) -> bool:
        """Whether means of |∂C/∂W| are asked for."""
        return self.draws.settings.mean_abs_grad_weights

    def r(self, k: int) -> Scaled:
        """r[k], from the inputs r[0] to the last hidden layer."""
        return self.hidden[k - 1].layer.r if k else self.x

    def weights(self, k: int) -> Weights:
        """The hidden W[k]."""
        base, scale = self.draws.hidden(k), self.scales[k]
        W = self.parameters.weights(base) if scale is None else scale.weights(base)
        return W.times(self.remedy.gain(k + 1))

    def standardised(self, k: int, output_width: int | None) -> tuple[Array, Array] | None:
        """`SharedDraws.standardised` of W[k]; None where weights are not standardised."""
        return self.draws.standardised(k, output_width) if self.remedy.standardised else None


def ascend(group: Group, draws: SharedDraws) -> Ascent:
    """Propagate the lanes forward through the hidden layers of the deepest networks."""
    inputs, _ = draws.batch(group.outputs[0].width)
    x = repeat_lanes(scaled(inputs), len(group.lanes))
    parameters, depth = LaneParameters(group, draws), group.deepest - 1
    failures = Failures(x.exponent.shape, draws.settings.data.batch)
    sums = forward_sums(group, draws, depth, hidden_units(draws.block, depth), group.activation)
    remedy, r, hidden, scales = remedy_in(group), x, [], []
    trunk: Scaled | None = None  # z at which the last skip from z to z began
    for k in range(depth):
        base, b = draws.hidden(k), parameters.hidden_bias(k)
        W, scale = weights_on(r, parameters.weights(base), b, remedy)
        branch = preactivations(r, W.times(remedy.gain(k + 1)), b)
        joins = k > 0 and remedy.joins(k + 1)
        z = joined(remedy, branch, {"pre": trunk, "post": r}.get(str(remedy.order)) if joins else None)
        trunk = z if remedy.joins(k + 1) else trunk
        here, divided = activated(group.activation, remedy, z)
        ends = remedy.order in (None, "post") or (remedy.order == "inside" and k == 0)
        failures.add(here.layer if ends else replace(here.layer, silent=None), k + 1, divided)
        if k and remedy.order == "inside":
            here = replace(here, layer=replace(here.layer, r=joined(remedy, here.layer.r, r)))
        sums.add(slice(k, k + 1), here.layer[None], [base_squares(base)], [here.layer.r.largest])
        hidden.append(here)
        scales.append(scale)
        r = here.layer.r
    return Ascent(parameters, x, hidden, failures, {name: measure(sums) for name, measure in FORWARD.items()}, scales)


def weights_on(r: Scaled, start: Weights, b: Scaled | None, remedy: Remedy) -> tuple[Weights, UnitVariance | None]:
    """The weights of a layer above r, and what scaled them if the batch does."""
    if remedy.within is None:
        return start, None
    scale = unit_variance(r, start, b, remedy.within)
    return scale.weights(start.base), scale


def remedy_in(group: Group) -> Remedy:
    """The remedy of a group that has one."""
    assert group.remedy is not None
    return group.remedy


def forward_sums(
    group: Group, draws: SharedDraws, layers: int, units: Array | int, activation: Activation
) -> ForwardSums:
    """Empty sums of so many layers."""
    pairs = units * draws.settings.data.batch
    shape = layers, len(draws.block.replicates), len(group.lanes)
    return ForwardSums(*shape, pairs, activation.slope_bound, draws.settings.saturated_below)
