"""Peers: other ways to the same numbers, one file a peer, each as its own users would write it for speed on one thread.

A peer draws its own weights, runs every network of a stack forward and backward, and records COLUMNS for every layer.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.grids import Stack

Columns = dict[str, np.ndarray]  # by name as the harness has it, (networks, depth), float64

COLUMNS = (
    "log10_grad_weights",
    "log10_grad_biases",
    "log10_grad_preactivations",
    "log10_grad_outputs",
    "log10_max_grad_preactivations",
    "log10_rms_outputs",
    "slope_mean",
    "dead_fraction",
)


@dataclass(frozen=True)
class Peer:
    """`networks`, made by `draw` or `given` and read by `record`, are in whatever form suits the peer."""

    name: str
    draw: Callable[[Stack, str], Any]  # (stack, dtype) → networks, by the peer's own generator
    given: Callable[[Stack, np.ndarray, np.ndarray, np.ndarray], Any]  # W (networks, depth, n, n), x, y (batch, n)
    record: Callable[[Stack, Any], Columns]
    compile: Callable[[Stack, str], None] | None = None  # what is done once for all runs
    around: Callable[[], AbstractContextManager] = nullcontext  # a setting that holds while it runs
    normalises: bool = False  # whether it runs networks with normalised layers


PACKAGES = {
    "numpy_loop": "numpy",
    "torch_loop": "torch",
    "torch_loop_default": "torch",
    "torch_bmm": "torch",
    "torch_vmap": "torch",
    "jax_scan": "jax",
}


def installed(names: Sequence[str]) -> tuple[list[Peer], list[str]]:
    """The peers whose package is there, and the packages that are missing."""
    missing = sorted({PACKAGES[name] for name in names if find_spec(PACKAGES[name]) is None})
    there = [name for name in names if PACKAGES[name] not in missing]
    return [import_module(f"benchmarks.peers.{name}").PEER for name in there], missing


def log10_columns(norms: dict[str, np.ndarray], shares: dict[str, np.ndarray]) -> Columns:
    """Norms become decades; shares stay as they are. A norm that has underflowed is −inf."""
    with np.errstate(divide="ignore", invalid="ignore"):  # XLA's max of nothing but nan is −inf
        return {f"log10_{name}": np.log10(np.float64(values)) for name, values in norms.items()} | shares
