"""Figures of a user's own model, drawn from the two tables of a probe. Each file has HEADING, `prepare` and `draw`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # these imports are slow
    import pandas as pd
    from matplotlib.figure import Figure

FIGURES = ("gradient_through_model",)


def drawn(name: str, layers: pd.DataFrame, networks: pd.DataFrame) -> Figure:
    """A figure of the last recorded step."""
    from harness.figures.appearance import USUAL
    from harness.figures.drawing import page_of

    module = import_module(f"harness.figures.probe.{name}")
    with page_of(module, module.prepare(layers, networks), USUAL, "", "") as page:
        return page


def save(name: str, layers: pd.DataFrame, networks: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw a figure into `folder` as PNG and as SVG, and return the two paths. The same tables give the same bytes."""
    from harness.figures.appearance import USUAL
    from harness.figures.drawing import page_of, write

    module = import_module(f"harness.figures.probe.{name}")
    paths = [folder / f"{name}.{form}" for form in USUAL.formats]
    with page_of(module, module.prepare(layers, networks), USUAL, "", "") as page:
        for path in paths:
            write(page, path)
    return paths
