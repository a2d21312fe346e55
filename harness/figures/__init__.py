"""Figures, drawn from the two result tables alone.

A figure is a file in one of the folders here, and its entry in FIGURES. The file has two functions,

    prepare(layers, networks) -> what is drawn, as numbers
    draw(prepared, heading) -> matplotlib.figure.Figure

and may have the names

    HEADING       a kit.page.Heading: the title above the figure. By default, the figure's name.
    finding       prepared -> a title that states what the numbers show, or an empty text. By default, none.
    applies       networks -> None, or the reason why the figure has nothing to show of them. By default, None.
    EVERY_LAYER   True if the figure needs the rows of every layer, which `record_layers` may leave out.
    NEURONS       True if the figure takes the table of single neurons, with W, x and y, for `networks`.
    TRAINING      True if the figure takes the tables `step_layers` and `steps` for `layers` and `networks`; `steps`
                  has the columns `input_width` and `output_width` of `networks` too.

Importing this package is cheap: a figure's file, and matplotlib with it, is imported when the figure is used.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import chdir, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.figures.appearance import FORMATS, USUAL, Appearance
from harness.networks.coordinates import OFF_LAYERS
from harness.networks.kinds import Table
from harness.results.columns import LAYER_COORDINATES

if TYPE_CHECKING:  # these imports are slow
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.results.rows import Layers


__all__ = [
    "COLUMNS",
    "FIGURES",
    "FORMATS",
    "USUAL",
    "Appearance",
    "Entry",
    "applies",
    "draw",
    "figure",
    "paired",
    "save",
]


@dataclass(frozen=True)
class Entry:
    """The folder of a figure's file, and a line that describes the figure.

    `own`: the object that has the names of the file instead, of a figure of the user's own.
    """

    folder: str
    summary: str
    own: Any = None


_BUILT_IN = {
    "step_against_sigmoid": Entry(
        "ledger", "Step against y(1−y): layer by layer, what the activation and the weights cost a gradient."
    ),
    "gradient_profile": Entry(
        "depth", "Gradient profile: log10 ‖∂C/∂W‖ at every layer, a line per activation and depth."
    ),
    "attenuation_against_depth": Entry(
        "depth", "Attenuation against depth: decades from last to first layer, and where zero is read."
    ),
    "block_shares": Entry(
        "ledger", "Block shares: what skip, branch and their agreement pass on of a gradient, block by block."
    ),
    "dead_units": Entry(
        "units", "Dead units: the share of silent and of saturated units, against layer and against depth."
    ),
    "paired_comparison": Entry(
        "depth", "Paired comparison: differences in slope per layer over the same draws, and what the pairing gains."
    ),
    "phase_diagram": Entry("depth", "Phase diagram: decades of attenuation over weight scale and depth."),
    "slope_against_theory": Entry(
        "depth", "Slope against theory: decades per layer of the deepest networks, measured and predicted."
    ),
    "remedies": Entry(
        "depth", "Remedies: decades from last to first layer for every initialisation, normalisation and kind of skip."
    ),
    "edges_at_width": Entry(
        "depth",
        "Edges at width: decades per layer against σ_w at each width, beside theory at that and at infinite width.",
    ),
    "every_draw": Entry(
        "depth",
        "Every draw: the attenuation of each, a column per kind of network, with the share within three decades.",
    ),
    "finite_width": Entry(
        "depth", "Finite width: the attenuation over draws, the normal law of theory, mean and median."
    ),
    "born_dead": Entry(
        "units", "Born dead: the share of networks dead before training, by hidden layers and width, and the formulas."
    ),
    "silent_units": Entry(
        "units", "Silent units: the share silent on the batch at every layer, and the orthant probability."
    ),
    "step_at_zero": Entry(
        "units", "Step at zero: what Step(0) changes in bias gradients and counts of dead units above a dead layer."
    ),
    "single_neuron": Entry(
        "units", "Single neuron: the gradient over the plane of Wx and y, and contours of the closed form."
    ),
    "norm_ledger": Entry(
        "training",
        "Norm ledger: what of each layer's growth came from the gradient's direction, and what from the size of the "
        "steps.",
    ),
    "layers_over_steps": Entry(
        "training", "Gradient over layers and steps: log10 ‖∂C/∂W‖ of every layer while the networks are trained."
    ),
    "accuracy_against_depth": Entry(
        "training", "Accuracy against depth: which depth still learns, at learning rates tuned for each draw."
    ),
    "fall_and_escape": Entry(
        "training",
        "Fall and escape: the mean output of every hidden layer of sigmoid networks over the steps, depth by depth.",
    ),
    "growth_at_cost": Entry(
        "training",
        "Growth at equal cost: how far ‖W‖² has grown when the training cost has fallen to one value, by activation.",
    ),
    "update_ratio": Entry(
        "training",
        "Update ratio: ‖ΔW‖/‖W‖ of every layer over the steps, and where Adam's ε and the rounding of float32 end it.",
    ),
    "cost_at_birth": Entry(
        "training",
        "Cost against attenuation: the cost that each network reaches in training, against its attenuation at birth.",
    ),
    "unit_lives": Entry(
        "training",
        "Unit lives: the shares of hidden units that are born dead, die and revive, against the learning rate.",
    ),
}
FIGURES = Table("figures", _BUILT_IN)

# what figures and summary take of the table `networks`; they are given no other column
COLUMNS = (
    *LAYER_COORDINATES,
    *OFF_LAYERS,
    "family",
    "sigma_w",
    "sigma_b",
    "log10_gradient_gain",
    "slope_per_layer",
    "predicted_slope_per_layer",
    "predicted_spread",
    "regime",
    "log10_rms_inputs",
    "log10_least_relative_gradient",
    "log10_largest_relative_gradient",
    "gradient_level",
    "status",
    "dead_from_layer",
    "zero_from_layer_float32",
    "zero_from_layer_float64",
)


def figure(name: str) -> Any:
    """The module of one figure, or an object with its names. Raises KeyError for a name that is not in FIGURES."""
    _load_matplotlib()
    entry = FIGURES[name]
    return entry.own or import_module(f"harness.figures.{entry.folder}.{name}")


@cache
def _load_matplotlib() -> None:
    """Import matplotlib whatever the user's settings for it are, then apply those of them that it accepts.

    Figures do not depend on the settings, but the import fails for a backend that is not installed or a matplotlibrc
    that is not UTF-8. matplotlib prefers a matplotlibrc in the current folder to all others.
    """
    if "matplotlib" in sys.modules:
        return
    before = {name: os.environ.get(name) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=os.devnull)
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # it reports each setting that it does not accept
    try:
        with chdir(Path(__file__).parent) if Path("matplotlibrc").exists() else nullcontext():
            import matplotlib
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    with suppress(Exception):
        matplotlib.rcParams.update(matplotlib.rc_params())
        matplotlib.rcParams["backend"] = before["MPLBACKEND"] or matplotlib.rcParams["backend"]
    logging.getLogger("matplotlib").setLevel(logging.NOTSET)


def applies(name: str, networks: pd.DataFrame) -> str | None:
    """None if the figure has something to show of these networks, else the reason why not, in words."""
    if networks.empty:
        return "there are no networks"
    if needs_training(name) and "step" not in networks:
        return "the sweep does not train"
    reason = getattr(figure(name), "applies", None)
    return reason(networks) if reason else None


def needs_every_layer(name: str) -> bool:
    """Whether the figure needs the rows of every layer, and so shows nothing where only some are recorded."""
    return getattr(figure(name), "EVERY_LAYER", False)


def needs_neurons(name: str) -> bool:
    """Whether the figure takes the table of single neurons, with W, x and y, for `networks`."""
    return getattr(figure(name), "NEURONS", False)


def needs_training(name: str) -> bool:
    """Whether the figure takes the tables `step_layers` and `steps`, of the training runs of a sweep."""
    return getattr(figure(name), "TRAINING", False)


def draw(
    name: str,
    layers: Layers,
    networks: pd.DataFrame,
    appearance: Appearance = USUAL,
    *,
    title: str = "",
    sentence: str = "",
) -> Figure:
    """Draw a figure. `title` replaces its own title; `sentence` is written below the title.

    Raises ConfigError for an appearance that matplotlib does not accept.
    """
    module = figure(name)
    from harness.figures.drawing import drawn

    with drawn(module, layers, networks, appearance, title, sentence) as page:
        return page


def save(
    name: str,
    layers: Layers,
    networks: pd.DataFrame,
    folder: Path,
    appearance: Appearance = USUAL,
    *,
    title: str = "",
    sentence: str = "",
) -> list[Path]:
    """Draw a figure into `folder` in each format, and return the paths. The same tables give the same bytes.

    The other arguments are those of `draw`.
    """
    module = figure(name)
    from harness.figures.drawing import drawn, write

    paths = [Path(folder) / f"{name}.{form}" for form in appearance.formats]
    with drawn(module, layers, networks, appearance, title, sentence) as page:
        for path in paths:
            write(page, path)
    return paths


def save_comparisons(table: pd.DataFrame, path: Path, sentence: str = "") -> None:
    """Draw comparisons, as `paired` returns them, in the manner of `paired_comparison`; the suffix is the format."""
    module = figure("paired_comparison")
    from harness.figures.drawing import page_of, write

    with page_of(module, module.of_table(table), USUAL, "", sentence) as page:
        write(page, path)


def paired(networks: pd.DataFrame, between: Sequence[str] = ("activation", "init")) -> pd.DataFrame:
    """The table of paired differences behind `paired_comparison`, as kit/pairs.py describes it."""
    from harness.figures.kit.pairs import comparisons

    return comparisons(networks, between)
