"""The ledger as bars, for many activations or settings: the activation's part, the weights' part and their total."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.base.arrays import Array
from harness.figures.kit import text
from harness.figures.kit.marks import HATCHED, activation_entries, band, shown_note
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    grid_shape,
    keep_panels,
    layer_axis,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
    zero_line,
)
from harness.figures.kit.style import GREY, INK, looks
from harness.figures.ledger.sums import COUNTED, Prepared, gaps, ledger_numbers, which


def draw(prepared: Prepared, heading: Heading) -> Figure:
    """Draw a panel per setting or per activation, whichever are fewer; a single setting has its factors beside it."""
    settings, names = prepared.panels.labels, prepared.activations
    if len(settings) == 1:
        return _with_factors(prepared, heading)
    by_setting = len(settings) < len(names)
    titles: dict[int, str] | dict[str, str] = settings if by_setting else {name: name for name in names}
    count, bars = len(titles), len(names) if by_setting else len(settings)
    rows, columns = grid_shape(count, 3 if count > 2 else 2)
    figure, axes = new_page(heading, Grid(rows, columns, 0.8 + 0.26 * bars), _caption(prepared), _legend(prepared))
    flat = keep_panels(axes, count)
    for panel, (key, title) in zip(flat, titles.items(), strict=True):
        column = "setting" if by_setting else "activation"
        networks = prepared.networks[prepared.networks[column] == key]
        panel_title(panel, title, text.dead_and_unknown(networks, name_activation=by_setting))
        totals = prepared.totals[prepared.totals[column] == key]
        if by_setting:
            _activation_bars(panel, totals, prepared, names)
        else:
            colour = looks(names)[title].colour
            totals = totals.set_index("setting").reindex(list(settings))
            _bars(panel, totals, list(settings.values()), [colour] * len(settings))
    for panel in flat[max(count - columns, 0) :]:
        panel.set_xlabel("decades, last to first layer")
    return figure


def _with_factors(prepared: Prepared, heading: Heading) -> Figure:
    """Draw the factors of one setting against layer, and beside them its bars in the order of their totals."""
    (label,) = prepared.panels.labels.values()
    grid = Grid(1, 3, 0.9 + 0.3 * len(prepared.activations), (1, 1, 1.35), sharex=False, sharey=False)
    figure, axes = new_page(heading, grid, _caption(prepared), _legend(prepared, lines=True))
    for panel, part, title in zip(
        axes[0], ("activation", "weights"), ("slopes, per layer", "weights, per layer"), strict=False
    ):
        _factor_lines(panel, prepared, part)
        panel_title(panel, title)
        layer_axis(panel, prepared.depth)
        panel.set_xlabel("layer: output → input")
    low, high = (pick(panel.get_ylim()[end] for panel in axes[0, :2]) for end, pick in ((0, min), (1, max)))
    for panel in axes[0, :2]:
        panel.set_ylim(low, high)
        plain_ticks(panel.yaxis)
    axes[0, 0].set_ylabel("log₁₀ factor per layer (decades)")
    totals = prepared.totals.set_index("activation")
    ranking = totals["total"].fillna(-np.inf).sort_values(ascending=False, kind="stable").index
    _activation_bars(axes[0, 2], prepared.totals, prepared, [str(name) for name in ranking])
    panel_title(axes[0, 2], f"{label}: summed", text.dead_and_unknown(prepared.networks))
    axes[0, 2].set_xlabel("decades, last to first layer")
    return figure


def _factor_lines(axes: Axes, prepared: Prepared, part: str) -> None:
    zero_line(axes)
    for name, look in looks(prepared.activations).items():
        rows = prepared.factors[(prepared.factors["activation"] == name) & (prepared.factors["part"] == part)]
        rows = rows[np.isfinite(rows["median"])]
        axes.plot(
            rows["layer"],
            rows["median"],
            color=look.colour,
            linestyle=look.line,
            linewidth=1.4,
            marker=look.marker,
            markevery=max(len(rows) // 4, 1),
            markersize=4,
        )
        band(axes, "layer", rows, look.colour, alpha=0.18)


def _activation_bars(axes: Axes, totals: pd.DataFrame, prepared: Prepared, order: Sequence[str]) -> None:
    """Draw the bars of all activations at one setting, in this order."""
    colours = looks(prepared.activations)
    totals = totals.set_index("activation").reindex(list(order))
    _bars(axes, totals, list(order), [colours[name].colour for name in order])


def _bars(axes: Axes, totals: pd.DataFrame, labels: Sequence[str], colours: Sequence[str]) -> None:
    """Draw a pair of bars for each row of `totals`, a diamond for the total and a tick for the activation's bound."""
    axes.axvline(0, color="#555555", linewidth=0.8)
    parts = totals[["activation_part", "weights_part", "total", "bound"]].to_numpy(dtype=float)
    for y, (row, colour) in enumerate(zip(parts, colours, strict=True)):
        _pair(axes, y, row, colour)
    if not np.isfinite(totals["total"]).any():
        write_in_empty_panel(axes, "no median ledger: half of the draws or more are dead or not known")
    axes.set_yticks(range(len(labels)), [text.clean(label, 26) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(False, axis="y")
    plain_ticks(axes.xaxis, 5)


def _pair(axes: Axes, y: int, row: Array, colour: str) -> None:
    """Draw the bars of one row: the activation's part, the weights' part, the total and the bound, (4,)."""
    activation, weights, total, bound = row.tolist()
    known = np.isfinite(total)
    if known:
        axes.barh(y - 0.19, activation, 0.38, color=colour, linewidth=0)
        axes.barh(y + 0.19, weights, 0.38, linewidth=0.6, **HATCHED)
        axes.plot(total, y, "D", color=INK, markersize=4.5, zorder=4)
    if known and np.isfinite(bound):
        axes.plot([bound] * 2, [y - 0.42, y + 0.04], color=INK, linewidth=1.2, zorder=3.5)
    value = ledger_numbers([total])[0] if known else "dead" if total < 0 else "–"
    axes.annotate(
        value,
        (1, y),
        (3, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
    )


def _legend(prepared: Prepared, lines: bool = False) -> list:
    several = len(prepared.activations) > 1
    colour = GREY if several else looks(prepared.activations)[prepared.activations[0]].colour
    bound = Line2D([], [], color=INK, marker="|", linestyle="none", markersize=9, markeredgewidth=1.2)
    marks = [
        (Patch(facecolor=colour), "slopes" + (", in the activation's colour" if several else "")),
        (Patch(**HATCHED), "weights"),
        (Line2D([], [], color=INK, marker="D", linestyle="none", markersize=4.5), "total (at the right)"),
        (bound, "bound of the slopes"),
    ]
    return [activation_entries(prepared.activations, markersize=4), marks] if lines else [marks]


def _caption(prepared: Prepared) -> str:
    count = text.draw_count(prepared.networks)
    bars = (
        f"Bars: of {count}, the one with the median total, so that its parts add up to it"
        if count != "1 draw"
        else "One draw"
    )
    bands = "lines: medians; bands: the middle half" if len(prepared.panels.labels) == 1 and count != "1 draw" else ""
    return caption(
        which(prepared), prepared.panels.shared, bars, bands, COUNTED, gaps(prepared), shown_note(prepared.notes)
    )
