"""The ledger of Step and y(1−y), or of any other activations: as running sums for a few of them, as bars for many."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from harness.figures.kit.page import Heading
from harness.figures.ledger import as_bars, as_lines
from harness.figures.ledger.sums import Prepared, prepare

HEADING = Heading("Step against y(1−y): who takes how much of the gradient")
OTHER_TITLE = "Slopes and weights: who takes how much of the gradient"

EVERY_LAYER = True

__all__ = ["EVERY_LAYER", "HEADING", "applies", "draw", "prepare"]


def applies(networks: pd.DataFrame) -> str | None:
    return None if networks["depth"].max() > 1 else "no network has two layers: there is nothing between first and last"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw factors and running sums of a few activations and settings, or bars of many."""
    if heading.title == HEADING.title and not {"relu", "sigmoid"} <= set(prepared.activations):
        heading = replace(heading, title=OTHER_TITLE)
    return (as_bars if prepared.as_bars else as_lines).draw(prepared, heading)
