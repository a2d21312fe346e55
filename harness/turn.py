"""Lanes of one group on their way up and down together, and what is recorded of them."""

from collections.abc import Sequence

import numpy as np

from harness.activations import ACTIVATIONS
from harness.backprop import Head, Layer, backward, cost_gradient, layer_forward
from harness.data import draw_batch
from harness.lanes import Block, Ending, Gains, Group, Settings
from harness.measures import BACKWARD, FORWARD
from harness.network import BaseDraws
from harness.scaled import LOG10_2, Scaled, Weights, any_of, base_alone, scaled, split
from harness.sums import DownSums, UpSums
from harness.tables import OK, Records

Array = np.ndarray

FLIGHT = 2**20  # bytes of an array in flight: lanes run in turns of about this size, so that they stay in cache
TOGETHER = 2**22  # the same for endings: all of them meet in the lowest layers only
NEVER = np.iinfo(np.int64).max


def flight(block: Block, settings: Settings) -> int:
    """Bytes of one lane of an array in flight."""
    return len(block.replicates) * settings.data.batch * block.specs[0].width * np.dtype(settings.dtype).itemsize


class SharedDraws:
    """Inputs, targets and base draws of a block, made once; beyond `keep` bytes, again whenever they are asked for."""

    def __init__(self, block: Block, settings: Settings, keep: int):
        self.block, self.settings, self.keep = block, settings, keep
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

    def log10_rms_inputs(self) -> Array:
        """Over units and batch, (replicates,)."""
        inputs, _ = self.batch(self.block.specs[0].output_width)
        return scaled(inputs.astype(np.float64)).log10_norm - np.log10(inputs[0].size) / 2

    def fan_in(self, k: int) -> int:
        return self.input_width if k == 0 else self.width

    def hidden(self, k: int) -> Array:
        """Base of the hidden W[k], (replicates, 1, fan_in, width)."""
        return self._once("hidden", self.draws.hidden, k, self.fan_in(k), self.width)

    def output(self, depth: int, output_width: int) -> Array:
        """Base of an output layer's W, (replicates, 1, fan_in, output_width)."""
        return self._once("output", self.draws.output, depth, self.fan_in(depth - 1), output_width)

    def _once(self, name: str, draw, *key: int) -> Array:
        base = self._made.get((name, *key))
        if base is None:
            base = draw(*key)[:, None]
            if base.nbytes <= self.keep:
                self.keep -= base.nbytes
                self._made[name, *key] = base
        return base


