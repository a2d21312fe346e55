"""Initialisations: the variance they promise, the distribution of their draws, which depend on their key alone.

Guards against a gain with the wrong fan, an orthogonal draw with the signs that QR left in it, a float32 network that
is another network than its float64 one, two draws that share their numbers, and an order of execution that matters.
"""

from itertools import product

import numpy as np
import pytest
from nets import choice, spec

from harness.base.streams import HIDDEN, HIDDEN_BIAS, INPUTS, OUTPUT, OUTPUT_BIAS, ROWS, TARGETS, Streams
from harness.networks.draws import BaseDraws, draw_parameters
from harness.networks.families import EXCESS_KURTOSIS, base_weights
from harness.networks.inits import INIT_SYNONYMS, INITS
from harness.networks.spec import init_of

CHOICES = [
    *map(choice, INITS),
    choice("normal", sigma_w=1.5),
    choice("uniform", sigma_w=0.3),
    choice("normal", std=0.01),
    choice("normal", std=0.2, mean=-0.1),
    choice("truncated_normal", std=0.3, mean=0.2),
    choice("uniform", bound=0.2),
    choice("uniform", low=-0.1, high=0.4),
    choice("constant", value=-0.5),
    choice("constant", value=0.0),
    choice("he_normal", gain=5 / 3),
    choice("xavier_uniform", gain=1.5),
    choice("orthogonal", gain=1.5),
]
every = pytest.mark.parametrize("chosen", CHOICES, ids=lambda c: c.label)
FANS = [(12, 12), (24, 6), (5, 20)]
SIGMA_2 = {  # Var W · fan_in, from the papers, of the initialisations that have one
    "normal": lambda m, n: 1.0,
    "uniform": lambda m, n: 1.0,
    "truncated_normal": lambda m, n: 1.0,
    "keras_default": lambda m, n: 2 * m / (m + n),
    "flax_default": lambda m, n: 1.0,
    "he_normal": lambda m, n: 2.0,
    "he_uniform": lambda m, n: 2.0,
    "xavier_normal": lambda m, n: 2 * m / (m + n),
    "xavier_uniform": lambda m, n: 2 * m / (m + n),
    "lecun_normal": lambda m, n: 1.0,
    "lecun_uniform": lambda m, n: 1.0,
    "orthogonal": lambda m, n: m / max(m, n),
    "pytorch_default": lambda m, n: 1 / 3,
}


def draws_of(init, fan_in, fan_out, count, seed=0):
    streams = Streams(seed, init.family, fan_in, fan_out)
    base = base_weights(init.family, streams, HIDDEN, 0, range(count), fan_in, fan_out)
    return init.gain(fan_in, fan_out) * (base + init.shift)  # (count, fan_in, fan_out)


@pytest.mark.parametrize("fans", FANS, ids=str)
@every
def test_mean_and_variance_of_the_draws(chosen, fans):
    init, (fan_in, fan_out) = init_of(chosen), fans
    W = draws_of(init, fan_in, fan_out, 1500) - init.mean_w(fan_in, fan_out)
    sigma_w = init.sigma_w(fan_in, fan_out)
    variance = sigma_w**2 / fan_in
    if not variance:
        assert init.name == "constant" and not W.any()
        return
    # 4.5 standard errors: one chance in 10^5 of a false alarm. Of a variance, at most that of normal numbers, √(2/N).
    assert abs(W.mean()) < 4.5 * np.sqrt(variance / W.size)
    assert abs(np.mean(W**2) / variance - 1) < 4.5 * np.sqrt(2 / W.size)
    for unit in (W[:, :, 0], W[:, 0, :]):  # no row or column is special
        assert abs(np.mean(unit**2) / variance - 1) < 4.5 * np.sqrt(2 / unit.size)


@pytest.mark.parametrize("fans", FANS, ids=str)
@pytest.mark.parametrize("name", SIGMA_2)
def test_sigma_w_is_what_the_papers_say(name, fans):
    assert init_of(choice(name)).sigma_w(*fans) == pytest.approx(np.sqrt(SIGMA_2[name](*fans)), rel=1e-14)


