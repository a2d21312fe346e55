"""Gradient profile: log10 ‖∂C/∂W‖ at every layer, a line per activation and depth."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import text
from harness.figures.marks import band, entries, shown
from harness.figures.page import (
    Grid,
    Heading,
    caption,
    empty,
    layer_axis,
    outer,
    page,
    panel_title,
    plain_ticks,
    shape,
    used,
)
from harness.figures.pieces import spreads
from harness.figures.settings import Panels, activations, panels, ranked, spaced, with_settings
from harness.figures.style import GREY, looks, shades

HEADING = Heading("The gradient of the weights, layer by layer")
MOST_PANELS, MOST_DEPTHS = 6, 6
SHALLOWEST = 1 / 40  # of the deepest network: what is shallower is a dot on this axis


@dataclass(frozen=True)
class Prepared:
    """rows: setting, activation, depth, layer, draws, unknown, dead, low, median, high of log10_grad_weights."""

    rows: pd.DataFrame
    networks: pd.DataFrame  # those shown
    panels: Panels
    activations: tuple[str, ...]
    depths: tuple[int, ...]
    notes: tuple[str, ...]


def applies(networks: pd.DataFrame) -> str | None:
    return None


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """Median and quartiles over replicates at each layer, of the networks shown."""
    names, left_out = activations(networks)
    networks, varying = with_settings(networks)
    chosen = panels(networks, varying, MOST_PANELS)
    every = sorted(networks["depth"].unique())
    depths = spaced([depth for depth in every if depth >= SHALLOWEST * every[-1]], MOST_DEPTHS)
    networks = ranked(networks[networks["setting"].isin(chosen.labels) & networks["depth"].isin(depths)], names)
    rows = spreads(layers, networks, ["log10_grad_weights"], depths, ["setting", "activation", "depth", "layer"])
    fewer = f"{len(depths)} of {len(every)} depths" if len(depths) < len(every) else ""
    depths = tuple(int(depth) for depth in depths)
    return Prepared(rows, networks, chosen, names, depths, tuple(filter(None, (chosen.note, left_out, fewer))))


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """One panel per setting; layers from the input to the output, decades upwards."""
    count = len(prepared.panels.labels)
    rows, columns = shape(count)
    depth = f"Depth {prepared.depths[0]}" if len(prepared.depths) == 1 else ""
    said = caption(text.over(prepared.networks), depth, prepared.panels.shared, shown(prepared.notes), _dead(prepared))
    grid = Grid(rows, columns, height=3.5 if rows == 1 else 2.7)
    figure, axes = page(heading, grid, said, _legend(prepared))
    for panel, (setting, label) in zip(used(axes, count), prepared.panels.labels.items(), strict=True):
        own = prepared.networks[prepared.networks["setting"] == setting]
        panel_title(panel, label, text.losses(own, name_activation=len(prepared.activations) > 1))
        _lines(panel, prepared.rows[prepared.rows["setting"] == setting], prepared)
        layer_axis(panel, prepared.depths[-1])
        plain_ticks(panel.yaxis)
    outer(axes, count, "layer (1 is next to the input)", "log₁₀ ‖∂C/∂W‖  (decades)")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, prepared: Prepared) -> None:
    drawn = False
    for label, look in looks(prepared.activations).items():
        for depth, colour in zip(prepared.depths, shades(look.colour, len(prepared.depths)), strict=True):
            own = rows[(rows["activation"] == label) & (rows["depth"] == depth)]
            own = own[own["median"].abs() < float("inf")]
            if own.empty:
                continue
            drawn = True
            axes.plot(own["layer"], own["median"], color=colour, linestyle=look.line, marker=look.marker, markevery=[0],
                      linewidth=1.5, clip_on=False)  # fmt: skip
            band(axes, "layer", own, colour)
    if not drawn:
        empty(axes, "no gradient to draw: the median is 0 or not known at every layer")


def _legend(prepared: Prepared) -> list[list[tuple[Line2D, str]]]:
    named = entries(prepared.activations)
    if len(prepared.depths) == 1:  # the caption says which
        return [named]
    greys = shades(GREY, len(prepared.depths))
    return [named, [(Line2D([], [], color=grey, linewidth=2.5), f"depth {depth}")
                    for depth, grey in zip(prepared.depths, greys, strict=True)]]  # fmt: skip


def _dead(prepared: Prepared) -> str:
    if not prepared.networks["dead_from_layer"].notna().any():
        return ""
    return (
        "A dead network has a gradient of 0, minus infinity here: it counts, and where it is the median the line ends"
    )
