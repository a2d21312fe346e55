"""Costs: each a function of the outputs r = r[L] and the targets y that returns the cost and its gradient ∂C/∂r[L].

Both arrays are `Scaled` (…, batch, width). A cost returns log10 of C (of its magnitude, where it may be negative), (…),
and ∂C/∂r, (…, batch, width), where the backward pass starts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np

from harness.base.arrays import LOG10_2, Array, log10_of
from harness.base.scaled import KEPT, Scaled, from_ln, normalised, shifted
from harness.networks.data import TARGET_KINDS

REACH = 2.0**39  # logits further apart than this count as infinitely far apart: beyond, exponents are those of zero
NEAR = 300.0  # logits up to this have e^logit and all ratios of those within float64, which ends at e^±708
LN_2 = log(2)


@dataclass(frozen=True)
class Cost:
    """A cost and what the rest of the harness must know of it."""

    name: str
    gradient: Callable[[Scaled, Scaled], tuple[Array, Scaled]]  # log10 of C, and ∂C/∂r
    summary: str
    fixed_start: bool = False  # ∂C/∂r does not depend on r: networks of any weights start from the same gradient
    applies: str = ""  # softmax or sigmoid, if it applies that to the outputs itself: the output layer is then linear
    targets: tuple[str, ...] = TARGET_KINDS  # those for which it has a meaning


def squared(r: Scaled, y: Scaled) -> tuple[Array, Scaled]:
    """C = mean over the batch of ½‖r − y‖², so ∂C/∂r = (r − y)/batch."""
    batch = _batch(r)
    error = (r - y).normalised()
    return 2 * error.log10_norm + log10_of(0.5 / batch), error * (1 / batch)


def linear(r: Scaled, y: Scaled) -> tuple[Array, Scaled]:
    """C = mean over the batch of ⟨y, r⟩, so ∂C/∂r = y/batch."""
    batch = _batch(r)
    return _log10_total(r * y) - log10_of(batch), y.broadcast_like(r) * (1 / batch)


def total(r: Scaled, y: Scaled) -> tuple[Array, Scaled]:
    """C = sum of r over units and batch, so ∂C/∂r = 1. The targets play no part."""
    ones = Scaled(np.ones_like(r.mantissa), np.zeros_like(r.exponent))
    return _log10_total(r * ones), ones


def cross_entropy(r: Scaled, y: Scaled) -> tuple[Array, Scaled]:
    """C = mean over the batch of −ln softmax(r)[label], so ∂C/∂r = (softmax(r) − y)/batch; y is one-hot.

    1 − softmax(r)[label] is the sum of the other classes, so that a network that is certain keeps its small gradient.
    Source: Bridle 1990.
    """
    near = np.ldexp(r.largest.astype(np.float64), np.minimum(r.exponent, 20)) < NEAR
    if near.all():
        return _of_near_logits(r, y)
    if not near.any():
        return _of_any_logits(r, y)
    with np.errstate(over="ignore", invalid="ignore"):  # of the lanes that are not near
        log10_near, grad_near = _of_near_logits(r, y)
    log10_cost, grad = _of_any_logits(r, y)
    mantissa = np.where(near[..., None, None], grad_near.mantissa, grad.mantissa)
    return np.where(near, log10_near, log10_cost), Scaled(mantissa, np.where(near, grad_near.exponent, grad.exponent))


def _of_near_logits(r: Scaled, y: Scaled) -> tuple[Array, Scaled]:
    """`cross_entropy` where no logit is beyond ±NEAR, so that no probability leaves float64."""
    e = np.exp(shifted(r.mantissa.astype(np.float64), r.exponent))
    label = y.mantissa > 0
    right = np.vecdot(e, label)[..., None]
    wrong = np.vecdot(e, ~label)[..., None]
    error = np.where(label, -wrong, e) / (right + wrong)  # softmax − onehot
    mantissa, exponent = normalised(error, np.zeros_like(r.exponent), keep=KEPT[r.dtype])
    grad = Scaled(mantissa.astype(r.dtype, copy=False), exponent) * (1 / _batch(r))
    return log10_of(np.log1p(wrong / right).mean(axis=(-2, -1))), grad


def _of_any_logits(r: Scaled, y: Scaled) -> tuple[Array, Scaled]:
    """`cross_entropy` of any logits, in logarithms of the probabilities."""
    z, label = r.mantissa.astype(np.float64), y.mantissa > 0
    top = np.where(label, -np.inf, z).max(axis=-1, keepdims=True)  # the largest logit of a wrong class
    below_top = np.where(label, -np.inf, _ordinary(Scaled(z - top, r.exponent)))  # ln of e^z / e^top
    ln_wrong = np.log(np.exp(below_top).sum(axis=-1, keepdims=True))  # ln of Σ e^z / e^top over the wrong classes
    right = np.where(label, z, 0).sum(axis=-1, keepdims=True)
    # ln of the odds against the label
    odds = Scaled(top - right, r.exponent) + Scaled(ln_wrong, np.zeros_like(r.exponent))
    ln_miss = _ln_sigmoid(_ordinary(odds))  # ln(1 − softmax[label])
    ln_size = np.where(label, ln_miss, ln_miss + below_top - ln_wrong)  # of softmax − onehot
    return _log10_mean_softplus(odds), _gradient(ln_size, np.where(label, -1, 1), r)


def binary_cross_entropy(r: Scaled, y: Scaled) -> tuple[Array, Scaled]:
    """C = mean over the batch of −Σ [y ln p + (1 − y) ln(1 − p)], p = sigmoid(r), so ∂C/∂r = (p − y)/batch.

    The sum is over the outputs, y is 0 or 1, and 1 − p is sigmoid(−r), so that nothing cancels.
    """
    sign = np.where(y.mantissa > 0, -1.0, 1.0)
    odds = Scaled(sign * r.mantissa, r.exponent)  # ln of the odds against the target
    return _log10_mean_softplus(odds), _gradient(_ln_sigmoid(_ordinary(odds)), sign, r)  # of sigmoid − y


COSTS = {
    cost.name: cost
    for cost in (
        Cost("squared", squared, "mean of ½‖y_hat − y‖²"),
        Cost(
            "linear",
            linear,
            "mean of ⟨y, y_hat⟩, whose gradient with respect to the outputs does not depend on the weights",
            fixed_start=True,
            targets=("gaussian", "labels", "ones"),
        ),
        Cost(
            "cross_entropy",
            cross_entropy,
            "mean of −ln softmax(z)[label], z the preactivations of the output layer",
            applies="softmax",
            targets=("labels",),
        ),
        Cost(
            "binary_cross_entropy",
            binary_cross_entropy,
            "mean of −Σ ln of the probability sigmoid(±z) of each target, 0 or 1",
            applies="sigmoid",
            targets=("labels", "zeros", "ones"),
        ),
        Cost("sum", total, "sum of all outputs, as PyTorch's out.sum(): starts from ones", fixed_start=True),
    )
}


def _batch(r: Scaled) -> int:
    return r.mantissa.shape[-2]


def _log10_total(products: Scaled) -> Array:
    """log10 of the magnitude of the sum over units and batch, (…)."""
    products = products.normalised()
    magnitude = np.abs(products.mantissa.sum(axis=(-2, -1), keepdims=True))
    return Scaled(magnitude, products.exponent).log10_norm


def _gradient(ln_size: Array, sign: Array, r: Scaled) -> Scaled:
    """∂C/∂r from the probabilities' distances to the targets: ln of their sizes, and their signs."""
    return from_ln(np.where(ln_size <= -REACH, -np.inf, ln_size), sign, r.dtype) * (1 / _batch(r))


