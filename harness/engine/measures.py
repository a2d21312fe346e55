"""Measures: one function per column, of the sums taken in the forward pass or in the backward pass.

A measure takes the sums of all layers at once and returns one number per layer and lane; k is the layer, 1 … depth.
`@measures` states its unit and its meaning, which the page of columns and `harness list` show.

Norms are over the whole batch, in log10 (decades); shares are fractions in [0, 1]. A ratio of two zeros is NaN, and the
log10 of a true zero is −inf.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from harness.base.arrays import LOG10_2, Array, log10_of, log10_ratio
from harness.engine.sums import BackwardSums, ForwardSums, Samples, Squares
from harness.networks.kinds import Table

Sums = TypeVar("Sums", bound=ForwardSums | BackwardSums)


@dataclass(frozen=True)
class Measure(Generic[Sums]):
    """A column of the table `layers`: its name, unit and meaning, and the function that computes it from sums.

    `scales_as` names the built-in measure that a factor on the weights shifts as it shifts this one; it is empty where
    the measure does not depend on such a factor.
    """

    name: str
    unit: str
    meaning: str
    function: Callable[[Sums], Array]
    scales_as: str = ""

    def __call__(self, sums: Sums) -> Array:
        return self.function(sums)


def measures(unit: str, meaning: str, scales_as: str = "") -> Callable[[Callable[[Sums], Array]], Measure[Sums]]:
    """Make a function a measure; the measure has the function's name."""
    return lambda function: Measure(function.__name__, unit, meaning, function, scales_as)


# Forward pass: (layers, replicates, lanes) --------------------------------------------------------------------------


@measures("log10", "‖W[k−1]‖_F")
def log10_norm_weights(forward: ForwardSums) -> Array:
    return log10_of(forward.weights) / 2


@measures("log10", "Root mean square of r[k]")
def log10_rms_outputs(forward: ForwardSums) -> Array:
    return _log10_root(forward.outputs) - log10_of(forward.slopes) / 2


@measures("log10", "Largest magnitude in r[k], which a number format must hold")
def log10_max_outputs(forward: ForwardSums) -> Array:
    return log10_of(forward.outputs_largest) + forward.outputs.exponent * LOG10_2


@measures("output", "Mean of r[k] over units and batch")
def mean_outputs(forward: ForwardSums) -> Array:
    """In units of the root mean square of r[k]; see `in_units`."""
    return _share(forward.outputs_total / np.sqrt(forward.slopes), forward.outputs.squares)


@measures("output", "Standard deviation of r[k] over units and batch")
def std_outputs(forward: ForwardSums) -> Array:
    """In units of the root mean square of r[k]; see `in_units`."""
    return _share(np.sqrt(forward.outputs_variance), forward.outputs.squares)


@measures("slope", "Mean of phi'(z[k]) over units and batch; for ReLU the share of ones")
def slope_mean(forward: ForwardSums) -> Array:
    return forward.slope_total / forward.slopes


@measures("slope", "Root mean square of phi'(z[k]) over units and batch")
def slope_rms(forward: ForwardSums) -> Array:
    return np.ldexp(np.sqrt(forward.slope_squares.squares / forward.slopes), forward.slope_squares.exponent)


@measures(
    "fraction",
    "Share of units that pass no gradient for any sample of the batch (ReLU: z ≤ 0 for all, whatever `at_zero`)",
)
def dead_fraction(forward: ForwardSums) -> Array:
    return forward.silent


@measures("fraction", "Share of (unit, sample) pairs with a slope under 1 % (`saturated_below`) of the largest")
def saturated_fraction(forward: ForwardSums) -> Array:
    return forward.saturated / forward.slopes


@measures("cosine", "Mean cosine between r[k] of two samples, weighted by length")
def output_cosine(forward: ForwardSums) -> Array:
    return _mean_cosine(forward.outputs)


# Backward pass: (layers, depths, replicates, lanes) -----------------------------------------------------------------


@measures("log10", "‖∂C/∂W[k−1]‖_F")
def log10_grad_weights(backward: BackwardSums) -> Array:
    return _log10_root(backward.grad_weights)


@measures("log10", "Mean of |∂C/∂W[k−1]| over its entries; null unless the config has `mean_abs_grad_weights: true`")
def mean_abs_grad_weights(backward: BackwardSums) -> Array:
    """Of sums that were taken with `means`."""
    mean = backward.grad_weights_mean
    assert mean is not None
    return log10_of(mean.squares) + mean.exponent * LOG10_2


