"""Measures: one function a column, from what a layer holds on the way up or on the way down.

A measure returns one number per lane. Norms are log10 (decades); shares are fractions in [0, 1]; a ratio of two zeros
is NaN, and the log10 of a true zero is −inf. All norms are over the whole batch.
"""

from collections.abc import Callable

import numpy as np

from harness.backprop import BackwardLayer, Layer, weight_gradient
from harness.scaled import CANCELLED, LOG10_2, RISKY, Scaled, count, flat, largest, log10_of, log10_ratio

Array = np.ndarray

SATURATED = 0.01  # a slope under this share of the activation's largest counts as saturated

# On the way up: functions of a Layer, (replicates, lanes) ------------------------------------------------------------


def log10_norm_weights(layer: Layer) -> Array:
    """log10 ‖W[k−1]‖_F"""
    return layer.log10_norm_W


def log10_rms_outputs(layer: Layer) -> Array:
    """log10 of the root mean square of r[k]"""
    return layer.r.log10_norm - log10_of(_size(layer.r.mantissa)) / 2


def slope_mean(layer: Layer) -> Array:
    """mean of phi'(z[k]) over units and batch: for ReLU the share of ones"""
    return layer.slope_mean


def slope_rms(layer: Layer) -> Array:
    """root mean square of phi'(z[k]) over units and batch"""
    if layer.slope.dtype == bool:
        return np.sqrt(layer.slope_mean)
    slope = Scaled(layer.slope, np.zeros(layer.slope.shape[:-2], np.int64))
    return 10**slope.log10_norm / np.sqrt(_size(layer.slope))


def dead_fraction(layer: Layer) -> Array:
    """share of units that pass no gradient for any sample of the batch (ReLU: z ≤ 0 for all, whatever `at_zero`)"""
    if layer.silent is None:
        return np.zeros(layer.slope.shape[:-2])
    return np.logical_and.reduce(layer.silent, axis=-2).mean(axis=-1)  # batch, then units


def saturated_fraction(layer: Layer) -> Array:
    """share of (unit, sample) pairs with a slope under 1 % of the activation's largest"""
    if layer.slope.dtype == bool:
        return 1 - layer.slope_mean
    return count(flat(np.abs(layer.slope) < SATURATED * layer.activation.slope_bound)) / _size(layer.slope)


def output_cosine(layer: Layer) -> Array:
    """mean cosine between two samples' r[k], weighted by length"""
    return _mean_cosine(layer.r)


# On the way down: functions of a BackwardLayer, (depths, replicates, lanes) ------------------------------------------


def log10_grad_weights(layer: BackwardLayer) -> Array:
    """log10 ‖∂C/∂W[k−1]‖_F

    ‖rᵀδ‖² = Σ_ij R_ij D_ij with the Gram matrices R = r rᵀ and D = δ δᵀ, each (batch, batch): ∂C/∂W is never formed,
    unless the batch is so large that forming it is cheaper, or the sum cancels.
    """
    r, delta = layer.r_below, layer.delta
    batch, fan_in, fan_out = r.mantissa.shape[-2], r.mantissa.shape[-1], delta.mantissa.shape[-1]
    if batch * (fan_in + fan_out) > fan_in * fan_out:
        return weight_gradient(r, delta).log10_norm
    return _log10_weight_gradient_by_gram(r, delta)


def log10_grad_biases(layer: BackwardLayer) -> Array:
    """log10 ‖∂C/∂b[k−1]‖, recorded also where there are no biases"""
    return Scaled(layer.delta.total[..., None, :], layer.delta.exponent).log10_norm


def log10_grad_preactivations(layer: BackwardLayer) -> Array:
    """log10 ‖∂C/∂z[k]‖_F"""
    return layer.delta.log10_norm


def log10_grad_outputs(layer: BackwardLayer) -> Array:
    """log10 ‖∂C/∂r[k]‖_F"""
    return layer.grad_r.log10_norm


def log10_max_grad_preactivations(layer: BackwardLayer) -> Array:
    """log10 of the largest magnitude in ∂C/∂z[k]: what a number format must hold"""
    return layer.delta.log10_largest


def log10_activation_factor(layer: BackwardLayer) -> Array:
    """log10 ‖∂C/∂z[k]‖/‖∂C/∂r[k]‖: the share of Step, or of y(1−y)"""
    return log10_ratio(layer.delta.log10_norm, layer.grad_r.log10_norm)


