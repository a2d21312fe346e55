"""The summary of a sweep: frames in, small tables of texts out. Statistics over replicates are medians."""

import numpy as np
import pandas as pd

from harness.base.numbers import UNKNOWN, interval, number
from harness.base.text_table import Table, spark_line
from harness.networks.coordinates import BY_NAME, PRODUCT_ORDER
from harness.networks.costs import COSTS

COORDINATES = [BY_NAME[name] for name in PRODUCT_ORDER if name != "depth"]  # each row spans the depths
MOST_ROWS = 40
NEARLY_ALL = 0.9  # of the draws: a word that holds for fewer is given with its share
FAR = 0.301  # log10 of a root mean square of the inputs beyond which it is warned of: above 2 or below ½


def summary(networks: pd.DataFrame, dead: pd.Series, batch: int = 1, cost: str = "linear") -> Table:
    """One row for each activation, init and other coordinate that varies.

    It has the slope in decades a layer, measured and predicted, the attenuation in decades, the dead units in percent,
    the regime by depth, and the depth from which float32 reads 0. `dead` is the mean dead fraction over the hidden
    layers of each network, indexed by the network's key. Theory is for one sample and a gradient at the output that
    does not depend on the weights; another `batch` or `cost` is pointed out.
    """
    varying = varying_coordinates(networks)
    networks = networks.assign(dead=networks["network"].astype(str).map(dead))
    rows = [(*map(_text, coordinates), *_row(group)) for coordinates, group in grouped(networks, varying)]
    deepest, replicates = networks["depth"].max(), networks["replicate"].nunique()
    replicates_text = "One replicate" if replicates == 1 else f"Medians over {replicates} replicates"
    note = f"{replicates_text}; slope, attenuation and dead units at depth {deepest}."
    here = [f"batch {batch}"] * (batch > 1) + [f"cost {cost}"] * (not COSTS[cost].fixed_start)
    if here:
        note += (
            f" *Theory is for one sample and a start that does not depend on the weights, not for {', '.join(here)}."
        )
    if len(rows) > MOST_ROWS:
        note = f"First {MOST_ROWS} of {len(rows)} rows; choose with `harness show --where`. " + note
    theory = "theory*" if here else "theory"
    columns = (*varying, "decades a layer", theory, "attenuation", "dead units", "regime by depth", "float32 reads 0")
    return Table("Slope of the gradient towards the input", columns, rows[:MOST_ROWS], note)


def grouped(networks: pd.DataFrame, varying: list[str]) -> list[tuple[tuple, pd.DataFrame]]:
    """The networks of each row: numbers ascending, names in the order of the sweep."""
    places = {name: list(networks[name].unique()) for name in varying if BY_NAME[name].is_text}
    groups = dict(list(networks.groupby(varying, observed=True, sort=False)))

    def place(coordinates: tuple) -> list:
        named = zip(varying, coordinates, strict=True)
        return [places[name].index(value) if name in places else value for name, value in named]

    return [(coordinates, groups[coordinates]) for coordinates in sorted(groups, key=place)]


def varying_coordinates(networks: pd.DataFrame) -> list[str]:
    """Activation, init and the other coordinates in which these networks differ; no end width that equals the width."""
    follows = [c.name for c in COORDINATES if c.null_from == "width" and (networks[c.name] == networks["width"]).all()]
    told_apart = [c.name for c in COORDINATES if c.name in networks and c.name not in follows]
    varies = [name for name in told_apart if networks[name].nunique() > 1]
    return [c.name for c in COORDINATES if c.name in ("activation", "init", *varies)]


def levels(networks: pd.DataFrame, drawn_inputs: bool) -> Table:
    """The level of the gradient: ‖∂C/∂W‖ / ‖W‖ over the layers of the deepest networks, and a word for each depth.

    Rows are those of `summary`. The note warns of inputs that are not `drawn_inputs` and far from unit mean square.
    """
    varying = varying_coordinates(networks)
    rows = [(*map(_text, group), *_level_row(of_group)) for group, of_group in grouped(networks, varying)]
    note = (
        "Median ‖∂C/∂W‖ / ‖W‖ of the layers where it is least and largest; large: over 10 in a layer; small: under "
        "0.001 in every layer."
    )
    rms = float(networks["log10_rms_inputs"].median())  # log10
    if not drawn_inputs and abs(rms) > FAR:
        note += (
            f" The inputs have a mean square of 10^{number(2 * rms, '.1f')}; initialisations are made for about 1: "
            "standardise the inputs, or expect other levels and slopes than theory's."
        )
    columns = (*varying, "least", "largest", "level by depth")
    return Table("Level of the gradient beside the weights", columns, rows[:MOST_ROWS], note)


