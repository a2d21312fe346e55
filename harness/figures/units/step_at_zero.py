"""The effect of Step(0) on bias gradients and on counts of dead units, above a dead layer."""

from dataclasses import dataclass
from math import log10

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.base.arrays import Array
from harness.base.numbers import number
from harness.figures.kit.layer_quartiles import chunks
from harness.figures.kit.marks import band
from harness.figures.kit.page import Grid, Heading, caption, new_page, panel_title, plain_ticks
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.style import INK
from harness.networks.coordinates import PANELS
from harness.results.rows import Batch, Layers, take

HEADING = Heading("Where the value of Step(0) shows: above a layer that is wholly dead")
CHOICES = {"relu(at_zero=0)": 0.0, "relu(at_zero=0.5)": 0.5, "relu": 1.0}
COLOURS = {0.0: "#d55e00", 0.5: "#009e73", 1.0: "#00508c"}
MARKERS = {0.0: "v", 0.5: "s", 1.0: "o"}
NEAR = 8  # layers on each side of the dead one
TOP = 12  # layers from the output down
COLUMNS = ("log10_grad_biases", "slope_mean", "dead_fraction")


@dataclass(frozen=True)
class Prepared:
    """biases: choice, below (layers below the output), draws, low, median, high of log10 ‖∂C/∂b‖ above the dead layer.

    counts: choice, above (layers above the dead one, negative below), by_slope, by_z: means over draws.
    living: networks that live, and the largest difference that Step(0) makes to log10 ‖∂C/∂W‖ in them.
    """

    biases: pd.DataFrame
    counts: pd.DataFrame
    dead: int
    living: tuple[int, float]


def applies(networks: pd.DataFrame) -> str | None:
    if not {"relu", "relu(at_zero=0)"} <= set(networks["activation"].astype(str)):
        return "needs ReLU with Step(0) = 0 and 1"
    return None if networks["dead_from_layer"].notna().any() else "no network is dead"


def prepare(layers: Layers, networks: pd.DataFrame) -> Prepared:
    """Medians and means over layers at each distance from the output and from the dead layer."""
    networks = networks[networks["activation"].astype(str).isin(CHOICES)]
    died = networks["dead_from_layer"].notna()
    around = _around(layers, networks[died])
    near_top = around[(around["above"] > 0) & (around["below"] <= TOP)]
    biases = quartiles(near_top, ["choice", "below"], "log10_grad_biases")
    near_dead = around[around["above"].abs() <= NEAR].assign(by_slope=1 - around["slope_mean"])
    counts = near_dead.groupby(["choice", "above"])[["by_slope", "dead_fraction"]].mean().reset_index()
    dead = int(networks[died].groupby("activation", observed=True).size().max())
    return Prepared(biases, counts.rename(columns={"dead_fraction": "by_z"}), dead, _living(layers, networks[~died]))


def _around(layers: Layers, dead: pd.DataFrame) -> pd.DataFrame:
    """The layers of dead networks that are within NEAR of the dead layer, or above it and within TOP of the output."""
    dead_from, depth = dead["dead_from_layer"].to_numpy(dtype=float), dead["depth"].to_numpy()

    def near(batch: Batch) -> Array:
        above = batch.layer - dead_from[batch.place]
        return (np.abs(above) <= NEAR) | ((above > 0) & (depth[batch.place] - batch.layer <= TOP))

    found = take(layers, dead, COLUMNS, sorted(dead["depth"].unique()), near)
    choice = dead["activation"].astype(str).map(CHOICES).to_numpy(dtype=float)
    return found.assign(
        choice=choice[found["place"]],
        above=found["layer"] - dead_from[found["place"]],
        below=found["depth"] - found["layer"],
    )


