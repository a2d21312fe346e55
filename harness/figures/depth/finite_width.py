"""Histograms of the attenuation over draws, a panel for each width and depth, with the normal law of theory."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures.kit import text
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    label_edges,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
)
from harness.figures.kit.settings import evenly_spaced
from harness.figures.kit.style import INK, LOOKS

HEADING = Heading("The attenuation over draws, and the normal law of finite width")
FEWEST = 100  # draws that a histogram needs
BINS = 40
MOST_ROWS, MOST_COLUMNS = 4, 3
WIDE = 4.2  # standard deviations, as predicted, that a panel shows on each side of the mean
MEAN = "#d55e00"


@dataclass(frozen=True)
class Prepared:
    """Of each (width, depth):

    panels: the finite attenuations in decades; laws: their predicted mean and standard deviation;
    dead: the number of draws without a gradient, which has no logarithm.
    """

    panels: dict[tuple[int, int], np.ndarray]
    laws: dict[tuple[int, int], tuple[float, float]]
    dead: dict[tuple[int, int], int]
    activation: str


def applies(networks: pd.DataFrame) -> str | None:
    if networks["activation"].nunique() > 1 or networks["init"].nunique() > 1 or networks["weight_scale"].nunique() > 1:
        return "needs one activation, init and weight scale"
    if "predicted_spread" not in networks:
        return "the tables have no prediction"
    deep = networks[networks["depth"] > 1].groupby(["width", "depth"]).size()
    return None if (deep >= FEWEST).any() else f"needs {FEWEST} draws or more"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """The attenuation of the draws at each width and depth, and its predicted law."""
    panels, laws, dead = {}, {}, {}
    for width in evenly_spaced(sorted(networks["width"].unique()), MOST_ROWS):
        of_width = networks[(networks["width"] == width) & (networks["depth"] > 1)]
        for depth in evenly_spaced(sorted(of_width["depth"].unique()), MOST_COLUMNS):
            cell, key = of_width[of_width["depth"] == depth], (int(width), int(depth))
            gain = cell["log10_gradient_gain"].to_numpy(dtype=float)
            panels[key], dead[key] = gain[np.isfinite(gain)], int((~np.isfinite(gain)).sum())
            laws[key] = tuple(
                float(cell[name].median()) * (depth - 1) for name in ("predicted_slope_per_layer", "predicted_spread")
            )
    return Prepared(panels, laws, dead, str(networks["activation"].iloc[0]))


def finding(prepared: Prepared) -> str:
    """`Theory misses the median attenuation by at most 0.05 decades, and its standard deviation by at most 4 %`."""
    known = [
        (np.median(values) - prepared.laws[key][0], np.std(values) / prepared.laws[key][1] - 1)
        for key, values in prepared.panels.items()
        if len(values) and np.isfinite(prepared.laws[key]).all()
    ]
    if not known:
        return ""
    median, deviation = np.abs(known).max(axis=0)
    return (
        f"Theory misses the median attenuation by at most {median:.2g} decades, and its standard deviation by at most "
        f"{100 * deviation:.0f} %"
    )


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a row of panels for each width and a panel for each depth."""
    widths = list(dict.fromkeys(width for width, _ in prepared.panels))
    columns = max(sum(width == other for other, _ in prepared.panels) for width in widths)
    colour = LOOKS[prepared.activation.split("(")[0]].colour
    legend = [
        (Patch(facecolor=colour, alpha=0.35), "measured"),
        (Line2D([], [], color=INK, linestyle="--"), "theory: normal, predicted mean and variance"),
        (Line2D([], [], color=colour, linewidth=2), "median"),
        (Line2D([], [], color=MEAN, linewidth=2, linestyle=(0, (1, 1))), "log₁₀ of the mean of ‖∂C/∂z‖ ratios"),
    ]
    figure, axes = new_page(
        heading, Grid(len(widths), columns, height=1.9, sharex=False, sharey=False), _caption(prepared), [legend]
    )
    for row, width in zip(axes, widths, strict=True):
        keys = [key for key in prepared.panels if key[0] == width]
        for panel, key in zip(row, keys, strict=False):
            panel_title(panel, f"n = {width}, L = {key[1] - 1}: L/n = {(key[1] - 1) / width:.3g}")
            _panel(panel, prepared.panels[key], *prepared.laws[key], colour)
        for spare in row[len(keys) :]:
            spare.remove()
    label_edges(axes, len(widths) * columns, "attenuation (decades)", "density")
    return figure


def _panel(axes: Axes, values: np.ndarray, mean: float, deviation: float, colour: str) -> None:
    if not len(values) or not np.isfinite(mean):
        write_in_empty_panel(axes, "no attenuation to draw, or none predicted: the networks are dead or not known")
        return
    ends = mean - WIDE * deviation, mean + WIDE * deviation
    edges = np.linspace(min(ends[0], values.min()), max(ends[1], values.max()), BINS + 1)
    axes.hist(values, edges.tolist(), density=True, color=colour, alpha=0.35)
    x = np.linspace(edges[0], edges[-1], 200)
    axes.plot(
        x,
        np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi)),
        "--",
        color=INK,
        linewidth=1.4,
    )
    axes.axvline(np.median(values), color=colour, linewidth=1.8)
    top = values.max()
    axes.axvline(top + np.log10(np.mean(10 ** (values - top))), color=MEAN, linewidth=1.8, linestyle=(0, (1, 1)))
    axes.set_yticks([])
    plain_ticks(axes.xaxis, 5)


def _caption(prepared: Prepared) -> str:
    draws = sorted({len(values) + prepared.dead[key] for key, values in prepared.panels.items()})
    return caption(
        f"{draws[0]} draws a panel, {text.clean(prepared.activation)}",
        "Of width n and L factors, one less than the depth",
        "Theory is for one sample and a start that is independent of the weights (the linear cost)",
        _left_out(prepared),
    )


def _left_out(prepared: Prepared) -> str:
    dead = sum(prepared.dead.values())
    return f"Draws without a gradient, left out: {dead}" if dead else ""