def _level_row(group: pd.DataFrame) -> tuple[str, ...]:
    deep = group[group["depth"] == group["depth"].max()]
    ends = (deep[f"log10_{end}_relative_gradient"].median() for end in ("least", "largest"))
    return (*(_power_of_ten(end) for end in ends), by_depth(group, "gradient_level"))


def _power_of_ten(log10: float) -> str:
    """`10^−5.2`, and 0 for −inf."""
    if log10 == -np.inf:
        return "0"
    return UNKNOWN if np.isnan(log10) else f"10^{number(log10, '.1f')}"


def glance(networks: pd.DataFrame, gradients: pd.DataFrame) -> Table | None:
    """One row for each setting at the greatest depth, with a spark line of what is left of the gradient on its way.

    `gradients` has network, layer and log10_grad_preactivations at some layers of the deepest networks, the last one
    among them. None where those networks have one layer.
    """
    depth = networks["depth"].max()
    if depth == 1:
        return None
    at = gradients.set_index(["network", "layer"])["log10_grad_preactivations"].unstack()
    with np.errstate(invalid="ignore"):  # −∞ − (−∞): a gradient that is 0 at the output
        left = at.sub(at[depth], axis=0).iloc[:, ::-1]
    varying = varying_coordinates(networks)
    groups = grouped(networks[networks["depth"] == depth], varying)[:MOST_ROWS]
    medians = [left.loc[own["network"].astype(str)].median().to_numpy() for _, own in groups]
    known = [value for row in medians for value in row if np.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    rows = [
        (*map(_text, key), spark_line(row, low, high), number(row[-1], "+.1f"), number(_slope(own), "+.3f"))
        for (key, own), row in zip(groups, medians, strict=True)
    ]
    columns = (*varying, "output → input", "decades", "a layer")
    note = (
        f"Medians at {len(at.columns)} of {depth} layers; the highest bar is 10^{number(high, '.3g')} times the "
        f"gradient at the output, the lowest 10^{number(low, '.3g')}; blank: exactly 0."
    )
    return Table("What is left of the gradient", columns, rows, note)


def _slope(networks: pd.DataFrame) -> float:
    return float(networks["slope_per_layer"].median())


def paired(differences: pd.DataFrame) -> Table | None:
    """Differences in slope over the same draws, of the deepest networks. None if there is nothing to compare."""
    deep = differences[differences["depth"] == differences["depth"].max()] if len(differences) else differences
    without = int((deep["draws"] == 0).sum())
    deep = deep[deep["draws"] > 0]
    if deep.empty:
        return None
    rows = [
        (
            f"{d.second} − {d.first}",
            str(d.at),
            str(d.draws),
            number(d.median_difference, "+.4f"),
            interval(d.low, d.high, "+.4f") if d.same_draws else "other draws",
            interval(d.unpaired_low, d.unpaired_high, "+.4f") if d.same_draws else interval(d.low, d.high, "+.4f"),
        )
        for d in deep.itertuples()
    ]
    columns = ("difference", "at", "draws", "decades a layer", "interval, paired", "interval, unpaired")
    return Table("Slopes compared over the same draws", columns, rows[:MOST_ROWS], _paired_note(deep, without))


def _paired_note(deep: pd.DataFrame, without: int) -> str:
    """How the differences of the deepest networks are summed up; `without` counts those that were left out."""
    note = f"Medians at depth {deep['depth'].max()}."
    if (several := deep["draws"] > 1).any():
        coverage = f"{deep['coverage'][several].min():.1%}"
        note = f"{note[:-1]}; exact intervals of the median, of {coverage} or more."
    if not several.all():
        note += " One draw has no interval."
    if without:
        note += f" Left out: {without} comparisons of networks of which one is dead, or not known, in every draw."
    return f"First {MOST_ROWS} of {len(deep)} rows. {note}" if len(deep) > MOST_ROWS else note


def troubles(networks: pd.DataFrame) -> Table | None:
    """Networks whose status is not ok, counted by what happened. None if there are none."""
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
        number(_slope(deep), "+.4f"),
        number(deep["predicted_slope_per_layer"].median(), "+.4f"),
        number(deep["log10_gradient_gain"].median(), "+.1f"),
        number(100 * _typical(deep["dead"]), ".1f", " %"),
        by_depth(group, "regime"),
        zero_from_depth(group, "float32"),
    )


def _typical(shares: pd.Series) -> float:
    """The median; of shares that are each 0 or 1, as those of networks of one unit are, the mean."""
    return float(shares.mean() if shares.isin((0, 1)).all() else shares.median())


def by_depth(group: pd.DataFrame, column: str) -> str:
    """The most frequent word at each depth, with equal neighbours joined: `healthy 1–64, vanishing 128–1024 (60 %)`.

    A percentage is the least share of draws for which the word holds, where that is not nearly all.
    """
    runs: list[list] = []
    for depth, words in group.groupby("depth")[column]:
        shares = words.astype(object).fillna("unknown").value_counts(normalize=True)
        share = shares.max()
        word = min(shares.index[shares == share])
        if runs and runs[-1][0] == word:
            runs[-1][2:] = depth, min(share, runs[-1][3])
        else:
            runs.append([word, depth, depth, share])
    return ", ".join(_run(*run) for run in runs)


