"""Optimisers: each a function from gradients to the direction of a step, with the arrays that it keeps between steps.

An entry in OPTIMISERS is a function that returns the Optimiser; a config may give its arguments. The training loop
subtracts learning_rate · direction from the parameters. Gradients and directions carry an exponent for each run
(`Scaled`), so that directions are right for gradients of 10^-300 as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled


@dataclass(frozen=True)
class Optimiser:
    """`update(moments, gradient, step)` returns the direction of a step; steps are counted from 1.

    Every array is (runs, 1, rows, fan_out). `update` changes the moments in place and may overwrite the gradient. The
    moments have the unit of the gradient's mantissa, 2^exponent, to the power that is given for each. `epsilon`
    is the size of gradients below which a step shrinks with them, where it does not otherwise; 0 for none.
    """

    name: str
    moments: tuple[int, ...]  # arrays kept between steps, 0 at the start: which power of the gradient each one holds
    update: Callable[[Sequence[Array], Scaled, int], Scaled]
    summary: str
    epsilon: float = 0.0


def sgd() -> Optimiser:
    return Optimiser("sgd", (), lambda moments, gradient, step: gradient, "the gradient itself")


def momentum(momentum: float = 0.9) -> Optimiser:
    _require_share("momentum", momentum)

    def update(moments: Sequence[Array], gradient: Scaled, step: int) -> Scaled:
        (velocity,) = moments
        velocity *= momentum
        velocity += gradient.mantissa
        return Scaled(velocity, gradient.exponent)

    return Optimiser("momentum", (1,), update, "v = momentum·v + gradient; Polyak 1964")


def adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Optimiser:
    _require_share("beta1", beta1)
    _require_share("beta2", beta2)
    if not epsilon > 0:
        raise ValueError(f"epsilon must be above 0, not {epsilon:g}")

    def update(moments: Sequence[Array], gradient: Scaled, step: int) -> Scaled:
        m, v = moments  # the moments over (1 − beta): the gradient is not multiplied by that
        g, unit = gradient.mantissa, gradient.exponent
        m *= beta1
        m += g
        v *= beta2
        v += np.square(g, out=g)
        of_m, of_v = (1 - beta1) / (1 - beta1**step), (1 - beta2) / (1 - beta2**step)  # corrects the bias of the zeros
        far = np.maximum(np.frexp(epsilon)[1] - unit, 0)  # exponent by which epsilon exceeds the unit
        size = np.sqrt(v, out=g)
        size *= _numbers(of_v**0.5 / of_m, -far, g.dtype)
        least = np.sqrt(np.finfo(g.dtype).tiny)  # the square of anything smaller may read 0: it takes a smaller step
        size += np.maximum(_numbers(epsilon / of_m, -unit - far, g.dtype), least)
        return Scaled(np.divide(m, size, out=size), -far)

    summary = "m/(√v + epsilon), of bias-corrected moments; Kingma & Ba 2015"
    return Optimiser("adam", (1, 2), update, summary, epsilon)


OPTIMISERS = {make.__name__: make for make in (sgd, momentum, adam)}


def _require_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be 0 or more and below 1, not {value:g}")


def _numbers(value: float, exponent: Array, dtype: np.dtype) -> Array:
    """value · 2^exponent for each run, (runs, 1, 1, 1)."""
    return np.ldexp(value, np.clip(exponent, -5000, 5000)).astype(dtype)[..., None, None]
