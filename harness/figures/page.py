"""A page: title, sentence, legends, a grid of panels, caption. Parts have fixed heights in inches, so none overlaps."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.figures.style import GREY, look
from harness.figures.text import MINUS, clean
from harness.store import publish

WIDTH = 8.6  # inches; at 150 dpi about 1300 pixels, which a README shows at 800
DPI = 150
_LINE = {"title": 0.27, "sentence": 0.2, "legend": 0.21, "caption": 0.165}  # inches


@dataclass(frozen=True)
class Heading:
    """What stands over a figure."""

    title: str
    sentence: str = ""


@dataclass(frozen=True)
class Grid:
    """The panels: rows and columns, the height of a row in inches, relative widths of columns."""

    rows: int
    columns: int
    height: float = 2.6  # of a row, on average
    widths: Sequence[float] | None = None
    heights: Sequence[float] | None = None
    sharex: bool | str = True
    sharey: bool | str = True


def page(
    heading: Heading, grid: Grid, caption: str, legends: Sequence[Sequence[tuple[Artist, str]]] = ()
) -> tuple[Figure, np.ndarray]:
    """An empty page; returns the figure and its axes, (rows, columns). Each legend begins on a line of its own."""
    title = textwrap.wrap(clean(heading.title, 200), 84)
    sentence = textwrap.wrap(clean(heading.sentence, 400), 118) if heading.sentence else []
    notes = textwrap.wrap(caption, 138)
    legends = [(legend, _legend_columns([label for _, label in legend])) for legend in legends if legend]
    lines = [("title", len(title)), ("sentence", len(sentence))]
    lines += [("legend", ceil(len(legend) / columns)) for legend, columns in legends]
    top = 0.1 + sum(_LINE[name] * count for name, count in lines) + 0.04
    bottom = 0.1 + _LINE["caption"] * len(notes)
    height = top + grid.rows * grid.height + bottom
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(rect=(0.005, bottom / height, 0.985, (height - top - bottom) / height),
                                   w_pad=0.06, h_pad=0.05, hspace=0, wspace=0.02)  # fmt: skip
    y = _texts(figure, title, height - 0.08, "title", {"fontsize": 12.5, "weight": "bold"})
    y = _texts(figure, sentence, y, "sentence", {"fontsize": 9.5})
    _legends(figure, legends, y)
    _texts(figure, notes, bottom - 0.06, "caption", {"fontsize": 8, "color": "#505050"})
    axes = figure.subplots(grid.rows, grid.columns, sharex=grid.sharex, sharey=grid.sharey, squeeze=False,
                           width_ratios=grid.widths, height_ratios=grid.heights)  # fmt: skip
    return figure, axes


def _texts(figure: Figure, lines: Sequence[str], y: float, name: str, style: dict) -> float:
    """Lines of text from y inches downwards; returns where they end."""
    for line in lines:
        figure.text(0.09 / WIDTH, y / figure.get_figheight(), line, va="top", **style)
        y -= _LINE[name]
    return y


def _legends(figure: Figure, legends: Sequence[tuple[Sequence, int]], y: float) -> None:
    """Legends, each with its number of columns, from y inches downwards."""
    for legend, columns in legends:
        figure.legend(*zip(*_by_row(legend, columns), strict=True), loc="upper left", ncols=columns,
                      bbox_to_anchor=(0.02 / WIDTH, y / figure.get_figheight()))  # fmt: skip
        y -= _LINE["legend"] * ceil(len(legend) / columns)


def _by_row(legend: Sequence, columns: int) -> list:
    """A legend fills columns; reordered so that its entries read row by row."""
    return [legend[place] for column in range(columns) for place in range(column, len(legend), columns)]


def _legend_columns(labels: Sequence[str]) -> int:
    """As many columns as fit: 0.073 inches a letter at 9 points, and 0.55 for the line before it and the gap."""
    for columns in range(len(labels), 1, -1):
        widest = [max(len(label) for label in labels[column::columns]) for column in range(columns)]
        if sum(0.073 * letters + 0.55 for letters in widest) < WIDTH - 0.2:
            return columns
    return 1


def shape(count: int, most_columns: int = 3) -> tuple[int, int]:
    """Rows and columns for so many panels: 4 are 2 × 2, 5 and 6 are 2 × 3."""
    columns = 2 if count == 4 and most_columns < 4 else min(count, most_columns)
    return ceil(count / max(columns, 1)), max(columns, 1)


def used(axes: np.ndarray, count: int) -> list[Axes]:
    """The first panels; those left over are taken away, and the ones above them get their tick labels back."""
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.remove()
    for place in range(max(count - axes.shape[1], 0), count):
        flat[place].tick_params(labelbottom=True)
    return flat[:count]


def outer(axes: np.ndarray, count: int, x: str, y: str) -> None:
    """Axis labels at the left and the lower edge of a grid of panels."""
    columns = axes.shape[1]
    for place, panel in enumerate(list(axes.flat)[:count]):
        if place % columns == 0:
            panel.set_ylabel(y)
        if place >= (axes.shape[0] - 1) * columns:
            panel.set_xlabel(x)


def panel_title(axes: Axes, label: str, note: str = "", remark: str = "") -> None:
    """A panel's name, and under it in small letters a remark and, in red, what is amiss in it."""
    columns = axes.get_subplotspec().get_gridspec().ncols
    wide = 146 // columns - 7  # letters
    lines = [(line, "#a11") for line in textwrap.wrap(note, wide)]
    lines += [(line, "#505050") for line in textwrap.wrap(remark, wide)]
    whole = re.sub("(?<!,) ", "\u00a0", clean(label, 120))  # lines end after commas, if they can
    name = textwrap.wrap(whole, max(96 // columns - 4, 12), max_lines=3, placeholder="…")
    axes.set_title("\n".join(name).replace("\u00a0", " "), pad=5 + 10.5 * len(lines))
    for place, (line, colour) in enumerate(reversed(lines)):
        axes.annotate(line, (0, 1), (0, 3 + 10.5 * place), xycoords="axes fraction", textcoords="offset points",
                      fontsize=7.8, color=colour, va="bottom").set_in_layout(False)  # fmt: skip


def empty(axes: Axes, text: str) -> None:
    """Say in a panel why it is empty."""
    axes.text(0.5, 0.5, textwrap.fill(text, 30), transform=axes.transAxes, ha="center", va="center", color=GREY,
              fontsize=9, backgroundcolor="white", zorder=5)  # fmt: skip


def zero_line(axes: Axes) -> None:
    axes.axhline(0, color="#555555", linewidth=0.8, zorder=1.5)


def plain_ticks(axis, most: int = 6, whole: bool = False) -> None:
    """Few ticks, true minus signs, no offsets and no powers."""
    axis.set_major_locator(MaxNLocator(most, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _) -> str:
    return f"{value:,.10g}".replace("-", MINUS).replace(",", " ")


def layer_axis(axes: Axes, depth: int, downwards: bool = False) -> None:
    """Layers, whole numbers from 1; `downwards`: from the output, left, to the input, the way a gradient goes."""
    margin = max(0.02 * depth, 0.3)
    axes.set_xlim(*((depth + margin, 1 - margin) if downwards else (1 - margin, depth + margin)))
    ticks = MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]).tick_values(0, depth)
    inner = [tick for tick in ticks if 1 + 0.13 * depth < tick <= (0.9 * depth if downwards else depth)]
    axes.set_xticks([1, *inner, *([depth] if downwards and depth > 1 else [])])
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))