def _run(word: str, first: int, last: int, share: float) -> str:
    """`healthy 1–64`, with the share of draws where that is not nearly all."""
    depths = f"{first}–{last}" if last > first else f"{first}"
    return f"{word} {depths}" + (f" ({100 * share:.0f} %)" if share < NEARLY_ALL else "")


MOST_SAID = 2  # settings of an activation whose shares the answer gives


def answer(networks: pd.DataFrame, factors: pd.DataFrame) -> str:
    """What became of the gradient, in a sentence for each activation: decades a layer, and whose they are.

    It is about the deepest networks. `factors` has the means of `log10_activation_factor` over the hidden layers of
    each network, indexed by its key. What of a slope is not the activation's is the weights'.
    """
    depth = networks["depth"].max()
    deep = networks[networks["depth"] == depth].reset_index(drop=True)
    if depth == 1:
        return f"{len(deep):,} networks of one layer, in which nothing multiplies a gradient along depth."
    own = factors.reindex(deep["network"].astype(str)).reset_index(drop=True)
    deep = deep.assign(activation_factor=own["log10_activation_factor"])
    others = [name for name in varying_coordinates(deep) if name != "activation" and deep[name].nunique() > 1]
    said = [_fate(str(name), own, others) for name, own in deep.groupby("activation", observed=True, sort=False)]
    return f"Over {depth} layers {'; '.join(said)}. A decade is a factor of 10."


def _fate(activation: str, networks: pd.DataFrame, others: list[str]) -> str:
    """`sigmoid with xavier_normal loses 0.629 decades a layer (…)`; of many settings, the worst and the best."""
    groups = networks.groupby(others, observed=True, sort=False) if others else [((), networks)]
    settings = sorted(groups, key=lambda setting: _rank(setting[1]))
    if len(settings) <= MOST_SAID:
        return "; ".join(f"{activation}{_where(key, others)} {_change(own)}{_shares(own)}" for key, own in settings)
    ends = (f"{_change(own)}{_where(key, others)}" for key, own in (settings[0], settings[-1]))
    return f"{activation} {' and '.join(ends)}, of {len(settings)} settings"


def _rank(networks: pd.DataFrame) -> float:
    """The slope by which settings are ordered; the dead come first, the unknown last."""
    slope = _median(networks, "slope_per_layer")
    return -np.inf if _dead(networks) >= 0.5 else np.inf if np.isnan(slope) else slope


def _where(key: tuple, others: list[str]) -> str:
    labels = [BY_NAME[name].label(_text(value)) for name, value in zip(others, key, strict=True)]
    return f" with {' and '.join(labels)}" if labels else ""


def _dead(networks: pd.DataFrame) -> float:
    return float(networks["dead_from_layer"].notna().mean())


def _change(networks: pd.DataFrame) -> str:
    if _dead(networks) >= 0.5:
        return f"is dead in {_dead(networks):.0%} of draws"
    slope = _median(networks, "slope_per_layer")
    return (
        "is not known" if np.isnan(slope) else f"{'loses' if slope < 0 else 'gains'} {abs(slope):.3f} decades a layer"
    )


def _shares(networks: pd.DataFrame) -> str:
    """` (0.627 lost by the activation, 0.002 lost by the weights)`; empty where they are dead or not known."""
    slope = _median(networks, "slope_per_layer")
    if np.isnan(slope) or _dead(networks) >= 0.5:
        return ""
    activation = _median(networks, "activation_factor")
    plain = (networks["normalisation"] == "none").all() and (networks["residual"] == "none").all()
    rest = "the weights" if plain else "the rest"  # normalisation and skips have a part in it
    return f" ({_share(activation, slope)} by the activation, {_share(slope - activation, slope)} by {rest})"


def _share(decades: float, slope: float) -> str:
    """`0.627 lost`, `0.3 gained`, or `0.15 regained` of what is lost."""
    if abs(decades) < 0.0005:
        return "0"
    return f"{abs(decades):.3f} {'lost' if decades < 0 else 'regained' if slope < 0 else 'gained'}"


def _median(networks: pd.DataFrame, column: str) -> float:
    return float(networks[column].replace([np.inf, -np.inf], np.nan).median())


def zero_from_depth(group: pd.DataFrame, number_format: str) -> str:
    """The depth from which at least half of the draws read a gradient of zero in that format."""
    reads_zero = group[f"zero_from_layer_{number_format}"].notna().groupby(group["depth"]).mean() >= 0.5
    return f"from depth {reads_zero.idxmax()}" if reads_zero.any() else "never"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
