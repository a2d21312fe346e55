"""Growth at equal cost: how far ‖W‖² has grown when the training cost has fallen to one value, by activation."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title, zero_line
from harness.figures.kit.style import INK, looks
from harness.figures.kit.text import clean, in_lines, span
from harness.figures.training.panels import MOST_OPTIMISERS
from harness.results.training.tuning import grown_at_cost

HEADING = Heading("Who has grown larger weights at equal cost")
TRAINING = True
MOST = 8  # activations


@dataclass(frozen=True)
class Prepared:
    """rows: optimiser, activation, replicate, and `grown`, log10 of ‖W‖²/‖W_0‖² where the cost was reached."""

    rows: pd.DataFrame
    cost: float
    depth: int
    activations: list[str]


def applies(steps: pd.DataFrame) -> str | None:
    return "no run has reached a cost of training.reached" if steps["reached"].isna().all() else None


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The deepest networks that have reached the least cost that any has; of each draw the run that did so first."""
    there = steps[steps["reached"] == steps["reached"].min()]
    depth = int(there["depth"].max())
    rows = grown_at_cost(steps[steps["depth"] == depth])
    rows = rows[rows["reached"] == there["reached"].min()]
    activations = list(dict.fromkeys(steps["activation"].astype(str)))[:MOST]
    return Prepared(rows, float(there["reached"].min()), depth, activations)


def finding(prepared: Prepared) -> str:
    """`Where the cost has fallen to 0.1, ‖W‖² has grown 1.2-fold (relu), 1.9-fold (sigmoid)`: the first optimiser's."""
    first = prepared.rows[prepared.rows["optimiser"] == next(iter(prepared.rows["optimiser"]), "")]
    medians = first.groupby("activation", sort=False)["grown"].median()
    factors = {clean(name): float(10 ** medians[name]) for name in prepared.activations if name in medians}
    start = f"Where the cost has fallen to {prepared.cost:g}, ‖W‖² has grown by a factor of"
    return f"{start} {span(factors, '.3g')}" if factors else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A panel for each optimiser, a column of dots for each activation, with its median."""
    optimisers = list(dict.fromkeys(prepared.rows["optimiser"]))[:MOST_OPTIMISERS]
    legend = [
        (Line2D([], [], color=INK, marker="o", linestyle="", alpha=0.5), "a draw"),
        (Line2D([], [], color=INK, linewidth=2.5), "median"),
    ]
    notes = caption(
        f"Depth {prepared.depth}; each draw at the learning rate that brings its cost to {prepared.cost:g} in the "
        "fewest steps; draws that did not reach it are left out"
    )
    figure, axes = new_page(heading, Grid(1, len(optimisers), height=2.8), notes, [legend])
    for panel, optimiser in zip(axes[0], optimisers, strict=True):
        letters = max(96 // (len(optimisers) * max(len(prepared.activations), 1)), 8)  # 96 fit on a page
        _dots(panel, prepared.rows[prepared.rows["optimiser"] == optimiser], prepared.activations, letters)
        panel_title(panel, clean(optimiser, 30))
    label_edges(axes, len(optimisers), "", "log₁₀ ‖W‖² / ‖W₀‖²")
    return figure


def _dots(axes: Axes, rows: pd.DataFrame, activations: list[str], letters: int) -> None:
    style = looks(activations)
    for place, name in enumerate(activations):
        own = rows.loc[rows["activation"] == name, "grown"]
        axes.plot([place] * len(own), own, "o", color=style[name].colour, alpha=0.5, markersize=4)
        if len(own):
            axes.hlines(own.median(), place - 0.3, place + 0.3, color=style[name].colour, linewidth=2.5)
    zero_line(axes)
    axes.set_xlim(-0.6, len(activations) - 0.4)
    axes.set_xticks(range(len(activations)), [in_lines(clean(name), letters) for name in activations])
