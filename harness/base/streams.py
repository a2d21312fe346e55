"""Keyed random streams: a draw depends on its key only, never on the order in which draws are made."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from harness.base.arrays import Array

# The purposes of draws, which are the second word of a stream's counter. Never renumber them: networks would change.
HIDDEN, OUTPUT, HIDDEN_BIAS, OUTPUT_BIAS, INPUTS, TARGETS, ROWS = range(7)


class Streams:
    """All streams of one key: `at(purpose, index, replicate)` returns the generator of one draw.

    The key (seed, family, fans, …) becomes the 128-bit key of a Philox counter generator; purpose, index and
    replicate become the upper words of its counter, so every draw has 2^64 blocks of numbers, and no two overlap.
    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """

    def __init__(self, *key: int | str):
        digest = blake2b(repr(key).encode(), digest_size=16).digest()
        self._bits = np.random.Philox(key=int.from_bytes(digest, "little"))
        self._generator = np.random.Generator(self._bits)
        self._state = self._bits.state

    def at(self, purpose: int, index: int, replicate: int) -> np.random.Generator:
        """The generator, set to the start of one draw. It is valid until the next call."""
        self._state["state"]["counter"][:] = (0, purpose, index, replicate)
        self._bits.state = self._state  # the saved state has an empty buffer
        return self._generator

    def normal(self, purpose: int, index: int, replicates: Sequence[int], shape: tuple[int, ...]) -> Array:
        """Standard normal draws, (replicates, *shape), float64."""
        draws = np.empty((len(replicates), *shape))
        for draw, i in zip(draws, replicates, strict=True):
            self.at(purpose, index, i).standard_normal(out=draw)
        return draws

    def uniform(self, purpose: int, index: int, replicates: Sequence[int], shape: tuple[int, ...]) -> Array:
        """Uniform draws of mean 0 and variance 1, which lie on [−√3, √3), (replicates, *shape), float64."""
        draws = np.empty((len(replicates), *shape))
        for draw, i in zip(draws, replicates, strict=True):
            self.at(purpose, index, i).random(out=draw)
        return (2 * draws - 1) * np.sqrt(3)
