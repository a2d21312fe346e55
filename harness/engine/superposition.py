"""Norms of superposed gradients α·a + b, for many factors α, from the two gradients a and b alone.

Backpropagation is linear: the start α·a + b leads to α times the gradients that a leads to, plus those of b. Lanes
that differ by a factor only (`Group.homogeneous`) have the same slopes. Under the squared cost they start from α·r − y,
where α is the product of a lane's gains, so two passes, from r and from −y, are enough for all of these lanes. The norm
of a sum is a quadratic form,

    ‖α·a + b‖² = α²‖a‖² + 2α⟨a, b⟩ + ‖b‖²,

computed in float64. Where its terms cancel, the norm is computed from the sum itself. A pair holds a and b and has the
shape (…, 2, batch, width); `factor` is α, (…, lanes, 1, 1).
"""

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array, any_of, flat
from harness.base.scaled import CANCELLED, RISKY, Scaled
from harness.engine.equations import weight_gradient
from harness.engine.gram import by_forming, by_gram

LOWEST_POWER = -5000  # of 2: far below the range of float64, and within the integers that ldexp takes


def superposed(pair: Scaled, factor: Scaled) -> Scaled:
    """α·a + b, (…, lanes, batch, width), normalised. It is computed as one product by a (…, lanes, 1, 2) array."""
    form = Form.from_pair(pair, factor)
    weights = np.stack([form.a, form.b], axis=-1).astype(pair.mantissa.dtype)[..., None, :]
    mantissa = weights @ flat(pair.mantissa)[..., None, :, :]
    return Scaled(mantissa.reshape(*form.exponent.shape, *pair.mantissa.shape[-2:]), form.exponent).normalised()


def superposed_squares(pair: Scaled, factor: Scaled) -> tuple[Array, Array]:
    """‖α·a + b‖² and its exponent, (…, lanes)."""
    form = Form.from_pair(pair, factor)
    a, b = np.moveaxis(flat(pair.mantissa), -2, 0)
    aa, ab, bb = (np.vecdot(*two).astype(np.float64)[..., None] for two in ((a, a), (a, b), (b, b)))
    squares, exponent = form(aa, ab, bb), form.exponent
    cancelled = squares < CANCELLED * form(aa, 0, bb)
    if any_of(cancelled):
        of_sum, exponent_of_sum = superposed(pair, factor).safe_squares
        squares, exponent = np.where(cancelled, of_sum, squares), np.where(cancelled, exponent_of_sum, exponent)
    return squares, exponent


def superposed_weight_gradient_squares(r: Scaled, pair: Scaled, factor: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² of δ = α·a + b, and its exponent, (…, lanes). `delta` is δ itself, used where the form cancels."""
    if not by_gram(r, pair):
        return superposed_squares(weight_gradient(r, pair), factor)
    form = Form.from_pair(pair, factor)
    a, b = np.moveaxis(pair.mantissa, -3, 0)
    R = flat(r.gram)[..., 0, :]
    aa, bb = np.moveaxis(flat(pair.gram), -2, 0)
    raa, rab, rbb = (np.vecdot(R, D).astype(np.float64)[..., None] for D in (aa, flat(a @ b.swapaxes(-1, -2)), bb))
    squares = form(raa, rab, rbb)
    size_a, size_b = np.moveaxis(np.sqrt(pair.gram_norm), -1, 0)[..., None]
    cancelled = squares <= CANCELLED * r.gram_norm * form(size_a**2, size_a * size_b, size_b**2)
    cancelled |= squares < RISKY[r.mantissa.dtype]
    return by_forming(r, delta, cancelled, squares, r.exponent + form.exponent)


@dataclass(frozen=True)
class Form:
    """The coefficients of α·a + b = (a · mantissa of a + b · mantissa of b) · 2^exponent; each (…, lanes), float64."""

    a: Array
    b: Array
    exponent: Array

    @classmethod
    def from_pair(cls, pair: Scaled, factor: Scaled) -> "Form":
        """The coefficients of a pair (…, 2, batch, width) and a factor (…, lanes, 1, 1)."""
        exponent_a, exponent_b = pair.exponent[..., :1] + factor.exponent, pair.exponent[..., 1:]
        exponent = np.maximum(exponent_a, exponent_b)
        alpha = factor.mantissa[..., 0, 0].astype(np.float64)
        return cls(
            np.ldexp(alpha, np.maximum(exponent_a - exponent, LOWEST_POWER)),
            np.ldexp(1.0, np.maximum(exponent_b - exponent, LOWEST_POWER)),
            exponent,
        )

    def __call__(self, aa: Array, ab: Array | float, bb: Array) -> Array:
        """The squared norm from ‖a‖², ⟨a, b⟩ and ‖b‖² of the mantissas."""
        return self.a * self.a * aa + 2 * self.a * self.b * ab + self.b * self.b * bb
