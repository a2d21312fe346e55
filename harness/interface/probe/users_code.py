"""A user's file and data as `harness probe` takes them: the model, the batch and the loss. Needs torch."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.base.arrays import Array
from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown

LOSSES = (
    *("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits"),
)


def run_file(model: str) -> ModuleType:
    """Run the Python file of `FILE.py:NAME`. Raises ConfigError where it cannot be run."""
    file, _, name = model.rpartition(":")
    path = Path(file)
    if not name or path.suffix != ".py":
        raise ConfigError(f"{model}: give a Python file and a name in it, such as train.py:build_model")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.absolute().parent))
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    return module


def load_model(module: ModuleType, model: str) -> nn.Module:
    """The model of that name in a file, or what the function of that name returns. Raises ConfigError."""
    name = model.rpartition(":")[2]
    found = getattr(module, name, None)
    if found is None:
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{model}: there is no {shown(name)} in the file; {remedy(name, names)}")
    if not isinstance(found, nn.Module):
        try:
            found = found()
        except Exception as error:
            raise ConfigError(f"{model}: {type(error).__name__}: {error}") from error
    if not isinstance(found, nn.Module):
        raise ConfigError(f"{model}: gives {type(found).__name__}; give an nn.Module or a function that returns one")
    return found


def batch_of(path: Path, model: nn.Module) -> tuple[Any, Tensor | None]:
    """Inputs and targets of a .npz file as tensors, numbers with a point in the model's dtype, on its device.

    Raises ConfigError for a file that cannot be read or has no inputs.
    """
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as .npz: {error}") from None
    weight = next(iter(model.parameters()), torch.zeros(()))
    tensors = {name: _tensor(array, weight, f"{path}: {name}") for name, array in arrays.items()}
    targets = tensors.pop("targets", None)
    if not tensors:
        raise ConfigError(f"{path}: no inputs; store an array `inputs`, or the model's arguments by name")
    return tensors["inputs"] if set(tensors) == {"inputs"} else tensors, targets


def _tensor(array: Array, like: Tensor, what: str) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"{what} holds {array.dtype}; give real numbers")
    tensor = torch.from_numpy(np.ascontiguousarray(array)).to(like.device)
    return tensor.to(like.dtype) if array.dtype.kind == "f" else tensor.long() if array.dtype.kind in "iu" else tensor


def loss_of(name: str | None, module: ModuleType, targets: Tensor | None) -> Callable | None:
    """The loss of that name, from the file or torch.nn.functional; without a name, that which suits the targets."""
    if name is None:
        if targets is None:
            return None
        return nn.functional.mse_loss if targets.is_floating_point() else nn.functional.cross_entropy
    own = getattr(module, name, None)
    if callable(own):
        return own
    if name not in LOSSES:
        raise ConfigError(f"loss: unknown {shown(name)}; {remedy(name, LOSSES)}")
    return getattr(nn.functional, name)
