"""Two sweeps, or the settings of one, compared as science: differences between networks over the same draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness import figures
from harness.base.errors import ResultsError
from harness.base.messages import remedy
from harness.base.numbers import interval, number
from harness.base.text_table import Table
from harness.networks.coordinates import BY_NAME, PANELS
from harness.study.results import Results

MOST_ROWS = 40
SWEEP = "sweep"  # the column that tells two sweeps apart


@dataclass(frozen=True)
class Comparison:
    """Differences second − first, a row for each pair of settings and depth.

    `table` has the columns of figures/kit/pairs.py, and attenuation, attenuation_low, attenuation_high (decades).
    """

    table: pd.DataFrame

    @property
    def sentence(self) -> str:
        """What differs, in a sentence: the deepest networks, where the interval leaves 0 out."""
        deep = _deepest(self.table)
        known = deep[deep["draws"] > 0]
        if known.empty:
            return "No two networks have a difference: of each pair one is dead, or not known."
        apart = known[(known["low"] > 0) | (known["high"] < 0)]
        depth = int(deep["depth"].iloc[0])
        if apart.empty:
            return f"At depth {depth} no difference in slope is distinguished from 0."
        largest = apart.loc[apart["median_difference"].abs().idxmax()]
        at = f" at {largest['at']}" if largest["at"] else ""
        return (
            f"At depth {depth} {len(apart)} of {len(known)} slopes differ; most of all {largest['second']} − "
            f"{largest['first']}{at}: {_how_much(largest)}."
        )


def _how_much(row: pd.Series) -> str:
    """A difference in words; where it is infinite, which of the two is dead."""
    if np.isinf(row["median_difference"]):
        side = "second" if row["median_difference"] < 0 else "first"
        by = row["between"]
        name = BY_NAME[by].label(row[side]) if by in BY_NAME else row[side]
        return f"{name} is dead in {row[f'dead_{side}']:.0%} of draws"
    return (
        f"{number(row['median_difference'], '+.4f')} decades a layer, in {interval(row['low'], row['high'], '+.4f')}, "
        f"{number(row['attenuation'], '+.1f')} decades in all"
    )


def compare_settings(results: Results, by: str) -> Comparison:
    """Each value of a coordinate compared with the first one, other things equal.

    Raises ResultsError for a name that is no coordinate, where the sweep has one value of it, and where no networks
    have the rest in common. A width of inputs or outputs that is the width everywhere changes with it.
    """
    if by not in (*PANELS, "activation"):
        raise ResultsError(f"--by {by!r}: there is no such coordinate; {remedy(by, (*PANELS, 'activation'))}")
    networks = results.networks
    if networks[by].nunique() < 2:
        raise ResultsError(f"{results.path}: all networks have the same {by}; there is nothing to compare")
    follow = [name for name in BY_NAME if BY_NAME[name].null_from == by and (networks[name] == networks[by]).all()]
    found = _comparison(networks.drop(columns=follow), by)
    if found.table.empty:
        raise ResultsError(f"{results.path}: no two networks differ in {by} alone")
    return found


def compare_sweeps(first: Results, second: Results) -> Comparison:
    """The networks of one sweep compared with those of another that have the same coordinates.

    A coordinate of which each sweep has a single value, another one, is what is compared. Raises ResultsError where no
    networks have the rest in common.
    """
    names = _names(first.path, second.path)
    both = [results.networks.assign(sweep=name) for results, name in zip((first, second), names, strict=True)]
    networks = pd.concat([own.astype({name: object for name in _texts(own)}) for own in both], ignore_index=True)
    changed = [name for name in BY_NAME if _changed(both[0][name], both[1][name])]
    networks = networks.drop(columns=[name for name in changed if name in PANELS and name != "depth"])
    if "activation" in changed:
        networks = networks.assign(activation="either")
    found = _comparison(networks, SWEEP).table
    if found.empty:
        raise ResultsError(f"{first.path}, {second.path}: no networks have the same coordinates")
    redrawn = first.sweep.seed != second.sweep.seed or bool(_redrawn(changed, both))
    return Comparison(found.assign(same_draws=False) if redrawn else found)


def _redrawn(changed: Sequence[str], both: Sequence[pd.DataFrame]) -> bool:
    """Whether coordinates that changed bring other draws: a width does, and an init of another family."""
    families = [set(own["family"].astype(str)) for own in both]
    return families[0] != families[1] or any("draws" in BY_NAME[name].parts for name in changed if name != "init")


def _names(first: Path, second: Path) -> tuple[str, str]:
    same = first.name == second.name
    return (f"A: {first.name}", f"B: {second.name}") if same else (first.name, second.name)


def _texts(networks: pd.DataFrame) -> list[str]:
    return [name for name in networks if isinstance(networks[name].dtype, pd.CategoricalDtype)]


def _changed(one: pd.Series, other: pd.Series) -> bool:
    values = [set(column.astype(object)) for column in (one, other)]
    return len(values[0]) == len(values[1]) == 1 and values[0] != values[1]


def _comparison(networks: pd.DataFrame, by: str) -> Comparison:
    table = figures.paired(networks, (by,))
    steps = table["depth"] - 1
    table["attenuation"] = table["median_difference"] * steps
    table["attenuation_low"], table["attenuation_high"] = table["low"] * steps, table["high"] * steps
    return Comparison(table)


def _deepest(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["depth"] == table["depth"].max()]


def summary(comparison: Comparison) -> Table:
    """The differences at the greatest depth, as texts."""
    deep = _deepest(comparison.table)
    rows = [
        (
            f"{row.second} − {row.first}",
            str(row.at),
            str(row.draws),
            number(row.median_difference, "+.4f"),
            interval(row.low, row.high, "+.4f"),
            number(row.attenuation, "+.1f"),
            f"{row.dead_first:.0%}, {row.dead_second:.0%}",
            "the same" if row.same_draws else "others",
        )
        for row in deep.head(MOST_ROWS).itertuples()
    ]
    measured = ("decades a layer", "interval", "attenuation", "dead: first, second")
    columns = ("difference", "at", "replicates", *measured, "draws")
    coverage = deep["coverage"].replace(0, np.nan).min()
    note = f"Medians at depth {deep['depth'].max()}"
    note += "" if np.isnan(coverage) else f"; exact intervals of the median, of {coverage:.1%} or more"
    note += ". Dead: shares of the draws."
    if len(deep) > MOST_ROWS:
        note = f"First {MOST_ROWS} of {len(deep)} rows. " + note
    return Table("Differences in slope towards the input", columns, rows, note)