class Turn:
    """Lanes of one group: up once, then down from all their endings.

    Where the lanes differ by a factor only (`Group.scales`), all is done over the bases alone, and the gains are added
    to the logarithms: one lane goes up for all of them, and under the linear cost, where all start from y, one comes
    down. Under the squared cost each starts from its own r − y.
    """

    def __init__(self, group: Group, shared: SharedDraws, settings: Settings, records: Records):
        self.group, self.shared, self.settings, self.records = group, shared, settings, records
        self.replicates = len(records.replicates)
        self.rising = 1 if group.scales else len(group.lanes)  # lanes that go up
        self.one_falls = group.scales and settings.cost == "linear"
        self.gains: dict[tuple[int, int], tuple[Array, Array]] = {}

    def run(self) -> None:
        self._ascend()
        lane = flight(self.shared.block, self.settings)
        size = len(self.group.lanes) if self.one_falls or not self.group.scales else max(1, FLIGHT // lane)
        together = max(1, TOGETHER // (lane * (1 if self.one_falls else min(size, len(self.group.lanes)))))
        for first in range(0, len(self.group.lanes), size):
            for place in range(0, len(self.group.endings), together):
                places = range(place, min(place + together, len(self.group.endings)))
                self._descend(slice(first, first + size), places)

    def _ascend(self) -> None:
        inputs, _ = self.shared.batch(self.group.endings[0].output_width)
        self.x = r = self._over_lanes(scaled(inputs), self.rising)
        self.hidden: list[Layer] = []
        self.fails = Fails((self.replicates, self.rising), self.settings.data.batch)
        depth = self.group.endings[0].depth - 1
        sums = self._up_sums(depth, self.shared.width)
        for k in range(depth):
            W = self._carried(self._weights(k))
            layer = layer_forward(r, W, self._bias(k), self.group.activation)
            r = layer.r
            self.hidden.append(layer)
            self.fails.note(layer, k + 1)
            sums.put(k, layer, W)
        self.forward = {name: measure(sums) for name, measure in FORWARD.items()}

    def _descend(self, lanes: slice, places: range) -> None:
        """The backward passes of some lanes from some endings, deepest first."""
        heads, costs = zip(*(self._head(self.group.endings[place], lanes) for place in places), strict=True)
        shape = costs[0].shape  # (replicates, lanes)
        sums = DownSums(len(heads), heads[0].depth, *shape)
        slope_fails = np.zeros((len(heads), *shape), dtype=np.int64)
        for k, first, layer in backward(self.x, self.hidden, heads, lambda k: self._carried(self._weights(k, lanes))):
            passing = slice(first, first + layer.delta.exponent.shape[0])
            sums.put(passing, k, layer)
            if layer.underflows is not None:
                lost = slope_fails[passing]
                slope_fails[passing] = np.where(layer.underflows & (lost == 0), k, lost)
        falling = {name: measure(sums) for name, measure in BACKWARD.items()}
        for j, (place, head, log10_cost) in enumerate(zip(places, heads, costs, strict=True)):
            ending = self.group.endings[place]
            columns = self._columns(ending, head, {name: values[j, : head.depth] for name, values in falling.items()})
            if self.group.scales:
                log10_cost = self._rescale(columns, log10_cost, self._log_gains(ending, lanes))
            networks = [lane[place] for lane in self.group.networks[lanes]]
            self._record(networks, columns, log10_cost, self.fails.of(head), slope_fails[j])

    def _head(self, ending: Ending, lanes: slice) -> tuple[Head, Array]:
        """The output layer of the networks of one ending, and log10 of their cost."""
        below = self.hidden[ending.depth - 2].r if ending.depth > 1 else self.x
        activation = self.group.activation if ending.output == "activation" else ACTIVATIONS["linear"]()
        W = self._weights(ending, lanes)
        layer = layer_forward(below, self._carried(W), self._bias(ending), activation)
        r = layer.r
        if self.group.scales and not self.one_falls:
            power = self._log_gains(ending, lanes).log2_product
            whole = np.floor(power)
            factor = np.exp2(power - whole).astype(self.shared.dtype)
            r = Scaled(r.mantissa * factor[:, None, None], r.exponent + whole.astype(np.int64))
        _, targets = self.shared.batch(ending.output_width)
        y = self._over_lanes(scaled(targets), r.exponent.shape[1])
        log10_cost, grad_r = cost_gradient(r, y, self.settings.cost)
        return Head(ending.depth, grad_r, layer, self._carried(W)), log10_cost

    def _columns(self, ending: Ending, head: Head, falling: dict[str, Array]) -> dict[str, Array]:
        """Every measure of the networks of one head, (depth, replicates, lanes that went up, or came down)."""
        sums = self._up_sums(1, ending.output_width)
        sums.put(0, head.layer, self._carried(head.W))
        rising = {name: np.concatenate([self.forward[name][: head.depth - 1], measure(sums)])
                  for name, measure in FORWARD.items()}  # fmt: skip
        return falling | rising

    def _up_sums(self, layers: int, units: int) -> UpSums:
        slopes = units * self.settings.data.batch
        return UpSums(layers, self.replicates, self.rising, slopes, self.group.activation.slope_bound)

    def _rescale(self, columns: dict[str, Array], log10_cost: Array, gains: Gains) -> Array:
        """From what the bases alone give to what the lanes are: their gains added; returns log10 of the cost.

        r[k] has the gains of the layers below it, ∂C/∂z[k] those above; under the linear cost the cost has all.
        """
        added = dict.fromkeys(("log10_grad_biases", "log10_grad_preactivations", "log10_grad_outputs",
                               "log10_max_grad_preactivations"), gains.above)  # fmt: skip
        added |= dict.fromkeys(("log10_norm_weights", "log10_weight_factor"), gains.each)
        added |= {"log10_rms_outputs": gains.below + gains.each, "log10_grad_weights": gains.below + gains.above}
        for name, values in columns.items():
            columns[name] = values + added.get(name, np.zeros_like(gains.each))
        return log10_cost + gains.log2_product * LOG10_2 if self.one_falls else log10_cost

    def _record(self, networks: Sequence[int], columns: dict[str, Array], log10_cost: Array,
                fails: tuple[Array, Array, Array], slope_fails: Array) -> None:  # fmt: skip
        records = self.records
        forward_fails, dead_from, texts = (np.broadcast_to(a, log10_cost.shape) for a in fails)
        slope_fails = np.broadcast_to(slope_fails, log10_cost.shape)
        for i, n in enumerate(networks):
            for name, values in columns.items():
                records.of(name, n)[:] = values[..., i].T
            failed = forward_fails[:, i] > 0
            lost = np.where(failed, 0, slope_fails[:, i])
            records.log10_cost[n] = np.where(failed, np.nan, log10_cost[:, i])
            records.dead_from_layer[n] = np.where(failed, 0, dead_from[:, i])
            records.status[n] = [
                texts[j, i] if failed[j] else f"slope underflows at layer {lost[j]}" if lost[j] else OK
                for j in range(len(failed))
            ]
            records.blank(n, forward_fails[:, i], lost)

    def _weights(self, k: int | Ending, lanes: slice = slice(None)) -> Weights:
        """The hidden W[k], or the output layer of an ending."""
        base = self.shared.output(k.depth, k.output_width) if isinstance(k, Ending) else self.shared.hidden(k)
        gain, exponent = self._gains(*base.shape[-2:])
        gain = None if (gain == 1).all() else gain[lanes].astype(self.shared.dtype)
        return Weights(base, gain, exponent[lanes])

    def _carried(self, W: Weights) -> Weights:
        """Without its gains, where those are added at the end."""
        return base_alone(W.base) if self.group.scales else W

    def _gains(self, *fans: int) -> tuple[Array, Array]:
        """Each lane's gain at a layer of these fans, (lanes,), float64, and its exponent."""
        if fans not in self.gains:
            self.gains[fans] = split(np.array([spec.gain(*fans) for spec in self.group.lanes]), np.dtype(np.float64))
        return self.gains[fans]

    def _log_gains(self, ending: Ending, lanes: slice) -> Gains:
        fans = [(self.shared.fan_in(k), self.shared.width) for k in range(min(ending.depth, 2))]
        fans.append((self.shared.fan_in(ending.depth - 1), ending.output_width))
        gains = [np.log2(gain[lanes]) + exponent[lanes] for gain, exponent in (self._gains(*fan) for fan in fans)]
        return Gains(ending.depth, first=gains[0], inner=gains[-2], last=gains[-1])

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
        shape = (self.replicates, len(self.group.lanes))
        return Scaled(base[:, None, None] * gain[:, None, None], np.broadcast_to(exponent, shape))

    def _over_lanes(self, a: Scaled, lanes: int) -> Scaled:
        """Data (replicates, batch, width), the same for every lane."""
        shape = (self.replicates, lanes, *a.mantissa.shape[-2:])
        mantissa = np.ascontiguousarray(np.broadcast_to(a.mantissa[:, None], shape))
        return Scaled(mantissa, np.broadcast_to(a.exponent[:, None], shape[:2]).copy())


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
            silent = np.logical_and.reduce(layer.silent, axis=-1)
            if any_of(silent):
                self.silent_at[silent & (self.silent_at == NEVER)] = k

    def of(self, head: Head) -> tuple[Array, Array, Array]:
        """For the networks of one depth: layer of failure, dead_from_layer (0: never), what failed: as `at`."""
        ours = Fails(self.at.shape, self.silent_at.shape[-1])
        hidden = self.at < head.depth
        ours.at[hidden], ours.text[hidden] = self.at[hidden], self.text[hidden]
        ours.silent_at[:] = np.where(self.silent_at < head.depth, self.silent_at, NEVER)
        ours.note(head.layer, head.depth)
        dead_from = ours.silent_at.max(axis=-1)  # by then every sample has met one
        return np.where(ours.at == NEVER, 0, ours.at), np.where(dead_from == NEVER, 0, dead_from), ours.text
