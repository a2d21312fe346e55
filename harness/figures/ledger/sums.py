"""The ledger as numbers: the decades that the activation and the weights contribute to the attenuation, layer by layer.

Attenuation = weight factors of layers 2 … L + activation factors of layers 1 … L−1, in decades. The running sums from
the output down to each layer split the attenuation so far into the two parts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.base.arrays import Array
from harness.base.numbers import number
from harness.figures.kit import settings, text
from harness.figures.kit.layer_quartiles import joined_layers, layer_quartiles
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.settings import Panels, deepest_readable, select, with_settings
from harness.networks.spec import activation_labelled
from harness.results.rows import Layers

READABLE = 64  # layers: in a panel of a third of the page, single layers can still be told apart
MOST_ROWS, MOST_ACTIVATIONS = 3, 3  # with running sums; what has more is drawn as bars
MOST_BARS, MOST_BAR_PANELS = 16, 6
FACTORS = ("log10_activation_factor", "log10_weight_factor")
SLOPES = {"relu": "Step", "sigmoid": "y(1−y)"}


@dataclass(frozen=True)
class Prepared:
    """The numbers that the figure draws, of networks of one depth, in decades.

    factors: setting, activation, part (activation, weights), layer, draws, …, low, median, high: decades per layer.
    running: setting, activation, layer, activation_part, weights_part, total: the ledger summed from the output down
        to that layer, of the draw with the median attenuation, so that the parts add to the total exactly.
    totals: setting, activation, draws, dead, unknown, replicate (of that draw), activation_part, weights_part, total,
        low, high (quartiles of the total over draws), bound (of the activation's part, NaN if not known).
    """

    depth: int
    depths: tuple[int, ...]
    factors: pd.DataFrame
    running: pd.DataFrame
    totals: pd.DataFrame
    bounds: dict[str, float]  # activation -> log10 of the largest φ'
    networks: pd.DataFrame
    panels: Panels
    activations: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def as_bars(self) -> bool:
        """Whether there are too many settings or activations for running sums."""
        return len(self.panels.labels) > MOST_ROWS or len(self.activations) > MOST_ACTIVATIONS


def prepare(layers: pd.DataFrame, networks: pd.DataFrame) -> Prepared:
    """The ledger of the deepest networks whose layers can be told apart in the figure."""
    depths = sorted(int(depth) for depth in networks["depth"].unique() if depth > 1)
    depth = deepest_readable(depths, READABLE)
    chosen = select(networks, _most_settings(networks, depth), depth)
    totals, running = _of_the_median_draw(layers, chosen.networks, depth)
    bounds = {name: log10_slope_bound(name) for name in chosen.activations}
    totals["bound"] = totals["activation"].astype(str).map(bounds).to_numpy(dtype=float) * (depth - 1)
    factors = _factors(layers, chosen.networks, depth)
    shown = chosen.networks, chosen.panels, chosen.activations, chosen.notes
    return Prepared(depth, tuple(depths), factors, running, totals, bounds, *shown)


def _most_settings(networks: pd.DataFrame, depth: int) -> int:
    """The number of settings that fit on a page: as running sums, or as bars where inits or many activations vary."""
    activations = min(networks["activation"].nunique(), settings.MOST_ACTIVATIONS)
    _, varying = with_settings(networks[networks["depth"] == depth])
    if activations <= MOST_ACTIVATIONS and varying != ["init"]:
        return MOST_ROWS
    return MOST_BARS if activations <= MOST_BAR_PANELS else MOST_BAR_PANELS


def log10_slope_bound(label: str) -> float:
    """log10 of the largest φ′ of an activation, given by its label. NaN for a label of no known activation."""
    try:
        return float(np.log10(activation_labelled(label).slope_bound))
    except (KeyError, TypeError, ValueError):
        return np.nan


def running_sums(values: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Each network's ledger summed from the output down to each layer; one row for each of the layers 1 … depth."""
    values = values.sort_values(["setting", "activation", "replicate", "network", "layer"], kind="stable")
    activation = values["log10_activation_factor"].to_numpy().reshape(-1, depth).copy()
    weights = values["log10_weight_factor"].to_numpy().reshape(-1, depth).copy()
    activation[:, -1] = 0  # the output's own activation comes before ∂C/∂z[L], where the attenuation starts
    weights = np.column_stack([weights[:, 1:], np.zeros(len(weights))])  # W[k] leads from layer k+1 down to layer k
    parts = {"activation_part": _from_the_output(activation), "weights_part": _from_the_output(weights)}
    sums = values[["network", "setting", "activation", "replicate", "layer"]].assign(**parts)
    return sums.assign(total=sums["activation_part"] + sums["weights_part"]).reset_index(drop=True)


def _from_the_output(decades: Array) -> Array:
    return np.cumsum(decades[:, ::-1], axis=1)[:, ::-1].ravel()


def _factors(layers: Layers, networks: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Median and quartiles of the factors in the ledger; NaN where fewer than half of the draws have a factor."""
    all_rows = layer_quartiles(layers, networks, FACTORS, [depth], ["setting", "activation", "layer"])
    parts = []
    for part, column, first, last in zip(("activation", "weights"), FACTORS, (1, 2), (depth - 1, depth), strict=True):
        rows = all_rows[(all_rows["measure"] == column) & all_rows["layer"].between(first, last)].assign(part=part)
        few = rows["unknown"] * 2 > rows["draws"]  # below a dead layer there is no factor
        parts.append(rows.assign(**{name: rows[name].mask(few) for name in ("low", "median", "high")}))
    return pd.concat(parts, ignore_index=True).drop(columns="measure")


def _of_the_median_draw(layers: Layers, networks: pd.DataFrame, depth: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Totals and running sums of the draw with the (lower) median attenuation; a dead draw counts as −∞."""
    dead = networks["dead_from_layer"].notna()
    gain = networks["log10_gradient_gain"].mask(dead, -np.inf)
    networks = networks.assign(gain=gain)
    totals = quartiles(networks, ["setting", "activation"], "gain").drop(columns="median")
    known = networks[gain.notna()].sort_values(["setting", "activation", "gain", "replicate"], kind="stable")
    groups = known.groupby(["setting", "activation"], observed=True, sort=True)
    middle = known[groups.cumcount() == (groups["gain"].transform("size") - 1) // 2]
    middle = middle[["setting", "activation", "network", "replicate", "gain"]]
    alive = networks[networks["network"].isin(middle.loc[middle["gain"] > -np.inf, "network"])]
    running = running_sums(joined_layers(layers, alive, FACTORS, [depth]), depth)
    first = running.loc[running["layer"] == 1, ["network", "activation_part", "weights_part", "total"]]
    totals = totals.merge(middle.merge(first, on="network", how="left"), on=["setting", "activation"], how="left")
    totals["total"] = totals["total"].fillna(totals["gain"])  # a dead draw is −inf and has no parts
    totals["activation"] = pd.Categorical(totals["activation"], categories=networks["activation"].cat.categories)
    totals = totals.drop(columns=["network", "gain"])
    return totals, running.sort_values(["setting", "activation", "layer"], kind="stable").reset_index(drop=True)


def slope_name(label: str) -> str:
    """The name of φ′: Step, y(1−y), or φ′ of another activation."""
    return SLOPES.get(label, f"φ′ of {text.clean(label, 24)}")


def ledger_numbers(values: list[float]) -> list[str]:
    """Decades that add up, all with the same number of digits."""
    digits = 2 if max(abs(value) for value in values) < 100 else 1
    return [number(value, f"+.{digits}f") for value in values]


def bound_words(log10_bound: float) -> str:
    """The bound as a factor: ×1, ×¼, ×1.13."""
    named = {1.0: "1", 0.25: "¼", 0.5: "½"}
    value = 10**log10_bound
    close = [word for number, word in named.items() if abs(value - number) < 1e-9]
    return f"×{close[0] if close else f'{value:.3g}'}"


def which(prepared: Prepared) -> str:
    """The networks that the figure shows, as text for the caption."""
    deeper = [depth for depth in prepared.depths if depth > prepared.depth]
    why = f", the deepest of at most {READABLE} layers (the sweep goes to {prepared.depths[-1]})" if deeper else ""
    return f"Networks of depth {prepared.depth}{why}"


COUNTED = "Counted are the weights of layers 2 to the last and the slopes of all layers but the last"


def gaps(prepared: Prepared) -> str:
    """A sentence for the caption if there are factors missing below dead layers, or unknown."""
    if not prepared.factors["unknown"].any():
        return ""
    return "Below a dead layer there is no factor; none is drawn where fewer than half of the draws have one"
