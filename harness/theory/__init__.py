"""Predictions of theory: mean field, finite width, networks dead before training, and networks layer by layer."""

from harness.theory import edge as _edge
from harness.theory import mean_field as _maps
from harness.theory.birth import born_dead, born_dead_both_signs, sampled_both_signs, silent_on_batch
from harness.theory.edge import edge_scale
from harness.theory.finite_width import Law, gaussian_linear, gaussian_relu, lyapunov_exponents, orthogonal_relu
from harness.theory.layerwise import Prediction, predict
from harness.theory.mean_field import MeanField, depth_scale
from harness.theory.moments.closed_forms import (
    erf_product,
    erf_second_moment,
    erf_slope_product,
    homogeneous_product,
    homogeneous_second_moment,
    homogeneous_slope_product,
)
from harness.theory.named import by_name

# Of an activation, or of its name.
critical_sigma_w = by_name(_edge.critical_sigma_w)
least_sigma_b = by_name(_edge.least_sigma_b)
typical_slope = by_name(_edge.typical_slope)
edges_at_width = by_name(_edge.edges_at_width)
mean_field = by_name(_maps.mean_field)
length_map = by_name(_maps.length_map)
length_map_derivative = by_name(_maps.length_map_derivative)
chi_1 = by_name(_maps.chi_1)
fixed_point = by_name(_maps.fixed_point)
correlation_map = by_name(_maps.correlation_map)
correlation_fixed_point = by_name(_maps.correlation_fixed_point)

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
    "edges_at_width",
    "erf_product",
    "erf_second_moment",
    "erf_slope_product",
    "fixed_point",
    "gaussian_linear",
    "gaussian_relu",
    "homogeneous_product",
    "homogeneous_second_moment",
    "homogeneous_slope_product",
    "least_sigma_b",
    "length_map",
    "length_map_derivative",
    "lyapunov_exponents",
    "mean_field",
    "orthogonal_relu",
    "predict",
    "sampled_both_signs",
    "silent_on_batch",
    "typical_slope",
]
