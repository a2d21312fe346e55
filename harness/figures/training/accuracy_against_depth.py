"""Accuracy against depth: which depth still learns, at learning rates tuned for each draw."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.kit.marks import band
from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.style import GREY, Look
from harness.figures.kit.text import clean
from harness.figures.training.panels import Chosen, choose, how_tuned, kind_entries, kind_looks

HEADING = Heading("Which depth still learns")
TRAINING = True


@dataclass(frozen=True)
class Prepared:
    """rows: optimiser, kind, depth, with quartiles of accuracy_test over draws."""

    rows: pd.DataFrame
    chosen: Chosen
    steps: int


def applies(steps: pd.DataFrame) -> str | None:
    if steps["depth"].nunique() < 2:
        return "needs more than one depth"
    return "needs classes: data: {targets: labels}" if steps["accuracy_test"].isna().all() else None


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The accuracy on the test rows at the last step. A run that diverged counts as 0."""
    chosen = choose(steps, deepest=False)
    runs = chosen.runs.assign(accuracy=chosen.runs["accuracy_test"].fillna(0))
    rows = quartiles(runs, ["optimiser", "kind", "depth"], "accuracy")
    return Prepared(rows, chosen, int(chosen.runs["step"].max()))


def finding(prepared: Prepared) -> str:
    """`Accuracy at depth 8: relu 92 %, tanh 91 %, sigmoid 11 %`: medians on the test rows, of the first optimiser."""
    chosen, depth = prepared.chosen, prepared.rows["depth"].max()
    rows = prepared.rows[(prepared.rows["optimiser"] == chosen.optimisers[0]) & (prepared.rows["depth"] == depth)]
    medians = rows.set_index("kind")["median"]
    parts = [f"{clean(kind.label)} {100 * medians[kind.label]:.0f} %" for kind in chosen.kinds if kind.label in medians]
    under = f" under {clean(chosen.optimisers[0])}" if len(chosen.optimisers) > 1 else ""
    return f"Accuracy at depth {depth}{under}: {', '.join(parts)}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A panel for each optimiser, a line for each activation."""
    chosen = prepared.chosen
    notes = caption(
        f"Accuracy on the test rows after {prepared.steps:,} steps; lines: medians; bands: the middle half",
        how_tuned(chosen),
        chosen.notes,
    )
    style = kind_looks(chosen.kinds)
    grid = Grid(1, len(chosen.optimisers), height=3.0)
    figure, axes = new_page(heading, grid, notes, [kind_entries(chosen.kinds)])
    for panel, optimiser in zip(axes[0], chosen.optimisers, strict=True):
        _lines(panel, prepared.rows[prepared.rows["optimiser"] == optimiser], style)
        panel_title(panel, clean(optimiser, 30))
    label_edges(axes, len(chosen.optimisers), "depth (layers)", "accuracy on the test rows")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, style: Mapping[str, Look]) -> None:
    for kind, look in style.items():
        own = rows[rows["kind"] == kind]
        axes.plot(own["depth"], own["median"], color=look.colour, marker=look.marker, linestyle=look.line)
        band(axes, "depth", own, look.colour)
    axes.set_xscale("log", base=2)
    axes.set_xticks(depths := sorted(rows["depth"].unique()), [str(depth) for depth in depths])
    axes.set_ylim(0, 1.02)
    axes.axhline(0, color=GREY, linewidth=0.8)
