"""Marks that several figures make: bands, legend entries of activations, parts of captions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.figures.style import WEIGHTS, looks
from harness.figures.text import clean

HATCHED = {"facecolor": "#e3e3e3", "edgecolor": WEIGHTS, "hatch": "////"}  # areas and bars of the weights


def band(axes: Axes, x: str, rows: pd.DataFrame, colour: str, alpha: float = 0.22) -> None:
    """The middle half of the draws, where there is more than one; not below a quartile that is −∞."""
    some = rows[(rows["draws"] - rows["unknown"] > 1) & np.isfinite(rows["low"]) & np.isfinite(rows["high"])]
    axes.fill_between(some[x], some["low"], some["high"], color=colour, alpha=alpha, linewidth=0)


def entries(labels: Sequence[str], only: Sequence[str] | None = None, **style) -> list[tuple[Line2D, str]]:
    """Legend entries of the activations, or of some of them."""
    found = looks(labels)
    return [
        (Line2D([], [], color=look.colour, linestyle=look.line, marker=look.marker, **style), clean(label))
        for label, look in found.items()
        if only is None or label in only
    ]


def shown(notes: Sequence[str]) -> str:
    """What part of the sweep a figure shows, for its caption; nothing where it shows all."""
    return f"Shown: {', '.join(notes)}" if notes else ""
