"""Slopes of an activation over units and batch: from the function, or from the graph of a module's own activation."""

from collections.abc import Callable, Hashable

import numpy as np
import torch
from torch import Tensor

from harness.base.arrays import Array
from harness.execution.probe.record import Slopes

SATURATED = 0.01  # of the largest slope, as in the column saturated_fraction
GRID = torch.linspace(-12, 12, 2401, dtype=torch.float64)  # where the largest slope of a function is looked for

_LARGEST: dict[Hashable, float] = {}  # slopes on the grid

Function = Callable[[Tensor], Tensor]


def slopes_of(function: Function, z: Tensor, axis: int, known_as: Hashable | None) -> Slopes:
    """The slopes of an elementwise function at z. `axis` is that of the units.

    The largest slope is looked for on a grid, once for every name in `known_as`. It is that at z where this is None,
    which is for functions that have parameters of each unit.
    """
    slope = _derivative(function, z)
    if known_as is None:
        return _summary(slope, axis, float(slope.abs().max()))
    if known_as not in _LARGEST:
        _LARGEST[known_as] = float(_derivative(function, GRID).abs().max())
    return _summary(slope, axis, _LARGEST[known_as])


def slopes_on_or_off(on: Tensor, axis: int) -> Slopes:
    """The slopes of ReLU: 1 where `on`, and else 0."""
    passing, samples = _passing(on, axis)
    mean = int(passing.sum()) / on.numel()
    return Slopes(mean, mean**0.5, *_dead_and_always_on(passing, samples), saturated=1 - mean)


def slopes_of_graph(z: Tensor, result: Tensor, axis: int) -> Slopes | None:
    """The slopes of whatever computed `result` from z, read from its graph; None if it does not act entry by entry.

    The Jacobian J of an elementwise function is diagonal, which is to say Jᵀv = (Jᵀ1)·v for a random v. The code that
    computed `result` is not called again: it may draw random numbers or have effects.
    """
    generator = torch.Generator(device=z.device).manual_seed(0)
    v = torch.rand(result.shape, generator=generator, dtype=result.dtype, device=z.device) + 0.5
    ones, weighted = (
        torch.autograd.grad(result, z, start, retain_graph=True)[0] for start in (torch.ones_like(result), v)
    )
    if torch.equal(ones, torch.ones_like(ones)) or not torch.allclose(weighted, ones * v, rtol=1e-3, equal_nan=True):
        return None  # the identity is no activation
    return _summary(ones, axis, max(1.0, float(ones.abs().max())))


def unit_axis(z: Tensor, known: int | None) -> int:
    """The axis of the units: as known from the operation before, else channels of an image, else the last."""
    return (known if known is not None else 1 if z.ndim in (4, 5) else -1) % max(z.ndim, 1)


def _derivative(function: Function, z: Tensor) -> Tensor:
    """The slopes of an elementwise function, from a graph whose saved tensors a checkpoint's hooks do not meet."""
    own_hooks = torch.autograd.graph.saved_tensors_hooks(torch.Tensor.detach, lambda saved: saved)
    with torch.enable_grad(), own_hooks:
        z = z.detach().requires_grad_()
        result = function(z)
        return torch.autograd.grad(result, z, torch.ones_like(result))[0]


def _summary(slope: Tensor, axis: int, largest: float) -> Slopes:
    slope = slope.detach()
    dead, always_on = _dead_and_always_on(*_passing(slope, axis))
    return Slopes(
        mean=float(slope.mean(dtype=torch.float64)),
        rms=float(torch.linalg.vector_norm(slope, dtype=torch.float64)) / slope.numel() ** 0.5,
        dead=dead,
        always_on=always_on,
        saturated=int(torch.count_nonzero(slope.abs() < SATURATED * largest)) / slope.numel(),
    )


def _passing(slope: Tensor, axis: int) -> tuple[Array, int]:
    """How many slopes of each unit are not 0, (units,), and of how many."""
    others = [d for d in range(slope.ndim) if d != axis]
    passing = torch.count_nonzero(slope, others) if others else (slope != 0).long()
    return passing.cpu().numpy(), slope.numel() // max(slope.shape[axis], 1) if slope.ndim else 1


def _dead_and_always_on(passing: Array, samples: int) -> tuple[float, float]:
    """The share of units without a slope other than 0, and that of units without one of 0."""
    return np.count_nonzero(passing == 0) / passing.size, np.count_nonzero(passing == samples) / passing.size
