"""numpy, as a person would write it: a loop over networks, one over layers up, one down."""

from collections.abc import Iterator

import numpy as np

from benchmarks.grids import Stack
from benchmarks.peers import COLUMNS, Columns, Peer

Network = tuple[list[np.ndarray], np.ndarray, np.ndarray]  # W, x, y


def draw(stack: Stack, dtype: str) -> Iterator[Network]:
    rng = np.random.default_rng(0)
    shape = (stack.batch, stack.width)
    for gain in stack.gains.astype(dtype):
        W = [rng.standard_normal((stack.width, stack.width), dtype=dtype) * gain for _ in range(stack.depth)]
        yield W, rng.standard_normal(shape, dtype=dtype), rng.standard_normal(shape, dtype=dtype)


def given(stack: Stack, weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> Iterator[Network]:
    return ((list(W), x, y) for W in weights)


def record(stack: Stack, networks: Iterator[Network]) -> Columns:
    with np.errstate(all="ignore"):  # here everything under- and overflows
        tables = np.array([one_network(stack.activation, *network) for network in networks])
    return dict(zip(COLUMNS, tables.transpose(2, 0, 1), strict=True))


def one_network(activation: str, W: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    """COLUMNS for each layer."""
    relu = activation == "relu"
    rs, slopes = [x], []
    for weights in W:
        z = rs[-1] @ weights
        rs.append(np.maximum(z, 0) if relu else 1 / (1 + np.exp(-z)))
        slopes.append(z > 0 if relu else rs[-1] * (1 - rs[-1]))
    grad_r = (rs[-1] - y) / len(x)
    rows = []
    for weights, below, r, slope in zip(W[::-1], rs[-2::-1], rs[:0:-1], slopes[::-1], strict=True):
        delta = grad_r * slope
        norms = (
            norm(below.T @ delta),
            norm(delta.sum(axis=0)),
            norm(delta),
            norm(grad_r),
            np.abs(delta).max(),
            norm(r) / np.sqrt(r.size),
        )
        rows.append([*np.log10(norms), slope.mean(), (~slope.any(axis=0)).mean() if relu else 0.0])
        grad_r = delta @ weights.T
    return rows[::-1]


norm = np.linalg.norm

PEER = Peer("numpy loop", draw, given, record)
