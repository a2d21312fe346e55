"""Where number formats read a gradient as zero: the first depth, of each setting and activation."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.figures.kit.style import GREY, INK
from harness.figures.kit.text import clean

FORMATS = {"float32": ("s", 10), "float64": ("o", 14)}  # marker and size: rings around the median


def zero_depths(networks: pd.DataFrame) -> pd.DataFrame:
    """The first depth at which half of the living draws or more read zero: setting, activation, format, depth.

    Dead networks, whose gradient is zero, are left out.
    """
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


def draw_rings(axes: Axes, zeros: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Draw a ring around the median in `rows` at the first depth at which a format reads zero, of one setting."""
    points = zeros.merge(rows, on=["setting", "activation", "depth"])
    for point in points[np.isfinite(points["median"])].itertuples():
        marker, size = FORMATS[point.format]
        axes.plot(
            point.depth,
            point.median,
            marker,
            markersize=size,
            markerfacecolor="none",
            markeredgecolor=INK,
            markeredgewidth=1.3,
            zorder=4,
            clip_on=False,
        )


def zeros_in_words(zeros: pd.DataFrame) -> str:
    """The depths of one setting: `float32 reads 0 from depth 128 (sigmoid), 512 (relu)`."""
    parts = []
    for name in FORMATS:
        first = zeros[zeros["format"] == name].sort_values("depth", kind="stable")
        depths = [f"{row.depth} ({clean(row.activation, 20)})" for row in first.head(4).itertuples()]
        if depths:
            more = f" and {len(first) - 4} more" if len(first) > 4 else ""
            parts.append(f"{name} reads 0 from depth {', '.join(depths)}{more}")
    return "; ".join(parts)


def ring_entries(zeros: pd.DataFrame) -> list[tuple[Line2D, str]]:
    """Legend entries of the rings."""
    return [
        (
            Line2D(
                [],
                [],
                color=GREY,
                linestyle="none",
                marker=marker,
                markersize=size * 0.8,
                markerfacecolor="none",
                markeredgecolor=INK,
            ),
            f"{name} reads 0 from this depth on",
        )
        for name, (marker, size) in FORMATS.items()
        if (zeros["format"] == name).any()
    ]
