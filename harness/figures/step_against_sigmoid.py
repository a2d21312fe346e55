"""Step against y(1−y): layer by layer, what the activation and the weights cost a gradient."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from harness.figures import ledger_bars, ledger_sums
from harness.figures.ledger import Prepared, prepare
from harness.figures.page import Heading

HEADING = Heading("Step against y(1−y): who takes how much of the gradient")
OTHER_TITLE = "Slopes and weights: who takes how much of the gradient"

EVERY_LAYER = True

__all__ = ["EVERY_LAYER", "HEADING", "applies", "draw", "prepare"]


def applies(networks: pd.DataFrame) -> str | None:
    return None if networks["depth"].max() > 1 else "no network has two layers: there is nothing between first and last"


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Factors and running sums for a few activations and settings; bars for many."""
    if heading.title == HEADING.title and not {"relu", "sigmoid"} <= set(prepared.activations):
        heading = replace(heading, title=OTHER_TITLE)
    return (ledger_bars if prepared.as_bars else ledger_sums).draw(prepared, heading)
