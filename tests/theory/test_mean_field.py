"""Mean field: the published digits, closed forms, high-precision arithmetic, and no answer where there is none.

Guards against quadrature that only seems to converge (saturated units, kinks), fixed points found by too few
iterations near criticality, a closed form with a factor left out, and an answer outside of the domain.
"""

from itertools import pairwise
from math import exp, log, pi, sqrt

import mpmath as mp
import numpy as np
import pytest
from nets import CHOICES, choice, label

from harness.base.errors import DomainError
from harness.base.quadrature import expectation, graded, pair_expectation
from harness.networks.activations import ACTIVATIONS, Activation
from harness.networks.spec import activation_labelled, activation_of
from harness.theory import (
    chi_1,
    correlation_fixed_point,
    correlation_map,
    critical_sigma_w,
    depth_scale,
    edge_scale,
    erf_product,
    erf_second_moment,
    erf_slope_product,
    fixed_point,
    homogeneous_product,
    homogeneous_slope_product,
    least_sigma_b,
    length_map,
    length_map_derivative,
    mean_field,
)
from harness.theory.mean_field import one_sided_slopes, product, second_moment, slope_second_moment
from harness.theory.moments.closed_forms import erf_half_square_difference
from harness.theory.moments.curves import Moments

TANH, SIGMOID, ERF, RELU = (ACTIVATIONS[name]() for name in ("tanh", "sigmoid", "erf", "relu"))
every = pytest.mark.parametrize("chosen", CHOICES, ids=label)

# Published digits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "activation, sigma_w, sigma_b, q, chi, slope",
    [
        (TANH, 1.3, 0.3, 0.607047, 0.939807, -0.01348),
        (ERF, 1.5, 0.3, 1.219169, 1.181753, +0.03626),
        (SIGMOID, 1.0, 0.0, 0.264687, 0.055721, -0.62699),
        (SIGMOID, sqrt(2), 0.0, 0.555290, 0.100977, -0.49789),
    ],
)
def test_the_table_of_fixed_points(activation, sigma_w, sigma_b, q, chi, slope):
    at = mean_field(activation, sigma_w, sigma_b)
    assert (at.q_star, at.chi_1) == (pytest.approx(q, abs=5.1e-7), pytest.approx(chi, abs=5.1e-7))  # the last digit
    assert at.slope_per_layer == pytest.approx(slope, abs=5.1e-6)


@pytest.mark.parametrize(
    "activation, sigma_b, sigma_w",
    [
        (RELU, 0.0, sqrt(2)),
        (TANH, 0.0, 1.0),
        (TANH, 0.1, 1.19340),
        (TANH, 0.3, 1.39558),
        (SIGMOID, 0.0, 10.1493),
    ],
)
def test_the_edge_of_chaos(activation, sigma_b, sigma_w):
    found = critical_sigma_w(activation, sigma_b)
    assert found == pytest.approx(sigma_w, abs=5.1e-6 if sigma_w < 2 else 5.1e-5)
    if sigma_w not in (1.0, sqrt(2)):  # else lengths stay or vanish, and no fixed point has an angle
        at = mean_field(activation, found, sigma_b)
        assert at.chi_1 == pytest.approx(1, abs=1e-10)
        assert at.xi_c > 1e8 and at.c_star == pytest.approx(1, abs=1e-8)


def test_relu_multiplies_lengths_and_gradients_alike():
    for q in (1e-20, 1.0, 1e20):
        assert chi_1(RELU, 1.3, q) == pytest.approx(1.3**2 / 2, rel=1e-12)
        assert length_map(RELU, q, 1.3, 0.0) == pytest.approx(1.3**2 / 2 * q, rel=1e-12)
    assert mean_field(RELU, 1.2, 0.3).q_star == pytest.approx(0.09 / (1 - 0.72), rel=1e-12)


# High precision: 30 digits, each integral split where φ bends; Newton's method instead of a bracket ------------------


def exact(phi, slope, sigma_w2, sigma_b2, start):
    """q* and χ₁ by mpmath, 30 digits."""
    with mp.workdps(30):
        sigma_w2, sigma_b2 = mp.mpf(sigma_w2), mp.mpf(sigma_b2)
        ends = [-16, -8, -4, -2, -1, -0.5, -0.1, 0, 0.1, 0.5, 1, 2, 4, 8, 16]

        def mean(f, q):
            return mp.quad(lambda g: f(mp.sqrt(q) * g) * mp.npdf(g), ends)

        def excess(q):
            return sigma_w2 * mean(lambda z: phi(z) ** 2, q) + sigma_b2 - q

        q = mp.findroot(excess, (start, start * 1.01), solver="secant", tol=1e-50)
        return q, sigma_w2 * mean(lambda z: slope(z) ** 2, q)


