"""Normalisations: each a pair of functions, forward and backward, over the samples of a unit or the units of a sample.

    forward    z_hat = (z − m)/s        m: mean (0 for rms), s² = mean of (z − m)² + epsilon, over one axis
    backward   ∂C/∂z = (∂C/∂z_hat − mean(∂C/∂z_hat) − z_hat · mean(z_hat · ∂C/∂z_hat))/s    (no first mean for rms)

The backward pass projects onto what z_hat can change to: not along ones, for z_hat has mean 0, and not along z_hat,
for its length is fixed. A layer ends in gamma · z_hat + beta; both are parameters, at their start gamma = 1, beta = 0.
Sources: Ioffe & Szegedy 2015 (batch), Ba et al. 2016 (layer), Zhang & Sennrich 2019 (rms).

An entry of NORMALISATIONS is a function that returns the normalisation; a config may give its arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import RISKY


@dataclass(frozen=True)
class Normalisation:
    """What it normalises over, whether it subtracts the mean, and epsilon."""

    name: str
    over: str | None  # batch: the samples of each unit; units: the units of each sample; None: no normalisation
    centred: bool
    epsilon: float
    summary: str

    @property
    def axis(self) -> int:
        """The axis of an array (…, batch, width)."""
        return -2 if self.over == "batch" else -1

    @property
    def least(self) -> int:
        """The least number of values along the axis through which any gradient passes.

        z_hat of fewer values does not depend on z but for its signs: ±1 of two values with mean 0, and of a single one.
        """
        return 3 if self.centred else 2


def forward(normalisation: Normalisation, z: Array, epsilon: Array) -> tuple[Array, Array, Array | None]:
    """z_hat, 1/s and m of an array (…, batch, width); `epsilon` is (…, 1, 1). 1/s is 0 where s is 0; m None for rms."""
    axis, m = normalisation.axis, None
    if normalisation.centred:
        m = z.mean(axis=axis, keepdims=True)
        z = z - m
    squares = np.square(z).mean(axis=axis, keepdims=True)
    s = np.sqrt(squares + epsilon)
    small = squares < RISKY[z.dtype]
    if small.any():  # squares of values far below the largest of the lane may have underflowed
        top = np.where(small, np.abs(z).max(axis=axis, keepdims=True), 1)
        rms = top * np.sqrt(np.square(z / np.where(top == 0, 1, top)).mean(axis=axis, keepdims=True))
        s = np.where(small, np.hypot(rms, np.sqrt(epsilon)), s).astype(z.dtype)
    inverse = np.divide(1, s, out=np.zeros_like(s), where=s > 0)
    return z * inverse, inverse, m


def backward(normalisation: Normalisation, grad: Array, z_hat: Array, inverse: Array) -> Array:
    """∂C/∂z from ∂C/∂z_hat, both (…, batch, width), given what `forward` returned."""
    axis = normalisation.axis
    below = grad - z_hat * (z_hat * grad).mean(axis=axis, keepdims=True)
    if normalisation.centred:
        below -= grad.mean(axis=axis, keepdims=True)
    below *= inverse
    return below


def none() -> Normalisation:
    return Normalisation("none", None, False, 0.0, "no normalisation")


def batch(epsilon: float = 0.0) -> Normalisation:
    return _normalisation("batch", "batch", True, epsilon, "each unit over the batch; Ioffe & Szegedy 2015")


def layer(epsilon: float = 0.0) -> Normalisation:
    return _normalisation("layer", "units", True, epsilon, "each sample over the units; Ba et al. 2016")


def rms(epsilon: float = 0.0) -> Normalisation:
    return _normalisation("rms", "units", False, epsilon, "each sample by its root mean square; Zhang & Sennrich 2019")


def _normalisation(name: str, over: str, centred: bool, epsilon: float, summary: str) -> Normalisation:
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be 0 or more, not {epsilon:g}")
    return Normalisation(name, over, centred, epsilon, summary)


NORMALISATIONS: dict[str, Callable[..., Normalisation]] = {make.__name__: make for make in (none, batch, layer, rms)}
