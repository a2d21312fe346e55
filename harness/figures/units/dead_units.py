"""The shares of silent and of saturated units and of dead networks, against layer and against depth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from harness.figures.kit import text
from harness.figures.kit.layer_quartiles import layer_quartiles
from harness.figures.kit.marks import activation_entries, band, shown_note
from harness.figures.kit.page import (
    LAYER_AXIS,
    Grid,
    Heading,
    caption,
    grid_shape,
    keep_panels,
    label_edges,
    layer_axis,
    log_depths,
    new_page,
    panel_title,
    write_in_empty_panel,
)
from harness.figures.kit.quartiles import means
from harness.figures.kit.settings import Panels, deepest_readable, select
from harness.figures.kit.style import GREY, INK, LineStyle, Look, looks, mix
from harness.networks.activations import SATURATED
from harness.networks.spec import activation_labelled
from harness.results.rows import over_layers

HEADING = Heading("Silent units, saturated units, dead networks")
MOST_ROWS, MOST_PANELS = 5, 6  # with a column for the depths, and without
READABLE = 128  # layers: in a deeper network, the change over the first layers cannot be seen
FEW = 0.01  # saturated units: smaller shares are in the caption only
DEAD_LINE: LineStyle = (0, (1, 1.2))
RED = "#c23b22"  # markers of dead networks
MEASURES = ("dead_fraction", "saturated_fraction")


@dataclass(frozen=True)
class Prepared:
    """Shares are fractions in [0, 1].

    by_layer: setting, activation, layer, measure, draws, …, low, mean, high, of the networks of that depth.
    by_depth: setting, activation, depth, measure, draws, …, low, mean, high, of the mean over the hidden layers.
    dead: setting, activation, depth, draws, share: how many networks are dead as a whole.
    largest: activation -> the largest share of each measure in any layer of any draw; NaN for what is not drawn.
    panels: settings with the same numbers share one.
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
    labels = [str(label) for label in networks["activation"].unique()]
    names = sorted({label.split("(")[0] for label in labels})
    return f"no unit of {' or '.join(names)} is ever silent or saturated" if all(map(_never_silent, labels)) else None


def _never_silent(label: str) -> bool:
    """Whether no unit of an activation, given by its label, can be silent or saturated. False for an unknown label."""
    try:
        activation = activation_labelled(label)
    except (KeyError, TypeError, ValueError):
        return False
    slopes = np.abs(1.0 * activation.slope(np.array([-1.0, 1.0])))  # all that a homogeneous activation has
    return activation.homogeneous and bool((slopes >= SATURATED * activation.slope_bound).all())


def _is_off(label: str) -> bool:
    """Whether a saturated unit of an activation is just off, as that of a ReLU, whose slope is 0 or the largest."""
    try:
        activation = activation_labelled(label)
    except (KeyError, TypeError, ValueError):
        return False
    return activation.homogeneous and not _never_silent(label)


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """Means over replicates, as medians of narrow layers jump by whole units: at each layer of one depth, and of the
    mean over layers at every depth. low and high are two standard errors beside them."""
    chosen = select(networks, MOST_ROWS if networks["depth"].nunique() > 1 else MOST_PANELS)
    networks = chosen.networks
    depths = sorted(int(depth) for depth in networks["depth"].unique())
    cells = ["setting", "activation", "depth"]
    coordinates = {name: networks[name].array for name in cells}
    of_networks, largest = (frame.assign(**coordinates) for frame in over_layers(layers, networks, MEASURES))
    dead = networks.assign(dead=networks["dead_from_layer"].notna()).groupby(cells, observed=True)["dead"]
    dead = dead.agg(draws="size", share="mean").reset_index()
    depth = deepest_readable(depths, READABLE)
    read = networks[networks["depth"] == depth]
    by_layer = layer_quartiles(layers, read, MEASURES, [depth], ["setting", "activation", "layer"], means)
    largest = largest.groupby("activation", observed=False)[list(MEASURES)].max()
    largest.loc[[name for name in largest.index if _is_off(str(name))], "saturated_fraction"] = np.nan
    by_depth = pd.concat([means(of_networks, cells, measure).assign(measure=measure) for measure in MEASURES])
    by_layer, by_depth = (rows.assign(**rows[["low", "high"]].clip(0, 1)) for rows in (by_layer, by_depth))
    drawn = [_drawn(rows, largest) for rows in (by_layer, by_depth)]
    panels = _without_copies(chosen.panels, (*drawn, dead[dead["share"] > 0]))
    return Prepared(depth, by_layer, by_depth, dead, largest, networks, panels, chosen.activations, chosen.notes)


