"""What theory says of remedies: closed forms, a simulation that shares no formula with it, and wide networks."""

from dataclasses import replace
from math import acos, asin, inf, log, pi, sqrt

import numpy as np
import pytest
from nets import choice, run, spec

from harness.networks.activations import ACTIVATIONS
from harness.networks.remedies import normalisations
from harness.networks.remedies.normalisations import NORMALISATIONS
from harness.theory.layerwise import predict
from harness.theory.remedies import batch_pass, batch_spread, ln_attenuations, moments, sphere_moments

DRAWS = 40_000


def batch_factor(activation, batch):
    """The factor of E‖∂C/∂z‖² a layer with batch normalisation, whatever sigma_w."""
    return batch_pass(activation, batch) / batch_spread(activation, batch)


def relu_factor(B):
    """The factor for ReLU from the arc-cosine kernels of Cho & Saul 2009, at the correlation of two samples."""
    rho = -1 / (B - 1)
    J = (sqrt(1 - rho**2) + (pi - acos(rho)) * rho) / pi
    P = 0.25 + asin(rho) / (2 * pi)
    along_ones = 0.5 - (0.5 + (B - 1) * P) / B
    along_z_hat = 0.5 - (0.5 + (B - 1) * J / 2) / B
    return B / ((B - 3) * (1 - J) / 2 * (B - 1)) * ((B - 1) / 2 - along_ones - along_z_hat)


@pytest.mark.parametrize("batch", [4, 8, 32, 300, 512])
def test_relu_and_linear_have_closed_forms(batch):
    assert batch_factor(ACTIVATIONS["relu"](), batch) == pytest.approx(relu_factor(batch), rel=1e-9)
    assert batch_factor(ACTIVATIONS["linear"](), batch) == pytest.approx((batch - 2) / (batch - 3), rel=1e-9)


def test_large_batches_tend_to_the_limit():
    assert batch_factor(ACTIVATIONS["relu"](), 4096) == pytest.approx(relu_factor(4096), rel=1e-5)
    assert batch_factor(ACTIVATIONS["relu"](), inf) == pytest.approx(pi / (pi - 1), rel=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_batch_normalisation_explodes_for_every_activation(name):
    """Poincaré's inequality: E phi'² ≥ Var phi, equal for affine phi alone; smaller batches explode faster."""
    factors = [batch_factor(ACTIVATIONS[name](), batch) for batch in (8, 32, 128, inf)]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1, abs=1e-9) if name == "linear" else factors[-1] > 1.01


@pytest.mark.parametrize("batch", [8, 16, 32])
@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "linear"])
def test_the_factor_of_a_batch_against_simulation(name, batch):
    """z_hat from Gaussian draws, and the gradient through the backward pass itself."""
    activation, rng = ACTIVATIONS[name](), np.random.default_rng(batch)
    z, grad = rng.standard_normal((2, batch, DRAWS))
    grad -= grad.mean(axis=0)
    made = NORMALISATIONS["batch"]()
    z_hat, inverse, _ = normalisations.forward(made, z, np.zeros((1, 1)))
    through = normalisations.backward(made, grad * activation.slope(z_hat), z_hat, inverse)
    passed = np.square(through).sum(axis=0) / (batch - 1)
    phi = activation.value(z_hat)
    spread = phi.var(axis=0, ddof=1)  # over the batch: K − K_o
    samples = passed / spread.mean() - passed.mean() / spread.mean() ** 2 * (spread - spread.mean())
    error = samples.std() / sqrt(DRAWS)
    assert abs(passed.mean() / spread.mean() - batch_factor(activation, batch)) < 5 * error + 1e-12
    assert error < 0.02


def test_two_samples_have_the_moments_of_the_sphere():
    z = np.random.default_rng(1).standard_normal((5, 400_000))
    z_hat, *_ = normalisations.forward(NORMALISATIONS["batch"](), z, np.zeros((1, 1)))
    of_sphere, tanh = sphere_moments(ACTIVATIONS["tanh"](), 5), np.tanh(z_hat)
    assert of_sphere.K == pytest.approx(np.square(tanh).mean(), abs=1e-3)
    assert of_sphere.K_o == pytest.approx((tanh[0] * tanh[1]).mean(), abs=4e-3)  # four standard errors


@pytest.mark.parametrize(
    ("name", "factor"), [("relu", 1.0), ("linear", 1.0), ("tanh", 1.1778072), ("sigmoid", 0.1528270)]
)
def test_layer_normalisation_is_free_of_scales(name, factor):
    _, square, slope = moments(ACTIVATIONS[name](), 1.0)
    assert slope / square == pytest.approx(factor, rel=1e-6)


def networks_of(activation, normalisation, residual, width=128, depth=18, **changes):
    return replace(
        spec(activation, "he_normal", depth=depth, width=width),
        normalisation=choice(normalisation),
        residual=residual,
        **changes,
    )


