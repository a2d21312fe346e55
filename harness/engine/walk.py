"""Networks forward and backward through the equations, layer by layer: given weights, any width per layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, Weights, base_alone
from harness.engine.equations import cost_gradient, layer_backward, layer_forward
from harness.engine.lanes.depths import slope_lost
from harness.engine.layers import BackwardLayers, Layer
from harness.engine.measures import FORWARD, in_units, of_backward
from harness.engine.sums import BackwardSums, ForwardSums, base_squares
from harness.networks.activations import SATURATED, Activation


@dataclass(frozen=True)
class Walk:
    """Networks of one shape, each with its own weights, after both passes. Layers are given from the lowest up."""

    weights: list[Weights]
    activations: Sequence[Activation]
    log10_cost: Array  # (networks, 1)
    grad_r: Scaled  # ∂C/∂r[L], (networks, 1, batch, output_width)
    forward: list[Layer]  # (networks, 1, batch, fan_out)
    backward: list[BackwardLayers]  # of one layer each, (1, 1, networks, 1, batch, fan_out)

    @property
    def slope_failures(self) -> Array:
        """The highest layer at which a slope underflows, 0 for none, (networks,)."""
        found, grad_r = np.zeros(len(self.log10_cost), dtype=np.int64), self.grad_r
        for k in range(len(self.forward), 0, -1):
            backward = self.backward[k - 1]
            if not self.forward[k - 1].slope.has_zeros:
                lost = slope_lost(grad_r.largest, backward.delta[0, 0].largest)[:, 0]
                found[lost & (found == 0)] = k
            grad_r = backward.grad_below[0, 0]
        return found


def walk(
    weights: Sequence[Array],
    biases: Sequence[Array | None],
    x: Array,
    y: Array,
    activations: Sequence[Activation],
    cost: str = "squared",
) -> Walk:
    """Propagate one network forward and backward.

    Each layer has weights (fan_in, fan_out), biases (fan_out,) or None, and an activation; x is (batch, fan_in of the
    first layer) and y is (batch, fan_out of the last), all of one dtype. `cost` is a name in COSTS.
    """
    stacks = [W[None, None] for W in weights], [None if b is None else single_lane(b[None]) for b in biases]
    return walk_together(*stacks, single_lane(x), single_lane(y), activations, cost)


def walk_together(
    weights: Sequence[Array],
    biases: Sequence[Scaled | None],
    x: Scaled,
    y: Scaled,
    activations: Sequence[Activation],
    cost: str,
) -> Walk:
    """Propagate networks of one shape: weights (networks, 1, fan_in, fan_out), biases (networks, 1, 1, fan_out)."""
    Ws = [base_alone(W) for W in weights]
    r, forward = [x], []
    for W, b, activation in zip(Ws, biases, activations, strict=True):
        bias = None if b is None else b.normalised()  # zeros must not raise the exponent of z
        forward.append(layer_forward(r[-1], W, bias, activation))
        r.append(forward[-1].r)
    log10_cost, start = cost_gradient(r[-1], y, cost)
    grad_r, backward = start, []
    for layer, W, r_below in zip(reversed(forward), reversed(Ws), reversed(r[:-1]), strict=True):
        delta, grad_below = layer_backward(grad_r, layer.slope, W)
        stacked = delta[None, None]
        backward.append(BackwardLayers(r_below[None, None], stacked, stacked.largest, grad_below[None, None]))
        grad_r = grad_below
    return Walk(Ws, activations, log10_cost, start, forward, backward[::-1])


def measures_of(network: Walk) -> dict[str, Array]:
    """Every measure of every layer of a single network, (depth,)."""
    return {name: values[0] for name, values in measures_together(network, means=True).items()}


def measures_together(network: Walk, saturated_below: float = SATURATED, means: bool = False) -> dict[str, Array]:
    """Every measure of every layer, (networks, depth); with `means` also those that are computed on request."""
    depth = len(network.forward)
    backward = BackwardSums(depth, 1, len(network.log10_cost), 1, means=means)
    backward.add_start(0, depth, network.grad_r)
    for k, layers in enumerate(network.backward):
        backward.add(slice(None), slice(k, k + 1), slice(0, 1), layers)
    of_layers = zip(network.forward, network.weights, network.activations, strict=True)
    forward = [forward_sums(*of_layer, saturated_below) for of_layer in of_layers]
    columns = {
        name: np.stack([measure(sums)[0, :, 0] for sums in forward], axis=-1) for name, measure in FORWARD.items()
    }
    return in_units(columns) | {name: values[:, 0, :, 0].T for name, values in of_backward(backward).items()}


def single_lane(values: Array) -> Scaled:
    """An array (batch, width) as the only lane, (1, 1, batch, width)."""
    return Scaled(np.array(values)[None, None], np.zeros((1, 1), dtype=np.int64))


def forward_sums(layer: Layer, W: Weights, activation: Activation, saturated_below: float) -> ForwardSums:
    """The sums of one layer (networks, 1, batch, fan_out) after the forward pass."""
    sums = ForwardSums(1, len(W.base), 1, layer.slope.values[0, 0].size, activation.slope_bound, saturated_below)
    sums.add(slice(0, 1), layer[None], [base_squares(W.base)], [layer.r.largest])
    return sums
