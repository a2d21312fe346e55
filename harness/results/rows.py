"""Rows of the table `layers`, from a frame or from the parts on the disk, in batches that bound the memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from harness.base.arrays import Array
from harness.results.files import text_path

BATCH = 2**17  # rows in memory at once, as many as in a row group


@dataclass(frozen=True)
class Rows:
    """The table as parts on the disk, in order, of which only some columns and row groups are read."""

    paths: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """The folder of the results, on whose disk there is space for what does not fit into memory."""
        return self.paths[0].parents[1]

    def batches(self, columns: Sequence[str], where: ds.Expression | None) -> Iterator[pa.RecordBatch]:
        """The rows that meet a condition, one batch for each row group whose minima and maxima allow such rows.

        Not by a scanner of the whole table, which would read ahead without bound.
        """
        for part in ds.dataset([*map(text_path, self.paths)], format="parquet").get_fragments(where):
            for group in part.split_by_row_group(where):
                found = group.to_batches(columns=list(columns), filter=where, batch_size=BATCH)
                yield from (batch for batch in found if batch.num_rows)


Layers: TypeAlias = pd.DataFrame | Rows


@dataclass(frozen=True)
class Batch:
    """Rows that are in memory at once."""

    places: Array  # (networks in the batch,): the row of each in the frame of networks
    network: Array  # (rows,): index into `places`
    layer: Array
    values: dict[str, Array]

    @property
    def place(self) -> Array:
        """For each row, the row of its network in the frame of networks."""
        return self.places[self.network]


def batches(
    layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int] | None = None
) -> Iterator[Batch]:
    """The layers of these networks and depths, in batches."""
    keys = _keys(networks)
    wanted = list(dict.fromkeys(("network", "layer", *columns)))
    for names, codes, values in _frames(layers, wanted, depths):
        places = keys.get_indexer(names)
        known = places[codes] >= 0
        if not known.all():
            codes, values = codes[known], {name: column[known] for name, column in values.items()}
        yield Batch(places, codes, values["layer"], values)


def take(
    layers: Layers,
    networks: pd.DataFrame,
    columns: Sequence[str],
    depths: Sequence[int],
    chosen: Callable[[Batch], Array | slice] = lambda batch: slice(None),
) -> pd.DataFrame:
    """The layers of these networks and depths in one frame, of the rows that `chosen` selects from each batch.

    Its columns are network, depth, layer, the given ones, and `place`, the row of the network in `networks`.
    """
    wanted = list(dict.fromkeys(("layer", *columns)))
    found = [
        ({name: batch.values[name][rows] for name in wanted}, batch.place[rows])
        for batch in batches(layers, networks, wanted, depths)
        for rows in [chosen(batch)]
    ]
    place = np.concatenate([place for _, place in found] or [np.empty(0, np.intp)])
    values = {name: np.concatenate([values[name] for values, _ in found] or [np.empty(0)]) for name in wanted}
    of_networks = networks[["network", "depth"]].take(place).astype({"network": object}).reset_index(drop=True)
    return of_networks.assign(**values, place=place)


def over_layers(layers: Layers, networks: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The means of columns over the hidden layers of each network, and their largest values over all its layers.

    Two frames in the order of `networks`, indexed by its keys. The only layer of a network of depth 1 counts as hidden.
    NaN values are left out; the mean of no values is NaN.
    """
    shape = (len(columns), len(networks))
    sums, counts, largest = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    depth = networks["depth"].to_numpy()
    for batch in batches(layers, networks, columns):
        hidden = batch.layer < np.maximum(depth[batch.places], 2)[batch.network]
        here, count = batch.places >= 0, len(batch.places)
        of_these = batch.places[here]
        for i, column in enumerate(columns):
            values = batch.values[column].astype(float, copy=False)
            most = np.full(count, np.nan)
            np.fmax.at(most, batch.network, values)
            largest[i, of_these] = np.fmax(largest[i, of_these], most[here])
            known = hidden & ~np.isnan(values)
            sums[i, of_these] += np.bincount(batch.network[known], values[known], minlength=count)[here]
            counts[i, of_these] += np.bincount(batch.network[known], minlength=count)[here]
    means = np.divide(sums, counts, out=np.full(shape, np.nan), where=counts > 0)
    mean_frame, largest_frame = (
        pd.DataFrame(dict(zip(columns, values, strict=True)), index=_keys(networks)) for values in (means, largest)
    )
    return mean_frame, largest_frame


def _keys(networks: pd.DataFrame) -> pd.Index:
    return pd.Index(networks["network"].astype(str))


def _frames(
    layers: Layers, columns: Sequence[str], depths: Sequence[int] | None
) -> Iterator[tuple[Sequence[str], Array, dict[str, Array]]]:
    """For each batch, the keys of its networks, the index of each row's network among them, and the columns."""
    if isinstance(layers, Rows):
        where = None if depths is None else ds.field("depth").isin([int(depth) for depth in depths])
        for batch in layers.batches(columns, where):
            network = batch["network"]
            coded = network if pa.types.is_dictionary(network.type) else network.dictionary_encode()
            values = {name: batch[name].to_numpy(zero_copy_only=False) for name in columns if name != "network"}
            yield coded.dictionary.to_pandas(), coded.indices.to_numpy(), values
        return
    frame = layers.loc[slice(None) if depths is None else layers["depth"].isin(depths), list(columns)]
    network = frame["network"].astype("category").array
    yield network.categories.astype(str), network.codes, {name: frame[name].to_numpy() for name in columns[1:]}
