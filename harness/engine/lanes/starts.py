"""The three ways in which the lanes of a group start their backward pass.

Each lane starts from its own ∂C/∂r[L] (`StartPerLane`), one start serves all lanes (`StartForAll`), or lanes are
superpositions of two passes (`SuperposedStarts`). The group and the cost decide which. All have the interface `Start`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, concatenated
from harness.engine.lanes.groups import Group
from harness.engine.layers import BackwardLayers
from harness.engine.sums import BackwardSums


class Start(Protocol):
    """The start of the backward pass of some lanes of a group, and how their sums follow from what is propagated."""

    @property
    def lanes(self) -> list[int]:
        """Indices of these lanes in the group."""

    def propagated(self, r: Scaled, y: Scaled, grad_r: Scaled) -> Scaled:
        """The gradients to propagate backward, given r[L], the targets, and ∂C/∂r[L] of every lane."""

    def summed(self, grad_r: Scaled) -> Scaled:
        """∂C/∂r[L] of the lanes of which sums are taken."""

    def add(
        self, sums: BackwardSums, slots: slice, depths: slice, layers: BackwardLayers, factors: Scaled | None
    ) -> None:
        """Add consecutive layers to the sums. `factors`: product of the gains, (depths, 1, lanes, 1, 1)."""

    def underflows(self, propagated: Array) -> Array:
        """Whether a slope of each lane has underflowed, (…, lanes), given the same for the propagated lanes."""


@dataclass(frozen=True)
class StartPerLane:
    """Every lane starts from its own ∂C/∂r[L]."""

    lanes: list[int]

    def propagated(self, r: Scaled, y: Scaled, grad_r: Scaled) -> Scaled:
        return grad_r

    def summed(self, grad_r: Scaled) -> Scaled:
        return grad_r

    def add(
        self, sums: BackwardSums, slots: slice, depths: slice, layers: BackwardLayers, factors: Scaled | None
    ) -> None:
        sums.add(slice(None), slots, depths, layers)

    def underflows(self, propagated: Array) -> Array:
        return propagated


@dataclass(frozen=True)
class StartForAll(StartPerLane):
    """Lanes that differ by a factor only all start from the same gradient under some costs: one pass serves them."""

    def propagated(self, r: Scaled, y: Scaled, grad_r: Scaled) -> Scaled:
        return self.summed(grad_r)

    def summed(self, grad_r: Scaled) -> Scaled:
        return grad_r.select_lanes(slice(0, 1))


@dataclass(frozen=True)
class SuperposedStarts:
    """The first `alone` lanes start from their own r − y; all others superpose two passes, from r and from −y."""

    lanes: list[int]
    alone: int

    def propagated(self, r: Scaled, y: Scaled, grad_r: Scaled) -> Scaled:
        share = 1 / r.mantissa.shape[-2]  # of a sample, in the mean over the batch
        alone = grad_r.select_lanes(slice(0, self.alone))
        return concatenated([alone, r * share, y.select_lanes(slice(0, 1)) * -share], axis=1)

    def summed(self, grad_r: Scaled) -> Scaled:
        return grad_r

    def add(
        self, sums: BackwardSums, slots: slice, depths: slice, layers: BackwardLayers, factors: Scaled | None
    ) -> None:
        assert factors is not None  # lanes that differ by a factor have factors
        alone, superposed = slice(0, self.alone), slice(self.alone, None)  # of the propagated lanes: the pair
        if self.alone:
            sums.add(alone, slots, depths, layers.select_lanes(alone))
        factor = factors[depths].select_lanes(superposed)
        sums.add_superposed(superposed, slots, depths, layers.select_lanes(superposed), factor)

    def underflows(self, propagated: Array) -> Array:
        """A slope of a superposition has underflowed where one of either part has."""
        either = propagated[..., self.alone :].any(axis=-1, keepdims=True)
        superposed = np.repeat(either, len(self.lanes) - self.alone, axis=-1)
        return np.concatenate([propagated[..., : self.alone], superposed], axis=-1)


def start_of(group: Group, cost: str, lanes: list[int]) -> Start:
    """The way in which some lanes of a group start. Lanes that are not superpositions must come first."""
    if group.one_start(cost):
        return StartForAll(lanes)
    alone = sum(not group.is_superposed(lane, cost) for lane in lanes)
    return StartPerLane(lanes) if alone == len(lanes) else SuperposedStarts(lanes, alone)
