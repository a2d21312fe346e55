"""Recording of a user's own training loop: every n-th forward pass of a model, with the backward pass that follows it.

Between recorded steps a call of the model costs two empty hooks. Nothing is drawn from random generators, no gradient
or buffer is changed, and an error of the recorder ends the recording and not the training.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from harness.execution.probe.hooks.mode import Mode, in_backward
from harness.execution.probe.hooks.modules import Hook, ModuleHooks, tensors_in
from harness.execution.probe.hooks.tape import Guard, Tape
from harness.execution.probe.hooks.trunk import mark_trunk
from harness.execution.probe.record import Recording, Size
from harness.execution.probe.run import eager, finished, measured_gradient, plain
from harness.execution.probe.tensors import Latest

PATIENCE = 8  # forward passes that a recorded one waits for its backward pass, as when several losses are added


@dataclass
class Gradients:
    """What a recorded step knows of the gradients of parameters."""

    latest: Latest
    missing: set[str]  # parameters that ask for a gradient and have got none yet
    wanted: set[str] = field(default_factory=set)  # those that a row has as its weights: others are not measured
    measured: dict[str, tuple[Size, float]] = field(default_factory=dict)

    def arrived(self, name: str, gradient: Tensor) -> None:
        """Measure a gradient. What was measured last is let go: nothing may come after the first layer's parameters."""
        self.latest.forget()
        self.missing.discard(name)
        if name in self.wanted:
            self.measured[name] = measured_gradient(gradient)


class Step:
    """One step that is being recorded."""

    def __init__(self, model: nn.Module, number: int, guard: Guard) -> None:
        self.number, self.waited = number, 0
        self.tape = Tape(model, guard)
        self.mode = Mode(self.tape)
        self.hooks = ModuleHooks(self.mode, root=False)
        self.gradients = Gradients(self.tape.latest, {name for name, p in self.tape.named.items() if p.requires_grad})
        self.handles = [
            self.tape.named[name].register_hook(_parameter_hook(guard, self.gradients, name))
            for name in self.gradients.missing
        ]
        self.stance: AbstractContextManager = eager()

    @property
    def has_gradient(self) -> bool:
        return any(row.grad_result is not None for row in self.tape.recording.rows)

    def enter(self) -> None:
        self.stance.__enter__()
        self.mode.__enter__()

    def leave(self, result: object) -> None:
        """End the forward pass: find the trunk, and let go of the graph."""
        self.mode.__exit__(None, None, None)
        self.stance.__exit__(None, None, None)
        root = next((t.grad_fn for t in tensors_in(result) if t.grad_fn is not None), None)
        if root is not None:
            self.tape.guard(mark_trunk, self.tape, root)
        self.gradients.wanted |= self.tape.parameters_of_rows()
        self.tape.release()

    def abandon(self) -> None:
        """Remove the hooks."""
        self.hooks.remove()
        for handle in self.handles:
            handle.remove()
        for p in self.tape.named.values():
            if p._backward_hooks is not None and not p._backward_hooks:
                p._backward_hooks = None  # an empty table of hooks would still be called in every backward pass

    def finish(self) -> Recording:
        self.abandon()
        without = (name for name in self.tape.named if name in self.gradients.missing)
        recording = finished(self.tape, self.gradients.measured, tuple(without))
        recording.step = self.number
        return recording


class Watcher:
    """Watches a model from `start` to `stop`, and gives each recorded step to `keep`."""

    def __init__(self, model: nn.Module, every: int, keep: Callable[[Recording], None]) -> None:
        self.called, self.model, self.every, self.keep = model, plain(model), every, keep
        self.calls = 0  # forward passes in training mode
        self.next = 0  # the next of them to be recorded
        self.step: Step | None = None
        self.inside = False  # whether a recorded forward pass runs now
        self.notes: list[str] = []
        self.guard = Guard(self._stopped)
        self.handles: list[Any] = []
        self.compiled: Callable | None = None

    def start(self) -> None:
        """Hook the model. Hooks of one compiled in place would be compiled, too, so its call is wrapped instead."""
        self.compiled = self.called.__dict__.get("_compiled_call_impl")
        if self.compiled is not None:
            self.called._compiled_call_impl = self._call_compiled
            return
        self.handles = [
            self.called.register_forward_pre_hook(Hook(self._before)),
            self.called.register_forward_hook(Hook(self._after), always_call=True),
        ]

    def stop(self) -> None:
        """Unhook the model, and keep what the last recorded step has."""
        for handle in self.handles:
            handle.remove()
        if self.compiled is not None:
            self.called._compiled_call_impl = self.compiled
        self._leave(None)
        self.guard(self._flush)
        if not self.calls:
            self.notes.append(
                "nothing was recorded: the model was never called in training mode as model(...); model.forward(...) "
                "passes by its hooks, and of a compiled model, watch what torch.compile returned"
            )

    def _before(self, *_: object) -> None:
        if not torch.compiler.is_compiling() and self.guard(self._is_due):
            self._enter()

    def _after(self, module: nn.Module, args: tuple, result: object) -> None:
        if not torch.compiler.is_compiling():
            self._leave(result)

    def _call_compiled(self, *args: Any, **kwargs: Any) -> Any:
        if not self.guard(self._is_due):
            return self.compiled(*args, **kwargs)  # type: ignore[misc]
        self._enter()
        result = None
        try:
            result = self.called._call_impl(*args, **kwargs)
            return result
        finally:
            self._leave(result)

    def _is_due(self) -> bool:
        """Count a forward pass; whether it is to be recorded."""
        if not (self.called.training and torch.is_grad_enabled()) or in_backward() or self.inside:
            return False
        number = self.calls
        self.calls += 1
        if self.step is not None:
            self.step.waited += 1
            if not self.step.has_gradient and self.step.waited < PATIENCE:
                return False
            self._flush()
        if number < self.next:
            return False
        self.next = number + self.every
        self.step = Step(self.model, number, self.guard)
        return True

    def _enter(self) -> None:
        if self.step is not None:
            self.inside = True
            self.step.enter()

    def _leave(self, result: object) -> None:
        if self.inside and self.step is not None:
            self.inside = False
            self.step.leave(result)
            if result is None:  # it raised: no backward pass will follow, so the next one is recorded in its place
                self.step.abandon()
                self.step, self.next = None, self.calls

    def _flush(self) -> None:
        step, self.step = self.step, None
        if step is None:
            return
        recording = step.finish()
        if step.has_gradient:
            self.keep(recording)
        else:
            self.notes.append(f"step {step.number} is not recorded: no backward pass came to what was seen of it")

    def _stopped(self, error: Exception) -> None:
        """Report an error of the recorder, even where warnings are errors: the training goes on."""
        text = f"recording stopped at forward pass {self.calls}: {type(error).__name__}: {error}; training goes on"
        self.notes.append(text)
        try:
            warnings.warn(f"harness.watch: {text}", RuntimeWarning, stacklevel=2)
        except RuntimeWarning:
            print(f"harness.watch: {text}", file=sys.stderr)


def _parameter_hook(guard: Guard, gradients: Gradients, name: str) -> Callable[[Tensor], None]:
    """A hook that records the size of a parameter's gradient. It can reach numbers only, as those of the tape."""
    return lambda gradient: guard(gradients.arrived, name, gradient)
