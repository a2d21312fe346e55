"""Superposition: backpropagation is linear, so what starts from α·a + b is α times what starts from a, and what starts
from b.

Lanes that differ by a factor only (`Group.scales`) have the same slopes, and under the squared cost start from α·r − y,
α the product of a lane's gains: two lanes, from r and from −y, carry all of them. Norms of sums are quadratic forms,

    ‖α·a + b‖² = α²‖a‖² + 2α⟨a, b⟩ + ‖b‖²,

taken in float64, and again from the sum itself where they cancel. A pair is (…, 2, batch, width), a and b; α is
`factor`, (…, lanes, 1, 1).
"""

from dataclasses import dataclass

import numpy as np

from harness.backprop import weight_gradient
from harness.gram import by_forming, by_gram
from harness.scaled import CANCELLED, RISKY, Scaled, any_of, flat

Array = np.ndarray


def superposed(pair: Scaled, factor: Scaled) -> Scaled:
    """α·a + b, (…, lanes, batch, width), normalised: in one pass, as a product by (…, lanes, 1, 2)."""
    form = Form.of(pair, factor)
    weights = np.stack([form.a, form.b], axis=-1).astype(pair.mantissa.dtype)[..., None, :]
    mantissa = weights @ flat(pair.mantissa)[..., None, :, :]
    return Scaled(mantissa.reshape(*form.exponent.shape, *pair.mantissa.shape[-2:]), form.exponent).normalised()


def superposed_squares(pair: Scaled, factor: Scaled) -> tuple[Array, Array]:
    """‖α·a + b‖² and its exponent, (…, lanes)."""
    form = Form.of(pair, factor)
    a, b = np.moveaxis(flat(pair.mantissa), -2, 0)
    aa, ab, bb = (np.vecdot(*two).astype(np.float64)[..., None] for two in ((a, a), (a, b), (b, b)))
    squares, exponent = form(aa, ab, bb), form.exponent
    lost = squares < CANCELLED * form(aa, 0, bb)
    if any_of(lost):
        again, its_exponent = superposed(pair, factor).safe_squares
        squares, exponent = np.where(lost, again, squares), np.where(lost, its_exponent, exponent)
    return squares, exponent


def superposed_weight_gradient_squares(r: Scaled, pair: Scaled, factor: Scaled, delta: Scaled) -> tuple[Array, Array]:
    """‖rᵀδ‖² of δ = α·a + b, and its exponent, (…, lanes)."""
    if not by_gram(*r.mantissa.shape[-2:], pair.mantissa.shape[-1]):
        return superposed_squares(weight_gradient(r, pair), factor)
    form = Form.of(pair, factor)
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
    """α·a + b = (a's share of it, and b's) · 2^exponent; each (…, lanes), float64."""

    a: Array
    b: Array
    exponent: Array

    @classmethod
    def of(cls, pair: Scaled, factor: Scaled) -> "Form":
        of_a, of_b = pair.exponent[..., :1] + factor.exponent, pair.exponent[..., 1:]
        exponent = np.maximum(of_a, of_b)
        alpha = factor.mantissa[..., 0, 0].astype(np.float64)
        return cls(np.ldexp(alpha, np.maximum(of_a - exponent, -5000)),
                   np.ldexp(1.0, np.maximum(of_b - exponent, -5000)), exponent)  # fmt: skip

    def __call__(self, aa: Array, ab: Array | float, bb: Array) -> Array:
        """The quadratic form of ‖a‖², ⟨a, b⟩ and ‖b‖²."""
        return self.a * self.a * aa + 2 * self.a * self.b * ab + self.b * self.b * bb
