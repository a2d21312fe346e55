"""Networks against their own prediction: residuals are standard normal, alone or in a sweep, or there is no prediction.

Guards against a factor of one layer too many, ends that are not square, lengths taken at their fixed point, a shift or
a variance that is only part of the leading order, and a prediction that depends on what else is predicted.
"""

from math import log, sqrt

import numpy as np
import pandas as pd
import pytest
from nets import choice, label, run, spec
from scipy import stats

from harness.theory import mean_field, predict
from harness.theory.layerwise import of

LN10 = log(10)


def residuals(specs, replicates, **options):
    """The column slope_residual of networks with one sample and the linear cost, (networks, replicates)."""
    _, networks = run(specs, replicates, batch=1, cost="linear", **options)
    return networks["slope_residual"].to_numpy().reshape(len(specs), -1)


def assert_standard_normal(values):
    """Mean and deviation within four standard errors, and the shape by Kolmogorov and Smirnov, at 1e-4."""
    count = len(values)
    assert np.isfinite(values).all()
    assert abs(values.mean()) < 4 / sqrt(count)
    assert abs(values.std() - 1) < 4 / sqrt(2 * count)
    assert stats.kstest(values, "norm").pvalue > 1e-4


# Measured against predicted -----------------------------------------------------------------------------------------

NORMAL = [("tanh", 1.3, 0.3), ("tanh", 2.5, 0.0), ("erf", 1.5, 0.3), ("sigmoid", 1.0, 0.0), ("sigmoid", 6.0, 0.2),
          ("hard_tanh", 1.2, 0.2), ("elu", 1.2, 0.1), ("selu", 1.0, 0.0), ("gelu", 2.0, 0.3), ("silu", 1.2, 0.0),
          ("softplus", 1.0, 0.0), ("relu", 1.4, 0.0), ("relu", 1.4, 0.5), ("linear", 1.0, 0.2),
          (choice("leaky_relu", negative_slope=0.3), 1.2, 0.0)]  # fmt: skip
DRAWS = 400


@pytest.fixture(scope="module")
def normal():
    """Over the same draws; width 64, 14 layers."""
    return residuals([spec(name, choice("normal", sigma_w=s), 1.0, b, 14, 64) for name, s, b in NORMAL], DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(NORMAL)), ids=[f"{label(n)}-{s}-{b}" for n, s, b in NORMAL])
def test_gaussian_weights(normal, place):
    assert_standard_normal(normal[place])


ENDS = {"input_width": 20, "output_width": 100}
OTHERS = [
    ("orthogonal", [("tanh", 1.3, 0.3), ("sigmoid", 3.0, 0.0), ("erf", 1.5, 0.0), ("relu", sqrt(2), 0.0),
                    ("selu", 1.0, 0.2), ("softplus", 1.0, 0.0)], {}),
    ("orthogonal", [("tanh", 1.3, 0.3), ("relu", sqrt(2), 0.0), ("linear", 1.0, 0.0)], ENDS),
    ("orthogonal", [("tanh", 1.3, 0.3)], {"input_width": 100, "output_width": 20}),
    ("xavier_uniform", [("tanh", 1.3, 0.3), ("relu", 1.0, 0.0)], ENDS),
    ("he_normal", [("sigmoid", 0.5, 0.0), ("tanh", 0.9, 0.1)], {**ENDS, "output": "linear"}),
    ("pytorch_default", [("tanh", 3.0, None), ("relu", 1.0, None)], {"input_width": 20}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("init, cases, ends", OTHERS, ids=lambda v: v if isinstance(v, str) else "")
def test_other_weights_and_ends(init, cases, ends):
    """Haar matrices, uniform ones, a gain that differs at the ends, biases that come with the init."""
    for values in residuals([spec(name, init, scale, b, 14, 64, **ends) for name, scale, b in cases], DRAWS):
        assert_standard_normal(values)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3])
def test_the_shallowest_that_have_a_slope(depth):
    """A single factor is the logarithm of a χ² and no normal law: mean and deviation alone; width 64, 400 draws."""
    for values in residuals([spec(name, "lecun_normal", 1.2, 0.2, depth, 64) for name in ("tanh", "relu")], DRAWS):
        assert abs(values.mean()) < 4 / sqrt(DRAWS) and abs(values.std() - 1) < 0.2  # kurtosis 0.3: 0.16


