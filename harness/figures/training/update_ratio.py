"""Update ratio: ‖ΔW‖/‖W‖ of every layer over the steps, and where Adam's ε and the rounding of float32 end it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.base.arrays import Array
from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title, plain_ticks
from harness.figures.kit.style import INK, THEORY, LineStyle, looks, shades
from harness.figures.kit.text import clean, span
from harness.figures.training.panels import Chosen, choose, how_tuned, log_axis
from harness.networks.kinds import Choice
from harness.networks.training.recipe import optimiser_of

HEADING = Heading("How far each step moves each layer")
TRAINING = True
ROUNDING = np.log10(2.0**-24)  # of float32: a smaller ratio changes almost no weight
MOST_LINES = 8
EPSILON: LineStyle = (0, (1, 1.5))


@dataclass(frozen=True)
class Prepared:
    """rows: kind, optimiser, layer, step; medians over draws of log10_update_ratio and of log10_rms, the root mean
    square of ∂C/∂W over the weights of the layer, on the probe; and whether that is below the optimiser's epsilon.

    ends: kind, optimiser, step, log10_update_ratio of a layer whose root mean square equals epsilon, between the two
    layers next to it; only where there are layers on both sides.
    """

    rows: pd.DataFrame
    ends: pd.DataFrame
    chosen: Chosen


def prepare(layers: pd.DataFrame, steps: pd.DataFrame) -> Prepared:
    """The deepest networks of each kind, at tuned learning rates, after each recorded step."""
    chosen = choose(steps)
    own = chosen.rows(layers)
    own = own[own["step"] > 0]
    rms = own["log10_grad_weights"] - np.log10(_weight_counts(own, chosen.runs)) / 2
    groups = own.assign(log10_rms=rms).groupby(["kind", "optimiser", "layer", "step"], sort=False)
    rows = groups[["log10_update_ratio", "log10_rms"]].median().reset_index()
    with np.errstate(divide="ignore"):
        epsilon = np.log10([optimiser_of(Choice.from_label(name)).epsilon for name in rows["optimiser"]])
    rows = rows.assign(epsilon=epsilon, below=rows["log10_rms"] < epsilon)
    ends = [(*key, _at_epsilon(group)) for key, group in rows.groupby(["kind", "optimiser", "step"], sort=False)]
    frame = pd.DataFrame(ends, columns=["kind", "optimiser", "step", "log10_update_ratio"]).dropna()
    return Prepared(rows.drop(columns="epsilon"), frame, chosen)


def _weight_counts(rows: pd.DataFrame, runs: pd.DataFrame) -> Array:
    """Number of entries of W[layer − 1] of each row. `runs` have the widths at both ends."""
    ends = runs.set_index(runs["run"].astype(str))[["input_width", "output_width"]].reindex(rows["run"].astype(str))
    layer, width = rows["layer"].to_numpy(), rows["width"].to_numpy()
    fan_in = np.where(layer == 1, ends["input_width"], width)
    fan_out = np.where(layer == rows["depth"], ends["output_width"], width)
    for shape in set(rows["widths"].astype(str)) - {""}:  # one by one, such as 784-256-10
        own, widths = (rows["widths"] == shape).to_numpy(), np.array(shape.split("-"), dtype=int)
        fan_in[own], fan_out[own] = widths[layer[own] - 1], widths[layer[own]]
    return fan_in * fan_out


def _at_epsilon(rows: pd.DataFrame) -> float:
    """The update ratio at the root mean square epsilon, linear in decades between layers; NaN beyond all of them."""
    rows = rows[np.isfinite(rows["log10_rms"]) & np.isfinite(rows["log10_update_ratio"])].sort_values("log10_rms")
    if rows.empty:
        return np.nan
    return float(np.interp(rows["epsilon"].max(), rows["log10_rms"], rows["log10_update_ratio"], np.nan, np.nan))


def finding(prepared: Prepared) -> str:
    """`The last step of the first layer over that of the last, in decades: −11.6 (sgd), −5.2 (adam)`."""
    last = prepared.rows[prepared.rows["step"] == prepared.rows["step"].max()]
    less = {}
    for optimiser, kind in prepared.chosen.pairs:
        own = last[(last["kind"] == kind.label) & (last["optimiser"] == optimiser)]
        ratio = own.set_index("layer")["log10_update_ratio"].reindex([1, kind.depth]).to_numpy()
        if np.isfinite(ratio).all():
            less[prepared.chosen.name(optimiser, kind.label)] = ratio[0] - ratio[1]
    return f"The last step of the first layer over that of the last, in decades: {span(less)}" if less else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A line for each layer, from pale next to the input to dark at the output; hollow marks are below epsilon."""
    chosen = prepared.chosen
    epsilon = "hollow: root mean square of ∂C/∂W on the probe below Adam's ε; dotted: the ratio where it equals ε"
    notes = caption(
        f"{chosen.depths}; medians; a layer that does not move has no point",
        epsilon if prepared.rows["below"].any() else "",
        how_tuned(chosen),
        chosen.notes,
    )
    figure, axes = new_page(heading, Grid(*chosen.shape, height=2.4), notes, [_legend(prepared)])
    for panel, optimiser, kind in chosen.panels(axes):
        rows, ends = (
            frame[(frame["optimiser"] == optimiser) & (frame["kind"] == kind.label)]
            for frame in (prepared.rows, prepared.ends)
        )
        _lines(panel, rows, looks([kind.activation])[kind.activation].colour, kind.depth)
        panel.plot(ends["step"], ends["log10_update_ratio"], color=INK, linestyle=EPSILON, linewidth=2, label="ε")
        panel_title(panel, clean(kind.label, 60), remark=chosen.remark(optimiser, kind))
    label_edges(axes, len(chosen.pairs), "step", "log₁₀ ‖ΔW‖/‖W‖")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, colour: str, depth: int) -> None:
    layers = np.unique(np.linspace(1, depth, min(depth, MOST_LINES)).round())
    for layer, shade in zip(layers, shades(colour, len(layers)), strict=True):
        own = rows[(rows["layer"] == layer) & np.isfinite(rows["log10_update_ratio"])]
        axes.plot(own["step"], own["log10_update_ratio"], color=shade, linewidth=1.4)
        for below, face in ((False, shade), (True, "white")):
            marks = own[own["below"] == below]
            axes.plot(marks["step"], marks["log10_update_ratio"], "o", color=shade, markerfacecolor=face, markersize=4)
    axes.axhline(ROUNDING, color=INK, linestyle=THEORY, linewidth=1)
    log_axis(axes)
    plain_ticks(axes.yaxis, 5)


def _legend(prepared: Prepared) -> list[tuple[Line2D, str]]:
    depths = sorted({kind.depth for kind in prepared.chosen.kinds})
    legend = [
        (Line2D([], [], color=shades(INK, 3)[0], marker="o", markersize=4), "layer 1"),
        (Line2D([], [], color=INK, marker="o", markersize=4), f"layer {depths[0]}" if len(depths) == 1 else "the last"),
        (Line2D([], [], color=INK, linestyle=THEORY, linewidth=1), "rounding of float32"),
    ]
    if prepared.rows["below"].any():
        hollow = Line2D([], [], color=INK, marker="o", markersize=4, markerfacecolor="white")
        legend += [
            (hollow, "gradient below ε"),
            (Line2D([], [], color=INK, linestyle=EPSILON, linewidth=2), "gradient equal to ε"),
        ]
    return legend
