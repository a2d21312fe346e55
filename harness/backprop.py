"""Forward and backward through a deep network: the equations, and nothing else.

Row vectors; layers are numbered as on paper: r[0] = x, and W[k] leads from r[k] to z[k+1].

    forward   z[k+1] = r[k] @ W[k] + b[k]                  r[k+1] = phi(z[k+1])
    (1)       ∂C/∂z[k+1] = ∂C/∂r[k+1] * phi'(z[k+1])       called delta
    (2)       ∂C/∂r[k]   = ∂C/∂z[k+1] @ W[k].T
    (3)       ∂C/∂W[k]   = r[k].T @ ∂C/∂z[k+1]             ∂C/∂b[k] = sum over the batch of ∂C/∂z[k+1]

Arrays are (replicates, lanes, batch, width); on the way down leading axes hold layers, and the depths that pass there.
Source: Rumelhart, Hinton & Williams 1986.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.activations import Activation
from harness.scaled import RISKY, Scaled, Weights, any_of, log10_of, normalised, shifted

Array = np.ndarray

# Under 2^LINEAR every activation that vanishes at 0 is positively homogeneous to the last bit: phi(z) = phi'(0±)·z.
LINEAR = {np.dtype(np.float64): -56, np.dtype(np.float32): -27}


@dataclass(frozen=True)
class Layer:
    """A layer on the way up: what W[k−1] and b[k−1] give, r[k] and phi'(z[k]); or several, on a leading axis."""

    r: Scaled  # (replicates, lanes, batch, fan_out)
    slope: Array  # phi'(z[k]), the same shape; of booleans where it is only ever 0 or 1
    silent: Array | None  # where a unit passes no gradient; None where that cannot be
    overflows: Array | None = None  # (replicates, lanes): the value is beyond the number format, r has been set to 0
    underflows: Array | None = None  # (replicates, lanes): no value is 0, but all are below the number format

    @classmethod
    def empty(cls, activation: Activation, dtype: np.dtype, *shape: int) -> "Layer":
        """Room for what `layer_forward` fills."""
        r = Scaled(np.empty(shape, dtype), np.zeros(shape[:-2], dtype=np.int64))
        silent = np.empty(shape, dtype=bool) if activation.silent else None
        return cls(r, np.empty(shape, activation.slope_dtype(dtype)), silent)

    def __getitem__(self, which: int | slice | None) -> "Layer":
        return Layer(self.r[which], self.slope[which], None if self.silent is None else self.silent[which])


@dataclass(frozen=True)
class BackwardLayers:
    """Consecutive layers on the way down, with everything the measures need. Leading axes: layers, the lowest first;
    depths of the networks.
    """

    r_below: Scaled  # r[k−1], (layers, 1, replicates, lanes, batch, fan_in): the same for all depths
    delta: Scaled  # ∂C/∂z[k], (layers, depths, replicates, lanes, batch, fan_out)
    largest: Array  # magnitude in delta's mantissa, (layers, depths, replicates, lanes)
    grad_below: Scaled  # ∂C/∂r[k−1], (layers, depths, replicates, lanes, batch, fan_in)
    underflows: Array  # (layers, depths, replicates, lanes): phi' is not 0, but below the number format

    def some(self, lanes: slice) -> "BackwardLayers":
        """Of those lanes alone; `r_below` stays, which is theirs or serves all."""
        largest, underflows = self.largest[..., lanes], self.underflows[..., lanes]
        return BackwardLayers(self.r_below, self.delta.some(lanes), largest, self.grad_below.some(lanes), underflows)


def layer_forward(r: Scaled, W: Weights, b: Scaled | None, activation: Activation, room: Layer) -> Layer:
    """One layer up: z = r @ W + b, then phi(z) and phi'(z), in `room`."""
    z = r @ W + b
    return activate(z, activation, room)


