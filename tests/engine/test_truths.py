"""Networks against theory that needs no code of ours: mean field, finite width, death at birth, products of matrices.

Guards against draws of the wrong variance, a factor counted twice or left out layer after layer, lanes or layers that
share their draws (too large a spread), and a dead network that is not seen. Expected values and their sources are
written beside each test; a tolerance is four standard errors of the mean unless it says otherwise.
"""

from math import log, sqrt

import numpy as np
import pytest
from nets import choice, drawn, profile, run, spec
from scipy.special import digamma, polygamma
from scipy.stats import binom

LN10 = log(10)


def log_ratios(layers, column="log10_grad_preactivations"):
    """ln of the squared ratio from each layer to the one below, (networks, depth − 1); a shorter layer is negative."""
    values = profile(layers, column)
    return 2 * LN10 * (values[:, :-1] - values[:, 1:])


# Mean field ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide():
    """Four networks over the same draws; width 200, depth 200, of which the ends are left out."""
    return run(
        [spec(name, choice("normal", sigma_w=s), 1.0, b, 200, 200) for name, s, b, *_ in MEAN_FIELD],
        12,
        batch=2,
        cost="linear",
    )[0]


# activation, σ_w, σ_b, slope in decades per layer, κ = 3E[φ'⁴]/E[φ'²]² − 1 (Schoenholz et al. 2017; quadrature)
MEAN_FIELD = [
    ("tanh", 1.3, 0.3, -0.01348, 3.09),
    ("erf", 1.5, 0.3, +0.03626, 4.38),
    ("sigmoid", 1.0, 0.0, -0.62699, 2.06),
    ("sigmoid", sqrt(2), 0.0, -0.49789, 2.19),
]


@pytest.mark.slow
@pytest.mark.parametrize("name, sigma_w, sigma_b, slope, kappa", MEAN_FIELD)
def test_mean_field_slopes(wide, name, sigma_w, sigma_b, slope, kappa):
    chosen = choice("normal", sigma_w=sigma_w)
    rows = wide[(wide["activation"] == name) & (wide["init"] == chosen.label)]
    # From layer 180, where the start has worn off, to layer 20, where lengths are at their fixed point.
    delta = profile(rows, "log10_grad_preactivations")
    slopes = (delta[:, 19] - delta[:, 179]) / 160
    width = -kappa / (2 * 200) / (2 * LN10)  # finite width: ln ratio² is −κ/2n lower
    error = slopes.std(ddof=1) / sqrt(len(slopes))
    assert error < 0.001
    assert abs(slopes.mean() - slope - width) < 4 * error + abs(width) / 2  # the shift is of leading order, about right


# ReLU at finite width -----------------------------------------------------------------------------------------------


def law(n, sigma_w2=2.0):
    """Mean and variance of ln ratio² of a layer: K ~ Binomial(n, ½) given K ≥ 1 active units, then a χ² of K."""
    k = np.arange(1, n + 1)
    p = binom.pmf(k, n, 0.5) / (1 - 0.5**n)
    mean = p @ digamma(k / 2)
    return log(2 * sigma_w2 / n) + mean, p @ polygamma(1, k / 2) + p @ (digamma(k / 2) - mean) ** 2


