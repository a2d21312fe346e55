"""The draws that all lanes of a block share: inputs, targets and base draws."""

from math import log2

import numpy as np

from harness.data import draw_batch
from harness.lanes import Block, Settings
from harness.network import BaseDraws
from harness.scaled import scaled

Array = np.ndarray


class SharedDraws:
    """Inputs, targets and base draws of a block, made once; beyond `keep` bytes, again whenever they are asked for.

    The last base is at hand even so: bundles of depths ask for that of a layer one after another.
    """

    def __init__(self, block: Block, settings: Settings, keep: int):
        self.block, self.settings, self.keep = block, settings, keep
        self.dtype = np.dtype(settings.dtype)
        self.draws = BaseDraws(settings.seed, block.specs[0].family, block.replicates, self.dtype)
        self.width, self.input_width = block.specs[0].width, block.specs[0].input_width
        self._made: dict[tuple, Array] = {}
        self._last: dict[tuple, Array] = {}

    def batch(self, output_width: int) -> tuple[Array, Array]:
        """Inputs (replicates, batch, input_width) and targets (replicates, batch, output_width)."""
        s = self.settings
        key = ("batch", output_width)
        if key not in self._made:
            self._made[key] = draw_batch(
                s.data, s.seed, self.block.replicates, self.input_width, output_width, self.dtype
            )
        return self._made[key]

    def log10_rms_inputs(self) -> Array:
        """Over units and batch, (replicates,)."""
        inputs, _ = self.batch(self.block.specs[0].output_width)
        return scaled(inputs.astype(np.float64)).log10_norm - np.log10(inputs[0].size) / 2

    def fan_in(self, k: int) -> int:
        return self.input_width if k == 0 else self.width

    def base_exponent(self, fan_in: int) -> int:
        """Bases are held as draws · 2^−base_exponent, a power near 1/√fan_in, so that products keep their size."""
        return 0 if self.draws.family == "orthogonal" else round(log2(fan_in) / 2)

    def hidden(self, k: int) -> Array:
        """Base of the hidden W[k], so held: (replicates, 1, fan_in, width)."""
        return self._once("hidden", self.draws.hidden, k, self.fan_in(k), self.width)

    def output(self, depth: int, output_width: int) -> Array:
        """Base of an output layer's W, so held: (replicates, 1, fan_in, output_width)."""
        return self._once("output", self.draws.output, depth, self.fan_in(depth - 1), output_width)

    def _once(self, name: str, draw, *key: int) -> Array:
        base = self._made.get((name, *key), self._last.get((name, *key)))
        if base is None:
            base = draw(*key)[:, None]
            base *= 2.0 ** -self.base_exponent(base.shape[-2])
            if base.nbytes <= self.keep:
                self.keep -= base.nbytes
                self._made[name, *key] = base
        self._last = {(name, *key): base}
        return base
