"""Born dead: networks dead before they learn, against hidden layers and width, and the formulas."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import special

from harness.figures.page import Grid, Heading, caption, page, plain_ticks
from harness.figures.settings import spaced
from harness.figures.style import GREY, shades
from harness.theory.birth import born_dead, born_dead_both_signs

HEADING = Heading("Networks that are dead at birth")
MOST_WIDTHS = 6
MOST_POINTS = 14  # of a line: each takes a moment to compute
COVERAGE = 0.95
ONE, BOTH = "one input: 1 − (1 − 2⁻ᴺ)ᴴ", "one-dimensional inputs of both signs"


@dataclass(frozen=True)
class Prepared:
    """shares: width, hidden, draws, share, low, high (exact binomial interval).

    laws: the formulas that may apply, by name; tables do not say how many inputs a network saw.
    """

    shares: pd.DataFrame
    widths: tuple[int, ...]
    laws: dict[str, Callable[[int, int], float]]


def applies(networks: pd.DataFrame) -> str | None:
    relu = networks["activation"].astype(str).str.startswith("relu").all()
    if not relu or not (networks["bias_scale"] == 0).all() or not (networks["output"] == "linear").all():
        return "needs ReLU networks without biases and with a linear output"
    if networks["depth"].nunique() < 2:
        return "all networks have the same depth"
    return None if networks["dead_from_layer"].notna().any() else "no network is dead"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """The share of dead draws of every width and number of hidden layers."""
    widths = tuple(int(width) for width in spaced(sorted(networks["width"].unique()), MOST_WIDTHS))
    chosen = networks[networks["width"].isin(widths)].assign(dead=networks["dead_from_layer"].notna())
    shares = chosen.groupby(["width", "depth"])["dead"].agg(draws="size", dead="sum").reset_index()
    n, k = shares["draws"].to_numpy(), shares["dead"].to_numpy()
    tail = (1 - COVERAGE) / 2
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, tail), 0.0)
    high = np.where(k < n, special.betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail), 1.0)
    shares = shares.assign(hidden=shares["depth"] - 1, share=k / n, low=low, high=high)
    both = (networks["input_width"] == 1).all()
    laws = {ONE: born_dead, BOTH: born_dead_both_signs} if both else {ONE: born_dead}
    return Prepared(shares.drop(columns=["depth", "dead"]), widths, laws)


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """One panel: hidden layers to the right, the share of dead networks upwards, a colour for each width."""
    colours = dict(zip(prepared.widths, shades("#00508c", len(prepared.widths))[::-1], strict=True))
    styles = dict(zip(prepared.laws, ["--", ":"] if len(prepared.laws) == 1 else [":", "--"], strict=False))
    widths = [(Line2D([], [], color=colour, marker="o", linestyle="none"), f"N = {width} unit" + "s" * (width > 1))
              for width, colour in colours.items()]  # fmt: skip
    laws = [(Line2D([], [], color=GREY, linestyle=style), name) for name, style in styles.items()]
    draws = prepared.shares["draws"]
    said = caption(
        f"Points: share of {draws.min()} draws, with its exact 95 % interval",
        "Lines: the probability, by formula. A network is dead where a hidden layer is silent for every input: no "
        "weight below it ever gets a gradient",
    )
    figure, axes = page(heading, Grid(1, 1, height=3.8), said, [widths, laws])
    for width in prepared.widths:
        _points(axes[0, 0], prepared.shares[prepared.shares["width"] == width], colours[width])
        _laws(axes[0, 0], width, prepared, styles, colours[width])
    axes[0, 0].set_xlabel("hidden layers H")
    axes[0, 0].set_ylabel("share of networks dead at birth")
    axes[0, 0].set_ylim(-0.03, 1.03)
    plain_ticks(axes[0, 0].xaxis, whole=True)
    return figure


def _points(axes: Axes, own: pd.DataFrame, colour: str) -> None:
    gaps = [own["share"] - own["low"], own["high"] - own["share"]]
    axes.errorbar(own["hidden"], own["share"], gaps, fmt="o", color=colour, markersize=5, elinewidth=1.2, zorder=3)


def _laws(axes: Axes, width: int, prepared: Prepared, styles: dict[str, str], colour: str) -> None:
    layers = np.unique(np.geomspace(1, prepared.shares["hidden"].max(), MOST_POINTS).round())
    for name, style in styles.items():
        values = [prepared.laws[name](width, int(count)) for count in layers]
        axes.plot(layers, values, linestyle=style, color=colour, linewidth=1.3)
