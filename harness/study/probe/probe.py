"""`harness.probe`: what is wrong with the gradients of a model, from one batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown
from harness.execution.probe.tables import FORMATS
from harness.study.probe.folder import save
from harness.study.probe.report import Report, report_of

if TYPE_CHECKING:
    import torch

NEEDS_TORCH = 'needs PyTorch: pip install "gradient-harness[torch]"'
SMALLEST_PART = 4  # samples: of fewer, cosines and batch norms say little


def probe(
    model: torch.nn.Module,
    inputs: Any,
    targets: Any = None,
    loss: Callable | None = None,
    *,
    batches: int = 3,
    format: str | None = None,
    name: str | None = None,
    out: str | os.PathLike | None = None,
) -> Report:
    """Run a PyTorch model forward and backward on a batch, and report on its gradients.

    `inputs` is a tensor, a sequence of positional or a mapping of named arguments; axis 0 of each tensor is the batch.
    `loss(output, targets)` returns one number, or `loss(output)` where there are no targets; without a loss the model
    must return one, or an object with `.loss`. The batch is run whole, then in as many parts as `batches` says, which
    tell how sure the findings are. `format` (float16 or bfloat16) runs it whole under autocast as well, in place of the
    parts. `out` is a folder for the results.

    The model is probed as it stands, in training mode or not. Parameters, gradients, buffers and random generators are
    left as they were. Raises ConfigError for what cannot be probed.
    """
    require_torch("harness.probe")
    from harness.execution.probe.run import record

    if format is not None and format not in FORMATS:
        raise ConfigError(f"format: unknown {shown(format)}; {remedy(format, FORMATS)}")
    whole = record(model, inputs, targets, loss)
    reduced = record(model, inputs, targets, loss, format) if format else None
    parts = [] if reduced else [record(model, *part, loss) for part in _parts(inputs, targets, batches)]
    title = name or type(getattr(model, "_orig_mod", model)).__name__
    report = report_of(title, [reduced or whole], parts, whole if reduced else None)
    if out is not None:
        save(report, out, {"batch": _batch(inputs), "batches": batches, "format": format, "loss": _name(loss)})
    return report


def require_torch(what: str) -> None:
    """Raise ConfigError where PyTorch is not installed."""
    if find_spec("torch") is None:
        raise ConfigError(f"{what} {NEEDS_TORCH}")


def _parts(inputs: Any, targets: Any, count: int) -> list[tuple[Any, Any]]:
    """Inputs and targets of equal parts of the batch; none where they would be too small."""
    batch = _batch(inputs)
    if count < 2 or batch < SMALLEST_PART * count:
        return []
    edges = [batch * i // count for i in range(count + 1)]
    spans = [slice(start, stop) for start, stop in pairwise(edges)]
    return [(_sliced(inputs, span, batch), _sliced(targets, span, batch)) for span in spans]


def _sliced(values: Any, span: slice, batch: int) -> Any:
    """A part of each tensor whose axis 0 is the batch; anything else as it is."""
    if isinstance(values, dict):
        return {key: _sliced(value, span, batch) for key, value in values.items()}
    if isinstance(values, tuple | list):
        return tuple(_sliced(value, span, batch) for value in values)
    has_batch = getattr(values, "ndim", 0) > 0 and len(values) == batch
    return values[span] if has_batch else values


def _batch(inputs: Any) -> int:
    """The number of samples: the length of the first tensor."""
    if isinstance(inputs, dict):
        inputs = tuple(inputs.values())
    first = next(iter(inputs), None) if isinstance(inputs, tuple | list) else inputs
    return len(first) if getattr(first, "ndim", 0) > 0 else 0  # type: ignore[arg-type]


def _name(loss: Callable | None) -> str | None:
    return None if loss is None else getattr(loss, "__name__", type(loss).__name__)
