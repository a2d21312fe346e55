"""The operations of a network in order of execution, as a JSON file lists them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import nan
from pathlib import Path

from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown
from harness.execution.measure import activation_with_label
from harness.networks.activations import Activation

KINDS = {"linear": "weight", "conv": "weight", "norm": "norm", "other": "other"}  # op -> kind of its row
NETWORK_KEYS = ("name", "cost", "layers")


@dataclass(frozen=True)
class Layer:
    """One entry of `layers`: an operation with result z, and the activation r = φ(z) after it, if there is one."""

    name: str
    op: str
    activation: str | None = None
    on_trunk: bool = True  # whether every path from the cost to the inputs passes through it

    @property
    def phi(self) -> Activation | None:
        if self.activation is None:
            return None
        return activation_with_label(self.activation, f"layer {self.name}: activation")[1]


@dataclass(frozen=True)
class Ops:
    """A network's name, its layers in order of execution, and the cost of the pass, NaN where it is not known."""

    name: str
    layers: tuple[Layer, ...]
    cost: float = nan


def read_ops(path: Path) -> Ops:
    """The operations in a JSON file. Raises ConfigError for one that cannot be read."""
    try:
        return ops_of(json.loads(path.read_text(encoding="utf-8")), path.stem)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON: {error}") from None
    except ConfigError as error:
        raise ConfigError(*(f"{path}: {problem}" for problem in error.problems)) from None


def ops_of(content: object, name: str) -> Ops:
    """The operations that a mapping lists under `layers`. Raises ConfigError, which names the entry."""
    entries = content.get("layers") if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping) or not isinstance(entries, Sequence) or not entries:
        raise ConfigError(
            'give {"layers": [{"name": "0", "op": "linear", "activation": "tanh"}, …]}, lowest layer first'
        )
    _require_known(content, NETWORK_KEYS, "")
    layers = tuple(_layer(entry, place) for place, entry in enumerate(entries))
    for place, layer in enumerate(layers):
        if layer.name in {below.name for below in layers[:place]}:
            raise ConfigError(f"layers[{place}]: a second layer of the name {shown(layer.name)}")
    cost = content.get("cost", nan)
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        raise ConfigError(f"cost: {shown(cost)} is not a number")
    return Ops(str(content.get("name", name)), layers, float(cost))


def _layer(entry: object, place: int) -> Layer:
    where = f"layers[{place}]: "
    if not isinstance(entry, Mapping):
        raise ConfigError(f'{where}{shown(entry)} is no mapping such as {{"name": "0", "op": "linear"}}')
    _require_known(entry, [field.name for field in fields(Layer)], where)
    for key in ("name", "op"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise ConfigError(f"{where}{key} is missing; give a text")
    if entry["op"] not in KINDS:
        raise ConfigError(f"{where}op: unknown {shown(entry['op'])}; {remedy(entry['op'], KINDS)}")
    if not isinstance(entry.get("on_trunk", True), bool):
        raise ConfigError(f"{where}on_trunk: {shown(entry['on_trunk'])} is not true or false")
    layer = Layer(**entry)
    if not isinstance(layer.activation, str | None):
        raise ConfigError(f"{where}activation: {shown(layer.activation)} is not a name")
    _ = layer.phi  # an unknown name is an error here
    return layer


def _require_known(mapping: Mapping, keys: Sequence[str], where: str) -> None:
    for key in mapping:
        if key not in keys:
            raise ConfigError(f"{where}unknown key {shown(key)}; {remedy(str(key), keys)}")
