"""Update ratio: ‖ΔW‖/‖W‖ of every layer over the steps, and where the rounding of float32 ends it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title
from harness.figures.kit.style import INK, THEORY, looks, shades
from harness.figures.kit.text import clean
from harness.figures.training.panels import Chosen, choose, how_tuned, log_axis
from harness.results.training.tuning import of_tuned

HEADING = Heading("How far each step moves each layer")
TRAINING = True
ROUNDING = np.log10(2.0**-24)  # of float32: a smaller ratio changes almost no weight
MOST_LINES = 8


@dataclass(frozen=True)
class Prepared:
    """rows: activation, optimiser, layer, step, and the median over draws of log10_update_ratio."""

    rows: pd.DataFrame
    chosen: Chosen
    depth: int


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The deepest networks at tuned learning rates; of many layers an even choice."""
    chosen, depth = choose(steps), int(steps["depth"].max())
    shown = np.unique(np.linspace(1, depth, min(depth, MOST_LINES)).round())
    own = of_tuned(layers, chosen.runs)
    own = own[own["reached"].isna() & (own["step"] > 0) & own["layer"].isin(shown)]
    by = ["activation", "optimiser", "layer", "step"]
    rows = own.astype({"activation": str, "optimiser": str}).groupby(by, sort=False)["log10_update_ratio"].median()
    return Prepared(rows.reset_index(), chosen, depth)


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A line for each layer, from pale next to the input to dark at the output."""
    chosen = prepared.chosen
    legend = [
        (Line2D([], [], color=shades(INK, 3)[0]), "layer 1"),
        (Line2D([], [], color=INK), f"layer {prepared.depth}"),
        (Line2D([], [], color=INK, linestyle=THEORY, linewidth=1), "rounding of float32"),
    ]
    notes = caption(f"Depth {prepared.depth}; medians; a layer that does not move has no point", how_tuned(chosen))
    figure, axes = new_page(heading, Grid(chosen.rows, chosen.columns, height=2.4), notes, [legend])
    for row, column, optimiser, activation in chosen.panels:
        panel = axes[row, column]
        own = (prepared.rows["optimiser"] == optimiser) & (prepared.rows["activation"] == activation)
        _lines(panel, prepared.rows[own], looks([activation])[activation].colour)
        panel_title(panel, clean(activation, 28), remark=clean(optimiser))
    label_edges(axes, chosen.rows * chosen.columns, "step", "log₁₀ ‖ΔW‖/‖W‖")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    layers = sorted(rows["layer"].unique())
    for layer, shade in zip(layers, shades(colour, len(layers)), strict=True):
        own = rows[(rows["layer"] == layer) & np.isfinite(rows["log10_update_ratio"])]
        axes.plot(own["step"], own["log10_update_ratio"], color=shade, linewidth=1.4, marker=".")
    axes.axhline(ROUNDING, color=INK, linestyle=THEORY, linewidth=1)
    log_axis(axes)