def mp_sigmoid(z):
    return 1 / (1 + mp.exp(-z))


@pytest.mark.slow
@pytest.mark.parametrize(
    "activation, sigma_w2, sigma_b2, start",
    [
        (SIGMOID, "100", "0", 44),
        (TANH, "1.7347", "0.05", 0.55),
        (TANH, "1.7959", "0.05", 0.59),
    ],
)
def test_saturated_and_near_criticality_against_mpmath(activation, sigma_w2, sigma_b2, start):
    pair = (
        (mp_sigmoid, lambda z: mp_sigmoid(z) * mp_sigmoid(-z))
        if activation is SIGMOID
        else (mp.tanh, lambda z: mp.sech(z) ** 2)
    )
    q, chi = exact(*pair, sigma_w2, sigma_b2, start)
    at = mean_field(activation, sqrt(float(sigma_w2)), sqrt(float(sigma_b2)))
    assert at.q_star == pytest.approx(float(q), rel=1e-11)
    assert at.chi_1 == pytest.approx(float(chi), rel=1e-11)
    # ξ of the gradient diverges: what is left of χ₁'s digits beside 1 is all of them but two
    assert log(at.chi_1) == pytest.approx(float(mp.log(chi)), rel=1e-9)


def test_depth_scales_that_diverge():
    """ξ_c grows without bound towards the edge from either side, and obeys ξ_c = −1/ln χ₁ below it."""
    edge = critical_sigma_w(TANH, sqrt(0.05))
    for distance in (1e-2, 1e-4, 1e-6):
        below, above = (mean_field(TANH, edge * (1 + sign * distance), sqrt(0.05)) for sign in (-1, 1))
        assert below.c_star == 1 and below.xi_c == pytest.approx(-1 / log(below.chi_1), rel=1e-12)
        # above it c* is stable where c = 1 is not, as strongly to first order; to the next it is 3.4 distances
        assert above.c_star < 1 and (1 - above.chi_c) / (above.chi_1 - 1) == pytest.approx(1, abs=5 * distance + 1e-6)
        c = above.c_star
        if distance > 1e-5:  # else its departure from 1 is in the rounding of the map
            assert correlation_map(TANH, c, edge * (1 + distance), sqrt(0.05), above.q_star) == pytest.approx(c, 1e-12)
    assert depth_scale(1.0) == float("inf") and depth_scale(exp(-0.5)) == pytest.approx(2)


@pytest.mark.parametrize("activation", [ERF, TANH], ids=["erf", "tanh"])
@pytest.mark.parametrize("distance", [1e-8, 1e-9])
def test_just_above_the_edge_angles_settle_as_fast_as_gradients_grow(activation, distance):
    at = mean_field(activation, critical_sigma_w(activation, 0.3) * (1 + distance), 0.3)
    assert at.chi_1 - 1 > distance / 2 and at.chi_c - 1 == pytest.approx(1 - at.chi_1, rel=0.01)


@pytest.mark.parametrize("q", [1e-6, 0.3, 1.0, 20.0, 1e4, 1e20])
def test_two_values_of_erf_that_hardly_differ(q):
    for c in (0.0, 1e-10, 0.5, 1 - 1e-6, 1 - 1e-12):
        with mp.workdps(50):
            a = 2 * mp.mpf(q) / (1 + 2 * mp.mpf(q))
            truth = float(2 / mp.pi * (mp.asin(a) - mp.asin(c * a)))
        assert erf_half_square_difference(q, c) == pytest.approx(truth, rel=1e-14, abs=0)
    assert erf_half_square_difference(q, 1.0) == 0


# Closed forms against quadrature ------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1e-6, 0.3, 1.0, 20.0, 1e4])
def test_erf_in_closed_form(q):
    assert second_moment(ERF, q) == pytest.approx(erf_second_moment(q), rel=1e-11)
    assert slope_second_moment(ERF, q) == pytest.approx(4 / pi / sqrt(1 + 4 * q), rel=1e-11)
    for c in (0.0, 0.2, 0.9, 0.9999):
        by_quadrature = pair_expectation(lambda a, b: ERF.value(a) * ERF.value(b), sqrt(q), c)
        assert by_quadrature == pytest.approx(erf_product(q, c), rel=1e-9, abs=1e-12)
        by_quadrature = pair_expectation(lambda a, b: ERF.slope(a) * ERF.slope(b), sqrt(q), c)
        assert by_quadrature == pytest.approx(erf_slope_product(q, c), rel=1e-9)


