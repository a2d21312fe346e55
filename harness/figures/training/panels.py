"""The panels of figures of training: which runs each shows, and what the caption says of the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from harness.figures.kit.page import grid_shape, keep_panels, write_in_empty_panel
from harness.figures.kit.settings import sweep_order, unusual, with_settings
from harness.figures.kit.style import Look, looks
from harness.figures.kit.text import clean
from harness.results.training.tuning import OTHERS, of_tuned, tuned

MOST_KINDS, MOST_BESIDE = 6, 3  # of one optimiser, and of several, which have a row each
MOST_OPTIMISERS = 3
FIXED = [name for name in OTHERS if name != "optimiser"]


@dataclass(frozen=True)
class Kind:
    """Networks of one activation and setting: what they are called, and the greatest depth of those shown."""

    label: str
    activation: str
    depth: int


@dataclass(frozen=True)
class Chosen:
    """Runs at tuned learning rates, one for each draw, kind and optimiser; and what was left out, in words.

    runs: rows of `steps`, and `kind`, the label of one of `kinds`.
    """

    runs: pd.DataFrame
    kinds: tuple[Kind, ...]
    optimisers: tuple[str, ...]
    notes: str

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the panels: a row for each optimiser, or the kinds of the only one in several rows."""
        return grid_shape(len(self.kinds)) if len(self.optimisers) == 1 else (len(self.optimisers), len(self.kinds))

    @property
    def pairs(self) -> list[tuple[str, Kind]]:
        """The optimiser and the kind of networks of each panel."""
        return [(optimiser, kind) for optimiser in self.optimisers for kind in self.kinds]

    def panels(self, axes: np.ndarray) -> Iterator[tuple[Axes, str, Kind]]:
        """Each panel with its optimiser and kind of networks."""
        for panel, (optimiser, kind) in zip(keep_panels(axes, len(self.pairs)), self.pairs, strict=True):
            yield panel, optimiser, kind

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The scheduled rows of a frame of these runs, with `kind` and `optimiser` as texts."""
        kind = dict(zip(self.runs["run"].astype(str), self.runs["kind"], strict=True))
        own = of_tuned(frame[frame["reached"].isna()], self.runs)
        return own.assign(kind=own["run"].astype(str).map(kind), optimiser=own["optimiser"].astype(str))

    def name(self, optimiser: str, kind: str) -> str:
        """What tells a panel from the others: the kind, the optimiser or both."""
        parts = [clean(kind)] * (len(self.kinds) > 1) + [clean(optimiser)] * (len(self.optimisers) > 1)
        return ", ".join(parts) or clean(kind)

    @property
    def depths(self) -> str:
        """`Depth 8`, or `Depth 8 to 16` where kinds differ in their greatest depth."""
        depths = sorted({kind.depth for kind in self.kinds})
        return f"Depth {depths[0]}" + (f" to {depths[-1]}" if len(depths) > 1 else "")

    def remark(self, optimiser: str, kind: Kind) -> str:
        """The second line of a panel's title."""
        several = len({other.depth for other in self.kinds}) > 1
        return clean(optimiser) + (f", depth {kind.depth}" if several else "")


def choose(steps: pd.DataFrame, deepest: bool = True) -> Chosen:
    """The runs of the deepest networks of each kind, or of all, at tuned learning rates; of other axes the first value.

    A kind is an activation and a setting: all coordinates but depth.
    """
    runs, left_out = _of_first_values(steps)
    runs = with_settings(runs)[0]
    labels = runs["setting"].map(unusual(runs))
    runs["kind"] = (
        runs["activation"].astype(str).where(labels == "none", runs["activation"].astype(str) + ", " + labels)
    )
    if deepest:
        runs = runs[runs["depth"] == runs.groupby("kind")["depth"].transform("max")]
    optimisers = [str(name) for name in sweep_order(runs["optimiser"])]
    names = list(dict.fromkeys(runs["kind"]))
    most = MOST_KINDS if len(optimisers) == 1 else MOST_BESIDE
    if len(names) > most:
        left_out.append(f"the first {most} of {len(names)} kinds of networks")
    if len(optimisers) > MOST_OPTIMISERS:
        left_out.append(f"the first {MOST_OPTIMISERS} of {len(optimisers)} optimisers")
    names, optimisers = names[:most], optimisers[:MOST_OPTIMISERS]
    runs = runs[runs["kind"].isin(names) & runs["optimiser"].isin(optimisers)]
    ends = runs.groupby("kind").agg({"activation": "first", "depth": "max"}).loc[names]
    kinds = tuple(Kind(str(name), str(row.activation), int(row.depth)) for name, row in ends.iterrows())
    chosen = tuned(runs).astype({"optimiser": str, "activation": str})
    return Chosen(chosen, kinds, tuple(optimisers), f"shown: {', '.join(left_out)}" if left_out else "")


def _of_first_values(steps: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The runs with the first value of each of FIXED, and in words what that leaves out."""
    left_out = []
    for name in FIXED:
        values = steps[name].drop_duplicates()
        if len(values) > 1:
            first = values.iloc[0]
            steps = steps[steps[name].isna() if pd.isna(first) else steps[name] == first]
            value = "null" if pd.isna(first) else clean(first)
            left_out.append(f"{name} {value}, one of {len(values)} values")
    return steps, left_out


def how_tuned(chosen: Chosen) -> str:
    """A sentence on the learning rates, for captions."""
    count = int(chosen.runs.groupby(["kind", "optimiser", "depth"]).size().max())
    draws = f"{count} draws" if count > 1 else "one draw"
    return f"Each of {draws} at the learning rate with its least validation cost"


def kind_looks(kinds: Sequence[Kind]) -> dict[str, Look]:
    """The look of each kind: that of its activation, and lighter ones where an activation has several kinds."""
    labels = [f"{kind.activation.partition('(')[0]}({place})" for place, kind in enumerate(kinds)]
    return {kind.label: look for kind, look in zip(kinds, looks(labels).values(), strict=True)}


def kind_entries(kinds: Sequence[Kind], lines: bool = True) -> list[tuple[Line2D, str]]:
    """Legend entries of kinds, with lines or with markers alone."""
    return [
        (Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line if lines else ""), clean(kind))
        for kind, look in kind_looks(kinds).items()
    ]


def log_axis(axes: Axes) -> None:
    """Make x logarithmic, with its powers of ten written as numbers; an empty panel has no numbers, and says so."""
    if not np.isfinite(axes.dataLim.intervalx).all():
        write_in_empty_panel(axes, "no run has a value")
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")


def log_values(axes: Axes, values: list[float]) -> None:
    """Make x logarithmic, with a tick at each of a few values."""
    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
