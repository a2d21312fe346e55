"""The norm of ∂C/∂W without forming it, from the Gram matrices of r and delta, small if the batch is small; its mean.

The mean of |∂C/∂W| follows from no such sum: each matrix is formed.
"""

import numpy as np

from harness.base.arrays import Array, any_of, flat
from harness.base.scaled import CANCELLED, RISKY, Scaled
from harness.engine.equations import weight_gradient


def weight_gradient_squares(r: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² and its exponent, (…): from the Gram matrices, or from ∂C/∂W where the batch makes that cheaper."""
    if by_gram(r, delta):
        return gram_squares(r, delta)
    return weight_gradient(r, delta).safe_squares


def by_gram(r: Scaled, delta: Scaled) -> bool:
    """Whether the norm of rᵀδ is computed from Gram matrices."""
    batch, fan_in = r.mantissa.shape[-2:]
    return gram_is_cheaper(batch, fan_in, delta.mantissa.shape[-1])


def gram_is_cheaper(batch: int, fan_in: int, fan_out: int) -> bool:
    """Whether two Gram matrices take less work than ∂C/∂W."""
    return batch * (fan_in + fan_out) <= fan_in * fan_out


def weight_gradient_mean(r: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """Mean over the entries of |rᵀδ|, and its exponent, (…). One lane is formed at a time, so memory does not grow."""
    shape = delta.exponent.shape
    rs = np.broadcast_to(r.mantissa, (*shape, *r.mantissa.shape[-2:]))
    mean = np.empty(shape)
    grad_W = np.empty((rs.shape[-1], delta.mantissa.shape[-1]), delta.dtype)
    for lane in np.ndindex(shape):
        np.matmul(rs[lane].T, delta.mantissa[lane], out=grad_W)
        mean[lane] = np.abs(grad_W, out=grad_W).sum(dtype=np.float64) / grad_W.size
    return mean, r.exponent + delta.exponent


def gram_squares(r: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² = Σ_ij R_ij D_ij and its exponent, (…), with R = r rᵀ and D = δ δᵀ, each (batch, batch).

    ∂C/∂W is formed only for lanes in which the sum cancels.
    """
    R, D = flat(r.gram), flat(delta.gram)
    total = np.vecdot(R, D).astype(np.float64, copy=False)
    cancelled = total <= CANCELLED * r.gram_norm * delta.gram_norm  # bounds the sum of magnitudes
    cancelled |= total < RISKY[r.mantissa.dtype]  # products may underflow
    return by_forming(r, delta, cancelled, total, r.exponent + delta.exponent)


def by_forming(r: Scaled, delta: Scaled, lost: Array, squares: Array, exponent: Array) -> tuple[Array, Array]:
    """‖rᵀδ‖² and its exponent, (…), given them for most lanes: ∂C/∂W is formed for the lanes that are `lost`."""
    if any_of(lost):
        r_mantissa = np.broadcast_to(r.mantissa, (*squares.shape, *r.mantissa.shape[-2:]))
        r_exponent = np.broadcast_to(r.exponent, squares.shape)
        for lane in zip(*np.nonzero(lost & (r.largest > 0) & (delta.largest > 0)), strict=True):
            below = Scaled(r_mantissa[lane][None], r_exponent[lane][None])
            above = Scaled(delta.mantissa[lane][None], delta.exponent[lane][None])
            (squares[lane],), (exponent[lane],) = weight_gradient(below, above).safe_squares
    return squares, exponent
