"""The recorded results of the networks of a block, before they become tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.base.arrays import Array
from harness.engine.lanes.descent import Descent
from harness.engine.measures import FORWARD, MEASURES, ON_REQUEST
from harness.engine.remedied.measures import REMEDIED
from harness.networks.spec import NetworkSpec

OK = "ok"


@dataclass(frozen=True)
class Records:
    """The results for every network of a block, in the order of the block; rows are replicates.

    Per network: `layers[column]` (replicates, depth), `log10_cost` (replicates,), `status` (replicates,) of str,
    `dead_from_layer` (replicates,) with 0 for never.
    """

    specs: Sequence[NetworkSpec]
    replicates: Sequence[int]
    layers: dict[str, Array] = field(init=False)
    log10_cost: Array = field(init=False)
    dead_from_layer: Array = field(init=False)
    status: Array = field(init=False)
    offsets: Array = field(init=False)

    def __post_init__(self) -> None:
        depths = np.array([spec.depth for spec in self.specs])
        shape = (len(self.specs), len(self.replicates))
        set_ = object.__setattr__
        set_(self, "offsets", np.concatenate([[0], np.cumsum(depths * len(self.replicates))]))
        set_(self, "layers", {name: np.full(self.offsets[-1], np.nan) for name in (*MEASURES, *REMEDIED, *ON_REQUEST)})
        set_(self, "log10_cost", np.full(shape, np.nan))
        set_(self, "dead_from_layer", np.zeros(shape, dtype=np.int64))
        set_(self, "status", np.full(shape, OK, dtype=object))

    def column_of(self, column: str, network: int) -> Array:
        """A view of a column in the rows of one network, (replicates, depth)."""
        rows = self.layers[column][self.offsets[network] : self.offsets[network + 1]]
        return rows.reshape(len(self.replicates), self.specs[network].depth)

    def add(self, networks: Sequence[int], descent: Descent) -> None:
        """Record the networks of some lanes with one output, given by their indices in the block, lane by lane."""
        for i, n in enumerate(networks):
            for name, values in descent.columns.items():
                self.column_of(name, n)[:] = values[..., i].T
            forward_failure = descent.forward_failure[:, i]
            failed = forward_failure > 0
            lost = np.where(failed, 0, descent.slope_failure[:, i])
            self.log10_cost[n] = np.where(failed, np.nan, descent.log10_cost[:, i])
            self.dead_from_layer[n] = np.where(failed, 0, descent.dead_from_layer[:, i])
            self.status[n] = [status_of(*failure) for failure in zip(descent.failure_text[:, i], lost, strict=True)]
            self.blank(n, forward_failure, lost)

    def add_replicates(self, records: Records) -> None:
        """Copy the results that were recorded for some of the replicates."""
        if records is self:
            return
        first = records.replicates[0] - self.replicates[0]
        rows = slice(first, first + len(records.replicates))
        for column in self.layers:
            for network in range(len(self.specs)):
                self.column_of(column, network)[rows] = records.column_of(column, network)
        self.log10_cost[:, rows] = records.log10_cost
        self.dead_from_layer[:, rows] = records.dead_from_layer
        self.status[:, rows] = records.status

    def blank(self, network: int, forward_fails: Array, slope_fails: Array) -> None:
        """Set values to nan that are unknown because a pass left the number format.

        The layers of failure are (replicates,), 0 for none. After a failure of the forward pass, the forward columns
        are unknown from that layer upwards and all backward columns are unknown. After a slope has underflowed, the
        backward columns are unknown from that layer downwards.
        """
        failed = np.nonzero(forward_fails | slope_fails)[0]
        if not len(failed):
            return
        depth = self.specs[network].depth
        for column in self.layers:
            values = self.column_of(column, network)
            lost = unknown(column, depth, forward_fails[failed], slope_fails[failed])
            values[failed] = np.where(lost, np.nan, values[failed])


def status_of(failure_text: str, slope_failure: int) -> str:
    """The status of a network, from what failed in its forward pass ("" for nothing) and the layer of a lost slope."""
    return failure_text or (f"slope underflows at layer {slope_failure}" if slope_failure else OK)


def unknown(column: str, depth: int, forward_fails: Array, slope_fails: Array) -> Array:
    """Where a column of networks (n, depth) is unknown, given the layers of failure (n,), as `Records.blank` says."""
    layer, forward, slope = np.arange(1, depth + 1), forward_fails[:, None], slope_fails[:, None]
    return (forward > 0) & (layer >= forward) if column in FORWARD else (forward > 0) | (layer <= slope)
