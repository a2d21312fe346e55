"""The two result tables of a block: `layers`, a row per network and layer, and `networks`, a row per network.

Rows are ordered by network, replicate and layer. NaN is stored as null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan

import numpy as np
import pandas as pd
import pyarrow as pa

from harness.base.arrays import INFINITE_FROM, ZERO_UNDER, Array, log10_ratio
from harness.engine.lanes.records import OK, Records
from harness.engine.measures import MEASURES
from harness.networks.coordinates import COORDINATES
from harness.networks.spec import NetworkSpec
from harness.results.columns import LAYER_COORDINATES, LAYERS, NETWORKS, Column
from harness.theory import predict

LEVELS = (-3, 1)  # log10 of ‖∂C/∂W‖ / ‖W‖: below, a gradient is small; above, large
ARROW_TYPES = {"text": pa.string(), "float64": pa.float64(), "int64": pa.int64(), "bool": pa.bool_()}


@dataclass(frozen=True)
class Tables:
    """The tables of a block, ready to be written. `steps` has those of its training runs, by name; it may be empty."""

    layers: pa.Table
    networks: pa.Table
    steps: Mapping[str, pa.Table] = field(default_factory=dict)


def tables(
    records: Records,
    seed: int,
    decades: float,
    log10_rms_inputs: Array,
    record_layers: int | tuple[int, ...] | None = None,
    *,
    batch: int,
    in_domain: bool,
) -> Tables:
    """Both tables of a block, with the columns of columns.py in their order.

    An attenuation beyond ±`decades` is called vanishing or exploding. `log10_rms_inputs`, (replicates,), is the root
    mean square of the inputs over units and batch, from which theory predicts. `record_layers` limits the rows of
    `layers`, see `recorded`; the table `networks` always depends on all layers. `batch`: number of samples.
    `in_domain`: whether the networks have what theory describes, one sample and a gradient at the output that is
    independent of the weights.
    """
    networks = _networks(records, seed, decades, log10_rms_inputs, batch, in_domain)
    layers = [recorded(spec.depth, record_layers) for spec in records.specs for _ in records.replicates]
    index = np.repeat(np.arange(len(layers)), [len(rows) for rows in layers])
    layer = np.concatenate(layers)
    columns = {name: _repeated(networks[name], index) for name in LAYER_COORDINATES}
    columns["layer"] = pa.array(layer)
    depths = np.repeat([spec.depth for spec in records.specs], len(records.replicates))
    rows = (np.cumsum(depths) - depths)[index] + layer - 1
    columns |= {
        name: pa.array(values if record_layers is None else values[rows], from_pandas=True)
        for name, values in records.layers.items()
    }
    return Tables(_table(columns, LAYERS), _table(networks, NETWORKS))


def joined(several: Sequence[Tables], order: Sequence[str]) -> Tables:
    """The rows of several tables as the tables of one block. `order`: the column `network` of the result.

    The tables are those that `tables` would have made of all these networks together, to the last bit.
    """
    place = pd.Index(order)
    rows = pa.concat_tables([_decoded(each.networks) for each in several])
    rows = rows.take(np.argsort(place.get_indexer(rows["network"].to_pandas()))).combine_chunks()
    networks = {name: _as_made(name, rows[name].combine_chunks()) for name in rows.column_names}
    measured = pa.concat_tables([_decoded(each.layers) for each in several])
    index = place.get_indexer(measured["network"].to_pandas())
    by_network = np.argsort(index, kind="stable")
    measured = measured.take(by_network).combine_chunks()
    columns = {name: measured[name].combine_chunks() for name in measured.column_names}
    columns |= {name: _repeated(networks[name], index[by_network]) for name in LAYER_COORDINATES}
    return Tables(_table(columns, LAYERS), _table(networks, NETWORKS))


def _decoded(table: pa.Table) -> pa.Table:
    """The table with texts in place of dictionaries, which differ between tables, and without metadata."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields)).replace_schema_metadata(None)


def _as_made(name: str, column: pa.Array) -> pa.Array:
    """A column of `networks` as `_networks` makes it: texts as a dictionary, but for the names of the networks."""
    return column.dictionary_encode() if pa.types.is_string(column.type) and name != "network" else column


def _table(arrays: Mapping[str, pa.Array], columns: Sequence[Column]) -> pa.Table:
    """A table with these columns; in `layers`, measures of the user's own come after them."""
    names = [column.name for column in columns]
    return pa.table({name: arrays[name] for name in (*names, *(own for own in MEASURES.own if own in arrays))})


