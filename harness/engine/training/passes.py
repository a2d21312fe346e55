"""Forward and backward passes of runs that are trained, with the normalisations and skips of their hidden layers.

The equations are those of every sweep (engine/equations.py); what stands between and beside them is that of
engine/remedied. Here the gradients are those of the parameters themselves, with the alpha of a branch in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, Weights, base_alone, scaled, shifted
from harness.engine.equations import (
    bias_gradient,
    cost_gradient,
    layer_backward,
    layer_forward,
    preactivations,
    through_activation,
    through_weights,
    weight_gradient,
)
from harness.engine.lanes.groups import Remedy
from harness.engine.layers import Layer
from harness.engine.remedied.hidden import Affine, Hidden, activated, at_z_hat, joined, times
from harness.engine.remedied.normalise import Statistics, through_normalisation
from harness.engine.training.at_start import Stack
from harness.networks.remedies.standardised import through_standardisation


@dataclass(frozen=True)
class Ascent:
    """Runs after the forward pass of a batch."""

    remedy: Remedy
    Ws: list[Weights]
    x: Scaled  # r[0], (runs, 1, batch, input_width)
    hidden: list[Hidden]
    top: Layer
    overflows: Array  # (runs,): a value left the number format, or a normalisation divided by 0
    of_trained: Sequence[tuple[Array, Array]] = ()  # of `Stack.multiplying`, of standardised weights

    def r(self, k: int) -> Scaled:
        """r[k], from the inputs r[0] to the last hidden layer."""
        return self.hidden[k - 1].layer.r if k else self.x

    def weights(self, k: int) -> Weights:
        """W[k]."""
        return self.Ws[k]

    @property
    def means(self) -> bool:
        """No: means of |∂C/∂W| are of networks as drawn."""
        return False

    @property
    def scales(self) -> tuple[()]:
        """Empty: the batch scales no weights of runs that are trained."""
        return ()

    def standardised(self, k: int, output_width: int | None) -> tuple[Array, Array] | None:
        """v_hat and deviation/s of V[k] as `trained_gradient_sums` takes them; None where none is standardised."""
        if not self.of_trained:
            return None
        v_hat, inverse = self.of_trained[k]
        return v_hat[:, 0], inverse[:, 0]

    def weight_gradient(self, k: int, delta: Scaled) -> Scaled:
        """∂C/∂W[k] from ∂C/∂z[k+1]; where weights are standardised ∂C/∂V[k], of those that are trained."""
        grad = weight_gradient(self.r(k), delta)
        if not self.of_trained:
            return grad
        return Scaled(through_standardisation(grad.mantissa, *self.of_trained[k]), grad.exponent).normalised()


@dataclass(frozen=True)
class Gradients:
    """The gradients of a minibatch."""

    log10_cost: Array  # (runs,)
    layers: Iterable[Scaled]  # of the parameters of each layer, from the output layer down; shapes of `Stack.layers`
    overflows: Array  # (runs,)

    def put(self, runs: Array, others: Gradients) -> Gradients:
        """These with the gradients of some runs, (runs,) of booleans, replaced by others."""
        log10_cost, overflows = self.log10_cost.copy(), self.overflows.copy()
        log10_cost[runs], overflows[runs] = others.log10_cost, others.overflows
        return Gradients(log10_cost, self._replaced(runs, others), overflows)

    def _replaced(self, runs: Array, others: Gradients) -> Iterator[Scaled]:
        for layer, replacing in zip(self.layers, others.layers, strict=True):
            layer.mantissa[runs], exponent = replacing.mantissa, layer.exponent.copy()
            exponent[runs] = replacing.exponent
            yield Scaled(layer.mantissa, exponent)


def hidden_layers(
    stack: Stack, x: Scaled, statistics: Sequence[Statistics] | None = None
) -> Iterator[tuple[Hidden, Array]]:
    """The hidden layers from the lowest up, and the runs (runs,) in which each leaves the number format.

    With `statistics`, one for each layer, the layers are normalised by these and not by those of the batch x.
    """
    remedy, r = stack.remedy, x
    trunk: Scaled | None = None  # z at which the last skip from z to z began
    parameters = zip(stack.weights[:-1], stack.scaled_biases()[:-1], stack.activations[:-1], strict=True)
    for k, (W, b, activation) in enumerate(parameters):
        branch = preactivations(r, base_alone(W), b.normalised())
        joins = remedy.joins(k + 1)
        z = joined(remedy, branch, {"pre": trunk, "post": r}.get(str(remedy.order)) if k and joins else None)
        trunk = z if joins else trunk
        here, divided = activated(activation, remedy, z, affine_of(stack, k), statistics[k] if statistics else None)
        fails = np.zeros(len(x.mantissa), dtype=bool) if divided is None else divided[:, 0]
        if here.layer.overflows is not None:
            fails = fails | here.layer.overflows[:, 0]
        if k and remedy.order == "inside":
            here = replace(here, layer=replace(here.layer, r=joined(remedy, here.layer.r, r)))
        r = here.layer.r
        yield here, fails


def affine_of(stack: Stack, k: int) -> Affine | None:
    """gamma and beta of the layer above W[k]; None where it is not normalised."""
    if not stack.normalised(k):
        return None
    layer = stack.layers[k]
    return Affine(layer[..., -2:-1, :], scaled(layer[..., -1:, :]))


def output_layer(stack: Stack, r: Scaled) -> Layer:
    """The output layer above the last hidden r."""
    return layer_forward(
        r, base_alone(stack.weights[-1]), stack.scaled_biases()[-1].normalised(), stack.activations[-1]
    )


def ascended(stack: Stack, x: Scaled) -> Ascent:
    """Runs after the forward pass of a batch (runs, 1, batch, input_width)."""
    stack, of_trained = stack.multiplying()
    hidden, overflows = [], np.zeros(len(x.mantissa), dtype=bool)
    for here, fails in hidden_layers(stack, x):
        hidden.append(here)
        overflows |= fails
    top = output_layer(stack, hidden[-1].layer.r if hidden else x)
    if top.overflows is not None:
        overflows |= top.overflows[:, 0]
    return Ascent(stack.remedy, [base_alone(W) for W in stack.weights], x, hidden, top, overflows, of_trained)


def gradients(stack: Stack, x: Array, y: Array, cost: str) -> Gradients:
    """The gradients of the cost with respect to all parameters, and the cost.

    x is (runs, batch, input_width) and y is (runs, batch, output_width).
    """
    ascent = ascended(stack, scaled(x[:, None]))
    log10_cost, grad_r = cost_gradient(ascent.top.r, scaled(y[:, None]), cost)
    k = len(ascent.hidden)
    delta, grad_r = layer_backward(grad_r, ascent.top.slope, ascent.weights(k))
    layers, trunk = [as_rows(ascent.weight_gradient(k, delta), bias_gradient(delta))], None
    for k in range(len(ascent.hidden), 0, -1):
        rows, grad_r, trunk = _hidden_backward(ascent, k, grad_r, trunk)
        layers.append(rows)
    return Gradients(log10_cost[:, 0], _tied(layers) if stack.remedy.tied else layers, ascent.overflows)


def _tied(layers: list[Scaled]) -> list[Scaled]:
    """The gradients of layers of which all hidden ones but the first share their parameters: for each, that of all."""
    if len(layers) < 4:  # there is one of them at most
        return layers
    total = layers[1]
    for one in layers[2:-1]:
        total = (total + one).normalised()
    copies = (Scaled(total.mantissa.copy(), total.exponent) for _ in layers[1:-1])  # an update overwrites its own
    return [layers[0], *copies, layers[-1]]


def _hidden_backward(
    ascent: Ascent, k: int, grad_r: Scaled, trunk: Scaled | None
) -> tuple[Scaled, Scaled, Scaled | None]:
    """The gradients of the parameters of hidden layer k, ∂C/∂r[k−1], and ∂C/∂z that the next skip from z carries."""
    remedy = ascent.remedy
    joins = remedy.joins(k)
    order = remedy.order if k > 1 and joins else None  # the first layer has no skip
    branch = times(grad_r, remedy.alpha) if order == "inside" else grad_r
    delta, affine = _through_nonlinearity(remedy, branch, ascent.hidden[k - 1])
    if trunk is not None and joins:
        delta = (trunk + delta).normalised()
    inner = times(delta, remedy.alpha) if order in ("pre", "post") else delta
    below = through_weights(inner, ascent.weights(k - 1))
    if order in ("inside", "post"):
        below = ((grad_r if order == "inside" else delta) + below).normalised()
    rows = as_rows(ascent.weight_gradient(k - 1, inner), _bias_rows(remedy, inner), *affine)
    return rows, below, delta if order == "pre" else trunk


def _through_nonlinearity(remedy: Remedy, grad_r: Scaled, here: Hidden) -> tuple[Scaled, tuple[Scaled, ...]]:
    """∂C/∂z[k] from ∂C/∂r[k] beside a skip, and the gradients of gamma and beta, (runs, 1, 1, width) each."""
    if remedy.normalisation is None or here.normalised is None:
        return through_activation(grad_r, here.layer.slope), ()
    grad = grad_r if remedy.after else through_activation(grad_r, here.layer.slope)
    affine = (bias_gradient(Scaled(grad.mantissa * here.normalised.values, grad.exponent)), bias_gradient(grad))
    below = through_normalisation(remedy.normalisation, at_z_hat(grad, here), here.normalised)
    return through_activation(below, here.layer.slope) if remedy.after else below, affine


def _bias_rows(remedy: Remedy, delta: Scaled) -> Scaled:
    """∂C/∂b[k], (runs, 1, 1, fan_out): exactly 0 below a normalisation over the batch, which subtracts any bias.

    Its sum over the batch is 0 but for rounding, which an optimiser that divides by its size would train on.
    """
    gradient = bias_gradient(delta)
    if remedy.normalisation is None or remedy.normalisation.over != "batch" or remedy.after:
        return gradient
    return Scaled(np.zeros_like(gradient.mantissa), gradient.exponent)


def as_rows(*parts: Scaled) -> Scaled:
    """The gradients of the parameters of a layer as rows, in the order of `Stack.layers`."""
    exponent = np.maximum.reduce([part.exponent for part in parts])
    shifts = (shifted(part.mantissa, part.exponent - exponent) for part in parts)
    return Scaled(np.concatenate([*shifts], axis=-2), exponent).normalised()
