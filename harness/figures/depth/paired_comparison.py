"""Differences in slope per layer over the same draws, with intervals with and without the pairing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.base.numbers import number
from harness.figures.kit import text
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    new_page,
    page_width,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
)
from harness.figures.kit.pairs import comparisons
from harness.figures.kit.settings import evenly_spaced
from harness.figures.kit.style import INK, PALE

HEADING = Heading("The same draws on both sides: differences in slope, and how sharp they get")
MOST_ROWS = 16  # of each kind
NARROWEST = 3.0  # inches of a panel, of which the labels take half


@dataclass(frozen=True)
class Prepared:
    """table: all comparisons, with the columns of kit/pairs.py; rows: those drawn, of the deepest networks."""

    table: pd.DataFrame
    rows: pd.DataFrame
    depth: int
    note: str


def applies(networks: pd.DataFrame) -> str | None:
    if networks["replicate"].nunique() < 2:
        return "one replicate: no interval to compare"
    if networks["activation"].nunique() < 2 and networks["init"].nunique() < 2:
        return "there are no two activations or inits to compare"
    return None if networks["depth"].max() > 1 else "no network has two layers, so there is no slope"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """All comparisons, and the rows that are drawn: of the deepest networks."""
    return of_table(comparisons(networks))


def of_table(table: pd.DataFrame) -> Prepared:
    """The figure of comparisons that are made already."""
    depth = int(table["depth"].max()) if len(table) else 1
    deepest = table[table["depth"] == depth]
    rows, notes = [], []
    for kind, group in deepest.groupby("between", sort=True):
        kept = _chosen(group)
        rows.append(kept)
        if len(kept) < len(group):
            notes.append(f"{len(kept)} of {len(group)} between {kind}s")
    return Prepared(table, pd.concat(rows, ignore_index=True) if rows else deepest, depth, ", ".join(notes))


def _chosen(rows: pd.DataFrame) -> pd.DataFrame:
    """At most MOST_ROWS rows: the first pairs, at coordinates that are evenly spaced."""
    pairs = list(pd.unique(rows["second"]))[:MOST_ROWS]
    places = evenly_spaced(list(pd.unique(rows["at"])), MOST_ROWS // len(pairs))
    return rows[rows["second"].isin(pairs) & rows["at"].isin(places)]


def narrowing(table: pd.DataFrame) -> dict[str, float]:
    """The factor by which the pairing narrows the interval: the median over all comparisons of each kind."""
    paired, unpaired = table["high"] - table["low"], table["unpaired_high"] - table["unpaired_low"]
    known = (
        np.isfinite(paired) & np.isfinite(unpaired) & ((paired > 0) | (unpaired > 0)) & table["same_draws"].astype(bool)
    )
    with np.errstate(divide="ignore"):
        ratio = (unpaired[known] / paired[known]).groupby(table.loc[known, "between"]).median()
    return dict(ratio)


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw differences on the left, and on the right their intervals about the median, with and without pairing."""
    kinds = [(kind, group) for kind, group in prepared.rows.groupby("between", sort=True)]
    heights = [0.95 + _row_height(group) * len(group) for _, group in kinds] or [2.0]
    grid = Grid(
        max(len(kinds), 1), 2, sum(heights) / len(heights), (1, 1.2), heights, False, "row", narrowest=NARROWEST
    )
    figure, axes = new_page(heading, grid, _caption(prepared), [_legend(prepared)])
    for (left, right), (kind, group) in zip(axes, kinds, strict=False):
        panel_title(left, f"between {kind}s")
        panel_title(right, "distance from the median")
        _differences(left, group)
        _intervals(right, group)
        for panel in (left, right) if grid.stacked else (left,):
            panel.set_yticks(range(len(group)), _names(group, 18 if grid.stacked else 36))
            panel.set_ylim(len(group) - 0.4, -0.6)
        left.set_xlabel("difference in slope" + ("\n" if grid.stacked else " ") + "(decades per layer)")
        right.set_xlabel("decades per layer")
    if not kinds:
        write_in_empty_panel(axes[0, 0], "nothing to compare")
    return figure


def _row_height(rows: pd.DataFrame) -> float:
    """In inches: room for the lines of a label, which are more on a narrow page."""
    narrow = page_width() < 2 * NARROWEST
    return (0.36 if rows["at"].nunique() > 1 else 0.27) + 0.27 * narrow


