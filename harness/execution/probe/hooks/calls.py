"""What is done at a call of each kind of operation: an alias in place of its data, and a row of what went in and out.

A handler takes the tape and the call, may replace arguments, and returns what to do with the result; None if the call
is of no interest.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.execution.probe.hooks.tape import Tape
from harness.execution.probe.record import Cut, Row, Slopes
from harness.execution.probe.slopes import slopes_of, slopes_on_or_off, unit_axis
from harness.execution.probe.tensors import add_outputs, size_of

Finish = Callable[[Any], None]
TORCH = str(Path(torch.__file__).parent)
PACKAGE = str(Path(__file__).parents[3])


@dataclass
class Call:
    """A call of a torch function. `op` is its name without the underscore of an in-place variant."""

    function: Callable
    op: str
    args: list
    kwargs: dict
    in_place: bool = False

    def argument(self, place: int, name: str) -> Any:
        return self.args[place] if len(self.args) > place else self.kwargs.get(name)

    def replace(self, place: int, name: str, value: object) -> None:
        if len(self.args) > place:
            self.args[place] = value
        else:
            self.kwargs[name] = value


def activation(tape: Tape, call: Call) -> Finish | None:
    """An elementwise function: its own factor, and its slopes."""
    z = call.argument(0, "input")
    if not isinstance(z, Tensor) or not z.is_floating_point() or tape.parameter_of(z):
        return None
    row = tape.new_row(call.op, "activation")
    axis = unit_axis(z, tape.units.get(z))
    before = z.detach().clone() if call.in_place else z.detach()
    if not call.in_place:
        call.replace(0, "input", tape.alias(z, row))
    elif torch.is_grad_enabled() and z.requires_grad and z.grad_fn is not None:
        tape.on_argument(z, row)  # registered on what z is before the call

    def finish(result: Tensor) -> None:
        if before.numel():
            row.slopes = _slopes(call, before, axis)
        add_outputs(row, tape.latest.of(result))
        tape.units[result] = axis
        tape.on_result(result, row)

    return finish


def _slopes(call: Call, z: Tensor, axis: int) -> Slopes:
    """The slopes of a call's function at z. It is called again as a function of its data alone, out of place."""
    if call.op == "relu":
        return slopes_on_or_off(z > 0, axis)
    rest = [value for value in call.args[1:] if not isinstance(value, bool)]
    options = {name: value for name, value in call.kwargs.items() if name not in ("input", "inplace")}
    plain: Callable = getattr(torch.nn.functional, call.op, getattr(torch, call.op, call.function))
    known_as = None if call.op == "prelu" else (call.op, *rest, *options.items())
    return slopes_of(lambda z: plain(z, *rest, **options), z, axis, known_as)


def weight(tape: Tape, call: Call, data_at: int = 0, weight_at: int = 1) -> Finish:
    """A linear map or a convolution with a weight tensor."""
    x, W = call.argument(data_at, "input"), call.argument(weight_at, "weight")
    bias = call.argument(weight_at + 1, "bias")
    row = _weight_row(tape, call, x, W, _fan_in(call.op, W), bias)
    call.replace(data_at, "input", tape.alias(x, row))

    def finish(result: Tensor) -> None:
        images = int(call.op[-2]) if call.op.endswith("d") else 0
        tape.units[result] = result.ndim - 1 - images
        tape.on_result(result, row)

    return finish


def _fan_in(op: str, W: Tensor) -> int:
    """Inputs of one unit: for a convolution, channels times the size of the kernel."""
    if op.startswith("conv_transpose"):
        return W.shape[0] * prod(W.shape[2:])
    return prod(W.shape[1:]) if op.startswith("conv") else W.shape[-1]


def _weight_row(tape: Tape, call: Call, x: Tensor, W: Tensor, fan_in: int, bias: Tensor | None) -> Row:
    """A row with σ_w² = fan_in · mean W² and σ_b² = mean b²."""
    row = tape.new_row(call.op, "weight")
    row.param, row.fan_in = tape.parameter_of(W), fan_in
    row.weight, row.argument = size_of(W), tape.latest.of(x).size()
    row.sigma_w = 10**row.weight.norm * (fan_in / max(W.numel(), 1)) ** 0.5
    row.sigma_b = 10 ** size_of(bias).rms if isinstance(bias, Tensor) else 0.0
    return row


def product(tape: Tape, call: Call) -> Finish | None:
    """A product of two tensors: a weight operation if one of them is a parameter or made of parameters alone."""
    first = 1 if call.op in ("einsum", "addmm", "baddbmm") else 0
    pair = call.args[first : first + 2]
    names = [tape.parameter_of(value) for value in pair]
    if len(pair) != 2 or not all(isinstance(value, Tensor) for value in pair) or sum(map(bool, names)) != 1:
        return None
    at = 0 if names[0] else 1
    W, x = pair[at], pair[1 - at]
    fan_in = W.shape[-1] if at == 0 or W.ndim < 2 else W.shape[-2]
    row = _weight_row(tape, call, x, W, fan_in, call.args[0] if call.op in ("addmm", "baddbmm") else None)
    call.args[first + 1 - at] = tape.alias(x, row)

    def finish(result: Tensor) -> None:
        tape.units[result] = result.ndim - 1
        tape.on_result(result, row)

    return finish


