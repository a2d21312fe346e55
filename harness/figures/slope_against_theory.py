"""Slope against theory: decades a layer of the deepest networks, and theory's."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures import text
from harness.figures.marks import shown
from harness.figures.page import Grid, Heading, caption, empty, page, panel_title, plain_ticks, shape, used
from harness.figures.settings import activations, panels, ranked, with_settings
from harness.figures.spread import spread
from harness.figures.style import GREY, INK, PALE, looks

HEADING = Heading("Decades a layer, measured and predicted")
MOST_ROWS, MOST_PANELS = 16, 6


@dataclass(frozen=True)
class Prepared:
    """rows: panel, label, activation, draws, unknown, dead, low, median, high of slope_per_layer, predicted, deviation.

    A panel per activation, a row per setting; or, where there is one setting, one panel with a row per activation,
    steepest loss first. `predicted`, `deviation`: median over draws of the predicted slope and of its spread.
    """

    rows: pd.DataFrame
    panels: tuple[str, ...]
    depth: int
    shared: str
    notes: tuple[str, ...]


def applies(networks: pd.DataFrame) -> str | None:
    if "predicted_slope_per_layer" not in networks:
        return "the tables have no prediction"
    if networks["depth"].max() < 2:
        return "there is no slope at depth 1"
    rows = with_settings(networks)[0].groupby(["setting", "activation"], observed=True).ngroups
    return None if rows > 1 else "there is one kind of network only"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """Medians and quartiles of the deepest networks of each activation and setting."""
    names, left_out = activations(networks)
    networks, varying = with_settings(networks[networks["depth"] == networks["depth"].max()])
    one = networks["setting"].nunique() == 1
    chosen = panels(networks, varying, MOST_ROWS)
    networks = ranked(networks[networks["setting"].isin(chosen.labels)], names)
    slope = networks["slope_per_layer"].mask(networks["dead_from_layer"].notna(), -np.inf)
    keys = ["setting", "activation"]
    rows = spread(networks.assign(slope=slope), keys, "slope")
    predicted = networks.groupby(keys, observed=True, sort=True)[["predicted_slope_per_layer", "predicted_spread"]]
    rows[["predicted", "deviation"]] = predicted.median().to_numpy()
    rows["label"] = rows["activation"].astype(str) if one else rows["setting"].map(chosen.labels)
    rows["panel"] = "" if one else rows["activation"].astype(str)
    if one:
        rows = rows.sort_values("median", kind="stable")
    shown_panels = ("",) if one else names[:MOST_PANELS]
    fewer = f"first {MOST_PANELS} of {len(names)} activations" if not one and len(names) > MOST_PANELS else left_out
    notes = tuple(filter(None, (chosen.note, fewer)))
    return Prepared(rows, shown_panels, int(networks["depth"].max()), chosen.shared, notes)


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Rows from the top; a dot for the median, a bar for the middle half, a dashed tick for theory."""
    count = len(prepared.panels)
    labels = list(dict.fromkeys(prepared.rows["label"]))
    rows, columns = shape(count, 4 if len(labels) > 4 else 2)
    legend = [
        (Line2D([], [], color=GREY, marker="o", linewidth=3.5, alpha=0.8), "measured: median, middle half"),
        (Line2D([], [], color=INK, linestyle="--"), "theory"),
        (Patch(facecolor=PALE), "theory: one standard deviation over draws"),
    ]
    draws = prepared.rows["draws"]
    number = f"{draws.min()}" + (f"–{draws.max()}" if draws.min() < draws.max() else "")
    said = caption(f"Networks of depth {prepared.depth}; {number} draws of each", prepared.shared,
                   "0 is a gradient that holds; −1 loses a factor of 10 at every layer",
                   shown(prepared.notes))  # fmt: skip
    grid = Grid(rows, columns, height=max(0.9 + 0.23 * len(labels), 1.8), sharex=count == 1)
    figure, axes = page(heading, grid, said, [legend])
    names = [str(name) for name in dict.fromkeys(prepared.rows["activation"])]
    colours = {name: look.colour for name, look in looks(names).items()}
    for panel, name in zip(used(axes, count), prepared.panels, strict=True):
        own = prepared.rows[prepared.rows["panel"] == name]
        panel_title(panel, text.clean(name) if name else f"{len(own)} activations")
        _rows(panel, own, labels, colours)
        panel.set_xlabel("decades a layer")
    return figure


def _rows(axes: Axes, rows: pd.DataFrame, labels: list[str], colours: dict[str, str]) -> None:
    axes.axvline(0, color="#555555", linewidth=0.8, zorder=1)
    known = rows[np.isfinite(rows["median"])]
    if known.empty:
        empty(axes, "no slope to draw: the median network is dead or not known")
    for row in known.itertuples():
        y, colour = labels.index(row.label), colours[str(row.activation)]
        if np.isfinite(row.predicted):
            left, right = row.predicted - row.deviation, row.predicted + row.deviation
            axes.fill_betweenx([y - 0.38, y + 0.38], left, right, color=PALE, linewidth=0, zorder=1)
            axes.plot([row.predicted] * 2, [y - 0.42, y + 0.42], "--", color=INK, linewidth=1.3, zorder=4)
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=3.5, alpha=0.8, solid_capstyle="butt", zorder=2)
        axes.plot(row.median, y, "o", color=colour, markersize=4.5, zorder=3)
    _margins(axes, known)
    for row in known.itertuples():
        axes.annotate(text.number(row.median, ".3f"), (1, labels.index(row.label)), (-2, 0),
                      xycoords=("axes fraction", "data"),
                      textcoords="offset points", fontsize=7.5, ha="right", va="center", color=GREY)  # fmt: skip
    axes.set_yticks(range(len(labels)), [text.clean(label, 30) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    plain_ticks(axes.xaxis, 4)


def _margins(axes: Axes, rows: pd.DataFrame) -> None:
    """Room on the right for the numbers."""
    ends = rows[["low", "high", "predicted"]].to_numpy()
    ends = np.append(ends[np.isfinite(ends)], 0)
    width = max(np.ptp(ends), 0.01)
    axes.set_xlim(ends.min() - 0.06 * width, ends.max() + 0.5 * width)