def drawn_without_matrices(activation, sigma_w, sigma_b, width, depth, draws, random, orthogonal=False):
    """ln ‖∂C/∂z[1]‖² − ln ‖∂C/∂z[L]‖² of networks of which no matrix is ever made, for an input of ones; exact.

    z = rW is n independent Gaussians of variance σ_w²‖r‖²/n; of W ∂C/∂z, given z, one component follows, and the rest
    is Gaussian again. With a Haar matrix, both are uniform on the spheres that lengths allow. So thousands of draws
    cost what a few cost otherwise, and no line of the harness is involved.
    """
    def of_length(vectors, squares):
        """Gaussian vectors of that mean square length; or of exactly that length."""
        own = np.vecdot(vectors, vectors)[:, None] if orthogonal else width
        return vectors * sigma_w * np.sqrt(squares / own)

    r, layers = np.ones((draws, width)), []
    for _ in range(depth):
        u = of_length(random.standard_normal((draws, width)), np.vecdot(r, r)[:, None])
        z = u + sigma_b * random.standard_normal((draws, width))
        layers.append((r, u, z))
        r = activation.value(z)
    delta = random.standard_normal((draws, width)) * activation.slope(layers[-1][2])
    top = np.log(np.square(delta).sum(axis=1))
    for (r, u, _), (_, _, below) in zip(layers[:0:-1], layers[-2::-1], strict=True):
        length = np.linalg.norm(r, axis=1, keepdims=True)
        along, squares = np.vecdot(u, delta)[:, None] / length, np.vecdot(delta, delta)[:, None]
        g = random.standard_normal((draws, width))
        g = of_length(g - np.vecdot(r / length, g)[:, None] * r / length, squares - orthogonal * (along / sigma_w) ** 2)
        delta = (g + r / length * along) * activation.slope(below)
    return np.log(np.square(delta).sum(axis=1)) - top


