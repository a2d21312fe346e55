"""The forward pass of lanes with normalised layers or skips, through the hidden layers that all depths share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, Weights, scaled
from harness.engine.activate import activate
from harness.engine.equations import preactivations
from harness.engine.lanes.ascent import Failures, hidden_units, repeat_lanes
from harness.engine.lanes.draws import SharedDraws
from harness.engine.lanes.gains import LaneParameters
from harness.engine.lanes.groups import Group, Remedy
from harness.engine.layers import Layer
from harness.engine.measures import FORWARD
from harness.engine.remedied.normalise import Normalised, normalise
from harness.engine.remedied.unit_variance import UnitVariance, unit_variance
from harness.engine.sums import ForwardSums, base_squares
from harness.networks.activations import Activation


@dataclass(frozen=True)
class Hidden:
    """A hidden layer after the forward pass. `layer.r` is what the layer above sees, the skip included."""

    layer: Layer  # (replicates, lanes, batch, width)
    normalised: Normalised | None


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

    def r(self, k: int) -> Scaled:
        """r[k], from the inputs r[0] to the last hidden layer."""
        return self.hidden[k - 1].layer.r if k else self.x

    def weights(self, k: int) -> Weights:
        """The hidden W[k]."""
        base, scale = self.draws.hidden(k), self.scales[k]
        W = self.parameters.weights(base) if scale is None else scale.weights(base)
        return W.times(self.remedy.gain(k + 1))


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
        z = _joined(remedy, branch, {"pre": trunk, "post": r}.get(str(remedy.order)) if joins else None)
        trunk = z if remedy.joins(k + 1) else trunk
        here, divided = _activated(group.activation, remedy, z)
        ends = remedy.order in (None, "post") or (remedy.order == "inside" and k == 0)
        failures.add(here.layer if ends else replace(here.layer, silent=None), k + 1, divided)
        if k and remedy.order == "inside":
            here = replace(here, layer=replace(here.layer, r=_joined(remedy, here.layer.r, r)))
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


def times(array: Scaled, alpha: float) -> Scaled:
    """alpha · array, normalised; a new array."""
    mantissa, exponent = np.frexp(alpha)
    return Scaled(array.mantissa * float(mantissa), array.exponent + int(exponent)).normalised()


def _joined(remedy: Remedy, branch: Scaled, skip: Scaled | None) -> Scaled:
    """skip + alpha · branch, or the branch alone."""
    if skip is None:
        return branch
    return (skip + times(branch, remedy.alpha)).normalised()


def _activated(activation: Activation, remedy: Remedy, z: Scaled) -> tuple[Hidden, Array | None]:
    """phi and the normalisation of z, in the group's order; and the lanes in which the latter divides by 0."""
    normalisation = remedy.normalisation
    if normalisation is None:
        return Hidden(activate(z, activation), None), None
    if not remedy.after:
        at = normalise(normalisation, z)
        return Hidden(activate(at.z_hat, activation), at), np.logical_or.reduce(at.undefined, axis=(-2, -1))
    layer = activate(z, activation)
    at = normalise(normalisation, layer.r)
    moving = np.logical_or.reduce(layer.slope.values != 0, axis=normalisation.axis, keepdims=True)
    return Hidden(replace(layer, r=at.z_hat), at), np.logical_or.reduce(at.undefined & moving, axis=(-2, -1))


def forward_sums(
    group: Group, draws: SharedDraws, layers: int, units: Array | int, activation: Activation
) -> ForwardSums:
    """Empty sums of so many layers."""
    pairs = units * draws.settings.data.batch
    shape = layers, len(draws.block.replicates), len(group.lanes)
    return ForwardSums(*shape, pairs, activation.slope_bound, draws.settings.saturated_below)
