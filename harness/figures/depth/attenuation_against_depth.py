"""The attenuation against depth: a panel per setting, with a line per activation and rings where formats read zero."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures.kit import text
from harness.figures.kit.marks import activation_entries, band, shown_note
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    grid_shape,
    keep_panels,
    label_edges,
    log_depths,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
    zero_line,
)
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.settings import Panels, select
from harness.figures.kit.style import INK, THEORY, looks, mix
from harness.figures.kit.zeros import draw_rings, ring_entries, zero_depths, zeros_in_words

HEADING = Heading("How much of the gradient is left at the first layer")
MOST_PANELS = 9
STRIP = 1.2  # height of a strip of residuals, in inches
MIDDLE_HALF = 0.6745  # standard deviations from the mean of a normal law to its quartiles


Strip = Callable[[Axes, pd.DataFrame, tuple[str, ...]], None]  # axes, rows of a setting, activations


@dataclass(frozen=True)
class Prepared:
    """rows: setting, activation, depth, draws, unknown, dead, low, median, high of log10_gradient_gain (−∞ if dead),
    and theory, theory_low, theory_high: the predicted median and quartiles, NaN where theory has no answer.

    zeros: setting, activation, format, depth: the first depth at which half of the living draws or more read zero.
    """

    rows: pd.DataFrame
    zeros: pd.DataFrame
    networks: pd.DataFrame
    panels: Panels
    activations: tuple[str, ...]
    notes: tuple[str, ...]


def applies(networks: pd.DataFrame) -> str | None:
    return None if networks["depth"].nunique() > 1 else "all networks have the same depth"


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """Median and quartiles of the attenuation at each depth; that of a dead network is −∞."""
    chosen = select(networks, MOST_PANELS)
    networks = chosen.networks
    gain = networks["log10_gradient_gain"].mask(networks["dead_from_layer"].notna(), -np.inf)
    rows = quartiles(networks.assign(gain=gain), ["setting", "activation", "depth"], "gain")
    rows = rows.merge(_theory(networks), on=["setting", "activation", "depth"])
    return Prepared(rows, zero_depths(networks), networks, chosen.panels, chosen.activations, chosen.notes)


def _theory(networks: pd.DataFrame) -> pd.DataFrame:
    """Median over draws of the attenuation predicted from each draw's inputs, and its quartiles."""
    layers = networks["depth"] - 1
    predicted = networks.assign(
        theory=networks["predicted_slope_per_layer"] * layers, half=MIDDLE_HALF * networks["predicted_spread"] * layers
    )
    found = predicted.groupby(["setting", "activation", "depth"], observed=True)[["theory", "half"]].median()
    found = found.assign(theory_low=found["theory"] - found["half"], theory_high=found["theory"] + found["half"])
    return found.drop(columns="half").reset_index()


