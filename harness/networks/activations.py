"""Activations: each a pair of functions, the value phi(z) and the slope phi'(z), with the facts that the harness needs.

An entry in ACTIVATIONS is a function that returns the Activation; a config may give its arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import pi, sqrt
from typing import Annotated

import numpy as np
from scipy import special

from harness.base.arrays import Array
from harness.networks.kinds import OneOf, Table

Function = Callable[[Array], Array]
FillBoth = Callable[[Array, Array, Array], None]

# A slope under this share of the activation's largest counts as saturated, unless a sweep says other.
SATURATED = 0.01


@dataclass(frozen=True)
class Activation:
    """phi and phi', applied elementwise to arrays of any shape; values have the dtype of z."""

    name: str
    value: Function
    slope: Function
    slope_bound: float  # the largest |phi'|
    summary: str
    homogeneous: bool = False  # phi(c·z) = c·phi(z) for every c > 0
    silent: Function | None = None  # where a unit passes no gradient; None: the slope is never exactly 0
    kinks: tuple[float, ...] = ()  # where the value or the slope is not smooth; theory splits its integrals there
    value_and_slope: FillBoth | None = None  # (z, value, slope): fills both arrays faster than one after the other

    def fill(self, z: Array, value: Array, slope: Array) -> None:
        """Write phi(z) and phi'(z) into the given arrays, of the dtype of z and of `slope_dtype`."""
        if self.value_and_slope:
            self.value_and_slope(z, value, slope)
        else:
            value[...], slope[...] = self.value(z), self.slope(z)

    def slope_dtype(self, dtype: np.dtype) -> np.dtype:
        """The dtype of phi'(z) for z of the given dtype: booleans if the slope is always 0 or 1."""
        return self.slope(np.zeros(1, dtype)).dtype

    @cached_property
    def vanishes_at_zero(self) -> bool:
        """Whether phi(0) = 0."""
        return float(self.value(np.zeros(1))[0]) == 0


# ReLU and other piecewise linear functions ---------------------------------------------------------------------------


def relu(at_zero: Annotated[float, OneOf((0, 0.5, 1))] = 1) -> Activation:
    def step(z: Array, out: Array | None = None) -> Array:
        if at_zero == 0.5:
            return np.heaviside(z, z.dtype.type(0.5), out=out)
        return (np.greater_equal if at_zero else np.greater)(z, 0, out=out)

    def value_and_slope(z: Array, value: Array, slope: Array) -> None:
        value.fill(0)
        np.maximum(z, value, out=value)  # five times as fast as with a scalar 0
        step(z, out=slope)

    return Activation(
        "relu",
        lambda z: np.maximum(z, z.dtype.type(0)),
        step,
        1.0,
        "max(0, z); slope Step(z)",
        homogeneous=True,
        silent=lambda z: z <= 0,
        kinks=(0.0,),
        value_and_slope=value_and_slope,
    )


def clipped_relu(ceiling: float = 1.0) -> Activation:
    if not ceiling > 0:
        raise ValueError(f"ceiling must be above 0, not {ceiling:g}")
    return _clipped("clipped_relu", 0.0, ceiling, "max(0, z), up to a ceiling: a ReLU that saturates")


def relu6() -> Activation:
    return _clipped("relu6", 0.0, 6.0, "z, between 0 and 6; Krizhevsky 2010")


def hard_tanh() -> Activation:
    return _clipped("hard_tanh", -1.0, 1.0, "z, clipped to ±1")


def _clipped(name: str, low: float, high: float, summary: str) -> Activation:
    return Activation(
        name,
        lambda z: np.clip(z, z.dtype.type(low), z.dtype.type(high)),
        lambda z: (z > low) & (z < high),
        1.0,
        summary,
        silent=lambda z: (z <= low) | (z >= high),
        kinks=(low, high),
    )


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    if negative_slope == 0:
        raise ValueError("negative_slope 0 is relu; use that")

    def slope(z: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(negative_slope))

    return Activation(
        "leaky_relu",
        lambda z: z * slope(z),
        slope,
        max(1.0, abs(negative_slope)),
        "z, or negative_slope·z below 0",
        homogeneous=True,
        kinks=(0.0,),
    )


def linear() -> Activation:
    return Activation("linear", np.copy, np.ones_like, 1.0, "z", homogeneous=True)


# S-shaped -----------------------------------------------------------------------------------------------------------


def _sigmoid(z: Array) -> Array:
    y = -z
    with np.errstate(over="ignore"):  # e^−z may be infinite; 1/(1 + ∞) is the 0 it should be
        np.exp(y, out=y)
    y += 1
    return np.reciprocal(y, out=y)


def _sigmoid_slope(z: Array) -> Array:
    """y(1 − y) = e^−|z| / (1 + e^−|z|)²: forming 1 − y would lose every digit beyond z ≈ 37."""
    slope = np.abs(z)
    np.exp(np.negative(slope, out=slope), out=slope)
    root = 1 + slope
    root *= root
    slope /= root
    return slope


