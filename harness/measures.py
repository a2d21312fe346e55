"""Measures: one function a column, of what was summed of the layers on the way up or on the way down.

A measure takes the sums of all layers at once and returns one number per layer and lane. Norms are log10 (decades);
shares are fractions in [0, 1]; a ratio of two zeros is NaN, and the log10 of a true zero is −inf. All norms are over
the whole batch.
"""

from collections.abc import Callable

import numpy as np

from harness.scaled import LOG10_2, log10_of, log10_ratio
from harness.sums import DownSums, Samples, Squares, UpSums

Array = np.ndarray

# On the way up: (layers, replicates, lanes) --------------------------------------------------------------------------


def log10_norm_weights(up: UpSums) -> Array:
    """log10 ‖W[k−1]‖_F"""
    return log10_of(up.weights) / 2


def log10_rms_outputs(up: UpSums) -> Array:
    """log10 of the root mean square of r[k]"""
    return _log10_root(up.outputs) - log10_of(up.slopes) / 2


def slope_mean(up: UpSums) -> Array:
    """mean of phi'(z[k]) over units and batch: for ReLU the share of ones"""
    return up.slope_total / up.slopes


def slope_rms(up: UpSums) -> Array:
    """root mean square of phi'(z[k]) over units and batch"""
    return np.ldexp(np.sqrt(up.slope_squares.squares / up.slopes), up.slope_squares.exponent)


def dead_fraction(up: UpSums) -> Array:
    """share of units that pass no gradient for any sample of the batch (ReLU: z ≤ 0 for all, whatever `at_zero`)"""
    return up.silent


def saturated_fraction(up: UpSums) -> Array:
    """share of (unit, sample) pairs with a slope under 1 % of the activation's largest"""
    return up.saturated / up.slopes


def output_cosine(up: UpSums) -> Array:
    """mean cosine between two samples' r[k], weighted by length"""
    return _mean_cosine(up.outputs)


# On the way down: (layers, depths, replicates, lanes) ----------------------------------------------------------------


def log10_grad_weights(down: DownSums) -> Array:
    """log10 ‖∂C/∂W[k−1]‖_F"""
    return _log10_root(down.grad_weights)


def log10_grad_biases(down: DownSums) -> Array:
    """log10 ‖∂C/∂b[k−1]‖, recorded also where there are no biases"""
    return log10_of(down.delta.total) / 2 + down.delta.exponent * LOG10_2


def log10_grad_preactivations(down: DownSums) -> Array:
    """log10 ‖∂C/∂z[k]‖_F"""
    return _log10_root(down.delta)


def log10_grad_outputs(down: DownSums) -> Array:
    """log10 ‖∂C/∂r[k]‖_F"""
    return _log10_root(down.grad_r)[1:]


def log10_max_grad_preactivations(down: DownSums) -> Array:
    """log10 of the largest magnitude in ∂C/∂z[k]: what a number format must hold"""
    return log10_of(down.largest) + down.delta.exponent * LOG10_2


def log10_activation_factor(down: DownSums) -> Array:
    """log10 ‖∂C/∂z[k]‖/‖∂C/∂r[k]‖: the share of Step, or of y(1−y)"""
    return log10_ratio(_log10_root(down.delta), _log10_root(down.grad_r)[1:])


def log10_weight_factor(down: DownSums) -> Array:
    """log10 ‖∂C/∂r[k−1]‖/‖∂C/∂z[k]‖: the share of the weights"""
    return log10_ratio(_log10_root(down.grad_r)[:-1], _log10_root(down.delta))


def delta_cosine(down: DownSums) -> Array:
    """mean cosine between two samples' ∂C/∂z[k], weighted by length"""
    return _mean_cosine(down.delta)


Measure = Callable[[UpSums], Array] | Callable[[DownSums], Array]

FORWARD = {measure.__name__: measure for measure in (
    log10_norm_weights, log10_rms_outputs, slope_mean, slope_rms, dead_fraction, saturated_fraction,
    output_cosine)}  # fmt: skip
BACKWARD = {measure.__name__: measure for measure in (
    log10_grad_weights, log10_grad_biases, log10_grad_preactivations, log10_grad_outputs,
    log10_max_grad_preactivations, log10_activation_factor, log10_weight_factor, delta_cosine)}  # fmt: skip
MEASURES: dict[str, Measure] = BACKWARD | FORWARD


def _log10_root(sums: Squares) -> Array:
    return log10_of(sums.squares) / 2 + sums.exponent * LOG10_2


def _mean_cosine(a: Samples) -> Array:
    """Σ_{i≠j} ⟨a_i, a_j⟩ / Σ_{i≠j} |a_i||a_j| over the samples of the batch; nan where fewer than two are not 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (a.total - a.squares) / (a.lengths * a.lengths - a.squares)
    return np.where(a.dwarfed(a.lengths, a.squares), a.beside_one, cosine)
