"""Settings: what distinguishes the panels of a figure, and which part of a sweep a figure shows.

A setting is all of a network's coordinates but its activation, depth and replicate. Most sweeps vary one: the init.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.base.numbers import distinct_numbers, number
from harness.figures.kit.text import clean
from harness.networks.coordinates import BY_NAME, PANELS
from harness.networks.kinds import Flag

MOST_IN_FULL = 2  # coordinates in a panel's title; of more, only values that are not as usual, or it would be cut off
MOST_ACTIVATIONS = 12  # more lines than that cannot be told apart in one panel


@dataclass(frozen=True)
class Panels:
    """The settings that a figure shows, in order, and a note on those that it does not show."""

    labels: dict[int, str]  # setting -> title of its panel
    shared: str  # what all networks of the sweep have in common, in words
    note: str  # "first 6 of 10 inits", or nothing


@dataclass(frozen=True)
class Selection:
    """The part of a sweep that a figure shows.

    networks: with the column `setting`, and `activation` as a category in the order of `activations`.
    notes: what is left out, in words.
    """

    networks: pd.DataFrame
    panels: Panels
    activations: tuple[str, ...]
    notes: tuple[str, ...]


def select(
    networks: pd.DataFrame, most_settings: int, depth: int | None = None, without: tuple[str, ...] = ()
) -> Selection:
    """At most so many settings, and the first activations of a sweep; of networks of one depth, if it is given.

    `without`: coordinates that do not make a setting, because the figure has them on an axis.
    """
    names, left_out = choose_activations(networks)
    networks, varying = with_settings(networks if depth is None else networks[networks["depth"] == depth], without)
    panels = choose_settings(networks, varying, most_settings, without)
    networks = ordered_by_activation(networks[networks["setting"].isin(panels.labels)], names)
    return Selection(networks, panels, names, tuple(filter(None, (panels.note, left_out))))


def sweep_order(values: pd.Series) -> list:
    """The values of a coordinate in the sweep's order: numbers ascending, names in order of appearance."""
    found = pd.unique(values.dropna())
    return sorted(found) if pd.api.types.is_numeric_dtype(values) else list(found)


def with_settings(networks: pd.DataFrame, without: tuple[str, ...] = ()) -> tuple[pd.DataFrame, list[str]]:
    """`networks` with the column `setting`, 0, 1, …, and the names of the coordinates that tell the settings apart.

    A coordinate that follows from those before it (an input width that equals the width) is not among these names.
    Networks that differ only in coordinates of `without` have the same setting.
    """
    present = [name for name in PANELS if name in networks and name not in without]
    codes = np.zeros(len(networks), dtype=np.int64)
    varying = []
    for name in present:
        ranks = {value: rank for rank, value in enumerate(sweep_order(networks[name]))}
        rank = networks[name].map(ranks).astype(float).fillna(-1).to_numpy().astype(np.int64) + 1
        both = np.unique(codes * (rank.max(initial=0) + 1) + rank, return_inverse=True)[1]
        if both.max(initial=0) > codes.max(initial=0):
            varying.append(name)
            codes = both
    return networks.assign(setting=codes), varying


def choose_settings(networks: pd.DataFrame, varying: list[str], most: int, without: tuple[str, ...] = ()) -> Panels:
    """At most so many settings: the first inits, or numbers spaced evenly over their range."""
    firsts = networks.drop_duplicates("setting").sort_values("setting", kind="stable")
    several = len(varying) > MOST_IN_FULL
    labels = unusual(firsts) if several else dict(zip(firsts["setting"], setting_labels(firsts, varying), strict=True))
    constant = [name for name in PANELS if name in networks and name not in (*varying, *without)]
    constant = [name for name in constant if networks[name].nunique() == 1]
    chosen, note = list(labels), ""
    if len(labels) > most:
        kind = _name(varying[0]) + "s" if len(varying) == 1 else "settings"
        even = varying != ["init"]
        places = np.round(np.linspace(0, len(labels) - 1, most)).astype(int) if even else range(most)
        chosen = [chosen[place] for place in places]
        note = f"{most} of {len(labels)} {kind}" if even else f"first {most} of {len(labels)} {kind}"
    return Panels({setting: labels[setting] for setting in chosen}, _shared(firsts, constant), note)


def setting_labels(firsts: pd.DataFrame, varying: list[str]) -> list[str]:
    """A label for each row of `firsts`: the coordinates that vary, or the init where none does."""
    parts = [_words(firsts, name) for name in varying or ["init"]]
    return [", ".join(row) for row in zip(*parts, strict=True)]


def unusual(networks: pd.DataFrame) -> dict[int, str]:
    """{setting: the coordinates that vary and are not as usual}, which is short where few remedies are applied."""
    firsts = networks.drop_duplicates("setting").set_index("setting")
    varying = [name for name in PANELS if name in firsts and firsts[name].nunique() > 1]
    labels = {}
    for setting, row in firsts.iterrows():
        told = [name for name in varying if row[name] != BY_NAME[name].usual]
        labels[setting] = ", ".join(_word(name, row[name]) for name in told) or "none"
    return labels


def _word(name: str, value: object) -> str:
    if isinstance(BY_NAME[name].kind, Flag):
        return BY_NAME[name].label(str(value))
    word = clean(number(value, ".3g") if isinstance(value, float) else value)
    return word if BY_NAME[name].label_alone else f"{_name(name)} {word}"


def choose_activations(networks: pd.DataFrame, most: int = MOST_ACTIVATIONS) -> tuple[tuple[str, ...], str]:
    """The first activations in the sweep's order, at most so many, and a note if there are more."""
    found = [str(label) for label in sweep_order(networks["activation"])]
    return tuple(found[:most]), f"first {most} of {len(found)} activations" if len(found) > most else ""


def deepest_readable(depths: list[int], layers: int) -> int:
    """The largest depth of at most `layers`, so that single layers can be told apart; else the smallest depth."""
    return max((depth for depth in depths if depth <= layers), default=min(depths))


def evenly_spaced(values: list, most: int) -> list:
    """At most so many values of a sorted list, evenly spaced, both ends included."""
    if len(values) <= most:
        return list(values)
    return [values[place] for place in sorted(set(np.round(np.linspace(0, len(values) - 1, most)).astype(int)))]


def ordered_by_activation(networks: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The networks of these activations; the column becomes a category, so that groups sort in the order of `names`."""
    labels = networks["activation"].astype(str)
    kept = networks[labels.isin(names)]
    return kept.assign(activation=pd.Categorical(labels[labels.isin(names)], categories=names))


def _words(firsts: pd.DataFrame, name: str) -> list[str]:
    coordinate = BY_NAME[name]
    if not coordinate.is_text:
        return [coordinate.label(text) for text in distinct_numbers(firsts[name].to_numpy(dtype=float))]
    texts = [clean(value) for value in firsts[name].astype(str)]
    return texts if coordinate.label_alone else [f"{_name(name)}: {text}" for text in texts]


def _name(name: str) -> str:
    """The name of a coordinate in figures."""
    return PANELS[name].words or name.replace("_", " ")


def _shared(firsts: pd.DataFrame, constant: list[str]) -> str:
    """The coordinates that all networks share, as text: init, width, and values that differ from their defaults."""
    names = [name for name in constant if _is_mentioned(name, firsts[name].iloc[0])]
    words = ", ".join(_words(firsts.head(1), name)[0] for name in names)
    return f"init {words}" if "init" in names else words


def _is_mentioned(name: str, value: object) -> bool:
    mention = PANELS[name].mention
    return mention == "always" or (mention == "unless usual" and value != BY_NAME[name].usual)
