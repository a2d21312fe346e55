"""Unit lives: the shares of hidden units that are born dead, die and revive, against the learning rate."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title
from harness.figures.kit.style import INK
from harness.figures.kit.text import clean
from harness.figures.training.panels import MOST_OPTIMISERS, log_values
from harness.networks.spec import activation_labelled
from harness.results.training.tuning import scheduled

HEADING = Heading("Units that are born dead, die, and revive")
TRAINING = True
EVENTS = {  # colour, marker, its filling, which tells two of them apart in grey, and words
    "born": (INK, "o", INK, "born dead"),
    "died": ("#b33c00", "v", "#b33c00", "died"),
    "revived": ("#009e73", "^", "white", "revived"),
}
PLACES = ("first layer", "higher hidden layers")


@dataclass(frozen=True)
class Prepared:
    """rows: optimiser, place, learning_rate, and means over runs of born, died, revived, as shares of the units."""

    rows: pd.DataFrame
    activation: str
    depth: int
    draws: int


def applies(steps: pd.DataFrame) -> str | None:
    if _silent(steps) is None:
        return "no activation here has silent units"
    return None if steps["depth"].max() > 2 else "no hidden layer has one below it"


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The deepest networks of the first activation that has silent units, at the last step that is known."""
    activation, depth = _silent(steps), int(steps["depth"].max())
    own = layers[(layers["activation"].astype(str) == activation) & (layers["depth"] == depth)]
    own = scheduled(own)
    own = own[(own["layer"] < depth) & own["born"].notna()]
    place = own["layer"].map(lambda layer: PLACES[int(layer > 1)])
    shares = own.assign(place=place, **{name: own[name] / own["width"] for name in EVENTS}).astype({"optimiser": str})
    rows = shares.groupby(["optimiser", "place", "learning_rate"], sort=False)[list(EVENTS)].mean().reset_index()
    return Prepared(rows, str(activation), depth, own["replicate"].nunique())


def finding(prepared: Prepared) -> str:
    """`Of 100 units above the first layer 4 are born dead; 51 deaths, 12 revivals (sgd, learning rate 1)`, …"""
    rows = prepared.rows[prepared.rows["place"] == PLACES[1]]
    parts: list[str] = []
    for optimiser in list(dict.fromkeys(rows["optimiser"]))[:MOST_OPTIMISERS]:
        own = rows[rows["optimiser"] == optimiser].sort_values("learning_rate").iloc[-1]
        born, died, revived = (f"{100 * own[name]:.0f}" for name in EVENTS)
        said = f"{born}, {died}, {revived}" if parts else f"{born} born dead, {died} deaths, {revived} revivals"
        parts.append(f"{said} ({clean(optimiser)}, rate {own['learning_rate']:g})")
    return f"Of 100 units above the first layer: {'; '.join(parts)}" if parts else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A column for each optimiser; the first layer above, all higher hidden layers below."""
    optimisers = list(dict.fromkeys(prepared.rows["optimiser"]))[:MOST_OPTIMISERS]
    legend = [
        (Line2D([], [], color=colour, marker=marker, markerfacecolor=face), words)
        for colour, marker, face, words in EVENTS.values()
    ]
    notes = caption(
        f"{clean(prepared.activation)}, depth {prepared.depth}; means of {prepared.draws} draws that did not diverge",
        "A unit is dead where it passes no gradient for any row that trains; changes are counted from one recorded "
        "step to the next, and a unit may die and revive more than once",
    )
    figure, axes = new_page(heading, Grid(2, max(1, len(optimisers)), height=2.3, sharex="col"), notes, [legend])
    for column, optimiser in enumerate(optimisers):
        for row, place in enumerate(PLACES):
            own = (prepared.rows["optimiser"] == optimiser) & (prepared.rows["place"] == place)
            _lines(axes[row, column], prepared.rows[own])
            panel_title(axes[row, column], f"{clean(optimiser, 20)}, {place}")
    label_edges(axes, 2 * max(1, len(optimisers)), "learning rate", "events per unit")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame) -> None:
    rows = rows.sort_values("learning_rate")
    for name, (colour, marker, face, _) in EVENTS.items():
        axes.plot(rows["learning_rate"], rows[name], color=colour, marker=marker, markerfacecolor=face)
    log_values(axes, sorted(rows["learning_rate"].unique()))


def _silent(steps: pd.DataFrame) -> str | None:
    """The first activation of the sweep that has silent units."""
    names = dict.fromkeys(steps["activation"].astype(str))
    return next((name for name in names if activation_labelled(name).silent is not None), None)
