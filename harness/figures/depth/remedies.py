"""What helps, and whom: the attenuation of every kind of network, the one that holds most activations at the top."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from harness.base.numbers import formatted, number
from harness.figures.kit import text
from harness.figures.kit.marks import shown_note
from harness.figures.kit.page import Grid, Heading, caption, keep_panels, new_page, page_width, panel_title
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.settings import select, unusual
from harness.figures.kit.style import GREY, INK, PALE, looks

HEADING = Heading("What keeps a gradient, and for which activation")
MOST_ROWS, MOST_PANELS, MOST_DEPTHS = 24, 3, 4
KEPT = 3  # decades, within which a gradient counts as kept; the axis is linear there, and logarithmic beyond
FOR_NUMBERS = 400  # times the largest attenuation: where the axis ends, beyond the numbers on the right
NARROWEST = 2.5  # inches of a panel; on a narrower page they stand one below the other


@dataclass(frozen=True)
class Prepared:
    """rows: setting, label, activation, depth, draws, unknown, dead, low, median, high of log10_gradient_gain (−∞ if
    dead), and theory, the predicted median, NaN where there is none. Settings are in the order of `labels`.

    labels: the kinds of networks, by the largest |median| of any activation at the greatest depth, smallest first.
    """

    rows: pd.DataFrame
    labels: tuple[str, ...]
    activations: tuple[str, ...]
    depths: tuple[int, ...]
    shared: str
    notes: tuple[str, ...]


def applies(networks: pd.DataFrame) -> str | None:
    if "normalisation" not in networks or "residual" not in networks:
        return "the tables have no remedies"
    kinds = networks[["normalisation", "residual"]].drop_duplicates()
    return None if len(kinds) > 1 else "all networks have the same normalisation and skips"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """Median and quartiles of the attenuation of each activation, setting and depth."""
    chosen = select(networks, MOST_ROWS)
    names = chosen.activations[:MOST_PANELS]
    depths = sorted(int(depth) for depth in networks["depth"].unique())[-MOST_DEPTHS:]
    networks = chosen.networks[chosen.networks["activation"].isin(names) & chosen.networks["depth"].isin(depths)]
    keys = ["setting", "activation", "depth"]
    attenuation = networks["log10_gradient_gain"].mask(networks["dead_from_layer"].notna(), -np.inf)
    predicted = networks["predicted_slope_per_layer"] * (networks["depth"] - 1)
    networks = networks.assign(attenuation=attenuation, theory=predicted)
    rows = quartiles(networks, keys, "attenuation")
    rows["theory"] = networks.groupby(keys, observed=True, sort=True)["theory"].median().to_numpy()
    rows["label"] = rows["setting"].map(unusual(networks))
    worst = rows[rows["depth"] == depths[-1]].assign(worst=lambda r: r["median"].abs().fillna(np.inf))
    ranked = worst.groupby("label", sort=False)["worst"].max().sort_values(kind="stable")
    left_out = f"first {MOST_PANELS} of {len(chosen.activations)} activations"
    notes = (*chosen.notes, left_out) if len(chosen.activations) > MOST_PANELS else chosen.notes
    return Prepared(rows, tuple(ranked.index), names, tuple(depths), chosen.panels.shared, notes)


def finding(prepared: Prepared) -> str:
    """`At depth 1001, 5 of 16 kinds of networks keep the gradient of relu, sigmoid and tanh within 3 decades`."""
    deepest = prepared.rows[prepared.rows["depth"] == prepared.depths[-1]]
    kept = (deepest["median"].abs() <= KEPT).groupby(deepest["label"]).agg(["all", "size"])
    kept = kept[kept["size"] == len(prepared.activations)]
    if kept.empty:
        return ""
    *others, last = map(text.clean, prepared.activations)
    names = f"{', '.join(others)} and {last}" if others else last
    return (
        f"At depth {prepared.depths[-1]}, {kept['all'].sum()} of {len(kept)} kinds of networks keep the gradient of "
        f"{names} within {KEPT} decades"
    )


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel per activation with a row per kind of network: a point per depth, and theory at the greatest."""
    wide = page_width() >= NARROWEST * len(prepared.activations)
    row = 0.25 if wide else 0.46  # inches: labels have two or three lines on a narrow page
    grid = Grid(1, len(prepared.activations), height=1.0 + row * len(prepared.labels), narrowest=NARROWEST)
    figure, axes = new_page(heading, grid, _caption(prepared), [_legend(prepared)])
    colours = {name: look.colour for name, look in looks(list(prepared.activations)).items()}
    for panel, name in zip(keep_panels(axes, len(prepared.activations)), prepared.activations, strict=True):
        rows = prepared.rows[prepared.rows["activation"] == name]
        kept = rows[(rows["depth"] == prepared.depths[-1]) & (rows["median"].abs() <= KEPT)]
        panel_title(panel, f"{text.clean(name)}: {len(kept)} of {len(prepared.labels)} kept")
        _rows(panel, rows, prepared, colours[name])
        _axis(panel, prepared)
    return figure


