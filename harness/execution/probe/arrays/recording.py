"""A recording made of arrays: z, r, their gradients and the weights of every layer, of one pass of any framework."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.base.arrays import Array
from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown
from harness.execution.probe.arrays.ops import KINDS, Layer, Ops
from harness.execution.probe.arrays.sizes import cosine, lengths, log10_norm, size_of, slopes_of
from harness.execution.probe.record import Recording, Row, of_samples, share_under_eps
from harness.networks.activations import Activation

ARRAYS = {  # the end of an array's name -> what it holds
    "z": "the result of the operation",
    "dz": "∂C/∂z",
    "r": "the result of the activation",
    "dr": "∂C/∂r",
    "W": "the weights, (fan_in, fan_out), of a convolution (…, channels in, channels out)",
    "b": "the biases",
    "x": "the argument of the operation",
    "dx": "the operation's own share of ∂C/∂x",
    "dW": "∂C/∂W",
}
TORCH_NAMES = {"hard_tanh": "hardtanh"}  # as the rules know it
MISFIT = 0.05  # relative: the rounding of bfloat16 in wide layers is under it, another array or activation is not


@dataclass(frozen=True, eq=False)
class Signals:
    """The arrays of one layer by the end of their names; `x` is always there, and `dx` where it is known."""

    layer: Layer
    arrays: dict[str, Array]

    def __getitem__(self, key: str) -> Array:
        return self.arrays[key]

    def get(self, key: str) -> Array | None:
        return self.arrays.get(key)

    def name(self, key: str) -> str:
        return f"{self.layer.name}.{key}"


def recording_of(arrays: Mapping[str, Array], ops: Ops) -> Recording:
    """The recording of a pass whose arrays are named LAYER.z, LAYER.dz, …, as in ARRAYS, and `inputs`.

    Raises ConfigError, which names the array, for one that is missing, unknown, not finite, of another shape, or that
    the operation does not compute from the others.
    """
    _require_known(arrays, ops)
    layers = _signals(arrays, ops)
    rows = [row for signals in layers for row in _rows(signals)]
    recording = Recording(rows=rows, cost=ops.cost, of_torch=False)
    recording.number()
    return recording


def _require_known(arrays: Mapping[str, Array], ops: Ops) -> None:
    known = ["inputs", *(f"{layer.name}.{key}" for layer in ops.layers for key in ARRAYS)]
    for name in arrays:
        if name not in known:
            raise ConfigError(f"{shown(name)} is not an array of a layer; {remedy(name, known)}")


def _signals(arrays: Mapping[str, Array], ops: Ops) -> list[Signals]:
    """The checked arrays of every layer. An operation takes the result before it, unless `x` says otherwise."""
    layers: list[Signals] = []
    x, dx = _numbers(arrays, "inputs"), None
    for layer in ops.layers:
        keys = ["z", "dz", *(["r", "dr"] if layer.activation else []), *(["W"] if KINDS[layer.op] == "weight" else [])]
        found = {key: _numbers(arrays, f"{layer.name}.{key}", ARRAYS[key]) for key in keys}
        optional = [key for key in ("b", "x", "dx", "dW") if f"{layer.name}.{key}" in arrays]
        found |= {key: _numbers(arrays, f"{layer.name}.{key}") for key in optional}
        if "x" not in found and dx is not None and layer.on_trunk and layer.op != "linear":
            found.setdefault("dx", dx)
        found.setdefault("x", x)
        layers.append(_checked(Signals(layer, found)))
        x, dx = (found["r"], found["dr"]) if layer.activation else (found["z"], found["dz"])
        dx = dx if layer.on_trunk else None
    for below, above in pairwise(layers):
        if len(below["z"]) != len(above["z"]):
            raise ConfigError(
                f"{above.name('z')} has {len(above['z'])} samples, but {below.name('z')} {len(below['z'])}"
            )
    return layers


def _numbers(arrays: Mapping[str, Array], name: str, meaning: str = "the batch, (samples, …)") -> Array:
    """An array as float64. Raises ConfigError where it is missing or holds anything but finite numbers."""
    if name not in arrays:
        raise ConfigError(f"{name} is missing: {meaning}")
    values = np.asarray(arrays[name])
    if values.dtype.kind not in "biuf":
        raise ConfigError(f"{name} holds {values.dtype}; convert it to float32 or float64")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        what = "NaN" if np.isnan(values).any() else "infinity"
        raise ConfigError(f"{name} holds {what}; the first layer with one is where to look")
    if not values.ndim or not values.size:
        raise ConfigError(f"{name} has shape {values.shape}; axis 0 is the batch, and the last axis holds the units")
    return values


def _checked(signals: Signals) -> Signals:
    """Signals whose shapes fit, and whose results follow from their arguments."""
    layer = signals.layer
    for key, like in (("dz", "z"), ("r", "z"), ("dr", "z"), ("dx", "x"), ("dW", "W")):
        if (values := signals.get(key)) is not None and values.shape != signals[like].shape:
            raise ConfigError(
                f"{signals.name(key)} has shape {values.shape}, but {signals.name(like)} has {signals[like].shape}"
            )
    if layer.op == "conv" and signals.get("dW") is None:
        raise ConfigError(f"{signals.name('dW')} is missing: {ARRAYS['dW']}, which a convolution needs")
    if layer.op == "linear":
        _check_product(signals)
    if (phi := layer.phi) is not None:
        _require_fit(signals, "r", phi.value(signals["z"]), f"{phi.name}({signals.name('z')})")
        own = signals["dr"] * phi.slope(signals["z"])
        _require_fit(signals, "dz", own, f"{signals.name('dr')} times the slopes of {phi.name}")
    return signals


def _check_product(signals: Signals) -> None:
    x, W, z, b = signals["x"], signals["W"], signals["z"], signals.get("b")
    if W.shape != (x.shape[-1], z.shape[-1]) or x.shape[:-1] != z.shape[:-1]:
        raise ConfigError(
            f"{signals.name('W')} has shape {W.shape}; from arguments {x.shape} to results {z.shape} it must be "
            f"{(x.shape[-1], z.shape[-1])}: check the order of the layers, transpose weights that are stored as "
            f"(fan_out, fan_in), or give {signals.name('x')}"
        )
    if b is not None and b.shape != z.shape[-1:]:
        raise ConfigError(f"{signals.name('b')} has shape {b.shape}; the layer has {z.shape[-1]} units")
    _require_fit(signals, "z", x @ W + (0 if b is None else b), "xW + b of its argument, weights and biases")


def _require_fit(signals: Signals, key: str, expected: Array, what: str) -> None:
    """Raise ConfigError where an array is not what follows from the others."""
    scale = max(float(np.abs(expected).max()), float(np.abs(signals[key]).max()))
    off = log10_norm(signals[key] / scale - expected / scale) - log10_norm(expected / scale) if scale else -np.inf
    if off > np.log10(MISFIT):
        raise ConfigError(
            f"{signals.name(key)} is not {what}: it differs by {100 * 10 ** min(off, 6):.0f} %; check the names of the "
            "arrays, the operation and the activation"
        )


def _rows(signals: Signals) -> list[Row]:
    """The row of an operation, and that of the activation after it."""
    layer = signals.layer
    row = Row(layer.name, layer.op, KINDS[layer.op], on_trunk=layer.on_trunk, has_graph=True)
    row.argument, row.result, row.grad_result = map(size_of, (signals["x"], signals["z"], signals["dz"]))
    own = signals["dz"] @ signals["W"].T if layer.op == "linear" else signals.get("dx")
    row.grad_argument = None if own is None else size_of(own, in_detail=True)
    if row.kind == "weight":
        _add_weights(row, signals)
    phi = layer.phi
    return [row] if phi is None else [row, _activation(signals, phi)]


def _add_weights(row: Row, signals: Signals) -> None:
    W, dz, b = signals["W"], signals["dz"], signals.get("b")
    gradient = signals.get("dW")
    if gradient is None:
        gradient = signals["x"].reshape(-1, W.shape[0]).T @ dz.reshape(-1, W.shape[-1])
    row.param, row.weight, row.grad_weight = signals.name("W"), size_of(W), size_of(gradient)
    row.under_eps = share_under_eps(gradient)
    row.fan_in = W.size // W.shape[-1]
    row.sigma_w = float(np.sqrt(row.fan_in * (W**2).mean()))
    row.sigma_b = 0.0 if b is None else float(np.sqrt((b**2).mean()))
    row.delta_cosine = cosine(dz)
    row.grad_bias = log10_norm(dz.reshape(-1, dz.shape[-1]).sum(0))


def _activation(signals: Signals, phi: Activation) -> Row:
    op = TORCH_NAMES.get(phi.name, phi.name)
    row = Row(signals.layer.name, op, "activation", on_trunk=signals.layer.on_trunk, has_graph=True)
    own = signals["dr"] * phi.slope(signals["z"])
    row.argument, row.result, row.grad_result = map(size_of, (signals["z"], signals["r"], signals["dr"]))
    row.grad_argument = size_of(own, in_detail=True)
    row.slopes = slopes_of(phi, signals["z"])
    row.mean_result, row.std_result = float(signals["r"].mean()), float(signals["r"].std())
    row.output_cosine = cosine(signals["r"])
    row.sample_factor, row.lost_samples = of_samples(lengths(signals["dr"]), lengths(own))
    return row
