"""Arrays of a layer after the forward pass, and of consecutive layers after the backward pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, Slope
from harness.networks.activations import Activation


@dataclass
class Layer:
    """Layer k after the forward pass: r[k] and phi'(z[k]). Several layers are stacked on a leading axis."""

    r: Scaled  # (replicates, lanes, batch, fan_out)
    slope: Slope  # phi'(z[k]), the same shape
    silent: Array | None  # where a unit passes no gradient, the same shape; None if the activation has no such units
    overflows: Array | None = None  # (replicates, lanes): a value left the number format, and r was set to 0
    underflows: Array | None = None  # (replicates, lanes): all values are below the number format, though none is 0

    @classmethod
    def empty(cls, activation: Activation, dtype: np.dtype, *shape: int) -> Layer:
        """Arrays of a shape (…, batch, fan_out) for `activate` to fill."""
        r = Scaled(np.empty(shape, dtype), np.zeros(shape[:-2], dtype=np.int64))
        has_zeros = activation.silent is not None
        slope = Slope(np.empty(shape, activation.slope_dtype(dtype)), has_zeros)
        return cls(r, slope, np.empty(shape, dtype=bool) if has_zeros else None)

    def __getitem__(self, which: int | slice | None) -> Layer:
        """Select stacked layers by the leading axis; None adds that axis."""
        return Layer(self.r[which], self.slope[which], None if self.silent is None else self.silent[which])


@dataclass(frozen=True)
class BackwardLayers:
    """Consecutive layers after the backward pass, with everything that the measures need.

    The leading axes are the layers (lowest first) and the depths of the networks.
    """

    r_below: Scaled  # r[k−1], (layers, 1, replicates, lanes, batch, fan_in): the same for all depths
    delta: Scaled  # ∂C/∂z[k], (layers, depths, replicates, lanes, batch, fan_out)
    largest: Array  # largest magnitude in delta's mantissa, (layers, depths, replicates, lanes)
    grad_below: Scaled  # ∂C/∂r[k−1], (layers, depths, replicates, lanes, batch, fan_in)
    underflows: Array | None = None  # (layers, depths, replicates, lanes): phi' is not 0, but below the number format

    def select_lanes(self, lanes: slice) -> BackwardLayers:
        """The same layers of some lanes. `r_below` is left as it is: it has these lanes, or one that serves all."""
        delta, grad_below = self.delta.select_lanes(lanes), self.grad_below.select_lanes(lanes)
        underflows = None if self.underflows is None else self.underflows[..., lanes]
        return BackwardLayers(self.r_below, delta, self.largest[..., lanes], grad_below, underflows)
