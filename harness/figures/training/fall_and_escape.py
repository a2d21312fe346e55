"""Fall and escape: the mean output of every hidden layer of sigmoid networks over the steps, depth by depth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title
from harness.figures.kit.style import INK, looks, shades
from harness.figures.kit.text import clean
from harness.figures.training.panels import Chosen, choose, how_tuned
from harness.networks.spec import activation_labelled

HEADING = Heading("Whether the top hidden layer falls to 0, and escapes")
TRAINING = True
MOST_DEPTHS, MOST_LINES = 3, 8


@dataclass(frozen=True)
class Prepared:
    """rows: optimiser, depth, layer, step, and the median over draws of mean_outputs, of hidden layers."""

    rows: pd.DataFrame
    chosen: Chosen
    activation: str
    depths: list[int]


def applies(steps: pd.DataFrame) -> str | None:
    if _saturates_at_0(steps) is None:
        return "no activation here saturates at an output of 0"
    return None if steps["depth"].max() > 1 else "no network has a hidden layer"


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The first activation that saturates at an output of 0, at tuned learning rates; the deepest networks."""
    activation = str(_saturates_at_0(steps))
    chosen = choose(steps[(steps["activation"].astype(str) == activation) & (steps["depth"] > 1)], deepest=False)
    depths = sorted(int(depth) for depth in chosen.runs["depth"].unique())[-MOST_DEPTHS:]
    own = chosen.rows(layers)
    own = own[(own["kind"] == chosen.kinds[0].label) & (own["layer"] < own["depth"]) & own["depth"].isin(depths)]
    rows = own.groupby(["optimiser", "depth", "layer", "step"], sort=False)["mean_outputs"].median()
    return Prepared(rows.reset_index(), chosen, activation, depths)


def finding(prepared: Prepared) -> str:
    """`Mean output of the top hidden layer, least and at the end: 0.06, then 0.42 (3 hidden layers); …`, of the first
    optimiser."""
    rows = prepared.rows[prepared.rows["optimiser"] == prepared.chosen.optimisers[0]]
    parts: list[str] = []
    for depth in prepared.depths:
        top = rows[(rows["depth"] == depth) & (rows["layer"] == depth - 1)].sort_values("step")["mean_outputs"].dropna()
        if len(top):
            hidden = "" if parts else f" hidden layer{'s' if depth > 2 else ''}"
            parts.append(f"{top.min():.2g}, then {top.iloc[-1]:.2g} ({depth - 1}{hidden})")
    return f"Mean output of the top hidden layer, least and at the end: {'; '.join(parts)}" if parts else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A column for each depth, a line for each hidden layer, from pale next to the input to dark at the top."""
    chosen, colour = prepared.chosen, looks([prepared.activation])[prepared.activation].colour
    legend = [(Line2D([], [], color=shades(INK, 3)[0]), "layer 1"), (Line2D([], [], color=INK), "top hidden layer")]
    notes = caption(f"{clean(chosen.kinds[0].label)}; medians", how_tuned(chosen), chosen.notes)
    grid = Grid(len(chosen.optimisers), len(prepared.depths), height=2.4)
    figure, axes = new_page(heading, grid, notes, [legend])
    for row, optimiser in enumerate(chosen.optimisers):
        for column, depth in enumerate(prepared.depths):
            own = (prepared.rows["optimiser"] == optimiser) & (prepared.rows["depth"] == depth)
            _lines(axes[row, column], prepared.rows[own], colour)
            hidden = f"{depth - 1} hidden layer{'s' if depth > 2 else ''}"
            panel_title(axes[row, column], hidden, remark=clean(optimiser))
    axes[0, 0].set_ylim(0, 1.05 * prepared.rows["mean_outputs"].max())  # of all panels
    label_edges(axes, axes.size, "step", "mean output")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    top = rows["layer"].max()
    layers = np.unique(np.linspace(1, top, min(top, MOST_LINES)).round())
    for layer, shade in zip(layers, shades(colour, len(layers)), strict=True):
        own = rows[rows["layer"] == layer]
        axes.plot(own["step"], own["mean_outputs"], color=shade, linewidth=2.2 if layer == top else 1.2)


def _saturates_at_0(steps: pd.DataFrame) -> str | None:
    """The first activation whose output is 0 far below 0 only: not one with f(0) = 0."""
    names = dict.fromkeys(steps["activation"].astype(str))
    return next((name for name in names if not activation_labelled(name).vanishes_at_zero), None)
