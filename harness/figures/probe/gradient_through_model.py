"""The gradient through a user's model, operation by operation: its norm, and what each operation multiplies it by."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.base.numbers import formatted
from harness.figures.kit.page import (
    Grid,
    Heading,
    caption,
    new_page,
    panel_title,
    plain_ticks,
    write_in_empty_panel,
    zero_line,
)
from harness.figures.kit.style import GREY, INK, PALE, WEIGHTS

HEADING = Heading("The gradient through the model, from the loss on the left to the data on the right")
KINDS = {  # colour and marker of each kind of operation
    "activation": ("#d55e00", "o"),
    "weight": (WEIGHTS, "s"),
    "norm": ("#0072b2", "^"),
    "attention": ("#009e73", "D"),
    "recurrent": ("#cc79a7", "v"),
}


@dataclass(frozen=True)
class Prepared:
    """The operations of the last recorded step, from the loss down, and the row of that step in `networks`."""

    rows: pd.DataFrame
    network: pd.Series
    earlier: pd.DataFrame  # those of the first recorded step, for the norm; empty where there is one step


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """The operations with a gradient, in the order in which the gradient meets them."""
    steps = sorted(networks["step"].unique())
    last, first = (_of_step(layers, step) for step in (steps[-1], steps[0]))
    network = networks[networks["step"] == steps[-1]].iloc[0]
    return Prepared(last, network, first if len(steps) > 1 else first.iloc[:0])


def _of_step(layers: pd.DataFrame, step: int) -> pd.DataFrame:
    rows = layers[(layers["step"] == step) & layers["log10_grad_result"].notna() & (layers["kind"] != "loss")]
    return rows.iloc[::-1].reset_index(drop=True)


def finding(prepared: Prepared) -> str:
    """`From head to conv1 the gradient changes by −2.35 decades`; empty where it is not known at one of them."""
    network = prepared.network
    gain = network["log10_gradient_gain"]
    if gain is None or not np.isfinite(float(gain)):
        return ""
    return (
        f"From {network['last']} to {network['first']} the gradient changes by {formatted(float(gain), '+.2f')} decades"
    )


def draw(prepared: Prepared, heading: Heading) -> Figure:
    """Draw the norm above, the factors below."""
    rows = prepared.rows
    figure, axes = new_page(
        heading, Grid(2, 1, height=2.5, sharex=True, sharey=False), _caption(prepared), _legend(rows)
    )
    norm, factors = axes[:, 0]
    panel_title(norm, "log10 ‖∂C/∂y‖ of each operation's result y")
    panel_title(factors, "Factor of each operation: log10 ‖∂C/∂x‖ / ‖∂C/∂y‖, x its argument")
    if rows.empty:
        write_in_empty_panel(norm, "no gradient was recorded")
        return figure
    _norms(norm, prepared)
    _factors(factors, rows)
    factors.set_xlabel("operation, counted from the loss")
    return figure


def _norms(axes: Axes, prepared: Prepared) -> None:
    trunk = prepared.rows[prepared.rows["on_trunk"].astype(bool)]
    early = prepared.earlier[prepared.earlier["on_trunk"].astype(bool)] if len(prepared.earlier) else prepared.earlier
    axes.plot(early.index, _finite(early["log10_grad_result"]), color=PALE, linewidth=2, zorder=1)
    axes.plot(trunk.index, _finite(trunk["log10_grad_result"]), color=INK, linewidth=1.4, zorder=2)
    off = prepared.rows.drop(trunk.index)
    axes.plot(off.index, _finite(off["log10_grad_result"]), ".", color=GREY, markersize=3.5, zorder=1.8)
    axes.set_ylabel("decades")
    plain_ticks(axes.yaxis)


def _factors(axes: Axes, rows: pd.DataFrame) -> None:
    zero_line(axes)
    for kind, (colour, marker) in KINDS.items():
        these = rows[rows["kind"] == kind]
        hollow = ~these["on_trunk"].astype(bool)
        values = _finite(these["log10_factor"])
        for chosen, face in ((~hollow, colour), (hollow, "white")):
            axes.plot(
                these.index[chosen],
                values[chosen.to_numpy()],
                marker,
                color=colour,
                markerfacecolor=face,
                markersize=4,
            )
    axes.set_ylabel("decades")
    plain_ticks(axes.yaxis)
    plain_ticks(axes.xaxis, whole=True)


def _finite(values: pd.Series) -> np.ndarray:
    """Numbers that can be drawn; a gap elsewhere."""
    numbers = values.to_numpy(dtype=float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _legend(rows: pd.DataFrame) -> list[list[tuple[Line2D, str]]]:
    there = [kind for kind in KINDS if (rows["kind"] == kind).any()]
    entries = [(Line2D([], [], color=INK, linewidth=1.4), "trunk")]
    entries += [
        (Line2D([], [], linestyle="none", marker=KINDS[kind][1], color=KINDS[kind][0], markersize=5), kind)
        for kind in there
    ]
    return [entries]


def _caption(prepared: Prepared) -> str:
    rows = prepared.rows
    branches = "hollow marks and dots are beside the trunk, where factors must not be multiplied"
    beside = bool(len(rows)) and not rows["on_trunk"].astype(bool).all()
    early = "the pale line is the trunk of the first recorded step" if len(prepared.earlier) else ""
    way = "from the loss on the left to the data on the right"
    return caption(way, branches if beside else "", early)
