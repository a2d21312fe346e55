"""LSUV, layer-sequential unit variance: the weights of each layer are divided by the deviation of what they make.

From the first layer up, W is divided by the standard deviation of z = r @ W + b over units and batch until the variance
of z is within a tolerance of 1. Without biases once is enough. Layers above see what the layers below have become.
Source: Mishkin & Matas 2016, algorithm 1, which starts from orthonormal matrices.
"""

import numpy as np

from harness.base.arrays import Array

MOST = 10  # divisions of a layer, as in the authors' code; more than one is needed with biases alone


def unit_variance_gain(
    gain: Array, of_product: Array, with_bias: Array, of_bias: Array, within: float
) -> tuple[Array, Array]:
    """The gain of W with which z has unit variance, and the number of divisions that it took.

    The variance of z is gain² · `of_product` + 2 · gain · `with_bias` + `of_bias`: the variances of r @ W at a gain of
    1 and of b, and their covariance. Where r @ W does not vary the gain is left as it is. All arrays have one shape.
    """
    divisions = np.zeros(np.shape(gain), dtype=np.int64)
    for _ in range(MOST):
        variance = gain * gain * of_product + 2 * gain * with_bias + of_bias
        off = (np.abs(variance - 1) >= within) & (of_product > 0) & (variance > 0)
        if not off.any():
            break
        gain = gain / np.sqrt(np.where(off, variance, 1))
        divisions += off
    return gain, divisions
