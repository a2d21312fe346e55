"""Hooks on modules: where in the model a call is made, activations that users wrote as modules, and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from harness.execution.probe.hooks.mode import Mode, in_backward, in_transform
from harness.execution.probe.hooks.tape import Place, inside
from harness.execution.probe.record import Row
from harness.execution.probe.slopes import slopes_of_graph, unit_axis
from harness.execution.probe.tensors import add_outputs

RANDOM = ("drop", "stochastic", "noise")  # in the names of modules that are no activations


class Hook:
    """A hook on a module. A copy of the module, or a file of it, has one that does nothing in its place."""

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __reduce__(self) -> tuple:
        return _empty_hook, ()


def _empty_hook() -> Callable:
    return _nothing


def _nothing(*_: object) -> None:
    return None


class ModuleHooks:
    """Hooks on the modules of a model and on its parameters, until `remove`."""

    def __init__(self, mode: Mode, root: bool = True) -> None:
        """`root`: whether to hook the model itself, which must not be done while it runs."""
        self.mode, self.tape = mode, mode.tape
        self.running: tuple[str, Row, Tensor] | None = None  # a user's activation: module, row and alias of z
        self.again: str | None = None  # a block that runs again in the backward pass, under a reentrant checkpoint
        self.handles: list[Any] = []
        for name, module in self.tape.model.named_modules():
            if name or root:
                self._attach(name, module)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles.clear()

    def _attach(self, name: str, module: nn.Module) -> None:
        guard = self.tape.guard
        own = _may_be_activation(module)

        def before(_: nn.Module, args: tuple, kwargs: dict) -> Any:
            return guard(self._enter, name, module, own, args, kwargs)

        def after(_: nn.Module, args: tuple, kwargs: dict, result: Any) -> None:
            guard(self._leave, name, result)
            if self.again == name:
                self.again, self.tape.insert_at = None, None
                self.mode.__exit__(None, None, None)

        self.handles.append(module.register_forward_pre_hook(Hook(before), with_kwargs=True))
        self.handles.append(module.register_forward_hook(Hook(after), with_kwargs=True, always_call=True))

    def _enter(self, name: str, module: nn.Module, own: bool, args: tuple, kwargs: dict) -> Any:
        if in_backward() and torch.is_grad_enabled() and not self.mode.is_on and not self._has_graph(name):
            self.again = name
            self.tape.insert_at = self.tape.forget(name)
            self.mode.__enter__()
        if not self.mode.is_on:
            return None
        self.tape.places.append(Place(name, module))
        if in_transform():
            return None
        if own and not self.tape.quiet and len(args) == 1 and not kwargs and _can_be_followed(args[0]):
            row = self.tape.new_row(type(module).__name__, "activation")
            with self.tape.own_work():
                z = self.tape.alias(args[0], row)
            self.running = name, row, z
            self.tape.quiet += 1
            return (z,), kwargs
        return None

    def _leave(self, name: str, result: Any) -> None:
        if not self.mode.is_on:
            return
        if self.running and self.running[0] == name:
            _, row, z = self.running
            self.running = None
            self.tape.quiet -= 1
            with self.tape.own_work():
                self._own_activation(row, z, result)
        if self.tape.places and self.tape.places[-1].name == name:
            self.tape.places.pop()
        if in_transform():
            return
        with self.tape.own_work():
            for tensor in tensors_in(result):
                self.tape.on_module_result(name, tensor)
                break

    def _own_activation(self, row: Row, z: Tensor, result: Any) -> None:
        """Fill in the row of a user's activation, or remove it if the module does something else."""
        axis = unit_axis(z, self.tape.units.get(z))
        row.slopes = None
        if isinstance(result, Tensor) and result.shape == z.shape and result.grad_fn is not None:
            row.slopes = slopes_of_graph(z, result, axis)
        if row.slopes is None:
            row.kind = "other"
        else:
            add_outputs(row, self.tape.latest.of(result))
            self.tape.units[result] = axis
        for tensor in tensors_in(result):
            self.tape.on_result(tensor, row)
            break

    def _has_graph(self, name: str) -> bool:
        return any(row.has_graph and inside(row.path, name) for row in self.tape.recording.rows)


def _may_be_activation(module: nn.Module) -> bool:
    """Whether a module is a user's, and has neither parts nor parameters, as an activation has none."""
    kind = type(module)
    parts: Iterable = (*module.children(), *module.parameters(), *module.buffers())
    random = any(word in kind.__name__.lower() for word in RANDOM)
    return not (any(True for _ in parts) or random or kind.__module__.startswith("torch."))


def _can_be_followed(value: object) -> bool:
    """Whether a tensor's graph can be read at once; not where a checkpoint would compute it again for that."""
    hooked: Callable = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None)
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.requires_grad
        and torch.is_grad_enabled()
        and hooked(True) is None
    )


def tensors_in(result: Any) -> Iterable[Tensor]:
    """The tensors among the results of a module, in order."""
    values = result.values() if isinstance(result, dict) else result if isinstance(result, tuple | list) else (result,)
    return (value for value in values if isinstance(value, Tensor))
