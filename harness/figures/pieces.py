"""Layers joined with their networks, whole or in pieces that fit into memory, and order statistics over the pieces."""

from collections.abc import Iterator, Sequence

import pandas as pd

from harness.figures.spread import spread
from harness.layer_rows import Layers, take

MOST_ROWS = 2**21  # of a piece: about a quarter of a gigabyte while it is worked on


def joined(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int],
           span: tuple[int, int] | None = None) -> pd.DataFrame:  # fmt: skip
    """The layers of these networks and depths, with their setting and activation as ordered categories."""
    wanted = take(layers, networks, columns, depths, span)
    found = networks[["setting", "activation", "replicate"]].take(wanted.pop("place").to_numpy())
    return wanted.assign(**{name: found[name].array for name in found})


def pieces(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int]
           ) -> Iterator[pd.DataFrame]:  # fmt: skip
    """The same, cut between depths and between layers where it is more than MOST_ROWS: every draw of a layer is in one
    piece."""
    counts = {int(depth): count for depth, count in networks.groupby("depth").size().items() if depth in depths}
    if sum(depth * count for depth, count in counts.items()) <= MOST_ROWS:
        yield joined(layers, networks, columns, depths)
        return
    for depth, count in counts.items():
        own, step = networks[networks["depth"] == depth], max(1, MOST_ROWS // count)
        for first in range(1, depth + 1, step):
            yield joined(layers, own, columns, [depth], (first, first + step - 1))


def spreads(layers: Layers, networks: pd.DataFrame, columns: Sequence[str], depths: Sequence[int],
            by: Sequence[str]) -> pd.DataFrame:  # fmt: skip
    """Median and quartiles of each column in each group, as `spread` gives them, with the column's name as `measure`.

    `by` has the layer, and the depth if there are several: a group is never cut.
    """
    found: dict[str, list[pd.DataFrame]] = {column: [] for column in columns}
    for piece in pieces(layers, networks, columns, depths):
        for column in columns:
            found[column].append(spread(piece, by, column).assign(measure=column))
    in_order = [pd.concat(rows).sort_values(list(by), kind="stable") for rows in found.values()]
    return pd.concat(in_order, ignore_index=True)
