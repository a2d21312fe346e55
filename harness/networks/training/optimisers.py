"""Optimisers: each a function from gradients to the direction of a step, with the arrays that it keeps between steps.

An entry in OPTIMISERS is a function that returns the Optimiser; a config may give its arguments. The training loop
subtracts learning_rate · direction from the parameters. Gradients come in units of a power of two, one for each run and
layer, so that directions are right for gradients of 10^-300 as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array


@dataclass(frozen=True)
class Optimiser:
    """`update(moments, gradient, step, one)` returns the direction of a step; steps are counted from 1.

    Every array is (runs, 1, rows, fan_out). `update` changes the moments in place and may overwrite the gradient. `one`
    (runs, 1, 1, 1) is the number 1 in the unit of the gradient: constants that are added to a gradient are multiplied
    by it, and those added to the square of one by its square.
    """

    name: str
    moments: tuple[int, ...]  # arrays kept between steps, 0 at the start: which power of the gradient each one holds
    power: int  # that power of the direction: 0 if it does not depend on the gradient's size
    update: Callable[[Sequence[Array], Array, int, Array], Array]
    summary: str


def sgd() -> Optimiser:
    return Optimiser("sgd", (), 1, lambda moments, gradient, step, one: gradient, "the gradient itself")


def momentum(momentum: float = 0.9) -> Optimiser:
    _require_share("momentum", momentum)

    def update(moments: Sequence[Array], gradient: Array, step: int, one: Array) -> Array:
        (velocity,) = moments
        velocity *= momentum
        velocity += gradient
        return velocity

    return Optimiser("momentum", (1,), 1, update, "v = momentum·v + gradient; Polyak 1964")


def adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Optimiser:
    _require_share("beta1", beta1)
    _require_share("beta2", beta2)
    if not epsilon > 0:
        raise ValueError(f"epsilon must be above 0, not {epsilon:g}")

    def update(moments: Sequence[Array], gradient: Array, step: int, one: Array) -> Array:
        m, v = moments  # the means over (1 − beta), which saves multiplying the gradient
        m *= beta1
        m += gradient
        v *= beta2
        v += np.square(gradient, out=gradient)
        of_m, of_v = (
            (1 - beta1) / (1 - beta1**step),
            (1 - beta2) / (1 - beta2**step),
        )  # unbiased: Kingma & Ba, section 3
        size = np.sqrt(v, out=gradient)
        size *= of_v**0.5 / of_m
        size += np.maximum(one * (epsilon / of_m), _least_root(one.dtype))
        return np.divide(m, size, out=size)

    return Optimiser("adam", (1, 2), 0, update, "m/(√v + epsilon), of bias-corrected moments; Kingma & Ba 2015")


OPTIMISERS = {make.__name__: make for make in (sgd, momentum, adam)}


def _require_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be 0 or more and below 1, not {value:g}")


def _least_root(dtype: np.dtype) -> np.floating:
    """The least number whose square is normal: that of a smaller one may read 0, and nothing divides by its root."""
    return np.sqrt(np.finfo(dtype).tiny)
