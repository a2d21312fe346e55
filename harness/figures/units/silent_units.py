"""The share of units silent on the batch at every layer, beside the orthant probability."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit import text
from harness.figures.kit.layer_quartiles import layer_quartiles
from harness.figures.kit.marks import band
from harness.figures.kit.page import LAYER_AXIS, Grid, Heading, caption, label_edges, layer_axis, new_page, panel_title
from harness.figures.kit.quartiles import means
from harness.figures.kit.settings import evenly_spaced
from harness.figures.kit.style import INK, LOOKS
from harness.results.rows import Layers
from harness.theory.birth import silent_on_batch

HEADING = Heading("Silent units, and how many chance alone makes silent")
MOST_PANELS = 3


@dataclass(frozen=True)
class Prepared:
    """rows: width, layer, draws, unknown, mean, low, high of dead_fraction, and expected.

    The mean over draws: a median of narrow layers jumps by whole units, an eighth of a layer of 8. low and high are
    two standard errors beside it.

    expected: the orthant probability of `batch` inputs at the median cosine of the outputs of the layer below; NaN if
    that is not known.
    """

    rows: pd.DataFrame
    networks: pd.DataFrame
    depth: int
    batch: int


def applies(networks: pd.DataFrame) -> str | None:
    if set(networks["activation"].astype(str)) != {"relu"} or networks["init"].nunique() > 1:
        return "needs ReLU networks of one init"
    if "batch" not in networks or networks["batch"].iloc[0] < 2:
        return "needs a batch of two or more"
    return None if networks["depth"].max() > 2 else "no hidden layer has one below it"


def prepare(layers: Layers, networks: pd.DataFrame) -> Prepared:
    """The hidden layers of the deepest networks that are not dead, by increasing width."""
    depth, batch = int(networks["depth"].max()), int(networks["batch"].iloc[0])
    chosen = networks[(networks["depth"] == depth) & networks["dead_from_layer"].isna()]
    chosen = chosen[chosen["width"].isin(evenly_spaced(sorted(chosen["width"].unique()), MOST_PANELS))]
    by = ["width", "layer"]
    rows = layer_quartiles(layers, chosen, ["dead_fraction"], [depth], by, means).drop(columns="measure")
    cosines = layer_quartiles(layers, chosen, ["output_cosine"], [depth], by)
    rows, cosines = (frame[frame["layer"] < depth].reset_index(drop=True) for frame in (rows, cosines))
    cosine = cosines.groupby("width")["median"].shift(1).to_numpy()
    expected = [silent_on_batch(c, batch) if np.isfinite(c) else np.nan for c in np.minimum(cosine, 1)]
    return Prepared(rows.assign(expected=expected), chosen, depth, batch)


def finding(prepared: Prepared) -> str:
    """`Silent at layer 99, in %: 50 (width 8), 45 (width 256); by chance 50 (width 8), 44 (width 256)`."""
    last = prepared.rows[prepared.rows["layer"] == prepared.depth - 1]
    if last.empty:
        return ""
    shares = [
        {f"width {row.width}": 100 * getattr(row, name) for row in last.itertuples()} for name in ("mean", "expected")
    ]
    measured, expected = (text.span(share, ".0f") for share in shares)
    return f"Silent at layer {prepared.depth - 1}, in %: {measured}" + (f"; by chance {expected}" if expected else "")


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel for each width, with layers from the input to the output."""
    widths = sorted(int(width) for width in prepared.rows["width"].unique())
    look = LOOKS["relu"]
    legend = [
        (Line2D([], [], color=look.colour, marker=look.marker), "measured, networks that live"),
        (Line2D([], [], color=INK, linestyle="--"), "orthant probability at the measured cosine"),
    ]
    notes = caption(
        f"Depth {prepared.depth}; {prepared.batch} inputs a batch",
        text.how_to_read_means(prepared.networks.assign(setting=prepared.networks["width"]))
        if widths
        else "No network lives",
        "Inputs align with depth, and what aligns is silent together: the share tends to ½ while the gradient holds",
    )
    figure, axes = new_page(heading, Grid(1, max(len(widths), 1), 3.2, narrowest=2), notes, [legend])
    for panel, width in zip(axes[0], widths, strict=False):
        living = int((prepared.networks["width"] == width).sum())
        panel_title(panel, f"width {width}", remark=f"{living} draws live")
        _shares(panel, prepared.rows[prepared.rows["width"] == width])
        panel.set_ylim(-0.02, 1.02 if prepared.rows[["mean", "high"]].max(axis=None) > 0.7 else 0.72)
        layer_axis(panel, prepared.depth - 1)
    label_edges(axes, max(len(widths), 1), LAYER_AXIS, "share of units silent on the batch")
    return figure


def _shares(axes: Axes, rows: pd.DataFrame) -> None:
    look = LOOKS["relu"]
    axes.axhline(0.5, color="#555555", linewidth=0.8)
    axes.plot(rows["layer"], rows["mean"], color=look.colour)
    band(axes, "layer", rows, look.colour)
    axes.plot(rows["layer"], rows["expected"], "--", color=INK, linewidth=1.3)