@pytest.mark.parametrize("fan_out", [3, 16])
def test_he_finite_width_is_he_and_the_shift_of_its_fan_in(fan_out):
    """mean at n = 50 is −0.051739 (σ_w² = 2); about 5/4n more than √2 in wide layers; for one unit e^(γ/2)·2."""
    init = INITS["he_finite_width"]()
    assert init.sigma_w(50, fan_out) == pytest.approx(np.sqrt(2) * np.exp(0.051739 / 2), rel=1e-6)
    assert init.sigma_w(1000, fan_out) / np.sqrt(2) == pytest.approx(1 + 5 / 4000, abs=3e-6)
    assert init.sigma_w(1, fan_out) == pytest.approx(np.sqrt(np.exp(np.euler_gamma) * 4 / 2), rel=1e-12)


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated_normal"])
def test_sigma_w_as_given(name):
    assert init_of(choice(name, sigma_w=1.7)).sigma_w(9, 4) == pytest.approx(1.7, rel=1e-15)
    one = spec("tanh", choice(name, sigma_w=1.7), 0.5, width=9, output_width=4)
    assert one.sigma_w() == pytest.approx(0.85, rel=1e-15)
    with pytest.raises(ValueError) as caught:
        INITS[name](sigma_w=0.0)
    assert str(caught.value) == "sigma_w must be positive, not 0"


@every
def test_normal_draws_are_normal_and_uniform_ones_flat(chosen):
    """Kurtosis 3, 1.8 and 2.366 (cut at two deviations), within 5 standard errors: √(24/N), and less for the latter."""
    init = init_of(chosen)
    kurtosis = {"normal": 3.0, "uniform": 1.8, "truncated_normal": 2.36554}.get(init.family)
    if kurtosis:
        W = draws_of(init, 12, 12, 1500) - init.mean_w(12, 12)
        assert EXCESS_KURTOSIS[init.family] == pytest.approx(kurtosis - 3, abs=1e-5)
        assert abs(np.mean(W**4) / np.mean(W**2) ** 2 - kurtosis) < 5 * np.sqrt(24 / W.size)


# By numbers, and by other names --------------------------------------------------------------------------------------

GIVEN = {  # the mean and the standard deviation of every weight, at any fans
    choice("normal", std=0.01): (0, 0.01),
    choice("normal", std=0.2, mean=-0.1): (-0.1, 0.2),
    choice("truncated_normal", std=0.3, mean=0.2): (0.2, 0.3 * 0.879625661),
    choice("uniform", bound=0.2): (0, 0.2 / np.sqrt(3)),
    choice("uniform", low=-0.1, high=0.4): (0.15, 0.5 / np.sqrt(12)),
    choice("constant", value=-0.5): (-0.5, 0),
    choice("constant", value=0.0): (0, 0),
}


@pytest.mark.parametrize("chosen", GIVEN, ids=lambda c: c.label)
def test_weights_have_the_numbers_of_the_config_in_every_layer(chosen):
    """Moments of the weights of the network itself, layer by layer: 5 standard errors of 6000 and more numbers."""
    mean, std = GIVEN[chosen]
    one = spec("tanh", chosen, depth=3, width=100, input_width=60, output_width=80)
    for k, W in enumerate(draw_parameters(one, 0, 0)[0]):
        assert abs(W.mean() - mean) <= 5 * std / np.sqrt(W.size)
        assert abs(W.std() - std) <= 5 * std / np.sqrt(2 * W.size)
        assert one.sigma_w_of(k) == pytest.approx(std * np.sqrt(one.fans(k)[0]), rel=1e-8)
    if chosen.name == "uniform":
        low, high = mean - std * np.sqrt(3), mean + std * np.sqrt(3)
        assert low <= W.min() < low + 0.01 * std and high - 0.01 * std < W.max() <= high
    if chosen.name == "truncated_normal":
        assert np.abs(W - mean).max() <= 0.6 + 1e-12  # two deviations of the normal before it was cut


def test_a_gain_multiplies_what_it_is_called_a_gain_of():
    """As torch.nn.init does: kaiming gain/√fan_in, xavier gain·√(2/(fan_in + fan_out))."""
    assert init_of(choice("he_normal", gain=5 / 3)).gain(16, 4) == pytest.approx(5 / 3 / 4, rel=1e-15)
    assert init_of(choice("xavier_normal", gain=2.0)).gain(16, 2) == pytest.approx(2 / 3, rel=1e-15)
    assert init_of(choice("he_uniform", gain=np.sqrt(2))).gain(9, 9) == pytest.approx(INITS["he_uniform"]().gain(9, 9))


