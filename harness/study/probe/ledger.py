"""The ledger of a recorded model: the attenuation along its trunk, and the parts of activations, weights and norms."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from statistics import fmean

from harness.execution.probe.record import Recording, Row, log10_ratio

WEIGHTS = ("weight", "recurrent")
SAME = 1e-6  # decades; two names of one tensor differ by nothing, others by more than chance leaves
KINDS = ("activation", "weight", "norm", "attention", "recurrent")


@dataclass(frozen=True)
class Ledger:
    """The attenuation in decades from the last weight operation's result down to the first's, along the trunk.

    Where the trunk begins above the first weights, because towers or experts beside each other meet there, it goes down
    to that of their weight operations whose gradient differs most from the last one's.

    `parts` sums the factors of the operations on the trunk by kind, `rest` is what is left: residual blocks, and
    operations that are not recorded, such as pooling. In a chain `rest` is 0 to rounding.
    """

    depth: int = 0  # weight operations
    attenuation: float = nan
    first: str = ""
    last: str = ""
    is_chain: bool = False  # every recorded operation in between is on the trunk
    is_tower: bool = False  # the first is below the trunk, and more is lost or won there than on it
    path: tuple[Row, ...] = ()  # the operations from the first to the last: of a tower, its own and those on the trunk
    parts: dict[str, float] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)  # mean factor of the operations of a kind, wherever they are

    @property
    def per_layer(self) -> float:
        return self.attenuation / (self.layers - 1) if self.layers > 1 else nan

    @property
    def layers(self) -> int:
        """Weight operations that the attenuation is over: all of them, or those on the path through a tower."""
        return sum(row.kind in WEIGHTS for row in self.path) if self.is_tower else self.depth

    @property
    def rest(self) -> float:
        return self.attenuation - sum(self.parts.values())


def ledger(recording: Recording) -> Ledger:
    """The ledger of a recording. Its attenuation is NaN with fewer than two weight operations, or without a trunk."""
    weights = [row for row in recording.of_kind(*WEIGHTS) if row.has_graph]
    trunk = [row for row in recording.rows if row.on_trunk and row.grad_result is not None and row.kind != "loss"]
    if len(weights) < 2 or not trunk:
        return Ledger(depth=len(weights))
    last = weights[-1] if weights[-1].on_trunk and weights[-1].grad_result else trunk[-1]
    start = weights[0] if weights[0].on_trunk and weights[0].grad_result else trunk[0]
    first = _farthest(weights, start, last)
    is_tower = abs(_attenuation(first, start)) > abs(_attenuation(start, last))
    lowest = first if is_tower else start
    path = [row for row in recording.of_kind(*KINDS) if lowest.order <= row.order <= last.order]
    path = _tower(path) if is_tower else path
    between = [row for row in path if row is not lowest]
    return Ledger(
        depth=len(weights),
        attenuation=_attenuation(first, last),
        first=first.name,
        last=last.name,
        is_chain=bool(between) and all(row.on_trunk for row in between),
        is_tower=is_tower,
        path=tuple(path),
        parts=_parts(row for row in between if row.on_trunk or is_tower),
        means=_means(between),
    )


def _farthest(weights: list[Row], start: Row, last: Row) -> Row:
    """The start of the trunk or a weight operation before it, whichever gradient differs most from the last one's."""
    below = [row for row in weights if row.order < start.order and row.grad_result]
    return max((start, *below), key=lambda row: abs(change) if not isnan(change := _attenuation(row, last)) else 0.0)


def _tower(rows: list[Row]) -> list[Row]:
    """The first row, those above it in one chain, and those on the trunk.

    In a chain the gradient of an operation's argument is that of the result before it.
    """
    chain = [rows[0]]
    for row in rows[1:]:
        below, own = chain[-1].grad_result, row.grad_argument
        if row.on_trunk or below is None or own is None or abs(own.norm - below.norm) > SAME:
            break
        chain.append(row)
    return [*chain, *(row for row in rows if row.on_trunk)]


def _attenuation(first: Row, last: Row) -> float:
    if first.grad_result is None or last.grad_result is None:
        return nan
    return log10_ratio(first.grad_result.norm, last.grad_result.norm)


def _parts(rows: Iterable[Row]) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        if row.grad_argument is not None:
            sums[row.kind] += row.factor
    return dict(sums)


def _means(rows: list[Row]) -> dict[str, float]:
    found = {kind: [row.factor for row in rows if row.kind == kind and isfinite(row.factor)] for kind in KINDS}
    return {kind: fmean(factors) for kind, factors in found.items() if factors}