def attention(tape: Tape, call: Call) -> Finish:
    """softmax(QKᵀ)V in one call: its factor is that through V, with those of Q and K beside it."""
    row = tape.new_row(call.op, "attention")
    for place, (name, into) in enumerate((("query", "grad_query"), ("key", "grad_key"), ("value", "grad_argument"))):
        if isinstance(value := call.argument(place, name), Tensor):
            call.replace(place, name, tape.alias(value, row, into))
    return lambda result: tape.on_result(result, row)


def general(kind: str) -> Callable[[Tape, Call], Finish | None]:
    """A handler for an operation on one data tensor, of which nothing is measured but gradients in and out."""

    def handle(tape: Tape, call: Call) -> Finish | None:
        x = call.argument(0, "input")
        if not isinstance(x, Tensor) or tape.parameter_of(x):
            return None
        row = tape.new_row(call.op, kind)
        row.time_axis = int(kind == "recurrent" and call.args[-1] is True)  # batch_first
        given = [value for value in (*call.args[1:], *call.kwargs.values()) if isinstance(value, Tensor)]
        row.param = next(filter(None, map(tape.parameter_of, given)), "")
        if kind == "norm" and (scale := next(iter(given[-2:]), None)) is not None and row.param:
            row.weight = size_of(scale)
        row.argument = tape.latest.of(x).size() if x.is_floating_point() else None
        call.replace(0, "input", tape.alias(x, row))
        if kind in ("recurrent", "other"):
            tape.recording.opaque.append(row.name)
        return lambda result: _general_result(tape, row, x, result)

    return handle


def _general_result(tape: Tape, row: Row, x: Tensor, result: object) -> None:
    first = result[0] if isinstance(result, tuple | list) else result
    if not isinstance(first, Tensor):
        return
    if first.shape == x.shape and (axis := tape.units.get(x)) is not None:
        tape.units[first] = axis
    tape.on_result(first, row)


def embedding(tape: Tape, call: Call) -> Finish:
    """A look-up in a table of weights: the data have no gradient."""
    W = call.argument(1, "weight")
    row = tape.new_row(call.op, "embedding")
    row.param, row.weight = tape.parameter_of(W), size_of(W)

    def finish(result: Tensor) -> None:
        tape.units[result] = result.ndim - 1
        tape.on_result(result, row)

    return finish


def cut(tape: Tape, call: Call) -> None:
    """A call that takes a tensor out of the graph: remember the user's line."""
    x = call.argument(0, "input")
    if isinstance(x, Tensor) and x.requires_grad:
        tape.recording.cuts.append(Cut(call.op, tape.path, _users_line()))


def _users_line() -> str:
    """The innermost line on the stack that is neither torch's nor the harness's."""
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith((TORCH, PACKAGE, "<")):
            return f"{frame.filename}:{frame.lineno}"
    return ""


def passed_on(tape: Tape, call: Call, result: object) -> None:
    """After any other call: what was made of parameters alone is one, too, and units keep their axis."""
    if not isinstance(result, Tensor):
        return
    flat = [inner for value in call.args for inner in (value if isinstance(value, tuple | list) else (value,))]
    given = [value for value in flat if isinstance(value, Tensor)]
    names = [tape.parameter_of(value) for value in given]
    if given and all(names) and result.is_floating_point():
        tape.made[result] = names[0]
        return
    first = next((value for value in given if value.is_floating_point()), None)
    if first is None or first is result or first.shape != result.shape:
        return
    if (axis := tape.units.get(first)) is not None:
        tape.units[result] = axis


WEIGHTS = ("linear", *(f"conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)))
ACTIVATIONS = (
    *("relu", "relu6", "leaky_relu", "prelu", "threshold", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
    *("sigmoid", "expit", "logsigmoid", "tanh", "softsign", "hardtanh", "hardswish", "hardsigmoid", "hardshrink"),
    *("softshrink", "tanhshrink", "erf"),
)
NORMS = ("layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm", "normalize")
LOSSES = (
    *("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits"),
)
HANDLERS: dict[str, Callable[[Tape, Call], Finish | None]] = {
    **dict.fromkeys(ACTIVATIONS, activation),
    **dict.fromkeys(WEIGHTS, weight),
    "bilinear": lambda tape, call: weight(tape, call, 0, 2),
    **dict.fromkeys(("matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum"), product),
    **dict.fromkeys(NORMS, general("norm")),
    "scaled_dot_product_attention": attention,
    "softmax": general("attention"),
    "multi_head_attention_forward": general("other"),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), general("recurrent")),
    **dict.fromkeys(LOSSES, general("loss")),
    "embedding": embedding,
    **dict.fromkeys(
        ("detach", "numpy", "item", "tolist", "argmax", "round", "sign", "floor", "ceil", "__float__"), cut
    ),
}