def finding(prepared: Prepared) -> str:
    """By how much the pairing narrows the intervals between each kind of networks, or that it does not."""
    factors = narrowing(prepared.table)
    if not factors:
        return ""
    said = [
        f"{_times(ratio)} times narrower between {kind}s" if ratio > 1.2 else f"no narrower between {kind}s"
        for kind, ratio in factors.items()
    ]
    return f"Over the same draws, intervals of differences in slope are {', '.join(said)}"


def _names(rows: pd.DataFrame, letters: int) -> list[str]:
    """Labels such as `sigmoid − relu`, in lines of so many letters; the coordinates below where they differ."""
    pairs = [f"{text.clean(row.second, 20)} − {text.clean(row.first, 16)}" for row in rows.itertuples()]
    places = [text.clean(row.at, 34) if row.at and rows["at"].nunique() > 1 else "" for row in rows.itertuples()]
    return [
        "\n".join(text.in_lines(part, letters) for part in parts if part) for parts in zip(pairs, places, strict=True)
    ]


def _differences(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axvline(0, color="#555555", linewidth=0.8)
    for y, row in enumerate(rows.itertuples()):
        if np.isfinite(row.median_difference):
            axes.plot(row.median_difference, y, "o", color=INK, markersize=5)
        axes.annotate(
            _value(float(row.median_difference), int(row.draws), int(row.both_dead), int(row.unknown)),
            (1, y),
            (5, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.margins(x=0.08)
    plain_ticks(axes.xaxis, 4 if page_width() > 2 * NARROWEST else 2)


def _value(difference: float, pairs: int, both_dead: int, unknown: int) -> str:
    """The median difference, and on further lines the numbers of pairs without one."""
    missing = [f"{count} {word}" for count, word in ((both_dead, "both dead"), (unknown, "not known")) if count]
    return "\n".join([number(difference, "+.4f") if pairs else "no pair", *missing])


def _intervals(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw a pale bar for independent draws, and a dark one for the same draws."""
    axes.axvline(0, color="#555555", linewidth=0.8)
    for y, row in enumerate(rows.itertuples()):
        if np.isfinite([row.unpaired_low, row.unpaired_high, row.median_difference]).all():
            _bar(axes, y + 0.13, row.unpaired_low, row.unpaired_high, row.median_difference, PALE, "#8a8a8a")
        if np.isfinite([row.low, row.high, row.median_difference]).all():
            colours = ("#00508c", "#00508c") if row.same_draws else (PALE, "#8a8a8a")
            _bar(axes, y - 0.13 if row.same_draws else y + 0.13, row.low, row.high, row.median_difference, *colours)
    axes.use_sticky_edges = False
    axes.margins(x=0.06)
    plain_ticks(axes.xaxis, 5 if page_width() > 2 * NARROWEST else 2)


def _bar(axes: Axes, y: float, low: float, high: float, middle: float, face: str, edge: str) -> None:
    axes.barh(y, high - low, 0.2, left=low - middle, facecolor=face, edgecolor=edge, linewidth=0.8)
    axes.plot([low - middle, high - middle], [y, y], "|", color=edge, markersize=11, markeredgewidth=2)  # its ends


def _legend(prepared: Prepared) -> list:
    return [
        (Line2D([], [], color=INK, marker="o", linestyle="none"), "median difference"),
        (Patch(facecolor="#00508c"), "its interval, same draws"),
        (Patch(facecolor=PALE, edgecolor="#8a8a8a"), "interval, different draws"),
    ]


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 100 else "over 100"


def _interval(rows: pd.DataFrame) -> str:
    """The kind of interval that these rows have, for the caption."""
    low, high = int(rows["draws"].min()), int(rows["draws"].max())
    if high < 2:
        return "One pair: no interval" if high else "No pair has a difference"
    cover = rows["coverage"].dropna()
    exact = f"{100 * cover.min():.3g} %" if len(cover) else "no"
    n = f"{low} pairs" if low == high else f"{low}–{high} pairs"
    return f"Exact {exact} interval of the median from order statistics, {n}"


def _caption(prepared: Prepared) -> str:
    rows = prepared.rows
    if rows.empty:
        return ""
    factors = [f"{_times(ratio)} between {kind}s" for kind, ratio in narrowing(prepared.table).items()]
    gain = (
        f"Interval without pairing over interval with it: {', '.join(factors)} (medians over all depths)"
        if factors
        else ""
    )
    families = (
        "Inits of different families (normal, uniform, orthogonal) do not share draws: only the pale bar"
        if not rows["same_draws"].all()
        else ""
    )
    shown = f"Shown: {prepared.note}; all are in the table" if prepared.note else ""
    return caption(f"Depth {prepared.depth}", _interval(rows), gain, families, shown)
