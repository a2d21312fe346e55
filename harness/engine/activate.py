"""phi and phi' of arrays that carry an exponent, and the detection of values that leave the number format."""

import numpy as np

from harness.base.arrays import Array, any_of
from harness.base.scaled import Scaled, Slope, shifted
from harness.engine.layers import Layer
from harness.networks.activations import Activation

# Below 2^LINEAR every activation that vanishes at 0 is positively homogeneous to the last bit: phi(z) = phi'(0±)·z.
LINEAR = {np.dtype(np.float64): -56, np.dtype(np.float32): -27}


def activate(z: Scaled, activation: Activation, out: Layer | None = None) -> Layer:
    """phi(z) and phi'(z), (…, batch, width); written into `out` if it is given.

    phi is evaluated at z itself, except for the part of the exponent that phi passes on unchanged.
    """
    layer = Layer.empty(activation, z.mantissa.dtype, *z.mantissa.shape) if out is None else out
    r, slope, carried = layer.r.mantissa, layer.slope.values, passed_on_exponent(z, activation)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # an overflow is reported in the layer
        at = shifted(z.mantissa, z.exponent - carried)
        activation.fill(at, r, slope)
        if layer.silent is not None and activation.silent is not None:
            layer.silent[...] = activation.silent(at)
        value = Scaled(r, carried)
        ordinary = value.is_ordinary
    overflows = underflows = None
    if not ordinary:
        underflows = _underflows(z, value, activation)
        overflowing = ~np.isfinite(value.largest)
        if any_of(overflowing):
            overflows = overflowing
            r[overflows] = slope[overflows] = 0
            value = Scaled(r, carried)
        value = value.normalised()
    layer.r.exponent[...] = value.exponent
    return Layer(value, Slope(slope, layer.slope.has_zeros), layer.silent, overflows, underflows)


def _underflows(z: Scaled, value: Scaled, activation: Activation) -> Array | None:
    """(…): whether phi(z) reads 0 throughout although it is not 0."""
    if activation.silent or value.largest.all():
        return None
    return (value.largest == 0) & ((z.largest > 0) | (not activation.vanishes_at_zero))


def passed_on_exponent(z: Scaled, activation: Activation) -> Array:
    """The exponent e with which phi(z) = 2^e · phi(z / 2^e), (…).

    Where phi is linear near 0 only, the largest z is scaled up to the end of the linear range: samples that lie far
    below it then stay within the number format.
    """
    if activation.homogeneous:
        return z.exponent
    linear = LINEAR[z.mantissa.dtype]
    small = z.exponent < linear
    if not activation.vanishes_at_zero or not any_of(small):
        return np.zeros_like(z.exponent)
    top = z.exponent + np.frexp(z.largest)[1]
    return np.where(small, np.minimum(top - linear, 0), 0)