LEAKY = choice("leaky_relu", negative_slope=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("name, init, sigma_w, sigma_b, width, depth, neglected", [
    ("tanh", "normal", 1.3, 0.3, 100, 20, 0.1), ("selu", "normal", 1.0, 0.0, 100, 20, 0.1),
    ("softplus", "normal", 1.0, 0.0, 50, 14, 0.4), ("tanh", "normal", 1.0, 0.0, 100, 40, 0.1),
    ("elu", "normal", 1.2, 0.1, 100, 20, 0.1), ("relu", "normal", 1.4, 0.2, 40, 20, 0.0),
    (LEAKY, "normal", 1.4, 0.2, 10, 20, 0.0), ("relu", "orthogonal", 1.4, 0.0, 40, 20, 0.0),
    ("tanh", "orthogonal", 1.3, 0.3, 50, 20, 0.1), ("tanh", "orthogonal", 2.0, 0.0, 50, 20, 0.1),
    ("selu", "orthogonal", 1.0, 0.0, 50, 20, 0.1), ("sigmoid", "orthogonal", 4.0, 0.0, 50, 20, 0.1),
    (LEAKY, "orthogonal", 1.4, 0.0, 50, 20, 0.1),
], ids=lambda v: v.name if v is LEAKY else str(v))  # fmt: skip
def test_shift_and_spread_to_leading_order(name, init, sigma_w, sigma_b, width, depth, neglected):
    """5000 draws: the mean within four standard errors and what 1/n² leaves; every term of the shift is needed.

    `neglected`, per layer and in units of 1/n, was 0.03 to 0.06 at n = 50 (softplus 0.35), and falls as 1/n does.
    """
    one = spec(name, choice("normal", sigma_w=sigma_w) if init == "normal" else init,
               1.0 if init == "normal" else sigma_w, sigma_b, depth, width)  # fmt: skip
    activation, _ = of(one.activation)
    draws = drawn_without_matrices(activation, sigma_w, sigma_b, width, depth, 5000, np.random.default_rng(2),
                                   init == "orthogonal")  # fmt: skip
    scale = 2 * LN10 * (depth - 1)
    theory = predict([one], np.zeros(1))
    error = draws.std() / sqrt(len(draws))
    assert abs(draws.mean() - scale * theory.slope_per_layer[0, 0]) < 4 * error + neglected * (depth - 1) / width
    # the variance of a variance over 5000 draws, and 5 % for 1/n beyond its leading order
    assert draws.var() / (scale * theory.spread[0, 0]) ** 2 == pytest.approx(1, abs=4 * sqrt(2 / 5000) + 0.05)


def test_the_variance_of_one_orthogonal_layer():
    """κ = 3(E[φ'⁴]/m² − 1) − 2α²: −2α², a fifth of it, is what a fixed length of z takes away.

    Below a linear output a Haar layer multiplies ‖∂C/∂z‖² by Σ u_i² φ'(√n v_i)², u and v independent and uniform on the
    unit sphere (tanh, σ_w = 1, an input of unit mean square: z is √n v). By the delta method its logarithm has variance
    2(E a²/m² − 1)/n of u, a = φ'(z)², and (E a²/m² − 1 − 2(q m'/m)²)/n of v, the part of a along ‖z‖² taken out;
    q m' = E[a(g² − 1)]/2 by Stein's lemma. Quadrature by mpmath (30 digits) gave m = 0.464402902448, q m'/m =
    −0.383925841002 and from these 1.455641721325; 20,000 draws of the sum are off by their own error, 1 %, and by 1/n.
    """
    n, draws = 200, 20_000
    theory = predict([spec("tanh", "orthogonal", depth=2, width=n, output="linear")], np.zeros(1))
    assert n * (2 * LN10 * theory.spread[0, 0]) ** 2 == pytest.approx(1.455641721325, rel=1e-9)
    random = np.random.default_rng(3)
    u, v = random.standard_normal((2, draws, n))
    u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
    factors = np.log((np.square(u) * np.cosh(sqrt(n) * v) ** -4.0).sum(axis=1))
    assert n * factors.var() == pytest.approx(1.455641721325, rel=4 * sqrt(2 / draws) + 2 / n)
    assert abs(factors.mean() - 2 * LN10 * theory.slope_per_layer[0, 0]) < 4 * factors.std() / sqrt(draws) + 4 / n**2


@pytest.mark.slow
def test_the_gradients_alignment_is_part_of_the_shift():
    """softplus: −κ/2n alone misses by more than ten standard errors."""
    at = mean_field(of(choice("softplus"))[0], 1.0, 0.0)
    kappa = 3 * of(choice("softplus"))[1].at(np.log([at.q_star])).slope_4[0] - 1
    draws = drawn_without_matrices(of(choice("softplus"))[0], 1.0, 0.0, 100, 14, 5000, np.random.default_rng(2))
    simple = 13 * (log(at.chi_1) - kappa / 200)
    assert abs(draws.mean() - simple) > 10 * draws.std() / sqrt(5000)


def test_the_published_variance():
    """tanh 1.3, 0.3: 3.90/n a layer and not 3.09/n, at any width; −κ/2n is part of the shift."""
    depths = (300, 301)
    specs = [spec("tanh", choice("normal", sigma_w=1.3), 1.0, 0.3, depth, 10**5) for depth in depths]
    theory = predict(specs, np.zeros(1))
    squares = [(2 * LN10 * (d - 1) * s) ** 2 for d, s in zip(depths, theory.spread[:, 0], strict=True)]
    assert (squares[1] - squares[0]) * 10**5 == pytest.approx(3.90, abs=0.005)


def test_the_squared_cost_and_a_batch_are_outside_of_the_domain():
    """They are predicted all the same, and are off as the documentation says: less spread over draws than for one."""
    one = spec("relu", "he_normal", depth=31, width=30)
    alone = residuals([one], 300)
    _, networks = run(one, 300, batch=64, cost="linear")
    assert abs(alone.std() - 1) < 0.17  # 4 standard errors
    assert networks["slope_residual"].std() < 0.9 * alone.std()


# What does not matter ------------------------------------------------------------------------------------------------


ENDINGS = [(1, 16, "linear"), (2, 30, "activation"), (7, 16, "linear"), (90, 4, "activation")]


def test_a_sweep_is_predicted_as_each_network_alone():
    """Bit for bit: activations, inits, scales, ends and depths together, or one network and one replicate at a time."""
    rms = np.array([0.0, -0.3, 1.5, -4.0])
    specs = [spec(name, init, scale, bias, depth, 16, 8, out, output)
             for name in ("relu", "tanh", "elu", choice("leaky_relu", negative_slope=0.2))
             for init in ("he_normal", "orthogonal") for scale in (0.7, 1.3) for bias in (0.0, 0.4)
             for depth, out, output in ENDINGS]  # fmt: skip
    together = predict(specs, rms)
    for i, one in enumerate(specs):
        for j in range(len(rms)):
            alone = predict([one], rms[j : j + 1])
            assert np.array_equal(alone.slope_per_layer[0, 0], together.slope_per_layer[i, j], equal_nan=True)
            assert np.array_equal(alone.spread[0, 0], together.spread[i, j], equal_nan=True)


def test_a_network_that_has_settled_goes_on_as_it_is():
    """Layers counted instead of passed, once nothing changes: the attenuation is a straight line in depth."""
    depths = (300, 3000, 100_000)
    specs = [spec("tanh", choice("normal", sigma_w=1.3), 1.0, 0.3, depth, 100) for depth in depths]
    total = predict(specs, np.zeros(1)).slope_per_layer[:, 0] * (np.array(depths) - 1)
    steps = np.diff(total) / np.diff(depths)
    assert steps[0] == pytest.approx(steps[1], rel=1e-9)


# No answer, and no warning -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e300, 1e-300])
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "linear", "tanh", "sigmoid", "erf", "hard_tanh", "elu", "selu",
                                  "gelu", "silu", "softplus"])  # fmt: skip
