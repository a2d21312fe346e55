"""Median and quartiles over draws at every layer, of any number of rows.

Rows are stored network by network and are needed layer by layer. Where they do not all fit into memory, they are first
sorted into a temporary file that holds a range of layers in each of its sections. Every row is written and read once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np
import pandas as pd

from harness.base.arrays import Array
from harness.base.errors import HarnessError
from harness.figures.kit.quartiles import quartiles
from harness.results.rows import Batch, Layers, Rows, batches, take

Summary = Callable[[pd.DataFrame, Sequence[str], str], pd.DataFrame]  # such as `quartiles`
MOST_ROWS = 2**20  # in memory at once: about a tenth of a gigabyte


def joined_layers(
    layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int]
) -> pd.DataFrame:
    """The layers of a few networks of these depths, with each network's setting, activation and replicate."""
    rows = take(layers, networks, columns, depths)
    coordinates = networks[["setting", "activation", "replicate"]].take(rows.pop("place").to_numpy())
    return rows.assign(**{name: coordinates[name].array for name in coordinates})


def layer_quartiles(
    layers: Layers,
    networks: pd.DataFrame,
    columns: Sequence[str],
    depths: Sequence[int],
    by: Sequence[str],
    summarise: Summary = quartiles,
) -> pd.DataFrame:
    """Median and quartiles, or another summary, of each column at each layer of each group of networks.

    `by` are columns of `networks`; the last is `layer`. Returns the columns `by`, those of the summary, and `measure`,
    the name of the column that a row describes.
    """
    networks = networks[networks["depth"].isin(depths)]
    groups = networks.groupby(list(by[:-1]), observed=True, sort=True)
    cells, layer_count = groups.size().reset_index()[list(by[:-1])], int(networks["depth"].max()) + 1
    first_row = groups.ngroup().to_numpy() * layer_count
    measures: dict[str, list[pd.DataFrame]] = {column: [] for column in columns}
    for chunk in chunks(layers, networks, first_row, columns, depths):
        for column in columns:
            measures[column].append(summarise(chunk, ["row"], column).assign(measure=column))
    rows = pd.concat([pd.concat(frames).sort_values("row") for frames in measures.values()], ignore_index=True)
    row = rows.pop("row").to_numpy()
    coordinates = cells.take(row // layer_count).reset_index(drop=True).assign(layer=row % layer_count)
    return pd.concat([coordinates, rows], axis=1)


def chunks(
    layers: Layers, networks: pd.DataFrame, first_row: Array, columns: Sequence[str], depths: Sequence[int]
) -> Iterator[pd.DataFrame]:
    """The columns, and `row`, a network's `first_row` + layer, in chunks of about MOST_ROWS.

    All draws of a layer are in the same chunk.
    """
    record = np.dtype([("row", np.int64), *((column, np.float64) for column in columns)])
    ends, capacities = _layer_ranges(networks["depth"].to_numpy())
    source = batches(layers, networks, columns, depths)
    if not isinstance(layers, Rows) or len(ends) == 1:
        whole = np.concatenate([np.empty(0, record), *(_records(batch, first_row, record) for batch in source)])
        yield pd.DataFrame(whole)
        return
    with _sorted_file(layers.folder, ends, capacities) as file:
        for batch in source:
            file.write(batch.layer, _records(batch, first_row, record))
        yield from map(pd.DataFrame, file.sections(record))


def _records(batch: Batch, first_row: Array, record: np.dtype) -> Array:
    records = np.empty(len(batch.layer), record)
    records["row"] = first_row[batch.places][batch.network] + batch.layer
    for column in (record.names or ())[1:]:
        records[column] = batch.values[column]
    return records


def _layer_ranges(depths: Array) -> tuple[Array, Array]:
    """Ranges of one layer or more with about MOST_ROWS rows: the layer after each range, and its number of rows."""
    at_layer = np.bincount(depths)[::-1].cumsum()[::-1]  # networks that have a layer 0, 1, 2, …
    ends, rows = [1], [0]
    for layer, count in enumerate(at_layer[1:].tolist(), start=1):
        if rows[-1] and rows[-1] + count > MOST_ROWS:
            ends, rows = [*ends, layer], [*rows, 0]
        ends[-1], rows[-1] = layer + 1, rows[-1] + count
    return np.array(ends), np.array(rows)


class _SortedFile:
    """A file of records with one section for each range of layers; a section keeps the order of arrival."""

    def __init__(self, file: BinaryIO, ends: Array, capacities: Array):
        """`ends`: the layer after each range; `capacities`: the largest number of records of each section."""
        self.file, self.ends = file, ends
        self.starts, self.filled = np.cumsum(capacities) - capacities, np.zeros(len(capacities), dtype=np.int64)

    def write(self, layer: Array, records: Array) -> None:
        """Append records, each with its layer, to their sections."""
        section = np.searchsorted(self.ends, layer, side="right")
        counts = np.bincount(section, minlength=len(self.ends))
        records, stops = records[np.argsort(section, kind="stable")], np.cumsum(counts)
        for i in np.nonzero(counts)[0]:
            self.file.seek((self.starts[i] + self.filled[i]) * records.itemsize)
            self.file.write(records[stops[i] - counts[i] : stops[i]].data)
        self.filled += counts

    def sections(self, record: np.dtype) -> Iterator[Array]:
        """Yield the records of each section, by ascending layers."""
        for start, count in zip(self.starts, self.filled, strict=True):
            self.file.seek(start * record.itemsize)
            yield np.fromfile(self.file, record, count)


@contextmanager
def _sorted_file(folder: Path, ends: Array, capacities: Array) -> Iterator[_SortedFile]:
    """A temporary sorted file in `folder`. Raises HarnessError where it cannot be written."""
    try:
        with TemporaryFile(dir=folder) as file:
            yield _SortedFile(file, ends, capacities)
    except OSError as error:
        raise HarnessError(
            f"{folder}: cannot write the file in which a figure's rows are sorted: {error.strerror}; free some space, "
            "then draw the figures with `harness plot`"
        ) from None
