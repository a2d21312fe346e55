"""Forward and backward through a deep network: the equations, and nothing else.

Row vectors; layers are numbered as on paper: r[0] = x, and W[k] leads from r[k] to z[k+1].

    forward   z[k+1] = r[k] @ W[k] + b[k]                  r[k+1] = phi(z[k+1])
    (1)       ∂C/∂z[k+1] = ∂C/∂r[k+1] * phi'(z[k+1])       called delta
    (2)       ∂C/∂r[k]   = ∂C/∂z[k+1] @ W[k].T
    (3)       ∂C/∂W[k]   = r[k].T @ ∂C/∂z[k+1]             ∂C/∂b[k] = sum over the batch of ∂C/∂z[k+1]

Arrays are (replicates, lanes, batch, width); in the backward pass a leading axis holds the depths that pass there.
Source: Rumelhart, Hinton & Williams 1986.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.activations import Activation
from harness.scaled import RISKY, Scaled, Weights, any_of, log10_of, normalised, shifted

Array = np.ndarray

# Under 2^LINEAR every activation that vanishes at 0 is positively homogeneous to the last bit: phi(z) = phi'(0±)·z.
LINEAR = {np.dtype(np.float64): -80, np.dtype(np.float32): -45}


@dataclass(frozen=True)
class Layer:
    """A layer on the way up: what W[k−1] and b[k−1] give, r[k] and phi'(z[k])."""

    r: Scaled  # (replicates, lanes, batch, fan_out)
    slope: Array  # phi'(z[k]), the same shape; of booleans where it is only ever 0 or 1
    silent: Array | None  # where a unit passes no gradient; None where that cannot be
    overflows: Array | None  # (replicates, lanes): the value is beyond the number format, and r has been set to 0
    underflows: Array | None  # (replicates, lanes): no value is 0, but all are below the number format


@dataclass(frozen=True)
class BackwardLayer:
    """A layer on the way down, with everything the measures need. Leading axis: the networks' depths."""

    r_below: Scaled  # r[k−1], (1, replicates, lanes, batch, fan_in): the same for all depths
    delta: Scaled  # ∂C/∂z[k], (depths, replicates, lanes, batch, fan_out)
    largest: Array  # magnitude in delta's mantissa, (depths, replicates, lanes)
    grad_below: Scaled  # ∂C/∂r[k−1], (depths, replicates, lanes, batch, fan_in)
    underflows: Array | None  # (depths, replicates, lanes): phi' is not 0, but below the number format

    def some(self, lanes: slice) -> "BackwardLayer":
        """Of those lanes alone; `r_below` stays, which is theirs or serves all."""
        underflows = None if self.underflows is None else self.underflows[..., lanes]
        delta, grad_below = self.delta.some(lanes), self.grad_below.some(lanes)
        return BackwardLayer(self.r_below, delta, self.largest[..., lanes], grad_below, underflows)


def layer_forward(r: Scaled, W: Weights, b: Scaled | None, activation: Activation) -> Layer:
    """One layer up: z = r @ W + b, then phi(z) and phi'(z)."""
    z = r @ W + b
    return activate(z, activation)


def activate(z: Scaled, activation: Activation) -> Layer:
    """phi and phi' of z, evaluated at z itself but for the part of its exponent that phi passes on unchanged."""
    if activation.homogeneous:
        carried = z.exponent
    elif activation.vanishes_at_zero:
        carried = np.minimum(z.exponent - LINEAR[z.mantissa.dtype], 0)
    else:
        carried = np.zeros_like(z.exponent)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # what overflows is reported, not warned of
        at = shifted(z.mantissa, z.exponent - carried)
        r = Scaled(activation.value(at), carried)
        slope = activation.slope(at)
        silent = activation.silent(at) if activation.silent else None
        if r.is_ordinary:
            return Layer(r, slope, silent, None, None)
        finite = np.isfinite(r.largest)
    overflows = underflows = None
    if silent is None and not r.largest.all():
        underflows = (r.largest == 0) & ((z.largest > 0) | (not activation.vanishes_at_zero))
    if not finite.all():
        overflows = ~finite
        value = np.where(overflows[..., None, None], 0, r.mantissa)
        slope = np.where(overflows[..., None, None], 0, slope)
        r = Scaled(value, carried)
    return Layer(r.normalised(), slope, silent, overflows, underflows)


