"""Single neurons: the weight, input and target of every network of one weight and one sample, as columns."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from harness.data import DataSpec, draw_batch
from harness.network import BaseDraws, NetworkSpec


def is_neuron(spec: NetworkSpec, data: DataSpec) -> bool:
    """Whether ŷ = phi(Wx) with numbers W and x, and no bias."""
    one = spec.depth == spec.input_width == spec.output_width == data.batch == 1
    return one and spec.sigma_b(1) == 0


def neurons(specs: Iterable[NetworkSpec], data: DataSpec, seed: int, replicates: int) -> pd.DataFrame:
    """W, x and y of every draw of these networks, and the column `network`; float64, as `Results.build` gives them."""
    draws = range(replicates)
    frames = []
    for spec in specs:
        base = BaseDraws(seed, spec.family, draws, np.dtype(np.float64)).output(1, 1, 1)
        x, y = draw_batch(data, seed, draws, 1, 1)
        columns = {name: array.ravel() for name, array in (("W", spec.gain(1, 1) * base), ("x", x), ("y", y))}
        frames.append(pd.DataFrame({"network": [spec.network(i) for i in draws]} | columns))
    return pd.concat(frames, ignore_index=True)
