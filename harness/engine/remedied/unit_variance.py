"""LSUV in lanes: the gain of every layer from the batch in hand, for each replicate and lane by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import LOG10_2, Array, flat, log10_of
from harness.base.scaled import Scaled, Weights, base_alone
from harness.networks.remedies.unit_variance import unit_variance_gain

REACH = 400  # powers of 2 from which a lane's first gain may start: its square is still a number of float64


@dataclass(frozen=True)
class UnitVariance:
    """The gain of a layer, gain · 2^exponent, and the divisions that it took; each (replicates, lanes)."""

    gain: Array
    exponent: Array
    divisions: Array

    def weights(self, base: Array) -> Weights:
        """W from its base (replicates, 1, fan_in, fan_out)."""
        return Weights(base, self.gain.astype(base.dtype), self.exponent)

    @property
    def log10_gain(self) -> Array:
        return log10_of(self.gain) + LOG10_2 * self.exponent


@np.errstate(over="ignore", invalid="ignore")  # an infinite variance, as of biases of 10^200, leaves a gain of 0
def unit_variance(r: Scaled, start: Weights, b: Scaled | None, within: float) -> UnitVariance:
    """The gain with which r @ W + b has unit variance over units and batch, from the weights that it starts with."""
    product = r @ base_alone(start.base)
    values = _centred(product.mantissa)
    of_product = np.vecdot(values, values) / values.shape[-1]
    with_bias = of_bias = np.zeros_like(of_product)
    if b is not None:
        shift = np.ldexp(b.mantissa.astype(np.float64), b.exponent[..., None, None])
        shift = _centred(np.broadcast_to(shift, product.mantissa.shape))
        with_bias, of_bias = (np.vecdot(a, shift) / values.shape[-1] for a in (values, shift))
    at_start = np.ones(1) if start.gain is None else start.gain.astype(np.float64)
    shape = product.exponent.shape
    first = np.ldexp(at_start, np.clip(start.exponent + product.exponent, -REACH, REACH))
    gain, divisions = unit_variance_gain(np.broadcast_to(first, shape), of_product, with_bias, of_bias, within)
    varies = of_product > 0
    return UnitVariance(
        np.where(varies, gain, at_start), np.where(varies, -product.exponent, start.exponent), divisions
    )


def _centred(mantissa: Array) -> Array:
    """Each lane as a vector less its mean, (…, batch · width), float64."""
    values = flat(mantissa).astype(np.float64)
    return values - values.mean(axis=-1, keepdims=True)