def _living(layers: Layers, alive: pd.DataFrame) -> tuple[int, float]:
    """The number of living networks, and the largest difference in log10_grad_weights between values of Step(0)."""
    told_apart = [name for name in PANELS if name in alive]
    draw = alive.groupby([*told_apart, "depth", "replicate"], observed=True, dropna=False).ngroup().to_numpy()
    depths = sorted(alive["depth"].unique())
    first = draw * (1 + max(depths, default=0))  # one row for each layer of a draw, shared by all values of Step(0)
    largest = np.nan
    for chunk in chunks(layers, alive, first, ["log10_grad_weights"], depths):
        by_row = chunk.groupby("row")["log10_grad_weights"]
        largest = np.fmax(largest, (by_row.max() - by_row.min()).max())
    return int((alive["activation"] == "relu").sum()), float(largest)


def finding(prepared: Prepared) -> str:
    """`Step(0) changes no weight gradient of 512 networks that live, and the bias gradients above a dead layer`."""
    networks, largest = prepared.living
    if not networks or np.isnan(largest):
        return ""
    most = "no weight gradient" if largest == 0 else f"weight gradients by at most {largest:.2g} decades"
    differs = (prepared.biases.groupby("below")["median"].nunique() > 1).any()
    dead = f", and the bias gradients of {prepared.dead} that have a dead layer" if differs else ""
    return f"Step(0) changes {most} in the {networks} networks that live{dead}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw bias gradients from the output down on the left, shares of dead units near the dead layer on the right."""
    legend = [(Line2D([], [], color=COLOURS[c], marker=MARKERS[c]), f"Step(0) = {c:g}") for c in CHOICES.values()]
    theory = [
        (Line2D([], [], color=INK, linestyle="--"), "theory"),
        (Line2D([], [], color=INK, linewidth=1.2), "counted by z ≤ 0"),
    ]
    networks, largest = prepared.living
    difference = "exactly 0" if largest == 0 else f"{largest:.2g} decades"
    notes = caption(
        f"{prepared.dead} networks with a wholly dead layer; left: medians and middle half; right: means",
        f"In the {networks} networks that live, the most that Step(0) changes in a weight gradient is {difference}",
        "Theory, left: what Step(0) = 1 gives, times ½ for each layer from there to the output",
    )
    figure, axes = new_page(
        heading, Grid(1, 2, height=3.6, sharex=False, sharey=False, narrowest=2.2), notes, [legend, theory]
    )
    _biases(axes[0, 0], prepared.biases)
    _counts(axes[0, 1], prepared.counts)
    return figure


def _biases(axes: Axes, biases: pd.DataFrame) -> None:
    panel_title(axes, "Bias gradients above the dead layer", remark="under Step(0) = 0 each of them is exactly 0")
    for choice in (0.5, 1.0):
        rows = biases[(biases["choice"] == choice) & np.isfinite(biases["median"])]
        axes.plot(rows["below"], rows["median"], color=COLOURS[choice], marker=MARKERS[choice])
        band(axes, "below", rows, COLOURS[choice])
    one = biases[biases["choice"] == 1.0]
    axes.plot(one["below"], one["median"] + (one["below"] + 1) * log10(1 / 2), "--", color=INK, linewidth=1.2, zorder=4)
    axes.set_xlabel("layers below the output")
    axes.set_ylabel("log₁₀ ‖∂C/∂b‖  (decades)")
    plain_ticks(axes.xaxis, whole=True)
    plain_ticks(axes.yaxis)


def _counts(axes: Axes, counts: pd.DataFrame) -> None:
    panel_title(axes, "Units called dead, by their slopes", remark="by z ≤ 0 all are, above it, whatever Step(0) is")
    for choice in CHOICES.values():
        rows = counts[counts["choice"] == choice]
        axes.plot(rows["above"], rows["by_slope"], color=COLOURS[choice], marker=MARKERS[choice], markersize=4)
    rows = counts[counts["choice"] == 1.0]
    axes.plot(rows["above"], rows["by_z"], color=INK, linewidth=1.2, zorder=5)
    axes.set_xlabel("layers above the dead one")
    axes.set_ylabel("share of units")
    axes.set_ylim(-0.03, 1.06)
    axes.xaxis.set_major_formatter(lambda value, _: number(value, ".0f"))
