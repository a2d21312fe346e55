"""Marks that several figures make: bands, legend entries of activations, and the note on what is left out."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.figures.kit.style import WEIGHTS, looks
from harness.figures.kit.text import clean


class Hatching(TypedDict):
    """Keywords that give a patch or a bar its filling."""

    facecolor: str
    edgecolor: str
    hatch: str


HATCHED: Hatching = {"facecolor": "#e3e3e3", "edgecolor": WEIGHTS, "hatch": "////"}  # areas and bars of the weights


def band(axes: Axes, x: str, rows: pd.DataFrame, colour: str, alpha: float = 0.22) -> None:
    """Shade between the quartiles in `rows` (a frame of `quartiles`) where they are finite and of two draws or more."""
    several = rows["draws"] - rows["unknown"] > 1
    drawn = rows[several & np.isfinite(rows["low"]) & np.isfinite(rows["high"])]
    axes.fill_between(drawn[x], drawn["low"], drawn["high"], color=colour, alpha=alpha, linewidth=0)


def activation_entries(
    labels: Sequence[str],
    only: Sequence[str] | None = None,
    linewidth: float | None = None,
    markersize: float | None = None,
) -> list[tuple[Line2D, str]]:
    """Legend entries of the activations, or of `only` these; sizes in points, by default those of all lines."""
    entries = []
    for label, look in looks(labels).items():
        if only is None or label in only:
            line = Line2D([], [], color=look.colour, linestyle=look.line, linewidth=linewidth)
            line.set_marker(look.marker)
            if markersize is not None:
                line.set_markersize(markersize)
            entries.append((line, clean(label)))
    return entries


def separated(places: Sequence[float], gap: float, low: float = -np.inf, high: float = np.inf) -> list[float]:
    """Places moved as little as possible so that they are a gap apart and within [low, high]; their order is kept."""
    order, steps = np.argsort(places, kind="stable"), gap * np.arange(len(places))
    groups: list[tuple[float, int]] = []  # (mean, count): neighbours that push each other share their mean
    for value in np.asarray(places, dtype=float)[order] - steps:
        mean, count = float(value), 1
        while groups and groups[-1][0] > mean:
            before, before_count = groups.pop()
            mean, count = (before * before_count + mean * count) / (before_count + count), before_count + count
        groups.append((mean, count))
    moved = np.repeat([mean for mean, _ in groups], [count for _, count in groups]) + steps
    result = np.empty(len(places))
    result[order] = np.maximum(np.minimum(moved, high - steps[::-1]), low + steps)
    return list(result)


def shown_note(notes: Sequence[str]) -> str:
    """The part of the sweep that a figure shows, for its caption; empty where it shows everything."""
    return f"Shown: {', '.join(notes)}" if notes else ""
