"""`harness predict`: what theory says about one network, and what each answer assumes."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from math import floor, isfinite, isnan, log, log10

import numpy as np

from harness import config
from harness.base.arrays import INFINITE_FROM, ZERO_UNDER, Array
from harness.base.errors import ConfigError, DomainError
from harness.base.numbers import formatted
from harness.base.text_table import Table
from harness.config import yaml_positions
from harness.config.models import Thresholds
from harness.interface.remedies import helpful_remedies, remedied_forecast
from harness.networks.activations import Activation
from harness.networks.spec import Choice, NetworkSpec, activation_of
from harness.theory import (
    born_dead,
    chi_1,
    critical_sigma_w,
    edges_at_width,
    mean_field,
    sampled_both_signs,
)
from harness.theory import predict as predict_specs
from harness.theory.finite_width import LN10
from harness.theory.lengths import log10_lengths
from harness.theory.mean_field import AT_EDGE

DECADES = Thresholds().decades  # an attenuation beyond which a gradient counts as vanished or exploded
DEEPEST = 1024  # depth up to which every depth is predicted; beyond, the last step per layer is extrapolated
ALIKE = 1e-6  # relative difference of the last two steps, below which they count as equal
SINGLE = "none: a single layer"
NO_ANSWER = "no answer: theory's expansion in 1/width does not hold here"


def predict(
    activation: object, init: object, depth: int, width: int = 128, batch: int = 64, **coordinates: object
) -> Table:
    """What theory predicts for one network, without running it, as the command `harness predict` prints it.

    Values are those of a config: "tanh", {"name": "normal", "sigma_w": 1.5}; `coordinates` are others of its keys under
    `network`. `batch` matters to batch normalisation. Raises ConfigError with every problem.
    """
    network = {"activation": activation, "init": init, "depth": depth, "width": width, **coordinates}
    return forecasts(_one_of(network, batch), batch)[0]


def spec_of(written: Mapping[str, str | None], batch: int = 1) -> NetworkSpec:
    """The one network that options describe, in the syntax of a config. Raises ConfigError with every problem."""
    network, problems = {}, []
    for key, text in written.items():
        if text is None:
            continue
        if not text.strip():
            problems.append(f"--{key.replace('_', '-')}: no value; give one, or leave the option out")
            continue
        document = yaml_positions.read(text.encode("utf-8", "surrogateescape"))
        problems += [f"--{key.replace('_', '-')}: {fault.text}" for fault in document.faults]
        network[key] = document.data
    if problems:
        raise ConfigError(*problems)
    return _one_of(network, batch)


def _one_of(network: Mapping[str, object], batch: int) -> NetworkSpec:
    specs = config.expand(config.from_mapping({"name": "predict", "network": network, "data": {"batch": batch}}))
    if len(specs) > 1:
        raise ConfigError(f"these are {len(specs)} networks; predict answers for one: give one value for each option")
    return specs[0]


def forecasts(spec: NetworkSpec, batch: int) -> list[Table]:
    """The predictions for one network, and the remedies that would help it, if it needs one."""
    help_ = helpful_remedies(spec, batch, DECADES)
    table = remedied_forecast(spec, batch, DECADES) if spec.remedied else forecast(spec)
    return [table] if help_ is None else [table, help_]


def forecast(spec: NetworkSpec) -> Table:
    """A table of all predictions for one network, for an input of unit mean square."""
    theory = predict_specs([spec], np.zeros(1))
    slope, spread = float(theory.slope_per_layer[0, 0]), float(theory.spread[0, 0])
    depths, attenuations = _curve(spec)
    rows = [
        ("gradient, decades a layer towards the input", _number(slope, "+.6f") if spec.depth > 1 else SINGLE),
        ("spread of that over draws", _number(spread, ".3g") if spec.depth > 1 else SINGLE),
        ("attenuation from the last layer to the first", _attenuation(spec, slope, spread)),
        ("probability of being dead at birth", _dead(spec)),
        *_mean_field(spec),
        (f"deepest within {DECADES:g} decades", _deepest(depths, attenuations)),
        *((f"{name} reads 0", _reads_zero(depths, attenuations, under)) for name, under in ZERO_UNDER.items()),
        *_overflows(spec, depths, attenuations),
        ("weight scale that would be critical", _critical(spec, slope)),
        *_edges_at_width(spec),
        *_without_shift(spec),
    ]
    draws = "draws" if activation_of(spec.activation).silent is None else "draws that are not dead"
    note = (
        f"One sample of unit mean square, a gradient at the output of about 1, independent of the weights; "
        f"medians over {draws}. σ_w = {spec.sigma_w():.6g}, σ_b = {spec.sigma_b(spec.width):.6g}."
    )
    title = f"{spec.activation.label}, {spec.init.label}, width {spec.width}, depth {spec.depth}: predicted, not run"
    return Table(title, ("what", "prediction"), rows, note)


def _attenuation(spec: NetworkSpec, slope: float, spread: float) -> str:
    if spec.depth == 1 or not isfinite(slope):
        return SINGLE if spec.depth == 1 else NO_ANSWER
    layers = spec.depth - 1
    return f"{_number(round(slope * layers, 2) + 0.0, '+.2f')} ± {spread * layers:.2g} decades"


def _dead(spec: NetworkSpec) -> str:
    activation = activation_of(spec.activation)
    if activation.silent is None:
        return "0: no unit is silent"
    if spec.shift or spec.bias:
        return f"no formula; the {_shifted(spec)} have a mean"
    if spec.activation.name != "relu":
        return "no formula; it takes a layer that is saturated throughout"
    layers = [(spec.width, spec.depth - 1), (spec.output_width, int(spec.output == "activation"))]
    with np.errstate(divide="ignore"):  # certain death is ln 0
        dead = -np.expm1(sum(np.log1p(-born_dead(*layer)) for layer in layers))
    text = f"{dead:.4g} for one input"
    if spec.input_width == 1 and not spec.sigma_b(1) and spec.depth > 1:
        text += f"; {_dead_for_both_signs(spec)} for inputs of both signs (hidden layers)"
    return text


def _shifted(spec: NetworkSpec) -> str:
    """The parameters whose mean is not 0."""
    return "weights" if spec.shift else "biases"


def _dead_for_both_signs(spec: NetworkSpec) -> str:
    """A probability with its error, or a bound where it is not known."""
    bound = f"at most {born_dead(spec.width, spec.depth - 1):.2g}"
    if spec.family != "normal":
        return f"{bound}, without a formula for weights that are not Gaussian,"
    try:
        estimate = sampled_both_signs(spec.width, spec.depth - 1)
    except DomainError:
        return bound
    if not estimate.error:
        return f"{estimate.value:.4g}"
    digits = max(1, floor(log10(estimate.value)) - floor(log10(estimate.error)) + 1)
    return f"{estimate.value:.{digits}g} ± {estimate.error:.1g}"


def _mean_field(spec: NetworkSpec) -> list[tuple[str, str]]:
    """At infinite width: the slope, the fixed points and the depth scales, or why there are none."""
    if spec.shift or spec.bias:
        return [("fixed point of lengths", f"not predicted: the {_shifted(spec)} have a mean")]
    activation = activation_of(spec.activation)
    sigma_w, sigma_b = spec.sigma_w(), spec.sigma_b(spec.width)
    try:
        at = mean_field(activation, sigma_w, sigma_b)
    except DomainError as error:
        return [*_slope_without_lengths(activation, sigma_w), ("fixed point of lengths", f"none: {error}")]
    angles = "outputs shrink to 0, and have no angle" if at.q_star == 0 else f"c* = {at.c_star:.6g}"
    return [
        _infinite_width(at.chi_1),
        ("fixed points of lengths, of angles", f"q* = {at.q_star:.6g}; {angles}"),
        ("depth scales of lengths ξ_q, of angles ξ_c", f"{_layers(at.xi_q)}; {_layers(at.xi_c)}"),
    ]


def _slope_without_lengths(activation: Activation, sigma_w: float) -> list[tuple[str, str]]:
    """χ₁ of a homogeneous activation, which does not depend on lengths, though these have no fixed point."""
    try:
        return [_infinite_width(chi_1(activation, sigma_w, 1.0))] if activation.homogeneous else []
    except DomainError:
        return []


def _infinite_width(chi: float) -> tuple[str, str]:
    """χ₁, in decades a layer, and as the number of layers in which ‖∂C/∂z‖ changes by a factor of e."""
    at_edge = abs(chi - 1) <= AT_EDGE
    scale = "at the edge" if at_edge else f"e-fold in {_layers(2 / abs(log(chi)))}"
    return "at infinite width", f"χ₁ = {chi:.6g}, {_number(log(chi) / (2 * LN10), '+.6f')} decades a layer, {scale}"


def _critical(spec: NetworkSpec, slope: float) -> str:
    activation = activation_of(spec.activation)
    sigma_b = 0.0 if activation.homogeneous else spec.sigma_b(spec.width)  # χ₁ does not depend on it
    try:
        sigma_w = critical_sigma_w(activation, sigma_b)
    except DomainError as error:
        return f"none: {error}"
    if not spec.sigma_w() > 0:
        return f"none: σ_w = 0 in float64; σ_w = {sigma_w:.6g} would be critical at infinite width"
    at_infinite_width = log10(sigma_w) - log10(spec.sigma_w()) + log10(spec.weight_scale)
    text = f"{_power(at_infinite_width)} (σ_w = {sigma_w:.6g}) at infinite width"
    if activation.homogeneous and isfinite(slope):  # the factor of every layer is proportional to the scale
        text += f", {_power(log10(spec.weight_scale) - slope)} at this one"
    return text


def _power(exponent: float) -> str:
    """10^exponent, which float64 may not hold."""
    return f"{10**exponent:.6g}" if abs(exponent) < sys.float_info.max_10_exp else f"10^{formatted(exponent, '.2f')}"


def _edges_at_width(spec: NetworkSpec) -> list[tuple[str, str]]:
    """The σ_w at which the typical slope is 0 at this width, where units saturate: a second edge, or none at all."""
    activation, sigma_b = activation_of(spec.activation), spec.sigma_b(spec.width)
    if activation.homogeneous or spec.family != "normal":
        return []
    try:
        edges = edges_at_width(activation, sigma_b, spec.width)
    except DomainError:  # lengths have no fixed point at large weights
        return []
    text = "none: the typical gradient vanishes at every σ_w"
    if edges:
        text = f"σ_w = {' and '.join(f'{edge:.4g}' for edge in edges)}"
    if len(edges) == 2:
        text += "; it grows between them, and vanishes again above"
    return [("where a typical gradient is critical at this width", text)]


def _without_shift(spec: NetworkSpec) -> list[tuple[str, str]]:
    """What he_finite_width would do for a ReLU network: it removes the shift, and leaves the spread."""
    replaced = replace(spec, init=Choice("he_finite_width"), weight_scale=1.0)
    if spec.activation.name != "relu" or spec.depth == 1 or spec.init == replaced.init:
        return []
    theory = predict_specs([replaced], np.zeros(1))
    text = _attenuation(replaced, float(theory.slope_per_layer[0, 0]), float(theory.spread[0, 0]))
    return [("the attenuation with the init he_finite_width", text)]


# Over depth ---------------------------------------------------------------------------------------------------------


def _curve(spec: NetworkSpec) -> tuple[Array, Array]:
    """Depths 2 … DEEPEST and the attenuation predicted for each, in decades. Shapes (depths,)."""
    depths = np.arange(2, DEEPEST + 1)
    theory = predict_specs([replace(spec, depth=int(depth)) for depth in depths], np.zeros(1))
    return depths, theory.slope_per_layer[:, 0] * (depths - 1)


def _deepest(depths: Array, attenuations: Array) -> str:
    first = _first_beyond(depths, np.abs(attenuations), DECADES)
    if isinstance(first, str):
        return first
    return f"depth {first - 1:,.0f}" if isfinite(first) else "every depth"


def _reads_zero(depths: Array, attenuations: Array, under: float) -> str:
    first = _first_beyond(depths, -attenuations, -under)
    if isinstance(first, str):
        return first
    return f"from depth {first:,.0f}" if isfinite(first) else "at no depth"


def _overflows(spec: NetworkSpec, depths: Array, attenuations: Array) -> list[tuple[str, str]]:
    """Where outputs, going up, and gradients, coming down, leave each format; one row where no format is left."""
    lengths, rows = _log10_largest_outputs(spec), []
    for name, bound in INFINITE_FROM.items():
        if layer := int((lengths >= bound).argmax()):
            rows.append((f"{name} outputs are infinite", f"from about layer {layer}"))
        first = _first_beyond(depths, attenuations, bound)
        if not isinstance(first, str) and isfinite(first):
            rows.append((f"{name} gradients are infinite", f"from depth {first:,.0f}"))
    return rows or [("outputs or gradients that are infinite", f"in no format, up to {len(lengths) - 1} layers")]


def _log10_largest_outputs(spec: NetworkSpec) -> Array:
    """log10 of the largest |z| of layer k, k = 0 … DEEPEST, by the length map; that of 0 is −∞."""
    lengths = log10_lengths(activation_of(spec.activation), spec.sigma_w(), spec.sigma_b(spec.width), DEEPEST)
    of_so_many = log10(2 * log(max(spec.width, 2))) / 2  # the largest of `width` Gaussian numbers
    return np.concatenate([[-np.inf], lengths + of_so_many])


def _first_beyond(depths: Array, loss: Array, bound: float) -> float | str:
    """The first depth at which the loss, in decades, exceeds the bound; or a text that says where theory ends."""
    beyond = np.nonzero(loss > bound)[0]
    if len(beyond):
        return float(depths[beyond[0]])
    known = np.nonzero(~np.isnan(loss))[0]
    if not len(known):
        return NO_ANSWER
    before, step = loss[-2] - loss[-3], loss[-1] - loss[-2]
    if not abs(step - before) <= ALIKE * abs(step) + 1e-12:
        return f"theory ends at depth {depths[known[-1]]:,}"
    return float("inf") if step <= 1e-12 else float(np.ceil(depths[-1] + (bound - loss[-1]) / step))


def _layers(count: float) -> str:
    return "undefined" if isnan(count) else f"{count:.4g} layers" if isfinite(count) else "infinite"


def _number(value: float, form: str) -> str:
    return formatted(value, form) if isfinite(value) else NO_ANSWER