def activate(z: Scaled, activation: Activation, room: Layer) -> Layer:
    """phi and phi' of z, evaluated at z itself but for the part of its exponent that phi passes on unchanged."""
    carried = passed_on(z, activation)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # what overflows is reported, not warned of
        at = shifted(z.mantissa, z.exponent - carried)
        activation.fill(at, room.r.mantissa, room.slope)
        if activation.silent:
            room.silent[...] = activation.silent(at)
        r = Scaled(room.r.mantissa, carried)
        ordinary = r.is_ordinary
    overflows = underflows = None
    if not ordinary:
        if not activation.silent and not r.largest.all():
            underflows = (r.largest == 0) & ((z.largest > 0) | (not activation.vanishes_at_zero))
        overflowing = ~np.isfinite(r.largest)
        if any_of(overflowing):
            overflows = overflowing
            r.mantissa[overflows] = room.slope[overflows] = 0
            r = Scaled(r.mantissa, carried)
        r = r.normalised()
    room.r.exponent[...] = r.exponent
    return Layer(r, room.slope, room.silent, overflows, underflows)


def passed_on(z: Scaled, activation: Activation) -> Array:
    """The exponent with which phi(z) = 2^exponent · phi(z / 2^exponent), (replicates, lanes).

    Where phi is linear near 0 alone, the largest z is taken to where that ends: short samples, which lie far below it,
    stay in the number format.
    """
    if activation.homogeneous:
        return z.exponent
    linear = LINEAR[z.mantissa.dtype]
    small = z.exponent < linear
    if not activation.vanishes_at_zero or not any_of(small):
        return np.zeros_like(z.exponent)
    top = z.exponent + np.frexp(z.largest)[1]
    return np.where(small, np.minimum(top - linear, 0), 0)


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


def layers_backward(grad_r: Scaled, layers: Iterable[tuple[Layer, Weights]], r_below: Scaled) -> BackwardLayers:
    """Down several layers from the top one: equations (1) and (2); (3) is `weight_gradient` of what this returns.

    `r_below` is below each of them, the lowest first. W is a base alone: ∂C/∂r[k−1] has the exponent of ∂C/∂z[k].
    """
    shape = len(r_below.mantissa), *grad_r.mantissa.shape
    delta = Scaled(np.empty(shape, grad_r.mantissa.dtype), np.empty(shape[:-2], dtype=np.int64))
    grad_below = Scaled(np.empty((*shape[:-1], r_below.mantissa.shape[-1]), grad_r.mantissa.dtype), delta.exponent)
    largest, underflows = np.empty(shape[:-2]), np.zeros(shape[:-2], dtype=bool)
    for i, (layer, W) in zip(reversed(range(shape[0])), layers, strict=True):
        ours = times_slope(grad_r, layer, delta.mantissa[i], underflows[i])  # (1)
        grad_r = ours.times(W.T, out=grad_below.mantissa[i])  # (2)
        delta.exponent[i], largest[i] = ours.exponent, ours.largest
    return BackwardLayers(r_below, delta, largest, grad_below, underflows)


def weight_gradient(r_below: Scaled, delta: Scaled) -> Scaled:
    """Equation (3): ∂C/∂W[k−1] = r[k−1].T @ ∂C/∂z[k], (…, fan_in, fan_out)."""
    return Scaled(r_below.mantissa.swapaxes(-1, -2) @ delta.mantissa, r_below.exponent + delta.exponent)