def _drawn(rows: pd.DataFrame, largest: pd.DataFrame) -> pd.DataFrame:
    """The rows of those shares that are drawn."""
    pairs = zip(rows["activation"], rows["measure"], strict=True)
    return rows[[_seen(largest, str(name), measure) for name, measure in pairs]]


def _without_copies(panels: Panels, tables: Sequence[pd.DataFrame]) -> Panels:
    """One panel for settings whose numbers are all the same, as those of inits that only scale a ReLU network."""
    alike: dict[bytes, list[int]] = {}
    for setting in panels.labels:
        own = [table[table["setting"] == setting].drop(columns="setting") for table in tables]
        drawn = b"".join(table.to_csv(index=False).encode() for table in own)
        alike.setdefault(drawn, []).append(setting)
    labels = {group[0]: _joined([panels.labels[setting] for setting in group]) for group in alike.values()}
    return replace(panels, labels=labels)


def _joined(labels: Sequence[str]) -> str:
    """`he_normal, xavier_normal`, or the first and the number of others."""
    return ", ".join(labels) if len(labels) < 3 else f"{labels[0]} and {len(labels) - 1} others alike"


def finding(prepared: Prepared) -> str:
    """`At depth 100, 37 to 97 % of relu's units are silent, and 0 to 100 % of the networks are dead`, by setting."""
    depth = prepared.dead["depth"].max()
    rows = prepared.by_depth[prepared.by_depth["depth"] == depth]
    parts = []
    for name in prepared.activations[:3]:
        for measure, word in zip(MEASURES, ("silent", "saturated"), strict=True):
            shares = 100 * rows[(rows["activation"] == name) & (rows["measure"] == measure)]["mean"].dropna()
            if len(shares) and _seen(prepared.largest, name, measure):
                parts.append(f"{text.in_words(shares.min(), shares.max())} % of {text.clean(name)}'s units are {word}")
    dead = 100 * prepared.dead[prepared.dead["depth"] == depth]["share"]
    deaths = (
        f"{text.in_words(dead.min(), dead.max())} % of the networks are dead" if dead.any() else "no network is dead"
    )
    return f"At depth {depth}, {', '.join(parts or ['no unit is silent'])}, and {deaths}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a row per setting: shares against layer on the left, and against depth on the right."""
    labels = prepared.panels.labels
    depths = sorted(prepared.by_depth.loc[prepared.by_depth["mean"].notna(), "depth"].unique())
    both = len(depths) > 1  # or else all there is to see is against layer
    rows, columns = (len(labels), 2) if both else grid_shape(len(labels), 2)
    grid = Grid(rows, columns, 3.2 if rows == 1 else 2.3 if rows < 4 else 1.8, sharex="col")
    figure, axes = new_page(heading, grid, _caption(prepared), _legend(prepared))
    for panel, (setting, label) in zip(
        axes[:, 0] if both else keep_panels(axes, len(labels)), labels.items(), strict=True
    ):
        panel_title(panel, f"{label}: depth {prepared.depth}")
        _shares(panel, prepared, prepared.by_layer[prepared.by_layer["setting"] == setting], "layer")
        layer_axis(panel, prepared.depth)
    for panel, (setting, label) in zip(axes[:, 1] if both else (), labels.items() if both else (), strict=True):
        panel_title(panel, f"{label}: all depths")
        _shares(panel, prepared, prepared.by_depth[prepared.by_depth["setting"] == setting], "depth")
        _dead_networks(panel, prepared, prepared.dead[prepared.dead["setting"] == setting])
        log_depths(panel, depths)
    label_edges(axes, 2 * len(labels) if both else len(labels), LAYER_AXIS, "share of units")
    if both:
        axes[-1, 1].set_xlabel("depth (layers)")
    return figure


