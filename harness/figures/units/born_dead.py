"""The share of networks dead before training against the number of hidden layers, beside the formulas."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.base.errors import DomainError
from harness.base.intervals import proportion_interval
from harness.figures.kit.page import Grid, Heading, caption, new_page, plain_ticks
from harness.figures.kit.settings import evenly_spaced
from harness.figures.kit.style import GREY, LineStyle, shades
from harness.figures.kit.text import span
from harness.theory.birth import born_dead, born_dead_both_signs

HEADING = Heading("Networks that are dead at birth")
MOST_WIDTHS = 6
MOST_POINTS = 14  # of a line: each takes a moment to compute
ERROR_RATE = 0.05
ONE, BOTH = "one input: 1 − (1 − 2⁻ᴺ)ᴴ", "one-dimensional inputs of both signs"


@dataclass(frozen=True)
class Prepared:
    """shares: width, hidden (layers), draws, share (dead), low, high (exact binomial interval); shares in [0, 1].

    laws: name -> probability, of the formulas that may apply; the tables do not record how many inputs a network saw.
    """

    shares: pd.DataFrame
    widths: tuple[int, ...]
    laws: Mapping[str, Callable[[int, int], float]]


def applies(networks: pd.DataFrame) -> str | None:
    relu = networks["activation"].astype(str).str.startswith("relu").all()
    if not relu or not (networks["bias_scale"] == 0).all() or not (networks["output"] == "linear").all():
        return "needs ReLU networks without biases and with a linear output"
    if networks["depth"].nunique() < 2:
        return "all networks have the same depth"
    return None if networks["dead_from_layer"].notna().any() else "no network is dead"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """The share of dead draws at every width and number of hidden layers."""
    widths = tuple(int(width) for width in evenly_spaced(sorted(networks["width"].unique()), MOST_WIDTHS))
    chosen = networks[networks["width"].isin(widths)].assign(dead=networks["dead_from_layer"].notna())
    shares = chosen.groupby(["width", "depth"])["dead"].agg(draws="size", dead="sum").reset_index()
    n, k = shares["draws"].to_numpy(), shares["dead"].to_numpy()
    low, high = proportion_interval(k, n, ERROR_RATE)
    shares = shares.assign(hidden=shares["depth"] - 1, share=k / n, low=low, high=high)
    both = (networks["input_width"] == 1).all()
    laws = {ONE: born_dead, BOTH: born_dead_both_signs} if both else {ONE: born_dead}
    return Prepared(shares.drop(columns=["depth", "dead"]), widths, laws)


def finding(prepared: Prepared) -> str:
    """`Dead at birth with 20 hidden layers, in %: 100 (1 unit), 93 (3 units)`; of more than three widths the ends."""
    hidden = prepared.shares["hidden"].max()
    deepest = prepared.shares[prepared.shares["hidden"] == hidden]
    shares = {f"{row.width} unit" + "s" * (row.width > 1): 100 * row.share for row in deepest.itertuples()}
    return f"Dead at birth with {hidden} hidden layers, in %: {span(shares, '.0f')}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw the shares of each width as points with intervals, and the formulas as lines."""
    colours = dict(zip(prepared.widths, shades("#00508c", len(prepared.widths))[::-1], strict=True))
    lines: tuple[LineStyle, ...] = ("--",) if len(prepared.laws) == 1 else (":", "--")
    styles = dict(zip(prepared.laws, lines, strict=True))
    widths = [
        (Line2D([], [], color=colour, marker="o", linestyle="none"), f"N = {width} unit" + "s" * (width > 1))
        for width, colour in colours.items()
    ]
    laws = [(Line2D([], [], color=GREY, linestyle=style), name) for name, style in styles.items()]
    draws = prepared.shares["draws"]
    notes = caption(
        f"Points: share of {draws.min()} draws, with its exact 95 % interval",
        "Lines: the probability, by formula. A network is dead where a hidden layer is silent for every input: no "
        "weight below it ever gets a gradient",
    )
    figure, axes = new_page(heading, Grid(1, 1, height=3.8), notes, [widths, laws])
    for width in prepared.widths:
        _points(axes[0, 0], prepared.shares[prepared.shares["width"] == width], colours[width])
        _laws(axes[0, 0], width, prepared, styles, colours[width])
    axes[0, 0].set_xlabel("hidden layers H")
    axes[0, 0].set_ylabel("share of networks dead at birth")
    axes[0, 0].set_ylim(-0.03, 1.03)
    plain_ticks(axes[0, 0].xaxis, whole=True)
    return figure


def _points(axes: Axes, shares: pd.DataFrame, colour: str) -> None:
    errors = [shares["share"] - shares["low"], shares["high"] - shares["share"]]
    axes.errorbar(
        shares["hidden"], shares["share"], errors, fmt="o", color=colour, markersize=5, elinewidth=1.2, zorder=3
    )


def _probability(law: Callable[[int, int], float], width: int, hidden_layers: int) -> float:
    try:
        return law(width, hidden_layers)
    except DomainError:  # nan is not drawn
        return nan


def _laws(axes: Axes, width: int, prepared: Prepared, styles: dict[str, LineStyle], colour: str) -> None:
    layers = np.unique(np.geomspace(1, prepared.shares["hidden"].max(), MOST_POINTS).round())
    for name, style in styles.items():
        values = [_probability(prepared.laws[name], width, int(count)) for count in layers]
        axes.plot(layers, values, linestyle=style, color=colour, linewidth=1.3)