def _sigmoid_value_and_slope(z: Array, y: Array, slope: Array) -> None:
    """y = 1/(1 + E) with E = e^−z, and y(1 − y) = y·(E·y), which forms no 1 − y either."""
    E = np.exp(np.negative(z, out=slope), out=slope)
    np.reciprocal(np.add(1, E, out=y), out=y)
    np.minimum(E, np.finfo(E.dtype).max, out=E)  # an infinite E has y = 0, and 0 is its slope
    E *= y
    E *= y


def sigmoid() -> Activation:
    return Activation(
        "sigmoid",
        _sigmoid,
        _sigmoid_slope,
        0.25,
        "y = 1/(1 + e^−z); slope y(1 − y)",
        value_and_slope=_sigmoid_value_and_slope,
    )


def _tanh_slope(z: Array) -> Array:
    """1 − tanh² z = 4 sigmoid'(2z), without the cancellation."""
    return 4 * _sigmoid_slope(2 * z)


def tanh() -> Activation:
    return Activation("tanh", np.tanh, _tanh_slope, 1.0, "tanh z; slope 1 − tanh² z")


def centred_sigmoid(steepness: float = 1.0) -> Activation:
    if not steepness > 0:
        raise ValueError(f"steepness must be above 0, not {steepness:g}")

    def value(z: Array) -> Array:
        return z.dtype.type(2 * steepness) * np.tanh(z / 2)

    def slope(z: Array) -> Array:
        return z.dtype.type(4 * steepness) * _sigmoid_slope(z)

    summary = "4·steepness·(sigmoid(z) − ½): slope `steepness` at 0; ¼ is the slope of sigmoid"
    return Activation("centred_sigmoid", value, slope, steepness, summary)


def softsign() -> Activation:
    def slope(z: Array) -> Array:
        return np.square(1 / (1 + np.abs(z)))

    return Activation("softsign", lambda z: z / (1 + np.abs(z)), slope, 1.0, "z/(1 + |z|); Bergstra et al. 2009")


def erf() -> Activation:
    def slope(z: Array) -> Array:
        return z.dtype.type(2 / sqrt(pi)) * np.exp(-np.square(z))

    return Activation("erf", special.erf, slope, 2 / sqrt(pi), "the error function; slope (2/√π) e^−z²")


# Smooth or bent rectifiers ------------------------------------------------------------------------------------------


def elu(alpha: float = 1.0) -> Activation:
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, not {alpha:g}")
    return _elu("elu", alpha, 1.0, "z, or alpha·(e^z − 1) below 0; Clevert et al. 2016")


def selu() -> Activation:
    # Klambauer et al. 2017, eq. 14: the values that make mean 0 and variance 1 a fixed point.
    return _elu("selu", 1.6732632423543772848, 1.0507009873554804934, "self-normalising elu; Klambauer et al. 2017")


def _elu(name: str, alpha: float, scale: float, summary: str) -> Activation:
    def value(z: Array) -> Array:
        return np.where(z > 0, scale * z, scale * alpha * np.expm1(np.minimum(z, 0)))

    def slope(z: Array) -> Array:
        return np.where(z > 0, z.dtype.type(scale), scale * alpha * np.exp(np.minimum(z, 0)))

    return Activation(name, value, slope, scale * max(1.0, alpha), summary, kinks=(0.0,))


def _normal_density(z: Array) -> Array:
    return np.exp(-np.square(z) / 2) / z.dtype.type(sqrt(2 * pi))


def gelu() -> Activation:
    def value(z: Array) -> Array:
        return z * special.ndtr(z)

    def slope(z: Array) -> Array:
        return special.ndtr(z) + z * _normal_density(z)

    # phi'' = density · (2 − z²): the slope is largest at √2.
    bound = float(slope(np.array([sqrt(2)]))[0])
    return Activation("gelu", value, slope, bound, "z·Φ(z); Hendrycks & Gimpel 2016")


def silu() -> Activation:
    def value(z: Array) -> Array:
        return z * _sigmoid(z)

    def slope(z: Array) -> Array:
        return _sigmoid(z) + z * _sigmoid_slope(z)

    top = 2.3993572805154677  # phi'' = 0 at z·tanh(z/2) = 2, where the slope is largest
    return Activation("silu", value, slope, float(slope(np.array([top]))[0]), "z·sigmoid(z); Elfwing et al. 2018")


def softplus() -> Activation:
    def value(z: Array) -> Array:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))

    return Activation("softplus", value, _sigmoid, 1.0, "ln(1 + e^z); slope sigmoid(z)")


_BUILT_IN: dict[str, Callable[..., Activation]] = {
    make.__name__: make
    for make in (
        relu,
        sigmoid,
        linear,
        tanh,
        erf,
        hard_tanh,
        clipped_relu,
        leaky_relu,
        elu,
        selu,
        gelu,
        silu,
        softplus,
        relu6,
        softsign,
        centred_sigmoid,
    )
}
ACTIVATIONS = Table("activations", _BUILT_IN)
# Names that papers and frameworks use -> the names here. A config may have either.
ACTIVATION_SYNONYMS = {"swish": "silu", "logistic": "sigmoid", "identity": "linear", "hardtanh": "hard_tanh"}
