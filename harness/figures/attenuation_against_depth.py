"""Attenuation against depth: decades from last to first layer, and where zero is read."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import text
from harness.figures.marks import band, entries, shown
from harness.figures.page import (
    Grid,
    Heading,
    caption,
    empty,
    outer,
    page,
    panel_title,
    plain_ticks,
    shape,
    used,
    zero_line,
)
from harness.figures.settings import Panels, activations, panels, ranked, with_settings
from harness.figures.spread import spread
from harness.figures.style import GREY, INK, THEORY, looks, mix

HEADING = Heading("How much of the gradient is left at the first layer")
MOST_PANELS = 6
MIDDLE_HALF = 0.6745  # standard deviations of a normal law, either way
FORMATS = {"float32": ("s", 10), "float64": ("o", 14)}  # marker and size: rings around the median


@dataclass(frozen=True)
class Prepared:
    """rows: setting, activation, depth, draws, unknown, dead, low, median, high of log10_gradient_gain (dead: −inf);
    theory, theory_low, theory_high: the same three as predicted, NaN where theory has no answer.

    zeros: setting, activation, format, depth: the first depth at which most of the living draws read zero.
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
    """Median and quartiles of the attenuation at each depth. A dead network's gradient is 0: −inf, below all others."""
    names, left_out = activations(networks)
    networks, varying = with_settings(networks)
    chosen = panels(networks, varying, MOST_PANELS)
    networks = ranked(networks[networks["setting"].isin(chosen.labels)], names)
    gain = networks["log10_gradient_gain"].mask(networks["dead_from_layer"].notna(), -np.inf)
    rows = spread(networks.assign(gain=gain), ["setting", "activation", "depth"], "gain")
    rows = rows.merge(_theory(networks), on=["setting", "activation", "depth"])
    return Prepared(rows, _zeros(networks), networks, chosen, names, tuple(filter(None, (chosen.note, left_out))))


def _theory(networks: pd.DataFrame) -> pd.DataFrame:
    """Median over draws of what is predicted from each one's inputs, and the middle half about it."""
    layers = networks["depth"] - 1
    predicted = networks.assign(theory=networks["predicted_slope_per_layer"] * layers,
                                half=MIDDLE_HALF * networks["predicted_spread"] * layers)  # fmt: skip
    found = predicted.groupby(["setting", "activation", "depth"], observed=True)[["theory", "half"]].median()
    found = found.assign(theory_low=found["theory"] - found["half"], theory_high=found["theory"] + found["half"])
    return found.drop(columns="half").reset_index()


