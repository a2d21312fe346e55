"""log10 ‖∂C/∂W‖ against layer: a panel per setting, with a line per activation and depth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit import text
from harness.figures.kit.layer_quartiles import layer_quartiles
from harness.figures.kit.marks import activation_entries, band, separated, shown_note
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
)
from harness.figures.kit.settings import Panels, evenly_spaced, select
from harness.figures.kit.style import GREY, INK, looks, shades

HEADING = Heading("The gradient of the weights, layer by layer")
MOST_PANELS, MOST_DEPTHS = 6, 6
SHALLOWEST = 1 / 40  # of the largest depth: a line of a shallower network would be too short to see
DEEP = 10  # from this depth on, lines end within a tenth of the axis: their names share a column beside it


@dataclass(frozen=True)
class Prepared:
    """rows: setting, activation, depth, layer, draws, unknown, dead, low, median, high of log10_grad_weights."""

    rows: pd.DataFrame
    networks: pd.DataFrame  # those shown
    panels: Panels
    activations: tuple[str, ...]
    depths: tuple[int, ...]
    notes: tuple[str, ...]


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """Median and quartiles over replicates at each layer."""
    every = sorted(int(depth) for depth in networks["depth"].unique())
    depths = evenly_spaced([depth for depth in every if depth >= SHALLOWEST * every[-1]], MOST_DEPTHS)
    chosen = select(networks, MOST_PANELS)
    networks = chosen.networks[chosen.networks["depth"].isin(depths)]
    rows = layer_quartiles(
        layers, networks, ["log10_grad_weights"], depths, ["setting", "activation", "depth", "layer"]
    )
    fewer = (f"{len(depths)} of {len(every)} depths",) if len(depths) < len(every) else ()
    return Prepared(rows, networks, chosen.panels, chosen.activations, tuple(depths), (*chosen.notes, *fewer))


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel per setting, from the output to the input, in parts of the depth."""
    count = len(prepared.panels.labels)
    rows, columns = grid_shape(count)
    depth = f"Depth {prepared.depths[0]}" if len(prepared.depths) == 1 else ""
    notes = caption(
        text.how_to_read(prepared.networks), depth, prepared.panels.shared, shown_note(prepared.notes), _dead(prepared)
    )
    grid = Grid(rows, columns, height=3.5 if rows == 1 else 2.7)
    figure, axes = new_page(heading, grid, notes, _legend(prepared))
    for panel, (setting, label) in zip(keep_panels(axes, count), prepared.panels.labels.items(), strict=True):
        networks = prepared.networks[prepared.networks["setting"] == setting]
        missing = text.dead_and_unknown(networks, name_activation=len(prepared.activations) > 1)
        own = prepared.rows[prepared.rows["setting"] == setting]
        panel_title(panel, label, missing, _dead_from(own, prepared.activations))
        _lines(panel, own, prepared)
        _relative_axis(panel)
        plain_ticks(panel.yaxis)
        _name_depths(panel, own, prepared)
    label_edges(axes, count, "layer / depth: output → input", "log₁₀ ‖∂C/∂W‖  (decades)")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, prepared: Prepared) -> None:
    drawn = False
    for label, look in looks(prepared.activations).items():
        for depth, colour in zip(prepared.depths, shades(look.colour, len(prepared.depths)), strict=True):
            line = rows[(rows["activation"] == label) & (rows["depth"] == depth)]
            line = line[line["median"].abs() < float("inf")]
            line = line.assign(place=line["layer"] / depth)
            if line.empty:
                continue
            drawn = True
            axes.plot(
                line["place"],
                line["median"],
                color=colour,
                linestyle=look.line,
                marker=look.marker,
                markevery=[0],
                linewidth=1.5,
                clip_on=False,
            )
            band(axes, "place", line, colour)
    if not drawn:
        write_in_empty_panel(axes, "no gradient to draw: the median is 0 or not known at every layer")


def _relative_axis(axes: Axes) -> None:
    """Make x the layer over the depth, from the output, 1, on the left."""
    axes.set_xlim(1.02, -0.02)
    axes.set_xticks([1, 0.75, 0.5, 0.25, 0], ["1", "¾", "½", "¼", "0"])


def _name_depths(axes: Axes, rows: pd.DataFrame, prepared: Prepared) -> None:
    """Name the depth at the end of each line of the activation whose lines lie furthest apart."""
    if len(prepared.depths) == 1:
        return
    ends = rows[(rows["layer"] == 1) & np.isfinite(rows["median"])]
    apart = ends.groupby("activation", observed=True)["median"].agg(lambda own: own.max() - own.min())
    if apart.empty:
        return
    axes.set_xlim(1.02, -0.3 if prepared.rows["dead"].any() else -0.16)  # room for the names
    low, high = axes.get_ylim()
    own = ends[ends["activation"] == apart.idxmax()].sort_values("depth")
    margin = own[own["depth"] >= DEEP]  # whose lines end beside each other
    places = dict(zip(margin["depth"], separated(margin["median"], 0.055 * (high - low), low, high), strict=True))
    for row in own.itertuples():
        place = (-0.03, places[row.depth]) if row.depth in places else (1 / row.depth - 0.03, row.median)
        alive = 1 - row.dead / max(row.draws - row.unknown, 1)
        words = str(row.depth) if alive == 1 else f"{row.depth}: {100 * alive:.0f} %"
        axes.annotate(
            words,
            (1 / row.depth, row.median),
            place,
            fontsize=7.5,
            va="center",
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        ).set_in_layout(False)


def _dead_from(rows: pd.DataFrame, names: tuple[str, ...]) -> str:
    """`Half or more are dead from depth 20`: where the lines of an activation end; empty where none does."""
    dead = rows[np.isneginf(rows["median"])].groupby("activation", observed=True)["depth"].min()
    named = [f"{depth} ({text.clean(name, 20)})" if len(names) > 1 else str(depth) for name, depth in dead.items()]
    return f"half or more are dead from depth {', '.join(named)}" if named else ""


def finding(prepared: Prepared) -> str:
    """What the deepest networks of each activation lose from the last layer to the first, in medians."""
    rows, depth = prepared.rows, prepared.depths[-1]
    deepest = rows[rows["depth"] == depth].set_index(["setting", "activation", "layer"])["median"]
    if depth == 1 or not {1, depth} <= set(deepest.index.get_level_values("layer")):
        return ""
    first, last = deepest.xs(1, level="layer"), deepest.xs(depth, level="layer")
    dead = np.isneginf(first) | np.isneginf(last)
    change = (first.mask(dead) - last.mask(dead)).mask(dead, -np.inf).reset_index()
    said = text.changes({name: change[change["activation"] == name]["median"] for name in prepared.activations})
    return f"‖∂C/∂W‖ over {depth} layers: {said}" if said else ""


def _legend(prepared: Prepared) -> list[list[tuple[Line2D, str]]]:
    named = activation_entries(prepared.activations)
    if len(prepared.depths) == 1:  # the caption says which
        return [named]
    greys = shades(GREY, len(prepared.depths))
    return [
        named,
        [
            (Line2D([], [], color=grey, linewidth=2.5), f"depth {depth}")
            for depth, grey in zip(prepared.depths, greys, strict=True)
        ],
    ]


def _dead(prepared: Prepared) -> str:
    if not prepared.networks["dead_from_layer"].notna().any():
        return ""
    return (
        "A dead network has a gradient of 0, minus infinity here: it counts, and where it is the median the line ends; "
        "in %, beside a depth: the draws that live"
    )
