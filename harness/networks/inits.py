"""Initialisations: a weight matrix is a gain times a base draw, W = gain * base.

`families` draws the base; an initialisation has a family and a gain. One whose weights have a mean shifts the base by a
constant; `constant` is that shift alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import exp, log, sqrt

import numpy as np
from scipy.special import digamma, gammaln

from harness.base.arrays import Array
from harness.networks.families import STD_OF_CUT, base_variance
from harness.networks.kinds import Table

Gain = Callable[[int, int], float]  # of fan_in and fan_out


def _no_bias(fan_in: int) -> float:
    return 0.0


@dataclass(frozen=True)
class Init:
    """An initialisation: the family of its base draws and its gain as a function of (fan_in, fan_out)."""

    name: str
    family: str
    gain: Gain
    summary: str
    sigma_b: Callable[[int], float] = _no_bias  # standard deviation of the biases that it brings
    shift: float = 0.0  # mean of a base draw, whose variance stays 1 (0 for `constant`)
    within: float | None = None  # tolerance about 1 of the variance of z, to which LSUV scales; None: no such scaling

    def sigma_w(self, fan_in: int, fan_out: int) -> float:
        """σ_w = √(fan_in · Var W) of a layer; for `orthogonal`, Var W = gain² / max(fans), that of one entry."""
        return self.gain(fan_in, fan_out) * sqrt(fan_in * base_variance(self.family, fan_in, fan_out))

    def mean_w(self, fan_in: int, fan_out: int) -> float:
        """Mean of a weight of a layer."""
        return self.gain(fan_in, fan_out) * self.shift


def _require_positive(**parameters: float | None) -> None:
    for name, value in parameters.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, not {value:g}")


# By numbers ---------------------------------------------------------------------------------------------------------


def normal(sigma_w: float = 1.0, std: float | None = None, mean: float | None = None) -> Init:
    return _by_numbers("normal", "N(0, σ_w²/fan_in), or N(mean, std²) in every layer", sigma_w, std, mean)


def truncated_normal(sigma_w: float = 1.0, std: float | None = None, mean: float | None = None) -> Init:
    """`std` is that of the normal before it is cut, as in Keras' TruncatedNormal and torch's trunc_normal_."""
    summary = "normal, cut at ±2 standard deviations: variance σ_w²/fan_in after, or mean and std before the cut"
    return _by_numbers("truncated_normal", summary, sigma_w, std, mean, kept=STD_OF_CUT)


def _by_numbers(
    name: str, summary: str, sigma_w: float, std: float | None, mean: float | None, kept: float = 1.0
) -> Init:
    """Draws of the family of that name with σ_w, or with a mean and with `kept` times an std in every layer."""
    _require_positive(sigma_w=sigma_w, std=std)
    if std is None:
        if mean is not None:
            raise ValueError("a mean needs std, beside it")
        return Init(name, name, lambda fan_in, fan_out: sigma_w / sqrt(fan_in), summary)
    if sigma_w != 1:
        raise ValueError("give sigma_w or std, not both")
    gain = std * kept
    return Init(name, name, lambda fan_in, fan_out: gain, summary, shift=(mean or 0.0) / gain)


def uniform(
    sigma_w: float = 1.0, bound: float | None = None, low: float | None = None, high: float | None = None
) -> Init:
    summary = "uniform, variance σ_w²/fan_in, or on ±bound or from low to high in every layer"
    _require_positive(sigma_w=sigma_w, bound=bound)
    if [sigma_w != 1, bound is not None, low is not None or high is not None].count(True) > 1:
        raise ValueError("give sigma_w, or bound, or low and high")
    if bound is not None:
        low, high = -bound, bound
    if low is None and high is None:
        return Init("uniform", "uniform", lambda fan_in, fan_out: sigma_w / sqrt(fan_in), summary)
    if low is None or high is None:
        raise ValueError("low and high come together")
    if not low < high:
        raise ValueError(f"low must be below high, not {low:g} and {high:g}")
    std = (high - low) / sqrt(12)
    return Init("uniform", "uniform", lambda fan_in, fan_out: std, summary, shift=(low + high) / 2 / std)


def constant(value: float = 1.0) -> Init:
    size, sign = abs(value), float((value > 0) - (value < 0))
    return Init("constant", "constant", lambda fan_in, fan_out: size or 1.0, "every weight is `value`", shift=sign)


# By fans ------------------------------------------------------------------------------------------------------------


def he_normal(gain: float | None = None) -> Init:
    return Init("he_normal", "normal", _he(gain), "N(0, gain²/fan_in), gain √2; He et al. 2015")


def he_uniform(gain: float | None = None) -> Init:
    return Init("he_uniform", "uniform", _he(gain), "uniform, variance gain²/fan_in, gain √2")


def _he(gain: float | None) -> Gain:
    _require_positive(gain=gain)
    if gain is None:
        return lambda fan_in, fan_out: sqrt(2 / fan_in)
    return lambda fan_in, fan_out: gain / sqrt(fan_in)


def xavier_normal(gain: float | None = None) -> Init:
    return Init(
        "xavier_normal", "normal", _xavier(gain), "N(0, 2·gain²/(fan_in + fan_out)), gain 1; Glorot & Bengio 2010"
    )


def xavier_uniform(gain: float | None = None) -> Init:
    return Init("xavier_uniform", "uniform", _xavier(gain), "uniform, variance 2·gain²/(fan_in + fan_out), gain 1")


def _xavier(gain: float | None = None) -> Gain:
    _require_positive(gain=gain)
    factor = 1.0 if gain is None else gain
    return lambda fan_in, fan_out: factor * sqrt(2 / (fan_in + fan_out))


def he_finite_width() -> Init:
    """He's variance times e^−mean, so that the typical ReLU network of this width neither vanishes nor explodes.

    `mean` is E ln ratio² of one layer of `fan_in` units at σ_w² = 2 (theory/finite_width.py, gaussian_relu), about
    −5/2n: σ_w is about √2·(1 + 5/4n). The backward law of a layer is that of its fan_in, because φ' acts on these
    units, so the typical ‖∂C/∂z‖ is constant in layers of any shape. Forward, the typical ‖r‖ is constant in square
    layers only.
    """
    return Init(
        "he_finite_width",
        "normal",
        _he_finite_width_gain,
        "N(0, 2e^−mean/fan_in), mean ≈ −5/2n the shift of ln ‖∂C/∂z‖² a layer in a ReLU network of width n",
    )


@cache
def _he_finite_width_gain(fan_in: int, fan_out: int) -> float:
    """√(2e^−mean/fan_in) with mean = ln(4/fan_in) + E ψ(K/2): √(e^−Eψ(K/2)/2)."""
    active, share = active_units(fan_in)
    return sqrt(exp(-float(share @ digamma(active / 2))) / 2)


def active_units(width: int) -> tuple[Array, Array]:
    """K = 1 … width and its probabilities under Binomial(width, ½) given K ≥ 1; within 40 deviations of the mean."""
    reach = int(20 * sqrt(width)) + 1
    active = np.arange(max(1, width // 2 - reach), min(width, width // 2 + reach) + 1, dtype=float)
    share = np.exp(gammaln(width + 1) - gammaln(active + 1) - gammaln(width - active + 1) - width * log(2))
    return active, share / share.sum()


def lecun_normal() -> Init:
    return Init("lecun_normal", "normal", lambda fan_in, fan_out: sqrt(1 / fan_in), "N(0, 1/fan_in); LeCun et al. 1998")


def lecun_uniform() -> Init:
    return Init("lecun_uniform", "uniform", lambda fan_in, fan_out: sqrt(1 / fan_in), "uniform, variance 1/fan_in")


def orthogonal(gain: float | None = None) -> Init:
    _require_positive(gain=gain)
    factor = 1.0 if gain is None else gain
    return Init(
        "orthogonal",
        "orthogonal",
        lambda fan_in, fan_out: factor,
        "Haar-distributed orthonormal rows or columns times gain, 1; Saxe et al. 2014",
    )


def lsuv(tolerance: float = 0.1) -> Init:
    """`gain` and `sigma_w` are those of the start; see networks/remedies/unit_variance.py."""
    _require_positive(tolerance=tolerance)
    summary = "orthogonal, then layer by layer to unit variance of z on the batch; Mishkin & Matas 2016"
    return Init("lsuv", "orthogonal", lambda fan_in, fan_out: 1.0, summary, within=tolerance)


# Defaults of the frameworks -----------------------------------------------------------------------------------------


def pytorch_default() -> Init:
    """Weights and biases uniform on ±1/√fan_in."""
    return Init(
        "pytorch_default",
        "uniform",
        lambda fan_in, fan_out: sqrt(1 / (3 * fan_in)),
        "weights and biases uniform on ±1/√fan_in, as torch.nn.Linear",
        sigma_b=lambda fan_in: sqrt(1 / (3 * fan_in)),
    )


def keras_default() -> Init:
    """Weights as xavier_uniform, without biases."""
    return Init(
        "keras_default",
        "uniform",
        _xavier(),
        "glorot_uniform without biases, as keras.layers.Dense",
    )


def flax_default() -> Init:
    """Weights from a truncated normal of variance 1/fan_in, without biases."""
    return Init(
        "flax_default",
        "truncated_normal",
        lambda fan_in, fan_out: sqrt(1 / fan_in),
        "truncated normal of variance 1/fan_in (lecun_normal) without biases, as flax.linen.Dense",
    )


_BUILT_IN: dict[str, Callable[..., Init]] = {
    make.__name__: make
    for make in (
        normal,
        uniform,
        truncated_normal,
        constant,
        he_normal,
        he_uniform,
        he_finite_width,
        xavier_normal,
        xavier_uniform,
        lecun_normal,
        lecun_uniform,
        orthogonal,
        lsuv,
        pytorch_default,
        keras_default,
        flax_default,
    )
}
INITS = Table("inits", _BUILT_IN)
# Names that papers and frameworks use -> the names here. A config may have either.
INIT_SYNONYMS = {
    "gaussian": "normal",
    "random_normal": "normal",
    "random_uniform": "uniform",
    "trunc_normal": "truncated_normal",
    "kaiming": "he_normal",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "glorot": "xavier_normal",
    "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform",
}
