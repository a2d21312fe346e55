"""Finite width and death at birth: the exact laws against published digits, brute force and each other.

Guards against a law of the wrong matrices (rows for columns, a forgotten condition that a unit is on), digits lost in
wide layers, and an orthant probability that holds for one correlation only.
"""

from math import asin, comb, cos, log, pi, sin, sqrt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import beta, digamma, polygamma

from harness.base.errors import DomainError
from harness.networks.activations import ACTIVATIONS
from harness.theory import (
    born_dead,
    born_dead_both_signs,
    gaussian_linear,
    gaussian_relu,
    lyapunov_exponents,
    orthogonal_relu,
    silent_on_batch,
)
from harness.theory.birth import sampled_both_signs
from harness.theory.finite_width import activation_law, homogeneous_law

LN10 = log(10)

# Laws of one layer --------------------------------------------------------------------------------------------------


def test_the_published_digits():
    for width, mean, variance in ((50, -0.051739, 0.108168), (100, -0.025421, 0.051940)):
        law = gaussian_relu(width, sqrt(2))
        assert (law.mean, law.variance) == (pytest.approx(mean, abs=5.1e-7), pytest.approx(variance, abs=5.1e-7))


@pytest.mark.parametrize("width", [10**4, 10**6, 10**9])
def test_a_wide_layer_tends_to_the_expansion(width):
    law = gaussian_relu(width, sqrt(2))
    digits = 1e-14 * width * log(width)  # of the logarithms of factorials
    assert law.mean * width == pytest.approx(-2.5, abs=40 / width + digits)
    assert law.variance * width == pytest.approx(5, abs=40 / width + digits)
    assert orthogonal_relu(width).variance * width == pytest.approx(3, abs=40 / width + 1e-6)


@pytest.mark.parametrize("width", [1, 2, 5, 30])
def test_second_moments_of_the_laws(width):
    """Without the condition that a unit is on, E[ratio²] is σ_w²/2, and Haar's relative variance is 3/(n + 2)."""
    random, draws = np.random.default_rng(width), 40_000
    on = random.integers(0, 2, (draws, width))
    g = random.standard_normal((draws, width))
    gaussian, length = (on * g**2).sum(axis=1), (g**2).sum(axis=1)
    for ratio, law in (
        (2 * gaussian / width, gaussian_relu(width, sqrt(2))),
        (gaussian / length, orthogonal_relu(width)),
    ):
        ln = np.log(ratio[ratio > 0])
        assert abs(ln.mean() - law.mean) < 4 * sqrt(law.variance / len(ln)) + 1e-12
        assert abs(ln.var() - law.variance) < 4 * ((ln - law.mean) ** 2).std() / sqrt(len(ln)) + 1e-12
    relative = (gaussian / length).var() / 0.25
    assert relative == pytest.approx(3 / (width + 2), rel=0.05)  # 40,000 draws: 1 to 2 % of a variance


def test_what_the_homogeneous_law_reduces_to():
    for width in (1, 3, 40):
        relu, haar = homogeneous_law(0, 1, width, width, False), homogeneous_law(0, 1, width, width, True)
        assert relu.mean - log(width) == pytest.approx(gaussian_relu(width, 1.0).mean, abs=1e-12)
        assert haar.mean == pytest.approx(orthogonal_relu(width).mean, abs=1e-12)
        linear = homogeneous_law(1, 1, width, width, False)
        assert linear.mean - log(width) == pytest.approx(gaussian_linear(width, 1.0).mean, abs=1e-12)
        assert (homogeneous_law(1, 1, width, width, True).mean, homogeneous_law(1, 1, width, width, True).variance) == (
            0,
            0,
        )
        # leaky ReLU by its Laplace transform, where it is all but one of the others
        nearly = homogeneous_law(1 - 1e-9, 1, width, width, False)
        assert nearly.mean == pytest.approx(linear.mean, abs=1e-8)
        assert nearly.variance == pytest.approx(linear.variance, rel=1e-8)


@pytest.mark.parametrize("below, width", [(0.1, 2), (-0.5, 8), (0.3, 60)])
def test_leaky_relu_against_draws(below, width):
    random, draws = np.random.default_rng(1), 60_000
    slopes = np.where(random.random((draws, width)) < 0.5, below, 1.0)
    ln = np.log((slopes**2 * random.standard_normal((draws, width)) ** 2).sum(axis=1))
    law = homogeneous_law(below, 1.0, width, width, False)
    assert abs(ln.mean() - law.mean) < 4 * sqrt(law.variance / draws)
    assert abs(ln.var() - law.variance) < 4 * ((ln - law.mean) ** 2).std() / sqrt(draws)