def apart(places: Sequence[float], gap: float, low: float = -np.inf, high: float = np.inf) -> list[float]:
    """Places moved as little as needed to be a gap from each other, and within [low, high]; their order is kept."""
    order = np.argsort(places, kind="stable")
    wanted = np.asarray(places, dtype=float)[order] - gap * np.arange(len(places))
    blocks: list[list[float]] = []  # [mean, count]: neighbours that push each other share their mean
    for value in wanted:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            last, count = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + last * count) / (blocks[-1][1] + count),
                blocks[-1][1] + count,
            ]
    moved = np.repeat([mean for mean, _ in blocks], [int(count) for _, count in blocks]) + gap * np.arange(len(places))
    steps = gap * np.arange(len(places))
    moved = np.minimum(moved, high - steps[::-1]) if len(places) else moved
    moved = np.maximum(moved, low + steps)
    result = np.empty(len(places))
    result[order] = moved
    return list(result)


def write(
    module: ModuleType, layers: pd.DataFrame, networks: pd.DataFrame, folder: Path, title: str, sentence: str
) -> list[Path]:
    """Draw one figure into a folder as PNG and SVG, the same bytes for the same tables."""
    name = module.__name__.rpartition(".")[2]
    prepared = module.prepare(layers, networks)
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    with look():
        figure = module.draw(prepared, Heading(title or module.HEADING.title, sentence))
        _settle(figure)
        publish(paths[0], _saved(figure, format="png", dpi=DPI, metadata={"Software": None}))
        publish(paths[1], _saved(figure, format="svg", metadata={"Date": None, "Creator": None}))
    return paths


def _saved(figure: Figure, **options) -> memoryview:
    content = BytesIO()
    figure.savefig(content, facecolor="white", **options)
    return content.getbuffer()


def _settle(figure: Figure) -> None:
    """Lay the page out once, on a grid: the solver's last bits differ from run to run, and would show in the bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        box = axes.get_position(original=True)
        axes.set_position([round(number, 6) for number in box.bounds])


def caption(*parts: str) -> str:
    """Sentences joined; empty ones left out; each begins with a capital and ends with a full stop."""
    said = [part.strip().rstrip(".") for part in parts if part and part.strip()]
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in said)
