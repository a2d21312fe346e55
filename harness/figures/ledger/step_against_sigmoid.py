"""The ledger of Step and y(1−y), or of any other activations: as running sums for a few of them, as bars for many."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.figures.kit import text
from harness.figures.kit.page import Heading
from harness.figures.ledger import as_bars, as_lines
from harness.figures.ledger.sums import Prepared, prepare, slope_name

HEADING = Heading("Step against y(1−y): who takes how much of the gradient")
OTHER_TITLE = "Slopes and weights: who takes how much of the gradient"

MOST_NAMED = 3  # activations in the title

EVERY_LAYER = True

__all__ = ["EVERY_LAYER", "HEADING", "applies", "draw", "finding", "prepare"]


def applies(networks: pd.DataFrame) -> str | None:
    return None if networks["depth"].max() > 1 else "no network has two layers: there is nothing between first and last"


def finding(prepared: Prepared) -> str:
    """`Over 64 layers Step takes 9.6 to 9.7 decades, y(1−y) takes 40 to 41`: the activations' parts, all settings.

    Of more than three activations, those that take most and least.
    """
    totals = prepared.totals[np.isfinite(prepared.totals["activation_part"])]
    named, more = prepared.activations, ""
    if len(named) > MOST_NAMED and len(totals):
        parts = totals.set_index(totals["activation"].astype(str))["activation_part"]
        named = tuple(dict.fromkeys((parts.idxmin(), parts.idxmax())))
        more = f", {totals['activation'].nunique() - len(named)} others lie between"
    said = [_taken(name, totals) for name in named]
    return f"Over {prepared.depth} layers {', '.join(filter(None, said))}{more}" if any(said) else ""


def _taken(name: str, totals: pd.DataFrame) -> str:
    """`Step takes 9.6 decades`; empty where no draw that it could be read from lives."""
    own = totals.loc[totals["activation"] == name, "activation_part"]
    return f"{slope_name(name)} {text.taken(own)}" if len(own) else ""


def draw(prepared: Prepared, heading: Heading = HEADING) -> Figure:
    """Draw factors and running sums of a few activations and settings, or bars of many."""
    if heading.title == HEADING.title and not {"relu", "sigmoid"} <= set(prepared.activations):
        heading = replace(heading, title=OTHER_TITLE)
    return (as_bars if prepared.as_bars else as_lines).draw(prepared, heading)
