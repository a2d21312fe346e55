"""Dead units: the share of silent and of saturated units, against layer and against depth."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

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
from harness.figures.settings import Panels, activations, panels, ranked, readable, with_settings
from harness.figures.spread import spread
from harness.figures.style import GREY, INK, Look, looks, mix
from harness.layer_rows import over_layers

HEADING = Heading("Silent units, saturated units, dead networks")
MOST_ROWS, MOST_PANELS = 5, 6  # with a column for the depths, and without
READABLE = 128  # layers: beyond, the share of silent units hardly changes, and its rise could not be seen
FEW = 0.01  # saturated: less is named in the caption, not drawn
DEAD = {"color": INK, "linewidth": 1.4, "linestyle": (0, (1, 1.2)), "markerfacecolor": "#c23b22"}
MEASURES = ("dead_fraction", "saturated_fraction")
WITHOUT = {"linear", "leaky_relu"}  # of constant sign and size: no unit of theirs is silent or saturated


@dataclass(frozen=True)
class Prepared:
    """Shares are fractions in [0, 1].

    by_layer: setting, activation, layer, measure, draws, …, low, median, high, of the networks of that depth.
    by_depth: setting, activation, depth, measure, draws, …, low, median, high, of the mean over the hidden layers.
    dead: setting, activation, depth, draws, share: how many networks are dead as a whole.
    largest: activation -> the largest share of each measure in any layer of any draw.
    """

    depth: int  # the deepest that is READABLE
    by_layer: pd.DataFrame
    by_depth: pd.DataFrame
    dead: pd.DataFrame
    largest: pd.DataFrame
    networks: pd.DataFrame
    panels: Panels
    activations: tuple[str, ...]
    notes: tuple[str, ...]


def applies(networks: pd.DataFrame) -> str | None:
    names = {str(label).split("(")[0] for label in networks["activation"].unique()}
    return None if names - WITHOUT else f"no unit of {' or '.join(sorted(names))} is ever silent or saturated"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """Medians and quartiles over replicates, at every layer of the deepest and over the layers of every depth."""
    names, left_out = activations(networks)
    networks, varying = with_settings(networks)
    chosen = panels(networks, varying, MOST_ROWS if networks["depth"].nunique() > 1 else MOST_PANELS)
    networks = ranked(networks[networks["setting"].isin(chosen.labels)], names)
    depths = sorted(int(depth) for depth in networks["depth"].unique())
    cells = ["setting", "activation", "depth"]
    coordinates = {name: networks[name].array for name in cells}
    means, largest = (frame.assign(**coordinates) for frame in over_layers(layers, networks, MEASURES))
    dead = networks.assign(dead=networks["dead_from_layer"].notna()).groupby(cells, observed=True)["dead"]
    dead = dead.agg(draws="size", share="mean").reset_index()
    depth = readable(depths, READABLE)
    read = networks[networks["depth"] == depth]
    by_layer = spreads(layers, read, MEASURES, [depth], ["setting", "activation", "layer"])
    largest = largest.groupby("activation", observed=False)[list(MEASURES)].max()
    notes = tuple(filter(None, (chosen.note, left_out)))
    return Prepared(depth, by_layer, _spreads(means, cells), dead, largest, networks, chosen, names, notes)


def _spreads(values: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return pd.concat([spread(values, by, measure).assign(measure=measure) for measure in MEASURES], ignore_index=True)


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A row per setting: against layer on the left, against depth on the right."""
    labels = prepared.panels.labels
    depths = sorted(prepared.by_depth.loc[prepared.by_depth["median"].notna(), "depth"].unique())
    both = len(depths) > 1  # or else all there is to see is against layer
    rows, columns = (len(labels), 2) if both else shape(len(labels), 2)
    grid = Grid(rows, columns, 3.2 if rows == 1 else 2.3 if rows < 4 else 1.8, sharex="col")
    figure, axes = page(heading, grid, _caption(prepared), _legend(prepared))
    for panel, (setting, label) in zip(axes[:, 0] if both else used(axes, len(labels)), labels.items(), strict=True):
        panel_title(panel, f"{label}: depth {prepared.depth}")
        _shares(panel, prepared, prepared.by_layer[prepared.by_layer["setting"] == setting], "layer")
        layer_axis(panel, prepared.depth)
    for panel, (setting, label) in zip(axes[:, 1] if both else (), labels.items() if both else (), strict=True):
        panel_title(panel, f"{label}: all depths")
        _shares(panel, prepared, prepared.by_depth[prepared.by_depth["setting"] == setting], "depth")
        _dead_networks(panel, prepared, prepared.dead[prepared.dead["setting"] == setting])
        _depth_axis(panel, depths)
    outer(axes, 2 * len(labels) if both else len(labels), "layer (1 is next to the input)", "share of units")
    if both:
        axes[-1, 1].set_xlabel("depth (layers)")
    return figure


