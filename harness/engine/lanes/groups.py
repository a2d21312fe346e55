"""Blocks, and the groups of lanes in them: which networks of a block are computed as lanes of one array."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.networks.activations import ACTIVATIONS, SATURATED, Activation
from harness.networks.costs import COSTS
from harness.networks.data import DataSpec
from harness.networks.remedies.normalisations import Normalisation
from harness.networks.spec import Choice, NetworkSpec, activation_of, normalisation_of, residual_of
from harness.networks.training.recipe import Training

# Least number of homogeneous lanes in a backward chunk, whatever their size: each chunk costs a pair of lanes.
HOMOGENEOUS_CHUNK = 8


@dataclass(frozen=True)
class Settings:
    """Settings that all networks of a sweep share."""

    seed: int
    data: DataSpec
    cost: str  # a name in COSTS
    dtype: str  # float64 or float32
    decades: float  # an attenuation beyond ± so many is called vanishing or exploding
    record_layers: int | tuple[int, ...] | None = None  # rows of `layers` per network: a number, a list, or all
    saturated_below: float = SATURATED  # share of the largest slope under which a slope counts as saturated
    training: Training | None = None  # how all networks are trained
    mean_abs_grad_weights: bool = False  # whether the column of that name is computed


@dataclass(frozen=True)
class Block:
    """Networks that share base draws: one family, the same widths of hidden layers, and consecutive replicates.

    Where widths are given layer by layer, those of a shallow network are the first of those of the deepest.
    """

    specs: tuple[NetworkSpec, ...]
    replicates: range

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The networks of the block as groups of lanes."""
        return group_lanes(self.specs)

    @cached_property
    def widths(self) -> tuple[int, ...] | None:
        """The widths of the inputs and of the hidden layers of the deepest networks, where they are given."""
        if self.specs[0].hidden_widths is None:
            return None
        return max((spec.hidden_widths or () for spec in self.specs), key=len)

    @cached_property
    def width(self) -> int:
        """Width of the hidden layers, or of the widest."""
        return max(spec.width for spec in self.specs) if self.widths else self.specs[0].width

    @property
    def input_width(self) -> int:
        """Number of inputs."""
        return self.specs[0].input_width

    @property
    def family(self) -> str:
        """The family of the base draws of the weights."""
        return self.specs[0].family

    def fan_in(self, k: int) -> int:
        """Width of the layer below W[k]."""
        if self.widths:
            return self.widths[k]
        return self.input_width if k == 0 else self.width

    def fan_out(self, k: int) -> int:
        """Width of the hidden layer above W[k]."""
        return self.widths[k + 1] if self.widths else self.width

    def first_replicates(self, count: int) -> Block:
        """The same networks over the first replicates of the block."""
        return Block(self.specs, self.replicates[:count])

    def lane_bytes(self, settings: Settings) -> int:
        """Bytes of r[k] of one lane in a hidden layer, over all replicates."""
        return len(self.replicates) * settings.data.batch * self.width * np.dtype(settings.dtype).itemsize

    def __getstate__(self) -> dict[str, object]:
        """Leave the groups out of a pickle: they hold functions, and follow from the specs."""
        return {"specs": self.specs, "replicates": self.replicates}


@dataclass(frozen=True)
class Output:
    """The depth of a network and its output layer. Networks of one lane differ in these coordinates only."""

    depth: int
    kind: str  # activation, or the name of another
    width: int
    key: tuple[Hashable, ...]  # all coordinates of this part


def lane_key(spec: NetworkSpec) -> tuple[Hashable, ...]:
    """The coordinates that all networks of one lane share, and what follows from depth: the same hidden layers."""
    return *spec.grouping_key("lane"), spec.branch_scale, spec.last_ruled


def draws_key(spec: NetworkSpec) -> tuple[Hashable, ...]:
    """The coordinates on which the base draws of hidden layers depend."""
    return spec.grouping_key("draws")


def output_of(spec: NetworkSpec) -> Output:
    """The coordinates in which networks of one lane differ."""
    return Output(spec.depth, spec.output, spec.output_width, spec.grouping_key("output"))


@dataclass(frozen=True)
class Remedy:
    """What stands between and beside the equations in hidden layers: a normalisation, a skip, what W becomes."""

    normalisation: Normalisation | None
    after: bool  # whether the normalisation comes after the activation
    order: str | None  # pre, inside or post; None: no skips
    alpha: float  # the factor of the branch beside a skip
    every: int  # layers of a branch beside a skip
    standardised: bool  # whether the weights of every layer are
    rule_gain: float  # of the weights within a branch, by Fixup's rule
    last_ruled: int  # the last layer whose weights start by that rule; 0 without
    within: float | None  # tolerance about 1 of the variance of z, to which weights are scaled; None: they are not
    tied: bool = False  # of runs that are trained: whether hidden layers after the first share their parameters

    def gain(self, k: int) -> float:
        """The factor of W[k−1] by Fixup's rule, but for the last of a branch, whose 0 is alpha."""
        return self.rule_gain if 1 < k < self.last_ruled and not self.joins(k) else 1.0

    def joins(self, k: int) -> bool:
        """Whether a skip may begin or end at layer k: every layer, unless branches have several."""
        return (k - 1) % self.every == 0


PLAIN = Remedy(
    None, after=False, order=None, alpha=1.0, every=1, standardised=False, rule_gain=1.0, last_ruled=0, within=None
)


