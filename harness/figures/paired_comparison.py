"""Paired comparison: differences in slope over the same draws, and what the pairing buys."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures import text
from harness.figures.page import Grid, Heading, caption, empty, page, panel_title, plain_ticks
from harness.figures.pairs import comparisons
from harness.figures.settings import spaced
from harness.figures.style import INK, PALE

HEADING = Heading("The same draws on both sides: differences in slope, and how sharp they get")
MOST_ROWS = 16  # of each kind


@dataclass(frozen=True)
class Prepared:
    """table: all comparisons, as harness.figures.pairs has them; rows: those drawn, of the deepest networks."""

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
    """All comparisons, and those of the deepest networks to draw."""
    table = comparisons(networks)
    depth = int(networks["depth"].max())
    deepest = table[table["depth"] == depth]
    rows, notes = [], []
    for kind, own in deepest.groupby("between", sort=True):
        kept = _chosen(own)
        rows.append(kept)
        if len(kept) < len(own):
            notes.append(f"{len(kept)} of {len(own)} between {kind}s")
    return Prepared(table, pd.concat(rows, ignore_index=True) if rows else deepest, depth, ", ".join(notes))


def _chosen(rows: pd.DataFrame) -> pd.DataFrame:
    """At most MOST_ROWS: the first pairs, all of them at the same coordinates, which are spread over their range."""
    pairs = list(pd.unique(rows["second"]))[:MOST_ROWS]
    places = spaced(list(pd.unique(rows["at"])), MOST_ROWS // len(pairs))
    return rows[rows["second"].isin(pairs) & rows["at"].isin(places)]


def sharper(table: pd.DataFrame) -> dict[str, float]:
    """By what factor the pairing narrows the interval, the median over all comparisons of a kind."""
    paired, unpaired = table["high"] - table["low"], table["unpaired_high"] - table["unpaired_low"]
    known = (
        np.isfinite(paired) & np.isfinite(unpaired) & ((paired > 0) | (unpaired > 0)) & table["same_draws"].astype(bool)
    )
    with np.errstate(divide="ignore"):
        ratio = (unpaired[known] / paired[known]).groupby(table.loc[known, "between"]).median()
    return dict(ratio)


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Differences on the left; on the right their intervals, as distance from the median, with and without pairing."""
    kinds = [(kind, own) for kind, own in prepared.rows.groupby("between", sort=True)]
    heights = [0.95 + (0.36 if own["at"].nunique() > 1 else 0.27) * len(own) for _, own in kinds] or [2.0]
    grid = Grid(
        max(len(kinds), 1), 2, sum(heights) / len(heights), (1, 1.2), sharex=False, sharey="row", heights=heights
    )
    figure, axes = page(heading, grid, _caption(prepared), [_legend(prepared)])
    for (left, right), (kind, own) in zip(axes, kinds, strict=False):
        panel_title(left, f"between {kind}s")
        panel_title(right, "distance from the median")
        _differences(left, own)
        _intervals(right, own)
        left.set_yticks(range(len(own)), _names(own))
        left.set_ylim(len(own) - 0.4, -0.6)
        left.set_xlabel("difference in slope (decades per layer)")
        right.set_xlabel("decades per layer")
    if not kinds:
        empty(axes[0, 0], "nothing to compare")
    return figure


def _names(rows: pd.DataFrame) -> list[str]:
    """sigmoid − relu · he_normal"""
    pairs = [f"{text.clean(row.second, 20)} − {text.clean(row.first, 16)}" for row in rows.itertuples()]
    places = [f"\n{text.clean(row.at, 34)}" if row.at else "" for row in rows.itertuples()]
    several = rows["at"].nunique() > 1
    return [pair + (place if several else "") for pair, place in zip(pairs, places, strict=True)]


def _differences(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axvline(0, color="#555555", linewidth=0.8)
    for y, row in enumerate(rows.itertuples()):
        if np.isfinite(row.median_difference):
            axes.plot(row.median_difference, y, "o", color=INK, markersize=5)
        axes.annotate(_value(row), (1, y), (5, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", fontsize=8.5)  # fmt: skip
    axes.margins(x=0.08)
    plain_ticks(axes.xaxis, 4)


def _value(row) -> str:
    lost = [f"{count} {word}" for count, word in ((row.both_dead, "both dead"), (row.unknown, "not known")) if count]
    value = text.number(row.median_difference, ".4f") if row.draws else "no pair"
    return "\n".join([value, *lost])


def _intervals(axes: Axes, rows: pd.DataFrame) -> None:
    """A wide pale bar for draws of its own on each side, a narrow dark one for the same draws."""
    axes.axvline(0, color="#555555", linewidth=0.8)
    for y, row in enumerate(rows.itertuples()):
        if np.isfinite([row.unpaired_low, row.unpaired_high, row.median_difference]).all():
            _bar(axes, y + 0.13, row.unpaired_low, row.unpaired_high, row.median_difference, PALE, "#8a8a8a")
        if np.isfinite([row.low, row.high, row.median_difference]).all():
            own = ("#00508c", "#00508c") if row.same_draws else (PALE, "#8a8a8a")
            _bar(axes, y - 0.13 if row.same_draws else y + 0.13, row.low, row.high, row.median_difference, *own)
    axes.use_sticky_edges = False
    axes.margins(x=0.06)
    plain_ticks(axes.xaxis, 5)


def _bar(axes: Axes, y: float, low: float, high: float, middle: float, face: str, edge: str) -> None:
    axes.barh(y, high - low, 0.2, left=low - middle, facecolor=face, edgecolor=edge, linewidth=0.8)


def _legend(prepared: Prepared) -> list:
    return [(Line2D([], [], color=INK, marker="o", linestyle="none"), "median difference"),
            (Patch(facecolor="#00508c"), "its interval, same draws"),
            (Patch(facecolor=PALE, edgecolor="#8a8a8a"), "interval, different draws")]  # fmt: skip


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 100 else "over 100"


def _interval(rows: pd.DataFrame) -> str:
    """What the interval of these rows is, in words."""
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
    factors = [f"{_times(ratio)} between {kind}s" for kind, ratio in sharper(prepared.table).items()]
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
