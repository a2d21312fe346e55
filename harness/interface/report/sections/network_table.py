"""The table of networks on the page, or of settings where there are too many networks."""

import pandas as pd

from harness.base.arrays import ZERO_UNDER
from harness.interface.report.encoding import plain_column
from harness.interface.report.settings import Settings

MOST_NETWORKS = 20_000  # rows of the table; more would take more than 3 MB

_COLUMNS = {  # the name of a column, its title, and the digits after the point
    "slope_per_layer": ("decades a layer", 4),
    "predicted_slope_per_layer": ("theory", 4),
    "slope_residual": ("residual (spreads)", 2),
    "log10_gradient_gain": ("attenuation", 2),
    "regime": ("regime", None),
    "status": ("status", None),
    "dead_from_layer": ("dead from layer", None),
    **{f"zero_from_layer_{name}": (f"{name} = 0 from", None) for name in ZERO_UNDER},
}
_ALWAYS = ("network", "depth", "replicate")


def network_table(networks: pd.DataFrame, settings: Settings) -> dict:
    """Names, titles, digits and columns of the table; texts that repeat are codes into `levels`.

    `networks` is the whole table. Beyond MOST_NETWORKS the table has a row for each setting, with medians over draws.
    """
    whole = len(networks) <= MOST_NETWORKS
    frame = networks.assign(network=networks["network"].astype(str)) if whole else _by_setting(settings)
    keys = ["network", *settings.axes, "replicate"] if whole else [*settings.axes, "draws"]
    names = [name for name in (*keys, *_COLUMNS) if name in frame and _says_something(frame[name], name)]
    return {
        "names": names,
        "titles": [_title(name) for name in names],
        "digits": [_COLUMNS.get(name, ("", None))[1] for name in names],
        "whole": whole,
        "levels": {name: _levels(frame[name]) for name in names if _is_coded(frame[name])},
        "columns": {name: _column(frame[name]) for name in names},
    }


def _by_setting(settings: Settings) -> pd.DataFrame:
    numbers = [name for name in _COLUMNS if pd.api.types.is_numeric_dtype(settings.networks[name])]
    medians = settings.networks.groupby("setting", sort=True)[numbers].median()
    return settings.frame.join(medians)


def _says_something(column: pd.Series, name: str) -> bool:
    return name in _ALWAYS or column.nunique(dropna=False) > 1


def _title(name: str) -> str:
    if name == "replicate":
        return "draw"
    return _COLUMNS[name][0] if name in _COLUMNS else name.replace("_", " ")


def _is_coded(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _levels(column: pd.Series) -> list[str]:
    return [str(level) for level in column.cat.categories]


def _column(column: pd.Series) -> list:
    return [int(code) for code in column.cat.codes] if _is_coded(column) else plain_column(column)
