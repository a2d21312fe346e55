"""A page: title, sentence, legends, a grid of panels, caption. Parts have fixed heights in inches, so none overlaps."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.base.numbers import formatted
from harness.figures.kit.style import GREY, INK
from harness.figures.kit.text import bold_lines, clean, in_lines

WIDTH = 8.6  # inches; at 150 dpi about 1300 pixels, which a README shows at 800
NARROWEST_PANEL = 2.2  # inches; a narrower page has fewer columns of panels
DPI = 150
LEGEND_LINE = 0.21  # height in inches
LETTER = 0.073  # width in inches, at the 9 points of legends

Share = bool | Literal["none", "all", "row", "col"]
Legend = Sequence[tuple[Artist, str]]


@dataclass(frozen=True)
class TextStyle:
    """Style of a text on the page: height of a line in inches, size in points, weight and colour."""

    line: float
    size: float
    weight: str = "normal"
    colour: str = INK


TITLE, SENTENCE, CAPTION = TextStyle(0.27, 12.5, "bold"), TextStyle(0.2, 9.5), TextStyle(0.165, 8, colour="#505050")


@dataclass(frozen=True)
class Heading:
    """The text above a figure."""

    title: str
    sentence: str = ""


@dataclass(frozen=True)
class Grid:
    """The panels: rows and columns, the mean height of a row in inches, relative widths and heights.

    `narrowest`: width of a column in inches; on a page with less for each, all panels stand one below the other.
    """

    rows: int
    columns: int
    height: float = 2.6
    widths: Sequence[float] | None = None
    heights: Sequence[float] | None = None
    sharex: Share = True
    sharey: Share = True
    narrowest: float = 1.2

    @property
    def stacked(self) -> bool:
        return self.columns > 1 and page_width() < self.columns * self.narrowest


def new_page(heading: Heading, grid: Grid, caption: str, legends: Sequence[Legend] = ()) -> tuple[Figure, np.ndarray]:
    """An empty page: the figure and its axes (rows, columns). Each legend begins on a line of its own."""
    title = bold_lines(clean(heading.title, 220), TITLE.size, 72 * (page_width() - 0.3))
    sentence = _wrapped(clean(heading.sentence, 400), 118) if heading.sentence else []
    notes = _wrapped(caption, 138)
    legends = [_fitted(legend) for legend in legends if legend]
    legend_lines = sum(_legend_lines(legend) for legend in legends)
    top = 0.1 + sum((TITLE.line * len(title), SENTENCE.line * len(sentence), LEGEND_LINE * legend_lines)) + 0.04
    bottom = 0.1 + CAPTION.line * len(notes)
    height = top + grid.rows * grid.height * (grid.columns if grid.stacked else 1) + bottom
    figure = Figure(figsize=(page_width(), height), layout=_layout(top / height, bottom / height))
    y = _write_lines(figure, title, height - 0.08, TITLE)
    y = _write_lines(figure, sentence, y, SENTENCE)
    _add_legends(figure, legends, y)
    _write_lines(figure, notes, bottom - 0.06, CAPTION)
    if grid.stacked:
        return figure, _stack(figure, grid)
    size, shared, ratios = (grid.rows, grid.columns), (grid.sharex, grid.sharey), (grid.widths, grid.heights)
    return figure, figure.subplots(
        *size, sharex=shared[0], sharey=shared[1], squeeze=False, width_ratios=ratios[0], height_ratios=ratios[1]
    )


def _stack(figure: Figure, grid: Grid) -> np.ndarray:
    """The panels of a grid one below the other, row by row, as an array (rows, columns)."""
    heights = None if grid.heights is None else list(np.repeat(grid.heights, grid.columns))
    axes = figure.subplots(grid.rows * grid.columns, 1, squeeze=False, height_ratios=heights)
    axes = axes.reshape(grid.rows, grid.columns)
    for share, join in ((grid.sharex, Axes.sharex), (grid.sharey, Axes.sharey)):
        firsts = {True: axes[:1, :1], "all": axes[:1, :1], "row": axes[:, :1], "col": axes[:1]}.get(share, axes)
        for panel, first in zip(axes.flat, np.broadcast_to(firsts, axes.shape).flat, strict=True):
            if panel is not first:
                join(panel, first)
    return axes


_page_width: ContextVar[float] = ContextVar("page_width", default=WIDTH)


def page_width() -> float:
    """The width of the page that is drawn, in inches."""
    return _page_width.get()


@contextmanager
def page_of_width(inches: float) -> Iterator[None]:
    """Draw pages of another width than WIDTH. Texts keep their size, and lines are broken earlier."""
    token = _page_width.set(inches)
    try:
        yield
    finally:
        _page_width.reset(token)


def _wrapped(text: str, letters: int) -> list[str]:
    """Lines of a text, `letters` of which fit on a page of WIDTH."""
    return textwrap.wrap(text, max(int(letters * page_width() / WIDTH), 12))


def _layout(top: float, bottom: float) -> ConstrainedLayoutEngine:
    """Panels between the texts at the top and at the bottom, whose heights are fractions of the page."""
    rect = (0.005, bottom, 0.985, 1 - top - bottom)
    return ConstrainedLayoutEngine(rect=rect, w_pad=0.06, h_pad=0.05, hspace=0, wspace=0.02)


def _write_lines(figure: Figure, lines: Sequence[str], y: float, style: TextStyle) -> float:
    """Write lines of text from y inches downwards; returns the y below them."""
    for line in lines:
        at = 0.09 / page_width(), y / figure.get_figheight()
        figure.text(*at, line, va="top", fontsize=style.size, weight=style.weight, color=style.colour)
        y -= style.line
    return y


def _add_legends(figure: Figure, legends: Sequence[Legend], y: float) -> None:
    """Add legends one below the other, from y inches downwards."""
    for legend in legends:
        columns = _legend_columns(legend)
        handles, labels = zip(*_by_row(legend, columns), strict=True)
        corner = (0.02 / page_width(), y / figure.get_figheight())
        figure.legend(handles, labels, loc="upper left", ncols=columns, bbox_to_anchor=corner)
        y -= LEGEND_LINE * _legend_lines(legend)


def _fitted(legend: Legend) -> Legend:
    """The entries with line breaks in labels that are wider than a page."""
    letters = max(int((page_width() - 0.75) / LETTER), 12)
    return [(artist, "\n".join(textwrap.wrap(label, letters))) for artist, label in legend]


def _by_row(legend: Legend, columns: int) -> Legend:
    """The entries in an order that reads row by row: matplotlib fills a legend column by column."""
    return [legend[place] for column in range(columns) for place in range(column, len(legend), columns)]


def _legend_lines(legend: Legend) -> int:
    columns = _legend_columns(legend)
    rows = [legend[place : place + columns] for place in range(0, len(legend), columns)]
    return sum(max(label.count("\n") for _, label in row) + 1 for row in rows)


def _legend_columns(legend: Legend) -> int:
    """Number of columns that fit: LETTER for each, and 0.55 inches for the line before them and the gap."""
    for columns in range(len(legend), 1, -1):
        widest = [max(len(label) for _, label in legend[column::columns]) for column in range(columns)]
        if sum(LETTER * letters + 0.55 for letters in widest) < page_width() - 0.2:
            return columns
    return 1


def grid_shape(count: int, most_columns: int = 3) -> tuple[int, int]:
    """Rows and columns of a grid for so many panels: 4 are 2 × 2, 5 and 6 are 2 × 3."""
    most_columns = min(most_columns, max(int(page_width() / NARROWEST_PANEL), 1))
    columns = 2 if count == 4 and 1 < most_columns < 4 else min(count, most_columns)
    return ceil(count / max(columns, 1)), max(columns, 1)


def keep_panels(axes: np.ndarray, count: int) -> list[Axes]:
    """The first `count` panels. The others are removed, and the panels above them get tick labels."""
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.remove()
    for place in range(max(count - axes.shape[1], 0), count):
        flat[place].tick_params(labelbottom=True)
    return flat[:count]


def label_edges(axes: np.ndarray, count: int, x: str, y: str) -> None:
    """Label the axes at the left and the lower edge of a grid of panels; y of all where they are stacked."""
    columns = axes.shape[1]
    for place, panel in enumerate(list(axes.flat)[:count]):
        spec = panel.get_subplotspec()
        if place % columns == 0 or (spec and spec.get_gridspec().ncols < columns):
            panel.set_ylabel(y)
        if place + columns >= count:  # nothing below it
            panel.set_xlabel(x)


def panel_title(axes: Axes, label: str, note: str = "", remark: str = "") -> None:
    """Title a panel; below the title, in small letters, write a remark in grey and a note on missing data in red."""
    spec = axes.get_subplotspec()
    columns = spec.get_gridspec().ncols if spec else 1
    share = page_width() / WIDTH / columns
    wide = max(int(146 * share) - 7, 12)  # letters
    lines = [(line, "#a11") for line in textwrap.wrap(note, wide)]
    lines += [(line, "#505050") for line in textwrap.wrap(remark, wide)]
    axes.set_title(in_lines(label, max(int(96 * share) - 4, 12)), pad=5 + 10.5 * len(lines))
    for place, (line, colour) in enumerate(reversed(lines)):
        axes.annotate(
            line,
            (0, 1),
            (0, 3 + 10.5 * place),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=7.8,
            color=colour,
            va="bottom",
        ).set_in_layout(False)


def write_in_empty_panel(axes: Axes, text: str) -> None:
    """Write the reason why a panel is empty into its middle."""
    axes.text(
        0.5,
        0.5,
        textwrap.fill(text, 30),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=GREY,
        fontsize=9,
        backgroundcolor="white",
        zorder=5,
    )


def zero_line(axes: Axes) -> None:
    """A thin line at 0."""
    axes.axhline(0, color="#555555", linewidth=0.8, zorder=1.5)


def plain_ticks(axis: Axis, most: int = 6, whole: bool = False) -> None:
    """At most about so many ticks, written with true minus signs and without offsets or powers of ten."""
    axis.set_major_locator(MaxNLocator(most, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _: int | None) -> str:
    return formatted(value, ",.10g").replace(",", " ")


LAYER_AXIS = "layer: output → input"


def layer_axis(axes: Axes, depth: int) -> None:
    """Make x the layers from the output on the left, depth, to the input, 1: the way a gradient goes."""
    margin = max(0.02 * depth, 0.3)
    axes.set_xlim(depth + margin, 1 - margin)
    axes.set_xticks(layer_ticks(depth))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))


def layer_ticks(depth: int) -> list[float]:
    """The first and the last layer, and a few round numbers between them."""
    ticks = MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]).tick_values(0, depth)
    inner = [tick for tick in ticks if 1 + 0.13 * depth < tick <= 0.9 * depth]
    return [1, *inner, *([depth] if depth > 1 else [])]


def log_depths(axes: Axes, depths: Sequence[int]) -> None:
    """Make x the depths, on a logarithmic axis where they span more than a factor of ten."""
    if depths[-1] > 10 * depths[0]:
        axes.set_xscale("log", base=2)
        shown = depths[:: max(1, -(-len(depths) // 7))]
        axes.set_xticks(shown, [f"{depth}" for depth in shown])
        axes.set_xticks([], minor=True)
    else:
        plain_ticks(axes.xaxis, 5, whole=True)


def caption(*parts: str) -> str:
    """Sentences joined: each gets a capital letter and a full stop; empty ones are left out."""
    sentences = [part.strip().rstrip(".") for part in parts if part and part.strip()]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)
