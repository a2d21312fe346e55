"""Weight standardisation: every column of W centred and scaled, so that it has mean 0 and the variance of its init.

    forward    W = gain · std · v_hat      v_hat = (V − m)/s      m, s² : mean and variance of the column of V
    backward   ∂C/∂V, of the weights that are trained, goes back through this as through batch normalisation

Each column holds the weights into one unit, so its sum over fan_in is 0: z does not feel the mean of r. The trained
weights start at gain · V, so that ∂C/∂(gain · V) is std/s times what the backward pass of v_hat says of ∂C/∂W.
Source: Qiao, Wang, Liu, Shen & Yuille 2019.
"""

import numpy as np

from harness.base.arrays import Array
from harness.networks.remedies import normalisations

COLUMNS = normalisations.batch()  # over the rows of W
LEAST = COLUMNS.least  # rows: a column of fewer has no gradient


def standardise(base: Array, std: float) -> tuple[Array, Array]:
    """std · v_hat and std/s of base draws (…, fan_in, fan_out); std/s is (…, 1, fan_out), 0 where s is 0."""
    v_hat, inverse, _ = normalisations.forward(COLUMNS, base, np.zeros((1, 1), base.dtype))
    return std * v_hat, std * inverse


def through_standardisation(grad_W: Array, v_hat: Array, inverse: Array) -> Array:
    """∂C/∂(gain · V) from ∂C/∂W, both (…, fan_in, fan_out), given v_hat of unit variance and std/s."""
    return normalisations.backward(COLUMNS, grad_W, v_hat, inverse)