@pytest.mark.parametrize("width", [2, 3, 8])
@pytest.mark.parametrize("below", [0.01, 0.3, -0.5])
def test_orthogonal_leaky_relu_by_quadrature(below, width):
    """Mean and second moment of ln(b² + (1 − b²)·B), B ~ Beta(K/2, (n − K)/2), in the angle of which B is sin²."""
    mean = square = 0.0
    for on in range(width + 1):
        if on in (0, width):
            logs = [2 * log(abs(below)) * (on == 0)] * 2
            moments = [logs[0], logs[0] ** 2]
        else:
            scale = 2 / beta(on / 2, (width - on) / 2)

            def weighted(angle, power, on=on, scale=scale):
                ln = log(below**2 + (1 - below**2) * sin(angle) ** 2)
                return scale * sin(angle) ** (on - 1) * cos(angle) ** (width - on - 1) * ln**power

            moments = [quad(weighted, 0, pi / 2, (power,), epsabs=1e-12, limit=200)[0] for power in (1, 2)]
        mean += comb(width, on) / 2**width * moments[0]
        square += comb(width, on) / 2**width * moments[1]
    law = homogeneous_law(below, 1.0, width, width, True)
    assert law.mean == pytest.approx(mean, abs=1e-9)
    assert law.variance == pytest.approx(square - mean**2, abs=1e-8)


def test_slopes_of_one_size_are_linear_to_an_orthogonal_layer():
    assert homogeneous_law(-1.0, 1.0, 5, 5, True) == homogeneous_law(1.0, 1.0, 5, 5, True)
    assert homogeneous_law(1 - 1e-12, 1.0, 5, 5, True).variance >= 0


@pytest.mark.parametrize("width", [1, 2, 30, 1000])
def test_the_law_of_any_activation_is_that_of_relu_for_relu(width):
    found, exact = activation_law(ACTIVATIONS["relu"](), 0.7, width, 1.3), gaussian_relu(width, 1.3)
    assert found.mean == pytest.approx(exact.mean, abs=1e-12)
    assert found.variance == pytest.approx(exact.variance, rel=1e-9)


@pytest.mark.parametrize("name, sigma_w, width", [("tanh", 1000.0, 128), ("sigmoid", 30.0, 8), ("hard_tanh", 4.0, 24)])
def test_the_law_of_saturated_units_against_draws(name, sigma_w, width):
    """Few units of a layer are not saturated, and the nearest to zero decides: no expansion in 1/width reaches that."""
    activation, draws = ACTIVATIONS[name](), 20_000
    random = np.random.default_rng(2)
    z, g = sigma_w * random.standard_normal((draws, width)), random.standard_normal((draws, width))
    squares = np.square(sigma_w * g * activation.slope(z)).sum(axis=1) / width
    ln, law = np.log(squares[squares > 0]), activation_law(activation, sigma_w**2, width, sigma_w)
    assert abs(ln.mean() - law.mean) < 4 * sqrt(law.variance / len(ln))
    assert abs(ln.var() - law.variance) < 4 * ((ln - law.mean) ** 2).std() / sqrt(len(ln))


@pytest.mark.parametrize("fan_out", [3, 6, 20])
@pytest.mark.parametrize("below, above", [(0.0, 1.0), (1.0, 1.0), (0.1, 1.0)])
def test_an_orthogonal_layer_of_any_shape(below, above, fan_out):
    """‖φ' ∘ (Wδ)‖² for W (6, fan_out) with orthonormal rows or columns, by drawing them."""
    width, draws = 6, 20_000
    random = np.random.default_rng(fan_out)
    q = np.linalg.qr(random.standard_normal((draws, max(width, fan_out), min(width, fan_out))))[0]
    W = q if fan_out <= width else q.swapaxes(-1, -2)
    kept = W[..., 0] if fan_out <= width else W @ (np.eye(fan_out)[0])  # δ may be any one vector
    slopes = np.where(random.random((draws, width)) < 0.5, below, above)
    squares = (slopes**2 * kept**2).sum(axis=1)
    ln, law = np.log(squares[squares > 0]), homogeneous_law(below, above, width, fan_out, True)
    assert abs(ln.mean() - law.mean) < 4 * sqrt(law.variance / len(ln)) + 1e-12
    assert abs(ln.var() - law.variance) < 4 * ((ln - law.mean) ** 2).std() / sqrt(len(ln)) + 1e-12


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_relu(0, 1.0),
        lambda: orthogonal_relu(-2),
        lambda: gaussian_linear(5, 0.0),
        lambda: lyapunov_exponents(5, -1.0),
        lambda: born_dead(0, 3),
        lambda: born_dead(-3, 2),
        lambda: born_dead(3, -1),
        lambda: born_dead_both_signs(0, 2),
        lambda: born_dead_both_signs(2, -1),
    ],
)
def test_outside_of_their_domain_laws_say_so(call):
    with pytest.raises(DomainError, match="use "):
        call()


def test_law_in_decades():
    law = gaussian_relu(50, sqrt(2))
    assert law.slope_per_layer == pytest.approx(-0.051739 / 2 / LN10, abs=1e-6)


