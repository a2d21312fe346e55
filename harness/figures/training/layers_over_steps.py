"""Gradient over layers and steps: log10 ‖∂C/∂W‖ of every layer while the networks are trained."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from harness.figures.kit.page import Grid, Heading, caption, label_edges, layer_ticks, new_page, panel_title
from harness.figures.kit.text import clean, span
from harness.figures.training.panels import Chosen, choose, how_tuned

HEADING = Heading("Whose decades, over steps: the gradient of every layer while it is trained")
TRAINING = True
REACH = 12  # decades that the colours span at most, below the largest gradient
LEAST = 3  # decades that they span at least: less would make scatter look like a finding


@dataclass(frozen=True)
class Prepared:
    """rows: kind, optimiser, step, layer, and the median over draws of log10_grad_weights."""

    rows: pd.DataFrame
    chosen: Chosen


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The deepest networks of each kind, at tuned learning rates, at the steps that were recorded by schedule."""
    chosen = choose(steps)
    groups = chosen.rows(layers).groupby(["kind", "optimiser", "step", "layer"], sort=False)
    return Prepared(groups["log10_grad_weights"].median().reset_index(), chosen)


def finding(prepared: Prepared) -> str:
    """`After 60 steps the first layer's gradient over the last's, in decades: −11.4 (sgd), −12.0 (adam)`."""
    chosen, last = prepared.chosen, prepared.rows["step"].max()
    rows, over = prepared.rows[prepared.rows["step"] == last], {}
    for optimiser, kind in chosen.pairs:
        own = rows[(rows["optimiser"] == optimiser) & (rows["kind"] == kind.label)]
        ends = own.set_index("layer")["log10_grad_weights"].reindex([1, kind.depth]).to_numpy()
        over[chosen.name(optimiser, kind.label)] = ends[0] - ends[1] if np.isfinite(ends).all() else np.nan
    said = span(over)
    return f"After {last:,} steps the first layer's gradient over the last's, in decades: {said}" if said else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A panel for each activation and optimiser: recorded steps to the right, layers upwards."""
    chosen = prepared.chosen
    finite = prepared.rows["log10_grad_weights"].replace([-np.inf, np.inf], np.nan).dropna()
    top = float(finite.max()) if len(finite) else 0.0
    low = float(finite.min()) if len(finite) else top
    norm = Normalize(min(max(top - REACH, low), top - LEAST), top)
    notes = caption(
        f"{chosen.depths}; medians; grey: exactly 0 or not known; each column is a recorded step",
        how_tuned(chosen),
        chosen.notes,
    )
    figure, axes = new_page(heading, Grid(*chosen.shape, height=2.4, sharey=False), notes)
    for panel, optimiser, kind in chosen.panels(axes):
        own = (prepared.rows["optimiser"] == optimiser) & (prepared.rows["kind"] == kind.label)
        mesh = _cells(panel, prepared.rows[own], norm)
        panel_title(panel, clean(kind.label, 60), remark=chosen.remark(optimiser, kind))
    label_edges(axes, len(chosen.pairs), "step", "layer: input ← output")
    bar = figure.colorbar(mesh, ax=figure.axes, shrink=0.9, pad=0.01, extend="min" if top - REACH > low else "neither")
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
    axes.set_yticks(layer_ticks(int(table.index.max())))
    axes.yaxis.set_major_formatter(lambda layer, _: f"{layer:g}")
    return mesh
