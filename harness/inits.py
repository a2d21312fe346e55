"""Initialisations: a weight matrix is a gain times a base draw, W = gain * base.

A family says how the base is drawn; an initialisation names its family and its gain. The bases of `normal` and
`uniform` have variance 1 per entry; that of `orthogonal` has orthonormal rows or columns, so that a gain of 1 is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from harness.streams import Streams


def _no_bias(fan_in: int) -> float:
    return 0.0


@dataclass(frozen=True)
class Init:
    """An initialisation: the family of its base draws and its gain as a function of (fan_in, fan_out)."""

    name: str
    family: str
    gain: Callable[[int, int], float]
    summary: str
    sigma_b: Callable[[int], float] = _no_bias  # of the biases it brings itself

    def sigma_w(self, fan_in: int, fan_out: int) -> float:
        """σ_w = √(fan_in · Var W) of a layer; for `orthogonal`, Var W is that of a matrix entry, gain² / max(fans)."""
        variance = 1 / max(fan_in, fan_out) if self.family == "orthogonal" else 1.0
        return self.gain(fan_in, fan_out) * sqrt(fan_in * variance)


def _require_positive(sigma_w: float) -> None:
    if not sigma_w > 0:
        raise ValueError(f"sigma_w must be positive, not {sigma_w:g}")


def normal(sigma_w: float = 1.0) -> Init:
    _require_positive(sigma_w)
    return Init("normal", "normal", lambda fan_in, fan_out: sigma_w / sqrt(fan_in), "N(0, σ_w²/fan_in)")


def uniform(sigma_w: float = 1.0) -> Init:
    _require_positive(sigma_w)
    return Init("uniform", "uniform", lambda fan_in, fan_out: sigma_w / sqrt(fan_in), "uniform, variance σ_w²/fan_in")


def he_normal() -> Init:
    return Init("he_normal", "normal", lambda fan_in, fan_out: sqrt(2 / fan_in), "N(0, 2/fan_in); He et al. 2015")


def he_uniform() -> Init:
    return Init("he_uniform", "uniform", lambda fan_in, fan_out: sqrt(2 / fan_in), "uniform, variance 2/fan_in")


def xavier_normal() -> Init:
    return Init("xavier_normal", "normal", lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)),
                "N(0, 2/(fan_in + fan_out)); Glorot & Bengio 2010")  # fmt: skip


def xavier_uniform() -> Init:
    return Init("xavier_uniform", "uniform", lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)),
                "uniform, variance 2/(fan_in + fan_out)")  # fmt: skip


def lecun_normal() -> Init:
    return Init("lecun_normal", "normal", lambda fan_in, fan_out: sqrt(1 / fan_in), "N(0, 1/fan_in); LeCun et al. 1998")


def lecun_uniform() -> Init:
    return Init("lecun_uniform", "uniform", lambda fan_in, fan_out: sqrt(1 / fan_in), "uniform, variance 1/fan_in")


def orthogonal() -> Init:
    return Init("orthogonal", "orthogonal", lambda fan_in, fan_out: 1.0,
                "Haar-distributed orthonormal rows or columns; Saxe et al. 2014")  # fmt: skip


def pytorch_default() -> Init:
    """Weights and biases uniform on ±1/√fan_in."""
    return Init("pytorch_default", "uniform", lambda fan_in, fan_out: sqrt(1 / (3 * fan_in)),
                "weights and biases uniform on ±1/√fan_in, as torch.nn.Linear",
                sigma_b=lambda fan_in: sqrt(1 / (3 * fan_in)))  # fmt: skip


INITS = {make.__name__: make for make in (
    normal, uniform, he_normal, he_uniform, xavier_normal, xavier_uniform, lecun_normal, lecun_uniform, orthogonal,
    pytorch_default)}  # fmt: skip


def base_weights(family: str, streams: Streams, purpose: int, index: int, replicates: Sequence[int],
                 fan_in: int, fan_out: int) -> np.ndarray:  # fmt: skip
    """The base draw of one layer for each replicate, (replicates, fan_in, fan_out), float64."""
    if family == "uniform":
        return streams.uniform(purpose, index, replicates, (fan_in, fan_out))
    draws = streams.normal(purpose, index, replicates, (fan_in, fan_out))
    return draws if family == "normal" else _haar(draws)


def _haar(draws: np.ndarray) -> np.ndarray:
    """Orthonormal columns (or rows, where there are more columns) distributed by Haar measure.

    The QR factor of a Gaussian matrix, with the signs of R's diagonal moved into it: Mezzadri 2007, eq. 5.9.
    """
    wide = draws.shape[-1] > draws.shape[-2]
    q, r = np.linalg.qr(draws.swapaxes(-1, -2) if wide else draws)
    signs = np.copysign(1.0, np.diagonal(r, axis1=-2, axis2=-1))
    q = q * signs[..., None, :]
    return np.ascontiguousarray(q.swapaxes(-1, -2)) if wide else q
