"""The recorder: a mode in which every call of a torch function, a tensor method or an operator is seen.

It stands above autograd and autocast, so what it sees is what the user wrote: `F.relu`, `x.relu_()`, `x @ W`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from harness.execution.probe.hooks.calls import HANDLERS, Call, Finish, passed_on
from harness.execution.probe.hooks.tape import Tape

IN_PLACE_LAST = ("relu", "relu6", "elu", "silu", "selu", "mish", "hardswish", "celu", "leaky_relu", "hardtanh")


class Mode(TorchFunctionMode):
    """Records calls on a tape while it is entered."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.tape = tape
        self.is_on = False

    def __enter__(self) -> "Mode":
        self.is_on = True
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self.is_on = False
        super().__exit__(*raised)

    def __torch_function__(self, function: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.tape.quiet or self.tape.guard.failed or self._in_transform():
            return function(*args, **kwargs)
        call = _call(function, args, kwargs)
        finish = self.tape.guard(self._before, call)
        result = function(*call.args, **call.kwargs)
        self.tape.guard(self._after, call, finish, result)
        return result

    def _before(self, call: Call) -> Finish | None:
        """Replace arguments by aliases. Returns what to do with the result."""
        handler = HANDLERS.get(call.op)
        if handler is None or (in_backward() and self.tape.insert_at is None) or self._in_parametrization():
            return None
        with self.tape.own_work():
            return handler(self.tape, call)

    def _after(self, call: Call, finish: Finish | None, result: Any) -> None:
        if call.op == "__set__" or (call.op == "__get__" and not isinstance(result, Tensor)):
            return
        with self.tape.own_work():
            if finish is None:
                passed_on(self.tape, call, result)
            else:
                finish(result)

    def _in_transform(self) -> bool:
        """Whether a transform of torch.func runs. Its tensors stand for others and have no numbers of their own."""
        if not in_transform():
            return False
        what = f"{self.tape.path} (torch.func)" if self.tape.path else "torch.func"
        if what not in self.tape.recording.opaque:
            self.tape.recording.opaque.append(what)
        return True

    def _in_parametrization(self) -> bool:
        """Whether a weight is being computed from its parameters, which is no operation on data."""
        return ".parametrizations" in f".{self.tape.path}"


def in_backward() -> bool:
    """Whether a backward pass is running in this thread."""
    return torch._C._current_graph_task_id() != -1


def in_transform() -> bool:
    """Whether a transform of torch.func, such as vmap or grad, is running."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def _call(function: Callable, args: Any, kwargs: dict) -> Call:
    name = getattr(function, "__name__", str(function))
    in_place = name.endswith("_") and not name.endswith("__")
    op = name[:-1] if in_place else name
    if op in IN_PLACE_LAST:
        in_place = in_place or bool(kwargs.get("inplace")) or (len(args) > 1 and args[-1] is True)
    return Call(function, op, list(args), kwargs, in_place)
