"""The ledger layer by layer: a row of panels per setting, with the factors and the running sums of each activation."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.base.arrays import Array
from harness.figures.kit import text
from harness.figures.kit.marks import HATCHED, activation_entries, band, separated, shown_note
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    layer_axis,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
    zero_line,
)
from harness.figures.kit.style import GREY, INK, WEIGHTS, Look, looks, mix
from harness.figures.ledger.sums import (
    COUNTED,
    SLOPES,
    Prepared,
    bound_words,
    gaps,
    ledger_numbers,
    slope_name,
    which,
)

DOTS = (0, (1, 1.5))  # line style of a bound
RULER = 0.4  # of the least range of sums: in the panel with the least decades, the bar is shorter than half of it


def draw(prepared: Prepared, heading: Heading) -> Figure:
    """Draw a row per setting: factors of single layers in the first column, running sums in the others."""
    labels, names = prepared.panels.labels, prepared.activations
    grid = Grid(
        len(labels),
        1 + len(names),
        height=2.9 if len(labels) < 3 else 2.5,
        widths=[1.25, *[1] * len(names)],
        sharex=True,
        sharey=False,
    )
    decades = ruler_decades(prepared.running)
    figure, axes = new_page(heading, grid, _caption(prepared), _legend(prepared, decades))
    for row, (setting, label) in enumerate(labels.items()):
        networks = prepared.networks[prepared.networks["setting"] == setting]
        panel_title(axes[row, 0], label, text.dead_and_unknown(networks, name_activation=len(names) > 1))
        _factors(axes[row, 0], prepared, setting)
        for panel, name in zip(axes[row, 1:], names, strict=True):
            where = f"{label}: " if grid.stacked else ""
            panel_title(panel, f"{where}{slope_name(name)}, summed")
            _sums(panel, prepared, setting, name)
    _axes(axes, prepared.depth)
    _rulers(axes[:, 1:], decades)
    _direct_labels(axes, prepared)
    return figure


def _factors(axes: Axes, prepared: Prepared, setting: int) -> None:
    rows = prepared.factors[prepared.factors["setting"] == setting]
    zero_line(axes)
    for name, look in looks(prepared.activations).items():
        bound = prepared.bounds[name]
        if np.isfinite(bound):
            axes.axhline(bound, color=look.colour, linewidth=1.1, linestyle=DOTS, label=f"bound {name}", zorder=1.8)
        for part in ("weights", "activation"):
            line = rows[(rows["activation"] == name) & (rows["part"] == part) & np.isfinite(rows["median"])]
            _line(axes, line, look, part)
    if rows["median"].isna().all():
        write_in_empty_panel(axes, "half of the draws or more are dead or not known")


def _line(axes: Axes, rows: pd.DataFrame, look: Look, part: str) -> None:
    """A factor against layer: filled markers and full colour for the activation, hollow and grey for the weights."""
    if rows.empty:
        return
    weights = part == "weights"
    colour = mix(look.colour, WEIGHTS, 0.6) if weights else look.colour
    axes.plot(
        rows["layer"],
        rows["median"],
        color=colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=4.5,
        markevery=max(len(rows) // 6, 1),
        linewidth=1.2 if weights else 2,
        markerfacecolor="white" if weights else colour,
    )
    band(axes, "layer", rows, colour)


def _sums(axes: Axes, prepared: Prepared, setting: int, name: str) -> None:
    """Draw the activation's and the weights' running sums as areas, and their total as a line."""
    look = looks(prepared.activations)[name]
    rows = prepared.running[(prepared.running["setting"] == setting) & (prepared.running["activation"] == name)]
    zero_line(axes)
    if rows.empty or rows["total"].isna().all():
        write_in_empty_panel(axes, "no median ledger: half of the draws or more are dead or not known")
        return
    slopes, weights = rows["activation_part"], rows["weights_part"]
    start = slopes.where(slopes * weights > 0, 0)  # parts of one sign are stacked, others are on either side of 0
    axes.fill_between(
        rows["layer"], start, start + weights, facecolor="#e3e3e3", edgecolor=WEIGHTS, hatch="////", linewidth=0.8
    )
    axes.fill_between(rows["layer"], 0, slopes, facecolor=mix(look.colour, "white", 0.4), linewidth=0)
    axes.plot(rows["layer"], rows["activation_part"], color=look.colour, linewidth=1.2)
    axes.plot(rows["layer"], rows["total"], color=INK, linewidth=2.2)
    bound = prepared.bounds[name]
    if np.isfinite(bound):
        axes.plot(
            [1, prepared.depth],
            [bound * (prepared.depth - 1), 0],
            color=look.colour,
            linewidth=1.1,
            linestyle=DOTS,
            label=f"bound {name}",
            zorder=2.6,
        )


def _axes(axes: np.ndarray, depth: int) -> None:
    """Order layers from the output on the left to the input; give each column of panels one scale."""
    for column in axes.T:
        low = min(panel.get_ylim()[0] for panel in column)
        high = max(panel.get_ylim()[1] for panel in column)
        for panel in column:
            panel.set_ylim(low, high)
            plain_ticks(panel.yaxis)
    for panel in axes.flat:
        layer_axis(panel, depth)
    for panel in axes[-1]:
        panel.set_xlabel("layer: output → input" if axes.shape[1] < 4 else "output → input")
    for row in axes:
        row[0].set_ylabel("log₁₀ factor per layer")
        row[1].set_ylabel("summed (decades)")


def ruler_decades(running: pd.DataFrame) -> float:
    """Decades that a bar in each activation's panels spans: RULER of the least range of running sums, rounded down.

    1, 2 or 5 times a power of ten; 0 where fewer than two activations have sums to compare.
    """
    sums = running.set_index("activation")[["activation_part", "weights_part", "total"]].agg(["min", "max"], axis=1)
    ends = sums.groupby("activation", observed=True).agg({"min": "min", "max": "max"})
    ranges = ends["max"].clip(lower=0) - ends["min"].clip(upper=0)
    if len(ranges) < 2 or not ranges.min() > 0:
        return 0.0
    power = 10.0 ** np.floor(np.log10(RULER * ranges.min()))
    return float(max(step * power for step in (1, 2, 5) if step * power <= RULER * ranges.min()))


def _rulers(sums: np.ndarray, decades: float) -> None:
    """Draw a bar of the same number of decades into all running sums, whose scales differ between activations."""
    for panel in sums.flat if decades else ():
        low, high = panel.get_ylim()
        foot = low + 0.04 * (high - low)
        across = panel.get_yaxis_transform()  # x as a share of the panel
        panel.plot([0.08] * 2, [foot, foot + decades], color=INK, linewidth=3.5, transform=across, label="ruler")


def _direct_labels(axes: np.ndarray, prepared: Prepared) -> None:
    """Write the final numbers at the end of each running sum, in the colours of its parts."""
    for row, setting in zip(axes, prepared.panels.labels, strict=True):
        for panel, (name, look) in zip(row[1:], looks(prepared.activations).items(), strict=True):
            chosen = (prepared.totals["setting"] == setting) & (prepared.totals["activation"] == name)
            totals = prepared.totals[chosen & np.isfinite(prepared.totals["total"])]
            for parts in totals[["activation_part", "weights_part", "total"]].to_numpy():
                word = slope_name(name) if name in SLOPES else "φ′"
                _final_numbers(panel, parts, word, mix(look.colour, "black", 0.25))


def _final_numbers(axes: Axes, parts: Array, slope: str, colour: str) -> None:
    """Write the activation's part, the weights' part and the total, (3,), beside their heights and a line apart."""
    slopes, weights, total = numbers = parts.tolist()
    low, high = axes.get_ylim()
    gap = (high - low) * 0.075  # a line of text
    middle = slopes + weights / 2 if slopes * weights > 0 else weights
    places = separated([slopes, middle, total], gap, low + gap / 2, high - gap / 2)
    words, inks = (slope, "weights", "total"), (colour, "#555555", INK)
    for place, number, word, ink in zip(places, ledger_numbers(numbers), words, inks, strict=True):
        weight = "bold" if word == "total" else "normal"
        axes.annotate(
            f"{number} {word}",
            (1, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=ink,
            weight=weight,
            annotation_clip=False,
        )


def _legend(prepared: Prepared, decades: float) -> list:
    """Entries of the activations' φ′, the weights and the total; on the next lines, of the bounds and of the ruler."""
    lines = [line for line, _ in activation_entries(prepared.activations, linewidth=2)]
    slopes = [(line, slope_name(name)) for line, name in zip(lines, prepared.activations, strict=True)]
    hollow = Line2D([], [], color=GREY, linewidth=1.2, marker="o", markerfacecolor="white")
    others = [
        (hollow, "weights"),
        (Patch(**HATCHED), "weights, summed"),
        (Line2D([], [], color=INK, linewidth=2.2), "total"),
    ]
    known = {name: bound for name, bound in prepared.bounds.items() if np.isfinite(bound)}
    bounds = ", ".join(f"{bound_words(bound)} for {slope_name(name)}" for name, bound in known.items())
    dots = Line2D([], [], color=INK, linewidth=1.1, linestyle=DOTS)
    bar = Line2D([], [], color=INK, linestyle="none", marker="|", markersize=11, markeredgewidth=3.5)
    ruler = f"{decades:g} decades, in each panel of sums: their scales differ between activations"
    return [
        slopes + others,
        [(dots, f"the largest slope there is: {bounds}")] if known else [],
        [(bar, ruler)] if decades else [],
    ]


def _caption(prepared: Prepared) -> str:
    one = text.draw_count(prepared.networks)
    factors = "One draw: no bands" if one == "1 draw" else f"Per layer: median of {one}, bands the middle half of them"
    sums = "Summed: the draw with the median total, so that its parts add up to it" if one != "1 draw" else ""
    return caption(
        which(prepared), prepared.panels.shared, factors, sums, COUNTED, gaps(prepared), shown_note(prepared.notes)
    )
