"""Optimisers: each a pair of functions, `start` and `update`, that turn gradients into the direction of a step.

An entry in OPTIMISERS is a function that returns the Optimiser; a config may give its arguments. The training loop
subtracts learning_rate · direction from the weights. Gradients and moments carry their exponents (`Scaled`), so a
direction is right for gradients of 10^-300 as well.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.base.scaled import NOTHING, Scaled

State = tuple[Scaled, ...]


@dataclass(frozen=True)
class Optimiser:
    """`start` makes the state of a parameter from an array of its shape; `update` takes one step.

    `update(state, gradient, step)` returns the new state and the direction; steps are counted from 1. `epsilon` is the
    size of gradients below which the step shrinks with them, where it does not otherwise; 0 for none.
    """

    name: str
    start: Callable[[Scaled], State]
    update: Callable[[State, Scaled, int], tuple[State, Scaled]]
    summary: str
    epsilon: float = 0.0


def sgd() -> Optimiser:
    return Optimiser("sgd", lambda like: (), lambda state, gradient, step: (state, gradient), "the gradient itself")


def momentum(momentum: float = 0.9) -> Optimiser:
    _require_share("momentum", momentum)

    def update(state: State, gradient: Scaled, step: int) -> tuple[State, Scaled]:
        (velocity,) = state
        velocity = (velocity * momentum + gradient).normalised()
        return (velocity,), velocity

    return Optimiser("momentum", lambda like: (zeros_like(like),), update, "v = momentum·v + gradient; Polyak 1964")


def adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Optimiser:
    _require_share("beta1", beta1)
    _require_share("beta2", beta2)
    if not epsilon > 0:
        raise ValueError(f"epsilon must be above 0, not {epsilon:g}")

    def update(state: State, gradient: Scaled, step: int) -> tuple[State, Scaled]:
        m, v = state
        m = (m * beta1 + gradient * (1 - beta1)).normalised()
        v = (v * beta2 + gradient * gradient * (1 - beta2)).normalised()
        mean, square = m * (1 / (1 - beta1**step)), v * (1 / (1 - beta2**step))  # without the bias of the zeros
        return (m, v), quotient(mean, added(root(square), epsilon))

    return Optimiser(
        "adam",
        lambda like: (zeros_like(like), zeros_like(like)),
        update,
        "m/(√v + epsilon), of bias-corrected moments; Kingma & Ba 2015",
        epsilon,
    )


OPTIMISERS = {make.__name__: make for make in (sgd, momentum, adam)}


def _require_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be 0 or more and below 1, not {value:g}")


# Arithmetic of moments ----------------------------------------------------------------------------------------------


def zeros_like(like: Scaled) -> Scaled:
    """Exact zeros of a shape."""
    return Scaled(np.zeros_like(like.mantissa), np.full_like(like.exponent, NOTHING))


def root(squares: Scaled) -> Scaled:
    """The square root of every entry."""
    odd = squares.exponent & 1
    return Scaled(
        np.sqrt(squares.mantissa * (1 + odd)[..., None, None].astype(squares.mantissa.dtype)),
        (squares.exponent - odd) // 2,
    )


def added(numbers: Scaled, constant: float) -> Scaled:
    """A constant added to every entry."""
    shape = (1,) * numbers.mantissa.ndim
    one = Scaled(np.full(shape, 1, numbers.mantissa.dtype), np.zeros((1,) * numbers.exponent.ndim, dtype=np.int64))
    fraction, exponent = np.frexp(constant)
    return numbers + Scaled(one.mantissa * fraction, one.exponent + int(exponent))


def quotient(above: Scaled, below: Scaled) -> Scaled:
    """The ratio of every entry to its counterpart; 0 where `above` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(above.mantissa == 0, 0, above.mantissa / below.mantissa)
    return Scaled(ratio, above.exponent - below.exponent).normalised()
