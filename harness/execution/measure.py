"""Measure one network whose weights are given, with the columns of a sweep's tables."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown
from harness.config.models import Thresholds
from harness.engine.lanes.ascent import Failures
from harness.engine.lanes.records import Records, status_of
from harness.engine.walk import Walk, measures_of, walk
from harness.execution.given import Given, given, require_fit
from harness.networks.activations import ACTIVATION_SYNONYMS, ACTIVATIONS, Activation
from harness.networks.costs import COSTS
from harness.networks.spec import Choice, NetworkSpec
from harness.results.files import write_whole
from harness.results.tables import Tables, tables

DECADES = Thresholds().decades  # an attenuation beyond ± that many decades is called vanishing or exploding
# Columns that follow from an initialisation, a draw or a seed, which given weights have not: null.
UNKNOWN = (
    "init",
    "weight_scale",
    "bias_scale",
    "family",
    "seed",
    "sigma_w",
    "sigma_w_input",
    "sigma_w_output",
    "sigma_b",
    "predicted_slope_per_layer",
    "predicted_spread",
    "slope_residual",
)
NAME = "given"  # the column `network`

ActivationLike = str | Mapping[str, object] | Activation


@dataclass(frozen=True, eq=False)
class Measured:
    """The tables of one network, with the columns that a sweep has: `layers`, a row per layer, and `networks`, one row.

    Null are the columns that follow from an initialisation, a draw or a seed (init, weight_scale, bias_scale, family,
    seed, sigma_w, sigma_b), and theory's (predicted_slope_per_layer, predicted_spread, slope_residual), since theory
    predicts from an initialisation. `width` is null where the hidden layers differ in width, or there are none.
    """

    tables: Tables

    @cached_property
    def layers(self) -> pd.DataFrame:
        """The table `layers`, one row for each layer."""
        return self.tables.layers.to_pandas()

    @cached_property
    def networks(self) -> pd.DataFrame:
        """The table `networks`, one row."""
        return self.tables.networks.to_pandas()


def measure(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike | None] | None,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    activation: ActivationLike = "relu",
    cost: str = "squared",
    output: ActivationLike | None = None,
) -> Measured:
    """Propagate one network forward and backward, and measure it layer by layer.

    `weights[k]` is (fan_in, fan_out), in any widths; `biases[k]` is (fan_out,) or None, and `biases` may be None
    altogether. `inputs` is (batch, fan_in), `targets` (batch, fan_out). `activation` is a name, a label such as
    "leaky_relu(negative_slope=0.1)", a mapping with `name` and parameters, or an `Activation`; `output` is
    "activation" (the same for the output layer, the default), or another activation, such as "linear". `cost` is a name
    in COSTS; under cross_entropy and binary_cross_entropy, which apply softmax or sigmoid themselves, the output is
    linear.

    Computed in float64 with carried exponents, so gradients of any size are measured. Raises ConfigError, which names
    the array or option, for whatever cannot be used.
    """
    network = given(weights, biases, inputs, targets)
    label, phi = activation_with_label(activation, "activation")
    if cost not in COSTS:
        raise ConfigError(f"cost: unknown {shown(cost)}; {remedy(cost, COSTS)}")
    output = output or ("linear" if COSTS[cost].applies else "activation")
    top_label, top = ("activation", phi) if output == "activation" else activation_with_label(output, "output")
    require_fit(COSTS[cost], top_label, network.targets)
    activations = [*[phi] * (network.depth - 1), top]
    passed = walk(network.weights, network.biases, network.inputs, network.targets, activations, cost)
    return Measured(_tables(network, passed, {"activation": label, "output": top_label}))


def save(measured: Measured, folder: Path) -> list[Path]:
    """Write both tables as parquet into a folder: layers.parquet and networks.parquet. Returns the two paths.

    Raises ConfigError where one of them exists.
    """
    paths = [folder / "layers.parquet", folder / "networks.parquet"]
    if there := [path for path in paths if path.exists()]:
        raise ConfigError(f"{there[0]} exists; choose another folder with --out, or remove it")
    for path, table in zip(paths, (measured.tables.layers, measured.tables.networks), strict=True):
        content = pa.BufferOutputStream()
        pq.write_table(table, content)
        write_whole(path, memoryview(content.getvalue()))
    return paths


def activation_with_label(choice: ActivationLike, option: str) -> tuple[str, Activation]:
    """The label and the activation that an option asks for. Raises ConfigError for one that there is not."""
    if isinstance(choice, Activation):
        return choice.name, choice
    name, parameters = _named(choice, option)
    name = ACTIVATION_SYNONYMS.get(name, name)
    if name not in ACTIVATIONS:
        raise ConfigError(f"{option}: unknown {shown(name)}; {remedy(name, ACTIVATIONS)}")
    known = inspect.signature(ACTIVATIONS[name]).parameters
    for parameter, value in parameters.items():
        if parameter not in known:
            there = remedy(parameter, known) if known else f"{name} has none"
            raise ConfigError(f"{option}: {name} has no parameter {shown(parameter)}; {there}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise ConfigError(f"{option}: {parameter} must be a number, not {shown(value)}")
    try:
        phi = ACTIVATIONS[name](**parameters)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
    given_otherwise = {key: value for key, value in parameters.items() if value != known[key].default}
    return Choice(name, tuple(sorted(given_otherwise.items()))).label, phi


def _named(choice: object, option: str) -> tuple[str, dict]:
    """A name and its parameters, from a mapping or from a label."""
    if isinstance(choice, Mapping) and isinstance(choice.get("name"), str):
        return choice["name"], {key: value for key, value in choice.items() if key != "name"}
    if not isinstance(choice, str):
        raise ConfigError(f"{option}: give a name, a mapping with `name`, or an Activation, not {shown(choice)}")
    name, _, inside = choice.removesuffix(")").partition("(")
    try:
        pairs = [pair.split("=") for pair in inside.split(",") if pair.strip()]
        return name.strip(), {key.strip(): float(value) for key, value in pairs}
    except ValueError:
        raise ConfigError(
            f"{option}: cannot read {shown(choice)}; write as in leaky_relu(negative_slope=0.1)"
        ) from None


def _tables(network: Given, passed: Walk, labels: dict[str, str]) -> Tables:
    """The tables of a block that holds this network alone, with what is given in place of what a sweep chooses."""
    made = tables(_records(network, passed), 0, DECADES, np.zeros(1), batch=len(network.inputs), in_domain=False)
    values = {"network": NAME, "width": network.hidden_width, **labels, **dict.fromkeys(UNKNOWN)}
    return Tables(*(_with(table, values) for table in (made.layers, made.networks)))


def _records(network: Given, passed: Walk) -> Records:
    """The records that a sweep would have of this network, under a spec of its depth and outer widths."""
    spec = NetworkSpec(
        activation=Choice("linear"),
        init=Choice("orthogonal"),
        weight_scale=1.0,
        bias_scale=0.0,
        depth=network.depth,
        width=network.hidden_width or 1,
        input_width=network.inputs.shape[1],
        output_width=network.targets.shape[1],
    )
    records = Records((spec,), range(1))
    for name, values in measures_of(passed).items():
        records.column_of(name, 0)[:] = values
    failed, dead_from, text = _forward_failures(passed)
    lost = 0 if failed else int(passed.slope_failures[0])
    records.log10_cost[:] = np.nan if failed else passed.log10_cost.item()
    records.dead_from_layer[:] = 0 if failed else dead_from
    records.status[:] = status_of(text, lost)
    records.blank(0, np.array([failed]), np.array([lost]))
    return records


def _forward_failures(passed: Walk) -> tuple[int, int, str]:
    """The layer at which the forward pass left the number format, that from which the network is dead, and the status.

    A layer of 0 stands for none.
    """
    failures, (*hidden, top) = Failures((1, 1), passed.grad_r.mantissa.shape[-2]), passed.forward
    for k, layer in enumerate(hidden, start=1):
        failures.add(layer, k)
    failed, dead_from, text = failures.with_output(top, len(passed.forward))
    return int(failed[0, 0]), int(dead_from[0, 0]), str(text[0, 0])


def _with(table: pa.Table, values: Mapping[str, object]) -> pa.Table:
    """A table with some of its columns replaced by one value each."""
    for i, field in enumerate(table.schema):
        if field.name in values:
            column = pa.array([values[field.name]] * len(table), _plain(field.type)).cast(field.type)
            table = table.set_column(i, field, column)
    return table


def _plain(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_
