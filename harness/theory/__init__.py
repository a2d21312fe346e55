"""What theory predicts: mean field, finite width, death at birth, and a network layer by layer."""

from harness.theory.birth import born_dead, born_dead_both_signs, silent_on_batch
from harness.theory.closed_forms import (
    erf_product,
    erf_second_moment,
    erf_slope_product,
    straight_product,
    straight_second_moment,
    straight_slope_product,
)
from harness.theory.finite_width import Law, gaussian_linear, gaussian_relu, lyapunov_exponents, orthogonal_relu

__all__ = [
    "Law",
    "born_dead",
    "born_dead_both_signs",
    "erf_product",
    "erf_second_moment",
    "erf_slope_product",
    "gaussian_linear",
    "gaussian_relu",
    "lyapunov_exponents",
    "orthogonal_relu",
    "silent_on_batch",
    "straight_product",
    "straight_second_moment",
    "straight_slope_product",
]