def test_weights_with_a_mean_share_the_draws_of_those_without():
    with_mean, without = (
        draw_parameters(spec("tanh", choice("normal", std=0.2, **mean)), 0, 0)[0] for mean in ({"mean": 0.7}, {})
    )
    for W, V in zip(with_mean, without, strict=True):
        np.testing.assert_allclose(W, V + 0.7, rtol=1e-13)


REFUSED = {
    "normal": [
        ({"std": -1.0}, "std must be positive, not -1"),
        ({"mean": 0.1}, "a mean needs std, beside it"),
        ({"std": 0.1, "sigma_w": 2.0}, "give sigma_w or std, not both"),
    ],
    "uniform": [
        ({"low": 0.0}, "low and high come together"),
        ({"low": 1.0, "high": 0.0}, "low must be below high, not 1 and 0"),
        ({"bound": 1.0, "high": 2.0}, "give sigma_w, or bound, or low and high"),
    ],
    "xavier_normal": [({"gain": 0.0}, "gain must be positive, not 0")],
}


@pytest.mark.parametrize("name", REFUSED)
def test_numbers_that_make_no_sense(name):
    for parameters, message in REFUSED[name]:
        with pytest.raises(ValueError) as caught:
            INITS[name](**parameters)
        assert str(caught.value) == message


def test_synonyms_are_names_of_entries_and_of_none():
    assert set(INIT_SYNONYMS.values()) <= set(INITS) and not set(INIT_SYNONYMS) & set(INITS)


