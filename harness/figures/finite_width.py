"""Finite width: the attenuation over draws, the normal law of theory, mean and median."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures import text
from harness.figures.page import Grid, Heading, caption, empty, outer, page, panel_title, plain_ticks
from harness.figures.settings import spaced
from harness.figures.style import INK, LOOKS

HEADING = Heading("The attenuation over draws, and the normal law of finite width")
FEWEST = 100  # draws: fewer make no histogram
BINS = 40
MOST_ROWS, MOST_COLUMNS = 4, 3
WIDE = 4.2  # predicted standard deviations that a panel shows on each side: the bins' ends
MEAN = "#d55e00"


@dataclass(frozen=True)
class Prepared:
    """panels: (width, depth) -> finite attenuations in decades; laws: (width, depth) -> predicted mean and deviation.

    dead: (width, depth) -> draws without a gradient, which have no logarithm.
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
    """The draws of each width and depth, and what theory says of them."""
    panels, laws, dead = {}, {}, {}
    for width in spaced(sorted(networks["width"].unique()), MOST_ROWS):
        own = networks[(networks["width"] == width) & (networks["depth"] > 1)]
        for depth in spaced(sorted(own["depth"].unique()), MOST_COLUMNS):
            cell, key = own[own["depth"] == depth], (int(width), int(depth))
            gain = cell["log10_gradient_gain"].to_numpy(dtype=float)
            panels[key], dead[key] = gain[np.isfinite(gain)], int((~np.isfinite(gain)).sum())
            laws[key] = tuple(
                float(cell[name].median()) * (depth - 1) for name in ("predicted_slope_per_layer", "predicted_spread")
            )
    return Prepared(panels, laws, dead, str(networks["activation"].iloc[0]))


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A row a width, a panel a depth."""
    widths = list(dict.fromkeys(width for width, _ in prepared.panels))
    columns = max(sum(width == own for own, _ in prepared.panels) for width in widths)
    colour = LOOKS[prepared.activation.split("(")[0]].colour
    legend = [
        (Patch(facecolor=colour, alpha=0.35), "measured"),
        (Line2D([], [], color=INK, linestyle="--"), "theory: normal, predicted mean and variance"),
        (Line2D([], [], color=colour, linewidth=2), "median"),
        (Line2D([], [], color=MEAN, linewidth=2, linestyle=(0, (1, 1))), "log₁₀ of the mean of ‖∂C/∂z‖ ratios"),
    ]
    draws = sorted({len(values) + prepared.dead[key] for key, values in prepared.panels.items()})
    said = caption(f"{draws[0]} draws a panel, {text.clean(prepared.activation)}", "Theory is for one sample and a "
                   "start that knows nothing of the weights (the linear cost)", _left_out(prepared))  # fmt: skip
    figure, axes = page(heading, Grid(len(widths), columns, height=1.9, sharex=False, sharey=False), said, [legend])
    for row, width in zip(axes, widths, strict=True):
        keys = [key for key in prepared.panels if key[0] == width]
        for panel, key in zip(row, keys, strict=False):
            panel_title(panel, f"n = {width}, {key[1] - 1} factors: L/n = {(key[1] - 1) / width:.3g}")
            _panel(panel, prepared.panels[key], *prepared.laws[key], colour)
        for spare in row[len(keys) :]:
            spare.remove()
    outer(axes, len(widths) * columns, "attenuation (decades)", "density")
    return figure


def _panel(axes: Axes, values: np.ndarray, mean: float, deviation: float, colour: str) -> None:
    if not len(values) or not np.isfinite(mean):
        empty(axes, "no attenuation to draw, or none predicted: the networks are dead or not known")
        return
    ends = mean - WIDE * deviation, mean + WIDE * deviation
    edges = np.linspace(min(ends[0], values.min()), max(ends[1], values.max()), BINS + 1)
    axes.hist(values, edges, density=True, color=colour, alpha=0.35)
    x = np.linspace(edges[0], edges[-1], 200)
    axes.plot(x, np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi)), "--", color=INK,
              linewidth=1.4)  # fmt: skip
    axes.axvline(np.median(values), color=colour, linewidth=1.8)
    top = values.max()
    axes.axvline(top + np.log10(np.mean(10 ** (values - top))), color=MEAN, linewidth=1.8, linestyle=(0, (1, 1)))
    axes.set_yticks([])
    plain_ticks(axes.xaxis, 5)


def _left_out(prepared: Prepared) -> str:
    dead = sum(prepared.dead.values())
    return f"Draws without a gradient, left out: {dead}" if dead else ""
