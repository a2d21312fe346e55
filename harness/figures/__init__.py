"""Figures: one file each, named here; drawn from the two result tables and from nothing else.

Importing this package is cheap: a figure's file, and matplotlib with it, is loaded when the figure is asked for.
A figure's file has a HEADING and

    applies(networks) -> None, or why this sweep has nothing to show in it
    prepare(layers, networks) -> what is drawn, as numbers: a frozen dataclass of frames
    draw(prepared, heading) -> matplotlib.figure.Figure
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas takes a while too
    import pandas as pd

# name -> the first line of the file's docstring, which a test compares
FIGURES = {
    "step_against_sigmoid": "Step against y(1−y): layer by layer, what the activation and the weights cost a gradient.",
    "gradient_profile": "Gradient profile: log10 ‖∂C/∂W‖ at every layer, a line per activation and depth.",
    "attenuation_against_depth": "Attenuation against depth: decades from last to first layer, and where zero is read.",
    "dead_units": "Dead units: the share of silent and of saturated units, against layer and against depth.",
    "paired_comparison": "Paired comparison: differences in slope over the same draws, and what the pairing buys.",
    "phase_diagram": "Phase diagram: decades of attenuation over weight scale and depth.",
    "slope_against_theory": "Slope against theory: decades a layer of the deepest networks, and theory's.",
    "finite_width": "Finite width: the attenuation over draws, the normal law of theory, mean and median.",
    "born_dead": "Born dead: networks dead before they learn, against hidden layers and width, and the formulas.",
    "silent_units": "Silent units: share silent on the batch, layer by layer, and the orthant baseline.",
    "step_at_zero": "Step at zero: what Step(0) makes of bias gradients and of dead counts, above a dead layer.",
    "single_neuron": "Single neuron: the gradient over the plane of Wx and y, and the closed form's level lines.",
}

# what figures and summary take of the table `networks`; they are given no other column
COLUMNS = (
    "network", "activation", "init", "weight_scale", "bias_scale", "depth", "width", "replicate", "input_width",
    "output_width", "output", "family", "sigma_w", "sigma_b", "log10_gradient_gain", "slope_per_layer",
    "predicted_slope_per_layer", "predicted_spread", "regime", "status", "dead_from_layer", "zero_from_layer_float32",
    "zero_from_layer_float64",
)  # fmt: skip
OF_NEURONS = frozenset({"single_neuron"})  # these take `Results.neurons` for `networks`: with W, x and y


def figure(name: str) -> ModuleType:
    """The file of one figure. Raises KeyError for a name that is not in FIGURES."""
    if name not in FIGURES:
        raise KeyError(name)
    return import_module(f"harness.figures.{name}")


def applies(name: str, networks: pd.DataFrame) -> str | None:
    """None where a figure has something to show of these networks, else why not, in words."""
    return "there are no networks" if networks.empty else figure(name).applies(networks)


def needs_every_layer(name: str) -> bool:
    """Whether a figure adds up layers, and so shows nothing of a sweep that records only some of them."""
    return getattr(figure(name), "EVERY_LAYER", False)


def save(
    name: str, layers: pd.DataFrame, networks: pd.DataFrame, folder: Path, *, title: str = "", sentence: str = ""
) -> list[Path]:
    """Draw a figure into `folder`, as PNG and as SVG; returns the two files.

    `title` replaces the figure's own; `sentence` stands under it. The same tables give the same bytes.
    """
    from harness.figures.page import write

    return write(figure(name), layers, networks, Path(folder), title, sentence)


def paired(networks: pd.DataFrame, between: Sequence[str] = ("activation", "init")) -> pd.DataFrame:
    """The table of paired differences behind `paired_comparison`: see harness.figures.pairs. Needs no matplotlib."""
    from harness.figures.pairs import comparisons

    return comparisons(networks, between)