def recorded(depth: int, record_layers: int | tuple[int, ...] | None) -> Array:
    """The layers of a network that get a row, ascending from 1: all, a number spread evenly, or those of a list."""
    if record_layers is None:
        return np.arange(1, depth + 1)
    if isinstance(record_layers, int):
        return np.unique(np.linspace(1, depth, min(record_layers, depth)).round().astype(np.int64))
    return np.array([layer for layer in record_layers if layer <= depth], dtype=np.int64)


def _repeated(column: pa.Array, index: Array) -> pa.Array:
    """A column of `networks` on the rows of their layers; texts as a dictionary."""
    if pa.types.is_string(column.type):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices.take(pa.array(index)), column.dictionary)
    return column.take(pa.array(index))


def _networks(
    records: Records, seed: int, decades: float, log10_rms_inputs: Array, batch: int, in_domain: bool
) -> dict[str, pa.Array]:
    specs, replicates = records.specs, records.replicates

    def for_each_draw(values: Sequence, type_: pa.DataType) -> pa.Array:
        """A value of each network, on the rows of all its replicates."""
        column = pa.array(values, type_)
        column = column.dictionary_encode() if pa.types.is_string(type_) else column
        return column.take(pa.array(np.repeat(np.arange(len(specs)), len(replicates))))

    columns = {
        "network": pa.array([spec.network(i) for spec in specs for i in replicates]),
        "replicate": pa.array(np.tile(np.asarray(replicates, dtype=np.int64), len(specs))),
        "seed": for_each_draw([seed] * len(specs), pa.int64()),
        "family": for_each_draw([spec.family for spec in specs], pa.string()),
        "sigma_w": for_each_draw([None if isnan(spec.sigma_w()) else spec.sigma_w() for spec in specs], pa.float64()),
        "sigma_w_input": for_each_draw([spec.sigma_w_of(0) for spec in specs], pa.float64()),
        "sigma_w_output": for_each_draw([spec.sigma_w_of(spec.depth - 1) for spec in specs], pa.float64()),
        "sigma_b": for_each_draw([spec.sigma_b(spec.width) for spec in specs], pa.float64()),
    }
    for coordinate in COORDINATES:
        cells = [spec.cell(coordinate) for spec in specs]
        columns[coordinate.name] = for_each_draw(cells, ARROW_TYPES[coordinate.kind.dtype])
    return columns | _network_results(records, decades, log10_rms_inputs, batch, in_domain)


def _network_results(
    records: Records, decades: float, log10_rms_inputs: Array, batch: int, in_domain: bool
) -> dict[str, pa.Array]:
    """The columns of `networks` that record measurements, and theory's predictions."""
    gain, slope = _attenuations(records)
    dead = records.dead_from_layer > 0
    least, largest = _relative_gradients(records)
    return {
        "log10_rms_inputs": pa.array(np.tile(log10_rms_inputs, len(records.specs))),
        "log10_cost": pa.array(records.log10_cost.ravel(), from_pandas=True),
        "log10_gradient_gain": pa.array(gain.ravel(), from_pandas=True),
        "slope_per_layer": pa.array(slope.ravel(), from_pandas=True),
        **_predicted(records.specs, slope, log10_rms_inputs, batch, in_domain),
        "regime": pa.array(_regimes(gain, dead, decades).ravel(), pa.string()).dictionary_encode(),
        "log10_least_relative_gradient": pa.array(least.ravel(), from_pandas=True),
        "log10_largest_relative_gradient": pa.array(largest.ravel(), from_pandas=True),
        "gradient_level": pa.array(_levels(largest).ravel(), pa.string()).dictionary_encode(),
        "status": pa.array(_statuses(records, dead).ravel(), pa.string()).dictionary_encode(),
        "dead_from_layer": _null_where_zero(records.dead_from_layer),
        **{
            f"zero_from_layer_{name}": _null_where_zero(_zero_from(records, under))
            for name, under in ZERO_UNDER.items()
        },
        **_infinite_from(records),
    }


# For every network and draw, (networks, replicates) ------------------------------------------------------------------


def _attenuations(records: Records) -> tuple[Array, Array]:
    """The attenuation in decades, and the same per layer, NaN for networks of one layer."""
    gain, slope = np.empty(records.status.shape), np.full(records.status.shape, np.nan)
    for n, spec in enumerate(records.specs):
        delta = records.column_of("log10_grad_preactivations", n)
        with np.errstate(invalid="ignore"):
            gain[n] = delta[:, 0] - delta[:, -1] if spec.depth > 1 else np.where(np.isnan(delta[:, 0]), np.nan, 0)
        if spec.depth > 1:
            slope[n] = gain[n] / (spec.depth - 1)
    return gain, slope


