"""The forward pass of the lanes of a group through the hidden layers, which all depths share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array, any_of
from harness.base.scaled import Scaled, Weights, base_alone, scaled
from harness.engine.equations import layer_forward
from harness.engine.lanes.depths import HiddenLayers, layers_per_array
from harness.engine.lanes.draws import SharedDraws
from harness.engine.lanes.gains import LaneParameters
from harness.engine.lanes.groups import Block, Group, Output
from harness.engine.layers import Layer
from harness.engine.measures import FORWARD
from harness.engine.sums import ForwardSums, base_squares
from harness.networks.activations import Activation

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Ascent:
    """The results of the forward pass, for the backward pass and for the tables."""

    parameters: LaneParameters
    x: Scaled  # r[0], (replicates, lanes propagated forward, batch, input_width)
    hidden: HiddenLayers
    failures: Failures
    columns: dict[str, Array]  # the forward measures of the hidden layers, (layers, replicates, lanes)

    @property
    def group(self) -> Group:
        return self.parameters.group

    @property
    def draws(self) -> SharedDraws:
        return self.parameters.draws

    def base_weights(self, k: int) -> Weights:
        """The base of the hidden W[k] as weights, with which all lanes are propagated backward."""
        return base_alone(self.draws.hidden(k))

    def output_layer(self, output: Output) -> tuple[Layer, Array]:
        """The output layer of the networks of one depth, and the base of its weights."""
        below = self.hidden[output.depth - 1].r if output.depth > 1 else self.x
        activation = self.group.output_activation(output)
        base = self.draws.output(output.depth, output.width)
        out = empty_layers(self.group, self.draws, 1, output.width, activation)[0]
        parameters = self.parameters
        return layer_forward(below, parameters.weights(base), parameters.output_bias(output), activation, out), base

    def columns_with(self, output: Output, output_layer: Layer, base: Array) -> dict[str, Array]:
        """The forward measures of all layers of the networks with one output, (depth, replicates, lanes)."""
        sums = _sums(self.group, self.draws, 1, base.shape[-1], self.group.output_activation(output))
        sums.add(slice(0, 1), output_layer[None], [base_squares(base)], [output_layer.r.largest])
        hidden = {name: column[: output.depth - 1] for name, column in self.columns.items()}
        return {name: np.concatenate([hidden[name], measure(sums)]) for name, measure in FORWARD.items()}


def ascend(group: Group, draws: SharedDraws) -> Ascent:
    """Propagate the lanes forward through the hidden layers of the deepest networks."""
    inputs, _ = draws.batch(group.outputs[0].width)
    x = r = repeat_lanes(scaled(inputs), group.forward_lanes)
    parameters, depth = LaneParameters(group, draws), group.deepest - 1
    failures = Failures((len(draws.block.replicates), group.forward_lanes), draws.settings.data.batch)
    hidden = HiddenLayers(layers_per_array(draws, group.forward_lanes))
    sums = _sums(group, draws, depth, hidden_units(draws.block, depth), group.activation)
    for first in range(0, depth, hidden.per_array):
        slots = range(first, min(first + hidden.per_array, depth))
        width = draws.block.fan_out(first)
        squares, largest, layers = [], [], empty_layers(group, draws, len(slots), width, group.activation)
        for i, k in enumerate(slots):
            base = draws.hidden(k)
            squares.append(base_squares(base))
            W, b = parameters.weights(base), parameters.hidden_bias(k)
            layer = layer_forward(r, W, b, group.activation, layers[i])
            failures.add(layer, k + 1)
            r = layer.r
            largest.append(r.largest)
        sums.add(slice(slots.start, slots.stop), layers, squares, largest)
        hidden.arrays.append(layers)
    return Ascent(parameters, x, hidden, failures, {name: measure(sums) for name, measure in FORWARD.items()})


class Failures:
    """The layer at which each lane left the number format, and at which each of its samples met a silent layer."""

    def __init__(self, shape: tuple[int, int], batch: int) -> None:
        self.layer = np.full(shape, NEVER)  # first layer that overflows or underflows, (replicates, lanes)
        self.text = np.full(shape, "", dtype=object)
        self.silent_layer = np.full((*shape, batch), NEVER)

    def add(self, layer: Layer, k: int, divided: Array | None = None) -> None:
        """Record the failures and silent samples of layer k; layers are added from the lowest upwards.

        `divided`, (replicates, lanes): where a normalisation divides by 0.
        """
        found = (layer.overflows, "overflows"), (layer.underflows, "underflows"), (divided, "divides by 0")
        for condition, what in found:
            if condition is not None:
                new = condition & (self.layer == NEVER)
                self.layer[new] = k
                self.text[new] = f"forward pass {what} at layer {k}"
        if layer.silent is not None:
            silent = np.logical_and.reduce(layer.silent, axis=-1)
            if any_of(silent):
                self.silent_layer[silent & (self.silent_layer == NEVER)] = k

    def with_output(self, output_layer: Layer, depth: int) -> tuple[Array, Array, Array]:
        """For the networks of one depth: layer of failure, dead_from_layer (each 0 for never) and the status text.

        Each is (replicates, lanes).
        """
        all_layers = Failures(self.layer.shape, self.silent_layer.shape[-1])
        hidden = self.layer < depth
        all_layers.layer[hidden], all_layers.text[hidden] = self.layer[hidden], self.text[hidden]
        all_layers.silent_layer[:] = np.where(self.silent_layer < depth, self.silent_layer, NEVER)
        all_layers.add(output_layer, depth)
        dead_from = all_layers.silent_layer.max(axis=-1)  # by then every sample has met a silent layer
        failed = np.where(all_layers.layer == NEVER, 0, all_layers.layer)
        return failed, np.where(dead_from == NEVER, 0, dead_from), all_layers.text


def empty_layers(group: Group, draws: SharedDraws, layers: int, units: int, activation: Activation) -> Layer:
    """Arrays for consecutive layers of the forward pass, (layers, replicates, lanes, batch, units)."""
    shape = layers, len(draws.block.replicates), group.forward_lanes, draws.settings.data.batch, units
    return Layer.empty(activation, draws.dtype, *shape)


def repeat_lanes(data: Scaled, lanes: int) -> Scaled:
    """Data (replicates, batch, width) repeated for every lane, (replicates, lanes, batch, width)."""
    shape = len(data.mantissa), lanes, *data.mantissa.shape[-2:]
    mantissa = np.ascontiguousarray(np.broadcast_to(data.mantissa[:, None], shape))
    return Scaled(mantissa, np.broadcast_to(data.exponent[:, None], shape[:2]).copy())


def hidden_units(block: Block, layers: int) -> Array | int:
    """Number of units of the hidden layers: of each, (layers, 1, 1), where they differ."""
    return np.array(block.widths[1 : layers + 1])[:, None, None] if block.widths else block.width


def _sums(group: Group, draws: SharedDraws, layers: int, units: Array | int, activation: Activation) -> ForwardSums:
    pairs = units * draws.settings.data.batch
    shape = layers, len(draws.block.replicates), group.forward_lanes
    return ForwardSums(*shape, pairs, activation.slope_bound, draws.settings.saturated_below)
