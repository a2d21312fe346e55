"""The limit: every matrix product and base draw that a grid needs, and nothing else.

Each lane's product is one call of BLAS, by np.matmul on stacked operands that stay in cache. Counted as the harness
shares work: an activation at a weight scale is a lane, whose forward pass serves all depths (and, of a homogeneous
activation, all scales); each network has a backward pass of its own, but for those of a homogeneous activation, whose
scales other than 1 are sums of two; draws are made once for all lanes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.grids import ACTIVATIONS, Grid
from harness.base.arrays import Array
from harness.networks import activations
from harness.networks.draws import BaseDraws

CACHE = 2**20  # bytes of a stack of operands


@dataclass(frozen=True)
class Counts:
    """Products of a grid by shape; b stands for the batch, n for the width."""

    forward: int  # (b, n) @ (n, n): r @ W
    backward: int  # (b, n) @ (n, n): ∂C/∂z @ W.T
    grams: int  # (b, n) @ (n, b): of r and of ∂C/∂z, where that is the cheaper way to ‖∂C/∂W‖
    weight_gradients: int  # (n, b) @ (b, n): ∂C/∂W itself, where that is

    def multiplications(self, grid: Grid) -> int:
        b, n = grid.batch, grid.width
        return (self.forward + self.backward + self.weight_gradients) * b * n * n + self.grams * b * b * n


def counts(grid: Grid) -> Counts:
    deepest, layers = max(grid.depths), sum(grid.depths)
    forward = forward_lanes(grid) * (
        deepest - 1 + len(grid.depths)
    )  # hidden layers, and an output layer for each depth
    backward = backward_lanes(grid) * layers
    if forms_weight_gradient(grid):
        return Counts(forward, backward, 0, backward)
    return Counts(forward, backward, forward_lanes(grid) * deepest + (backward_lanes(grid) + pairs(grid)) * layers, 0)


def forward_lanes(grid: Grid) -> int:
    """Lanes that are propagated forward."""
    return sum(1 if homogeneous(name) else len(grid.scales) for name in ACTIVATIONS)


def backward_lanes(grid: Grid) -> int:
    """Lanes that are propagated backward."""
    own = sum(scale == 1 for scale in grid.scales)
    shared = own + 2 if own < len(grid.scales) else own
    return sum(shared if homogeneous(name) else len(grid.scales) for name in ACTIVATIONS)


def pairs(grid: Grid) -> int:
    """Pairs of lanes whose superpositions are other lanes, each with a (b, b) array of inner products."""
    return sum(homogeneous(name) and set(grid.scales) != {1} for name in ACTIVATIONS)


def homogeneous(name: str) -> bool:
    return activations.ACTIVATIONS[name]().homogeneous


def forms_weight_gradient(grid: Grid) -> bool:
    """The harness's own rule: two Gram matrices, unless the batch is so large that ∂C/∂W is less to compute."""
    return grid.batch * 2 * grid.width > grid.width**2


def run(grid: Grid, dtype: str) -> None:
    """All draws; then all products, those of one W after the other."""
    hidden, outputs = draws(grid, dtype)
    b, n, lanes = grid.batch, grid.width, backward_lanes(grid)
    at_once = max(1, CACHE // (b * n * np.dtype(dtype).itemsize))
    r, delta = np.random.default_rng(0).standard_normal((2, at_once, b, n)).astype(dtype)
    z, gram, grad_W = (np.empty((at_once, *shape), dtype) for shape in ((b, n), (b, b), (n, n)))
    by_gram = not forms_weight_gradient(grid)
    for k, W in enumerate(hidden + outputs):
        for m in chunks(forward_lanes(grid), at_once):
            np.matmul(r[:m], W, out=z[:m])
            if by_gram and k <= len(hidden):  # of x, and of each hidden layer's r
                np.matmul(r[:m], r[:m].swapaxes(1, 2), out=gram[:m])
    passing = [sum(depth > k for depth in grid.depths) for k in range(1, max(grid.depths))] + [1] * len(outputs)
    for W, depths in reversed([*zip(hidden + outputs, passing, strict=True)]):
        for m in chunks(lanes * depths, at_once):
            np.matmul(delta[:m], W.T, out=z[:m])
            if by_gram:
                np.matmul(delta[:m], delta[:m].swapaxes(1, 2), out=gram[:m])
            else:
                np.matmul(r[:m].swapaxes(1, 2), delta[:m], out=grad_W[:m])
        for m in chunks(pairs(grid) * depths if by_gram else 0, at_once):
            np.matmul(delta[:m], r[:m].swapaxes(1, 2), out=gram[:m])


def chunks(lanes: int, at_once: int) -> Iterator[int]:
    """Sizes of the chunks of lanes that are held at a time."""
    for start in range(0, lanes, at_once):
        yield min(at_once, lanes - start)


def draws(grid: Grid, dtype: str) -> tuple[list[Array], list[Array]]:
    """Bases of the hidden layers and of each depth's output layer, by the harness's generator."""
    base, n = BaseDraws(0, "normal", [0], np.dtype(dtype)), grid.width
    hidden = [base.hidden(k, n, n)[0] for k in range(max(grid.depths) - 1)]
    return hidden, [base.output(depth, n, n)[0] for depth in grid.depths]