# Orthogonal ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fans", [(1, 1), (7, 7), (128, 128), (40, 9), (9, 40), (1, 6), (6, 1)], ids=str)
def test_orthogonal_rows_or_columns(fans):
    for W in draws_of(init_of(choice("orthogonal")), *fans, 3):
        product_of = W.T @ W if fans[0] >= fans[1] else W @ W.T
        np.testing.assert_allclose(product_of, np.eye(min(fans)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("fans", [(4, 4), (6, 3), (3, 6)], ids=str)
def test_orthogonal_draws_are_haar(fans):
    """Entries of mean 0 (QR as LAPACK leaves it has a first one that is never positive), E[tr²] = 1, E[tr⁴] = 3.

    The moments of the trace are those of Diaconis & Shahshahani 1994, for n ≥ 4.
    """
    count, largest = 4000, max(fans)
    W = draws_of(init_of(choice("orthogonal")), *fans, count)
    assert np.abs(W.mean(axis=0)).max() < 4.5 / np.sqrt(largest * count)
    signs = (W > 0).mean(axis=0)
    assert np.abs(signs - 0.5).max() < 4.5 * 0.5 / np.sqrt(count)
    if fans == (4, 4):
        trace = np.trace(W, axis1=1, axis2=2)
        assert abs(np.mean(trace**2) - 1) < 4.5 * np.sqrt(2 / count)  # Var tr² = E tr⁴ − 1 = 2
        assert abs(np.mean(trace**4) - 3) < 4.5 * np.sqrt(np.var(trace**4) / count)
        assert abs((np.linalg.det(W) > 0).mean() - 0.5) < 4.5 * 0.5 / np.sqrt(count)  # rotations and reflections


# pytorch_default ----------------------------------------------------------------------------------------------------


def test_pytorch_default_has_the_bounds_of_a_linear_layer():
    """Weights and biases uniform on ±1/√fan_in."""
    one = spec("relu", "pytorch_default", bias_scale=None, depth=3, width=50, input_width=20, output_width=30)
    weights, biases = draw_parameters(one, 0, 0)
    for W, b in zip(weights, biases, strict=True):
        bound = 1 / np.sqrt(W.shape[0])
        assert np.abs(W).max() <= bound and np.abs(W).max() > 0.98 * bound  # of 600 draws: 0.98^600 = 5e-6
        assert np.abs(b).max() <= bound and np.abs(b).max() > 0.7 * bound  # of 30: 0.7^30 = 2e-5
        assert abs(np.mean(b**2) / (bound**2 / 3) - 1) < 4.5 * np.sqrt(0.8 / len(b))


def test_a_bias_scale_overrides_the_biases_of_pytorch_default():
    ends = {"depth": 3, "width": 400, "init": "pytorch_default"}
    none, given = (draw_parameters(spec(bias_scale=b, **ends), 0, 0)[1] for b in (0.0, 0.5))
    assert not any(b.any() for b in none)
    assert np.std(np.concatenate(given)) == pytest.approx(0.5, rel=4.5 / np.sqrt(2 * 1200))
    assert max(np.abs(b).max() for b in given) > 3 * 0.5  # normal, not uniform


@every
def test_biases_have_the_size_that_the_init_gives_them(chosen):
    """Exactly 0 where that is 0."""
    init, one = init_of(chosen), spec("relu", chosen, bias_scale=None, depth=3, width=400)
    biases = np.concatenate(draw_parameters(one, 0, 0)[1])
    # 4.5 standard errors; a variance of uniform numbers varies less than that of normal ones
    assert np.std(biases) == pytest.approx(init.sigma_b(400), rel=4.5 / np.sqrt(2 * 1200))


# What a draw depends on ---------------------------------------------------------------------------------------------

FAMILIES = ("normal", "truncated_normal", "uniform", "orthogonal")


@pytest.mark.parametrize("family", FAMILIES)
def test_draws_do_not_depend_on_order_or_company(family):
    def layers(replicates, order):
        draws = BaseDraws(3, family, replicates, np.dtype(np.float64))
        return {k: draws.hidden(k, 6, 4) for k in order}

    together, alone = layers(range(5), range(4)), layers([3], [2, 0, 3, 1])
    for k in range(4):
        np.testing.assert_array_equal(together[k][3], alone[k][0])


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_draws_are_the_float64_ones_rounded(family):
    wide, narrow = (BaseDraws(0, family, range(3), np.dtype(t)) for t in (np.float64, np.float32))
    for draw in (
        lambda d: d.hidden(2, 5, 7),
        lambda d: d.output(3, 7, 2),
        lambda d: d.hidden_bias(1, 9, "normal"),
        lambda d: d.output_bias(4, 9, "uniform"),
    ):
        assert draw(narrow).dtype == np.float32
        np.testing.assert_array_equal(draw(narrow), draw(wide).astype(np.float32))


def test_no_two_draws_share_their_numbers():
    """Hidden and output layers, biases, data, replicates, families, fans, seeds: all different streams."""
    purposes = (HIDDEN, OUTPUT, HIDDEN_BIAS, OUTPUT_BIAS, INPUTS, TARGETS, ROWS)
    assert len(set(purposes)) == 7
    keys = product((0, 1, 2**40), ("normal", "uniform", "bias normal"), (4, 44), (4, 44))
    seen = set()
    for key in keys:
        streams = Streams(*key)
        for purpose, index, replicate in product(purposes, (0, 1, 2, 5000), (0, 1, 2, 10**6)):
            seen.update(streams.at(purpose, index, replicate).integers(0, 2**63, size=4).tolist())
    # 63-bit numbers: two of these 16128 are equal by chance with a probability of 1e-11
    assert len(seen) == 36 * 7 * 4 * 4 * 4


def test_the_draws_of_a_network_are_all_different():
    """Square layers, so that only the keys can tell them apart: no layer, output, bias, replicate or depth repeats."""
    first = set()
    cases = list(product((4, 5), (0, 1), (0, 7)))  # depths, replicates, seeds
    for depth, replicate, seed in cases:
        weights, biases = draw_parameters(spec("relu", "lecun_normal", bias_scale=1.0, depth=depth), seed, replicate)
        first.update(float(a.flat[0] * np.sqrt(6)) if a.ndim == 2 else float(a[0]) for a in weights + biases)
    # for each replicate and seed: hidden layers 0 … 3 shared by both depths, and the output layer of each
    assert len({round(v, 12) for v in first}) == 4 * 2 * (4 + 2)


def test_a_shallow_network_has_the_hidden_draws_of_a_deep_one():
    (deep, deep_b), (shallow, shallow_b) = (
        draw_parameters(spec("relu", "he_normal", bias_scale=0.3, depth=d, input_width=3), 5, 1) for d in (64, 8)
    )
    for k in range(7):
        np.testing.assert_array_equal(shallow[k], deep[k])
        np.testing.assert_array_equal(shallow_b[k], deep_b[k])
    assert not np.array_equal(shallow[7], deep[7])


def test_every_init_of_a_family_shares_its_draws():
    """What makes comparisons paired: W = gain * base."""
    one, other = (draw_parameters(spec("relu", name), 0, 0)[0] for name in ("he_normal", "xavier_normal"))
    for W, V in zip(one, other, strict=True):
        np.testing.assert_allclose(W, np.sqrt(2) * V, rtol=1e-14)  # square layers: 2/n against 1/n
