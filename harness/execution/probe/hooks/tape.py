"""The tape: rows of a recording in the making, and the hooks that fill them in during the backward pass.

Hooks refer to rows, to the guard and to the numbers measured last, which hold no graph. A hook that could reach the
recorder would keep the graph of every recorded step alive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.weak import WeakTensorKeyDictionary

from harness.execution.probe.record import Recording, Row, of_samples
from harness.execution.probe.tensors import Latest, log10_norm

T = TypeVar("T")


@dataclass
class Guard:
    """Calls of the recorder's own code. `on_error` decides what an error in it does; None raises it."""

    on_error: Callable[[Exception], None] | None = None
    failed: bool = False

    def __call__(self, function: Callable[..., T], *args: object) -> T | None:
        if self.failed:
            return None
        try:
            return function(*args)
        except Exception as error:
            if self.on_error is None:
                raise
            self.failed = True
            self.on_error(error)
            return None


@dataclass
class Place:
    """A module that runs now: its name in `named_modules`, and itself."""

    name: str
    module: nn.Module


@dataclass
class Tape:
    """Rows so far, the modules that run now, and what is known of tensors: names of parameters, axes of units."""

    model: nn.Module
    guard: Guard
    recording: Recording = field(default_factory=Recording)
    places: list[Place] = field(default_factory=list)
    latest: Latest = field(default_factory=Latest)
    quiet: int = 0  # above 0: the recorder's own work, which is not recorded
    nodes: dict[int, Node] = field(default_factory=dict)  # id of a row -> node of its result
    module_results: dict[int, list[str]] = field(default_factory=dict)  # id of a node -> modules whose result it made
    kept: list[Node] = field(default_factory=list)  # so that their ids stay theirs
    started: dict[int, int] = field(default_factory=dict)  # id of a row -> sequence number of its first node
    insert_at: int | None = None  # where rows go while a block that was checkpointed runs again

    def __post_init__(self) -> None:
        self.named = dict(self.model.named_parameters())
        self.parameters = {id(p): name for name, p in self.named.items()}
        self.made = WeakTensorKeyDictionary()  # tensors computed from parameters alone -> the parameter's name
        self.units = WeakTensorKeyDictionary()  # the axis of a tensor's units
        self.calls: defaultdict[tuple[str, str], int] = defaultdict(int)

    @property
    def path(self) -> str:
        return self.places[-1].name if self.places else ""

    def new_row(self, op: str, kind: str) -> Row:
        """Add a row for a call of an operation in the module that runs now."""
        key = self.path, op
        row = Row(self.path, op, kind, self.calls[key])
        self.calls[key] += 1
        rows = self.recording.rows
        rows.insert(len(rows) if self.insert_at is None else self.insert_at, row)
        if self.insert_at is not None:
            self.insert_at += 1
        return row

    def forget(self, name: str) -> int:
        """Remove the rows of a module and of those inside it. Returns where they were."""
        rows = self.recording.rows
        gone = [i for i, row in enumerate(rows) if inside(row.path, name)]
        for i in reversed(gone):
            self.nodes.pop(id(rows[i]), None)
            del rows[i]
        for key in [key for key in self.calls if inside(key[0], name)]:
            del self.calls[key]
        return gone[0] if gone else len(rows)

    def parameters_of_rows(self) -> set[str]:
        """Names of the parameters that rows have as their weights."""
        return {row.param for row in self.recording.rows} - {""}

    def release(self) -> None:
        """Drop every reference to the graph."""
        self.nodes.clear()
        self.started.clear()
        self.module_results.clear()
        self.kept.clear()
        self.latest.forget()

    def parameter_of(self, tensor: object) -> str:
        """The name of the parameter that a tensor is or was made of, "" if it is neither."""
        if not isinstance(tensor, Tensor):
            return ""
        found = self.parameters.get(id(tensor)) or self.made.get(tensor)
        if not found and isinstance(tensor, nn.Parameter) and self.places:  # put in for one forward pass, as FSDP does
            own = self.places[-1].module._parameters.items()
            found = next((f"{self.path}.{name}".lstrip(".") for name, p in own if p is tensor), "")
        return found or ""

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """Calls in here are the recorder's and are not recorded."""
        self.quiet += 1
        try:
            with torch._C.DisableTorchFunction():
                yield
        finally:
            self.quiet -= 1

    # Hooks ------------------------------------------------------------------------------------------------------------

    def alias(self, x: Tensor, row: Row, into: str = "grad_argument") -> Tensor:
        """x as this call alone uses it: its gradient is the call's own share of ∂C/∂x, and goes into `row`."""
        if not (torch.is_grad_enabled() and x.requires_grad and x.is_floating_point()):
            return x
        alias = x.view_as(x)
        if alias.grad_fn is not None:
            self.started.setdefault(id(row), alias.grad_fn._sequence_nr())
        self.on_argument(alias, row, into)
        if (axis := self.units.get(x)) is not None:
            self.units[alias] = axis
        return alias

    def on_argument(self, x: Tensor, row: Row, into: str = "grad_argument") -> None:
        """Record the gradient of x as that of a row's argument."""
        guard, latest = self.guard, self.latest
        x.register_hook(lambda gradient: guard(_argument_gradient, row, into, latest, gradient))

    def on_result(self, y: Tensor, row: Row) -> None:
        """Record a row's result now, and its gradient when it comes."""
        row.result = self.latest.of(y).size()
        if not (y.requires_grad and y.grad_fn is not None):
            return
        row.has_graph = True
        self.nodes[id(row)] = y.grad_fn
        guard, latest, axis = self.guard, self.latest, self.units.get(y)
        y.register_hook(lambda gradient: guard(_result_gradient, row, axis, latest, gradient))

    def on_module_result(self, name: str, result: Tensor) -> None:
        """Remember that a module's result is this tensor."""
        if (node := result.grad_fn) is not None:
            self.kept.append(node)
            self.module_results.setdefault(id(node), []).append(name)


def inside(path: str, name: str) -> bool:
    """Whether a module is that of this name or inside of it."""
    return not name or path == name or path.startswith(f"{name}.")


def _argument_gradient(row: Row, into: str, latest: Latest, gradient: Tensor) -> None:
    numbers = latest.of(gradient)
    if into == "grad_argument":
        if row.kind == "recurrent" and numbers.values.ndim == 3:
            row.over_time = tuple(map(log10_norm, numbers.values.unbind(row.time_axis)))
        if row.sample_norms is not None and (norms := numbers.lengths) is not None:
            if norms.shape == row.sample_norms.shape:
                row.sample_factor, row.lost_samples = of_samples(row.sample_norms, norms)
            row.sample_norms = None
    setattr(row, into, numbers.size(in_detail=True))


def _result_gradient(row: Row, axis: int | None, latest: Latest, gradient: Tensor) -> None:
    numbers = latest.of(gradient)
    if row.kind == "weight":
        row.delta_cosine = numbers.cosine
        if axis is not None and numbers.values.ndim > 1:
            row.grad_bias = numbers.norm_of_sums(axis % numbers.values.ndim)
    if row.kind in ("activation", "attention"):
        row.sample_norms = numbers.lengths
    row.grad_result = numbers.size()
