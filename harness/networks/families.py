"""Families of base draws: the matrices that an initialisation scales by its gain.

Entries of `normal`, `truncated_normal` and `uniform` have mean 0 and variance 1; draws of `orthogonal` have orthonormal
rows or columns, so that a gain of 1 is exact; those of `constant` are 0.
"""

from collections.abc import Sequence
from math import exp, pi, sqrt

import numpy as np
from scipy.special import ndtr, ndtri

from harness.base.streams import Streams

CUT = 2.0  # standard deviations at which a truncated normal ends
_MASS, _DENSITY = 2 * ndtr(CUT) - 1, exp(-(CUT**2) / 2) / sqrt(2 * pi)
STD_OF_CUT = sqrt(1 - 2 * CUT * _DENSITY / _MASS)  # 0.8796, of a standard normal that is cut
# Kurtosis of a base draw, less a Gaussian's 3; of the independent entries that theory describes.
EXCESS_KURTOSIS = {
    "normal": 0.0,
    "uniform": -6 / 5,
    "truncated_normal": (3 - 2 * _DENSITY * (CUT**3 + 3 * CUT) / _MASS) / STD_OF_CUT**4 - 3,
}


def base_variance(family: str, fan_in: int, fan_out: int) -> float:
    """Variance of the entries of a base draw."""
    return {"orthogonal": 1 / max(fan_in, fan_out), "constant": 0.0}.get(family, 1.0)


def base_weights(
    family: str, streams: Streams, purpose: int, index: int, replicates: Sequence[int], fan_in: int, fan_out: int
) -> np.ndarray:
    """The base draw of one layer for each replicate, without its shift, (replicates, fan_in, fan_out), float64."""
    shape = fan_in, fan_out
    if family == "constant":
        return np.zeros((len(replicates), *shape))
    if family == "uniform":
        return streams.uniform(purpose, index, replicates, shape)
    if family == "truncated_normal":
        share = streams.uniform(purpose, index, replicates, shape) / sqrt(12)  # on [−½, ½)
        return ndtri(0.5 + _MASS * share) / STD_OF_CUT
    draws = streams.normal(purpose, index, replicates, shape)
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
