"""The norm of ∂C/∂W without ∂C/∂W: by the Gram matrices of r and of delta, which are smaller where the batch is."""

import numpy as np

from harness.backprop import weight_gradient
from harness.scaled import CANCELLED, RISKY, Scaled, any_of, flat

Array = np.ndarray


def weight_gradient_squares(r: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² and its exponent.

    By the Gram matrices, or where the batch is so large that it is cheaper, by forming ∂C/∂W.
    """
    if by_gram(*r.mantissa.shape[-2:], delta.mantissa.shape[-1]):
        return gram_squares(r, delta)
    return weight_gradient(r, delta).safe_squares


def by_gram(batch: int, fan_in: int, fan_out: int) -> bool:
    """Whether two Gram matrices take less work than ∂C/∂W."""
    return batch * (fan_in + fan_out) <= fan_in * fan_out


def gram_squares(r: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² = Σ_ij R_ij D_ij with R = r rᵀ and D = δ δᵀ, each (batch, batch); ∂C/∂W is formed only if that cancels."""
    R, D = flat(r.gram), flat(delta.gram)
    total = np.vecdot(R, D).astype(np.float64, copy=False)
    cancelled = total <= CANCELLED * r.gram_norm * delta.gram_norm  # at least the sum of the magnitudes
    cancelled |= total < RISKY[r.mantissa.dtype]  # long samples of r meet short ones of delta: products underflow
    return by_forming(r, delta, cancelled, total, r.exponent + delta.exponent)


def by_forming(r: Scaled, delta: Scaled, lost: Array, squares: Array, exponent: Array) -> tuple[Array, Array]:
    """‖rᵀδ‖² and its exponent, with ∂C/∂W formed for the lanes whose squares were lost."""
    if any_of(lost):
        r_mantissa = np.broadcast_to(r.mantissa, (*squares.shape, *r.mantissa.shape[-2:]))
        r_exponent = np.broadcast_to(r.exponent, squares.shape)
        for lane in zip(*np.nonzero(lost & (r.largest > 0) & (delta.largest > 0)), strict=True):
            below = Scaled(r_mantissa[lane][None], r_exponent[lane][None])
            above = Scaled(delta.mantissa[lane][None], delta.exponent[lane][None])
            (squares[lane],), (exponent[lane],) = weight_gradient(below, above).safe_squares
    return squares, exponent
