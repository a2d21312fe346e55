"""One forward and one backward pass of a user's model, recorded; the model is left as it was found."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.base.errors import ConfigError
from harness.execution.probe.hooks.mode import Mode
from harness.execution.probe.hooks.modules import ModuleHooks
from harness.execution.probe.hooks.tape import Guard, Tape
from harness.execution.probe.hooks.trunk import mark_trunk
from harness.execution.probe.record import Recording, Size, share_under_eps
from harness.execution.probe.tensors import dense, sampled, size_of

Loss = Callable[..., Tensor]
REENTRANT = "heckpoint"  # in the message with which reentrant checkpoints refuse torch.autograd.grad


def record(model: nn.Module, inputs: Any, targets: Any, loss: Loss | None, dtype: str | None = None) -> Recording:
    """Run the model forward and backward in eager mode, as it stands: in training mode or not, in its own dtype.

    Gradients, buffers and the state of the random generators are restored. `dtype` is a format to autocast to. Raises
    ConfigError for a model or a loss that cannot be probed.
    """
    model = plain(model)
    with kept_state(model):
        try:
            return _run(model, inputs, targets, loss, dtype, _by_grad)
        except RuntimeError as error:
            if REENTRANT not in str(error):
                raise
    with kept_state(model):
        return _run(model, inputs, targets, loss, dtype, _by_backward)


def plain(model: object) -> nn.Module:
    """The module behind a compiled one. Raises ConfigError for what has no module that could be seen."""
    model = getattr(model, "_orig_mod", model)
    if isinstance(model, torch.jit.ScriptModule):
        raise ConfigError("the model is TorchScript, whose calls cannot be seen; give the nn.Module that was scripted")
    if isinstance(model, nn.DataParallel):
        raise ConfigError("the model is DataParallel, which runs copies of it in threads; give model.module")
    if not isinstance(model, nn.Module):
        raise ConfigError(f"the model is {type(model).__name__}; give a torch.nn.Module")
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise ConfigError("the model is on the device meta, where there are no numbers; give one with weights")
    return model


@contextlib.contextmanager
def kept_state(model: nn.Module) -> Iterator[None]:
    """Restore buffers, gradients and the random generators, whatever a pass did to them."""
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    gradients = [(p, p.grad) for p in model.parameters()]
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(sorted(index for index in devices if index is not None)):
        try:
            yield
        finally:
            for parameter, gradient in gradients:
                parameter.grad = gradient
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)


def eager() -> contextlib.AbstractContextManager:
    """Compiled code runs eager in here. Where nothing is compiled yet, the compiler need not be loaded for that."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()


def _run(
    model: nn.Module, inputs: Any, targets: Any, loss: Loss | None, dtype: str | None, backward: Callable
) -> Recording:
    tape = Tape(model, Guard())
    mode = Mode(tape)
    hooks = ModuleHooks(mode)
    leaves: list[Tensor] = []
    _require_samples(inputs)
    given = _mapped(inputs, lambda tensor: _leaf(tensor, leaves))
    try:
        with eager(), torch.enable_grad(), mode:
            with _autocast(model, dtype):
                output = model(**given) if isinstance(given, Mapping) else model(*given)
                cost = _cost(output, targets, loss)
            with tape.own_work():
                tape.recording.cost = float(cost.detach())
            tape.recording.has_graph = cost.grad_fn is not None
            found: dict[str, Tensor | None] = {}
            if cost.grad_fn is not None:
                mark_trunk(tape, cost.grad_fn)
                found = backward(cost, model, leaves)
    finally:
        hooks.remove()
    tape.release()
    wanted = tape.parameters_of_rows()
    measured = {name: measured_gradient(g) for name, g in found.items() if g is not None and name in wanted}
    return finished(tape, measured, tuple(name for name, g in found.items() if g is None))


