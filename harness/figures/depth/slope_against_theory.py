"""The slope per layer of log10 ‖∂C/∂z‖ in the deepest networks, measured and predicted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.base.numbers import number
from harness.figures.kit import text
from harness.figures.kit.marks import shown_note
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    grid_shape,
    keep_panels,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
)
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.settings import select, with_settings
from harness.figures.kit.style import GREY, INK, PALE, looks

HEADING = Heading("Decades a layer, measured and predicted")
MOST_ROWS, MOST_PANELS = 16, 6


@dataclass(frozen=True)
class Prepared:
    """rows: panel, label, activation, draws, unknown, dead, low, median, high of slope_per_layer, predicted, deviation.

    There is a panel per activation with a row per setting; a single setting has one panel with a row per activation,
    lowest slope per layer first. predicted, deviation: medians over draws of predicted_slope_per_layer and
    predicted_spread; decades per layer.
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
    """Medians and quartiles over the deepest networks of each activation and setting, and their predictions."""
    depth = int(networks["depth"].max())
    chosen = select(networks, MOST_ROWS, depth)
    networks, names, one = chosen.networks, chosen.activations, len(chosen.panels.labels) == 1
    slope = networks["slope_per_layer"].mask(networks["dead_from_layer"].notna(), -np.inf)
    keys = ["setting", "activation"]
    rows = quartiles(networks.assign(slope=slope), keys, "slope")
    predicted = networks.groupby(keys, observed=True, sort=True)[["predicted_slope_per_layer", "predicted_spread"]]
    rows[["predicted", "deviation"]] = predicted.median().to_numpy()
    rows["label"] = rows["activation"].astype(str) if one else rows["setting"].map(chosen.panels.labels)
    rows["panel"] = "" if one else rows["activation"].astype(str)
    if one:
        rows = rows.sort_values("median", kind="stable")
    panels, notes = ("",) if one else names[:MOST_PANELS], chosen.notes
    if len(panels) < len(names) and not one:
        notes = tuple(filter(None, (chosen.panels.note, f"first {MOST_PANELS} of {len(names)} activations")))
    return Prepared(rows, panels, depth, chosen.panels.shared, notes)


def finding(prepared: Prepared) -> str:
    """`From −0.630 (sigmoid) to +0.013 (selu) decades a layer; theory misses a median by at most 0.004`."""
    rows = prepared.rows[np.isfinite(prepared.rows["median"]) & prepared.rows["panel"].isin(prepared.panels)]
    if rows.empty:
        return ""
    ends = [rows.loc[rows["median"].idxmin()], rows.loc[rows["median"].idxmax()]]
    names = [", ".join(dict.fromkeys((text.clean(row["activation"]), text.clean(row["label"])))) for row in ends]
    low, high = (f"{number(row['median'], '+.3f')} ({name})" for row, name in zip(ends, names, strict=True))
    missed = (rows["median"] - rows["predicted"]).abs().max()
    theory = f"; theory misses a median by at most {missed:.2g}" if missed >= 0 else ""
    return f"From {low} to {high} decades a layer{theory}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a row for each kind of network: a dot at the median, a bar for the middle half, a dashed tick for theory."""
    count = len(prepared.panels)
    most = int(prepared.rows.groupby("panel")["label"].nunique().max())  # rows of a panel
    rows, columns = grid_shape(count, 4 if most > 4 else 2)
    legend = [
        (Line2D([], [], color=GREY, marker="o", linewidth=3.5, alpha=0.8), "measured: median, middle half"),
        (Line2D([], [], color=INK, linestyle="--"), "theory"),
        (Patch(facecolor=PALE), "theory: one standard deviation over draws"),
    ]
    draws = prepared.rows["draws"]
    count_text = f"{draws.min()}" + (f"–{draws.max()}" if draws.min() < draws.max() else "")
    notes = caption(
        f"Networks of depth {prepared.depth}; {count_text} draws of each",
        prepared.shared,
        "0 is a gradient that holds; −1 loses a factor of 10 at every layer",
        shown_note(prepared.notes),
    )
    grid = Grid(rows, columns, height=max(0.9 + 0.23 * most, 1.8), sharex=False, sharey=False)
    figure, axes = new_page(heading, grid, notes, [legend])
    names = [str(name) for name in dict.fromkeys(prepared.rows["activation"])]
    colours = {name: look.colour for name, look in looks(names).items()}
    for panel, name in zip(keep_panels(axes, count), prepared.panels, strict=True):
        rows_of_panel = prepared.rows[prepared.rows["panel"] == name]
        panel_title(panel, text.clean(name) if name else f"{len(rows_of_panel)} activations")
        own = list(dict.fromkeys(rows_of_panel["label"]))
        _rows(panel, rows_of_panel, own, colours)
        panel.set_ylim(most - 0.4, -0.6)  # rows are of one height in all panels
        panel.set_xlabel("decades a layer")
    return figure


def _rows(axes: Axes, rows: pd.DataFrame, labels: list[str], colours: dict[str, str]) -> None:
    axes.axvline(0, color="#555555", linewidth=0.8, zorder=1)
    known = rows[np.isfinite(rows["median"])]
    if known.empty:
        write_in_empty_panel(axes, "no slope to draw: the median network is dead or not known")
    for row in known.itertuples():
        y, colour = labels.index(row.label), colours[str(row.activation)]
        if np.isfinite(row.predicted):
            _prediction(axes, y, float(row.predicted), float(row.deviation))
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=3.5, alpha=0.8, solid_capstyle="butt", zorder=2)
        axes.plot(row.median, y, "o", color=colour, markersize=4.5, zorder=3)
    _margins(axes, known)
    for row in known.itertuples():
        _number(axes, labels.index(row.label), float(row.median))
    axes.set_yticks(range(len(labels)), [text.clean(label) for label in labels])
    axes.grid(axis="y", visible=False)
    plain_ticks(axes.xaxis, 4)


def _prediction(axes: Axes, y: int, slope: float, deviation: float) -> None:
    axes.fill_betweenx([y - 0.38, y + 0.38], slope - deviation, slope + deviation, color=PALE, linewidth=0, zorder=1)
    axes.plot([slope] * 2, [y - 0.42, y + 0.42], "--", color=INK, linewidth=1.3, zorder=4)


def _number(axes: Axes, y: int, median: float) -> None:
    axes.annotate(
        number(median, "+.3f"),
        (1, y),
        (-2, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=7.5,
        ha="right",
        va="center",
        color=GREY,
    )


def _margins(axes: Axes, rows: pd.DataFrame) -> None:
    """Leave space for the numbers on the right."""
    reach = pd.DataFrame({sign: rows["predicted"] + sign * rows["deviation"] for sign in (-1, 1)})
    ends = pd.concat([rows[["low", "high", "predicted"]], reach], axis=1).to_numpy()
    ends = np.append(ends[np.isfinite(ends)], 0)
    width = max(np.ptp(ends), 0.01)
    axes.set_xlim(ends.min() - 0.06 * width, ends.max() + 0.5 * width)
