"""The weights that LSUV makes of one network's draws, as the sweep of that network has them."""

from __future__ import annotations

from math import prod

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Weights
from harness.engine.lanes.draws import SharedDraws
from harness.engine.lanes.groups import Block, Settings
from harness.engine.remedied.ascent import ascend, weights_on
from harness.networks.data import DataSpec
from harness.networks.spec import NetworkSpec


def scaled_start(
    spec: NetworkSpec, seed: int, replicate: int, data: DataSpec, dtype: np.dtype
) -> tuple[list[Array], list[float]]:
    """W[k] = gain · base of every layer, (fan_in, fan_out) of a dtype, and its gain, on the batch of a sweep.

    It takes the forward pass of the sweep, so that the gains are the same to the last bit.
    """
    block = Block((spec,), range(replicate, replicate + 1))
    settings = Settings(seed, data, "squared", dtype.name, decades=1)  # neither cost nor decades matter going up
    kept = dtype.itemsize * sum(prod(spec.fans(k)) for k in range(spec.depth))
    draws, (group,) = SharedDraws(block, settings, kept), block.groups
    ascent, (output,) = ascend(group, draws), group.outputs
    start = ascent.parameters.weights(draws.output(output.depth, output.width))
    top, _ = weights_on(ascent.r(spec.depth - 1), start, ascent.parameters.output_bias(output), ascent.remedy)
    all_weights = [*map(ascent.weights, range(spec.depth - 1)), top]
    gains = [_gain(W) * 2.0 ** -draws.base_exponent(W.base.shape[-2]) for W in all_weights]  # of the base as drawn
    return [_gain(W) * W.base[0, 0] for W in all_weights], [float(gain) for gain in gains]


def _gain(weights: Weights) -> Array:
    """The gain of the only lane, a number of the dtype of the weights."""
    assert weights.gain is not None  # the batch sets one for every lane
    return np.ldexp(weights.gain, weights.exponent)[0, 0]
