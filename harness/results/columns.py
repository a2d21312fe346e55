"""The columns of the result tables, each declared once: name, unit, meaning, and where it comes from.

The tables have these columns in this order; the page of columns and `harness list` are generated from them. Columns of
the coordinates follow from networks/coordinates.py, and those of the measures from engine/measures.py.
"""

from dataclasses import dataclass
from typing import Literal

from harness.base.arrays import INFINITE_FROM, ZERO_UNDER
from harness.engine.measures import MEASURES, ON_REQUEST
from harness.engine.remedied.measures import REMEDIED
from harness.networks.coordinates import BY_NAME, OFF_LAYERS, ON_LAYERS
from harness.networks.kinds import Flag
from harness.networks.training.recipe import RECIPE
from harness.networks.training.split import PARTS

Source = Literal["index", "coordinate", "measure", "theory", "record"]


@dataclass(frozen=True)
class Column:
    """A column of a table. Sources: index (which row), coordinate (of the network, or a quantity that follows from its
    coordinates), measure (of a layer), theory (a prediction), record (of a network, from what was measured)."""

    name: str
    unit: str  # "" for texts and counts
    meaning: str
    source: Source
    repeats: bool = False  # few values, many times: stored as a dictionary


def _coordinate(name: str) -> Column:
    kind = BY_NAME[name].kind  # parquet has no dictionaries of booleans
    return Column(name, "", BY_NAME[name].meaning, "coordinate", repeats=not isinstance(kind, Flag))


def _index(name: str, meaning: str) -> Column:
    return Column(name, "", meaning, "index", repeats=True)


_NETWORK = _index("network", "Key of the network and its replicate, the same in both tables")
_REPLICATE = _index("replicate", "Number of the draw, from 0")
_COORDINATES = (_NETWORK, *map(_coordinate, ON_LAYERS), _REPLICATE)

LAYERS = (
    *_COORDINATES,
    _index("layer", "k = 1 … depth: the row is about z[k], r[k], and the W[k−1] and b[k−1] that lead to them"),
    *(
        Column(measure.name, measure.unit, measure.meaning, "measure")
        for measure in (*MEASURES.values(), *REMEDIED.values(), *ON_REQUEST.values())
    ),
)
NETWORKS = (
    *_COORDINATES,
    *map(_coordinate, OFF_LAYERS),
    _index("seed", "Seed of the sweep"),
    Column("family", "", "Family of the base draws of the weights", "coordinate", repeats=True),
    Column("sigma_w", "", "σ_w of the hidden layers: σ_w² = fan_in · Var W", "coordinate", repeats=True),
    Column("sigma_w_input", "", "σ_w of the first layer, W[0]", "coordinate", repeats=True),
    Column("sigma_w_output", "", "σ_w of the last layer, W[depth − 1]", "coordinate", repeats=True),
    Column("sigma_b", "", "Standard deviation of the biases of the hidden layers", "coordinate", repeats=True),
    Column("log10_rms_inputs", "log10", "Root mean square of the inputs over units and batch", "record"),
    Column("log10_cost", "log10", "The cost C", "record"),
    Column("log10_gradient_gain", "decades", "Attenuation: ‖∂C/∂z[1]‖ / ‖∂C/∂z[depth]‖; 0 at depth 1", "record"),
    Column("slope_per_layer", "decades per layer", "Attenuation / (depth − 1); null at depth 1", "record"),
    Column(
        "predicted_slope_per_layer",
        "decades per layer",
        "Prediction for `slope_per_layer`, layer by layer from the actual input, with the finite-width shift",
        "theory",
    ),
    Column(
        "predicted_spread",
        "decades per layer",
        "Predicted standard deviation of `slope_per_layer` over draws",
        "theory",
    ),
    Column(
        "slope_residual",
        "predicted spreads",
        "(`slope_per_layer` − `predicted_slope_per_layer`) / `predicted_spread`; null for dead networks, "
        "with more than one sample, and with a cost other than the linear one",
        "theory",
    ),
    Column(
        "regime",
        "",
        "vanishing, healthy or exploding, by `thresholds.decades` on the attenuation, or dead; null where unknown",
        "record",
        repeats=True,
    ),
    Column("log10_least_relative_gradient", "log10", "Least ‖∂C/∂W‖ / ‖W‖ of all layers", "record"),
    Column("log10_largest_relative_gradient", "log10", "Largest ‖∂C/∂W‖ / ‖W‖ of all layers", "record"),
    Column(
        "gradient_level",
        "",
        "large where a layer's ‖∂C/∂W‖ is over 10 ‖W‖, small where every layer's is under ‖W‖ / 1000, else moderate; "
        "zero where there is none; null where unknown",
        "record",
        repeats=True,
    ),
    Column(
        "status",
        "",
        "ok, or what left the number format at which layer; quantities that are unknown from there on are null",
        "record",
        repeats=True,
    ),
    Column(
        "dead_from_layer",
        "layer",
        "First layer by which every sample has met a layer of silent units; null for none",
        "record",
    ),
    *(
        Column(
            f"zero_from_layer_{name}",
            "layer",
            f"First layer, from the output down, whose largest ∂C/∂z[k] {name} reads as 0; null for none",
            "record",
        )
        for name in ZERO_UNDER
    ),
    *(
        Column(
            f"infinite_from_layer_{name}",
            "layer",
            f"First layer, going up, whose largest r[k] {name} reads as infinite; null for none",
            "record",
        )
        for name in INFINITE_FROM
    ),
    *(
        Column(
            f"infinite_gradient_from_layer_{name}",
            "layer",
            f"First layer, from the output down, whose largest ∂C/∂z[k] {name} reads as infinite; null for none",
            "record",
        )
        for name in INFINITE_FROM
    ),
)

