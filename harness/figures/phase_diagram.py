"""Phase diagram: decades of attenuation over weight scale and depth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from harness.figures import text
from harness.figures.marks import shown
from harness.figures.page import Grid, Heading, caption, page, panel_title, shape, used
from harness.figures.settings import Panels, activations, panels, ranked, with_settings
from harness.figures.spread import spread
from harness.figures.style import GREY, INK, THEORY
from harness.theory import edge_scale

Array = np.ndarray

HEADING = Heading("Where the gradient vanishes and where it explodes")
MOST_PANELS = 9
CLIP = 30.0  # decades: beyond, more of the same colour says nothing; the colour bar shows that there is more
MOST_NUMBERS = 130  # cells with a number in them, per panel
# Blue to red over white: told apart by all kinds of colour vision; in grey the numbers, or their signs, tell.
COLOURS = LinearSegmentedColormap.from_list(
    "attenuation", ["#053061", "#4393c3", "#d1e5f0", "#ffffff", "#fddbc7", "#d6604d", "#67001f"]
)


@dataclass(frozen=True)
class Prepared:
    """cells: setting, activation, weight_scale, depth, draws, unknown, dead, low, median, high of the attenuation.

    edges: (activation, setting) -> weight scale at which theory has neither vanishing nor exploding; NaN: none.
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
    """Median attenuation of every cell; a dead network is −inf, below all others."""
    names, left_out = activations(networks)
    networks, varying = with_settings(networks, without=("weight_scale",))
    chosen = panels(networks, varying, max(MOST_PANELS // len(names), 1), without=("weight_scale",))
    networks = ranked(networks[networks["setting"].isin(chosen.labels)], names)
    gain = networks["log10_gradient_gain"].mask(networks["dead_from_layer"].notna(), -np.inf)
    cells = spread(networks.assign(gain=gain), ["setting", "activation", "weight_scale", "depth"], "gain")
    return Prepared(cells, networks, chosen, names, tuple(filter(None, (chosen.note, left_out))), _edges(networks))


def _edges(networks: pd.DataFrame) -> dict[tuple[str, int], float]:
    """Theory's edge of each panel, of infinite width: the init, and so σ_w at scale 1, and σ_b are the panel's."""
    firsts = networks.drop_duplicates(["activation", "setting"])
    return {
        (str(row.activation), row.setting): edge_scale(str(row.activation), row.sigma_w / row.weight_scale, row.sigma_b)
        for row in firsts.itertuples()
    }


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """A panel per activation and setting: depth to the right, weight scale upwards."""
    keys = [(setting, name) for setting in prepared.panels.labels for name in prepared.activations]
    rows, columns = shape(len(keys), len(prepared.activations) if 1 < len(prepared.activations) <= 3 else 3)
    scales = prepared.cells["weight_scale"].nunique()
    grid = Grid(rows, columns, height=4.3 if rows == 1 and scales > 8 else 3.2)
    figure, axes = page(heading, grid, _caption(prepared), [_legend(prepared)])
    flat = used(axes, len(keys))
    finite = prepared.cells["median"][np.isfinite(prepared.cells["median"])].abs()
    limit = min(max(float(finite.max()) if len(finite) else 1.0, 1.0), CLIP)
    for panel, (setting, name) in zip(flat, keys, strict=True):
        cells = prepared.cells[(prepared.cells["setting"] == setting) & (prepared.cells["activation"] == name)]
        mesh = _panel(panel, cells, limit)
        label = text.clean(name, 24) + (
            f", {prepared.panels.labels[setting]}" if len(prepared.panels.labels) > 1 else ""
        )
        own = prepared.networks[(prepared.networks["setting"] == setting) & (prepared.networks["activation"] == name)]
        panel_title(panel, label, text.losses(own, name_activation=False, most=2))
        _edge(panel, prepared, name, setting)
    for place, panel in enumerate(flat):
        panel.set_xlabel("depth (layers)" if place + columns >= len(keys) else "")
        panel.set_ylabel("weight scale" if place % columns == 0 else "")
    extend = _extend(prepared.cells["median"], limit)
    bar = figure.colorbar(mesh, ax=flat, shrink=0.9, pad=0.01, aspect=28 * rows, extend=extend)
    bar.set_label("median attenuation (decades)")
    bar.ax.yaxis.set_major_formatter(lambda value, _: text.number(value, ".3g"))
    return figure


def cell_edges(values: Array) -> Array:
    """Borders half-way between values, on the scale of logarithms."""
    logs = np.log2(values)
    middle = (logs[1:] + logs[:-1]) / 2
    first = logs[0] - (middle[0] - logs[0]) if len(middle) else logs[0] - 0.5
    last = logs[-1] + (logs[-1] - middle[-1]) if len(middle) else logs[-1] + 0.5
    return np.array([first, *middle, last])


def _panel(axes: Axes, cells: pd.DataFrame, limit: float):
    """Cells by colour, dead ones hatched; axes are log2 of depth and of weight scale."""
    table = cells.pivot(index="weight_scale", columns="depth", values="median").sort_index()
    scales, depths, values = table.index.to_numpy(dtype=float), table.columns.to_numpy(dtype=float), table.to_numpy()
    x, y = cell_edges(depths), cell_edges(scales)
    axes.set_facecolor("#bdbdbd")
    mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(values), cmap=COLOURS, norm=Normalize(-limit, limit),
                           edgecolors="face", linewidth=0.05)  # fmt: skip
    dead = np.ma.masked_where(~np.isneginf(values), np.zeros_like(values))
    if dead.count():
        axes.pcolor(x, y, dead, cmap=LinearSegmentedColormap.from_list("dead", [INK, INK]), edgecolor="#d9d9d9",
                    hatch="xx", linewidth=0)  # fmt: skip
    if values.size <= MOST_NUMBERS:
        _numbers(axes, np.log2(depths), np.log2(scales), values, limit)
    for axis, numbers in ((axes.xaxis, depths), (axes.yaxis, scales)):
        some = list(range(0, len(numbers), -(-len(numbers) // 13)))
        axis.set_ticks(np.log2(numbers[some]), [text.numbers(numbers)[i] for i in some])
        axis.set_minor_locator(NullLocator())
    axes.grid(False)
    return mesh


def _numbers(axes: Axes, x: Array, y: Array, values: Array, limit: float) -> None:
    size = 7.5 if len(x) <= 7 else 6.5
    for i, j in zip(*np.nonzero(~np.isnan(values)), strict=True):
        value = values[i, j]
        dead, digits = np.isneginf(value), ".1f" if abs(value) < 9.95 else ".0f"
        ground = INK if dead else COLOURS(0.5 + value / (2 * limit))  # over theory's line
        axes.text(x[j], y[i], "dead" if dead else text.number(value, digits), ha="center", va="center", fontsize=size,
                  color="white" if abs(value) > 0.62 * limit else INK,
                  bbox={"facecolor": ground, "edgecolor": "none", "pad": 1})  # fmt: skip


def _edge(axes: Axes, prepared: Prepared, name: str, setting: int) -> None:
    """Theory's edge, dashed, where it was given and is within the panel."""
    edge = prepared.edges.get((name, setting), np.nan)
    low, high = axes.get_ylim()
    if edge > 0 and low <= np.log2(edge) <= high:
        axes.axhline(np.log2(edge), color=INK, linewidth=1.6, linestyle=THEORY, label="theory")


def _extend(medians: pd.Series, limit: float) -> str:
    finite = medians[np.isfinite(medians)]
    low, high = bool((finite < -limit).any()), bool((finite > limit).any())
    return "both" if low and high else "min" if low else "max" if high else "neither"


def _legend(prepared: Prepared) -> list:
    entries = [
        (Patch(facecolor=COLOURS(0.12)), "vanishes"),
        (Patch(facecolor="white", edgecolor=GREY), "holds"),
        (Patch(facecolor=COLOURS(0.88)), "explodes"),
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
    beyond = f"Colours are clipped at ±{CLIP:g} decades" if _extend(prepared.cells["median"], CLIP) != "neither" else ""
    return caption(
        f"{meaning}; median of {text.draws(_cellwise(prepared))}", beyond, prepared.panels.shared, shown(prepared.notes)
    )


def _cellwise(prepared: Prepared) -> pd.DataFrame:
    """The networks with a cell's own coordinates as their setting, to count draws per cell."""
    keys = ["setting", "weight_scale"]
    return prepared.networks.assign(setting=prepared.networks.groupby(keys, sort=True).ngroup())
