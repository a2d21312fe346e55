"""The draws that all lanes of a block share: inputs, targets and base draws."""

from collections.abc import Callable
from functools import partial
from math import log2, sqrt

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import scaled
from harness.engine.lanes.groups import Block, Settings
from harness.networks.data import draw_batch
from harness.networks.draws import BaseDraws
from harness.networks.families import base_variance


class SharedDraws:
    """Inputs, targets and base draws of a block. They are kept once made; beyond `keep` bytes they are made again.

    The last base is kept in any case: several chunks of depths ask for the base of a layer one after another.
    """

    def __init__(self, block: Block, settings: Settings, keep: int):
        self.block, self.settings, self.keep = block, settings, keep
        self.dtype = np.dtype(settings.dtype)
        first = block.specs[0]  # all have the same draws
        self.draws = BaseDraws(
            settings.seed,
            first.family,
            block.replicates,
            self.dtype,
            first.shift,
            first.tied,
            first.weight_standardised,
        )
        self.input_width = block.input_width
        self._batches: dict[int, tuple[Array, Array]] = {}
        self._bases: dict[tuple, Array] = {}
        self._last: dict[tuple, Array] = {}

    def batch(self, output_width: int) -> tuple[Array, Array]:
        """Inputs (replicates, batch, input_width) and targets (replicates, batch, output_width)."""
        if output_width not in self._batches:
            data, seed, replicates = self.settings.data, self.settings.seed, self.block.replicates
            batch = draw_batch(data, seed, replicates, self.input_width, output_width, self.dtype)
            self._batches[output_width] = batch
        return self._batches[output_width]

    def log10_rms_inputs(self) -> Array:
        """log10 of the root mean square of the inputs over units and batch, (replicates,)."""
        inputs, _ = self.batch(self.block.specs[0].output_width)
        return scaled(inputs.astype(np.float64)).log10_norm - np.log10(inputs[0].size) / 2

    def fan_in(self, k: int) -> int:
        """Width of the layer below W[k]."""
        return self.block.fan_in(k)

    def base_exponent(self, fan_in: int) -> int:
        """Bases are held as draws · 2^−base_exponent, a power near 1/√fan_in, so that products keep their size."""
        return 0 if self.draws.family == "orthogonal" else round(log2(fan_in) / 2)

    def hidden(self, k: int) -> Array:
        """Base of the hidden W[k] times 2^−base_exponent, (replicates, 1, fan_in, fan_out)."""
        return self._cached(self.draws.hidden, "hidden", self.draws.index(k), self.fan_in(k), self.block.fan_out(k))

    def output(self, depth: int, output_width: int) -> Array:
        """Base of an output layer's W times 2^−base_exponent, (replicates, 1, fan_in, output_width)."""
        return self._cached(self.draws.output, "output", depth, self.fan_in(depth - 1), output_width)

    def standardised(self, k: int, output_width: int | None) -> tuple[Array, Array]:
        """Standardised bases of unit variance, (replicates, fan_in, fan_out), and std/s, (replicates, 1, fan_out).

        Of the hidden W[k], or of the output layer of that width above layer k.
        """
        if output_width is None:
            base, inverse_of = self.hidden(k), partial(self.draws.hidden_inverse, k)
        else:
            base, inverse_of = self.output(k + 1, output_width), partial(self.draws.output_inverse, k + 1)
        fan_in, fan_out = base.shape[-2:]
        std = sqrt(base_variance(self.draws.family, fan_in, fan_out)) * 2.0 ** -self.base_exponent(fan_in)
        return base[:, 0] / self.dtype.type(std), inverse_of(fan_in, fan_out)

    def _cached(
        self, draw: Callable[[int, int, int], Array], name: str, index: int, fan_in: int, fan_out: int
    ) -> Array:
        key = name, index, fan_in, fan_out
        base = self._bases.get(key, self._last.get(key))
        if base is None:
            base = draw(index, fan_in, fan_out)[:, None]
            base *= 2.0 ** -self.base_exponent(fan_in)
            if base.nbytes <= self.keep:
                self.keep -= base.nbytes
                self._bases[key] = base
        self._last = {key: base}
        return base
