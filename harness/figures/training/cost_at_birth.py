"""Cost against attenuation: the cost that each network reaches in training, against its attenuation at birth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title, plain_ticks
from harness.figures.kit.style import GREY, INK
from harness.figures.kit.text import clean, in_words
from harness.figures.training.panels import Chosen, choose, how_tuned, kind_entries, kind_looks

HEADING = Heading("What a network reaches, against what is left of its gradient at birth")
TRAINING = True
LINES = (-3, -1, 1, 3)  # decades: between the inner ones a gradient is kept, beyond the outer ones lost or exploded


@dataclass(frozen=True)
class Prepared:
    """rows: kind, activation, optimiser, depth, at_birth (attenuation in decades, at step 0), log10_cost (on the test
    rows, at the end), of each draw with both.
    """

    rows: pd.DataFrame
    chosen: Chosen
    steps: int
    log10_first_cost: float  # the median at step 0


def applies(steps: pd.DataFrame) -> str | None:
    deep = steps[steps["depth"] > 1]
    return None if deep["log10_cost_test"].notna().any() else "no network of two layers has a cost on test rows"


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """Of every depth, at tuned learning rates. A run that diverged, or a dead network, has no point."""
    chosen = choose(steps[steps["depth"] > 1], deepest=False)
    start = steps[(steps["step"] == 0) & steps["reached"].isna()].set_index("run")
    start = start.loc[chosen.runs["run"], ["log10_gradient_gain", "log10_cost_test"]]
    rows = chosen.runs[["kind", "activation", "optimiser", "depth"]].assign(
        at_birth=start["log10_gradient_gain"].to_numpy(), log10_cost=chosen.runs["log10_cost_test"].to_numpy()
    )
    finite = np.isfinite(rows[["at_birth", "log10_cost"]].astype(float)).all(axis=1)
    return Prepared(rows[finite], chosen, int(chosen.runs["step"].max()), float(start["log10_cost_test"].median()))


def finding(prepared: Prepared) -> str:
    """`Cost after 300 steps: 0.21 to 2.2 where at most 1 decade of the gradient was lost or gained at birth, 2.3 where
    3 or more were lost`."""
    at_birth, cost = prepared.rows["at_birth"], 10 ** prepared.rows["log10_cost"]
    kept, lost = cost[at_birth.abs() <= LINES[-2]], cost[at_birth <= LINES[0]]
    kept_words = f"where at most {LINES[-2]} decade of the gradient was lost or gained at birth"
    lost_words = (
        f"where {LINES[-1]} or more were lost" if len(kept) else f"where {LINES[-1]} decades were lost at birth"
    )
    parts = [
        f"{in_words(costs.min(), costs.max())} {where}"
        for costs, where in ((kept, kept_words), (lost, lost_words))
        if len(costs)
    ]
    return f"Cost after {prepared.steps:,} steps: {', '.join(parts)}" if parts else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A panel for each optimiser, a mark for each draw of each depth, and lines at one and at three decades."""
    chosen = prepared.chosen
    first = (Line2D([], [], color=GREY, linewidth=2), "median cost at birth")
    notes = caption(
        f"A mark is a draw after {prepared.steps:,} steps; thin lines: 1 and 3 decades lost or gained at birth",
        how_tuned(chosen),
        chosen.notes,
    )
    grid = Grid(1, len(chosen.optimisers), height=3.4)
    figure, axes = new_page(heading, grid, notes, [kind_entries(chosen.kinds, lines=False), [first]])
    for panel, optimiser in zip(axes[0], chosen.optimisers, strict=True):
        _marks(panel, prepared, optimiser)
        panel_title(panel, clean(optimiser, 30))
    label_edges(axes, axes.size, "attenuation at birth (decades)", "cost on the test rows")
    return figure


def _marks(axes: Axes, prepared: Prepared, optimiser: str) -> None:
    rows = prepared.rows[prepared.rows["optimiser"] == optimiser]
    axes.axhline(10**prepared.log10_first_cost, color=GREY, linewidth=2, zorder=1.5)
    for kind, look in kind_looks(prepared.chosen.kinds).items():
        own = rows[rows["kind"] == kind]
        axes.plot(own["at_birth"], 10 ** own["log10_cost"], look.marker, color=look.colour, alpha=0.75)
    ends = np.append(prepared.rows["at_birth"].to_numpy(dtype=float), 0)
    low, high = ends.min(), ends.max()
    margin = 0.06 * max(high - low, 1.0)
    axes.set_xlim(low - margin, high + margin)
    for decades in LINES:
        if low - margin < decades < high + margin:
            axes.axvline(decades, color=INK, linewidth=0.8, zorder=1.4)
    axes.set_yscale("log")
    least = min(
        prepared.rows["log10_cost"].min(), prepared.log10_first_cost - 1
    )  # a tenth, or costs of one size differ
    axes.set_ylim(bottom=0.8 * 10**least if np.isfinite(least) else None)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    plain_ticks(axes.xaxis)
