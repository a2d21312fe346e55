"""The median attenuation as a colour over depth and weight scale, with theory's edge between its signs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from harness.base.arrays import Array
from harness.base.numbers import MINUS, distinct_numbers, number
from harness.figures.kit import text
from harness.figures.kit.marks import shown_note
from harness.figures.kit.page import Grid, Heading, caption, grid_shape, keep_panels, new_page, panel_title
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.settings import MOST_ACTIVATIONS, Panels, select
from harness.figures.kit.style import GREY, INK, THEORY
from harness.theory import edge_scale

HEADING = Heading("Where the gradient vanishes and where it explodes")
MOST_PANELS = 9
EVEN = 3.0  # decades: colours change evenly up to ±EVEN, and with the logarithm beyond
DARK = 0.3  # of the way from white to an end of the colours: beyond, letters are white
TICKS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000)  # decades, of the colour bar
MOST_NUMBERS = 130  # cells with a number in them, per panel; in more cells there is a sign
# Blue to red over white: told apart by all kinds of colour vision; in grey the numbers, or their signs, tell.
COLOURS = LinearSegmentedColormap.from_list(
    "attenuation", ["#053061", "#4393c3", "#d1e5f0", "#ffffff", "#fddbc7", "#d6604d", "#67001f"]
)


@dataclass(frozen=True)
class Prepared:
    """cells: setting, activation, weight_scale, depth, draws, unknown, dead, low, median, high of the attenuation.

    edges: (activation, setting) -> the weight scale at which χ₁ = 1; NaN where there is none.
    """

    cells: pd.DataFrame
    networks: pd.DataFrame
    panels: Panels
    activations: tuple[str, ...]
    notes: tuple[str, ...]
    edges: Mapping[tuple[str, int], float]


def applies(networks: pd.DataFrame) -> str | None:
    missing = [
        word for name, word in (("weight_scale", "weight scale"), ("depth", "depth")) if networks[name].nunique() < 2
    ]
    return f"needs more than one {' and '.join(missing)}" if missing else None


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """The median attenuation in every cell; that of a dead network is −∞."""
    most_settings = max(MOST_PANELS // min(networks["activation"].nunique(), MOST_ACTIVATIONS), 1)
    chosen = select(networks, most_settings, without=("weight_scale",))
    networks = chosen.networks
    gain = networks["log10_gradient_gain"].mask(networks["dead_from_layer"].notna(), -np.inf)
    cells = quartiles(networks.assign(gain=gain), ["setting", "activation", "weight_scale", "depth"], "gain")
    return Prepared(cells, networks, chosen.panels, chosen.activations, chosen.notes, _edges(networks))


def _edges(networks: pd.DataFrame) -> dict[tuple[str, int], float]:
    """The weight scale of each panel at which χ₁ = 1 at infinite width, for the panel's σ_b and its σ_w at scale 1."""
    firsts = networks.drop_duplicates(["activation", "setting"])
    return {
        (str(row.activation), row.setting): edge_scale(str(row.activation), row.sigma_w / row.weight_scale, row.sigma_b)
        for row in firsts.itertuples()
    }


def finding(prepared: Prepared) -> str:
    """The weight scales at which the deepest networks of each activation stay within ±EVEN decades."""
    depth = prepared.cells["depth"].max()
    deepest = prepared.cells[prepared.cells["depth"] == depth]
    parts = [_holds(name, deepest[deepest["activation"] == name]) for name in prepared.activations[:3]]
    return f"Weight scales that keep a gradient within {EVEN:g} decades over {depth} layers: {', '.join(parts)}"