def finding(prepared: Prepared) -> str:
    """`Over 1024 layers sigmoid loses 512 to 643 decades, relu 4 to 158`: medians of the settings shown."""
    depth = prepared.rows["depth"].max()
    deepest = prepared.rows[prepared.rows["depth"] == depth]
    said = text.changes({name: deepest[deepest["activation"] == name]["median"] for name in prepared.activations})
    return f"Over {depth} layers {said}" if said else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel per setting with a line per activation; below it what theory misses, and the share that lives."""
    count, strips = len(prepared.panels.labels), _strips(prepared)
    rows, columns = grid_shape(count)
    heights = [3.6 if rows == 1 else 2.8, *[STRIP] * len(strips)]
    grid = Grid(len(heights) * rows, columns, sum(heights) / len(heights), None, heights * rows, False, "row")
    figure, axes = new_page(heading, grid, _caption(prepared), _legend(prepared))
    above = axes[:: len(heights)]
    flat = keep_panels(above, count)
    for panel, (setting, label) in zip(flat, prepared.panels.labels.items(), strict=True):
        networks = prepared.networks[prepared.networks["setting"] == setting]
        missing = text.dead_and_unknown(networks, name_activation=len(prepared.activations) > 1, dead=False)
        zeros = prepared.zeros[prepared.zeros["setting"] == setting]
        panel_title(panel, label, missing, zeros_in_words(zeros))
        own = prepared.rows[prepared.rows["setting"] == setting]
        _lines(panel, own, prepared.activations)
        draw_rings(panel, zeros, own)
        _depth_axis(panel, prepared.rows["depth"])
        plain_ticks(panel.yaxis)
    _same_scales(flat)
    label_edges(above, count, "" if strips else "depth (layers)", "attenuation (decades)")
    for place, (lines, label) in enumerate(strips, start=1):
        _strip(axes[place :: len(heights)], prepared, lines, label, "depth (layers)" if place == len(strips) else "")
    return figure


def _strips(prepared: Prepared) -> list[tuple[Strip, str]]:
    """What is drawn below the panels, each with the label of its axis."""
    strips: list[tuple[Strip, str]] = []
    if prepared.rows["theory"].notna().any():
        strips.append((_residual_lines, "measured −\ntheory"))
    if prepared.rows["dead"].any():
        strips.append((_living_shares, "share\nthat lives"))
    return strips


def _same_scales(panels: Sequence[Axes]) -> None:
    limits = np.array([(panel.get_xlim(), panel.get_ylim()) for panel in panels])  # (panels, x and y, low and high)
    for panel in panels:
        panel.set_xlim(limits[:, 0, 0].min(), limits[:, 0, 1].max())
        panel.set_ylim(limits[:, 1, 0].min(), limits[:, 1, 1].max())


def _strip(axes: np.ndarray, prepared: Prepared, lines: Strip, y: str, x: str) -> None:
    """A strip below each panel, on depths that are evenly spaced where they grow by factors."""
    count = len(prepared.panels.labels)
    strips = keep_panels(axes, count)
    for strip, setting in zip(strips, prepared.panels.labels, strict=True):
        lines(strip, prepared.rows[prepared.rows["setting"] == setting], prepared.activations)
        log_depths(strip, sorted(prepared.rows["depth"].unique()))
    _same_scales(strips)
    label_edges(axes, count, x, y)


def _residual_lines(axes: Axes, rows: pd.DataFrame, names: tuple[str, ...]) -> None:
    zero_line(axes)
    for name, look in looks(names).items():
        own = rows[(rows["activation"] == name) & np.isfinite(rows["median"]) & rows["theory"].notna()]
        less = own.assign(**{column: own[column] - own["theory"] for column in ("low", "median", "high")})
        axes.plot(less["depth"], less["median"], color=look.colour, linestyle=look.line, marker=look.marker, ms=3)
        band(axes, "depth", less, look.colour)
        for column in ("theory_low", "theory_high"):
            half = own[column] - own["theory"]
            axes.plot(own["depth"], half, color=mix(look.colour, INK, 0.6), linestyle=THEORY, linewidth=0.6)
    plain_ticks(axes.yaxis, 3)


def _living_shares(axes: Axes, rows: pd.DataFrame, names: tuple[str, ...]) -> None:
    for name, look in looks(names).items():
        own = rows[(rows["activation"] == name) & (rows["draws"] > rows["unknown"])]
        share = 1 - own["dead"] / (own["draws"] - own["unknown"])
        axes.plot(own["depth"], share, color=look.colour, linestyle=look.line, marker=look.marker, ms=3, clip_on=False)
    axes.set_ylim(-0.05, 1.05)
    axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])


def _lines(axes: Axes, rows: pd.DataFrame, names: tuple[str, ...]) -> None:
    zero_line(axes)
    if not np.isfinite(rows["median"]).any():
        write_in_empty_panel(axes, "no attenuation to draw: the median network is dead or not known at every depth")
    for name, look in looks(names).items():
        line = rows[(rows["activation"] == name) & np.isfinite(rows["median"])]
        axes.plot(
            line["depth"],
            line["median"],
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            label=text.clean(name),
        )
        band(axes, "depth", line, look.colour)
        _name_death(axes, rows[rows["activation"] == name], look.colour)
        known = rows[(rows["activation"] == name) & rows["theory"].notna()]
        for column, width in (("theory", 1.4), ("theory_low", 0.6), ("theory_high", 0.6)):
            axes.plot(
                known["depth"],
                known[column],
                color=mix(look.colour, INK, 0.6),
                linestyle=THEORY,
                linewidth=width,
                label="theory",
                zorder=3,
            )


def _name_death(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Say where a line ends because the median network is dead."""
    rows = rows.sort_values("depth")
    dead = rows[np.isneginf(rows["median"])]
    living = rows[np.isfinite(rows["median"])]
    if len(dead) and len(living) and dead["depth"].iloc[0] > living["depth"].iloc[-1]:
        axes.annotate(
            f"half are dead from depth {dead['depth'].iloc[0]}",
            (living["depth"].iloc[-1], living["median"].iloc[-1]),
            (8, -2),
            textcoords="offset points",
            va="top",
            fontsize=8.5,
            weight="bold",
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            zorder=5,
        ).set_in_layout(False)


def _depth_axis(axes: Axes, depths: pd.Series) -> None:
    low, high = depths.min(), depths.max()
    margin = max(0.03 * (high - low), 0.5)
    axes.set_xlim(min(0, low) - margin / 2, high + margin)
    plain_ticks(axes.xaxis, 5, whole=True)


def _legend(prepared: Prepared) -> list:
    theory = [(Line2D([], [], color=INK, linestyle=THEORY, linewidth=1.4), "theory, and the middle half it predicts")]
    return [
        activation_entries(prepared.activations),
        [*(theory if prepared.rows["theory"].notna().any() else []), *ring_entries(prepared.zeros)],
    ]


def _caption(prepared: Prepared) -> str:
    meaning = "Attenuation: log₁₀ of ‖∂C/∂z‖ at the first layer over that at the last; 0 is none, −3 a thousandth"
    dead = (
        "A dead network counts as −∞; where half of the draws or more are dead there is no point"
        if prepared.networks["dead_from_layer"].notna().any()
        else ""
    )
    zero = (
        "Reads 0: the first depth at which half of the living draws or more have a layer with no number large enough"
        if len(prepared.zeros)
        else ""
    )
    theory = (
        "Theory is for one sample and a start that is independent of the weights (cost: linear, batch: 1)"
        f"{_beyond_theory(prepared.networks)}; below, what is measured less theory, in decades"
        if prepared.rows["theory"].notna().any()
        else ""
    )
    return caption(
        meaning,
        text.how_to_read(prepared.networks),
        theory,
        prepared.panels.shared,
        dead,
        zero,
        shown_note(prepared.notes),
    )


def _beyond_theory(networks: pd.DataFrame) -> str:
    """Why these networks may lie outside of theory's band: `, which these are not: cost squared, batch 64`."""
    usual = {"cost": "linear", "batch": 1}
    found = [
        f"{name} {networks[name].iloc[0]}"
        for name in usual
        if name in networks and (networks[name] != usual[name]).any()
    ]
    return f", but here it is {' and '.join(found)}, so that medians may leave its band" if found else ""
