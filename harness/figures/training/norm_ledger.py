"""Norm ledger: what of each layer's growth came from the gradient's direction, and what from the size of the steps."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures.kit.page import Grid, Heading, caption, label_edges, layer_axis, new_page, panel_title, zero_line
from harness.figures.kit.style import INK
from harness.figures.kit.text import clean
from harness.figures.training.panels import Chosen, choose, how_tuned
from harness.results.training.tuning import of_tuned, scheduled

HEADING = Heading("Who grew the weights: the direction of the gradient, or the size of the steps")
TRAINING = True
FLOW, SIZE = "#00508c", "#e69f00"


@dataclass(frozen=True)
class Prepared:
    """rows: activation, optimiser, layer, and medians over draws of flow, size and growth, over ‖W_0‖²."""

    rows: pd.DataFrame
    chosen: Chosen
    depth: int
    steps: int


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The ledger of the deepest networks at the last step, at tuned learning rates."""
    chosen = choose(steps)
    last, first = scheduled(of_tuned(layers, chosen.runs)), scheduled(of_tuned(layers, chosen.runs), 0)
    start = 100.0 ** first.set_index(["run", "layer"])["log10_norm_weights"]
    start = start.where(start > 0)  # weights that start at 0, as some of Fixup do, have no growth in its units
    own = start.reindex(pd.MultiIndex.from_frame(last[["run", "layer"]])).to_numpy()
    parts = last.assign(flow=last["norm_flow"] / own, size=last["norm_step"] / own)
    parts = parts.assign(growth=parts["flow"] + parts["size"]).astype({"activation": str, "optimiser": str})
    rows = parts.groupby(["activation", "optimiser", "layer"], sort=False)[["flow", "size", "growth"]].median()
    return Prepared(rows.reset_index(), chosen, int(steps["depth"].max()), int(last["step"].max()))


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Bars by layer: the two parts, stacked from 0, and a mark for their sum."""
    chosen = prepared.chosen
    legend = [
        (Patch(color=FLOW), "direction: Σ 2⟨W, ΔW⟩"),
        (Patch(color=SIZE), "size of the steps: Σ ‖ΔW‖²"),
        (Line2D([], [], color=INK, marker="D", linestyle=""), "growth of ‖W‖²"),
    ]
    notes = caption(
        f"Depth {prepared.depth}, after {prepared.steps:,} steps; in units of ‖W‖² at the start; medians",
        "no bar: weights that start at 0" if prepared.rows["flow"].isna().any() else "",
        how_tuned(chosen),
        chosen.notes,
    )
    grid = Grid(chosen.rows, chosen.columns, height=2.4, sharey="row")
    figure, axes = new_page(heading, grid, notes, [legend])
    for row, column, optimiser, activation in chosen.panels:
        panel = axes[row, column]
        own = (prepared.rows["optimiser"] == optimiser) & (prepared.rows["activation"] == activation)
        _bars(panel, prepared.rows[own])
        panel_title(panel, clean(activation, 28), remark=clean(optimiser))
        layer_axis(panel, prepared.depth)
        panel.set_xlim(prepared.depth + 0.5, 0.5)  # whole bars
    label_edges(axes, chosen.rows * chosen.columns, "layer (1 is next to the input)", "change of ‖W‖² / ‖W₀‖²")
    return figure


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    zero_line(axes)
    below = np.where(np.sign(rows["flow"]) == np.sign(rows["size"]), rows["flow"], 0.0)
    axes.bar(rows["layer"], rows["flow"], color=FLOW, width=0.7)
    axes.bar(rows["layer"], rows["size"], bottom=below, color=SIZE, width=0.7)
    axes.plot(rows["layer"], rows["growth"], "D", color=INK, markersize=4)
