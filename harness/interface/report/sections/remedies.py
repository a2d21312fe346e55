"""Remedies: what each kind of network keeps of the gradient, beside theory, and what a residual block is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.base.arrays import Array
from harness.figures.kit.layer_quartiles import layer_quartiles
from harness.figures.kit.settings import unusual, with_settings
from harness.interface.report.encoding import Plain, plain
from harness.interface.report.sections.charts import DrawnRows
from harness.interface.report.settings import Settings
from harness.results.rows import Rows

RATIO, COSINE = "log10_branch_ratio", "branch_cosine"
PARTS = ("skip", "branch", "agreement")  # of a block's square, 1 + ρ² + 2ρ·cos
MOST_ROWS = 300  # settings in the section


@dataclass(frozen=True)
class Remedies:
    """`kinds`: the kinds of networks, by the largest attenuation of any activation at the greatest depth, least first.

    `rows`: kind (a place in `kinds`), activation, depth, draws, gain (quartiles in decades), theory (its median), and
    shares of PARTS, or None without residual blocks. `count` is the number of settings.
    """

    kinds: list[str]
    rows: list[dict]
    count: int


def remedies(settings: Settings, numbers: Sequence[dict], rows: Rows, drawn: Mapping[int, Array]) -> Remedies | None:
    """The section of a sweep with normalisation or residual blocks; None where no network has either.

    `numbers` are those of the chart over depth. Shares are those of the middle block: of the median ρ and the median
    cosine over draws, and then over the drawn layers.
    """
    networks = settings.networks
    if not any(name in networks and (networks[name] != "none").any() for name in ("normalisation", "residual")):
        return None
    labels, shares = _labels(networks), _shares(settings, rows, drawn)
    activation = settings.frame["activation"].astype(str).tolist()
    found = [
        {
            "kind": labels[setting],
            "activation": activation[setting],
            "depth": depth,
            "draws": numbers[setting]["draws"],
            "gain": numbers[setting]["gain"],
            "theory": numbers[setting]["theory"][0],
            "shares": shares.get(setting),
        }
        for setting, depth in enumerate(settings.depths)
    ]
    kinds = _ranked(found)
    listed = sorted(found, key=lambda row: (kinds.index(row["kind"]), row["depth"]))
    return Remedies(kinds, [row | {"kind": kinds.index(row["kind"])} for row in listed[:MOST_ROWS]], len(found))


def _labels(networks: pd.DataFrame) -> list[str]:
    """For each setting of the page what is unusual about its kind of network; depths and activations share kinds."""
    own, _ = with_settings(networks.drop(columns="setting"))
    kinds = unusual(own)
    first = own.assign(page=networks["setting"]).drop_duplicates("page").sort_values("page")
    return [kinds[setting] for setting in first["setting"]]


def _ranked(rows: Sequence[dict]) -> list[str]:
    """The kinds by the largest |median| of any activation at their greatest depth; what is dead comes last."""
    deepest = max(row["depth"] for row in rows)
    frame = pd.DataFrame(
        {"kind": row["kind"], "worst": abs(_number(row["gain"][1])), "deep": row["depth"] == deepest} for row in rows
    )
    frame["worst"] = frame["worst"].where(frame["deep"]).where(frame["worst"].notna() | ~frame["deep"], np.inf)
    return frame.groupby("kind", sort=False)["worst"].max().sort_values(kind="stable").index.tolist()


def _number(value: Plain) -> float:
    return np.nan if value is None else float(value)


def _shares(settings: Settings, rows: Rows, drawn: Mapping[int, Array]) -> dict[int, list[Plain]]:
    """The shares of PARTS in each setting whose networks have residual blocks that can be measured."""
    networks = settings.networks
    networks = networks[networks["residual"] != "none"] if "residual" in networks else networks.iloc[:0]
    if networks.empty:
        return {}
    own = DrawnRows(rows.paths, drawn)
    found = layer_quartiles(own, networks, [RATIO, COSINE], list(drawn), ["setting", "layer"])
    middle = found.groupby(["measure", "setting"])["median"].median().unstack("measure").dropna()
    ratio, cosine = 10 ** middle[RATIO].to_numpy(), middle[COSINE].to_numpy()
    square = 1 + ratio**2 + 2 * ratio * cosine
    parts = np.column_stack([np.ones_like(ratio), ratio**2, 2 * ratio * cosine]) / square[:, None]
    return {
        int(setting): [plain(float(part)) for part in own] for setting, own in zip(middle.index, parts, strict=True)
    }
