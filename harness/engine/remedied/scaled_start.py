"""The weights that LSUV makes of one network's draws, as the sweep of that network has them."""

from __future__ import annotations

from itertools import chain

import numpy as np

from harness.base.arrays import Array
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
    draws, (group,) = SharedDraws(block, settings, keep=0), block.groups
    ascent, (output,) = ascend(group, draws), group.outputs
    start = ascent.parameters.weights(draws.output(output.depth, output.width))
    top, _ = weights_on(ascent.r(spec.depth - 1), start, ascent.parameters.output_bias(output), ascent.remedy)
    scaled, gains = [], []
    for W in chain(map(ascent.weights, range(spec.depth - 1)), [top]):  # one base at a time: wide ones take memory
        assert W.gain is not None  # the batch sets one for every lane
        gain = np.ldexp(W.gain, W.exponent)[0, 0]
        scaled.append(gain * W.base[0, 0])
        gains.append(float(gain) * 2.0 ** -draws.base_exponent(W.base.shape[-2]))
    return scaled, gains