def remedy_of(spec: NetworkSpec) -> Remedy | None:
    """The remedy of a network; None for a plain one."""
    if not spec.remedied:
        return None
    normalisation = None if spec.normalisation.name == "none" else normalisation_of(spec.normalisation)
    residual = residual_of(spec.residual)
    order = None if residual.name == "none" else residual.order
    return Remedy(
        normalisation,
        spec.normalise == "outputs",
        order,
        spec.branch_scale,
        spec.block_layers,
        spec.weight_standardised,
        spec.rule_gain(2),
        spec.last_ruled,
        spec.within,
    )


@dataclass(frozen=True)
class Group:
    """Lanes with one activation, one kind of biases and the same outputs: a full product of lanes and outputs.

    `lanes` holds one spec of each lane; `networks[i][j]` is the index in the block of lane i with output j.
    """

    activation: Activation
    bias_family: str | None  # None: no biases; constant: the same for all units
    has_bias: bool  # whether a constant is added to the random biases
    lanes: tuple[NetworkSpec, ...]
    outputs: tuple[Output, ...]  # deepest first
    networks: tuple[tuple[int, ...], ...]
    remedy: Remedy | None = None  # None: plain layers

    def output_activation(self, output: Output) -> Activation:
        """The activation of an output layer."""
        return self.activation if output.kind == "activation" else ACTIVATIONS[output.kind]()

    @property
    def deepest(self) -> int:
        """Depth of the deepest networks."""
        return self.outputs[0].depth

    @cached_property
    def homogeneous(self) -> bool:
        """Whether the lanes differ by a factor only: r[k] = (product of the gains so far) · (r[k] of the bases alone).

        This holds if phi(c·z) = c·phi(z) for every c > 0, also at the output, and there are no biases; the slopes are
        then the same, too.
        """
        if self.bias_family is not None or self.remedy is not None:
            return False
        return all(a.homogeneous for a in (self.activation, *map(self.output_activation, self.outputs)))

    @property
    def forward_lanes(self) -> int:
        """Number of lanes propagated forward: one serves all lanes that differ by a factor only."""
        return 1 if self.homogeneous else len(self.lanes)

    def one_start(self, cost: str) -> bool:
        """Whether all lanes start their backward pass from one gradient, and differ by a factor only."""
        return self.homogeneous and COSTS[cost].fixed_start

    def is_superposed(self, lane: int, cost: str) -> bool:
        """Whether a lane's backward pass is the superposition of those that start from r and from −y.

        A lane of scale 1 starts from its own r − y: one pass is cheaper than two, and most sweeps have no other scale.
        The answer depends on this lane only, so results are bitwise independent of batching. See superposition.py.
        """
        return self.homogeneous and cost == "squared" and self.lanes[lane].weight_scale != 1

    def superposed_lanes(self, cost: str) -> int:
        """Number of lanes that are superpositions."""
        return sum(self.is_superposed(lane, cost) for lane in range(len(self.lanes)))

    def backward_lanes(self, cost: str) -> int:
        """Number of lanes propagated backward; all superpositions together take two."""
        if self.one_start(cost):
            return 1
        superposed = self.superposed_lanes(cost)
        return len(self.lanes) - superposed + (2 if superposed else 0)

    @property
    def smallest_backward_chunk(self) -> int:
        """Least number of lanes that are propagated backward together."""
        return min(HOMOGENEOUS_CHUNK, len(self.lanes)) if self.homogeneous else 1

    def select_lanes(self, lanes: slice) -> Group:
        """The same group with some of its lanes."""
        return replace(self, lanes=self.lanes[lanes], networks=self.networks[lanes])


def group_lanes(specs: Sequence[NetworkSpec]) -> tuple[Group, ...]:
    """Group networks over shared draws into lanes: by activation, kind of biases and set of outputs."""
    lanes: dict[tuple, dict[Output, int]] = {}
    for place, spec in enumerate(specs):
        lanes.setdefault((lane_key(spec), _bent_at_output_only(spec)), {})[output_of(spec)] = place
    alike: dict[tuple[Choice, str | None, bool, frozenset[Output], Remedy | None], list[dict[Output, int]]] = {}
    for places in lanes.values():
        spec = specs[next(iter(places.values()))]
        bias_family = spec.bias_family if spec.sigma_b(spec.width) else "constant" if spec.bias else None
        alike.setdefault(
            (spec.activation, bias_family, bool(spec.bias), frozenset(places), remedy_of(spec)), []
        ).append(places)
    return tuple(_group(specs, *key, members) for key, members in alike.items())


def _bent_at_output_only(spec: NetworkSpec) -> bool:
    """Whether phi is positively homogeneous in the hidden layers but not at the output.

    Such a network is in another group than those of its lane that are homogeneous throughout, so that the way in which
    those are computed does not depend on it.
    """
    if spec.output == "activation" or not activation_of(spec.activation).homogeneous:
        return False
    return not ACTIVATIONS[spec.output]().homogeneous


def _group(
    specs: Sequence[NetworkSpec],
    activation: Choice,
    bias_family: str | None,
    has_bias: bool,
    outputs: frozenset[Output],
    remedy: Remedy | None,
    members: list[dict[Output, int]],
) -> Group:
    order = tuple(sorted(outputs, key=lambda output: (-output.depth, output.kind, output.width, repr(output.key))))
    networks = tuple(tuple(member[output] for output in order) for member in members)
    lanes = tuple(specs[places[0]] for places in networks)
    return Group(activation_of(activation), bias_family, has_bias, lanes, order, networks, remedy)
