"""The panels of figures of training: which runs each shows, and what the caption says of the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.figures.kit.page import write_in_empty_panel
from harness.figures.kit.text import clean
from harness.networks.coordinates import ON_LAYERS
from harness.results.training.tuning import OTHERS, of_tuned, tuned

MOST_ACTIVATIONS, MOST_OPTIMISERS = 3, 3
FIXED = [name for name in (*ON_LAYERS, *OTHERS) if name not in ("activation", "init", "depth", "optimiser")]


@dataclass(frozen=True)
class Chosen:
    """Runs at tuned learning rates, one for each draw, activation and optimiser; and what was left out, in words."""

    runs: pd.DataFrame
    notes: str

    @property
    def panels(self) -> Iterator[tuple[int, int, str, str]]:
        """Row, column, optimiser and activation of each panel."""
        for row, optimiser in enumerate(self.optimisers):
            for column, activation in enumerate(self.activations):
                yield row, column, optimiser, activation

    @property
    def optimisers(self) -> list[str]:
        return list(dict.fromkeys(self.runs["optimiser"].astype(str)))[:MOST_OPTIMISERS]

    @property
    def activations(self) -> list[str]:
        return list(dict.fromkeys(self.runs["activation"].astype(str)))[:MOST_ACTIVATIONS]

    @property
    def rows(self) -> int:
        return max(1, len(self.optimisers))

    @property
    def columns(self) -> int:
        return max(1, len(self.activations))

    def of(self, optimiser: str, activation: str, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of a frame that belong to the runs of a panel."""
        runs = self.runs[(self.runs["optimiser"] == optimiser) & (self.runs["activation"] == activation)]
        return of_tuned(frame, runs)


def choose(steps: pd.DataFrame, deepest: bool = True) -> Chosen:
    """The runs of the deepest networks, or of all, at tuned learning rates; of other axes the first value."""
    runs, left_out = steps, []
    if deepest:
        runs = runs[runs["depth"] == runs["depth"].max()]
    for name in FIXED:
        values = runs[name].drop_duplicates()
        if len(values) > 1:
            first = values.iloc[0]
            runs = runs[runs[name].isna() if pd.isna(first) else runs[name] == first]
            value = "null" if pd.isna(first) else clean(first)
            left_out.append(f"{name.replace('_', ' ')} {value}, one of {len(values)} values")
    inits = runs.drop_duplicates("activation")[["activation", "init"]].astype(str)
    first = dict(inits.itertuples(index=False))
    runs = runs[runs["init"].astype(str) == runs["activation"].astype(str).map(first)]
    chosen = tuned(runs).astype({"optimiser": str, "activation": str})
    return Chosen(chosen, f"shown: {', '.join(left_out)}" if left_out else "")


def how_tuned(chosen: Chosen) -> str:
    """A sentence on the learning rates, for captions."""
    count = int(chosen.runs.groupby(["activation", "optimiser", "depth"]).size().max())
    draws = f"{count} draws" if count > 1 else "one draw"
    return f"Each of {draws} at the learning rate with its least validation cost"


def log_axis(axes: Axes) -> None:
    """Make x logarithmic, with its powers of ten written as numbers; an empty panel has no numbers, and says so."""
    if not np.isfinite(axes.dataLim.intervalx).all():
        write_in_empty_panel(axes, "no run has a value")
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