def _by_grad(cost: Tensor, model: nn.Module, leaves: list[Tensor]) -> dict[str, Tensor | None]:
    """Gradients without touching `.grad`, and without the hooks with which an optimiser may follow each gradient."""
    wanted = {name: p for name, p in model.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(cost, [*wanted.values(), *leaves], allow_unused=True)
    return dict(zip(wanted, gradients, strict=False))


def _by_backward(cost: Tensor, model: nn.Module, leaves: list[Tensor]) -> dict[str, Tensor | None]:
    """Gradients by `backward`, which reentrant checkpoints need. `kept_state` restores `.grad`."""
    for parameter in model.parameters():
        parameter.grad = None
    cost.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.requires_grad}


def finished(tape: Tape, gradients: Mapping[str, tuple[Size, float]], without_gradient: tuple[str, ...]) -> Recording:
    """The recording of a tape, with `measured_gradient` of its rows' parameters."""
    recording = tape.recording
    recording.number()
    recording.frozen = tuple(name for name, p in tape.named.items() if not p.requires_grad)
    recording.without_gradient = without_gradient
    for row in recording.rows:
        if (measured := gradients.get(row.param)) is not None:
            row.grad_weight, row.under_eps = measured
    return recording


def measured_gradient(gradient: Tensor) -> tuple[Size, float]:
    """The size of a parameter's gradient, and `share_under_eps` of a sample of its entries."""
    values = dense(gradient)
    return size_of(values), share_under_eps(sampled(values))


def _autocast(model: nn.Module, dtype: str | None) -> contextlib.AbstractContextManager:
    if dtype is None:
        return contextlib.nullcontext()
    device = next((p.device.type for p in model.parameters()), "cpu")
    return torch.autocast(device, getattr(torch, dtype))


def _cost(output: Any, targets: Any, loss: Loss | None) -> Tensor:
    """The loss of an output: of the given function, or what the model itself returns."""
    if loss is not None:
        try:
            cost = loss(output) if targets is None else loss(output, targets)
        except (TypeError, AttributeError) as error:
            if isinstance(output, Tensor):
                raise
            takes = "give a loss of your own that takes what it needs of it"
            raise ConfigError(f"the model returns {type(output).__name__}; {takes}: {error}") from error
    else:
        own = getattr(output, "loss", None)
        cost = output if own is None else own
    if not isinstance(cost, Tensor) or cost.numel() != 1:
        what = f"a tensor of shape {tuple(cost.shape)}" if isinstance(cost, Tensor) else type(cost).__name__
        if isinstance(cost, float):
            raise ConfigError("the loss is float, which has no gradient; return the tensor, without float() or .item()")
        raise ConfigError(f"the loss is {what}; give a function that returns one number, such as F.cross_entropy")
    return cost.reshape(()) if cost.ndim else cost


def _require_samples(inputs: Any) -> None:
    """Raise ConfigError for a batch of no samples, and for arrays that are no tensors."""
    values = (
        inputs.values() if isinstance(inputs, Mapping) else inputs if isinstance(inputs, tuple | list) else [inputs]
    )
    for value in values:
        if isinstance(value, np.ndarray):
            raise ConfigError("the inputs are numpy arrays; give tensors, such as torch.from_numpy(inputs)")
        if isinstance(value, Tensor) and not value.numel():
            raise ConfigError(f"the inputs have shape {tuple(value.shape)}, which holds no sample")


def _leaf(tensor: Tensor, leaves: list[Tensor]) -> Tensor:
    """The same numbers as the result of an operation on a new leaf, so that their gradient is seen."""
    if not tensor.is_floating_point():
        return tensor
    leaves.append(tensor.detach().clone().requires_grad_())
    return leaves[-1] * 1


def _mapped(inputs: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """The inputs as positional or named arguments, with a function applied to each tensor."""

    def one(value: Any) -> Any:
        return function(value) if isinstance(value, Tensor) else value

    if isinstance(inputs, Mapping):
        return {name: one(value) for name, value in inputs.items()}
    return tuple(map(one, inputs if isinstance(inputs, tuple | list) else (inputs,)))
