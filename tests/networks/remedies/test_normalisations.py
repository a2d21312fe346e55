"""Each normalisation: its backward pass against finite differences, and what it makes of means, lengths and scales."""

import numpy as np
import pytest

from harness.networks.remedies import normalisations
from harness.networks.remedies.normalisations import NORMALISATIONS

NAMES = [name for name in NORMALISATIONS if name != "none"]
STEP = 1e-6


def at(name, epsilon, z):
    made = NORMALISATIONS[name](epsilon=epsilon)
    return made, *normalisations.forward(made, z, np.full((1, 1), epsilon))[:2]


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
@pytest.mark.parametrize("name", NAMES)
def test_backward_is_the_derivative_of_forward(name, epsilon):
    rng = np.random.default_rng(3)
    z, grad = rng.standard_normal((2, 5, 7))
    made, z_hat, inverse = at(name, epsilon, z)
    numeric = np.empty_like(z)
    for place in np.ndindex(*z.shape):
        step = np.zeros_like(z)
        step[place] = STEP
        numeric[place] = np.sum(grad * (at(name, epsilon, z + step)[1] - at(name, epsilon, z - step)[1])) / (2 * STEP)
    np.testing.assert_allclose(normalisations.backward(made, grad, z_hat, inverse), numeric, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_square_is_one_and_the_mean_is_zero(name):
    made, z_hat, _ = at(name, 0.0, np.random.default_rng(4).standard_normal((6, 9)) + 2)
    np.testing.assert_allclose(np.square(z_hat).mean(axis=made.axis), 1, rtol=1e-13)
    assert (np.abs(z_hat.mean(axis=made.axis)) < 1e-13).all() == made.centred


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_units_far_below_the_largest_keep_their_digits(name, dtype):
    """Their squares underflow: 1e-30 in float32, 1e-200 in float64."""
    tiny = dtype(1e-30 if dtype == np.float32 else 1e-200)
    z = np.random.default_rng(5).standard_normal((6, 9)).astype(dtype)
    made = NORMALISATIONS[name]()
    one = np.arange(9) == 2 if made.over == "batch" else np.arange(6)[:, None] == 3
    along = z * np.where(one, tiny, dtype(1))
    small, whole = (normalisations.forward(made, a, np.zeros((1, 1), dtype))[0] for a in (along, z))
    np.testing.assert_allclose(small, whole, rtol=2e-5 if dtype == np.float32 else 1e-13, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_fewer_values_than_the_least_pass_no_gradient(name):
    made = NORMALISATIONS[name]()
    for count in (made.least - 1, made.least):
        shape = (count, 4) if made.over == "batch" else (4, count)
        z, grad = np.random.default_rng(6).standard_normal((2, *shape))
        _, z_hat, inverse = at(name, 0.0, z)
        passes = np.abs(normalisations.backward(made, grad, z_hat, inverse)).max() > 1e-12
        assert passes == (count == made.least)


def test_a_negative_epsilon_is_refused():
    with pytest.raises(ValueError, match=r"^epsilon must be 0 or more, not -1$"):
        NORMALISATIONS["batch"](epsilon=-1)
