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
from harness.theory.edge import critical_sigma_w, edge_scale
from harness.theory.finite_width import Law, gaussian_linear, gaussian_relu, lyapunov_exponents, orthogonal_relu
from harness.theory.layerwise import Prediction, predict
from harness.theory.mean_field import (
    MeanField,
    chi_1,
    correlation_fixed_point,
    correlation_map,
    depth_scale,
    fixed_point,
    length_map,
    length_map_slope,
    mean_field,
)

__all__ = [
    "Law",
    "MeanField",
    "Prediction",
    "born_dead",
    "born_dead_both_signs",
    "chi_1",
    "correlation_fixed_point",
    "correlation_map",
    "critical_sigma_w",
    "depth_scale",
    "edge_scale",
    "erf_product",
    "erf_second_moment",
    "erf_slope_product",
    "fixed_point",
    "gaussian_linear",
    "gaussian_relu",
    "length_map",
    "length_map_slope",
    "lyapunov_exponents",
    "mean_field",
    "orthogonal_relu",
    "predict",
    "silent_on_batch",
    "straight_product",
    "straight_second_moment",
    "straight_slope_product",
]