def _ordinary(a: Scaled) -> Array:
    """The numbers themselves in float64, those beyond ±REACH brought to it."""
    with np.errstate(over="ignore"):
        return np.clip(shifted(a.mantissa.astype(np.float64), a.exponent), -REACH, REACH)


def _ln_sigmoid(z: Array) -> Array:
    return -np.logaddexp(0, -z)


def _log10_mean_softplus(odds: Scaled) -> Array:
    """log10 of the mean over the batch of Σ ln(1 + e^odds), (…), over any range: max(odds, 0) + ln(1 + e^−|odds|)."""
    far = Scaled(np.maximum(odds.mantissa, 0, dtype=np.float64), odds.exponent).normalised()
    log10_far = log10_of(far.mantissa.sum(axis=(-2, -1))) + far.exponent * LOG10_2
    distance = -np.abs(_ordinary(odds))
    ln_near = np.where(distance < -40, distance, np.log(np.log1p(np.exp(np.maximum(distance, -40)))))
    near = np.logaddexp.reduce(ln_near.reshape(*ln_near.shape[:-2], -1), axis=-1)
    ln_sum = np.logaddexp(log10_far / LOG10_2 * LN_2, near)
    return ln_sum / LN_2 * LOG10_2 - log10_of(_batch(odds))