LSUV = {"init": choice("lsuv")}
STANDARDISED = {"weight_standardised": True}
CASES = [
    *((a, "batch", choice("none"), {}) for a in ("relu", "linear", "tanh", "sigmoid")),
    *((a, n, choice("none"), {}) for a in ("relu", "tanh", "sigmoid") for n in ("layer", "rms")),
    *(("sigmoid", n, choice("none"), {"normalise": "outputs"}) for n in ("layer", "rms")),
    *((a, "none", choice("pre", alpha=0.5), {}) for a in ("relu", "tanh", "sigmoid")),
    *((a, n, choice("pre"), {}) for a in ("relu", "tanh") for n in ("batch", "layer")),
    *((a, n, choice("none"), STANDARDISED) for a in ("relu", "sigmoid") for n in ("none", "layer", "batch")),
    ("sigmoid", "rms", choice("none"), STANDARDISED | {"normalise": "outputs"}),
    ("sigmoid", "none", choice("pre"), STANDARDISED),
    *((a, "none", choice("pre", every=2), {}) for a in ("relu", "sigmoid")),
    ("tanh", "layer", choice("pre", every=3), {}),
    ("tanh", "none", choice("fixup"), {}),
    *((a, "none", choice("none"), LSUV) for a in ("relu", "tanh", "sigmoid")),
    ("sigmoid", "none", choice("none"), LSUV | STANDARDISED),
    ("sigmoid", "layer", choice("pre"), LSUV),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wide_networks_have_the_predicted_attenuation(case):
    *coordinates, changes = case
    network = networks_of(*coordinates, **changes)
    _, networks = run(network, 6, batch=16, cost="linear", dtype="float32")
    slopes = networks["slope_per_layer"]
    error = slopes.std() / sqrt(6)
    # of width: 3/n a layer in ln ‖·‖², as for plain layers, and as much of the spread of 6 draws as five errors
    assert abs(slopes.mean() - networks["predicted_slope_per_layer"].iloc[0]) < 0.004 + 5 * error
    assert error < 0.01


def test_standardised_weights_amplify_where_they_keep_lengths():
    """ReLU with the gain √(2/(1 − 1/π)): pi/(pi − 1) a layer. Sigmoid, He: phi is linear, with the slope ¼, in time."""
    for activation, scale, factor in (("relu", sqrt(1 / (1 - 1 / pi)), pi / (pi - 1)), ("sigmoid", 1.0, 2 / 16)):
        one, longer = (
            networks_of(activation, "none", choice("none"), depth=depth, weight_scale=scale, **STANDARDISED)
            for depth in (2000, 2500)
        )
        totals = ln_attenuations([one, longer], np.ones(1), 8)[:, 0]
        assert (totals[1] - totals[0]) / 500 == pytest.approx(log(factor), rel=1e-7)


def test_residual_branches_multiply_by_one_plus_alpha_squared():
    """ReLU and He: 1 + alpha² a block, and (1 + 1/L)^blocks with alpha = 1/√L."""
    # variances of 2,000 layers at alpha = 1 are beyond float64
    for alpha, power, depth in ((1.0, 0.0, 100), (0.5, 0.0, 100), (1.0, -0.5, 100), (1.0, 0.0, 2000)):
        one = networks_of("relu", "none", choice("pre", alpha=alpha, depth_power=power), depth=depth)
        expected = (depth - 2) * log(1 + one.branch_scale**2)  # of layers 2 …; the last one and its W keep lengths
        assert ln_attenuations([one], np.ones(1), 8)[0, 0] == pytest.approx(expected, rel=1e-9)


def test_a_branch_of_several_layers_has_the_product_of_their_factors():
    """ReLU, weights times √½ of He's: each layer ½. Depth 12 has blocks to 4, 7 and 10, and two plain layers."""
    one = networks_of("relu", "none", choice("pre", every=3), depth=12, weight_scale=sqrt(0.5))
    expected = 3 * log(1 + 0.5**3) + 2 * log(0.5)
    assert ln_attenuations([one], np.ones(1), 8)[0, 0] == pytest.approx(expected, rel=1e-9)


def test_skips_with_batch_normalisation_grow_as_a_power_of_the_layer():
    """‖∂C/∂z[k]‖² ∝ k^−lambda: each block passes 1 + lambda/k."""
    factor = batch_factor(ACTIVATIONS["relu"](), 64)
    totals = [
        ln_attenuations([networks_of("relu", "batch", choice("pre"), depth=depth)], np.ones(1), 64)[0, 0]
        for depth in (1000, 4000)
    ]
    # the last layer's own variance, ∝ depth, is divided out of the gradient there
    assert (totals[1] - totals[0]) / log(4) + 1 == pytest.approx(factor, abs=0.005)
    assert factor == pytest.approx(1.4931, abs=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        networks_of("relu", "none", choice("inside")),
        networks_of("relu", "batch", choice("post")),
        networks_of("tanh", "batch", choice("none"), normalise="outputs"),
        networks_of("relu", "layer", choice("none"), depth=1),
        networks_of("relu", "batch", choice("none"), **LSUV),
        networks_of("relu", "none", choice("none"), bias_scale=0.1, **LSUV),
        networks_of("relu", "layer", choice("none"), weight_scale=1e200),
    ],
    ids=lambda one: f"{one.init.name} {one.normalisation.name} {one.residual.name} {one.depth}",
)
def test_no_prediction_where_theory_has_none(network):
    assert np.isnan(predict([network], np.zeros(2), 16).slope_per_layer).all()


def test_the_first_layer_of_the_way_down_is_not_centred():
    """The linear cost's gradient has any sum over the batch; the projection on ones then takes a share 1/B."""
    linear = ACTIVATIONS["linear"]()
    assert batch_pass(linear, 8, centred=False) == pytest.approx(8 / 5 * (1 - 2 / 8), rel=1e-9)
    assert batch_pass(linear, 8) == pytest.approx(8 / 5 * 6 / 7, rel=1e-9)