# Training -----------------------------------------------------------------------------------------------------------

_PARTS = {
    "probe": "the probe, the first `data.batch` rows that train",
    "validation": "the validation rows",
    "test": "the test rows",
}
_OF_RUN = (
    _index("run", "Key of the training run: that of the network, and that of the recipe"),
    *_COORDINATES,
    *(Column(name, "", meaning, "coordinate", repeats=True) for name, meaning in RECIPE.items()),
    _index("step", "Number of steps taken; 0 is the network as drawn, with the numbers of `layers` and `networks`"),
    _index("reached", "The cost of `training.reached` that was first reached at this step; null for rows by schedule"),
)
STEPS = (
    *_OF_RUN,
    *(Column(f"log10_cost_{part}", "log10", f"The cost C on {_PARTS[part]}", "record") for part in PARTS),
    *(Column(f"accuracy_{part}", "fraction", f"Share of right classes on {_PARTS[part]}", "record") for part in PARTS),
    Column(
        "log10_grad_norm",
        "log10",
        "Norm of the gradient of all parameters on the last minibatch, before clipping",
        "record",
    ),
    Column(
        "clipped_share", "fraction", "Share of the steps since the last row by schedule that were clipped", "record"
    ),
    Column("log10_gradient_gain", "decades", "Attenuation on the probe: ‖∂C/∂z[1]‖ / ‖∂C/∂z[depth]‖", "record"),
    Column(
        "log10_norm_weights",
        "log10",
        "Norm of all trained weights of the network together: W, or V where W is standardised V; tied ones once",
        "record",
    ),
    Column(
        "status",
        "",
        "ok; or what left the number format on the probe at which layer, as in `networks`; or diverged and at which "
        "step: all values are null from there on",
        "record",
        repeats=True,
    ),
)
STEP_LAYERS = (
    *_OF_RUN,
    _index("layer", "k = 1 … depth, as in `layers`"),
    *(Column(measure.name, measure.unit, measure.meaning, "measure") for measure in MEASURES.values()),
    Column(
        "log10_update_ratio",
        "log10",
        "‖ΔW[k−1]‖/‖W[k−1]‖ of the last step; here and below W is what is trained: V where W is standardised V",
        "record",
    ),
    Column("moved", "ratio", "‖W[k−1] − W₀[k−1]‖/‖W₀[k−1]‖ since the start", "record"),
    Column("norm_flow", "squared norm", "Σ 2⟨W[k−1], ΔW[k−1]⟩ over the steps so far", "record"),
    Column("norm_step", "squared norm", "Σ ‖ΔW[k−1]‖² over the steps so far", "record"),
    Column(
        "balance_residual",
        "ratio",
        "Δ(‖W[k−1]‖² + ‖b[k−1]‖² − ‖W[k]‖²) minus the same of Σ‖ΔW‖², over ‖W[k−1]‖²: 0 for SGD and a positively "
        "homogeneous activation, without normalisation, skips, standardised or tied weights; null for the last layer. "
        "gamma and beta do not count",
        "record",
    ),
    Column(
        "frozen_fraction",
        "fraction",
        "Share of weights whose update is not 0 and is lost to rounding, last step",
        "record",
    ),
    Column("born", "units", "Units that were dead at step 0: no gradient for any row that trains", "record"),
    Column("died", "units", "Units that died so far, counted from row to row", "record"),
    Column("revived", "units", "Dead units that revived so far; born + died − revived are dead now", "record"),
)
TABLES = {"layers": LAYERS, "networks": NETWORKS, "steps": STEPS, "step_layers": STEP_LAYERS}

LAYER_COORDINATES = tuple(column.name for column in _COORDINATES)  # columns of `networks` that `layers` repeats
REPEATING = frozenset(column.name for table in TABLES.values() for column in table if column.repeats)