@measures("log10", "‖∂C/∂b[k−1]‖, recorded also where there are no biases")
def log10_grad_biases(backward: BackwardSums) -> Array:
    return log10_of(backward.delta.total) / 2 + backward.delta.exponent * LOG10_2


@measures("log10", "‖∂C/∂z[k]‖_F")
def log10_grad_preactivations(backward: BackwardSums) -> Array:
    return _log10_root(backward.delta)


@measures("log10", "‖∂C/∂r[k]‖_F")
def log10_grad_outputs(backward: BackwardSums) -> Array:
    return _log10_root(backward.grad_r)[1:]


@measures("log10", "Largest magnitude in ∂C/∂z[k], which a number format must hold")
def log10_max_grad_preactivations(backward: BackwardSums) -> Array:
    return log10_of(backward.largest) + backward.delta.exponent * LOG10_2


@measures("decades", "‖∂C/∂z[k]‖ / ‖∂C/∂r[k]‖: the share of Step, or of y(1−y)")
def log10_activation_factor(backward: BackwardSums) -> Array:
    return log10_ratio(_log10_root(backward.delta), _log10_root(backward.grad_r)[1:])


@measures("decades", "‖∂C/∂r[k−1]‖ / ‖∂C/∂z[k]‖: the share of the weights")
def log10_weight_factor(backward: BackwardSums) -> Array:
    return log10_ratio(_log10_root(backward.grad_r)[:-1], _log10_root(backward.delta))


@measures("cosine", "Mean cosine between ∂C/∂z[k] of two samples, weighted by length")
def delta_cosine(backward: BackwardSums) -> Array:
    return _mean_cosine(backward.delta)


_FORWARD: dict[str, Measure[ForwardSums]] = {
    entry.name: entry
    for entry in (
        log10_norm_weights,
        log10_rms_outputs,
        log10_max_outputs,
        mean_outputs,
        std_outputs,
        slope_mean,
        slope_rms,
        dead_fraction,
        saturated_fraction,
        output_cosine,
    )
}
_BACKWARD: dict[str, Measure[BackwardSums]] = {
    entry.name: entry
    for entry in (
        log10_grad_weights,
        log10_grad_biases,
        log10_grad_preactivations,
        log10_grad_outputs,
        log10_max_grad_preactivations,
        log10_activation_factor,
        log10_weight_factor,
        delta_cosine,
    )
}
FORWARD, BACKWARD = Table("forward", _FORWARD), Table("backward", _BACKWARD)
MEASURES: Table[Measure[BackwardSums] | Measure[ForwardSums]] = Table("measures", {**_BACKWARD, **_FORWARD})

# Columns that cost time, which a config asks for.
ON_REQUEST = {mean_abs_grad_weights.name: mean_abs_grad_weights}


def of_backward(sums: BackwardSums) -> dict[str, Array]:
    """Every measure of the backward pass, and those on request whose sums were taken."""
    asked = ON_REQUEST if sums.grad_weights_mean is not None else {}
    return {name: measure(sums) for name, measure in (*BACKWARD.items(), *asked.items())}


def with_own(shifts: dict[str, Array]) -> dict[str, Array]:
    """Shifts of built-in measures, and beside each that of the user's own measures that scale as it does."""
    return shifts | {name: shifts[own.scales_as] for name, own in MEASURES.own.items() if own.scales_as in shifts}


IN_RMS_OUTPUTS = ("mean_outputs", "std_outputs")  # computed in units of the root mean square of r[k]


def in_units(columns: dict[str, Array]) -> dict[str, Array]:
    """The columns with outputs in their own unit, not in that of their root mean square, once that is known.

    10^400 is infinite, and 10^-400 is 0: `log10_rms_outputs` holds both.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rms = 10 ** columns["log10_rms_outputs"]
        shares = {name: columns[name] for name in IN_RMS_OUTPUTS}
        return columns | {name: np.where((rms == 0) | (of == 0), 0.0, of * rms) for name, of in shares.items()}


def _share(root: Array, squares: Array) -> Array:
    """root / √squares, and 0 where both are 0."""
    return np.divide(root, np.sqrt(squares), out=np.zeros_like(root), where=squares > 0)


def _log10_root(sums: Squares) -> Array:
    return log10_of(sums.squares) / 2 + sums.exponent * LOG10_2


def _mean_cosine(a: Samples) -> Array:
    """Σ_{i≠j} ⟨a_i, a_j⟩ / Σ_{i≠j} |a_i||a_j| over the samples of the batch; nan where fewer than two are not 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (a.total - a.squares) / (a.lengths * a.lengths - a.squares)
    return np.where(a.dwarfed(a.lengths, a.squares), a.beside_one, cosine)
