"""A user's file and data as `harness probe` takes them: the model, the batch and the loss. Needs torch."""

import importlib.util
import inspect
import sys
import traceback
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.base.arrays import Array
from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown

TORCH, PACKAGE = str(Path(torch.__file__).parent), str(Path(__file__).parents[2])
USERS_CALLS = ("_run", "_cost")  # functions of the recorder that call the model and the loss
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
    with _named_errors(str(path)):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _named_errors(what: str) -> Iterator[None]:
    """Errors of a user's code become ConfigError, and so does sys.exit, whose code would look like one of harness."""
    try:
        yield
    except SystemExit as error:
        raise ConfigError(
            f"{what}: the code calls sys.exit({error.code!r}); put what is not to run here below if __name__ == "
            '"__main__":'
        ) from error
    except Exception as error:
        raise ConfigError(f"{what}: {type(error).__name__}: {error}") from error


@contextmanager
def pass_errors(model: str) -> Iterator[None]:
    """Errors that the model or the loss raises on the batch become ConfigError, with the user's line.

    An error of the recorder is none of the user's and goes on as it is.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((TORCH, "<"))]
        if not frames[-1].filename.startswith(PACKAGE) or frames[-1].name in ("__torch_function__", *USERS_CALLS):
            own = next((f for f in reversed(frames) if not f.filename.startswith(PACKAGE)), None)
            where = f" ({Path(own.filename).name}:{own.lineno})" if own else ""
            text = f"{model}: on this batch, {type(error).__name__}{where}: {error}"
            raise ConfigError(text) from error
        raise


def load_model(module: ModuleType, model: str) -> nn.Module:
    """The model of that name in a file, or what the function of that name returns. Raises ConfigError."""
    name = model.rpartition(":")[2]
    found = getattr(module, name, None)
    if found is None:
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{model}: there is no {shown(name)} in the file; {remedy(name, names)}")
    if callable(found) and not isinstance(found, nn.Module):
        with _named_errors(model):
            found = found()
    if not isinstance(found, nn.Module):
        raise ConfigError(f"{model}: gives {type(found).__name__}; give an nn.Module or a function that returns one")
    return found


def batch_of(path: Path, model: nn.Module) -> tuple[Any, Tensor | None]:
    """Inputs and targets of a .npz file as tensors, numbers with a point in the model's dtype, on its device.

    Raises ConfigError for a file that cannot be read or has no inputs.
    """
    arrays = _arrays(path)
    weight = next(iter(model.parameters()), torch.zeros(()))
    tensors = {name: _tensor(array, weight, f"{path}: {name}") for name, array in arrays.items()}
    targets = tensors.pop("targets", None)
    if not tensors:
        raise ConfigError(f"{path}: no inputs; store an array `inputs`, or the model's arguments by name")
    if set(tensors) == {"inputs"}:
        return tensors["inputs"], targets
    _require_arguments(path, tensors, model)
    return tensors, targets


def _arrays(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    if not zipfile.is_zipfile(path):
        raise ConfigError(f"{path}: is no .npz file; write it with numpy.savez(path, inputs=…, targets=…)")
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: cannot be read as .npz: {error}") from None


def _require_arguments(path: Path, names: Collection[str], model: nn.Module) -> None:
    """Raise ConfigError for an array that is no argument of the model."""
    given = inspect.signature(model.forward).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in given):
        return
    known = [one.name for one in given if one.kind is not one.VAR_POSITIONAL]
    for name in names:
        if name not in known:
            what = f"{path}: the model has no argument {shown(name)}"
            raise ConfigError(f"{what}; {remedy(name, list(dict.fromkeys(['inputs', 'targets', *known])))}")


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
