"""What a residual block's gradient is made of: the shares of the skip, of the branch, and of their agreement."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit import text
from harness.figures.kit.layer_quartiles import layer_quartiles
from harness.figures.kit.marks import shown_note
from harness.figures.kit.page import (
    LAYER_AXIS,
    Grid,
    Heading,
    caption,
    grid_shape,
    keep_panels,
    label_edges,
    layer_axis,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
    zero_line,
)
from harness.figures.kit.settings import deepest_readable, select, unusual
from harness.figures.kit.style import INK, LineStyle

HEADING = Heading("What a residual block passes on of a gradient")
MOST_PANELS, READABLE = 9, 128
EVERY_LAYER = True
MEASURES = ("log10_branch_ratio", "branch_cosine")
PARTS: dict[str, tuple[str, LineStyle, str]] = {
    "skip": (INK, "solid", "skip, 1"),
    "branch": ("#0b6fb8", "--", "branch, ρ²"),
    "agreement": ("#c8500a", ":", "agreement, 2ρ·cos"),
}


@dataclass(frozen=True)
class Prepared:
    """rows: panel, layer, ratio, cosine (medians over draws of ρ = ‖branch‖/‖skip‖ and of the cosine), and the shares
    skip, branch and agreement of the block's square, 1 + ρ² + 2ρ·cos; they add up to 1.
    """

    rows: pd.DataFrame
    panels: tuple[str, ...]
    depth: int
    draws: int
    shared: str
    notes: tuple[str, ...]


def applies(networks: pd.DataFrame) -> str | None:
    if "residual" not in networks or (networks["residual"] == "none").all():
        return "no network has residual blocks"
    return None if (networks.loc[networks["residual"] != "none", "depth"] > 2).any() else "there is no residual block"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """The median branch of each block in the deepest networks that can be read."""
    networks = networks[(networks["residual"] != "none") & (networks["depth"] > 2)]
    depth = deepest_readable(sorted(int(depth) for depth in networks["depth"].unique()), READABLE)
    chosen = select(networks, MOST_PANELS, depth)
    found = layer_quartiles(layers, chosen.networks, MEASURES, [depth], ["setting", "activation", "layer"])
    rows = found.pivot(index=["setting", "activation", "layer"], columns="measure", values="median")
    rows = rows.dropna().reset_index()
    name, setting = rows["activation"].astype(str), rows["setting"].map(unusual(chosen.networks))
    rows["panel"] = name.where(setting == "none", name + ", " + setting)
    ratio, cosine = 10 ** rows["log10_branch_ratio"], rows["branch_cosine"]
    square = 1 + ratio**2 + 2 * ratio * cosine
    rows = rows.assign(ratio=ratio, cosine=cosine, skip=1 / square, branch=ratio**2 / square)
    rows["agreement"] = 2 * ratio * cosine / square
    kinds = tuple(dict.fromkeys(rows["panel"]))
    more = (f"first {MOST_PANELS} of {len(kinds)} kinds of blocks",) if len(kinds) > MOST_PANELS else ()
    draws = int(found["draws"].max())
    return Prepared(rows, kinds[:MOST_PANELS], depth, draws, chosen.panels.shared, (*chosen.notes, *more))


def finding(prepared: Prepared) -> str:
    """`In % of a block's squared gradient, the skip makes up 25 (relu, none), 98 (…)`: means over blocks."""
    means = prepared.rows[prepared.rows["panel"].isin(prepared.panels)].groupby("panel", sort=False)["skip"].mean()
    shares = {text.clean(name, 60): 100 * share for name, share in means.items()}
    return f"In % of a block's squared gradient, the skip makes up {text.span(shares, '.0f')}" if shares else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel for each kind of block with a line for each share against the layer."""
    count = len(prepared.panels)
    rows, columns = grid_shape(max(count, 1))
    legend = [(Line2D([], [], color=colour, linestyle=line), label) for colour, line, label in PARTS.values()]
    notes = caption(
        "A block multiplies a squared gradient by 1 + ρ² + 2ρ·cos, with ρ = ‖branch‖/‖skip‖ and the cosine between the "
        "two; the shares of that add up to 1",
        f"Medians over {prepared.draws} draws, depth {prepared.depth}",
        prepared.shared,
        shown_note(prepared.notes),
    )
    figure, axes = new_page(heading, Grid(rows, columns, height=3.2 if rows == 1 else 2.5), notes, [legend])
    panels = keep_panels(axes, max(count, 1))
    for panel, name in zip(panels, prepared.panels, strict=False):
        panel_title(panel, text.clean(name, 80))
        _shares(panel, prepared.rows[prepared.rows["panel"] == name], prepared.depth)
    if not count:
        write_in_empty_panel(panels[0], "no block to draw: every draw is dead or not known")
    label_edges(axes, max(count, 1), LAYER_AXIS, "share of the block's square")
    return figure


def _shares(axes: Axes, rows: pd.DataFrame, depth: int) -> None:
    zero_line(axes)
    rows = rows.sort_values("layer")
    for name, (colour, line, _) in PARTS.items():
        axes.plot(rows["layer"], rows[name], color=colour, linestyle=line, linewidth=1.8)
    least = float(np.nanmin(rows[list(PARTS)].to_numpy(), initial=0))
    axes.set_ylim(min(-0.05, 1.1 * least), 1.05)
    layer_axis(axes, depth)
    plain_ticks(axes.yaxis, 5)
