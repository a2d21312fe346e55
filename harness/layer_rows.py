"""Rows of the table `layers`, a frame or the parts on the disk, taken so that memory stays bounded at any size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds

Array = np.ndarray

BATCH = 2**17  # rows that are in memory at once, as many as a row group of ours has
KEYS = ("network", "depth", "layer")


@dataclass(frozen=True)
class Rows:
    """The table as parts on the disk, in order; only the columns and row groups that are asked for are read."""

    paths: tuple[Path, ...]

    def frames(self, columns: Sequence[str], where: ds.Expression | None) -> Iterator[pd.DataFrame]:
        dataset = ds.dataset([str(path) for path in self.paths], format="parquet")
        scanner = dataset.scanner(columns=list(columns), filter=where, batch_size=BATCH, batch_readahead=2,
                                  fragment_readahead=1)  # fmt: skip
        for batch in scanner.to_batches():
            if batch.num_rows:
                yield batch.to_pandas()


Layers = pd.DataFrame | Rows


def take(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int],
         span: tuple[int, int] | None = None) -> pd.DataFrame:  # fmt: skip
    """The layers of these networks and depths, of layers first … last if `span` is given.

    Columns: network, depth, layer, those asked for, and `place`, the row of the network in `networks`.
    """
    keys = _keys(networks)
    found = [_of(frame, keys) for frame in _frames(layers, columns, depths, span)]
    if not found:
        found = [pd.DataFrame({name: [] for name in (*KEYS, *columns, "place")}).astype({"place": np.intp})]
    return pd.concat([frame.astype({"network": object}) for frame in found], ignore_index=True)


def over_layers(layers: Layers, networks: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of each network, the mean of columns over its hidden layers and their largest value in any layer.

    Two frames in the order of `networks`, indexed by their keys. A network of one layer has that one for hidden; NaN is
    left out, and is the mean of nothing.
    """
    keys = _keys(networks)
    shape = (len(columns), len(keys))
    sums, counts, largest = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    for frame in _frames(layers, columns, None, None):
        frame = _of(frame, keys)
        place = frame["place"].to_numpy()
        hidden = ((frame["layer"] < frame["depth"]) | (frame["depth"] == 1)).to_numpy()
        for i, column in enumerate(columns):
            values = frame[column].to_numpy(dtype=float)
            np.fmax.at(largest[i], place, values)
            known = hidden & ~np.isnan(values)
            sums[i] += np.bincount(place[known], values[known], minlength=len(keys))
            counts[i] += np.bincount(place[known], minlength=len(keys))
    means = np.divide(sums, counts, out=np.full(shape, np.nan), where=counts > 0)
    return tuple(pd.DataFrame(dict(zip(columns, values, strict=True)), index=keys) for values in (means, largest))


def _keys(networks: pd.DataFrame) -> pd.Index:
    return pd.Index(networks["network"].astype(str))


def _frames(layers: Layers, columns: Sequence[str], depths: Sequence[int] | None,
            span: tuple[int, int] | None) -> Iterator[pd.DataFrame]:  # fmt: skip
    wanted = list(dict.fromkeys((*KEYS, *columns)))
    if isinstance(layers, Rows):
        yield from layers.frames(wanted, _where(depths, span))
        return
    chosen = np.ones(len(layers), dtype=bool)
    if depths is not None:
        chosen &= layers["depth"].isin(depths).to_numpy()
    if span is not None:
        chosen &= layers["layer"].between(*span).to_numpy()
    yield layers.loc[chosen, wanted]


def _where(depths: Sequence[int] | None, span: tuple[int, int] | None) -> ds.Expression | None:
    """What row groups are chosen by: parquet keeps the smallest and the largest value of each."""
    conditions = []
    if depths is not None:
        conditions.append(ds.field("depth").isin([int(depth) for depth in depths]))
    if span is not None:
        conditions.append((ds.field("layer") >= span[0]) & (ds.field("layer") <= span[1]))
    return conditions[0] if len(conditions) == 1 else conditions[0] & conditions[1] if conditions else None


def _of(frame: pd.DataFrame, keys: pd.Index) -> pd.DataFrame:
    """The rows whose network is among the keys, with its place there."""
    names = frame["network"].astype("category").array
    place = keys.get_indexer(names.categories.astype(str))[names.codes]
    known = place >= 0
    return frame[known].assign(place=place[known])
