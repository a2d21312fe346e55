"""Where on the way up a network left the number format, or died."""

import numpy as np

from harness.backprop import Head, Layer
from harness.scaled import any_of

Array = np.ndarray

NEVER = np.iinfo(np.int64).max


class Fails:
    """Where on the way up a lane left the number format, and where each of its samples met a wholly silent layer."""

    def __init__(self, shape: tuple[int, int], batch: int):
        self.at = np.full(shape, NEVER)  # first layer that overflows or underflows
        self.text = np.full(shape, "", dtype=object)
        self.silent_at = np.full((*shape, batch), NEVER)

    def note(self, layer: Layer, k: int) -> None:
        for condition, what in ((layer.overflows, "overflows"), (layer.underflows, "underflows")):
            if condition is not None:
                new = condition & (self.at == NEVER)
                self.at[new] = k
                self.text[new] = f"forward pass {what} at layer {k}"
        if layer.silent is not None:
            silent = np.logical_and.reduce(layer.silent, axis=-1)
            if any_of(silent):
                self.silent_at[silent & (self.silent_at == NEVER)] = k

    def of(self, head: Head) -> tuple[Array, Array, Array]:
        """For the networks of one depth: layer of failure, dead_from_layer (0: never), what failed: as `at`."""
        ours = Fails(self.at.shape, self.silent_at.shape[-1])
        hidden = self.at < head.depth
        ours.at[hidden], ours.text[hidden] = self.at[hidden], self.text[hidden]
        ours.silent_at[:] = np.where(self.silent_at < head.depth, self.silent_at, NEVER)
        ours.note(head.layer, head.depth)
        dead_from = ours.silent_at.max(axis=-1)  # by then every sample has met one
        return np.where(ours.at == NEVER, 0, ours.at), np.where(dead_from == NEVER, 0, dead_from), ours.text