def _regimes(gain: Array, dead: Array, decades: float) -> Array:
    """The regime, None where the attenuation is not known."""
    cases = [dead, np.isnan(gain), gain < -decades, gain > decades]
    regime = np.select(cases, ["dead", "", "vanishing", "exploding"], "healthy")
    known = regime.astype(object)
    known[regime == ""] = None
    return known


def _relative_gradients(records: Records) -> tuple[Array, Array]:
    """log10 of the least and of the largest ‖∂C/∂W‖ / ‖W‖ of all layers; NaN where one is not known."""
    relative = [
        log10_ratio(records.column_of("log10_grad_weights", n), records.column_of("log10_norm_weights", n))
        for n in range(len(records.specs))
    ]
    return np.array([r.min(axis=1) for r in relative]), np.array([r.max(axis=1) for r in relative])


def _levels(largest: Array) -> Array:
    """The level of the gradient by the largest ‖∂C/∂W‖ / ‖W‖ of all layers (log10); None where it is not known.

    A step of gradient descent at the learning rate η changes W by η times this ratio. Rates between 10^-4 and 1 make
    that about a thousandth, a usual step, where the ratio lies between 10^-3 and 10.
    """
    low, high = LEVELS
    cases = [np.isnan(largest), largest == -np.inf, largest < low, largest > high]
    levels = np.select(cases, ["", "zero", "small", "large"], "moderate").astype(object)
    levels[levels == ""] = None
    return levels


def _statuses(records: Records, dead: Array) -> Array:
    """The recorded statuses; where they are ok and the network is alive, whether the gradient is zero at the output."""
    outputs = [records.column_of("log10_grad_outputs", n)[:, -1] for n in range(len(records.specs))]
    nothing = (np.array(outputs) == -np.inf) & ~dead & (records.status == OK)
    return np.where(nothing, "the gradient is zero at the output", records.status)


def _zero_from(records: Records, under: float) -> Array:
    """The first layer, from the output down, whose largest delta is under a bound (log10); 0 for none."""
    largest = [records.column_of("log10_max_grad_preactivations", n) for n in range(len(records.specs))]
    return np.array([_first_from_the_output(network < under) for network in largest])


def _infinite_from(records: Records) -> dict[str, pa.Array]:
    """The layers from which formats read infinite outputs, going up, and infinite gradients, coming down."""
    networks = range(len(records.specs))
    outputs = [records.column_of("log10_max_outputs", n) for n in networks]
    gradients = [records.column_of("log10_max_grad_preactivations", n) for n in networks]
    columns = {}
    for name, bound in INFINITE_FROM.items():
        up = np.array([_first_from_the_input(network >= bound) for network in outputs])
        down = np.array([_first_from_the_output(network >= bound) for network in gradients])
        columns[f"infinite_from_layer_{name}"] = _null_where_zero(up)
        columns[f"infinite_gradient_from_layer_{name}"] = _null_where_zero(down)
    return columns


def _predicted(
    specs: Sequence[NetworkSpec], slope: Array, log10_rms_inputs: Array, batch: int, in_domain: bool
) -> dict[str, pa.Array]:
    """Theory's slope and spread for each network, and the distance of the measured slope in units of the spread.

    The distance is null outside of theory's domain: there it would not be standard normal.
    """
    theory = predict(specs, log10_rms_inputs, batch)
    spread = np.where(theory.spread > 0, theory.spread, np.nan)  # 0 for orthogonal and linear
    with np.errstate(invalid="ignore"):
        distance = (slope - theory.slope_per_layer) / spread
    residual = np.where(np.isfinite(slope) & in_domain, distance, np.nan)  # not for dead networks
    columns = {
        "predicted_slope_per_layer": theory.slope_per_layer,
        "predicted_spread": theory.spread,
        "slope_residual": residual,
    }
    return {name: pa.array(values.ravel(), from_pandas=True) for name, values in columns.items()}


def _first_from_the_output(condition: Array) -> Array:
    """The highest layer (1, 2, …) at which a condition (replicates, depth) holds, 0 for none."""
    reverse = condition[:, ::-1]
    return np.where(reverse.any(axis=1), condition.shape[1] - reverse.argmax(axis=1), 0)


def _first_from_the_input(condition: Array) -> Array:
    """The lowest layer (1, 2, …) at which a condition (replicates, depth) holds, 0 for none."""
    return np.where(condition.any(axis=1), condition.argmax(axis=1) + 1, 0)


def _null_where_zero(layers: Array) -> pa.Array:
    return pa.array(layers.ravel().astype(np.int64), mask=layers.ravel() == 0)
