"""Paired differences: of two networks over the same draws, replicate by replicate.

Activations at the same coordinates have the same base draws, and so have initialisations of one family. The gain from
the pairing shows beside the interval of the same numbers with each replicate paired with another one's draws.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.base.arrays import Array
from harness.base.intervals import median_interval
from harness.figures.kit.settings import setting_labels, sweep_order, with_settings
from harness.networks.coordinates import BY_NAME

ERROR_RATE = 0.05  # of an interval, at most; `coverage` is the exact probability
SHIFTS = 32  # mismatched pairings: more change the interval by less than its last shown digit
COLUMNS = (
    "between",
    "first",
    "second",
    "at",
    "depth",
    "draws",
    "both_dead",
    "dead_first",
    "dead_second",
    "unknown",
    "median_difference",
    "low",
    "high",
    "coverage",
    "same_draws",
    "unpaired_low",
    "unpaired_high",
)


def comparisons(networks: pd.DataFrame, between: Sequence[str] = ("activation", "init")) -> pd.DataFrame:
    """A row for each pair, at each setting and depth: the median difference in slope_per_layer, second − first.

    Each value of a column `between` is compared with the first one of the sweep. Columns: between (that column),
    first, second, at (the other coordinates that vary, in words), depth, draws (pairs with a difference), both_dead,
    dead_first, dead_second (shares of the pairs), unknown (either one has a status), median_difference, low, high
    (decades per layer; the exact interval from order statistics, `coverage` its probability), same_draws,
    unpaired_low, unpaired_high (the interval without the pairing). A dead network's slope is −inf. Where the draws are
    not the same (inits of two families), low and high are those of an unpaired comparison, and unpaired_low and
    unpaired_high are NaN.
    """
    networks = networks[networks["depth"] > 1]
    found = [_between(networks, column) for column in between if networks[column].nunique() > 1]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame({name: [] for name in COLUMNS})


def _between(networks: pd.DataFrame, column: str) -> pd.DataFrame:
    names = sweep_order(networks[column])
    without = ("init", "bias_scale") if column == "init" and _init_sets_biases(networks) else (column,)
    networks, varying = with_settings(networks, without)
    other = None if column == "activation" else "activation"
    cells = networks.assign(cell=_cells(networks, other))
    labels = _labels(cells, varying, other)
    slopes = {name: _matrix(cells[cells[column] == name], labels, cells["replicate"].unique()) for name in names}
    families = networks.groupby(column, observed=True)["family"].first() if column == "init" else None
    drawn_anew = column in BY_NAME and column != "init" and "draws" in BY_NAME[column].parts
    where = {"between": column, "first": str(names[0]), "at": labels["at"].array, "depth": labels["depth"].array}
    rows = []
    for name in names[1:]:
        same_draws = not drawn_anew and (families is None or families[names[0]] == families[name])
        rows.append(_compared(slopes[names[0]], slopes[name], same_draws).assign(second=str(name), **where))
    result = pd.concat(rows, ignore_index=True)
    return result[result["draws"] + result["both_dead"] + result["unknown"] > 0][list(COLUMNS)]


def _init_sets_biases(networks: pd.DataFrame) -> bool:
    """Whether every init has a single bias scale, which then belongs to the init."""
    return bool((networks.groupby("init", observed=True)["bias_scale"].nunique() == 1).all())


def _cells(networks: pd.DataFrame, other: str | None) -> Array:
    keys = ["setting", "depth", *([other] if other else [])]
    return networks.groupby(keys, observed=True, sort=True).ngroup().to_numpy()


def _labels(cells: pd.DataFrame, varying: list[str], other: str | None) -> pd.DataFrame:
    """Depth, and the varying coordinates in words, of each cell."""
    firsts = cells.drop_duplicates("cell").sort_values("cell", kind="stable")
    at = pd.Series(setting_labels(firsts, varying) if varying else [""] * len(firsts), index=firsts["cell"].to_numpy())
    if other:
        at = pd.Series(firsts[other].astype(str).to_numpy(), index=at.index) + at.where(at == "", ", " + at)
    return pd.DataFrame({"at": at, "depth": firsts["depth"].to_numpy()}, index=at.index)


def _matrix(networks: pd.DataFrame, labels: pd.DataFrame, replicates: Array) -> tuple[Array, Array]:
    """slope_per_layer, (cells, replicates), −∞ if dead, NaN if unknown or absent; and whether a network is present."""
    slope = networks["slope_per_layer"].mask(networks["dead_from_layer"].notna(), -np.inf)
    rows = labels.index.get_indexer(networks["cell"])
    columns = pd.Index(np.sort(replicates)).get_indexer(networks["replicate"])
    shape = len(labels), len(replicates)
    values, present = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    values[rows, columns], present[rows, columns] = slope, True
    return values, present


def _compared(first: tuple[Array, Array], second: tuple[Array, Array], same_draws: bool) -> pd.DataFrame:
    """The difference second − first in every cell, its interval, and the interval of mismatched replicates."""
    both = first[1] & second[1]
    a, b = np.where(both, first[0], np.nan), np.where(both, second[0], np.nan)
    dead = np.isneginf(a) & np.isneginf(b)
    count = np.maximum(both.sum(axis=1), 1)
    median, low, high, coverage, draws = median_interval(_difference(b, a), ERROR_RATE)
    unpaired = _mismatched(a, b) if same_draws else np.full((2, len(a)), np.nan)
    return pd.DataFrame(
        {
            "draws": draws,
            "both_dead": dead.sum(axis=1),
            **{f"dead_{side}": np.isneginf(own).sum(axis=1) / count for side, own in (("first", a), ("second", b))},
            "unknown": both.sum(axis=1) - draws - dead.sum(axis=1),
            "median_difference": median,
            "low": low,
            "high": high,
            "coverage": coverage,
            "same_draws": same_draws,
            "unpaired_low": unpaired[0],
            "unpaired_high": unpaired[1],
        }
    )


def _difference(b: Array, a: Array) -> Array:
    with np.errstate(invalid="ignore"):  # two dead networks have no difference
        return b - a


def _mismatched(a: Array, b: Array) -> Array:
    """The interval of independent draws, (2, cells): replicate i against i + s, medians of its ends over shifts s."""
    n = a.shape[1]
    if n < 2:
        return np.full((2, len(a)), np.nan)
    shifts = np.unique(np.linspace(1, n - 1, min(n - 1, SHIFTS)).astype(int))
    shifted = (_difference(np.roll(b, -shift, axis=1), a) for shift in shifts)
    ends = np.array([median_interval(differences, ERROR_RATE)[1:3] for differences in shifted])
    return np.stack([median_interval(end.T, ERROR_RATE).median for end in ends.swapaxes(0, 1)])