def log10_weight_factor(layer: BackwardLayer) -> Array:
    """log10 ‖∂C/∂r[k−1]‖/‖∂C/∂z[k]‖: the share of the weights"""
    return log10_ratio(layer.grad_below.log10_norm, layer.delta.log10_norm)


def delta_cosine(layer: BackwardLayer) -> Array:
    """mean cosine between two samples' ∂C/∂z[k], weighted by length"""
    return _mean_cosine(layer.delta)


Measure = Callable[[Layer], Array] | Callable[[BackwardLayer], Array]

FORWARD = {measure.__name__: measure for measure in (
    log10_norm_weights, log10_rms_outputs, slope_mean, slope_rms, dead_fraction, saturated_fraction,
    output_cosine)}  # fmt: skip
BACKWARD = {measure.__name__: measure for measure in (
    log10_grad_weights, log10_grad_biases, log10_grad_preactivations, log10_grad_outputs,
    log10_max_grad_preactivations, log10_activation_factor, log10_weight_factor, delta_cosine)}  # fmt: skip
MEASURES: dict[str, Measure] = BACKWARD | FORWARD


def _size(a: Array) -> int:
    return a.shape[-1] * a.shape[-2]


def _mean_cosine(a: Scaled) -> Array:
    """Σ_{i≠j} ⟨a_i, a_j⟩ / Σ_{i≠j} |a_i||a_j| over the samples of the batch."""
    if a.mantissa.shape[-2] == 1:
        return np.full(a.exponent.shape, np.nan)
    total = a.total.astype(np.float64, copy=False)
    products = np.vecdot(total, total) - a.squares
    lengths = np.sqrt(a.lengths)
    others = np.add.reduce(lengths, axis=-1, keepdims=True) - lengths  # exactly 0 for the only one that is not 0
    weights = np.vecdot(lengths, others)
    dominated = weights < CANCELLED * a.squares
    with np.errstate(invalid="ignore", divide="ignore"):
        result = products / weights
    if np.logical_or.reduce(dominated, axis=None):
        result[dominated] = _mean_cosine_beside_one(a.mantissa[dominated].astype(np.float64))
    return result


def _mean_cosine_beside_one(a: Array) -> Array:
    """The same, (n,), for a (n, batch, width) in which the others are lost in the rounding of one long sample."""
    longest = np.vecdot(a, a).argmax(axis=-1)[:, None, None]
    one = np.take_along_axis(a, longest, axis=-2)[:, 0]
    np.put_along_axis(a, longest, 0, axis=-2)  # the others
    top = largest(a)
    a /= np.where(top == 0, 1, top)[:, None, None]
    total, squares = a.sum(axis=-2), np.vecdot(a, a)
    length = np.sqrt(squares).sum(axis=-1)
    products = 2 * np.vecdot(one, total) + top * (np.vecdot(total, total) - squares.sum(axis=-1))
    weights = 2 * np.sqrt(np.vecdot(one, one)) * length + top * (np.square(length) - squares.sum(axis=-1))
    with np.errstate(invalid="ignore"):
        return products / weights  # nan where there are no others


def _log10_weight_gradient_by_gram(r: Scaled, delta: Scaled) -> Array:
    R, D = flat(r.gram), flat(delta.gram)
    total = np.vecdot(R, D).astype(np.float64, copy=False)
    cancelled = total <= CANCELLED * r.gram_norm * delta.gram_norm  # at least the sum of the magnitudes
    cancelled |= total < RISKY[r.mantissa.dtype]  # long samples of r meet short ones of delta: products underflow
    cancelled &= (r.largest > 0) & (delta.largest > 0)
    result = log10_of(np.maximum(total, 0)) / 2 + (r.exponent + delta.exponent) * LOG10_2
    for head, replicate, lane in zip(*np.nonzero(cancelled), strict=True):
        one = replicate, min(lane, r.exponent.shape[1] - 1)  # one lane of r may serve all of delta
        below = Scaled(r.mantissa[one][None], r.exponent[one][None])
        above = Scaled(delta.mantissa[head, replicate, lane][None], delta.exponent[head, replicate, lane][None])
        result[head, replicate, lane] = weight_gradient(below, above).log10_norm[0]
    return result
