"""A block of networks over shared draws → its tables. Pure: the same block gives the same bits, wherever it runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.activations import ACTIVATIONS, Activation
from harness.backprop import Head, Layer, backward, cost_gradient, layer_forward
from harness.data import DataSpec, draw_batch
from harness.measures import BACKWARD, FORWARD
from harness.network import BaseDraws, Choice, NetworkSpec
from harness.scaled import Scaled, Weights, scaled, split
from harness.tables import OK, Records, Tables, tables

Array = np.ndarray

CACHE = 2**20  # bytes of an array in flight: lanes run in turns of about this size, so that they stay in cache
TOGETHER = 2**22  # the same for endings: all of them meet in the lowest layers only
STATE = 2**29  # bytes of forward state that a turn may keep for its way back
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Settings:
    """What all networks of a sweep have in common."""

    seed: int
    data: DataSpec
    cost: str  # squared or linear
    dtype: str  # float64 or float32
    decades: float  # an attenuation beyond ± that many is vanishing or exploding


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


def run_block(block: Block, settings: Settings) -> Tables:
    """Draw, run forward, run backward, measure."""
    records = Records(block.specs, block.replicates)
    shared = SharedDraws(block, settings)
    for group in groups(block.specs):
        for turn in turns(group, block, settings):
            Turn(turn, shared, settings, records).run()
    return tables(records, settings.seed, settings.decades)


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


def turns(group: Group, block: Block, settings: Settings) -> Iterator[Group]:
    """The lanes of a group, as many at a time as stay in cache and within the memory kept for the way back."""
    spec, replicates = block.specs[0], len(block.replicates)
    in_flight = replicates * settings.data.batch * spec.width * np.dtype(settings.dtype).itemsize
    state = 3 * in_flight * group.endings[0].depth  # r, phi' and the Gram matrix of each layer
    size = max(1, min(CACHE // in_flight, STATE // state))
    for start in range(0, len(group.lanes), size):
        lanes = slice(start, start + size)
        yield Group(group.activation, group.bias_family, group.lanes[lanes], group.endings, group.networks[lanes])


class SharedDraws:
    """Inputs, targets and base draws of a block, each made once."""

    def __init__(self, block: Block, settings: Settings):
        self.block, self.settings = block, settings
        self.dtype = np.dtype(settings.dtype)
        self.draws = BaseDraws(settings.seed, block.specs[0].family, block.replicates, self.dtype)
        self.width, self.input_width = block.specs[0].width, block.specs[0].input_width
        self._made: dict[tuple, Array] = {}

    def batch(self, output_width: int) -> tuple[Array, Array]:
        """Inputs (replicates, batch, input_width) and targets (replicates, batch, output_width)."""
        s = self.settings
        key = ("batch", output_width)
        if key not in self._made:
            self._made[key] = draw_batch(
                s.data, s.seed, self.block.replicates, self.input_width, output_width, self.dtype
            )
        return self._made[key]

    def fan_in(self, k: int) -> int:
        return self.input_width if k == 0 else self.width

    def hidden(self, k: int) -> Array:
        """Base of the hidden W[k], (replicates, 1, fan_in, width)."""
        return self._once("hidden", self.draws.hidden, k, self.fan_in(k), self.width)

    def output(self, depth: int, output_width: int) -> Array:
        """Base of an output layer's W, (replicates, 1, fan_in, output_width)."""
        return self._once("output", self.draws.output, depth, self.fan_in(depth - 1), output_width)

    def _once(self, name: str, draw, *key: int) -> Array:
        if (name, *key) not in self._made:
            self._made[name, *key] = draw(*key)[:, None]
        return self._made[name, *key]


