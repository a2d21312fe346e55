"""Lanes of one group on their way up and down together, and what is recorded of them."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from harness.activations import ACTIVATIONS, Activation
from harness.backprop import BackwardLayers, Head, Hidden, Layer, backward, concatenated, cost_gradient, layer_forward
from harness.fails import Fails
from harness.lanes import Block, Ending, Gains, Group, Settings
from harness.measures import BACKWARD, FORWARD
from harness.scaled import Scaled, Weights, any_of, base_alone, scaled, split
from harness.shared_draws import SharedDraws
from harness.sums import DownSums, UpSums, base_squares
from harness.tables import OK, Records

Array = np.ndarray

TOGETHER = 2**22  # bytes of an array on the way down: so many endings come down at once, that all meet in low layers
SHARING = 8  # lanes that differ by a factor come down together however large they are: a second pair would cost more
SUMMED = 2**21  # bytes: small layers go down, and are summed, by so many at a time, which spares calls


def flight(block: Block, settings: Settings) -> int:
    """Bytes of one lane of an array in flight."""
    return len(block.replicates) * settings.data.batch * block.specs[0].width * np.dtype(settings.dtype).itemsize


class Turn:
    """Lanes of one group: up once, then down from all their endings.

    The way down is linear, so it goes over the bases alone: the gains are added to the logarithms at the end. Where the
    lanes differ by a factor only (`Group.scales`), so does the way up: one lane goes up for all of them. Those lanes
    share starts, too: y alone under the linear cost, and under the squared one r and −y, but for lanes of scale 1.
    """

    def __init__(self, group: Group, shared: SharedDraws, settings: Settings, records: Records):
        self.group, self.shared, self.settings, self.records = group, shared, settings, records
        self.replicates = len(records.replicates)
        self.rising = 1 if group.scales else len(group.lanes)  # lanes that go up
        self.one_falls = group.scales and settings.cost == "linear"
        self.weights: dict[tuple[int, int], tuple[Array | None, Array]] = {}  # gains and their exponents

    def run(self) -> None:
        self._ascend()
        lane, lanes = flight(self.shared.block, self.settings), range(len(self.group.lanes))
        order = sorted(lanes, key=self._shares_starts)
        size = max(SHARING, TOGETHER // lane) if self.group.scales and not self.one_falls else len(order)
        at_once = max(1, TOGETHER // (lane * (1 if self.one_falls else min(size, len(order)))))
        for first in range(0, len(order), size):
            for place in range(0, len(self.group.endings), at_once):
                places = range(place, min(place + at_once, len(self.group.endings)))
                self._descend(order[first : first + size], places)

    def _shares_starts(self, lane: int) -> bool:
        return self.group.shares_starts(lane, self.settings.cost)

    def _ascend(self) -> None:
        inputs, _ = self.shared.batch(self.group.endings[0].output_width)
        self.x = r = self._over_lanes(scaled(inputs), self.rising)
        self.fails = Fails((self.replicates, self.rising), self.settings.data.batch)
        depth = self.group.endings[0].depth - 1
        sums, self.hidden = self._up_sums(depth, self.shared.width), Hidden(self._together(self.rising))
        for first in range(0, depth, self.hidden.at_once):
            slots = range(first, min(first + self.hidden.at_once, depth))
            squares, room = [], self._room(len(slots), self.shared.width)
            for i, k in enumerate(slots):
                base = self.shared.hidden(k)
                squares.append(base_squares(base))
                layer = layer_forward(r, self._weights(base), self._bias(k), self.group.activation, room[i])
                self.fails.note(layer, k + 1)
                r = layer.r
            sums.put(slice(slots.start, slots.stop), room, squares)
            self.hidden.stretches.append(room)
        self.forward = {name: measure(sums) for name, measure in FORWARD.items()}

    def _descend(self, lanes: list[int], places: range) -> None:
        """The backward passes of some lanes, those with starts of their own first, from some endings, deepest first."""
        endings = [self.group.endings[place] for place in places]
        heads, costs, grads = zip(*(self._head(ending, lanes) for ending in endings), strict=True)
        shape = grads[0].exponent.shape  # (replicates, lanes of which sums are taken)
        sums = DownSums(endings[0].depth, len(endings), *shape)
        slope_fails = np.zeros((len(endings), *shape), dtype=np.int64)
        for j, (head, grad_r) in enumerate(zip(heads, grads, strict=True)):
            sums.start(j, head.depth, grad_r)
        put = self._put(sums, endings, lanes)
        for lowest, place, layers in backward(self.x, self.hidden, heads, lambda k: base_alone(self.shared.hidden(k)),
                                              self._together(shape[1])):  # fmt: skip
            at, depths = lowest - 1, slice(place, place + layers.largest.shape[1])
            put(slice(at, at + len(layers.largest)), depths, layers)
            if any_of(layers.underflows):
                for k, underflows in enumerate(layers.underflows, start=lowest):
                    lost = slope_fails[depths]
                    np.maximum(lost, k, out=lost, where=self._of_lanes(underflows, lanes))
        falling = {name: measure(sums) for name, measure in BACKWARD.items()}
        for j, (place, head, log10_cost) in enumerate(zip(places, heads, costs, strict=True)):
            columns = self._columns(head, {name: values[: head.depth, j] for name, values in falling.items()})
            self._add_gains(columns, self._log_gains(endings[j], lanes))
            networks = [self.group.networks[i][place] for i in lanes]
            self._record(networks, columns, log10_cost, self.fails.of(head), slope_fails[j])

    def _put(self, sums: DownSums, endings: Sequence[Ending], lanes: list[int]) -> Callable:
        """How layers on the way down are summed, (slots, depths, layers)."""
        own = self._own(lanes)
        if own == len(lanes):
            return partial(sums.put, slice(None))
        alone, shared = slice(0, own), slice(own, None)
        factors = [self._factor(ending, lanes[shared]) for ending in endings]
        factors = Scaled(np.stack([f.mantissa for f in factors]), np.stack([f.exponent for f in factors]))

        def put(slots: slice, depths: slice, layers: BackwardLayers) -> None:
            if own:
                sums.put(alone, slots, depths, layers.some(alone))
            sums.put_superposed(shared, slots, depths, layers.some(shared), factors[depths])

        return put

    def _own(self, lanes: list[int]) -> int:
        """How many of the lanes have starts of their own."""
        return sum(not self._shares_starts(i) for i in lanes)

    def _of_lanes(self, holds: Array, lanes: list[int]) -> Array:
        """What holds of each lane, given what holds of those that come down: of a sum, what holds of either part."""
        own = self._own(lanes)
        if own == len(lanes):
            return holds
        either = np.repeat(holds[..., own:].any(axis=-1, keepdims=True), len(lanes) - own, axis=-1)
        return np.concatenate([holds[..., :own], either], axis=-1)

    def _head(self, ending: Ending, lanes: list[int]) -> tuple[Head, Array, Scaled]:
        """The output layer of the networks of one ending, with what comes down from it; log10 cost; their ∂C/∂r[L]."""
        below = self.hidden[ending.depth - 1].r if ending.depth > 1 else self.x
        activation = self.group.activation if ending.output == "activation" else ACTIVATIONS["linear"]()
        base = self.shared.output(ending.depth, ending.output_width)
        room = self._room(1, ending.output_width, activation)[0]
        layer = layer_forward(below, self._weights(base), self._bias(ending), activation, room)
        r = layer.r * self._factor(ending, lanes) if self.group.scales else layer.r
        _, targets = self.shared.batch(ending.output_width)
        y = self._over_lanes(scaled(targets), r.exponent.shape[1])
        log10_cost, grad_r = cost_gradient(r, y, self.settings.cost)
        start, own = grad_r, self._own(lanes)
        if self.one_falls:
            start = grad_r = grad_r.some(slice(0, 1))
        elif own < len(lanes):
            share = 1 / self.settings.data.batch
            start = concatenated([grad_r.some(slice(0, own)), layer.r * share, y.some(slice(0, 1)) * -share], axis=1)
        return Head(ending.depth, start, layer, base_alone(base)), log10_cost, grad_r

    def _columns(self, head: Head, falling: dict[str, Array]) -> dict[str, Array]:
        """Every measure of the networks of one head, (depth, replicates, lanes that went up, or came down)."""
        sums = self._up_sums(1, head.W.base.shape[-1])
        sums.put(slice(0, 1), head.layer[None], [base_squares(head.W.base)])
        rising = {name: np.concatenate([self.forward[name][: head.depth - 1], measure(sums)])
                  for name, measure in FORWARD.items()}  # fmt: skip
        return falling | rising

    def _room(self, layers: int, units: int, activation: Activation | None = None) -> Layer:
        """For layers on the way up, of the group's activation if it is not said."""
        shape = layers, self.replicates, self.rising, self.settings.data.batch, units
        return Layer.empty(activation or self.group.activation, self.shared.dtype, *shape)

    def _together(self, lanes: int) -> int:
        """Layers, or depths at one layer, that are one array and summed together."""
        return max(1, SUMMED // (flight(self.shared.block, self.settings) * lanes))

    def _up_sums(self, layers: int, units: int) -> UpSums:
        slopes = units * self.settings.data.batch
        return UpSums(layers, self.replicates, self.rising, slopes, self.group.activation.slope_bound)

    def _add_gains(self, columns: dict[str, Array], gains: Gains) -> None:
        """From what the bases alone give to what the lanes are.

        ∂C/∂z[k] has the gains of the layers above it; where one lane went up for all, r[k] those of the layers below.
        """
        added = dict.fromkeys(("log10_grad_weights", "log10_grad_biases", "log10_grad_preactivations",
                               "log10_grad_outputs", "log10_max_grad_preactivations"), gains.above)  # fmt: skip
        added |= dict.fromkeys(("log10_norm_weights", "log10_weight_factor"), gains.each)
        if self.group.scales:
            added["log10_rms_outputs"] = gains.below + gains.each
            added["log10_grad_weights"] = gains.below + gains.above
        none = np.zeros_like(gains.each)  # for all lanes, where one went up or came down
        for name, values in columns.items():
            columns[name] = values + added.get(name, none)

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

    def _weights(self, base: Array) -> Weights:
        """What the lanes go up over: where they differ by a factor only, the base itself."""
        if self.group.scales:
            return base_alone(base)
        fans = base.shape[-2:]
        if fans not in self.weights:
            gain, exponent = split(self._gains(*fans), np.dtype(np.float64))
            gain = (gain * 2.0 ** self.shared.base_exponent(fans[0])).astype(self.shared.dtype)
            self.weights[fans] = None if (gain == 1).all() else gain, exponent
        return Weights(base, *self.weights[fans])

    def _gains(self, *fans: int) -> Array:
        """Each lane's gain at a layer of these fans, (lanes,)."""
        return np.array([spec.gain(*fans) for spec in self.group.lanes])

    def _log_gains(self, ending: Ending, lanes: list[int]) -> Gains:
        fans = [(self.shared.fan_in(k), self.shared.width) for k in range(min(ending.depth, 2))]
        fans.append((self.shared.fan_in(ending.depth - 1), ending.output_width))
        gains = [np.log2(self._gains(*fan)[lanes]) + self.shared.base_exponent(fan[0]) for fan in fans]
        return Gains(ending.depth, first=gains[0], inner=gains[-2], last=gains[-1])

    def _factor(self, ending: Ending, lanes: list[int]) -> Scaled:
        """The product of the gains of each lane, (1, lanes, 1, 1)."""
        power = self._log_gains(ending, lanes).log2_product
        whole = np.floor(power)
        mantissa = np.exp2(power - whole).astype(self.shared.dtype)
        return Scaled(mantissa[None, :, None, None], whole[None].astype(np.int64))

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
