"""The two result tables of a block: `layers`, a row per network and layer, and `networks`, a row per network.

Rows are ordered by network, replicate and layer. NaN is stored as null.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from harness.measures import FORWARD, MEASURES
from harness.network import NetworkSpec
from harness.scaled import LOG10_2
from harness.theory import predict

Array = np.ndarray

OK = "ok"
# log10 of half the smallest subnormal of each format: what is smaller reads 0.
ZERO_UNDER = {
    name: -bits * LOG10_2 for name, bits in (("float16", 25), ("bfloat16", 134), ("float32", 150), ("float64", 1075))
}


@dataclass(frozen=True)
class Tables:
    """What a block leaves: both tables, ready to be written."""

    layers: pa.Table
    networks: pa.Table


@dataclass(frozen=True)
class Records:
    """Arrays that a run fills, for every network of a block in order: rows are replicates.

    Per network: `layers[column]` (replicates, depth), `log10_cost` (replicates,), `status` (replicates,) of str,
    `dead_from_layer` (replicates,) with 0 for never.
    """

    specs: Sequence[NetworkSpec]
    replicates: Sequence[int]
    layers: dict[str, Array] = field(init=False)
    log10_cost: Array = field(init=False)
    dead_from_layer: Array = field(init=False)
    status: Array = field(init=False)
    offsets: Array = field(init=False)

    def __post_init__(self):
        depths = np.array([spec.depth for spec in self.specs])
        shape = (len(self.specs), len(self.replicates))
        set_ = object.__setattr__
        set_(self, "offsets", np.concatenate([[0], np.cumsum(depths * len(self.replicates))]))
        set_(self, "layers", {name: np.full(self.offsets[-1], np.nan) for name in MEASURES})
        set_(self, "log10_cost", np.full(shape, np.nan))
        set_(self, "dead_from_layer", np.zeros(shape, dtype=np.int64))
        set_(self, "status", np.full(shape, OK, dtype=object))

    def of(self, column: str, network: int) -> Array:
        """The part of a column that belongs to one network, (replicates, depth); a view."""
        rows = self.layers[column][self.offsets[network] : self.offsets[network + 1]]
        return rows.reshape(len(self.replicates), self.specs[network].depth)

    def put(self, some: "Records") -> None:
        """Take over what was recorded of some of the replicates."""
        if some is self:
            return
        first = some.replicates[0] - self.replicates[0]
        rows = slice(first, first + len(some.replicates))
        for column in MEASURES:
            for network in range(len(self.specs)):
                self.of(column, network)[rows] = some.of(column, network)
        for mine, theirs in ((self.log10_cost, some.log10_cost), (self.dead_from_layer, some.dead_from_layer),
                             (self.status, some.status)):  # fmt: skip
            mine[:, rows] = theirs

    def blank(self, network: int, forward_fails: Array, slope_fails: Array) -> None:
        """Null what is not known: all from the layer on at which a pass left the number format.

        Layers are (replicates,), 0 for none: the forward columns from there up, the backward ones from there down,
        and all of the backward ones where the forward pass failed.
        """
        failed = np.nonzero(forward_fails | slope_fails)[0]
        if not len(failed):
            return
        layer = np.arange(1, self.specs[network].depth + 1)
        forward, slope = forward_fails[failed, None], slope_fails[failed, None]
        for column in MEASURES:
            unknown = (forward > 0) & (layer >= forward) if column in FORWARD else (forward > 0) | (layer <= slope)
            values = self.of(column, network)
            values[failed] = np.where(unknown, np.nan, values[failed])


def tables(records: Records, seed: int, decades: float, log10_rms_inputs: Array,
           record_layers: int | tuple[int, ...] | None = None) -> Tables:  # fmt: skip
    """Both tables of a block. `decades`: an attenuation beyond ± that many is called vanishing or exploding.

    `log10_rms_inputs`, (replicates,), is over units and batch; theory predicts from it. `record_layers` thins the rows
    of `layers`, see `recorded`; `networks` is of all layers all the same.
    """
    networks = _networks(records, seed, decades, log10_rms_inputs)
    layers = [recorded(spec.depth, record_layers) for spec in records.specs for _ in records.replicates]
    index = np.repeat(np.arange(len(layers)), [len(own) for own in layers])
    layer = np.concatenate(layers)
    columns = {name: _repeated(networks[name], index) for name in LAYER_COORDINATES}
    columns["layer"] = pa.array(layer)
    depths = np.repeat([spec.depth for spec in records.specs], len(records.replicates))
    rows = (np.cumsum(depths) - depths)[index] + layer - 1
    columns |= {name: pa.array(values if record_layers is None else values[rows], from_pandas=True)
                for name, values in records.layers.items()}  # fmt: skip
    return Tables(pa.table(columns), pa.table(networks))


def recorded(depth: int, record_layers: int | tuple[int, ...] | None) -> Array:
    """The layers of a network that are recorded, ascending from 1: all, so many spread evenly, or those of a list."""
    if record_layers is None:
        return np.arange(1, depth + 1)
    if isinstance(record_layers, int):
        return np.unique(np.linspace(1, depth, min(record_layers, depth)).round().astype(np.int64))
    return np.array([layer for layer in record_layers if layer <= depth], dtype=np.int64)


LAYER_COORDINATES = (
    "network", "activation", "init", "weight_scale", "bias_scale", "depth", "width", "replicate")  # fmt: skip


def _repeated(column: pa.Array, index: Array) -> pa.Array:
    """A network's coordinate on each of its layers; texts as a dictionary."""
    if pa.types.is_string(column.type):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices.take(pa.array(index)), column.dictionary)
    return column.take(pa.array(index))