def times_slope(grad_r: Scaled, layer: Layer, delta: Array, underflows: Array) -> Scaled:
    """Equation (1), delta = ∂C/∂r * phi'(z), normalised, in `delta`; and in `underflows`, where phi' is lost to
    underflow although it is not 0.
    """
    slope = layer.slope.astype(delta.dtype, copy=False)
    product = Scaled(np.multiply(grad_r.mantissa, slope, out=delta), grad_r.exponent)
    if layer.silent is not None or product.is_ordinary:
        return product.normalised()
    risky = product.largest < RISKY[delta.dtype] * grad_r.largest  # whatever a mantissa has drifted to
    if not any_of(risky):
        return product.normalised()
    exponent = grad_r.exponent.copy()
    slope = np.broadcast_to(slope, delta.shape)[risky]
    underflows[risky] = (np.abs(slope) < np.finfo(slope.dtype).tiny).any(axis=(-2, -1))
    top, shift = normalised(slope, np.zeros(len(slope), dtype=np.int64))  # exact: no slope is subnormal
    delta[risky] = grad_r.mantissa[risky] * top
    exponent[risky] += shift
    delta[underflows] = 0
    return Scaled(delta, exponent).normalised()


@dataclass(frozen=True)
class Head:
    """The end of the networks of one depth: their output layer's start of the backward pass."""

    depth: int
    grad_r: Scaled  # ∂C/∂r[depth], (replicates, lanes, batch, output_width)
    layer: Layer
    W: Weights  # W[depth − 1]


@dataclass(frozen=True)
class Hidden:
    """The hidden layers on the way up, so many to a stretch of memory: what is below consecutive ones is one array."""

    at_once: int
    stretches: list[Layer] = field(default_factory=list)

    def __getitem__(self, k: int) -> Layer:
        """Layer k, from 1."""
        return self.stretches[(k - 1) // self.at_once][(k - 1) % self.at_once]

    def outputs(self, low: int, high: int) -> Scaled:
        """r[low] … r[high] of one stretch, (layers, replicates, lanes, batch, width)."""
        first = (low - 1) % self.at_once
        return self.stretches[(low - 1) // self.at_once].r[first : first + high - low + 1]

    def runs(self, top: int, end: int, at_once: int) -> Iterator[tuple[int, int]]:
        """Layers from the top one down to `end` as (lowest, highest), so many at once, with one array below them."""
        while top >= end:
            low = max(end, top - at_once + 1, (top - 2) // self.at_once * self.at_once + 2)
            yield low, top
            top = low - 1


def backward(x: Scaled, hidden: Hidden, heads: Sequence[Head], weights: Callable[[int], Weights],
             together: int = 1) -> Iterator[tuple[int, int, BackwardLayers]]:  # fmt: skip
    """From the outputs of all heads (deepest first) down to the input.

    `weights(k)` gives the hidden W[k]. Yields (lowest k, first head, layers): an output layer of one head alone, hidden
    ones of heads that are deeper; `together` layers of one head, or one layer of so many heads, are one array.
    """

    def below(low: int, high: int) -> Scaled:
        return (hidden.outputs(low - 1, high - 1) if low > 1 else x[None])[:, None]

    arrived: list[Scaled] = []
    for j, head in enumerate(heads):
        k = head.depth
        layers = layers_backward(head.grad_r[None], [(head.layer, head.W)], below(k, k))
        yield k, j, layers
        arrived[j // together :] = [concatenated([*arrived[j // together :], layers.grad_below[0]])]
        end = heads[j + 1].depth if j + 1 < len(heads) else 1
        for low, high in hidden.runs(k - 1, end, max(1, together // (j + 1))):
            r_below = below(low, high)
            for i, grad_r in enumerate(arrived):
                descending = ((hidden[k], weights(k - 1)) for k in range(high, low - 1, -1))
                layers = layers_backward(grad_r, descending, r_below)
                yield low, i * together, layers
                arrived[i] = layers.grad_below[0]


def concatenated(parts: Sequence[Scaled], axis: int = 0) -> Scaled:
    """Lanes of several arrays as lanes of one: those of depths, or (axis 1) of one depth."""
    if len(parts) == 1:
        return parts[0]
    mantissas, exponents = [part.mantissa for part in parts], [part.exponent for part in parts]
    return Scaled(np.concatenate(mantissas, axis), np.concatenate(exponents, axis))
