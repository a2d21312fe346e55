"""Order statistics over draws, layer by layer, of any number of rows.

Rows come network by network and are wanted layer by layer. Where they do not all fit into memory, they are sorted into
runs of layers in a file: written once and read once, however many there are.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np
import pandas as pd

from harness.errors import HarnessError
from harness.figures.spread import spread
from harness.layer_rows import Batch, Layers, Rows, batches, take

Array = np.ndarray

MOST_ROWS = 2**20  # that are worked on at once: about a tenth of a gigabyte meanwhile


def joined(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int]) -> pd.DataFrame:
    """The layers of a few networks of these depths, with their setting and activation as ordered categories."""
    wanted = take(layers, networks, columns, depths)
    found = networks[["setting", "activation", "replicate"]].take(wanted.pop("place").to_numpy())
    return wanted.assign(**{name: found[name].array for name in found})


def spreads(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int],
            by: Sequence[str]) -> pd.DataFrame:  # fmt: skip
    """Median and quartiles of each column at each layer of each group of networks, as `spread` gives them, with the
    column's name as `measure`.

    `by` are columns of `networks`, the last is `layer`.
    """
    networks = networks[networks["depth"].isin(depths)]
    groups = networks.groupby(list(by[:-1]), observed=True, sort=True)
    cells, layer_count = groups.size().reset_index()[list(by[:-1])], int(networks["depth"].max()) + 1
    cell = groups.ngroup().to_numpy()
    found: dict[str, list[pd.DataFrame]] = {column: [] for column in columns}
    for piece in pieces(layers, networks, cell * layer_count, columns, depths):
        for column in columns:
            found[column].append(spread(piece, ["row"], column).assign(measure=column))
    rows = pd.concat([pd.concat(own).sort_values("row") for own in found.values()], ignore_index=True)
    row = rows.pop("row").to_numpy()
    coordinates = cells.take(row // layer_count).reset_index(drop=True).assign(layer=row % layer_count)
    return pd.concat([coordinates, rows], axis=1)


def pieces(layers: Layers, networks: pd.DataFrame, first: Array, columns: Sequence[str], depths: Sequence[int]
           ) -> Iterator[pd.DataFrame]:  # fmt: skip
    """`row`, a network's `first` + layer, and the columns, at most about MOST_ROWS at a time; every draw of a layer is
    in one piece."""
    kind = np.dtype([("row", np.int64), *((column, np.float64) for column in columns)])
    ends, rows = _runs(networks["depth"].to_numpy())
    source = batches(layers, networks, columns, depths)
    if not isinstance(layers, Rows) or len(ends) == 1:
        whole = np.concatenate([np.empty(0, kind), *(_records(batch, first, kind) for batch in source)])
        yield pd.DataFrame(whole)
        return
    with _by_layers(layers.folder, ends, rows) as shelves:
        for batch in source:
            shelves.put(batch.layer, _records(batch, first, kind))
        yield from map(pd.DataFrame, shelves.each(kind))


def _records(batch: Batch, first: Array, kind: np.dtype) -> Array:
    records = np.empty(len(batch.layer), kind)
    records["row"] = first[batch.places][batch.network] + batch.layer
    for column in kind.names[1:]:
        records[column] = batch.values[column]
    return records


def _runs(depths: Array) -> tuple[Array, Array]:
    """Runs of layers of about MOST_ROWS, one layer at least: the layer after the last of each, and its rows at most."""
    at_layer = np.bincount(depths)[::-1].cumsum()[::-1]  # networks that have a layer 0, 1, 2, …
    ends, rows = [1], [0]
    for layer, count in enumerate(at_layer[1:].tolist(), start=1):
        if rows[-1] and rows[-1] + count > MOST_ROWS:
            ends, rows = [*ends, layer], [*rows, 0]
        ends[-1], rows[-1] = layer + 1, rows[-1] + count
    return np.array(ends), np.array(rows)


class _Shelves:
    """Records in a file, those of a run of layers together, in the order in which they came."""

    def __init__(self, file: BinaryIO, ends: Array, rows: Array):
        self.file, self.ends = file, ends
        self.starts, self.filled = np.cumsum(rows) - rows, np.zeros(len(rows), dtype=np.int64)

    def put(self, layer: Array, records: Array) -> None:
        shelf = np.searchsorted(self.ends, layer, side="right")
        counts = np.bincount(shelf, minlength=len(self.ends))
        records, stops = records[np.argsort(shelf, kind="stable")], np.cumsum(counts)
        for i in np.nonzero(counts)[0]:
            self.file.seek((self.starts[i] + self.filled[i]) * records.itemsize)
            self.file.write(records[stops[i] - counts[i] : stops[i]].data)
        self.filled += counts

    def each(self, kind: np.dtype) -> Iterator[Array]:
        for start, count in zip(self.starts, self.filled, strict=True):
            self.file.seek(start * kind.itemsize)
            yield np.fromfile(self.file, kind, count)


@contextmanager
def _by_layers(folder: Path, ends: Array, rows: Array) -> Iterator[_Shelves]:
    """Shelves in a file without a name, which is gone with this process."""
    try:
        with TemporaryFile(dir=folder) as file:
            yield _Shelves(file, ends, rows)
    except OSError as error:
        raise HarnessError(f"{folder}: no room to sort the rows of a figure: {error.strerror}; make some, then "
                           "draw the figures with `harness plot`") from None  # fmt: skip
