"""Norm ledger: what of each layer's growth came from the gradient's direction, and what from the size of the steps."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures.kit.page import (
    LAYER_AXIS,
    Grid,
    Heading,
    caption,
    label_edges,
    layer_axis,
    new_page,
    panel_title,
    zero_line,
)
from harness.figures.kit.style import INK
from harness.figures.kit.text import clean, span
from harness.figures.training.panels import Chosen, choose, how_tuned
from harness.results.training.tuning import scheduled

HEADING = Heading("Who grew the weights: the direction of the gradient, or the size of the steps")
TRAINING = True
FLOW, SIZE = "#00508c", "#e69f00"


@dataclass(frozen=True)
class Prepared:
    """rows: kind, optimiser, layer; flow, size and growth, over ‖W_0‖², of the draw with the median growth of that
    layer, so that the two parts add up to the growth.
    """

    rows: pd.DataFrame
    chosen: Chosen
    steps: int
    starts_at_0: bool  # some weights do, as some of Fixup do: they have no growth in units of ‖W_0‖²


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The ledger of the deepest networks of each kind at the last step, at tuned learning rates."""
    chosen = choose(steps)
    own = chosen.rows(layers)
    last, first = scheduled(own), scheduled(own, 0)
    start = 100.0 ** first.set_index(["run", "layer"])["log10_norm_weights"]
    start = start.where(start > 0)
    square = start.reindex(pd.MultiIndex.from_frame(last[["run", "layer"]])).to_numpy()
    parts = last.assign(flow=last["norm_flow"] / square, size=last["norm_step"] / square)
    return Prepared(of_the_median_draw(parts), chosen, int(last["step"].max()), bool(start.isna().any()))


def of_the_median_draw(parts: pd.DataFrame) -> pd.DataFrame:
    """Of each layer the draw with the (lower) median growth; draws that diverged have none."""
    parts = parts.assign(growth=parts["flow"] + parts["size"]).dropna(subset="growth")
    parts = parts.sort_values("growth", kind="stable")
    by = ["kind", "optimiser", "layer"]
    groups = parts.groupby(by, sort=False)["growth"]
    middle = parts[groups.cumcount() == (groups.transform("size") - 1) // 2]
    return middle[[*by, "flow", "size", "growth"]].sort_values(by, kind="stable").reset_index(drop=True)


def finding(prepared: Prepared) -> str:
    """`Layers, of 8, in which the size of the steps outweighs the gradient's direction: 6 (relu), 1 (tanh)`."""
    outweighs = prepared.rows[prepared.rows["size"] > prepared.rows["flow"].abs()]
    counts = {
        prepared.chosen.name(optimiser, kind.label): float(
            ((outweighs["optimiser"] == optimiser) & (outweighs["kind"] == kind.label)).sum()
        )
        for optimiser, kind in prepared.chosen.pairs
    }
    layers = prepared.chosen.depths.removeprefix("Depth ")
    what = "in which the size of the steps outweighs the gradient's direction"
    return f"Layers, of {layers}, {what}: {span(counts, '.0f')}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Bars by layer: the two parts, stacked from 0, and a mark for their sum."""
    chosen = prepared.chosen
    legend = [
        (Patch(color=FLOW), "direction: Σ 2⟨W, ΔW⟩"),
        (Patch(color=SIZE), "size of the steps: Σ ‖ΔW‖²"),
        (Line2D([], [], color=INK, marker="D", linestyle=""), "growth of ‖W‖²"),
    ]
    notes = caption(
        f"{chosen.depths}, after {prepared.steps:,} steps; in units of ‖W‖² at the start; of each layer the draw with "
        "the median growth, so that the bars add up to it",
        "no bar: weights that start at 0" if prepared.starts_at_0 else "",
        how_tuned(chosen),
        chosen.notes,
    )
    grid = Grid(*chosen.shape, height=2.4, sharex=False, sharey="row")
    figure, axes = new_page(heading, grid, notes, [legend])
    for panel, optimiser, kind in chosen.panels(axes):
        own = (prepared.rows["optimiser"] == optimiser) & (prepared.rows["kind"] == kind.label)
        _bars(panel, prepared.rows[own])
        panel_title(panel, clean(kind.label, 60), remark=chosen.remark(optimiser, kind))
        layer_axis(panel, kind.depth)
        panel.set_xlim(kind.depth + 0.5, 0.5)  # whole bars
    label_edges(axes, len(chosen.pairs), LAYER_AXIS, "change of ‖W‖² / ‖W₀‖²")
    return figure


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    zero_line(axes)
    below = np.where(np.sign(rows["flow"]) == np.sign(rows["size"]), rows["flow"], 0.0)
    axes.bar(rows["layer"], rows["flow"], color=FLOW, width=0.7)
    axes.bar(rows["layer"], rows["size"], bottom=below, color=SIZE, width=0.7)
    axes.plot(rows["layer"], rows["growth"], "D", color=INK, markersize=4)
