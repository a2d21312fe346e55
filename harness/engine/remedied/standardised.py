"""The size of the gradient of weights that are standardised: of those that are trained, not of W."""

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled
from harness.engine.equations import weight_gradient
from harness.networks.remedies.standardised import through_standardisation

FORMED_BYTES = 2**22  # of the ∂C/∂W that are formed at once, unless one takes more


def trained_gradient_sums(
    r: Scaled, delta: Scaled, v_hat: Array, inverse: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """‖∂C/∂(gain · V)‖² and the mean of its magnitudes, each with its exponent, (depths, replicates, lanes).

    r is (replicates, lanes, batch, fan_in), delta (depths, replicates, lanes, batch, fan_out), v_hat (replicates,
    fan_in, fan_out) and inverse (replicates, 1, fan_out). The gradient is formed: the projections of a Gram matrix
    would cancel where r points along the ones.
    """
    depths, replicates, lanes = delta.exponent.shape
    squares, means = np.empty(delta.exponent.shape), np.empty(delta.exponent.shape)
    of_squares, of_means = (np.empty(delta.exponent.shape, dtype=np.int64) for _ in range(2))
    at_once = max(1, FORMED_BYTES // v_hat[0].nbytes)
    for depth, replicate, first in np.ndindex(depths, replicates, -(-lanes // at_once)):
        chosen = slice(first * at_once, (first + 1) * at_once)
        where = depth, replicate, chosen
        grad = weight_gradient(r[replicate, chosen], delta[where])
        trained = Scaled(through_standardisation(grad.mantissa, v_hat[replicate], inverse[replicate]), grad.exponent)
        squares[where], of_squares[where] = trained.safe_squares
        means[where], of_means[where] = np.abs(trained.mantissa).mean(axis=(-2, -1), dtype=np.float64), grad.exponent
    return (squares, of_squares), (means, of_means)
