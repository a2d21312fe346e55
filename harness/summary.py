"""What the terminal says of a sweep: frames in, small tables out. Statistics over replicates are medians."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

COORDINATES = (
    "activation", "init", "weight_scale", "bias_scale", "width", "input_width", "output_width", "output")  # fmt: skip
MOST_ROWS = 40


@dataclass(frozen=True)
class Table:
    """A table of texts, and what to say under it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def summary(networks: pd.DataFrame, dead: pd.Series) -> Table:
    """Per activation and init, and whatever else varies: slope, regime by depth, dead units, where float32 reads 0.

    `dead`: the mean dead fraction over the hidden layers of each network, indexed by its key.
    """
    varying = varying_coordinates(networks)
    networks = networks.assign(dead=networks["network"].astype(str).map(dead))
    places = {name: list(networks[name].unique()) for name in ("activation", "init", "output")}  # as they come
    groups = dict(list(networks.groupby(varying, observed=True, sort=False)))

    def place(coordinates: tuple) -> list:
        named = zip(varying, coordinates, strict=True)
        return [places[name].index(value) if name in places else value for name, value in named]

    rows = [(*map(_text, coordinates), *_row(groups[coordinates])) for coordinates in sorted(groups, key=place)]
    deepest, replicates = networks["depth"].max(), networks["replicate"].nunique()
    of = "One replicate" if replicates == 1 else f"Medians over {replicates} replicates"
    note = f"{of}; slope, attenuation and dead units at depth {deepest}."
    if len(rows) > MOST_ROWS:
        note = f"First {MOST_ROWS} of {len(rows)} rows; choose with `harness show --where`. " + note
    columns = (*varying, "decades a layer", "theory", "attenuation", "dead units", "regime by depth", "float32 reads 0")
    return Table("Slope of the gradient towards the input", columns, rows[:MOST_ROWS], note)


def varying_coordinates(networks: pd.DataFrame) -> list[str]:
    """Activation, init and what else tells these networks apart; not the width of an end that follows the width."""
    follows = [end for end in ("input_width", "output_width") if (networks[end] == networks["width"]).all()]
    varies = [name for name in COORDINATES if name not in follows and networks[name].nunique() > 1]
    return [name for name in COORDINATES if name in ("activation", "init", *varies)]


def paired(differences: pd.DataFrame) -> Table | None:
    """Differences in slope over the same draws, of the deepest networks; None if there is nothing to compare."""
    deep = differences[differences["depth"] == differences["depth"].max()] if len(differences) else differences
    without = int((deep["draws"] == 0).sum())
    deep = deep[deep["draws"] > 0]
    if deep.empty:
        return None
    rows = [
        (f"{d.second} − {d.first}", str(d.at), str(d.draws), _number(d.median_difference, "+.4f"),
         *(_intervals(d) if d.same_draws else ("other draws", _interval(d.low, d.high))))
        for d in deep.itertuples()
    ]  # fmt: skip
    columns = ("difference", "at", "draws", "decades a layer", "interval, paired", "interval, unpaired")
    note = f"Medians at depth {deep['depth'].max()}."
    if (several := deep["draws"] > 1).any():
        coverage = f"{deep['coverage'][several].min():.1%}"
        note = f"{note[:-1]}; exact intervals of the median, of {coverage} or more."
    if not several.all():
        note += " One draw has no interval."
    if without:
        note += f" Left out: {without} comparisons of networks of which one is dead, or not known, in every draw."
    if len(rows) > MOST_ROWS:
        note = f"First {MOST_ROWS} of {len(rows)} rows. " + note
    return Table("Slopes compared over the same draws", columns, rows[:MOST_ROWS], note)


def troubles(networks: pd.DataFrame) -> Table | None:
    """Networks that are not ok, counted by what happened; None if there are none."""
    bad = networks[networks["status"] != "ok"]
    if bad.empty:
        return None
    what = bad["status"].astype(str).str.replace(r" at layer \d+$", "", regex=True)
    counts = bad.groupby(["activation", "init", what], observed=True, sort=False).size()
    rows = [(*map(str, key), f"{count}") for key, count in counts.items()]
    columns = ("activation", "init", "what happened", "networks")
    return Table("Networks that left the number format", columns, rows[:MOST_ROWS])


def _row(group: pd.DataFrame) -> tuple[str, ...]:
    deep = group[group["depth"] == group["depth"].max()]
    return (
        _number(deep["slope_per_layer"].median(), "+.4f"),
        _number(deep["predicted_slope_per_layer"].median(), "+.4f"),
        _number(deep["log10_gradient_gain"].median(), "+.1f"),
        _number(100 * deep["dead"].median(), ".1f", " %"),
        regimes(group),
        zero_from_depth(group, "float32"),
    )


def regimes(group: pd.DataFrame) -> str:
    """`healthy 1–64, vanishing 128–1024`: the commonest regime at each depth, runs of depths together."""
    runs: list[list] = []
    for depth, own in group.groupby("depth")["regime"]:
        regime = own.astype(object).fillna("unknown").mode().iloc[0]
        if runs and runs[-1][0] == regime:
            runs[-1][2] = depth
        else:
            runs.append([regime, depth, depth])
    return ", ".join(f"{regime} {first}" + (f"–{last}" if last > first else "") for regime, first, last in runs)


def zero_from_depth(group: pd.DataFrame, number_format: str) -> str:
    """The depth from which most draws would have read a gradient of zero in that format."""
    reads_zero = group[f"zero_from_layer_{number_format}"].notna().groupby(group["depth"]).mean() >= 0.5
    return f"from depth {reads_zero.idxmax()}" if reads_zero.any() else "never"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def _intervals(d: tuple) -> tuple[str, str]:
    return _interval(d.low, d.high), _interval(d.unpaired_low, d.unpaired_high)


def _interval(low: float, high: float) -> str:
    return "–" if np.isnan(low) else f"{_number(low, '+.4f')} to {_number(high, '+.4f')}"


def _number(value: float, form: str, unit: str = "") -> str:
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "−∞" if value < 0 else "+∞"
    text = f"{value:{form}}"
    text = text if text.strip("+-0.") else text.lstrip("+-")  # no sign on a zero
    return text.replace("-", "−") + unit
