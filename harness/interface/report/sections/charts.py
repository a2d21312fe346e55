"""Layer by layer: median and quartiles over the draws of each setting, at the layers that a line is drawn through."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from harness.base.arrays import Array, evenly_spaced
from harness.figures.kit.layer_quartiles import layer_quartiles
from harness.figures.kit.quartiles import SHARES
from harness.interface.report.encoding import packed_columns
from harness.interface.report.settings import Settings
from harness.results.rows import Rows, take

MOST_LAYERS = 129  # of a line that are drawn
FEWEST_LAYERS = 9  # of each line, where a sweep has many
MOST_CELLS = 2**15  # layers of all lines together

RELATIVE = "log10_relative"  # log10 ‖∂C/∂z[k]‖ / ‖∂C/∂z[depth]‖
MEASURES = {
    RELATIVE: "‖∂C/∂z‖ relative to the output",
    "log10_grad_preactivations": "‖∂C/∂z‖, the gradient",
    "log10_grad_weights": "‖∂C/∂W‖, what a layer learns from",
    "log10_activation_factor": "activation factor of one layer",
    "log10_weight_factor": "weight factor of one layer",
    "dead_fraction": "share of silent units",
}
_GRADIENT = "log10_grad_preactivations"


@dataclass(frozen=True)
class DrawnRows(Rows):
    """The rows of the drawn layers alone."""

    drawn: Mapping[int, Array]  # depth -> layers

    def batches(self, columns: Sequence[str], where: ds.Expression | None) -> Iterator[pa.RecordBatch]:
        """As those of the whole table, and no more of it in memory at once."""
        needed = list(dict.fromkeys([*columns, "depth", "layer"]))
        for batch in super().batches(needed, where):
            depth, layer = (batch[name].to_numpy(zero_copy_only=False) for name in ("depth", "layer"))
            shown = np.zeros(len(depth), dtype=bool)
            for of_depth in np.unique(depth):
                shown |= (depth == of_depth) & np.isin(layer, self.drawn[int(of_depth)])
            yield batch.filter(pa.array(shown)).select(list(columns))


@dataclass(frozen=True)
class _RelativeRows(DrawnRows):
    """The same with the column RELATIVE. `output` has the gradient at the last layer."""

    output: pd.Series  # network -> log10 ‖∂C/∂z[depth]‖

    def batches(self, columns: Sequence[str], where: ds.Expression | None) -> Iterator[pa.RecordBatch]:
        stored = [name for name in columns if name != RELATIVE]
        needed = list(dict.fromkeys([*stored, "network", _GRADIENT]))
        for batch in super().batches(needed, where):
            network = pd.Index(batch["network"].to_pandas().astype(str))
            with np.errstate(invalid="ignore"):  # −∞ − (−∞): a dead network, of which nothing is left to compare
                relative = batch[_GRADIENT].to_numpy(zero_copy_only=False) - self.output.reindex(network).to_numpy()
            arrays = [pa.array(relative) if name == RELATIVE else batch[name] for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))


def drawn_layers(settings: Settings, recorded: Mapping[int, Array]) -> dict[int, Array]:
    """The layers of each depth that lines are drawn through: evenly spaced, the first and the last among them.

    There are at most MOST_LAYERS, and fewer where the lines of all settings would take more than MOST_CELLS.
    """
    most = max(FEWEST_LAYERS, min(MOST_LAYERS, MOST_CELLS // max(len(settings.frame), 1)))
    return {depth: evenly_spaced(recorded[depth], most) for depth in sorted(set(settings.depths))}


def profiles(rows: Rows, settings: Settings, drawn: Mapping[int, Array]) -> str:
    """Quartiles of every measure at the drawn layers of every setting, packed.

    They come setting by setting, measure by measure, low, median and high, from layer 1 up.
    """
    networks = settings.networks
    depths = list(drawn)
    depth = networks["depth"].to_numpy()
    ends = take(rows, networks, [_GRADIENT], depths, lambda batch: batch.layer == depth[batch.place])
    output = ends.drop_duplicates("network").set_index("network")[_GRADIENT]
    own = _RelativeRows(rows.paths, drawn, output)
    found = layer_quartiles(own, networks, list(MEASURES), depths, ["setting", "layer"])
    return packed_columns(_columns(found, settings, drawn))


def _columns(found: pd.DataFrame, settings: Settings, drawn: Mapping[int, Array]) -> Iterator[Array]:
    """The columns of all settings, with NaN where a layer has no rows."""
    layers = [drawn[depth] for depth in settings.depths]
    starts = np.cumsum([0, *map(len, layers)])
    cells = pd.DataFrame({"setting": np.repeat(range(len(layers)), np.diff(starts)), "layer": np.concatenate(layers)})
    by_measure = {
        measure: cells.merge(own, how="left", on=["setting", "layer"])[list(SHARES)].to_numpy(dtype=float).T
        for measure, own in found.groupby("measure")
    }
    for begin, end in pairwise(starts):
        for measure in MEASURES:
            yield from by_measure[measure][:, begin:end]
