"""Rows of the table `layers`, a frame or the parts on the disk, taken so that memory stays bounded at any size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

Array = np.ndarray

BATCH = 2**17  # rows that are in memory at once, as many as a row group of ours has


@dataclass(frozen=True)
class Rows:
    """The table as parts on the disk, in order; only the columns and row groups that are asked for are read."""

    paths: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """That of the results, where there is room for what does not fit into memory."""
        return self.paths[0].parents[1]

    def batches(self, columns: Sequence[str], where: ds.Expression | None) -> Iterator[pa.RecordBatch]:
        """A row group at a time, of those that may hold such rows: the least and the largest value of each are known.

        A scanner of the whole table would read ahead of us without bound.
        """
        for part in ds.dataset([str(path) for path in self.paths], format="parquet").get_fragments(where):
            for group in part.split_by_row_group(where):
                found = group.to_batches(columns=list(columns), filter=where, batch_size=BATCH)
                yield from (batch for batch in found if batch.num_rows)


Layers = pd.DataFrame | Rows


@dataclass(frozen=True)
class Batch:
    """Rows that are in memory at once, all of networks that were asked for."""

    places: Array  # (networks in the batch,): the row of each in the frame that asked
    network: Array  # (rows,): which of them
    layer: Array
    values: dict[str, Array]

    @property
    def place(self) -> Array:
        return self.places[self.network]


def batches(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int] | None = None
            ) -> Iterator[Batch]:  # fmt: skip
    """The layers of these networks and depths, some rows at a time."""
    keys = _keys(networks)
    wanted = list(dict.fromkeys(("network", "layer", *columns)))
    for names, codes, values in _frames(layers, wanted, depths):
        places = keys.get_indexer(names)
        known = places[codes] >= 0
        if not known.all():
            codes, values = codes[known], {name: column[known] for name, column in values.items()}
        yield Batch(places, codes, values["layer"], values)


def take(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int],
         chosen: Callable[[Batch], Array | slice] = lambda batch: slice(None)) -> pd.DataFrame:  # fmt: skip
    """The same in one frame: network, depth, layer, those asked for, and `place`, the network's row in `networks`.

    `chosen`: which rows of a batch to keep.
    """
    wanted = list(dict.fromkeys(("layer", *columns)))
    found = [({name: batch.values[name][rows] for name in wanted}, batch.place[rows])
             for batch in batches(layers, networks, wanted, depths) for rows in [chosen(batch)]]  # fmt: skip
    place = np.concatenate([place for _, place in found] or [np.empty(0, np.intp)])
    values = {name: np.concatenate([values[name] for values, _ in found] or [np.empty(0)]) for name in wanted}
    of_networks = networks[["network", "depth"]].take(place).astype({"network": object}).reset_index(drop=True)
    return of_networks.assign(**values, place=place)


def over_layers(layers: Layers, networks: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of each network, the mean of columns over its hidden layers and their largest value in any layer.

    Two frames in the order of `networks`, indexed by their keys. A network of one layer has that one for hidden; NaN is
    left out, and is the mean of nothing.
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
    return tuple(pd.DataFrame(dict(zip(columns, values, strict=True)), index=_keys(networks))
                 for values in (means, largest))  # fmt: skip


def _keys(networks: pd.DataFrame) -> pd.Index:
    return pd.Index(networks["network"].astype(str))


def _frames(layers: Layers, columns: Sequence[str], depths: Sequence[int] | None
            ) -> Iterator[tuple[Sequence[str], Array, dict[str, Array]]]:  # fmt: skip
    """The networks' keys, each once; which of them each row is of; the columns."""
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
