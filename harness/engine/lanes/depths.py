"""The backward pass through the shared hidden layers, of networks of several depths at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.base.arrays import Array
from harness.base.arrays import largest as largest_of
from harness.base.scaled import Scaled, Slope, Weights, concatenated
from harness.engine.equations import layer_backward
from harness.engine.lanes.draws import SharedDraws
from harness.engine.layers import BackwardLayers, Layer

SUMMED_BYTES = 2**21  # bytes of small layers, or depths at one layer, that are one array: fewer calls sum them


@dataclass(frozen=True)
class OutputLayer:
    """The output layer of the networks of one depth, where their backward pass starts."""

    depth: int
    grad_r: Scaled  # ∂C/∂r[depth], (replicates, lanes, batch, output_width)
    layer: Layer
    W: Weights  # W[depth − 1]


@dataclass(frozen=True)
class HiddenLayers:
    """The hidden layers after the forward pass; `per_array` consecutive ones are one array."""

    per_array: int
    arrays: list[Layer] = field(default_factory=list)

    def __getitem__(self, k: int) -> Layer:
        """Layer k, from 1."""
        return self.arrays[(k - 1) // self.per_array][(k - 1) % self.per_array]

    def outputs(self, low: int, high: int) -> Scaled:
        """r[low] … r[high], which must lie in one array, (layers, replicates, lanes, batch, width)."""
        first = (low - 1) % self.per_array
        return self.arrays[(low - 1) // self.per_array].r[first : first + high - low + 1]

    def ranges(self, top: int, end: int, most: int) -> Iterator[tuple[int, int]]:
        """Layers `top` down to `end` as ranges (lowest, highest) of at most `most`, with one array below each."""
        while top >= end:
            low = max(end, top - most + 1, (top - 2) // self.per_array * self.per_array + 2)
            yield low, top
            top = low - 1


def backward(
    x: Scaled,
    hidden: HiddenLayers,
    outputs: Sequence[OutputLayer],
    weights: Callable[[int], Weights],
    per_array: int = 1,
) -> Iterator[tuple[int, int, BackwardLayers]]:
    """Propagate backward from all output layers (deepest first) to the input.

    `weights(k)` returns the hidden W[k]. Yields (lowest layer, index of the first output, layers): an output layer by
    itself, and hidden layers together with those of all deeper networks. One array holds `per_array` layers of one
    depth, or one layer of as many depths.
    """

    def below(low: int, high: int) -> Scaled:
        return (hidden.outputs(low - 1, high - 1) if low > 1 else x[None])[:, None]

    grads: list[Scaled] = []  # ∂C/∂r of the layer that was reached, (depths, …), `per_array` depths each
    for j, output in enumerate(outputs):
        k = output.depth
        layers = backward_layers(output.grad_r[None], [(output.layer.slope, output.W)], below(k, k))
        yield k, j, layers
        grads[j // per_array :] = [concatenated([*grads[j // per_array :], layers.grad_below[0]])]
        end = outputs[j + 1].depth if j + 1 < len(outputs) else 1
        for low, high in hidden.ranges(k - 1, end, max(1, per_array // (j + 1))):
            r_below = below(low, high)
            for i, grad_r in enumerate(grads):
                descending = ((hidden[k].slope, weights(k - 1)) for k in range(high, low - 1, -1))
                layers = backward_layers(grad_r, descending, r_below)
                yield low, i * per_array, layers
                grads[i] = layers.grad_below[0]


def backward_layers(grad_r: Scaled, layers: Iterable[tuple[Slope, Weights]], r_below: Scaled) -> BackwardLayers:
    """Propagate ∂C/∂r backward through consecutive layers, given from the top one down; see `layer_backward`.

    `r_below` is what lies below each of them, the lowest first. W is a base alone, so ∂C/∂r[k−1] has the exponent of
    ∂C/∂z[k].
    """
    top, shape, dtype = grad_r, (len(r_below.mantissa), *grad_r.mantissa.shape), grad_r.mantissa.dtype
    deltas = Scaled(np.empty(shape, dtype), np.empty(shape[:-2], dtype=np.int64))
    grads = Scaled(np.empty((*shape[:-1], r_below.mantissa.shape[-1]), dtype), deltas.exponent)
    largest, underflows, has_zeros = np.empty(shape[:-2]), None, False
    for i, (slope, W) in zip(reversed(range(shape[0])), layers, strict=True):
        delta, grad_below = layer_backward(grad_r, slope.into(deltas.mantissa[i]), W.into(grads.mantissa[i]))
        deltas.exponent[i], largest[i], has_zeros = delta.exponent, delta.largest, slope.has_zeros
        grad_r = grad_below
    if not has_zeros and not largest.all():
        underflows = slope_lost(np.stack([*map(largest_of, grads.mantissa[1:]), top.largest]), largest)
    return BackwardLayers(r_below, deltas, largest, grads, underflows)


def slope_lost(grad_r: Array, delta: Array) -> Array:
    """Whether slopes of a lane have underflowed, (…), given that none is 0: delta is then 0 although ∂C/∂r is not.

    Both are given by the largest magnitude of each lane.
    """
    return (delta == 0) & (grad_r > 0)


def layers_per_array(draws: SharedDraws, lanes: int) -> int:
    """Number of layers of `lanes` lanes, or of depths at one layer, that form one array and are summed together.

    Layers of different widths are arrays of their own.
    """
    if draws.block.widths:
        return 1
    return max(1, SUMMED_BYTES // (draws.block.lane_bytes(draws.settings) * lanes))