def test_lyapunov_exponents_of_a_product():
    """All of them, by the QR method; and their sum, the mean of ln |det W|."""
    n, layers, sigma = 4, 4000, 0.8
    random, q, total = np.random.default_rng(3), np.eye(n), np.zeros(n)
    for _ in range(layers):
        q, r = np.linalg.qr(random.standard_normal((n, n)) * sigma / sqrt(n) @ q)
        total += np.log(np.abs(np.diag(r)))
    exact = lyapunov_exponents(n, sigma)
    error = np.sqrt(polygamma(1, np.arange(n, 0, -1) / 2) / 4 / layers)  # ½ ln χ²_k, k = n … 1, independent
    assert (np.abs(total / layers - exact) < 4 * error).all()
    assert exact[0] == pytest.approx((log(2 * sigma**2 / n) + digamma(n / 2)) / 2)
    assert 2 * exact[0] == pytest.approx(gaussian_linear(n, sigma).mean)


# Dead at birth ------------------------------------------------------------------------------------------------------


def test_dead_for_one_input():
    assert born_dead(4, 10) == pytest.approx(1 - (15 / 16) ** 10, rel=1e-14)
    assert (born_dead(1, 1), born_dead(7, 0)) == (0.5, 0)
    assert born_dead(128, 99) == pytest.approx(99 * 2.0**-128, rel=1e-12)  # not 0, to which 1 − (1 − p)^H rounds


@pytest.mark.parametrize("width, p, known", [(2, 0.90998, 7e-5), (4, 0.33664, 1.9e-4), (10, 0.0017, 5e-5)])
def test_dead_for_both_signs(width, p, known):
    """Brute force, 16 and 6 million networks; within four standard errors, of which the estimate says its part."""
    found = sampled_both_signs(width, 10)
    assert 0 < found.error < 0.005 * p
    assert abs(found.value - p) < 4 * sqrt(found.error**2 + known**2)
    assert born_dead_both_signs(width, 10) == found.value


@pytest.mark.parametrize("width, hidden_layers", [(3, 4), (12, 3)])
def test_the_error_of_a_sampled_probability_is_that_of_its_seed(monkeypatch, width, hidden_layers):
    """Other streams differ by as much as the error says: 12 of them know a deviation to a fifth."""
    found, generator = [], np.random.default_rng
    for seed in range(12):
        monkeypatch.setattr(np.random, "default_rng", lambda _, seed=seed: generator(seed))
        found.append(sampled_both_signs(width, hidden_layers))
    errors = [one.error for one in found]
    assert 0.4 < np.std([one.value for one in found], ddof=1) / np.mean(errors) < 2


def test_wide_layers_are_not_sampled():
    with pytest.raises(
        DomainError, match=r"wider than 32 units; the probability is at most that for one input, 1\.2e-09"
    ):
        born_dead_both_signs(33, 10)


def test_dead_for_both_signs_where_it_is_plain():
    assert sampled_both_signs(3, 0).error == sampled_both_signs(3, 2).error == sampled_both_signs(1, 9).error == 0
    assert born_dead_both_signs(3, 0) == 0
    assert born_dead_both_signs(3, 1) == 0  # in the first layer every unit is on for one of the rays
    assert born_dead_both_signs(1, 10) == pytest.approx(1 - 2.0**-9)  # one ray lives through the first
    # two hidden layers of two: both rays on, each dies by chance; or one ray on
    assert born_dead_both_signs(2, 2) == pytest.approx(0.5 * (1 / 4) ** 2 + 0.5 / 4, rel=1e-12)


@pytest.mark.parametrize("samples", [1, 2, 3, 7, 40])
def test_silent_at_a_correlation_of_one_half(samples):
    assert silent_on_batch(0.5, samples) == pytest.approx(1 / (samples + 1), rel=1e-10)
    assert silent_on_batch(0.0, samples) == pytest.approx(0.5**samples, rel=1e-10)
    assert silent_on_batch(1.0, samples) == 0.5


@pytest.mark.parametrize("c", [-0.499, -0.3, -0.01, 0.2, 0.7, 0.999, 1 - 1e-9])
def test_silent_on_three_and_two(c):
    """In closed form: ¼ + arcsin(c)/2π for two, ⅛ + 3 arcsin(c)/4π for three."""
    assert silent_on_batch(c, 2) == pytest.approx(0.25 + asin(c) / (2 * pi), rel=1e-12)
    assert silent_on_batch(c, 3) == pytest.approx(0.125 + 3 * asin(c) / (4 * pi), rel=1e-8)


def test_silence_tends_to_a_half():
    shares = [silent_on_batch(c, 32) for c in (0.0, 0.5, 0.9, 0.99, 0.999, 1 - 1e-6, 1.0)]
    assert shares == sorted(shares) and shares[-2] > 0.499


@pytest.mark.parametrize("c, samples", [(-0.6, 3), (1.1, 2), (float("nan"), 2), (0.5, 0)])
def test_no_such_vectors(c, samples):
    with pytest.raises(DomainError, match="vectors have no pairwise correlation of"):
        silent_on_batch(c, samples)
