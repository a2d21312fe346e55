"""Blocks, and the lanes in them: which networks of a block can run as lanes of one array."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.activations import ACTIVATIONS, Activation
from harness.data import DataSpec
from harness.network import Choice, NetworkSpec
from harness.scaled import LOG10_2

Array = np.ndarray


@dataclass(frozen=True)
class Settings:
    """What all networks of a sweep have in common."""

    seed: int
    data: DataSpec
    cost: str  # squared or linear
    dtype: str  # float64 or float32
    decades: float  # an attenuation beyond ± that many is vanishing or exploding
    record_layers: int | tuple[int, ...] | None = None  # rows of `layers`: so many a network, these, or all


@dataclass(frozen=True)
class Block:
    """Networks that share base draws: one family, width and input width, and a run of replicates."""

    specs: tuple[NetworkSpec, ...]
    replicates: range


@dataclass(frozen=True)
class Ending:
    """What differs between networks of one lane: where they end, and how."""

    depth: int
    output: str
    output_width: int


@dataclass(frozen=True)
class Group:
    """Lanes that end at the same depths and have one activation: a full product of lanes and endings.

    `lanes` holds any one spec of each lane; `networks[i][j]` is the place in the block of lane i with ending j.
    """

    activation: Activation
    bias_family: str | None  # None: no biases
    lanes: tuple[NetworkSpec, ...]
    endings: tuple[Ending, ...]  # deepest first
    networks: tuple[tuple[int, ...], ...]

    @property
    def scales(self) -> bool:
        """Whether the lanes differ by a factor only: r[k] = (product of the gains so far) · what the bases alone give.

        So it is where phi(c·z) = c·phi(z) for every c > 0 and there are no biases; the slopes are then the same too.
        """
        return self.activation.homogeneous and self.bias_family is None

    def shares_starts(self, lane: int, cost: str) -> bool:
        """Whether a lane comes down as the sum of what comes down from r and from −y (`harness.superposition`).

        A lane of scale 1 has a start of its own, r − y: one is less than two, and most sweeps have no other scale. That
        is for the lane alone to say, so that its bits do not depend on its neighbours.
        """
        return self.scales and cost == "squared" and self.lanes[lane].weight_scale != 1

    def some(self, lanes: slice) -> "Group":
        return replace(self, lanes=self.lanes[lanes], networks=self.networks[lanes])


@dataclass(frozen=True)
class Gains:
    """log2 of the gains of the layers of lanes: of W[0], of each hidden W[k] after it, and of the last; (lanes,)."""

    depth: int
    first: Array
    inner: Array
    last: Array

    @property
    def each(self) -> Array:
        """log10 of the gain of each layer, (depth, 1, lanes)."""
        k = self._layers
        return LOG10_2 * np.where(k == self.depth, self.last, np.where(k == 1, self.first, self.inner))

    @property
    def below(self) -> Array:
        """log10 of the product of the gains below each layer: what r[k−1] has."""
        k = self._layers
        return LOG10_2 * np.where(k > 1, self.first + (k - 2) * self.inner, 0.0)

    @property
    def above(self) -> Array:
        """log10 of the product of the gains above each layer: what ∂C/∂r[k] has."""
        k = self._layers
        return LOG10_2 * np.where(k < self.depth, self.last + (self.depth - 1 - k) * self.inner, 0.0)

    @property
    def log2_product(self) -> Array:
        """log2 of the product of all, (lanes,)."""
        return self.last + (self.first + (self.depth - 2) * self.inner if self.depth > 1 else 0.0)

    @property
    def _layers(self) -> Array:
        return np.arange(1, self.depth + 1)[:, None, None]


def groups(specs: Sequence[NetworkSpec]) -> list[Group]:
    """The lanes of a block, by activation, kind of biases and set of endings."""
    lanes: dict[tuple, dict[Ending, int]] = {}
    for place, spec in enumerate(specs):
        lane = (spec.activation, spec.init, spec.weight_scale, spec.bias_scale)
        lanes.setdefault(lane, {})[Ending(spec.depth, spec.output, spec.output_width)] = place
    alike: dict[tuple, list[dict[Ending, int]]] = {}
    for (activation, *_), endings in lanes.items():
        spec = specs[next(iter(endings.values()))]
        bias_family = spec.bias_family if spec.sigma_b(spec.width) else None
        alike.setdefault((activation, bias_family, frozenset(endings)), []).append(endings)
    return [_group(specs, *key, members) for key, members in alike.items()]


def _group(specs: Sequence[NetworkSpec], activation: Choice, bias_family: str | None, endings: frozenset[Ending],
           members: list[dict[Ending, int]]) -> Group:  # fmt: skip
    order = tuple(sorted(endings, key=lambda e: (-e.depth, e.output, e.output_width)))
    networks = tuple(tuple(member[ending] for ending in order) for member in members)
    lanes = tuple(specs[places[0]] for places in networks)
    return Group(resolve(activation), bias_family, lanes, order, networks)


def resolve(choice: Choice) -> Activation:
    """The activation a config names."""
    return ACTIVATIONS[choice.name](**dict(choice.parameters))