def cost_gradient(r: Scaled, y: Scaled, cost: str) -> tuple[Array, Scaled]:
    """log10 of the cost (of its magnitude, if linear), (replicates, lanes), and ∂C/∂r[L].

    squared: C = mean of ½‖r − y‖², ∂C/∂r = (r − y)/batch.    linear: C = mean of ⟨y, r⟩, ∂C/∂r = y/batch.
    """
    batch = r.mantissa.shape[-2]
    if cost == "squared":
        error = (r - y).normalised()
        return 2 * error.log10_norm + log10_of(0.5 / batch), error * (1 / batch)
    products = (r * y).normalised()
    total = np.abs(products.mantissa.sum(axis=(-2, -1), keepdims=True))
    start = Scaled(np.broadcast_to(y.mantissa, r.mantissa.shape), np.broadcast_to(y.exponent, r.exponent.shape))
    return Scaled(total, products.exponent).log10_norm - log10_of(batch), start * (1 / batch)


def layer_backward(grad_r: Scaled, layer: Layer, W: Weights, r_below: Scaled) -> BackwardLayer:
    """One layer down: equations (1) and (2); equation (3) is `weight_gradient` of what this returns."""
    delta, underflows = times_slope(grad_r, layer.slope, can_be_zero=layer.silent is not None)  # (1)
    grad_below = delta @ W.T  # (2)
    r_below = Scaled(r_below.mantissa[None], r_below.exponent[None])
    return BackwardLayer(r_below, delta, delta.largest, grad_below, underflows)


def weight_gradient(r_below: Scaled, delta: Scaled) -> Scaled:
    """Equation (3): ∂C/∂W[k−1] = r[k−1].T @ ∂C/∂z[k], (…, fan_in, fan_out)."""
    return Scaled(r_below.mantissa.swapaxes(-1, -2) @ delta.mantissa, r_below.exponent + delta.exponent)


def times_slope(grad_r: Scaled, slope: Array, can_be_zero: bool) -> tuple[Scaled, Array | None]:
    """Equation (1), delta = ∂C/∂r * phi'(z), normalised; and where phi' is lost to underflow although it is not 0."""
    delta = grad_r * slope.astype(grad_r.mantissa.dtype, copy=False)
    if can_be_zero or delta.is_ordinary:
        return delta.normalised(), None
    risky = (delta.largest < RISKY[delta.mantissa.dtype]) & (grad_r.largest > 0)
    if not any_of(risky):
        return delta.normalised(), None
    underflows = np.zeros(delta.exponent.shape, dtype=bool)
    mantissa, exponent = delta.mantissa, delta.exponent.copy()
    slope = np.broadcast_to(slope, mantissa.shape)[risky]
    underflows[risky] = (np.abs(slope) < np.finfo(slope.dtype).tiny).any(axis=(-2, -1))
    top, shift = normalised(slope, np.zeros(len(slope), dtype=np.int64))  # exact: no slope is subnormal
    mantissa[risky] = grad_r.mantissa[risky] * top
    exponent[risky] += shift
    mantissa[underflows] = 0
    return Scaled(mantissa, exponent).normalised(), underflows


@dataclass(frozen=True)
class Head:
    """The end of the networks of one depth: their output layer's start of the backward pass."""

    depth: int
    grad_r: Scaled  # ∂C/∂r[depth], (replicates, lanes, batch, output_width)
    layer: Layer
    W: Weights  # W[depth − 1]


def backward(x: Scaled, hidden: Sequence[Layer], heads: Sequence[Head],
             weights: Callable[[int], Weights]) -> Iterator[tuple[int, int, BackwardLayer]]:  # fmt: skip
    """From the outputs of all heads (deepest first) down to the input, as lanes of one array.

    `weights(k)` gives the hidden W[k]. Yields (k, first head, layer): at an output layer one head alone, at a hidden
    one all heads that are deeper.
    """
    outputs = [x, *(layer.r for layer in hidden)]
    arrived: list[Scaled] = []
    waiting = list(heads)
    for k in range(heads[0].depth, 0, -1):
        if k < heads[0].depth:
            joined = concatenated(arrived)
            layer = layer_backward(joined, hidden[k - 1], weights(k - 1), outputs[k - 1])
            yield k, 0, layer
            arrived = [layer.grad_below]
        while waiting and waiting[0].depth == k:
            head = waiting.pop(0)
            start = Scaled(head.grad_r.mantissa[None], head.grad_r.exponent[None])
            layer = layer_backward(start, head.layer, head.W, outputs[k - 1])
            yield k, len(heads) - len(waiting) - 1, layer
            arrived.append(layer.grad_below)


def concatenated(parts: Sequence[Scaled], axis: int = 0) -> Scaled:
    """Lanes of several arrays as lanes of one: those of depths, or (axis 1) of one depth."""
    if len(parts) == 1:
        return parts[0]
    mantissas, exponents = [part.mantissa for part in parts], [part.exponent for part in parts]
    return Scaled(np.concatenate(mantissas, axis), np.concatenate(exponents, axis))