@pytest.mark.parametrize(
    "chosen",
    [
        choice("relu"),
        choice("leaky_relu", negative_slope=0.3),
        choice("linear"),
        choice("leaky_relu", negative_slope=-0.5),
    ],
    ids=label,
)
@pytest.mark.parametrize("c", [0.0, 0.3, 0.95, 0.999999])
def test_homogeneous_activations_by_the_arc_cosine_kernels(chosen, c):
    activation = activation_of(chosen)
    slopes = one_sided_slopes(activation)
    values = pair_expectation(lambda a, b: activation.value(a) * activation.value(b), 1.7, c, (0.0,))
    assert values == pytest.approx(1.7**2 * homogeneous_product(c, *slopes), rel=1e-9, abs=1e-11)
    both = pair_expectation(lambda a, b: 1.0 * activation.slope(a) * activation.slope(b), 1.7, c, (0.0,))
    assert both == pytest.approx(homogeneous_slope_product(c, *slopes), rel=1e-9)


@every
def test_the_limits_of_a_pair(chosen):
    """At correlation 1 a pair is one number twice, and at 0 two independent ones."""
    activation = activation_of(chosen)
    for q in (0.3, 40.0):
        mean = float(expectation(activation.value, sqrt(q), activation.kinks))
        assert product(activation, q, 1.0) == pytest.approx(second_moment(activation, q), rel=1e-9)
        assert product(activation, q, 0.0) == pytest.approx(mean**2, rel=1e-9, abs=1e-9 * second_moment(activation, q))


# The quadrature -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deviation", [1e-3, 0.4, 3.0, 30.0, 1e4])
@every
def test_more_nodes_change_nothing(chosen, deviation):
    """Against the graded rule with twice the most nodes it is ever used with, and kinks nobody asked for."""
    activation = activation_of(chosen)
    kinks = {0.0, 0.3, *(kink / deviation for kink in (-1, 1, *activation.kinks))}
    g, weight = graded(tuple(sorted(kinks)), min(1.0, 1 / deviation), 96)
    for power in (2, 4):
        for function in (activation.value, activation.slope):
            truth = float(weight @ (1.0 * function(deviation * g)) ** power)
            found = float(expectation(lambda z, f=function, p=power: (1.0 * f(z)) ** p, deviation, activation.kinks))
            assert found == pytest.approx(truth, rel=1e-11)


def test_the_error_falls_with_the_order():
    """Of the graded rule on a kink and on a saturated slope: every doubling is an improvement until rounding."""
    for function, deviation, truth in (
        (lambda z: np.maximum(z, 0) ** 2, 1.0, 0.5),
        (lambda z: np.square(ERF.slope(z)), 50.0, 4 / pi / sqrt(1 + 4 * 2500)),
    ):
        errors = []
        for order in (2, 4, 8, 16):
            g, weight = graded((0.0,), min(1.0, 1 / deviation), order)
            errors.append(abs(float(weight @ function(deviation * g)) / truth - 1))
        assert all(b < a / 10 or b < 1e-14 for a, b in pairwise(errors)) and errors[-1] < 1e-13


def test_a_kink_that_is_not_named_is_refused():
    bent = Activation("bent", lambda z: np.maximum(z - 0.37, 0), lambda z: z > 0.37, 1.0, "not named")
    with pytest.raises(DomainError, match=r"^the quadrature does not converge: name in the activation's `kinks`"):
        second_moment(bent, 1.0)


@every
def test_tables_of_moments_are_the_moments(chosen):
    """Interpolated in ln q, first derivative included; to 1e-9, a hundred times what is claimed."""
    activation = activation_of(chosen)
    ln_q = np.array([-19.3, -7.0, -1.2, 0.0, 0.9999999, 1.0, 3.4, 11.7])
    at = Moments(activation).at(ln_q)
    for i, q in enumerate(np.exp(ln_q)):
        assert at.ln_value[i] == pytest.approx(log(second_moment(activation, q)), abs=1e-11)
        assert at.ln_slope[i] == pytest.approx(log(slope_second_moment(activation, q)), abs=1e-11)
        slope = length_map_derivative(activation, q, 1.0) * q / second_moment(activation, q)
        assert at.value_1[i] == pytest.approx(slope, abs=1e-9)
    far = Moments(activation).at(np.array([-900.0, 900.0]))  # straight on; nothing warns
    assert np.isfinite(np.stack([far.ln_value, far.ln_slope, far.both])).all()


