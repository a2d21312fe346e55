"""What `harness predict` says of a network without running it: theory's answers, each with what it assumes."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, isnan, log

import numpy as np

from harness import config, yaml_positions
from harness.activations import Activation
from harness.errors import ConfigError, DomainError
from harness.network import NetworkSpec
from harness.summary import Table
from harness.tables import ZERO_UNDER
from harness.theory import born_dead, born_dead_both_signs, chi_1, critical_sigma_w, mean_field, predict
from harness.theory.finite_width import LN10
from harness.theory.layerwise import of
from harness.theory.mean_field import AT_EDGE

Array = np.ndarray

DECADES = 3.0
DEEPEST = 1024  # looked at layer by layer; beyond, as the last layers go on, if they are all alike
ALIKE = 1e-6  # relative difference of their steps
SINGLE = "none: a single layer"
NO_ANSWER = "no answer: theory's expansion in 1/width does not hold here"


def spec_of(written: Mapping[str, str | None]) -> NetworkSpec:
    """The one network that options in the syntax of a config describe. Raises ConfigError with every problem."""
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
    specs = config.expand(config.from_mapping({"name": "predict", "network": network}))
    if len(specs) > 1:
        raise ConfigError(f"these are {len(specs)} networks; predict answers for one: give one value for each option")
    return specs[0]


def forecast(spec: NetworkSpec) -> Table:
    """Every prediction for one network and an input of unit mean square."""
    theory = predict([spec], np.zeros(1))
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
        ("weight scale that would be critical", _critical(spec, slope)),
    ]
    draws = "draws" if of(spec.activation)[0].silent is None else "draws that are not dead"
    note = (
        f"One sample of unit mean square, a start of about 1 that knows nothing of the weights; medians over {draws}. "
        f"σ_w = {spec.sigma_w():.6g}, σ_b = {spec.sigma_b(spec.width):.6g}."
    )
    title = f"{spec.activation.label}, {spec.init.label}, width {spec.width}, depth {spec.depth}: predicted, not run"
    return Table(title, ("what", "prediction"), rows, note)


def _attenuation(spec: NetworkSpec, slope: float, spread: float) -> str:
    if spec.depth == 1 or not isfinite(slope):
        return SINGLE if spec.depth == 1 else NO_ANSWER
    layers = spec.depth - 1
    return f"{_number(slope * layers, '+.2f')} ± {spread * layers:.2g} decades"


def _dead(spec: NetworkSpec) -> str:
    activation, _ = of(spec.activation)
    if activation.silent is None:
        return "0: no unit is silent"
    if spec.activation.name != "relu":
        return "no formula; it takes a layer that is saturated throughout"
    layers = [(spec.width, spec.depth - 1), (spec.output_width, int(spec.output == "activation"))]
    with np.errstate(divide="ignore"):  # certain death is ln 0
        dead = -np.expm1(sum(np.log1p(-born_dead(*layer)) for layer in layers))
    said = f"{dead:.4g} for one input"
    if spec.input_width == 1 and not spec.sigma_b(1) and spec.depth > 1:
        said += f"; {born_dead_both_signs(spec.width, spec.depth - 1):.4g} for inputs of both signs (hidden layers)"
    return said


def _mean_field(spec: NetworkSpec) -> list[tuple[str, str]]:
    """Infinite width: the slope, the fixed points and the depth scales, or why there are none."""
    activation, _ = of(spec.activation)
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
    """χ₁ where it does not depend on lengths, though they have no fixed point."""
    try:
        return [_infinite_width(chi_1(activation, sigma_w, 1.0))] if activation.homogeneous else []
    except DomainError:
        return []


def _infinite_width(chi: float) -> tuple[str, str]:
    """χ₁, in decades a layer, and as the layers in which ‖∂C/∂z‖ changes by e."""
    at_edge = abs(chi - 1) <= AT_EDGE
    scale = "at the edge" if at_edge else f"e-fold in {_layers(2 / abs(log(chi)))}"
    return "at infinite width", f"χ₁ = {chi:.6g}, {_number(log(chi) / (2 * LN10), '+.6f')} decades a layer, {scale}"


def _critical(spec: NetworkSpec, slope: float) -> str:
    activation, _ = of(spec.activation)
    sigma_b = 0.0 if activation.homogeneous else spec.sigma_b(spec.width)  # which χ₁ does not depend on
    try:
        sigma_w = critical_sigma_w(activation, sigma_b)
    except DomainError as error:
        return f"none: {error}"
    said = f"{sigma_w / (spec.sigma_w() / spec.weight_scale):.6g} (σ_w = {sigma_w:.6g}) at infinite width"
    if activation.homogeneous and isfinite(slope):  # every layer's factor is in proportion to the scale
        said += f", {spec.weight_scale * 10**-slope:.6g} at this one"
    return said


# Over depth ---------------------------------------------------------------------------------------------------------


def _curve(spec: NetworkSpec) -> tuple[Array, Array]:
    """Depths 2 … DEEPEST and the attenuation predicted of each, in decades."""
    depths = np.arange(2, DEEPEST + 1)
    theory = predict([replace(spec, depth=int(depth)) for depth in depths], np.zeros(1))
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


def _first_beyond(depths: Array, loss: Array, bound: float) -> float | str:
    """The first depth at which the loss exceeds the bound; or, where theory ends before, how far it reaches."""
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
    return f"{value:{form}}".replace("-", "−") if isfinite(value) else NO_ANSWER
