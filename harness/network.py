"""What a network is: its coordinates in a sweep, and the weights and biases that follow from them and a seed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from hashlib import blake2b

import numpy as np

from harness.inits import INITS, Init, base_weights
from harness.streams import HIDDEN, HIDDEN_BIAS, OUTPUT, OUTPUT_BIAS, Streams

Array = np.ndarray


@dataclass(frozen=True)
class Choice:
    """An activation or initialisation by name, with the parameters that were given other than their defaults."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def label(self) -> str:
        """`relu`, or `leaky_relu(negative_slope=0.1)`: the value of the column."""
        inside = ", ".join(f"{key}={value:g}" for key, value in self.parameters)
        return f"{self.name}({inside})" if inside else self.name


@dataclass(frozen=True)
class NetworkSpec:
    """The coordinates of a network but for its replicate. `bias_scale` None: the biases the initialisation has."""

    activation: Choice
    init: Choice
    weight_scale: float
    bias_scale: float | None
    depth: int
    width: int
    input_width: int
    output_width: int
    output: str = "activation"  # or "linear"

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits that depend on the coordinates alone."""
        return blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=6).hexdigest()

    def network(self, replicate: int) -> str:
        """The key of one drawn network: the column `network`."""
        return f"{self.key}-{replicate}"

    @property
    def family(self) -> str:
        return resolve(self.init).family

    @property
    def bias_family(self) -> str:
        """Of which family the biases are drawn: the initialisation's own, unless `bias_scale` was given."""
        return self.family if self.bias_scale is None else "normal"

    def gain(self, fan_in: int, fan_out: int) -> float:
        """What a base draw is multiplied by: W = gain * base."""
        return self.weight_scale * resolve(self.init).gain(fan_in, fan_out)

    def sigma_b(self, fan_in: int) -> float:
        """Standard deviation of the biases of a layer."""
        return resolve(self.init).sigma_b(fan_in) if self.bias_scale is None else self.bias_scale

    def sigma_w(self) -> float:
        """σ_w of the hidden layers: σ_w² = fan_in · Var W."""
        return self.weight_scale * resolve(self.init).sigma_w(self.width, self.width)

    def fans(self, k: int) -> tuple[int, int]:
        """(fan_in, fan_out) of W[k], k = 0 … depth − 1."""
        fan_in = self.input_width if k == 0 else self.width
        return fan_in, self.output_width if k == self.depth - 1 else self.width


@cache
def resolve(choice: Choice) -> Init:
    """The initialisation a config names."""
    return INITS[choice.name](**dict(choice.parameters))


class BaseDraws:
    """The base draws of a run of replicates: unit-variance weights and biases shared by every network over them.

    A hidden layer's draw depends on its number alone, so shallow networks are prefixes of deep ones; each depth has
    an output layer of its own.
    """

    def __init__(self, seed: int, family: str, replicates: Sequence[int], dtype: np.dtype):
        self.seed, self.family, self.replicates, self.dtype = seed, family, replicates, dtype
        self._keyed: dict[tuple, Streams] = {}

    def hidden(self, k: int, fan_in: int, fan_out: int) -> Array:
        """Base of the hidden W[k], (replicates, fan_in, fan_out)."""
        return self._weights(HIDDEN, k, fan_in, fan_out)

    def output(self, depth: int, fan_in: int, fan_out: int) -> Array:
        """Base of the output layer of the networks of that depth, (replicates, fan_in, fan_out)."""
        return self._weights(OUTPUT, depth, fan_in, fan_out)

    def hidden_bias(self, k: int, fan_out: int, family: str) -> Array:
        """Base of the hidden b[k], (replicates, fan_out)."""
        return self._biases(HIDDEN_BIAS, k, fan_out, family)

    def output_bias(self, depth: int, fan_out: int, family: str) -> Array:
        """Base of the output layer's bias, (replicates, fan_out)."""
        return self._biases(OUTPUT_BIAS, depth, fan_out, family)

    def _streams(self, *key: int | str) -> Streams:
        if key not in self._keyed:
            self._keyed[key] = Streams(self.seed, *key)
        return self._keyed[key]

    def _weights(self, purpose: int, index: int, fan_in: int, fan_out: int) -> Array:
        streams = self._streams(self.family, fan_in, fan_out)
        return base_weights(self.family, streams, purpose, index, self.replicates, fan_in, fan_out).astype(
            self.dtype, copy=False
        )

    def _biases(self, purpose: int, index: int, fan_out: int, family: str) -> Array:
        streams = self._streams(f"bias {family}", fan_out)
        draw = streams.uniform if family == "uniform" else streams.normal
        return draw(purpose, index, self.replicates, (fan_out,)).astype(self.dtype, copy=False)


@dataclass(frozen=True)
class Network:
    """One network as recorded: every array in float64, W[0] first; `weights[k]` is (fan_in, fan_out)."""

    spec: NetworkSpec
    replicate: int
    weights: list[Array]
    biases: list[Array]
    inputs: Array  # (batch, input_width)
    targets: Array  # (batch, output_width)


def draw_parameters(spec: NetworkSpec, seed: int, replicate: int) -> tuple[list[Array], list[Array]]:
    """The weights and biases of one network, in float64."""
    draws = BaseDraws(seed, spec.family, [replicate], np.dtype(np.float64))
    weights, biases = [], []
    for k in range(spec.depth):
        fan_in, fan_out = spec.fans(k)
        last = k == spec.depth - 1
        base = draws.output(spec.depth, fan_in, fan_out) if last else draws.hidden(k, fan_in, fan_out)
        family = spec.bias_family
        bias = draws.output_bias(spec.depth, fan_out, family) if last else draws.hidden_bias(k, fan_out, family)
        weights.append(spec.gain(fan_in, fan_out) * base[0])
        biases.append(spec.sigma_b(fan_in) * bias[0])
    return weights, biases