# Outside of the domain ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, sigma_w, sigma_b, text",
    [
        ("relu", sqrt(2), 0.0, "every length stays constant, so every q is a fixed point"),
        ("relu", sqrt(2), 0.1, "q grows by 0.01 a layer, so there is no fixed point"),
        ("relu", 1.6, 0.0, "q grows 1.28-fold a layer, so there is no fixed point"),
        ("gelu", 2.2, 0.0, "lengths grow without bound, so there is no fixed point; predict layer by layer"),
        ("gelu", 1.9, 0.0, r"lengths tend to one of several values of q \(0, infinity\), depending on the input's"),
        # near the fold of gelu's edge, where three roots lie within half a step of ln q
        (
            "gelu",
            1.4082005417,
            0.4159,
            r"lengths tend to one of several values of q \(3.146, 3.563\), depending on the input's",
        ),
        ("tanh", 0.0, 0.0, "use 1e-10 to 1e\\+10 for either, or no biases"),
        ("tanh", float("nan"), 0.0, "use 1e-10 to 1e\\+10"),
        ("sigmoid", 1.0, 1e200, "use 1e-10 to 1e\\+10"),
    ],
)
def test_no_fixed_point_is_said(name, sigma_w, sigma_b, text):
    with pytest.raises(DomainError, match=text):
        mean_field(ACTIVATIONS[name](), sigma_w, sigma_b)


@pytest.mark.parametrize(
    "name, sigma_b, text",
    [
        ("relu", 0.1, "χ₁ = 1 at σ_w = 1.41421, where q grows by 0.01 a layer and has no fixed point"),
        (
            "gelu",
            0.0,
            "no σ_w has χ₁ = 1 at a stable fixed point of lengths; there is an edge only for σ_b > 0.4158",
        ),
        (
            "silu",
            0.7,
            "no σ_w has χ₁ = 1 at a stable fixed point of lengths; there is an edge only for σ_b > 0.7451",
        ),
        ("gelu", 0.4159, "no σ_w has χ₁ = 1 at a stable fixed point of lengths; try another σ_b"),  # one of two
        ("softplus", 0.3, "no σ_w has χ₁ = 1 at a stable fixed point of lengths; nor has any at another σ_b"),
        ("tanh", -0.1, "use 1e-10 to 1e\\+10"),
    ],
)
def test_no_edge_is_said(name, sigma_b, text):
    with pytest.raises(DomainError, match=text):
        critical_sigma_w(ACTIVATIONS[name](), sigma_b)


def test_lengths_that_vanish():
    at = mean_field(TANH, 0.9, 0.0)
    assert at.q_star == 0 and at.chi_1 == pytest.approx(0.81) and np.isnan(at.c_star) and np.isnan(at.xi_c)
    assert fixed_point(TANH, 1.0, 0.0) == 0
    small = fixed_point(TANH, 1 + 1e-6, 0.0)  # q = σ_w² − 1 over 2, to leading order
    assert small == pytest.approx(1e-6, rel=1e-4)


def test_correlations_of_an_odd_activation_without_biases_vanish():
    assert correlation_fixed_point(TANH, 1.5, 0.0, fixed_point(TANH, 1.5, 0.0)) == 0


@every
def test_an_edge_in_units_of_the_weight_scale(chosen):
    """By its label, as the tables have it: at that scale χ₁ = 1; or there is no edge, and the result is nan."""
    assert activation_labelled(chosen.label).name == chosen.name
    scale = edge_scale(chosen.label, 0.5, 0.0)
    activation = activation_of(chosen)
    if np.isnan(scale):
        with pytest.raises(DomainError, match="χ₁ = 1 at a stable fixed point"):
            critical_sigma_w(activation, 0.0)
        return
    q_star = 0.0 if activation.homogeneous else fixed_point(activation, 0.5 * scale, 0.0)
    assert chi_1(activation, 0.5 * scale, q_star or 1e-18) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("name, sigma_b", [("gelu", 0.41584), ("silu", 0.74508)])
def test_an_edge_begins_at_a_fold(name, sigma_b):
    """Where χ_q = 1 at χ₁ = 1; a little above there is an edge, and one can be asked for."""
    activation = ACTIVATIONS[name]()
    least = least_sigma_b(activation)
    assert least == pytest.approx(sigma_b, abs=5e-6)
    at = mean_field(activation, critical_sigma_w(activation, least * 1.001), least * 1.001)
    assert at.chi_1 == pytest.approx(1, abs=1e-9) and 0.999 < at.chi_q < 1
    assert least_sigma_b(ACTIVATIONS["tanh"]()) == 0


@pytest.mark.parametrize("name", ["gelu", "silu", "softplus"])
def test_without_biases_these_have_no_edge(name):
    assert np.isnan(edge_scale(name, 0.5, 0.0))