def _networks(records: Records, seed: int, decades: float, log10_rms_inputs: Array) -> dict[str, pa.Array]:
    specs, replicates = records.specs, records.replicates

    def each(values: Sequence, type_: pa.DataType | None = None) -> pa.Array:
        column = pa.array(values, type_)
        column = column.dictionary_encode() if pa.types.is_string(column.type) else column
        return column.take(pa.array(np.repeat(np.arange(len(specs)), len(replicates))))

    columns = {
        "network": pa.array([spec.network(i) for spec in specs for i in replicates]),
        "activation": each([spec.activation.label for spec in specs]),
        "init": each([spec.init.label for spec in specs]),
        "weight_scale": each([spec.weight_scale for spec in specs], pa.float64()),
        "bias_scale": each([spec.sigma_b(spec.width) for spec in specs], pa.float64()),
        "depth": each([spec.depth for spec in specs]),
        "width": each([spec.width for spec in specs]),
        "replicate": pa.array(np.tile(np.asarray(replicates, dtype=np.int64), len(specs))),
        "input_width": each([spec.input_width for spec in specs]),
        "output_width": each([spec.output_width for spec in specs]),
        "output": each([spec.output for spec in specs]),
        "seed": each([seed] * len(specs)),
        "family": each([spec.family for spec in specs]),
        "sigma_w": each([spec.sigma_w() for spec in specs], pa.float64()),
        "sigma_b": each([spec.sigma_b(spec.width) for spec in specs], pa.float64()),
    }
    return columns | _network_results(records, decades, log10_rms_inputs)


def _network_results(records: Records, decades: float, log10_rms_inputs: Array) -> dict[str, pa.Array]:
    """The columns of `networks` that were measured, and theory beside them."""
    gain, slope = _attenuations(records)
    dead = records.dead_from_layer > 0
    return {
        "log10_cost": pa.array(records.log10_cost.ravel(), from_pandas=True),
        "log10_gradient_gain": pa.array(gain.ravel(), from_pandas=True),
        "slope_per_layer": pa.array(slope.ravel(), from_pandas=True),
        **_predicted(records.specs, slope, log10_rms_inputs),
        "regime": pa.array(_regimes(gain, dead, decades).ravel(), pa.string()).dictionary_encode(),
        "status": pa.array(_statuses(records, dead).ravel(), pa.string()).dictionary_encode(),
        "dead_from_layer": _null_where_zero(records.dead_from_layer),
        **{f"zero_from_layer_{name}": _null_where_zero(_zero_from(records, under))
           for name, under in ZERO_UNDER.items()},
    }  # fmt: skip


# Of every network and draw, (networks, replicates) -------------------------------------------------------------------


def _attenuations(records: Records) -> tuple[Array, Array]:
    """The attenuation, and per layer, which a network of one layer has not."""
    gain, slope = np.empty(records.status.shape), np.full(records.status.shape, np.nan)
    for n, spec in enumerate(records.specs):
        delta = records.of("log10_grad_preactivations", n)
        with np.errstate(invalid="ignore"):
            gain[n] = delta[:, 0] - delta[:, -1] if spec.depth > 1 else np.where(np.isnan(delta[:, 0]), np.nan, 0)
        if spec.depth > 1:
            slope[n] = gain[n] / (spec.depth - 1)
    return gain, slope


def _regimes(gain: Array, dead: Array, decades: float) -> Array:
    """None where the attenuation is not known."""
    cases = [dead, np.isnan(gain), gain < -decades, gain > decades]
    regime = np.select(cases, ["dead", "", "vanishing", "exploding"], "healthy")
    return np.where(regime == "", None, regime.astype(object))


def _statuses(records: Records, dead: Array) -> Array:
    """As recorded, and of those that are ok and alive: whether there is a gradient to begin with."""
    outputs = [records.of("log10_grad_outputs", n)[:, -1] for n in range(len(records.specs))]
    nothing = (np.array(outputs) == -np.inf) & ~dead & (records.status == OK)
    return np.where(nothing, "the gradient is zero at the output", records.status)


def _zero_from(records: Records, under: float) -> Array:
    """The first layer from the output down whose largest delta a number format reads as zero; 0 for none."""
    largest = [records.of("log10_max_grad_preactivations", n) for n in range(len(records.specs))]
    return np.array([_first_from_the_output(own < under) for own in largest])


def _predicted(specs: Sequence[NetworkSpec], slope: Array, log10_rms_inputs: Array) -> dict[str, pa.Array]:
    """What theory says of each network's slope, and how far from it the measured one is, in units of the spread."""
    theory = predict(specs, log10_rms_inputs)
    spread = np.where(theory.spread > 0, theory.spread, np.nan)  # orthogonal and linear: nothing to count in
    with np.errstate(invalid="ignore"):
        residual = np.where(np.isfinite(slope), (slope - theory.slope_per_layer) / spread, np.nan)  # not of the dead
    columns = {"predicted_slope_per_layer": theory.slope_per_layer, "predicted_spread": theory.spread,
               "slope_residual": residual}  # fmt: skip
    return {name: pa.array(values.ravel(), from_pandas=True) for name, values in columns.items()}


def _first_from_the_output(condition: Array) -> Array:
    """The highest layer (1, 2, …) at which a condition (replicates, depth) holds, 0 for none."""
    reverse = condition[:, ::-1]
    return np.where(reverse.any(axis=1), condition.shape[1] - reverse.argmax(axis=1), 0)


def _null_where_zero(layers: Array) -> pa.Array:
    return pa.array(layers.ravel().astype(np.int64), mask=layers.ravel() == 0)