def test_absurd_scales(name, scale):
    """Warnings are errors here. Never infinite; straight activations have an answer at every scale."""
    specs = [spec(name, "he_normal", scale, bias, depth, 50, 20) for bias in (0.0, 1e-200, 1e200) for depth in (2, 9)]
    theory = predict(specs, np.array([0.0, 300.0, -300.0]))
    assert not np.isinf(theory.slope_per_layer).any() and not np.isinf(theory.spread).any()
    if name in ("relu", "leaky_relu", "linear"):
        # He's gain is 0.15 decades, width 50 adds 0.01
        np.testing.assert_allclose(theory.slope_per_layer, np.log10(scale), rtol=0, atol=0.17)


def test_where_there_is_no_answer():
    nothing = np.array([-np.inf])  # an input of zeros
    for name in ("relu", "tanh", "elu"):
        assert np.isnan(predict([spec(name, depth=5)], nothing).spread).all()
        assert np.isfinite(predict([spec(name, bias_scale=0.2, depth=5, width=50)], nothing).spread).all()
    assert np.isfinite(predict([spec("linear", depth=5)], nothing).spread).all()  # its slope is 1 at 0 too
    one = np.zeros(1)
    assert np.isnan(predict([spec("relu", depth=1)], one).slope_per_layer).all()
    narrow = spec("sigmoid", choice("normal", sigma_w=10.0), depth=5, width=8)  # κ = 13
    aligned = spec("softplus", choice("normal", sigma_w=1.3), 1.0, 0.1, 60, 50)
    between = spec("gelu", choice("normal", sigma_w=1.5), 1.0, 0.0, 14, 64)
    assert np.isnan(predict([narrow, aligned, between], one).slope_per_layer).all()
    assert np.isfinite(predict([spec("relu", depth=5, width=1)], one).spread).all()  # exact at any width


def test_columns_are_null_where_nothing_was_measured_or_predicted():
    specs = [spec("relu", depth=1, width=3), spec("relu", depth=30, width=2), spec("linear", "orthogonal", depth=9)]
    networks = pd.concat([run(one, 6, batch=1)[1] for one in specs])
    flat, dying, rigid = (networks[networks["depth"] == depth] for depth in (1, 30, 9))
    columns = ["predicted_slope_per_layer", "predicted_spread", "slope_residual"]
    assert flat[columns].isna().all(axis=None)
    dead = dying["regime"] == "dead"
    assert dead.any() and dying.loc[dead, "slope_residual"].isna().all()
    assert dying[columns[:2]].notna().all(axis=None)
    assert (rigid["predicted_spread"] == 0).all() and rigid["slope_residual"].isna().all()
    slopes = [rigid[name].to_numpy() for name in ("slope_per_layer", "predicted_slope_per_layer")]
    np.testing.assert_allclose(*slopes, rtol=0, atol=1e-12)


def test_the_prediction_uses_the_inputs_there_are(tmp_path):
    """Not inputs of unit size: tanh from inputs of size 5 starts saturated, and its first layers cost more."""
    path = tmp_path / "large.npy"
    np.save(path, np.random.default_rng(0).normal(0, 5, (5, 64)))
    one = spec("tanh", choice("normal", sigma_w=1.3), 1.0, 0.3, 5, 64)
    _, large = run(one, 40, batch=1, cost="linear", inputs="large.npy", path=path)
    small = residuals([one], 40)
    assert abs(large["slope_residual"].mean()) < 4 / sqrt(40) and abs(small.mean()) < 4 / sqrt(40)
    assert large["predicted_slope_per_layer"].max() < -0.15
