"""What the PyTorch peers share: one thread, subnormal numbers read as zero, and the measures of a layer's outputs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmarks.grids import EPSILON

torch.set_num_threads(1)

norm = torch.linalg.vector_norm
LARGEST = float("inf")  # the order of the norm
PHI = {"relu": torch.relu, "sigmoid": torch.sigmoid}
NORMALISE = {
    "batch": lambda z: torch.nn.functional.batch_norm(z, None, None, training=True, eps=EPSILON),
    "layer": lambda z: torch.nn.functional.layer_norm(z, z.shape[-1:], eps=EPSILON),
}


@contextmanager
def flushed() -> Iterator[None]:
    """Arithmetic on subnormal numbers takes a hundred times as long; a loop whose gradients vanish is full of them."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def shares(activation: str, r: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """slope_mean and dead_fraction of r (…, batch, width), (…)."""
    if activation == "relu":
        active = r > 0
        return active.mean(dim=(-2, -1), dtype=r.dtype), 1 - active.any(dim=-2).mean(dim=-1, dtype=r.dtype)
    slope_mean = (r * (1 - r)).mean(dim=(-2, -1))
    return slope_mean, torch.zeros_like(slope_mean)