def _shares(axes: Axes, prepared: Prepared, rows: pd.DataFrame, x: str) -> None:
    for name, look in looks(prepared.activations).items():
        for measure in MEASURES:
            if _seen(prepared, name, measure):
                _line(axes, rows[(rows["activation"] == name) & (rows["measure"] == measure)], x, look, measure)
    if not axes.lines:
        empty(
            axes,
            "not known" if prepared.largest.isna().all(axis=None) else "no unit is silent, at most 1 % are saturated",
        )
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _seen(prepared: Prepared, name: str, measure: str) -> bool:
    """Whether an activation has silent, or saturated, units to draw anywhere; the caption names those that have not."""
    return bool(prepared.largest.loc[name, measure] > (0 if measure == "dead_fraction" else FEW))


def _line(axes: Axes, own: pd.DataFrame, x: str, look: Look, measure: str) -> None:
    """Silent: filled markers and a wide line; saturated: hollow markers and a thin one."""
    silent = measure == "dead_fraction"
    colour = look.colour if silent else mix(look.colour, "white", 0.35)
    wide = {"linewidth": 2.2, "markersize": 5} if silent else {"linewidth": 1.1, "markersize": 4.5}
    axes.plot(own[x], own["median"], color=colour, linestyle=look.line, marker=look.marker, clip_on=False,
              markerfacecolor=colour if silent else "white", markevery=max(len(own) // 7, 1), **wide)  # fmt: skip
    band(axes, x, own, colour, alpha=0.2 if silent else 0.13)


def _dead_networks(axes: Axes, prepared: Prepared, rows: pd.DataFrame) -> None:
    for name, look in looks(prepared.activations).items():
        own = rows[rows["activation"] == name]
        if (own["share"] > 0).any():
            axes.plot(own["depth"], own["share"], marker=look.marker, markersize=6, clip_on=False, **DEAD)


def _depth_axis(axes: Axes, depths: list[int]) -> None:
    """Depths that span more than a decade are spaced by their logarithm: doublings are far apart on a line."""
    if depths[-1] > 10 * depths[0]:
        axes.set_xscale("log", base=2)
        shown = depths[:: max(1, -(-len(depths) // 7))]
        axes.set_xticks(shown, [f"{depth}" for depth in shown])
        axes.set_xticks([], minor=True)
    else:
        plain_ticks(axes.xaxis, 5, whole=True)


def _legend(prepared: Prepared) -> list:
    drawn = [name for name in prepared.activations if any(_seen(prepared, name, measure) for measure in MEASURES)]
    thin = Line2D([], [], color=GREY, linewidth=1.1, marker="o", markerfacecolor="white", markersize=4.5)
    kinds = [(Line2D([], [], color=GREY, linewidth=2.2, marker="o"), "silent units (wide, filled)"),
             (thin, "saturated (thin, hollow)")]  # fmt: skip
    if prepared.dead["share"].any() and prepared.dead["depth"].nunique() > 1:
        kinds.append((Line2D([], [], marker="o", **DEAD), "dead networks, share of draws"))
    return [entries(prepared.activations, drawn, linewidth=2.2), kinds]


def _caption(prepared: Prepared) -> str:
    silent = "Silent: passes no gradient for any sample of the batch"
    saturated = (
        "Saturated: (unit, sample) pairs with a slope under 1 % of the activation's largest; for relu, those off"
    )
    none = [
        _names(prepared, "Not one silent", "dead_fraction"),
        _names(prepared, "Nowhere more than 1 % saturated", "saturated_fraction"),
    ]
    depths = "All depths: mean over the hidden layers that are recorded" if prepared.dead["depth"].nunique() > 1 else ""
    losses = text.losses(prepared.networks, name_activation=len(prepared.activations) > 1)
    above = (
        "Above a dead layer z is exactly 0: silent, but saturated only where Step(0) is 0"
        if prepared.dead["share"].any()
        else ""
    )
    said = losses if prepared.dead["depth"].nunique() == 1 or "not known" in losses else ""  # or else there is a line
    return caption(silent, saturated, text.over(prepared.networks), depths, *none, above, prepared.panels.shared,
                   shown(prepared.notes), said)  # fmt: skip


def _names(prepared: Prepared, what: str, measure: str) -> str:
    names = [
        text.clean(name)
        for name in prepared.activations
        if prepared.largest.loc[name, measure] >= 0 and not _seen(prepared, name, measure)
    ]
    return f"{what}: {', '.join(names)}" if names else ""
