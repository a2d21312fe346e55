"""The passes of plain runs in ordinary numbers, in arrays that are made once: how fast, not what.

The equations are those of engine/equations.py. Activations are ordinary numbers; the gradient has an exponent for each
run, which changes only where its norm would leave GRADIENT. A run whose activations leave FORWARD is left to the passes
that carry exponents throughout. Each run is judged by itself, so its numbers do not depend on the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.base.arrays import Array, any_of, inner, largest
from harness.base.scaled import NOTHING, Scaled, Slope, unscaled
from harness.engine.equations import cost_gradient, through_activation
from harness.engine.training.at_start import Stack
from harness.engine.training.passes import Gradients

# Squared norms of ordinary activations, and of gradients, are within these factors of 1: no product leaves the format.
FORWARD = {np.dtype(np.float64): 2.0**400, np.dtype(np.float32): 2.0**40}
GRADIENT = {np.dtype(np.float64): 2.0**400, np.dtype(np.float32): 2.0**48}


class Plain:
    """Arrays for the passes of runs of one shape without remedies, (runs, 1, batch, width) for each layer."""

    def __init__(self, stack: Stack, batch: int, keep: bool) -> None:
        """`keep`: the gradients of all layers are needed at once, as by clipping."""
        self.activations = stack.activations
        runs, dtype = len(stack.layers[0]), stack.layers[0].dtype
        widths = [layer.shape[-1] for layer in stack.layers]

        def array(width: int, of: np.dtype = dtype) -> Array:
            return np.empty((runs, 1, batch, width), of)

        shared = {width: array(width) for width in widths}
        self.z = [shared[width] for width in widths]  # z[k+1], and on the way down delta
        self.r = [array(width) for width in widths]
        kinds = [activation.slope_dtype(dtype) for activation in stack.activations]
        self.slopes = [
            array(width, kind if kind.kind == "b" else dtype) for width, kind in zip(widths, kinds, strict=True)
        ]
        self.grad_r = [array(width) for width in widths[:-1]]
        rows = {layer.shape: np.empty_like(layer) for layer in stack.layers}
        self.rows = [np.empty_like(layer) if keep else rows[layer.shape] for layer in stack.layers]
        self.ones = np.ones((1, batch), dtype)

    def gradients(self, stack: Stack, x: Array, y: Array, cost: str) -> tuple[Gradients, Array]:
        """The gradients of the cost, and whether those of each run are exact, (runs,).

        x is (runs, batch, input_width) and y is (runs, batch, output_width). The backward pass is taken layer by layer
        as the gradients are iterated over, which may change the layers that it has passed; its arrays are reused.
        """
        exact = self._forward(stack, x[:, None])
        log10_cost, start = cost_gradient(unscaled(self.r[-1]), unscaled(y[:, None]), cost)
        layers = self._backward(stack, x[:, None], start)
        return Gradients(log10_cost[:, 0], layers, np.zeros(len(x), dtype=bool)), exact

    def _forward(self, stack: Stack, x: Array) -> Array:
        """Fill r and phi'. Returns whether no layer left FORWARD, (runs,)."""
        r, squares = x, [squares_of(x)]
        of_layers = zip(stack.weights, stack.biases, self.activations, self.z, self.r, self.slopes, strict=True)
        for W, b, activation, z, value, slope in of_layers:
            np.matmul(r, W, out=z)
            z += b
            activation.fill(z, value, slope)
            r = value
            squares.append(squares_of(r))
        return np.logical_and.reduce(within(np.concatenate(squares, axis=1), FORWARD[x.dtype]), axis=1)

    def _backward(self, stack: Stack, x: Array, grad: Scaled) -> Iterator[Scaled]:
        """The gradient of each layer, from the output layer down."""
        below = [x, *self.r]
        for k in reversed(range(len(stack.layers))):
            delta = self._through_activation(grad, k)
            rows, W = self.rows[k], stack.layers[k][..., :-1, :]
            np.matmul(below[k].swapaxes(-1, -2), delta.mantissa, out=rows[..., :-1, :])  # (3)
            np.matmul(self.ones, delta.mantissa, out=rows[..., -1:, :])
            if k:
                grad_r = np.matmul(delta.mantissa, W.swapaxes(-1, -2), out=self.grad_r[k - 1])  # (2)
                grad = Scaled(grad_r, delta.exponent)
            yield Scaled(rows, delta.exponent)

    def _through_activation(self, grad_r: Scaled, k: int) -> Scaled:
        """∂C/∂z[k+1] from ∂C/∂r[k+1]; runs that leave GRADIENT are normalised."""
        delta = np.multiply(grad_r.mantissa, self.slopes[k], out=self.z[k])  # (1)
        leaving = ~within(inner(delta, delta), GRADIENT[delta.dtype])
        if not any_of(leaving):
            return Scaled(delta, grad_r.exponent)
        those, exponent = leaving[:, 0], grad_r.exponent.copy()
        slope = Slope(self.slopes[k][those], self.activations[k].silent is not None)
        normalised = through_activation(Scaled(grad_r.mantissa[those], grad_r.exponent[those]), slope)
        delta[those] = normalised.mantissa
        exponent[those] = np.where(normalised.exponent == NOTHING, exponent[those], normalised.exponent)
        return Scaled(delta, exponent)


def squares_of(r: Array) -> Array:
    """The squared norm of each run, (runs, 1); 1 for exact zeros, which stay so."""
    squares = inner(r, r)
    return squares if squares.all() else np.where((squares == 0) & (largest(r) == 0), 1, squares)


def within(squares: Array, factor: float) -> Array:
    """Whether numbers are within a factor of 1; a nan is not."""
    return (squares > 1 / factor) & (squares < factor)
