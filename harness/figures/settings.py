"""Settings: what distinguishes the panels of a figure. A setting is all of a network's coordinates but its activation,
depth and replicate; most sweeps vary one of them, the init."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.figures.text import clean, numbers

COORDINATES = ("init", "width", "weight_scale", "bias_scale", "output", "input_width", "output_width")
WORDS = {"init": "init", "width": "width", "weight_scale": "weight scale", "bias_scale": "bias scale",
         "output": "output layer", "input_width": "input width", "output_width": "output width"}  # fmt: skip
NUMBERS = ("width", "weight_scale", "bias_scale", "input_width", "output_width")
MOST_ACTIVATIONS = 12  # more lines than that cannot be told apart in one panel


@dataclass(frozen=True)
class Panels:
    """The settings a figure shows, in order, and what to say of the others."""

    labels: dict[int, str]  # setting -> title of its panel
    shared: str  # what all networks of the sweep have in common, in words
    note: str  # "first 6 of 10 inits", or nothing


def order(values: pd.Series) -> list:
    """The values of a coordinate as the sweep has them: numbers ascending, names in order of appearance."""
    found = pd.unique(values.dropna())
    return sorted(found) if pd.api.types.is_numeric_dtype(values) else list(found)


def with_settings(networks: pd.DataFrame, without: tuple[str, ...] = ()) -> tuple[pd.DataFrame, list[str]]:
    """`networks` with the column `setting`, 0, 1, …, and the coordinates that tell the settings apart.

    A coordinate that follows from those before it (the input width that is the width) tells nothing apart. Those in
    `without` do not count: networks that differ in them only have the same setting.
    """
    present = [name for name in COORDINATES if name in networks and name not in without]
    codes = np.zeros(len(networks), dtype=np.int64)
    varying = []
    for name in present:
        ranks = {value: rank for rank, value in enumerate(order(networks[name]))}
        own = networks[name].map(ranks).astype(float).fillna(-1).to_numpy().astype(np.int64) + 1
        both = np.unique(codes * (own.max(initial=0) + 1) + own, return_inverse=True)[1]
        if both.max(initial=0) > codes.max(initial=0):
            varying.append(name)
            codes = both
    return networks.assign(setting=codes), varying


def panels(networks: pd.DataFrame, varying: list[str], most: int, without: tuple[str, ...] = ()) -> Panels:
    """Which settings are shown, at most so many: the first inits, or numbers spread over their range."""
    firsts = networks.drop_duplicates("setting").sort_values("setting", kind="stable")
    labels = dict(zip(firsts["setting"], setting_labels(firsts, varying), strict=True))
    constant = [name for name in COORDINATES if name in networks and name not in (*varying, *without)]
    constant = [name for name in constant if networks[name].nunique() == 1]
    shown, note = list(labels), ""
    if len(labels) > most:
        kind = WORDS[varying[0]] + "s" if len(varying) == 1 else "settings"
        spread = varying != ["init"]
        places = np.round(np.linspace(0, len(labels) - 1, most)).astype(int) if spread else range(most)
        shown = [shown[place] for place in places]
        note = f"{most} of {len(labels)} {kind}" if spread else f"first {most} of {len(labels)} {kind}"
    return Panels({setting: labels[setting] for setting in shown}, _shared(firsts, constant), note)


def setting_labels(firsts: pd.DataFrame, varying: list[str]) -> list[str]:
    """A label for each row: the coordinates that vary, or else the init."""
    parts = [_words(firsts, name) for name in varying or ["init"]]
    return [", ".join(row) for row in zip(*parts, strict=True)]


def activations(networks: pd.DataFrame, most: int = MOST_ACTIVATIONS) -> tuple[tuple[str, ...], str]:
    """The activations shown, in the sweep's order, and what to say of the others."""
    found = [str(label) for label in order(networks["activation"])]
    return tuple(found[:most]), f"first {most} of {len(found)} activations" if len(found) > most else ""


def readable(depths: list[int], layers: int) -> int:
    """The deepest of which single layers can be told apart, or else the shallowest."""
    return max((depth for depth in depths if depth <= layers), default=min(depths))


def spaced(values: list, most: int) -> list:
    """At most so many of a sorted list, spread over it, both ends included."""
    if len(values) <= most:
        return list(values)
    return [values[place] for place in sorted(set(np.round(np.linspace(0, len(values) - 1, most)).astype(int)))]


def ranked(networks: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The networks of these activations; the column becomes a category in their order, so that groups sort by it."""
    labels = networks["activation"].astype(str)
    kept = networks[labels.isin(names)]
    return kept.assign(activation=pd.Categorical(labels[labels.isin(names)], categories=names))


def _words(firsts: pd.DataFrame, name: str) -> list[str]:
    if name == "init":
        return [clean(value) for value in firsts[name].astype(str)]
    if name in NUMBERS:
        return [f"{WORDS[name]} {text}" for text in numbers(firsts[name].to_numpy(dtype=float))]
    return [f"{WORDS[name]}: {clean(value)}" for value in firsts[name].astype(str)]


def _shared(firsts: pd.DataFrame, constant: list[str]) -> str:
    """Init, width, and what else is not as usual, where all networks have the same."""
    said = [name for name in constant if name in ("init", "width")]
    said += [name for name in ("weight_scale",) if name in constant and firsts[name].iloc[0] != 1]
    said += [name for name in ("bias_scale",) if name in constant and firsts[name].iloc[0] != 0]
    words = ", ".join(_words(firsts.head(1), name)[0] for name in said)
    return f"init {words}" if "init" in said else words
