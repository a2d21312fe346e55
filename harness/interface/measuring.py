"""The command `harness measure`: one network whose weights are in a file."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.interface.checkout import completion
from harness.interface.terminal import print_table, say

if TYPE_CHECKING:
    from harness.base.arrays import Array
    from harness.base.text_table import Table
    from harness.execution.measure import Measured

Weights = Annotated[
    Path, typer.Argument(help="File of weights: .npz, or .safetensors with that package.", show_default=False)
]
ActivationName = Annotated[
    str,
    typer.Option(
        help='Such as tanh or "leaky_relu(negative_slope=0.1)".',
        autocompletion=completion.values_of("network.activation"),
    ),
]
Output = Annotated[
    str | None, typer.Option(help="'activation' (the same for the output layer), 'linear' or another one.")
]
Cost = Annotated[
    str,
    typer.Option(
        help="squared, linear, cross_entropy, binary_cross_entropy or sum.",
        autocompletion=completion.values_of("cost"),
    ),
]
Transpose = Annotated[bool, typer.Option("--transpose", help="The weights are stored as (fan_out, fan_in).")]
Inputs = Annotated[
    Path | None, typer.Option(help="The batch: a .npy file of inputs, or a .npz file of inputs and targets.")
]
Targets = Annotated[Path | None, typer.Option(help="A .npy file of targets.")]
Ops = Annotated[
    Path | None,
    typer.Option(help="A JSON file of layers in order; the .npz then holds z, r, their gradients and W of each."),
]
Out = Annotated[Path | None, typer.Option(help="Write layers.parquet and networks.parquet into this folder.")]

SHOWN = 12  # layers; of a deeper network only some are shown
COLUMNS = {  # heading -> column of the table `layers`
    "log10 ‖∂C/∂W‖": "log10_grad_weights",
    "log10 ‖∂C/∂z‖": "log10_grad_preactivations",
    "activation factor": "log10_activation_factor",
    "weight factor": "log10_weight_factor",
    "dead units": "dead_fraction",
    "saturated": "saturated_fraction",
}

HELP = """Measure the gradients of one network whose weights are in a file, layer by layer.

The file holds W0, b0, W1, … of shape (fan_in, fan_out) and (fan_out,), and inputs and targets (batch, width).
With --ops it holds one pass of any framework instead, and the report is that of harness probe.
"""


def measure(
    weights: Weights,
    activation: ActivationName = "relu",
    cost: Cost = "squared",
    output: Output = None,
    transpose: Transpose = False,
    inputs: Inputs = None,
    targets: Targets = None,
    ops: Ops = None,
    out: Out = None,
) -> None:
    if ops is not None:
        given = {"--transpose": transpose, "--output": output, "--inputs": inputs, "--targets": targets}
        return _measure_arrays(weights, ops, out, [name for name, value in given.items() if value])
    from harness.execution.measure import measure, save
    from harness.execution.weights_file import read_weights

    read = read_weights(weights, transpose)
    x, y = _batch(weights, {"inputs": read.inputs, "targets": read.targets}, inputs, targets)
    measured = measure(read.weights, read.biases, x, y, activation=activation, cost=cost, output=output)
    print_table(layer_table(measured))
    say(conclusion(measured))
    if out is not None:
        say(f"tables: {', '.join(map(str, save(measured, out)))}")


def _measure_arrays(arrays: Path, ops: Path, out: Path | None, others: list[str]) -> None:
    """The report of a probe from arrays and the list of operations, both from files."""
    from harness.base.errors import ConfigError
    from harness.execution.probe.arrays.ops import read_ops
    from harness.execution.weights_file import read_arrays
    from harness.interface.probe.probing import print_report
    from harness.study.probe.arrays import report_on

    if others:
        raise ConfigError(f"--ops: leave out {others[0]}; the arrays hold both passes as they were computed")
    print_report(report_on(read_arrays(arrays), read_ops(ops), out=out))
    if out is not None:
        say(f"results: {out}")


def _batch(
    weights: Path, stored: "dict[str, Array | None]", inputs: Path | None, targets: Path | None
) -> "tuple[Array, Array]":
    """Inputs and targets: from the options where they are given, else from the file of weights."""
    from harness.base.errors import ConfigError
    from harness.execution.weights_file import read_arrays, read_batch

    found = dict(stored)
    if inputs is not None and inputs.suffix == ".npz":
        found |= {name: array for name, array in read_arrays(inputs).items() if name in found}
    elif inputs is not None:
        found["inputs"] = read_batch(inputs)
    if targets is not None:
        found["targets"] = read_batch(targets)
    batch = []
    for name, array in found.items():
        if array is None:
            raise ConfigError(f"{weights}: no {name}; store an array of that name in the file, or give --{name}")
        batch.append(array)
    x, y = batch
    return x, y


def layer_table(measured: "Measured") -> "Table":
    """Every layer of a network of up to SHOWN layers; of a deeper one the first, last and extreme layers."""
    from harness.base.numbers import number
    from harness.base.text_table import Table

    layers = measured.layers.set_index("layer")
    chosen = list(layers.index)
    note = "Factors are in decades: the activation and the weights multiply the gradient's norm by them at that layer."
    if len(chosen) > SHOWN:
        extremes = (
            layers["log10_grad_weights"].idxmin(),
            layers["log10_grad_weights"].idxmax(),
            layers["dead_fraction"].idxmax(),
            layers["saturated_fraction"].idxmax(),
        )
        chosen = sorted({*chosen[:3], *chosen[-3:], *extremes})
        note += (
            " Shown are the first and last layers, those with the smallest and the largest gradient, and those with "
            "the most dead and the most saturated units."
        )
    rows = [[str(layer), *(number(layers.at[layer, column], ".4g") for column in COLUMNS.values())] for layer in chosen]
    title = f"{measured.networks['activation'][0]}, {len(layers)} layers"
    return Table(title, ("layer", *COLUMNS), rows, note)


def conclusion(measured: "Measured") -> str:
    """The attenuation, the regime, and the layers at which number formats read zero, in a few lines."""
    from harness.base.arrays import ZERO_UNDER
    from harness.base.numbers import number

    network = measured.networks.iloc[0]
    lines = [
        f"attenuation: {number(network['log10_gradient_gain'], '.4g')} decades from the last layer to the first",
        f"regime: {network['regime'] or 'unknown'}    status: {network['status']}",
    ]
    if not isnan(network["dead_from_layer"]):
        lines.append(f"dead from layer {network['dead_from_layer']:.0f} on: no unit passes a gradient for any sample")
    zeros = [
        f"{name} from layer {network[column]:.0f} down"
        for name in ZERO_UNDER
        if not isnan(network[column := f"zero_from_layer_{name}"])
    ]
    return "\n".join([*lines, f"gradients read as zero: {', '.join(zeros) or 'in no number format'}"])
