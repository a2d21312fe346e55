"""Edges at width: decades per layer against σ_w at each width, beside theory at that and at infinite width."""

from dataclasses import dataclass
from math import log10, nan

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.base.errors import DomainError
from harness.figures.kit import text
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    grid_shape,
    keep_panels,
    label_edges,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
    zero_line,
)
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.settings import choose_activations, evenly_spaced
from harness.figures.kit.style import GREY, INK, shades
from harness.networks.spec import activation_labelled
from harness.results.rows import Layers
from harness.theory.edge import typical_slope
from harness.theory.mean_field import chi_1, fixed_point

HEADING = Heading("Where a gradient vanishes and where it grows, at a finite width")
MOST_PANELS, MOST_WIDTHS = 4, 4
POINTS = 12  # of a line of theory: each takes a moment to compute
LOWEST = -0.5  # decades a layer: what is drawn of a slope that falls without end


@dataclass(frozen=True)
class Prepared:
    """rows: activation, width, sigma_w, draws, unknown, dead, low, median, high of slope_per_layer, decades per layer.

    laws: activation, width (0 for infinite width), sigma_w, slope; NaN where lengths have no fixed point.
    """

    rows: pd.DataFrame
    laws: pd.DataFrame
    activations: tuple[str, ...]
    widths: tuple[int, ...]
    depth: int
    note: str


def applies(networks: pd.DataFrame) -> str | None:
    if networks["sigma_w"].nunique() < 3 or networks["init"].nunique() > 1 or (networks["bias_scale"] != 0).any():
        return "needs one init without biases, and three weight scales or more"
    if networks["depth"].max() < 2:
        return "there is no slope at depth 1"
    homogeneous = all(_homogeneous(str(label)) for label in networks["activation"].unique())
    return "needs activations that are not positively homogeneous" if homogeneous else None


def _homogeneous(label: str) -> bool:
    try:
        return activation_labelled(label).homogeneous
    except KeyError:
        return False


def prepare(layers: Layers, networks: pd.DataFrame) -> Prepared:
    """Quartiles over the draws of the deepest networks, and theory between the smallest and the largest σ_w."""
    names, note = choose_activations(networks, MOST_PANELS)
    widths = tuple(int(width) for width in evenly_spaced(sorted(networks["width"].unique()), MOST_WIDTHS))
    depth = int(networks["depth"].max())
    chosen = networks[networks["activation"].isin(names) & networks["width"].isin(widths)]
    chosen = chosen[(chosen["depth"] == depth) & chosen["dead_from_layer"].isna()]
    rows = quartiles(chosen, ["activation", "width", "sigma_w"], "slope_per_layer")
    places = np.geomspace(networks["sigma_w"].min(), networks["sigma_w"].max(), POINTS)
    laws = [
        (name, width, sigma_w, _slope(name, width, sigma_w))
        for name in names
        for width in (0, *widths)
        for sigma_w in places
    ]
    frame = pd.DataFrame(laws, columns=["activation", "width", "sigma_w", "slope"])
    return Prepared(rows, frame, names, widths, depth, note)


def _slope(label: str, width: int, sigma_w: float) -> float:
    try:
        activation = activation_labelled(label)
        if width:
            return typical_slope(activation, sigma_w, 0.0, width)
        return log10(chi_1(activation, sigma_w, fixed_point(activation, sigma_w, 0.0))) / 2
    except (DomainError, KeyError):  # no fixed point, or a label of no activation
        return nan


def finding(prepared: Prepared) -> str:
    """`A gradient grows nowhere (sigmoid, width 16), at σ_w 17 to 100 (sigmoid, width 64)`: the ends of the widths."""
    said = [
        f"{_grows(prepared.rows, name, width)} ({text.clean(name)}, width {width})"
        for name in prepared.activations[:2]
        for width in dict.fromkeys((prepared.widths[0], prepared.widths[-1]))
    ]
    return f"In the median a gradient grows {', '.join(said)}"


def _grows(rows: pd.DataFrame, name: str, width: int) -> str:
    """The σ_w of the sweep at which the median slope is above 0, in words."""
    own = rows[(rows["activation"] == name) & (rows["width"] == width)]
    grows = own[own["median"] > 0]["sigma_w"]
    return f"at σ_w {text.in_words(grows.min(), grows.max())}" if len(grows) else "nowhere"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel per activation: σ_w to the right, decades a layer upwards, a colour per width."""
    colours = dict(zip(prepared.widths, shades("#00508c", len(prepared.widths))[::-1], strict=True))
    legend = [(Line2D([], [], color=colours[width], marker="o"), f"width {width}") for width in prepared.widths]
    legend += [(Line2D([], [], color=GREY, linestyle="--"), "theory"), (Line2D([], [], color=INK), "infinite width")]
    notes = caption(
        f"Networks of depth {prepared.depth}; dots: medians, bars: the middle half of the draws",
        "Theory: the mean over draws, by the exact law of a layer at the fixed point of lengths",
        prepared.note,
    )
    count = len(prepared.activations)
    rows, columns = grid_shape(count, 2)
    figure, axes = new_page(heading, Grid(rows, columns, height=3.4), notes, [legend])
    for panel, name in zip(keep_panels(axes, count), prepared.activations, strict=True):
        panel_title(panel, text.clean(name))
        _lines(panel, prepared, name, colours)
    label_edges(axes, count, "σ_w", "decades a layer")
    return figure


def _lines(axes: Axes, prepared: Prepared, name: str, colours: dict[int, str]) -> None:
    zero_line(axes)
    axes.set_xscale("log")
    decades = np.arange(-9, 10)
    axes.set_xticks(10.0**decades, [f"{10.0**decade:g}" for decade in decades])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.8 * prepared.laws["sigma_w"].min(), 1.25 * prepared.laws["sigma_w"].max())
    rows = prepared.rows[(prepared.rows["activation"] == name) & prepared.rows["median"].notna()]
    if rows.empty:
        write_in_empty_panel(axes, "no slope is known")
        return
    laws = prepared.laws[prepared.laws["activation"] == name]
    for width, colour in {0: INK, **colours}.items():
        law = laws[laws["width"] == width]
        axes.plot(law["sigma_w"], law["slope"], "--" if width else "-", color=colour, linewidth=1.2)
        own = rows[rows["width"] == width]
        bars = [own["median"] - own["low"], own["high"] - own["median"]]
        axes.errorbar(own["sigma_w"], own["median"], bars, fmt="o", color=colour, markersize=4, elinewidth=1.2)
    axes.set_ylim(max(LOWEST, 1.1 * rows["low"].min()), max(0.05, 1.2 * rows["high"].max()))
    plain_ticks(axes.yaxis)
