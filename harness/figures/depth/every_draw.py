"""Every draw: the attenuation of each, a column per kind of network, with the share within three decades."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit import text
from harness.figures.kit.marks import shown_note
from harness.figures.kit.page import Grid, Heading, caption, new_page, plain_ticks, write_in_empty_panel, zero_line
from harness.figures.kit.settings import select
from harness.figures.kit.style import GREY, PALE, looks
from harness.results.rows import Layers

HEADING = Heading("The attenuation of every draw")
MOST_SETTINGS, MOST_COLUMNS, MOST_DOTS = 12, 16, 400
DECADES = 3.0


@dataclass(frozen=True)
class Prepared:
    """columns: label, activation, draws, dead, unknown, and inside: the share of draws within ± DECADES.

    decades: the attenuations of each column, ascending, those of the first MOST_DOTS draws.
    """

    columns: pd.DataFrame
    decades: tuple[np.ndarray, ...]
    shared: str
    notes: tuple[str, ...]


def applies(networks: pd.DataFrame) -> str | None:
    if networks["depth"].max() < 2:
        return "there is no attenuation at depth 1"
    return None if networks["replicate"].nunique() >= 20 else "needs 20 draws or more"


def prepare(layers: Layers, networks: pd.DataFrame) -> Prepared:
    """A column for each activation, setting and depth, in the order of the sweep. A dead network is outside."""
    chosen = select(networks[networks["depth"] > 1], MOST_SETTINGS)
    several = chosen.networks["depth"].nunique() > 1
    columns, decades = [], []
    for (setting, name, depth), rows in chosen.networks.groupby(["setting", "activation", "depth"], observed=True):
        dead, gain = rows["dead_from_layer"].notna(), rows["log10_gradient_gain"]
        known = gain.notna() & ~dead
        parts = [chosen.panels.labels[setting], str(name) if len(chosen.activations) > 1 else ""]
        parts.append(f"depth {depth}" if several else "")
        inside = float((known & (gain.abs() < DECADES)).mean())
        columns.append(
            (", ".join(filter(None, parts)), str(name), len(rows), dead.sum(), (~known & ~dead).sum(), inside)
        )
        decades.append(np.sort(gain[known].to_numpy()[:MOST_DOTS]))
    names = ["label", "activation", "draws", "dead", "unknown", "inside"]
    notes = chosen.notes
    if len(columns) > MOST_COLUMNS:
        notes = (*notes, f"first {MOST_COLUMNS} of {len(columns)} kinds")
    frame = pd.DataFrame(columns[:MOST_COLUMNS], columns=names)
    return Prepared(frame, tuple(decades[:MOST_COLUMNS]), chosen.panels.shared, notes)


def finding(prepared: Prepared) -> str:
    """`Draws within ± 3 decades, in %: 58 (he_normal, depth 129), 97 (…)`; of more than three columns the ends."""
    columns = prepared.columns
    shares = {text.clean(row.label): 100 * row.inside for row in columns.itertuples()}
    return f"Draws within ± {DECADES:g} decades, in %: {text.span(shares, '.0f')}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw the columns next to each other: decades upwards, the share within the band above."""
    draws = prepared.columns["draws"]
    notes = caption(
        f"A dot is a draw, {MOST_DOTS} of {draws.min()}" if draws.min() > MOST_DOTS else "A dot is a draw",
        f"above: the share of all draws within ± {DECADES:g} decades",
        prepared.shared,
        f"{dead} dead draws have no dot, and count as outside" if (dead := prepared.columns["dead"].sum()) else "",
        shown_note(prepared.notes),
    )
    legend = [(Line2D([], [], color=PALE, linewidth=8), f"within ± {DECADES:g} decades")]
    figure, ((axes,),) = new_page(heading, Grid(1, 1, height=4.2), notes, [legend])
    axes.axhspan(-DECADES, DECADES, color=PALE, linewidth=0, zorder=0)
    zero_line(axes)
    if not any(len(values) for values in prepared.decades):
        write_in_empty_panel(axes, "no draw has an attenuation")
    colours = {
        name: look.colour for name, look in looks([str(n) for n in prepared.columns["activation"].unique()]).items()
    }
    for place, (row, values) in enumerate(zip(prepared.columns.itertuples(), prepared.decades, strict=True)):
        _column(axes, place, values, colours[str(row.activation)], f"{100 * row.inside:.0f} %")
    labels = [text.clean(label, 30) for label in prepared.columns["label"]]
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", fontsize=8)
    axes.set_ylabel("attenuation (decades)")
    axes.grid(axis="x", visible=False)
    plain_ticks(axes.yaxis)
    return figure


def _column(axes: Axes, place: int, values: np.ndarray, colour: str, share: str) -> None:
    """Dots side by side, by the golden ratio, so that neighbours in value are apart."""
    aside = 0.6 * ((np.arange(len(values)) * 0.618034) % 1 - 0.5)
    axes.plot(place + aside, values, ".", color=colour, markersize=2.5, alpha=0.6)
    axes.annotate(
        share,
        (place, 1),
        (0, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8,
        color=GREY,
    )
