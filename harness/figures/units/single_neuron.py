"""The gradient of single neurons as colours over the plane of Wx and y, with contours of its closed form."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.base.numbers import number
from harness.figures.kit import text
from harness.figures.kit.page import Grid, Heading, caption, label_edges, new_page, panel_title, plain_ticks
from harness.figures.kit.settings import sweep_order
from harness.figures.kit.style import GREY, INK
from harness.results.rows import Layers, take

HEADING = Heading("One neuron: what is left of the error when it reaches the weight")
PLANE = (-5.0, 5.0, -3.0, 3.0)  # Wx and y: nearly all of the draws
LEVELS = (-1.5, -1.0, -0.5, 0.0, 0.5)  # decades
# The levels whose contours are drawn, and the points (Wx, y) of their labels; ReLU's lower contours are too close.
LABELS: dict[str, dict[float, list[tuple[float, float]]]] = {
    "relu": {-0.5: [(2.2, 1.88)], 0.0: [(1.3, 2.3), (3.5, 2.5)], 0.5: [(3.9, 0.74)]},
    "sigmoid": {-1.5: [(-3.3, 0.96), (3.3, 0.04)], -1.0: [(2.2, 2.01), (-2.2, -1.01)], -0.5: [(0, 1.76), (0, -0.76)]},
}
NEURONS = True  # takes W, x and y
MOST_POINTS = 2500  # of an activation: more would cover each other
COLOURS = "cividis"  # the same for every kind of colour vision, and in grey


@dataclass(frozen=True)
class Prepared:
    """points: activation, z (Wx), y, decades (log10 |∂C/∂W|/|x|, −∞ where Step is 0)."""

    points: pd.DataFrame
    activations: tuple[str, ...]
    draws: int  # of each activation; the points may be fewer


def applies(networks: pd.DataFrame) -> str | None:
    one = all((networks[name] == 1).all() for name in ("depth", "input_width", "output_width"))
    closed = set(networks["activation"].astype(str)) <= {"relu", "sigmoid"}
    return None if one and closed else "needs single neurons, of relu or sigmoid"


def prepare(layers: Layers, networks: pd.DataFrame) -> Prepared:
    """The draws as points. `networks` has the columns W, x and y, as in `Results.neurons`."""
    rows = take(layers, networks, ["log10_grad_weights"], [1])
    gradient = np.empty(len(networks))
    gradient[rows["place"]] = rows["log10_grad_weights"]
    points = pd.DataFrame(
        {
            "activation": networks["activation"].astype(str).to_numpy(),
            "z": (networks["W"] * networks["x"]).to_numpy(),
            "y": networks["y"].to_numpy(),
            "decades": gradient - np.log10(np.abs(networks["x"].to_numpy())),
        }
    )
    names = tuple(str(name) for name in sweep_order(networks["activation"]))
    draws = len(points) // len(names)
    return Prepared(points.iloc[:: max(draws // MOST_POINTS, 1)], names, draws)  # of every weight scale


def _shown(prepared: Prepared) -> str:
    shown = len(prepared.points) // len(prepared.activations)
    return f", {shown} of them shown" if shown < prepared.draws else ""


def closed_form(activation: str, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """log10 |ŷ − y|·φ′(z), the gradient over x, in decades; elementwise."""
    y_hat = np.maximum(z, 0) if activation == "relu" else 1 / (1 + np.exp(-z))
    slope = np.where(z > 0, 1.0, 0.0) if activation == "relu" else y_hat * (1 - y_hat)
    with np.errstate(divide="ignore"):
        return np.log10(np.abs(y_hat - y) * slope)


def finding(prepared: Prepared) -> str:
    """`The closed form is within 3e-13 decades of the gradient of each of 5,000 neurons`, of the points shown."""
    missed = 0.0
    for name, points in prepared.points.groupby("activation"):
        closed = closed_form(str(name), points["z"].to_numpy(), points["y"].to_numpy())
        measured = points["decades"].to_numpy()
        if (np.isneginf(closed) != np.isneginf(measured)).any():
            return ""
        both = np.isfinite(measured)
        missed = max(missed, float(np.abs(closed[both] - measured[both]).max(initial=0)))
    count = f"{len(prepared.points):,} neurons"
    return f"The closed form is within {missed:.0e} decades of the gradient of each of {count}"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw a panel per activation: points with measured values as colours, and dashed contours of the closed form."""
    count = len(prepared.activations)
    legend = [
        (Line2D([], [], color=INK, linestyle="--", linewidth=1), "closed form: log₁₀ of |ŷ − y|·phi′(Wx)"),
        (Line2D([], [], color=GREY, marker="x", linestyle="none", markersize=4), "measured gradient exactly 0"),
    ]
    words = caption(
        f"Each point is one draw of W, x and y; {prepared.draws} draws of each activation{_shown(prepared)}",
        "Colour: the measured "
        "log₁₀ |∂C/∂W|/|x|, in decades; where colours and dashed lines agree, so do measurement and theory",
        "Draws outside of the plane shown are left out",
    )
    grid = Grid(1, count, height=3.9, narrowest=2.2)
    figure, axes = new_page(heading, grid, words, [legend])
    for panel, name in zip(axes[0], prepared.activations, strict=True):
        panel_title(panel, f"{text.clean(name)}: {'Step(Wx)' if name == 'relu' else 'ŷ(1 − ŷ)'} times the error")
        points = _points(panel, prepared.points[prepared.points["activation"] == name])
        _levels(panel, name)
    label_edges(axes, count, "Wx", "y (target)")
    figure.colorbar(
        points,
        ax=list(axes.flat) if grid.stacked else axes[0, -1],
        label="log₁₀ |∂C/∂W|/|x|  (decades)",
        extend="both",
        fraction=0.06,
    )
    return figure


def _points(axes: Axes, points: pd.DataFrame) -> PathCollection:
    left, right, low, high = PLANE
    points = points[points["z"].between(left, right) & points["y"].between(low, high)]
    zero = points["decades"] == -np.inf
    axes.plot(points["z"][zero], points["y"][zero], "x", color="#b0b0b0", markersize=2.5, markeredgewidth=0.6)
    points = points[~zero]
    drawn = axes.scatter(
        points["z"],
        points["y"],
        c=points["decades"],
        s=9,
        cmap=COLOURS,
        linewidths=0,
        norm=Normalize(LEVELS[0] - 0.5, LEVELS[-1]),
    )
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    return drawn


def _levels(axes: Axes, name: str) -> None:
    z, y = np.meshgrid(np.linspace(*PLANE[:2], 401), np.linspace(*PLANE[2:], 301))
    values = np.maximum(closed_form(name, z, y), LEVELS[0] - 2)  # contours need finite values
    if name == "relu":
        values = np.where(z > 0, values, np.nan)  # below it the gradient is 0 everywhere
    axes.contour(z, y, values, levels=list(LABELS[name]), colors=INK, linestyles="dashed", linewidths=0.9)
    for level, places in LABELS[name].items():
        for x, height in places:
            axes.text(
                x,
                height,
                number(level, "+.1f"),
                fontsize=7.5,
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85},
            )