def _zeros(networks: pd.DataFrame) -> pd.DataFrame:
    """A dead network's gradient is 0 in truth, so only the living say what a format does."""
    living = networks[networks["dead_from_layer"].isna() & networks["log10_gradient_gain"].notna()]
    found = []
    for name in FORMATS:
        reads_zero = living[f"zero_from_layer_{name}"].notna()
        share = reads_zero.groupby([living[key] for key in ("setting", "activation", "depth")], observed=True).mean()
        share = share[share >= 0.5].reset_index()
        found.append(
            share.groupby(["setting", "activation"], observed=True)["depth"].min().reset_index().assign(format=name)
        )
    return pd.concat(found, ignore_index=True)[["setting", "activation", "format", "depth"]]


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A panel per setting; one line per activation."""
    count = len(prepared.panels.labels)
    rows, columns = shape(count)
    grid = Grid(rows, columns, height=3.6 if rows == 1 else 2.8)
    figure, axes = page(heading, grid, _caption(prepared), _legend(prepared))
    flat = used(axes, count)
    for panel, (setting, label) in zip(flat, prepared.panels.labels.items(), strict=True):
        own = prepared.networks[prepared.networks["setting"] == setting]
        losses = text.losses(own, name_activation=len(prepared.activations) > 1)
        panel_title(panel, label, losses, _reads_zero(prepared, setting))
        _lines(panel, prepared.rows[prepared.rows["setting"] == setting], prepared.activations)
        _depth_axis(panel, prepared.rows["depth"])
        plain_ticks(panel.yaxis)
    for panel, setting in zip(flat, prepared.panels.labels, strict=True):
        _zero_marks(panel, prepared, setting)
    outer(axes, count, "depth (layers)", "attenuation (decades)")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, names: tuple[str, ...]) -> None:
    zero_line(axes)
    if not np.isfinite(rows["median"]).any():
        empty(axes, "no attenuation to draw: the median network is dead or not known at every depth")
    for name, look in looks(names).items():
        own = rows[(rows["activation"] == name) & np.isfinite(rows["median"])]
        axes.plot(
            own["depth"],
            own["median"],
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            label=text.clean(name),
        )
        band(axes, "depth", own, look.colour)
        known = rows[(rows["activation"] == name) & rows["theory"].notna()]
        for column, width in (("theory", 1.4), ("theory_low", 0.6), ("theory_high", 0.6)):
            axes.plot(known["depth"], known[column], color=mix(look.colour, INK, 0.6), linestyle=THEORY,
                      linewidth=width, label="theory", zorder=3)  # fmt: skip


def _depth_axis(axes: Axes, depths: pd.Series) -> None:
    low, high = depths.min(), depths.max()
    margin = max(0.03 * (high - low), 0.5)
    axes.set_xlim(min(0, low) - margin / 2, high + margin)
    plain_ticks(axes.xaxis, 5, whole=True)


def _zero_marks(axes: Axes, prepared: Prepared, setting: int) -> None:
    """A ring around the first point at which a format reads zero."""
    points = prepared.zeros[prepared.zeros["setting"] == setting].merge(
        prepared.rows, on=["setting", "activation", "depth"]
    )
    for point in points[np.isfinite(points["median"])].itertuples():
        marker, size = FORMATS[point.format]
        axes.plot(point.depth, point.median, marker, markersize=size, markerfacecolor="none", markeredgecolor=INK,
                  markeredgewidth=1.3, zorder=4, clip_on=False)  # fmt: skip


def _reads_zero(prepared: Prepared, setting: int) -> str:
    """`float32 reads 0 from depth 128 (sigmoid), 512 (relu)`: what the rings say, in numbers."""
    zeros, parts = prepared.zeros[prepared.zeros["setting"] == setting], []
    for name in FORMATS:
        own = zeros[zeros["format"] == name].sort_values("depth", kind="stable")
        each = [f"{row.depth} ({text.clean(row.activation, 20)})" for row in own.head(4).itertuples()]
        if each:
            more = f" and {len(own) - 4} more" if len(own) > 4 else ""
            parts.append(f"{name} reads 0 from depth {', '.join(each)}{more}")
    return "; ".join(parts)


def _legend(prepared: Prepared) -> list:
    rings = [(Line2D([], [], color=GREY, linestyle="none", marker=marker, markersize=size * 0.8, markerfacecolor="none",
                     markeredgecolor=INK), f"{name} reads 0 from this depth on")
             for name, (marker, size) in FORMATS.items() if (prepared.zeros["format"] == name).any()]  # fmt: skip
    theory = [(Line2D([], [], color=INK, linestyle=THEORY, linewidth=1.4), "theory, and the middle half it predicts")]
    return [entries(prepared.activations), [*(theory if prepared.rows["theory"].notna().any() else []), *rings]]


def _caption(prepared: Prepared) -> str:
    meaning = "Attenuation: log₁₀ of ‖∂C/∂z‖ at the first layer over that at the last; 0 is none, −3 a thousandth"
    dead = (
        "A dead network counts as −∞; no point where it is the median"
        if prepared.networks["dead_from_layer"].notna().any()
        else ""
    )
    zero = (
        "Reads 0: the first depth at which half of the living draws or more have a layer with no number large enough"
        if len(prepared.zeros)
        else ""
    )
    theory = (
        "Theory is for one sample and a start that knows nothing of the weights (cost: linear, batch: 1)"
        if prepared.rows["theory"].notna().any()
        else ""
    )
    return caption(
        meaning, text.over(prepared.networks), theory, prepared.panels.shared, dead, zero, shown(prepared.notes)
    )
