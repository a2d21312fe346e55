"""Gradient over layers and steps: log10 ‖∂C/∂W‖ of every layer while the networks are trained."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title
from harness.figures.kit.text import clean
from harness.figures.training.panels import Chosen, choose, how_tuned
from harness.results.training.tuning import of_tuned

HEADING = Heading("Whose decades, over steps: the gradient of every layer while it is trained")
TRAINING = True
REACH = 12  # decades that the colours span at most, below the largest gradient


@dataclass(frozen=True)
class Prepared:
    """rows: activation, optimiser, step, layer, and the median over draws of log10_grad_weights."""

    rows: pd.DataFrame
    chosen: Chosen
    depth: int


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The deepest networks at tuned learning rates, at the steps that were recorded by schedule."""
    chosen = choose(steps)
    own = of_tuned(layers, chosen.runs)
    own = own[own["reached"].isna()].astype({"activation": str, "optimiser": str})
    rows = own.groupby(["activation", "optimiser", "step", "layer"], sort=False)["log10_grad_weights"].median()
    return Prepared(rows.reset_index(), chosen, int(steps["depth"].max()))


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A panel for each activation and optimiser: recorded steps to the right, layers upwards."""
    chosen = prepared.chosen
    finite = prepared.rows["log10_grad_weights"].replace([-np.inf, np.inf], np.nan).dropna()
    top = float(finite.max()) if len(finite) else 0.0
    norm = Normalize(max(top - REACH, float(finite.min()) if len(finite) else -1.0), top)
    notes = caption(
        f"Depth {prepared.depth}; medians; grey: exactly 0 or not known; each column is a recorded step",
        how_tuned(chosen),
        chosen.notes,
    )
    figure, axes = new_page(heading, Grid(chosen.rows, chosen.columns, height=2.4), notes)
    for row, column, optimiser, activation in chosen.panels:
        panel = axes[row, column]
        own = (prepared.rows["optimiser"] == optimiser) & (prepared.rows["activation"] == activation)
        mesh = _cells(panel, prepared.rows[own], norm)
        panel_title(panel, clean(activation, 28), remark=clean(optimiser))
    label_edges(axes, chosen.rows * chosen.columns, "step", "layer (1 is next to the input)")
    bar = figure.colorbar(mesh, ax=axes, shrink=0.9, pad=0.01, extend="min" if norm.vmin > finite.min() else "neither")
    bar.set_label("log₁₀ ‖∂C/∂W‖")
    return figure


def _cells(axes: Axes, rows: pd.DataFrame, norm: Normalize) -> QuadMesh:
    table = rows.pivot(index="layer", columns="step", values="log10_grad_weights").sort_index()
    axes.set_facecolor("#bdbdbd")
    axes.grid(False)
    values = np.ma.masked_invalid(table.to_numpy(dtype=float))
    edges = np.arange(table.shape[1] + 1) - 0.5, np.arange(table.shape[0] + 1) + 0.5
    mesh = axes.pcolormesh(*edges, values, cmap="viridis", norm=norm)
    ticks = np.unique(np.linspace(0, table.shape[1] - 1, 5).round().astype(int))
    axes.set_xticks(ticks, [f"{int(step):,}" for step in table.columns[ticks]])
    return mesh
