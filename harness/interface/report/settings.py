"""The settings of a sweep as the page shows them: networks that differ in their draws only, and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.base.arrays import ZERO_UNDER, Array
from harness.figures.kit.quartiles import quartiles
from harness.interface.report.encoding import Plain, plain
from harness.networks.coordinates import BY_NAME, PRODUCT_ORDER
from harness.study.summary import varying_coordinates

MOST_SETTINGS = 2_000  # on the page; more would take more than 3 MB
QUARTER = 0.6745  # of a standard deviation: half of a normal law lies within ± it


@dataclass(frozen=True)
class Settings:
    """`axes`: the coordinates that tell the settings apart. `frame`: one row each, with `axes`, `setting` and `draws`.

    `networks` has the networks of these settings, with `setting`, the row of each in `frame`. `count` is the number
    of settings of the sweep: beyond MOST_SETTINGS, evenly spaced ones are on the page.
    """

    axes: tuple[str, ...]
    frame: pd.DataFrame
    networks: pd.DataFrame
    count: int

    @property
    def depths(self) -> list[int]:
        """The depth of each setting."""
        return [int(depth) for depth in self.frame["depth"]]


def settings_of(networks: pd.DataFrame) -> Settings:
    """The settings of a sweep, by its coordinates in their usual order."""
    axes = tuple(name for name in PRODUCT_ORDER if name in (*varying_coordinates(networks), "depth"))
    groups = networks.groupby(list(axes), observed=True, sort=False, dropna=False)
    frame = groups.size().reset_index(name="draws")
    chosen = np.unique(np.linspace(0, len(frame) - 1, min(len(frame), MOST_SETTINGS)).round().astype(int))
    place = np.full(len(frame), -1)
    place[chosen] = np.arange(len(chosen))
    own = networks.assign(setting=place[groups.ngroup().to_numpy()])
    return Settings(
        axes, frame.take(chosen).reset_index(drop=True), own[own["setting"] >= 0].reset_index(drop=True), len(frame)
    )


def axes_of(settings: Settings) -> list[dict]:
    """Each axis with its words and its values: numbers ascending, names in the order of the tables."""
    return [
        {
            "name": name,
            "words": name.replace("_", " "),
            "alone": BY_NAME[name].label_alone or name == "activation",
            "values": in_order(settings.frame[name]),
        }
        for name in settings.axes
    ]


def in_order(column: pd.Series) -> Sequence[Plain]:
    """The different values of a coordinate."""
    values = list(dict.fromkeys(plain(value) for value in column.astype(object)))
    numbers = [value for value in values if isinstance(value, int | float)]
    return sorted(numbers) if len(numbers) == len(values) else values


def depth_numbers(settings: Settings) -> list[dict]:
    """For each setting its coordinates, and what the chart over depth shows.

    `gain`: quartiles of the attenuation in decades, a dead network counting as −∞. `theory`: its median, and half the
    width of the middle half, as theory predicts them. `zero`: the share of draws that read 0 in each format.
    """
    networks = settings.networks
    gains = networks["log10_gradient_gain"].where(networks["dead_from_layer"].isna(), -np.inf)
    gains = gains.where(networks["depth"] > 1, 0.0)  # nothing lies between the first and the last of one layer
    middle = quartiles(networks.assign(gain=gains), ["setting"], "gain")
    groups = networks.groupby("setting", sort=True)
    predicted = groups[["predicted_slope_per_layer", "predicted_spread"]].median()
    steps = np.maximum(settings.frame["depth"].to_numpy() - 1, 0)
    theory = predicted["predicted_slope_per_layer"].to_numpy() * steps
    spread = QUARTER * predicted["predicted_spread"].to_numpy() * steps
    formats = [f"zero_from_layer_{name}" for name in ZERO_UNDER]
    zero = networks[formats].notna().groupby(networks["setting"], sort=True).mean().to_numpy()
    rows = middle[["low", "median", "high"]].to_numpy()
    keys = settings.frame[list(settings.axes)].astype(object).to_numpy()
    return [
        {
            "key": [plain(value) for value in keys[i]],
            "draws": int(draws),
            "gain": _plain_row(rows[i]),
            "theory": _plain_row((theory[i], spread[i])),
            "zero": dict(zip(ZERO_UNDER, _plain_row(zero[i]), strict=True)),
        }
        for i, draws in enumerate(settings.frame["draws"])
    ]


def _plain_row(values: Sequence[float] | Array) -> list[Plain]:
    return [plain(float(value)) for value in values]