def _shares(axes: Axes, prepared: Prepared, rows: pd.DataFrame, x: str) -> None:
    for name, look in looks(prepared.activations).items():
        for measure in MEASURES:
            if _seen(prepared.largest, name, measure):
                _line(axes, rows[(rows["activation"] == name) & (rows["measure"] == measure)], x, look, measure)
    if not axes.lines:
        write_in_empty_panel(
            axes,
            "not known" if prepared.largest.isna().all(axis=None) else "no unit is silent, at most 1 % are saturated",
        )
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _seen(largest: pd.DataFrame, name: str, measure: str) -> bool:
    """Whether an activation has silent or saturated units anywhere; the caption names the activations without them."""
    return bool(largest.loc[name, measure] > (0 if measure == "dead_fraction" else FEW))


def _line(axes: Axes, rows: pd.DataFrame, x: str, look: Look, measure: str) -> None:
    """Draw silent units with filled markers and a wide line, saturated ones with hollow markers and a thin line."""
    silent = measure == "dead_fraction"
    colour = look.colour if silent else mix(look.colour, "white", 0.35)
    axes.plot(
        rows[x],
        rows["mean"],
        color=colour,
        linestyle=look.line,
        marker=look.marker,
        clip_on=False,
        markerfacecolor=colour if silent else "white",
        markevery=max(len(rows) // 7, 1),
        linewidth=2.2 if silent else 1.1,
        markersize=5 if silent else 4.5,
    )
    band(axes, x, rows, colour, alpha=0.2 if silent else 0.13)


def _dead_networks(axes: Axes, prepared: Prepared, rows: pd.DataFrame) -> None:
    for name, look in looks(prepared.activations).items():
        shares = rows[rows["activation"] == name]
        if (shares["share"] > 0).any():
            (line,) = axes.plot(shares["depth"], shares["share"], color=INK, linewidth=1.4, linestyle=DEAD_LINE)
            line.set(marker=look.marker, markersize=6, markerfacecolor=RED, clip_on=False)


def _legend(prepared: Prepared) -> list:
    drawn = [
        name for name in prepared.activations if any(_seen(prepared.largest, name, measure) for measure in MEASURES)
    ]
    thin = Line2D([], [], color=GREY, linewidth=1.1, marker="o", markerfacecolor="white", markersize=4.5)
    kinds = [(Line2D([], [], color=GREY, linewidth=2.2, marker="o"), "silent units (wide, filled)")]
    if any(_seen(prepared.largest, name, "saturated_fraction") for name in prepared.activations):
        kinds.append((thin, "saturated (thin, hollow)"))
    if prepared.dead["share"].any() and prepared.dead["depth"].nunique() > 1:
        dead = Line2D([], [], color=INK, linewidth=1.4, linestyle=DEAD_LINE, marker="o", markerfacecolor=RED)
        kinds.append((dead, "dead networks, share of draws"))
    return [activation_entries(prepared.activations, drawn, linewidth=2.2), kinds]


def _caption(prepared: Prepared) -> str:
    silent = "Silent: passes no gradient for any sample of the batch"
    off = [text.clean(name) for name in prepared.activations if _is_off(name)]
    saturated = "Saturated: (unit, sample) pairs with a slope under 1 % of the activation's largest"
    saturated += f"; not drawn for {' and '.join(off)}, of which it only says which are off" if off else ""
    none = [
        _names(prepared, "Not one silent", "dead_fraction"),
        _names(prepared, "Nowhere more than 1 % saturated", "saturated_fraction"),
    ]
    one_depth = prepared.dead["depth"].nunique() == 1  # with several, dead networks have a line of their own
    depths = "" if one_depth else "All depths: mean over the hidden layers that are recorded"
    missing = text.dead_and_unknown(prepared.networks, name_activation=len(prepared.activations) > 1)
    above = "Above a dead layer z is exactly 0: silent, but saturated only where Step(0) is 0"
    return caption(
        silent,
        saturated,
        text.how_to_read_means(prepared.networks),
        depths,
        *none,
        above if prepared.dead["share"].any() else "",
        prepared.panels.shared,
        shown_note(prepared.notes),
        missing if one_depth or "not known" in missing else "",
    )


def _names(prepared: Prepared, what: str, measure: str) -> str:
    names = [
        text.clean(name)
        for name in prepared.activations
        if prepared.largest.loc[name, measure] >= 0 and not _seen(prepared.largest, name, measure)
    ]
    return f"{what}: {', '.join(names)}" if names else ""
