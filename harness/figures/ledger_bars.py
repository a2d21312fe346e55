"""The ledger as bars, for many activations or settings: the activation's decades, the weights', and their sum."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures import text
from harness.figures.ledger import COUNTED, Prepared, gaps, ledger_numbers, which
from harness.figures.marks import HATCHED, band, entries, shown
from harness.figures.page import (
    Grid,
    Heading,
    caption,
    empty,
    layer_axis,
    page,
    panel_title,
    plain_ticks,
    shape,
    used,
    zero_line,
)
from harness.figures.style import GREY, INK, looks


def draw(prepared: Prepared, heading: Heading) -> Figure:
    """Panels are whatever there is less of, settings or activations; a lone setting has its factors beside the bars."""
    settings, names = prepared.panels.labels, prepared.activations
    if len(settings) == 1:
        return _with_factors(prepared, heading)
    by_setting = len(settings) < len(names)  # bars are activations
    keys = list(settings) if by_setting else list(names)
    bars = list(names) if by_setting else list(settings)
    rows, columns = shape(len(keys), 3 if len(keys) > 2 else 2)
    figure, axes = page(heading, Grid(rows, columns, 0.8 + 0.26 * len(bars)), _caption(prepared), _legend(prepared))
    flat = used(axes, len(keys))
    for panel, key in zip(flat, keys, strict=True):
        column = "setting" if by_setting else "activation"
        own = prepared.networks[prepared.networks[column] == key]
        panel_title(panel, settings[key] if by_setting else key, text.losses(own, name_activation=by_setting))
        totals = prepared.totals[prepared.totals[column] == key]
        _bars(
            panel,
            totals.set_index("activation" if by_setting else "setting"),
            bars,
            prepared,
            None if by_setting else key,
        )
    for place, panel in enumerate(flat):
        if place + columns >= len(keys):
            panel.set_xlabel("decades, last to first layer")
    return figure


def _with_factors(prepared: Prepared, heading: Heading) -> Figure:
    """One setting: factors against layer on the left, bars on the right, in the order of their totals."""
    (label,) = prepared.panels.labels.values()
    grid = Grid(1, 3, 0.9 + 0.3 * len(prepared.activations), (1, 1, 1.35), sharex=False, sharey=False)
    figure, axes = page(heading, grid, _caption(prepared), _legend(prepared, lines=True))
    for panel, part, title in zip(
        axes[0], ("activation", "weights"), ("slopes, per layer", "weights, per layer"), strict=False
    ):
        _factor_lines(panel, prepared, part)
        panel_title(panel, title)
        layer_axis(panel, prepared.depth, downwards=True)
        panel.set_xlabel("layer: output → input")
    low, high = (pick(panel.get_ylim()[end] for panel in axes[0, :2]) for end, pick in ((0, min), (1, max)))
    for panel in axes[0, :2]:
        panel.set_ylim(low, high)
        plain_ticks(panel.yaxis)
    axes[0, 0].set_ylabel("log₁₀ factor per layer (decades)")
    totals = prepared.totals.set_index("activation")
    ranking = totals["total"].fillna(-np.inf).sort_values(ascending=False, kind="stable").index
    _bars(axes[0, 2], totals, list(ranking), prepared, None)
    panel_title(axes[0, 2], f"{label}: summed", text.losses(prepared.networks))
    axes[0, 2].set_xlabel("decades, last to first layer")
    return figure


def _factor_lines(axes: Axes, prepared: Prepared, part: str) -> None:
    zero_line(axes)
    for name, look in looks(prepared.activations).items():
        own = prepared.factors[(prepared.factors["activation"] == name) & (prepared.factors["part"] == part)]
        own = own[np.isfinite(own["median"])]
        axes.plot(own["layer"], own["median"], color=look.colour, linestyle=look.line, linewidth=1.4,
                  marker=look.marker, markevery=max(len(own) // 4, 1), markersize=4)  # fmt: skip
        band(axes, "layer", own, look.colour, alpha=0.18)


def _bars(axes: Axes, totals: pd.DataFrame, bars: list, prepared: Prepared, activation: str | None) -> None:
    """A pair of bars for each key of `totals`, a diamond for their sum, a tick for the activation's bound."""
    colours = looks(prepared.activations)
    axes.axvline(0, color="#555555", linewidth=0.8)
    totals = totals.reindex(bars)
    for y, (key, row) in enumerate(totals.iterrows()):
        colour = colours[activation if activation is not None else key].colour
        known = np.isfinite(row["total"])
        if known:
            axes.barh(y - 0.19, row["activation_part"], 0.38, color=colour, linewidth=0)
            axes.barh(y + 0.19, row["weights_part"], 0.38, linewidth=0.6, **HATCHED)
            axes.plot(row["total"], y, "D", color=INK, markersize=4.5, zorder=4)
        if known and np.isfinite(row["bound"]):
            axes.plot([row["bound"]] * 2, [y - 0.42, y + 0.04], color=INK, linewidth=1.2, zorder=3.5)
        value = ledger_numbers([row["total"]])[0] if known else "dead" if row["total"] < 0 else "–"
        axes.annotate(value, (1, y), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", fontsize=8.5)  # fmt: skip
    if not np.isfinite(totals["total"]).any():
        empty(axes, "no median ledger: half of the draws or more are dead or not known")
    labels = [prepared.panels.labels[key] if activation is not None else key for key in bars]
    axes.set_yticks(range(len(bars)), [text.clean(label, 26) for label in labels])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(False, axis="y")
    plain_ticks(axes.xaxis, 5)


def _legend(prepared: Prepared, lines: bool = False) -> list:
    several = len(prepared.activations) > 1
    own = GREY if several else looks(prepared.activations)[prepared.activations[0]].colour
    bound = Line2D([], [], color=INK, marker="|", linestyle="none", markersize=9, markeredgewidth=1.2)
    marks = [(Patch(facecolor=own), "slopes" + (", in the activation's colour" if several else "")),
             (Patch(**HATCHED), "weights"),
             (Line2D([], [], color=INK, marker="D", linestyle="none", markersize=4.5), "total (at the right)"),
             (bound, "bound of the slopes")]  # fmt: skip
    return [entries(prepared.activations, markersize=4), marks] if lines else [marks]


def _caption(prepared: Prepared) -> str:
    count = text.draws(prepared.networks)
    bars = (
        f"Bars: of {count}, the one with the median total, so that its parts add up to it"
        if count != "1 draw"
        else "One draw"
    )
    bands = "lines: medians; bands: the middle half" if len(prepared.panels.labels) == 1 and count != "1 draw" else ""
    return caption(which(prepared), prepared.panels.shared, bars, bands, COUNTED, gaps(prepared), shown(prepared.notes))