def test_the_law_gives_the_published_numbers():
    assert law(50) == pytest.approx((-0.051739, 0.108168), abs=1e-6)
    assert law(100) == pytest.approx((-0.025421, 0.051940), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("n, replicates", [(50, 200), (100, 80)])
def test_relu_at_the_edge_with_the_finite_width_law(n, replicates):
    """Backward and forward alike, from a start that is independent of the weights: linear cost, one sample."""
    layers, _ = run(spec("relu", "he_normal", depth=60, width=n), replicates, batch=1, cost="linear")
    mean, variance = law(n)
    for ratios in (log_ratios(layers), -log_ratios(layers, "log10_rms_outputs")):
        assert abs(ratios.mean() - mean) < 4 * sqrt(variance / ratios.size)
        spread = ((ratios - mean) ** 2).std() / sqrt(ratios.size)  # ln χ² has longer tails than a Gaussian
        assert abs(ratios.var() - variance) < 4 * spread


def test_layers_are_independent():
    """So the variance over L layers is L times that of one: 5L/n, the spread between draws that figures show."""
    n, replicates = 50, 300
    layers, _ = run(spec("relu", "he_normal", depth=41, width=n), replicates, batch=1, cost="linear")
    total = log_ratios(layers).sum(axis=1)
    assert abs(total.var() / (40 * law(n)[1]) - 1) < 4 * sqrt(2 / replicates)


def test_the_squared_cost_departs_from_the_law():
    """r − y is correlated with the weights: +0.022 a layer at n = 50, L = 40, where the law says −0.052."""
    layers, _ = run(spec("relu", "he_normal", depth=40, width=50), 200, batch=16)
    each = log_ratios(layers).mean(axis=1)
    error = each.std(ddof=1) / sqrt(len(each))
    assert error < 0.006
    assert abs(each.mean() - 0.022) < 4 * error
    assert each.mean() > law(50)[0] + 8 * error


# Dead at birth ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden, width", [(10, 1), (10, 2), (10, 4), (3, 2), (40, 5)])
def test_dead_at_birth_of_one_input(hidden, width):
    """P(dead) = 1 − (1 − 2^−N)^H, exact for any one input: each unit is on with probability ½, whatever its input."""
    draws = 3000
    _, networks = run(spec("relu", depth=hidden + 1, width=width, output="linear"), draws, batch=1)
    p = 1 - (1 - 0.5**width) ** hidden
    assert abs((networks["regime"] == "dead").mean() - p) < 4 * sqrt(p * (1 - p) / draws)


@pytest.mark.parametrize("width, p", [(2, 0.9095), (4, 0.3370), (10, 0.0017)])
def test_dead_at_birth_of_both_signs(width, p, tmp_path):
    """A one-dimensional input: all that goes in is one of two rays, and both must die. Ten hidden layers."""
    path = tmp_path / "signs.npy"
    np.save(path, [[1.0], [-1.0]])
    draws = 3000
    one = spec("relu", depth=11, width=width, input_width=1, output="linear")
    _, networks = run(one, draws, batch=2, inputs="signs.npy", path=path)
    # the published values have four digits
    assert abs((networks["regime"] == "dead").mean() - p) < 4 * sqrt(p * (1 - p) / draws) + 5e-5


@pytest.mark.slow
def test_silent_units_of_a_healthy_network_tend_to_a_half():
    """Samples align with depth, so a unit is silent on all or on none: 0.45 at layer 100 of width 600, batch 32."""
    layers, networks = run(spec("relu", "he_normal", depth=101, width=600), 2, batch=32)
    assert (networks["regime"] != "dead").all()
    share = profile(layers, "dead_fraction")
    # Measured 0.46 and 0.49: with 600 units ±0.02, and the angle between samples is itself another in each draw.
    assert np.abs(share[:, 99] - 0.45).max() < 0.06
    assert (share[:, 0] < 0.001).all()  # 2^-32 of independent samples: nearly none at first
    cosine = profile(layers, "output_cosine")
    assert (cosine[:, 99] > 0.95).all()


@pytest.mark.parametrize("rows, expected", [(2, 1 / 3), (3, 1 / 4), (5, 1 / 6)])
def test_silent_units_at_a_cosine_of_one_half(rows, expected, tmp_path):
    """m inputs at c = ½: 1/(m + 1) of the units are silent for all; two inputs ¼ + arcsin(c)/2π."""
    path = tmp_path / "half.npy"
    half = np.full((rows, rows), 0.5) + 0.5 * np.eye(rows)
    np.save(path, np.linalg.cholesky(half))
    one = spec("relu", depth=1, width=500, input_width=rows, output_width=500)
    layers, _ = run(one, 20, batch=rows, inputs="half.npy", path=path)
    assert abs(layers["dead_fraction"].mean() - expected) < 4 * sqrt(expected * (1 - expected) / 10_000)


# Products of matrices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, sigma_w", [(5, 1.0), (20, 0.7)])
def test_linear_networks_grow_by_the_largest_lyapunov_exponent(n, sigma_w):
    """Ginibre: λ_1 = ½[ln(2σ²/n) + ψ(n/2)] (Newman 1986); a layer's variance of ln ratio² is ψ_1(n/2)."""
    depth, replicates = 150, 40
    one = spec("linear", choice("normal", sigma_w=sigma_w), depth=depth, width=n)
    layers, _ = run(one, replicates, batch=1, cost="linear")
    for ratios in (log_ratios(layers), -log_ratios(layers, "log10_rms_outputs")):
        variance = float(polygamma(1, n / 2))
        expected = log(2 * sigma_w**2 / n) + digamma(n / 2)
        assert abs(ratios.mean() - expected) < 4 * sqrt(variance / ratios.size)
        assert abs(ratios.var() / variance - 1) < 0.1  # 6000 ratios of kurtosis 4: 5 standard errors


def test_second_moment_of_a_relu_layer():
    """E[ratio²] = σ_w²/2, death included."""
    layers, _ = run(spec("relu", choice("normal", sigma_w=1.3), depth=2, width=4), 8000, batch=1, cost="linear")
    rms = 10 ** profile(layers, "log10_rms_outputs")
    rms = rms[rms[:, 0] > 0]
    ratios = (rms[:, 1] / rms[:, 0]) ** 2
    assert abs(ratios.mean() - 1.3**2 / 2) < 4 * ratios.std() / sqrt(len(ratios))


# A trap -------------------------------------------------------------------------------------------------------------


def test_numpys_norm_reads_zero_where_the_columns_do_not():
    """Raw float32 deltas of sigmoid, σ_w = 1: squared before summed, they read exactly 0 after some 35 layers."""
    depth, one = 80, spec("sigmoid", "lecun_normal", depth=80, width=16)
    weights, _, x, y = drawn(one)
    r = [x.astype(np.float32)]
    for W in weights:
        r.append(1 / (1 + np.exp(-(r[-1] @ W.astype(np.float32)))))
    grad_r, norms = (r[-1] - y.astype(np.float32)) / np.float32(len(y)), []
    with np.errstate(under="ignore"):
        for k in range(depth, 0, -1):
            delta = grad_r * r[k] * (1 - r[k])
            norms.append(np.linalg.norm(delta))
            grad_r = delta @ weights[k - 1].T.astype(np.float32)
    first = norms.index(0)
    assert 30 < first < 42 and delta.dtype == np.float32
    layers, networks = run(one, dtype="float32")
    column = layers["log10_grad_preactivations"].to_numpy()[::-1]
    assert np.isfinite(column).all()
    alive = np.array(norms[: first - 5])
    np.testing.assert_allclose(column[: first - 5], np.log10(alive), rtol=0, atol=1e-4)
    assert networks["zero_from_layer_float32"][0] < depth - first - 20  # the truth, 10^-45, comes much later