class Turn:
    """Lanes of one group on their way up and down together."""

    def __init__(self, group: Group, shared: SharedDraws, settings: Settings, records: Records):
        self.group, self.shared, self.settings, self.records = group, shared, settings, records
        self.shape = (len(records.replicates), len(group.lanes))
        self.gains: dict[tuple[int, int], tuple[Array, Array]] = {}

    def run(self) -> None:
        deepest = self.group.endings[0].depth
        inputs, _ = self.shared.batch(self.group.endings[0].output_width)
        self.x = self._over_lanes(scaled(inputs))
        self.hidden: list[Layer] = []
        self.forward = {name: np.empty((deepest, *self.shape)) for name in FORWARD}
        self.fails = Fails(self.shape, self.settings.data.batch)
        r = self.x
        for k in range(deepest - 1):
            layer = layer_forward(r, self._weights(k), self._bias(k), self.group.activation)
            r = layer.r
            self.hidden.append(layer)
            self.fails.note(layer, k + 1)
            for name, measure in FORWARD.items():
                self.forward[name][k] = measure(layer)
        together = max(1, TOGETHER // r.mantissa.nbytes)  # endings whose backward passes run as lanes of one array
        for first in range(0, len(self.group.endings), together):
            self._descend(range(first, min(first + together, len(self.group.endings))))

    def _descend(self, places: range) -> None:
        """The backward passes of some endings, deepest first."""
        endings = [self.group.endings[j] for j in places]
        heads = [self._head(ending) for ending in endings]
        values = {name: np.empty((len(heads), endings[0].depth, *self.shape)) for name in BACKWARD}
        slope_fails = np.zeros((len(heads), *self.shape), dtype=np.int64)
        for k, first, layer in backward(self.x, self.hidden, [head for head, _ in heads]):
            lanes = slice(first, first + layer.delta.exponent.shape[0])
            for name, measure in BACKWARD.items():
                values[name][lanes, k - 1] = measure(layer)
            if layer.underflows is not None:
                slope_fails[lanes] = np.where(layer.underflows & (slope_fails[lanes] == 0), k, slope_fails[lanes])
        for j, (place, (head, log10_cost)) in enumerate(zip(places, heads, strict=True)):
            self._record(place, head, log10_cost, {name: v[j] for name, v in values.items()}, slope_fails[j])

    def _head(self, ending: Ending) -> tuple[Head, Array]:
        """The output layer of the networks of one ending, and log10 of their cost."""
        below = self.hidden[ending.depth - 2].r if ending.depth > 1 else self.x
        activation = self.group.activation if ending.output == "activation" else ACTIVATIONS["linear"]()
        layer = layer_forward(below, self._weights(ending), self._bias(ending), activation)
        _, targets = self.shared.batch(ending.output_width)
        log10_cost, grad_r = cost_gradient(layer.r, self._over_lanes(scaled(targets)), self.settings.cost)
        return Head(ending.depth, grad_r, layer), log10_cost

    def _record(self, place: int, head: Head, log10_cost: Array, values: dict[str, Array], slope_fails: Array) -> None:
        records, depth = self.records, head.depth
        top = {name: measure(head.layer) for name, measure in FORWARD.items()}
        forward_fails, dead_from, texts = self.fails.of(head)
        for i, networks in enumerate(self.group.networks):
            n = networks[place]
            for name in BACKWARD:
                records.of(name, n)[:] = values[name][:depth, :, i].T
            for name in FORWARD:
                column = records.of(name, n)
                column[:, :-1] = self.forward[name][: depth - 1, :, i].T
                column[:, -1] = np.broadcast_to(top[name], self.shape)[:, i]
            failed = forward_fails[:, i] > 0
            lost = np.where(failed, 0, slope_fails[:, i])
            records.log10_cost[n] = np.where(failed, np.nan, log10_cost[:, i])
            records.dead_from_layer[n] = np.where(failed, 0, dead_from[:, i])
            records.status[n] = [
                texts[j, i] if failed[j] else f"slope underflows at layer {lost[j]}" if lost[j] else OK
                for j in range(len(failed))
            ]
            records.blank(n, forward_fails[:, i], lost)

    def _weights(self, k: int | Ending) -> Weights:
        """The hidden W[k], or the output layer of an ending."""
        if isinstance(k, Ending):
            base = self.shared.output(k.depth, k.output_width)
        else:
            base = self.shared.hidden(k)
        return Weights(base, *self._gains(*base.shape[-2:]))

    def _gains(self, *fans: int) -> tuple[Array, Array]:
        """Each lane's gain at a layer of these fans, (lanes,), and its exponent."""
        if fans not in self.gains:
            gains = np.array([spec.gain(*fans) for spec in self.group.lanes])
            self.gains[fans] = split(gains, self.shared.dtype)
        return self.gains[fans]

    def _bias(self, k: int | Ending) -> Scaled | None:
        """The hidden b[k], or the output layer's, (replicates, lanes, 1, fan_out)."""
        family, draws = self.group.bias_family, self.shared.draws
        if family is None:
            return None
        if isinstance(k, Ending):
            base, fan_in = draws.output_bias(k.depth, k.output_width, family), self.shared.fan_in(k.depth - 1)
        else:
            base, fan_in = draws.hidden_bias(k, self.shared.width, family), self.shared.fan_in(k)
        gain, exponent = split(np.array([spec.sigma_b(fan_in) for spec in self.group.lanes]), base.dtype)
        return Scaled(base[:, None, None] * gain[:, None, None], np.broadcast_to(exponent, self.shape))

    def _over_lanes(self, a: Scaled) -> Scaled:
        """Data (replicates, batch, width), the same for every lane."""
        shape = (*self.shape, *a.mantissa.shape[-2:])
        mantissa = np.ascontiguousarray(np.broadcast_to(a.mantissa[:, None], shape))
        return Scaled(mantissa, np.broadcast_to(a.exponent[:, None], self.shape).copy())


class Fails:
    """Where on the way up a lane left the number format, and where each of its samples met a wholly silent layer."""

    def __init__(self, shape: tuple[int, int], batch: int):
        self.at = np.full(shape, NEVER)  # first layer that overflows or underflows
        self.text = np.full(shape, "", dtype=object)
        self.silent_at = np.full((*shape, batch), NEVER)

    def note(self, layer: Layer, k: int) -> None:
        for condition, what in ((layer.overflows, "overflows"), (layer.underflows, "underflows")):
            if condition is not None:
                new = condition & (self.at == NEVER)
                self.at[new] = k
                self.text[new] = f"forward pass {what} at layer {k}"
        if layer.silent is not None:
            self.silent_at[layer.silent.all(axis=-1) & (self.silent_at == NEVER)] = k

    def of(self, head: Head) -> tuple[Array, Array, Array]:
        """For the networks of one depth: layer of failure, dead_from_layer (0: never), what failed: as `at`."""
        ours = Fails(self.at.shape, self.silent_at.shape[-1])
        hidden = self.at < head.depth
        ours.at[hidden], ours.text[hidden] = self.at[hidden], self.text[hidden]
        ours.silent_at[:] = np.where(self.silent_at < head.depth, self.silent_at, NEVER)
        ours.note(head.layer, head.depth)
        dead_from = ours.silent_at.max(axis=-1)  # by then every sample has met one
        return np.where(ours.at == NEVER, 0, ours.at), np.where(dead_from == NEVER, 0, dead_from), ours.text
