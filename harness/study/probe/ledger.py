"""The ledger of a recorded model: the attenuation along its trunk, and the parts of activations, weights and norms."""

from collections import defaultdict
from dataclasses import dataclass, field
from math import isfinite, nan
from statistics import fmean

from harness.execution.probe.record import Recording, Row, log10_ratio

WEIGHTS = ("weight", "recurrent")
KINDS = ("activation", "weight", "norm", "attention", "recurrent")


@dataclass(frozen=True)
class Ledger:
    """The attenuation in decades from the last weight operation's result down to the first's, along the trunk.

    `parts` sums the factors of the operations on the trunk by kind, `rest` is what is left: residual blocks, and
    operations that are not recorded, such as pooling. In a chain `rest` is 0 to rounding.
    """

    depth: int = 0  # weight operations
    attenuation: float = nan
    first: str = ""
    last: str = ""
    is_chain: bool = False  # every recorded operation in between is on the trunk
    parts: dict[str, float] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)  # mean factor of the operations of a kind, wherever they are

    @property
    def per_layer(self) -> float:
        return self.attenuation / (self.depth - 1) if self.depth > 1 else nan

    @property
    def rest(self) -> float:
        return self.attenuation - sum(self.parts.values())


def ledger(recording: Recording) -> Ledger:
    """The ledger of a recording. Its attenuation is NaN with fewer than two weight operations, or without a trunk."""
    weights = [row for row in recording.of_kind(*WEIGHTS) if row.has_graph]
    trunk = [row for row in recording.rows if row.on_trunk and row.grad_result is not None and row.kind != "loss"]
    if len(weights) < 2 or not trunk:
        return Ledger(depth=len(weights))
    first, last = _end(weights[0], trunk, at_start=True), _end(weights[-1], trunk, at_start=False)
    between = [row for row in recording.of_kind(*KINDS) if first.order < row.order <= last.order]
    return Ledger(
        depth=len(weights),
        attenuation=_attenuation(first, last),
        first=first.name,
        last=last.name,
        is_chain=bool(between) and all(row.on_trunk for row in between),
        parts=_parts(between),
        means=_means(between),
    )


def _end(weight: Row, trunk: list[Row], at_start: bool) -> Row:
    """A weight operation itself if it is on the trunk, else the end of the trunk."""
    return weight if weight.on_trunk and weight.grad_result else trunk[0 if at_start else -1]


def _attenuation(first: Row, last: Row) -> float:
    if first.grad_result is None or last.grad_result is None:
        return nan
    return log10_ratio(first.grad_result.norm, last.grad_result.norm)


def _parts(rows: list[Row]) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        if row.on_trunk and row.grad_argument is not None:
            sums[row.kind] += row.factor
    return dict(sums)


def _means(rows: list[Row]) -> dict[str, float]:
    found = {kind: [row.factor for row in rows if row.kind == kind and isfinite(row.factor)] for kind in KINDS}
    return {kind: fmean(factors) for kind, factors in found.items() if factors}
