"""Normalisation of arrays that carry an exponent: without epsilon, z_hat does not depend on the exponent of z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array, any_of
from harness.base.scaled import Scaled, shifted
from harness.networks.remedies import normalisations
from harness.networks.remedies.normalisations import Normalisation

# Exponent of z below which epsilon alone is s² to the last bit, for any epsilon above 1e-16 of the format's rounding.
NEGLIGIBLE = {np.dtype(np.float64): -400, np.dtype(np.float32): -40}


@dataclass(frozen=True)
class Normalised:
    """z_hat, and what the backward pass needs: z_hat as ordinary numbers, and 1/s = inverse · 2^−exponent."""

    z_hat: Scaled
    values: Array  # (…, batch, width)
    inverse: Array  # (…, 1, width) or (…, batch, 1); 0 where s is 0
    exponent: Array  # (…)
    mean: Scaled | None  # m, the shape of `inverse`; None where none is subtracted

    @property
    def undefined(self) -> Array:
        """Where s is 0, the shape of `inverse`."""
        return self.inverse == 0

    @property
    def statistics(self) -> Statistics:
        """What other samples can be normalised by; of a normalisation over the batch."""
        assert self.mean is not None
        return Statistics(self.mean, Scaled(self.inverse, -self.exponent))


@dataclass(frozen=True)
class Statistics:
    """What a normalisation over the batch subtracts from each unit, and multiplies it by."""

    mean: Scaled  # (…, 1, width)
    inverse: Scaled  # 1/s, (…, 1, width); 0 where s is 0


def normalise(normalisation: Normalisation, z: Scaled) -> Normalised:
    """z_hat of (…, batch, width)."""
    exponent = z.exponent
    epsilon = np.zeros((1,) * z.mantissa.ndim, z.mantissa.dtype)
    if normalisation.epsilon:
        exponent = np.maximum(z.exponent, NEGLIGIBLE[z.mantissa.dtype])
        epsilon = np.ldexp(normalisation.epsilon, -2 * exponent).astype(z.mantissa.dtype)[..., None, None]
    values, inverse, m = normalisations.forward(normalisation, z.mantissa, epsilon)
    mean = None if m is None else Scaled(m, z.exponent)
    below = z.exponent - exponent
    if not any_of(below):
        return Normalised(Scaled(values, below), values, inverse, exponent, mean)
    z_hat = Scaled(values.copy(), below).normalised()
    return Normalised(z_hat, shifted(values, below), inverse, exponent, mean)


def normalise_by(statistics: Statistics, z: Scaled) -> Normalised:
    """z_hat of samples (…, batch, width), by the mean and the deviation of others."""
    z_hat = ((z - statistics.mean) * statistics.inverse).normalised()
    values = shifted(z_hat.mantissa, z_hat.exponent)
    return Normalised(z_hat, values, statistics.inverse.mantissa, -statistics.inverse.exponent, statistics.mean)


def through_normalisation(normalisation: Normalisation, grad: Scaled, at: Normalised) -> Scaled:
    """∂C/∂z from ∂C/∂z_hat, normalised."""
    below = normalisations.backward(normalisation, grad.mantissa, at.values, at.inverse)
    return Scaled(below, grad.exponent - at.exponent).normalised()