def _holds(name: str, cells: pd.DataFrame) -> str:
    scales = cells[cells["median"].abs() <= EVEN]["weight_scale"]
    if scales.empty:
        return f"none ({text.clean(name, 24)})"
    ends = distinct_numbers([scales.min(), scales.max()])
    return f"{ends[0] if ends[0] == ends[1] else ' to '.join(ends)} ({text.clean(name, 24)})"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel per activation and setting: depth to the right, weight scale upwards."""
    keys = [(setting, name) for setting in prepared.panels.labels for name in prepared.activations]
    rows, columns = grid_shape(len(keys), len(prepared.activations) if 1 < len(prepared.activations) <= 3 else 3)
    scales = prepared.cells["weight_scale"].nunique()
    grid = Grid(rows, columns, height=4.3 if rows == 1 and scales > 8 else 3.2)
    figure, axes = new_page(heading, grid, _caption(prepared), [_legend(prepared)])
    flat = keep_panels(axes, len(keys))
    limit = _colour_limit(prepared.cells["median"])
    for panel, (setting, name) in zip(flat, keys, strict=True):
        cells = prepared.cells[(prepared.cells["setting"] == setting) & (prepared.cells["activation"] == name)]
        mesh = _panel(panel, cells, limit)
        _title(panel, prepared, name, setting)
        _edge(panel, prepared, name, setting)
    for place, panel in enumerate(flat):
        panel.set_xlabel("depth (layers)" if place + columns >= len(keys) else "")
        panel.set_ylabel("weight scale" if place % columns == 0 else "")
    bar = figure.colorbar(mesh, ax=flat, shrink=0.9, pad=0.01, aspect=28 * rows)
    bar.set_ticks([sign * tick for tick in TICKS if tick <= limit for sign in (-1, 1)])
    bar.minorticks_off()
    bar.set_label("median attenuation (decades)")
    bar.ax.yaxis.set_major_formatter(lambda value, _: number(value, "+.4g"))
    return figure


def _colour_limit(medians: pd.Series) -> float:
    """The largest magnitude of a finite median, at least 2·EVEN decades."""
    finite = medians[np.isfinite(medians)].abs()
    return max(float(finite.max()) if len(finite) else 0.0, 2 * EVEN)


def _title(axes: Axes, prepared: Prepared, name: str, setting: int) -> None:
    label = f", {prepared.panels.labels[setting]}" if len(prepared.panels.labels) > 1 else ""
    shown = (prepared.networks["setting"] == setting) & (prepared.networks["activation"] == name)
    note = text.dead_and_unknown(prepared.networks[shown], name_activation=False, most=2)
    panel_title(axes, text.clean(name, 24) + label, note)


def cell_edges(values: Array) -> Array:
    """Borders of cells, (n + 1,): half-way between the values (n,), in units of log2."""
    logs = np.log2(values)
    middle = (logs[1:] + logs[:-1]) / 2
    first = logs[0] - (middle[0] - logs[0]) if len(middle) else logs[0] - 0.5
    last = logs[-1] + (logs[-1] - middle[-1]) if len(middle) else logs[-1] + 0.5
    return np.array([first, *middle, last])


def _panel(axes: Axes, cells: pd.DataFrame, limit: float) -> QuadMesh:
    """Draw cells in colours, with dead ones hatched; the axes are log2 of depth and of weight scale."""
    table = cells.pivot(index="weight_scale", columns="depth", values="median").sort_index()
    scales, depths, values = table.index.to_numpy(dtype=float), table.columns.to_numpy(dtype=float), table.to_numpy()
    x, y, known = cell_edges(depths), cell_edges(scales), np.ma.masked_invalid(values)
    axes.set_facecolor("#bdbdbd")
    norm = _stretched(limit)
    mesh = axes.pcolormesh(x, y, known, cmap=COLOURS, norm=norm, edgecolors="face", linewidth=0.05)
    dead = np.ma.masked_where(~np.isneginf(values), np.zeros_like(values))
    if dead.count():
        black = LinearSegmentedColormap.from_list("dead", [INK, INK])
        axes.pcolor(x, y, dead, cmap=black, edgecolor="#d9d9d9", hatch="xx", linewidth=0)
    write = _numbers if values.size <= MOST_NUMBERS else _signs
    write(axes, np.log2(depths), np.log2(scales), values, limit)
    for axis, coordinates in ((axes.xaxis, depths), (axes.yaxis, scales)):
        ticks = list(range(0, len(coordinates), -(-len(coordinates) // 13)))
        axis.set_ticks(np.log2(coordinates[ticks]), [distinct_numbers(coordinates)[i] for i in ticks])
        axis.set_minor_locator(NullLocator())
    axes.grid(False)
    return mesh


def _numbers(axes: Axes, x: Array, y: Array, values: Array, limit: float) -> None:
    size = 7.5 if len(x) <= 7 else 6.5
    for i, j in zip(*np.nonzero(~np.isnan(values)), strict=True):
        value = values[i, j]
        dead, digits = np.isneginf(value), "+.1f" if abs(value) < 9.95 else "+.0f"
        colour = _stretched(limit)(value)
        background = INK if dead else COLOURS(colour)  # over theory's line
        axes.text(
            x[j],
            y[i],
            "dead" if dead else number(value, digits),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dead or abs(colour - 0.5) > DARK else INK,
            bbox={"facecolor": background, "edgecolor": "none", "pad": 1},
        )


def _signs(axes: Axes, x: Array, y: Array, values: Array, limit: float) -> None:
    """Write + and − into cells beyond ±EVEN decades: in grey the two ends of the colours look the same."""
    colours = _stretched(limit)(np.nan_to_num(values, neginf=0.0))
    for i, j in zip(*np.nonzero(np.isfinite(values) & (np.abs(values) > EVEN)), strict=True):
        colour = "white" if abs(colours[i, j] - 0.5) > DARK else INK
        sign = "+" if values[i, j] > 0 else MINUS
        axes.text(x[j], y[i], sign, ha="center", va="center", fontsize=7, color=colour)


def _stretched(limit: float) -> SymLogNorm:
    """Decades to colours."""
    return SymLogNorm(EVEN, vmin=-limit, vmax=limit, base=10)


def _edge(axes: Axes, prepared: Prepared, name: str, setting: int) -> None:
    """Draw the weight scale at which χ₁ = 1, dashed, if it is within the panel."""
    edge = prepared.edges.get((name, setting), np.nan)
    low, high = axes.get_ylim()
    if edge > 0 and low <= np.log2(edge) <= high:
        axes.axhline(np.log2(edge), color=INK, linewidth=1.6, linestyle=THEORY, label="theory")


def _legend(prepared: Prepared) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = [
        (Patch(facecolor=COLOURS(0.12)), f"vanishes ({MINUS})"),
        (Patch(facecolor="white", edgecolor=GREY), "holds"),
        (Patch(facecolor=COLOURS(0.88)), "explodes (+)"),
    ]
    if np.isneginf(prepared.cells["median"]).any():
        entries.append((Patch(facecolor=INK, edgecolor="#d9d9d9", hatch="xx"), "dead in the median"))
    if prepared.cells["median"].isna().any():
        entries.append((Patch(facecolor="#bdbdbd"), "not known"))
    if any(edge > 0 for edge in prepared.edges.values()):
        entries.append((Line2D([], [], color=INK, linewidth=1.6, linestyle=THEORY), "theory's edge at infinite width"))
    return entries


def _caption(prepared: Prepared) -> str:
    meaning = "Attenuation: log₁₀ of ‖∂C/∂z‖ at the first layer over that at the last"
    beyond = f"Colours change evenly up to ±{EVEN:g} decades, and with the logarithm beyond"
    return caption(
        f"{meaning}; median of {text.draw_count(_cellwise(prepared))}",
        beyond,
        prepared.panels.shared,
        shown_note(prepared.notes),
    )


def _cellwise(prepared: Prepared) -> pd.DataFrame:
    """The networks with a setting for each cell, so that draws are counted per cell."""
    keys = ["setting", "weight_scale"]
    return prepared.networks.assign(setting=prepared.networks.groupby(keys, sort=True).ngroup())
