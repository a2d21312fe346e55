"""Weights, biases, inputs and targets that a user brings, checked: each fault is named with what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from harness.base.arrays import Array
from harness.base.errors import ConfigError
from harness.networks.costs import Cost

LARGEST = 1e100  # of a weight's or datum's magnitude, and 1 / LARGEST of the smallest: squares must stay in float64
TRANSPOSED = "transpose arrays that are stored as (fan_out, fan_in)"


@dataclass(frozen=True, eq=False)
class Given:
    """One network and its batch, float64. `weights[k]` is (fan_in, fan_out); a bias is (fan_out,) or None."""

    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    inputs: Array  # (batch, fan_in of W0)
    targets: Array  # (batch, fan_out of the last W)

    @property
    def depth(self) -> int:
        """Number of layers of weights."""
        return len(self.weights)

    @property
    def hidden_width(self) -> int | None:
        """The width of the hidden layers; None where they differ or there are none."""
        widths = {W.shape[1] for W in self.weights[:-1]}
        return widths.pop() if len(widths) == 1 else None


def given(
    weights: Sequence[ArrayLike] | Array,
    biases: Sequence[ArrayLike | None] | None,
    inputs: ArrayLike,
    targets: ArrayLike,
) -> Given:
    """Check the arrays of a network. Raises ConfigError, which names the array, for whatever cannot be used."""
    if isinstance(weights, np.ndarray) or not len(weights):
        raise ConfigError("weights: give a list of arrays, one for each layer, W0 first")
    Ws = tuple(_numbers(W, f"W{k}", ("fan_in", "fan_out")) for k, W in enumerate(weights))
    for k, (below, W) in enumerate(pairwise(Ws), start=1):
        if W.shape[0] != below.shape[1]:
            raise ConfigError(
                f"W{k} has shape {W.shape}, but W{k - 1} has shape {below.shape}, so W{k} must have "
                f"{below.shape[1]} rows; {TRANSPOSED}"
            )
    x, y = (_numbers(a, name, ("batch", "width")) for a, name in ((inputs, "inputs"), (targets, "targets")))
    if x.shape[1] != Ws[0].shape[0]:
        raise ConfigError(f"inputs have {x.shape[1]} columns, but W0 has {Ws[0].shape[0]} rows; {TRANSPOSED}")
    if y.shape != (len(x), Ws[-1].shape[1]):
        raise ConfigError(
            f"targets have shape {y.shape}; {len(x)} inputs and the last weights need {(len(x), Ws[-1].shape[1])}"
        )
    return Given(Ws, _biases(biases, Ws), x, y)


def require_fit(cost: Cost, output: str, targets: Array) -> None:
    """Raise ConfigError where a cost has no meaning for the output layer or for the targets, (batch, width)."""
    if not cost.applies:
        return
    if output != "linear":
        raise ConfigError(f"output: {output}, but {cost.name} applies {cost.applies} itself; use output linear")
    zeros_and_ones = np.isin(targets, (0, 1)).all()
    if cost.applies == "sigmoid" and not zeros_and_ones:
        raise ConfigError(f"targets: {cost.name} needs targets of 0 and 1")
    if cost.applies == "softmax" and not (zeros_and_ones and (targets.sum(axis=1) == 1).all() and targets.shape[1] > 1):
        raise ConfigError(f"targets: {cost.name} needs one-hot targets of two classes or more: a 1 in each row")


def _biases(biases: Sequence[ArrayLike | None] | None, weights: tuple[Array, ...]) -> tuple[Array | None, ...]:
    if biases is None:
        return (None,) * len(weights)
    if len(biases) != len(weights):
        raise ConfigError(
            f"biases: {len(biases)} for {len(weights)} layers; give one for each, or None for a layer without"
        )
    checked = tuple(None if b is None else _numbers(b, f"b{k}", ("fan_out",)) for k, b in enumerate(biases))
    for k, (b, W) in enumerate(zip(checked, weights, strict=True)):
        if b is not None and len(b) != W.shape[1]:
            raise ConfigError(f"b{k} has {len(b)} numbers, but W{k} has {W.shape[1]} columns; {TRANSPOSED}")
    return checked


def _numbers(values: ArrayLike, name: str, axes: tuple[str, ...]) -> Array:
    """An array as float64, whose numbers are finite and either 0 or within 1 / LARGEST … LARGEST."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ConfigError(f"{name}: not an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"{name} holds {array.dtype}; give real numbers")
    if array.ndim != len(axes) or not array.size:
        raise ConfigError(f"{name} has shape {array.shape}; give ({', '.join(axes)}), none of them 0")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ConfigError(f"{name} holds NaN or infinite numbers; give finite ones")
    sizes = np.abs(array[array != 0])
    if sizes.size and (sizes.max() > LARGEST or sizes.max() < 1 / LARGEST):
        raise ConfigError(f"{name}: the largest number is {sizes.max():.3g}; scale it to within 1e-100 and 1e100")
    return array
