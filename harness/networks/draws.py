"""Weights, biases and data, which follow from the coordinates of a network and a seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import pandas as pd

from harness.base.arrays import Array
from harness.base.streams import HIDDEN, HIDDEN_BIAS, OUTPUT, OUTPUT_BIAS, Streams
from harness.networks.data import DataSpec, draw_batch
from harness.networks.families import base_variance, base_weights
from harness.networks.remedies.standardised import standardise
from harness.networks.spec import NetworkSpec


class BaseDraws:
    """Base draws of consecutive replicates: weights and biases of unit variance, shared by all their networks.

    The draw of a hidden layer does not depend on the depth, so shallow networks are prefixes of deep ones; each depth
    has a separate output layer. With tied weights, all hidden layers after the first have the draw of W[1]. `shift` is
    the mean of the weights of a base. `standardised`: every column of a base is centred and scaled.
    """

    def __init__(
        self,
        seed: int,
        family: str,
        replicates: Sequence[int],
        dtype: np.dtype,
        shift: float = 0.0,
        tied: bool = False,
        standardised: bool = False,
    ) -> None:
        self.seed, self.family, self.replicates, self.dtype = seed, family, replicates, dtype
        self.shift, self.tied, self.standardised = shift, tied, standardised
        self._keyed: dict[tuple, Streams] = {}
        self._inverses: dict[tuple, Array] = {}  # of the bases that were drawn

    def index(self, k: int) -> int:
        """Index of the draw of the hidden W[k] and b[k]."""
        return min(k, 1) if self.tied else k

    def hidden(self, k: int, fan_in: int, fan_out: int) -> Array:
        """Base of the hidden W[k], (replicates, fan_in, fan_out)."""
        return self._weights(HIDDEN, self.index(k), fan_in, fan_out)

    def output(self, depth: int, fan_in: int, fan_out: int) -> Array:
        """Base of the output layer of the networks of that depth, (replicates, fan_in, fan_out)."""
        return self._weights(OUTPUT, depth, fan_in, fan_out)

    def hidden_inverse(self, k: int, fan_in: int, fan_out: int) -> Array:
        """std/s of a standardised base that was drawn, (replicates, 1, fan_out): of the hidden W[k]."""
        return self._inverses[HIDDEN, self.index(k), fan_in, fan_out]

    def output_inverse(self, depth: int, fan_in: int, fan_out: int) -> Array:
        """The same of the output layer of the networks of that depth."""
        return self._inverses[OUTPUT, depth, fan_in, fan_out]

    def hidden_bias(self, k: int, fan_out: int, family: str) -> Array:
        """Base of the hidden b[k], (replicates, fan_out)."""
        return self._biases(HIDDEN_BIAS, self.index(k), fan_out, family)

    def output_bias(self, depth: int, fan_out: int, family: str) -> Array:
        """Base of the output layer's bias, (replicates, fan_out)."""
        return self._biases(OUTPUT_BIAS, depth, fan_out, family)

    def _streams(self, *key: int | str) -> Streams:
        if key not in self._keyed:
            self._keyed[key] = Streams(self.seed, *key)
        return self._keyed[key]

    def _weights(self, purpose: int, index: int, fan_in: int, fan_out: int) -> Array:
        streams = self._streams(self.family, fan_in, fan_out)
        base = base_weights(self.family, streams, purpose, index, self.replicates, fan_in, fan_out)
        if self.shift:
            base += self.shift
        if self.standardised:
            base, inverse = standardise(base, sqrt(base_variance(self.family, fan_in, fan_out)))
            self._inverses[purpose, index, fan_in, fan_out] = inverse.astype(self.dtype, copy=False)
        return base.astype(self.dtype, copy=False)

    def _biases(self, purpose: int, index: int, fan_out: int, family: str) -> Array:
        if family == "constant":
            return np.zeros((len(self.replicates), fan_out), self.dtype)
        streams = self._streams(f"bias {family}", fan_out)
        draw = streams.uniform if family == "uniform" else streams.normal
        return draw(purpose, index, self.replicates, (fan_out,)).astype(self.dtype, copy=False)


@dataclass(frozen=True)
class Network:
    """One recorded network. Arrays are float64; `weights[k]` is W[k], (fan_in, fan_out), `biases[k]` (fan_out,).

    `gammas` and `betas`, (fan_out,), are those of the hidden layers where these are normalised, else empty.
    `unstandardised[k]` is V[k], the trained weights that `weights[k]` is standardised from; empty without training.
    """

    spec: NetworkSpec
    replicate: int
    weights: list[Array]
    biases: list[Array]
    inputs: Array  # (batch, input_width)
    targets: Array  # (batch, output_width)
    gammas: list[Array] = field(default_factory=list)
    betas: list[Array] = field(default_factory=list)
    unstandardised: list[Array] = field(default_factory=list)


def draw_parameters(spec: NetworkSpec, seed: int, replicate: int) -> tuple[list[Array], list[Array]]:
    """The weights and biases of one network, in float64; weights as they multiply r, standardised or not.

    Of `lsuv` they are those from which the batch scales (engine/remedied/scaled_start.py).
    """
    draws = BaseDraws(
        seed, spec.family, [replicate], np.dtype(np.float64), spec.shift, spec.tied, spec.weight_standardised
    )
    weights, biases = [], []
    for k in range(spec.depth):
        fan_in, fan_out = spec.fans(k)
        last = k == spec.depth - 1
        base = draws.output(spec.depth, fan_in, fan_out) if last else draws.hidden(k, fan_in, fan_out)
        family = spec.bias_family
        bias = draws.output_bias(spec.depth, fan_out, family) if last else draws.hidden_bias(k, fan_out, family)
        weights.append(spec.rule_gain(k + 1) * spec.gain(fan_in, fan_out) * base[0])
        starts_at_0 = spec.rule_gain(k + 1) == 0  # the last layer of a branch of Fixup: W and b
        biases.append(np.zeros_like(bias[0]) if starts_at_0 else spec.bias + spec.sigma_b(fan_in) * bias[0])
    return weights, biases


def is_neuron(spec: NetworkSpec, data: DataSpec) -> bool:
    """Whether the network is a single neuron, ŷ = phi(Wx) with numbers W and x and without bias."""
    one = spec.depth == spec.input_width == spec.output_width == data.batch == 1
    return one and not spec.has_biases


def neurons(specs: Iterable[NetworkSpec], data: DataSpec, seed: int, replicates: int) -> pd.DataFrame:
    """The columns W, x and y (float64) and `network` of every draw of these single neurons."""
    draws = range(replicates)
    frames = []
    for spec in specs:
        base = BaseDraws(seed, spec.family, draws, np.dtype(np.float64), spec.shift).output(1, 1, 1)
        x, y = draw_batch(data, seed, draws, 1, 1)
        columns = {name: array.ravel() for name, array in (("W", spec.gain(1, 1) * base), ("x", x), ("y", y))}
        frames.append(pd.DataFrame({"network": [spec.network(i) for i in draws]} | columns))
    return pd.concat(frames, ignore_index=True)