def _rows(axes: Axes, rows: pd.DataFrame, prepared: Prepared, colour: str) -> None:
    for y, label in enumerate(prepared.labels):
        row = rows[(rows["label"] == label) & np.isfinite(rows["median"])].sort_values("depth")
        axes.plot(row["median"], [y] * len(row), color=colour, linewidth=1.2, alpha=0.6, zorder=2)
        for point in row.itertuples():
            size = _size(prepared.depths.index(point.depth), len(prepared.depths))
            axes.plot(point.median, y, "o", color=colour, markersize=size, zorder=3)
        deepest = row[row["depth"] == prepared.depths[-1]]
        for theory in deepest["theory"].dropna():
            axes.plot([theory] * 2, [y - 0.42, y + 0.42], "--", color=INK, linewidth=1.3, zorder=4)
        said = number(float(deepest["median"].iloc[0]), "+.3g") if len(deepest) else "dead or not known"
        axes.annotate(
            said,
            (1, y),
            (-2, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7.5,
            ha="right",
            va="center",
            color=GREY,
            zorder=5,
        )


def _size(place: int, count: int) -> float:
    return 3 + 4 * (place + 1) / count


def _axis(axes: Axes, prepared: Prepared) -> None:
    """Linear within KEPT decades and logarithmic beyond, alike in all panels, with space for the numbers."""
    ends = prepared.rows[["median", "theory"]].to_numpy()
    ends = ends[np.isfinite(ends)]
    low, high = min(ends.min(initial=0), -KEPT), max(ends.max(initial=0), KEPT)
    ticks = [10.0**power for power in (1, 3, 5)]
    axes.set_xscale("symlog", linthresh=KEPT, linscale=1)
    axes.set_xlim(2 * low, FOR_NUMBERS * high)
    axes.set_xticks([*(-tick for tick in reversed(ticks) if tick <= -2 * low), 0, *(t for t in ticks if t <= 2 * high)])
    axes.xaxis.set_major_formatter(lambda value, _: formatted(value, ",.0f").replace(",", " "))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvspan(-KEPT, KEPT, color=PALE, linewidth=0, zorder=0)
    axes.axvline(0, color="#555555", linewidth=0.8, zorder=1)
    letters = 60 if page_width() >= NARROWEST * len(prepared.activations) else 22
    axes.set_yticks(range(len(prepared.labels)), [text.in_lines(label, letters) for label in prepared.labels])
    axes.set_ylim(len(prepared.labels) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel("attenuation (decades)")


def _legend(prepared: Prepared) -> list:
    count = len(prepared.depths)
    points = [
        (Line2D([], [], color=GREY, marker="o", linestyle="none", markersize=_size(place, count)), f"depth {depth}")
        for place, depth in enumerate(prepared.depths)
    ]
    theory = (Line2D([], [], color=INK, linestyle="--"), f"theory at depth {prepared.depths[-1]}")
    return [*points, theory, (Patch(facecolor=PALE), f"within {KEPT} decades")]


def _caption(prepared: Prepared) -> str:
    draws = prepared.rows["draws"]
    count = f"{draws.min()}" + (f"–{draws.max()}" if draws.min() < draws.max() else "")
    return caption(
        "Attenuation: log₁₀ of ‖∂C/∂z‖ at the first layer over that at the last, median over draws; the number is that "
        f"of depth {prepared.depths[-1]}",
        f"The axis is linear within ±{KEPT} decades and logarithmic beyond",
        "Theory of normalisation and skips is that of infinite width",
        "From the top by the largest attenuation of any of these activations",
        f"{count} draws of each",
        prepared.shared,
        shown_note(prepared.notes),
    )
