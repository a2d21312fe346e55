"""Walk a gradient: the chain of norms of single networks, from the output down to the input."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from harness.base.arrays import Array
from harness.interface.report.encoding import packed_columns
from harness.interface.report.settings import Settings
from harness.results.rows import Rows, take

MOST_ROWS = 150_000  # layers of all chains on the page
RANKS = ("median", "least", "greatest")  # attenuation of the first draws of a setting

_COLUMNS = (
    "log10_grad_outputs",
    "log10_grad_preactivations",
    "log10_weight_factor",
    "log10_grad_weights",
    "log10_max_grad_preactivations",
)


@dataclass(frozen=True)
class Walks:
    """The chains on the page. `index` has an entry each; `chains` are packed; `draws` of each setting, and `rows`."""

    index: list[dict]
    chains: str
    draws: int
    rows: int


def walks(rows: Rows, settings: Settings) -> Walks:
    """The chains of as many draws of every setting as MOST_ROWS allows.

    Draws come in the order median attenuation, least, greatest, the rest. Where not even one draw of each setting
    fits, some settings have none: those that come late in the order of the keys, which are hashes and favour none.
    """
    orders = _orders(settings.networks)
    depths = settings.depths
    draws = _draws(depths, [len(order) for order in orders])
    chosen: list[tuple[int, str, str]] = []
    total = 0
    for setting in sorted(range(len(orders)), key=lambda setting: orders[setting][0]):
        for place, network in enumerate(orders[setting][:draws]):
            if total + depths[setting] <= MOST_ROWS:
                total += depths[setting]
                chosen.append((setting, network, RANKS[place] if place < 3 <= len(orders[setting]) else ""))
    chosen.sort(key=lambda chain: chain[0])
    index = [{"setting": setting, "network": network, "rank": rank} for setting, network, rank in chosen]
    return Walks(index, packed_columns(_chains(rows, settings, [name for _, name, _ in chosen])), draws, total)


def _orders(networks: pd.DataFrame) -> list[list[str]]:
    """The keys of each setting's networks: the median attenuation first, then the least, the greatest and the rest."""
    gain = networks["log10_gradient_gain"].fillna(-np.inf).to_numpy()
    ranked = np.lexsort((networks["replicate"], gain, networks["setting"]))
    names = networks["network"].astype(str).to_numpy()[ranked]
    ends = np.cumsum(np.bincount(networks["setting"]))
    return [_median_first(list(own)) for own in np.split(names, ends[:-1])]


def _median_first(ranked: list[str]) -> list[str]:
    first = [ranked[(len(ranked) - 1) // 2], ranked[0], ranked[-1]]
    return list(dict.fromkeys([*first, *ranked]))


def _draws(depths: list[int], counts: list[int]) -> int:
    """The largest number of draws of each setting whose layers fit on the page; 1 where not even that fits."""

    def fits(draws: int) -> bool:
        return sum(depth * min(draws, count) for depth, count in zip(depths, counts, strict=True)) <= MOST_ROWS

    return bisect_left(range(1, max(counts) + 1), True, key=lambda draws: not fits(draws)) or 1


def _chains(rows: Rows, settings: Settings, names: list[str]) -> Iterator[Array]:
    """For each network three columns, from the output down.

    Norms in the order of the equations, ∂C/∂r[L], ∂C/∂z[L], ∂C/∂r[L−1], …, ∂C/∂r[0]; ‖∂C/∂W‖ of each layer; and the
    largest entry of each ∂C/∂z.
    """
    networks = settings.networks
    known = networks.set_index(networks["network"].astype(str)).loc[names].reset_index(drop=True)
    table = take(rows, known, _COLUMNS, sorted(set(known["depth"].tolist())))
    layer_last = np.lexsort((-table["layer"].to_numpy(), table["place"].to_numpy()))
    columns = table[list(_COLUMNS)].to_numpy(dtype=float)[layer_last].T
    ends = np.cumsum(known["depth"].to_numpy())
    for begin, end in pairwise([0, *ends]):
        outputs, deltas, factor, weights, largest = columns[:, begin:end]
        inputs = deltas[-1] if np.isneginf(deltas[-1]) else deltas[-1] + factor[-1]  # ‖∂C/∂r[0]‖
        yield np.append(np.column_stack([outputs, deltas]).ravel(), inputs)
        yield weights
        yield largest
