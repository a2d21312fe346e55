"""The rows that a replicate is trained, validated and tested on, and the order of its minibatches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.base.arrays import Array
from harness.base.streams import ROWS, Streams
from harness.networks.data import DataSpec, draw_batch
from harness.networks.training.recipe import Training

PARTS = ("probe", "validation", "test")  # where cost and accuracy are recorded


@dataclass(frozen=True)
class Rows:
    """Inputs (rows, input_width) and targets (rows, output_width)."""

    inputs: Array
    targets: Array

    def __getitem__(self, rows: slice | Array) -> "Rows":
        return Rows(self.inputs[rows], self.targets[rows])


@dataclass(frozen=True)
class Split:
    """The data of one replicate. The probe is the batch that a sweep without training measures."""

    train: Rows
    probe: Rows  # the first rows of `train`
    validation: Rows
    test: Rows


def draw_split(
    data: DataSpec, training: Training, seed: int, replicate: int, widths: tuple[int, int], dtype: np.dtype
) -> Split:
    """The data of a replicate. The first rows train, the next validate, the rest test. `widths`: of inputs, outputs."""
    whole = replace(data, batch=training.rows)
    inputs, targets = draw_batch(whole, seed, [replicate], *widths, dtype)
    rows = Rows(inputs[0], targets[0])
    tested = training.train + training.validation
    train = rows[: training.train]
    return Split(train, train[: data.batch], rows[training.train : tested], rows[tested:])


def minibatches(seed: int, train: int, batch: int, replicate: int) -> Iterator[Array]:
    """The rows of each minibatch, epoch by epoch, without end.

    Within an epoch no row comes twice; the rows that do not fill a last minibatch are left out. All networks of a
    replicate see the same minibatches.
    """
    streams, epoch = Streams(seed, "minibatches", train), 0
    while True:
        order = streams.at(ROWS, epoch, replicate).permutation(train)
        yield from order[: train // batch * batch].reshape(-1, batch)
        epoch += 1
