"""The gains of the layers of each lane: as weights for the forward pass, and as logarithms to be added afterwards.

The backward pass is linear, so it is computed for the base draws alone; gains shift its logarithms. Where the lanes
differ by a factor only (`Group.homogeneous`), so is the forward pass.
"""

from dataclasses import dataclass, field

import numpy as np

from harness.base.arrays import LOG10_2, Array
from harness.base.scaled import Scaled, Weights, base_alone, split
from harness.engine.lanes.draws import SharedDraws
from harness.engine.lanes.groups import Group, Output
from harness.engine.measures import in_units, with_own


@dataclass(frozen=True)
class Gains:
    """log2 of the gains of the layers of lanes: of W[0], of each hidden W[k] after it, and of the last.

    Each is (lanes,); `inner` is (depth − 2, lanes) where hidden layers differ in width.
    """

    depth: int
    first: Array
    inner: Array
    last: Array

    @property
    def per_layer(self) -> Array:
        """log10 of the gain of each layer, (depth, 1, lanes)."""
        if self.inner.ndim == 2:
            return LOG10_2 * self._stacked
        k = self._layers
        return LOG10_2 * np.where(k == self.depth, self.last, np.where(k == 1, self.first, self.inner))

    @property
    def below(self) -> Array:
        """log10 of the product of the gains below each layer, which r[k−1] contains, (depth, 1, lanes)."""
        if self.inner.ndim == 2:
            return LOG10_2 * (np.cumsum(self._stacked, axis=0) - self._stacked)
        k = self._layers
        return LOG10_2 * np.where(k > 1, self.first + (k - 2) * self.inner, 0.0)

    @property
    def above(self) -> Array:
        """log10 of the product of the gains above each layer, which ∂C/∂r[k] contains, (depth, 1, lanes)."""
        if self.inner.ndim == 2:
            return LOG10_2 * (self._stacked.sum(axis=0) - np.cumsum(self._stacked, axis=0))
        k = self._layers
        return LOG10_2 * np.where(k < self.depth, self.last + (self.depth - 1 - k) * self.inner, 0.0)

    @property
    def log2_product(self) -> Array:
        """log2 of the product of all gains, (lanes,)."""
        if self.inner.ndim == 2:
            return self._stacked.sum(axis=(0, 1))
        return self.last + (self.first + (self.depth - 2) * self.inner if self.depth > 1 else 0.0)

    @property
    def _stacked(self) -> Array:
        """log2 of the gain of each layer, (depth, 1, lanes), where hidden layers differ in width."""
        first = [self.first[None]] if self.depth > 1 else []
        return np.concatenate([*first, self.inner, self.last[None]])[:, None]

    @property
    def _layers(self) -> Array:
        return np.arange(1, self.depth + 1)[:, None, None]

    def product(self, dtype: np.dtype) -> Scaled:
        """The product of all gains of each lane, (1, lanes, 1, 1)."""
        power = self.log2_product
        whole = np.floor(power)
        mantissa = np.exp2(power - whole).astype(dtype)
        return Scaled(mantissa[None, :, None, None], whole[None].astype(np.int64))

    def add_to(self, columns: dict[str, Array], homogeneous: bool) -> dict[str, Array]:
        """The columns of each lane from those of the bases alone, (depth, replicates, lanes).

        ∂C/∂z[k] contains the gains above layer k. If the forward pass has none either, r[k] contains those up to k.
        """
        shifts = dict.fromkeys(CONTAIN_GAINS_ABOVE, self.above)
        shifts |= dict.fromkeys(("log10_norm_weights", "log10_weight_factor"), self.per_layer)
        if homogeneous:
            shifts |= dict.fromkeys(("log10_rms_outputs", "log10_max_outputs"), self.below + self.per_layer)
            shifts |= dict.fromkeys(("log10_grad_weights", "mean_abs_grad_weights"), self.below + self.above)
        shifts = with_own(shifts)
        none = np.zeros_like(self.per_layer)  # repeats for every lane what was computed once for all
        return in_units({name: values + shifts.get(name, none) for name, values in columns.items()})


CONTAIN_GAINS_ABOVE = (
    "log10_grad_weights",
    "mean_abs_grad_weights",
    "log10_grad_biases",
    "log10_grad_preactivations",
    "log10_grad_outputs",
    "log10_max_grad_preactivations",
)


@dataclass(frozen=True)
class LaneParameters:
    """The weights and biases of the lanes of a group."""

    group: Group
    draws: SharedDraws
    _gains: dict[tuple[int, int], tuple[Array | None, Array]] = field(default_factory=dict)  # by fans

    def weights(self, base: Array) -> Weights:
        """The forward pass's weights from a base (replicates, 1, fan_in, fan_out); the base alone if homogeneous."""
        if self.group.homogeneous:
            return base_alone(base)
        fan_in, fan_out = base.shape[-2:]
        if (fan_in, fan_out) not in self._gains:
            gain, exponent = split(self._gain(fan_in, fan_out), np.dtype(np.float64))
            gain = (gain * 2.0 ** self.draws.base_exponent(fan_in)).astype(self.draws.dtype)
            self._gains[fan_in, fan_out] = None if (gain == 1).all() else gain, exponent
        return Weights(base, *self._gains[fan_in, fan_out])

    def hidden_bias(self, k: int) -> Scaled | None:
        """The hidden b[k], (replicates, lanes, 1, width); None without biases."""
        if self.group.bias_family is None:
            return None
        base = self.draws.draws.hidden_bias(k, self.draws.block.fan_out(k), self.group.bias_family)
        return self._bias(base, self.draws.fan_in(k))

    def output_bias(self, output: Output) -> Scaled | None:
        """The bias of an output layer, (replicates, lanes, 1, output_width); None without biases."""
        if self.group.bias_family is None:
            return None
        base = self.draws.draws.output_bias(output.depth, output.width, self.group.bias_family)
        return self._bias(base, self.draws.fan_in(output.depth - 1))

    def gains(self, output: Output, lanes: list[int]) -> Gains:
        """The gains of the networks with one output, of some lanes."""
        block, depth = self.draws.block, output.depth
        last = self._log2_gain(block.fan_in(depth - 1), output.width, lanes)
        # Of the hidden layers after the first, one stands for all where they are equal.
        hidden = range(depth - 1) if block.widths else range(min(depth, 2))
        log2 = [self._log2_gain(block.fan_in(k), block.fan_out(k), lanes) for k in hidden] or [last]
        inner = np.array(log2[1:]).reshape(-1, len(lanes)) if block.widths else log2[-1]
        return Gains(depth, first=log2[0], inner=inner, last=last)

    def _log2_gain(self, fan_in: int, fan_out: int, lanes: list[int]) -> Array:
        return np.log2(self._gain(fan_in, fan_out)[lanes]) + self.draws.base_exponent(fan_in)

    def _gain(self, fan_in: int, fan_out: int) -> Array:
        return np.array([spec.gain(fan_in, fan_out) for spec in self.group.lanes])

    def _bias(self, base: Array, fan_in: int) -> Scaled:
        gain, exponent = split(np.array([spec.sigma_b(fan_in) for spec in self.group.lanes]), base.dtype)
        shape = len(base), len(self.group.lanes)
        random = Scaled(base[:, None, None] * gain[:, None, None], np.broadcast_to(exponent, shape))
        if not self.group.has_bias:
            return random
        constant, exponent = split(np.array([spec.bias for spec in self.group.lanes]), base.dtype)
        same = np.broadcast_to(constant[:, None, None], random.mantissa.shape)
        return random + Scaled(same, np.broadcast_to(exponent, shape))
