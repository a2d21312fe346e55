"""Read a network's weights, biases and batch from a file: .npz, or .safetensors with the package of that name."""

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.base.arrays import Array
from harness.base.errors import ConfigError

Loaded = TypeVar("Loaded")
NUMBERED = re.compile(r"([Wb])(0|[1-9]\d{0,5})")
NAMED = re.compile(r"(?P<layer>.*?)\.?(?P<kind>weight|bias)")
HOW = "name arrays W0, b0, W1, b1, … or as in 0.weight, 0.bias, 2.weight, …; and the batch inputs and targets"


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """The arrays of a file, as they are stored; inputs and targets are None where the file does not have them."""

    weights: list[Array]
    biases: list[Array | None]
    inputs: Array | None
    targets: Array | None


def read_weights(path: Path, transpose: bool = False) -> WeightsFile:
    """The layers of a file in order. `transpose` is for weights that are stored as (fan_out, fan_in).

    Layers are W0, W1, … with b0, b1, …; or arrays whose names end in `weight` and `bias`, in the order of the rest of
    the name, where numbers count as numbers. Raises ConfigError, which names file and array, for what cannot be used.
    """
    arrays = read_arrays(path)
    batch = {name: arrays.pop(name, None) for name in ("inputs", "targets")}
    numbered = any(NUMBERED.fullmatch(name) for name in arrays)
    weights, biases = _numbered(path, arrays) if numbered else _named(path, arrays)
    if transpose:
        weights = [W.T for W in weights]
    return WeightsFile(weights, biases, **batch)


def read_batch(path: Path) -> Array:
    """One array from a .npy file."""
    array = _read(path, lambda: np.load(path, allow_pickle=False))
    if not isinstance(array, np.ndarray):
        raise ConfigError(f"{path}: an archive of several arrays; save one array with numpy.save")
    return array


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of a .npz or .safetensors file by name."""
    if path.suffix == ".safetensors":
        return _read(path, lambda: _safetensors(path))
    if path.suffix != ".npz":
        raise ConfigError(f"{path}: a file of weights ends in .npz or .safetensors")

    def load() -> dict[str, Array]:
        with zipfile.ZipFile(path):  # numpy would take any other file for a pickle
            pass
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    return _read(path, load)


def _safetensors(path: Path) -> dict[str, Array]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise ConfigError(f"{path}: install the package safetensors to read it, or save the arrays as .npz") from None
    return load_file(path)


def _read(path: Path, load: Callable[[], Loaded]) -> Loaded:
    """Call `load` and return its result. Raises its errors as ConfigError."""
    try:
        return load()
    except ConfigError:
        raise
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except Exception as error:  # a damaged file trips its reader in more ways than can be listed
        if re.search("pickled|Python objects|Object arrays", str(error)):
            raise ConfigError(
                f"{path}: holds pickled objects, which are never loaded; save arrays of numbers"
            ) from None
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{path}: cannot be read: {reason}; {HOW}") from None


def _numbered(path: Path, arrays: Mapping[str, Array]) -> tuple[list[Array], list[Array | None]]:
    if others := [name for name in arrays if not NUMBERED.fullmatch(name)]:
        raise ConfigError(f"{path}: {others[0]!r} is not an array of a layer; {HOW}")
    depth = 1 + max(int(name[1:]) for name in arrays)
    for k in range(depth):
        if f"W{k}" not in arrays:
            raise ConfigError(
                f"{path}: W{k} is missing: the highest layer is {depth - 1}; save the weights of every layer"
            )
    return [arrays[f"W{k}"] for k in range(depth)], [arrays.get(f"b{k}") for k in range(depth)]


def _named(path: Path, arrays: Mapping[str, Array]) -> tuple[list[Array], list[Array | None]]:
    layers: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        match = NAMED.fullmatch(name)
        if not match:
            raise ConfigError(f"{path}: {name!r} is not an array of a layer; {HOW}")
        layers.setdefault(match["layer"], {})[match["kind"]] = array
    if not layers:
        raise ConfigError(f"{path}: holds no weights; {HOW}")
    order = sorted(layers, key=_natural)
    for layer in order:
        if "weight" not in layers[layer]:
            raise ConfigError(f"{path}: {layer}.bias has no {layer}.weight beside it; {HOW}")
    return [layers[layer]["weight"] for layer in order], [layers[layer].get("bias") for layer in order]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that orders `layers.2` before `layers.10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
