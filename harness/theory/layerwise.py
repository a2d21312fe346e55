"""A network's slope per layer and its spread over draws, predicted layer by layer from the inputs' actual length.

The attenuation is ‖∂C/∂z[1]‖/‖∂C/∂z[L]‖: the activation factors of layers 1 … L−1 and the weight factors of layers
2 … L. Each layer contributes ln σ_w² + ln E[φ'(z)²] to ln ‖·‖² at its own length q, and what a finite width adds.

Domain: one sample, and a start of the way back that knows nothing of the weights (`cost: linear`, batch 1). With a
larger batch the norm is over samples that share their weights, which makes shift and spread smaller; under the squared
cost the start r − y is correlated with the weights, which changes the shift of narrow networks. The batch enters by its
mean squared input. Where there is no answer (a single layer, an input of zeros without biases, layers too narrow
for an expansion in 1/width), it is nan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf, log

import numpy as np

from harness.activations import ACTIVATIONS, Activation
from harness.network import Choice, NetworkSpec
from harness.theory.expansion import Expansion
from harness.theory.finite_width import LN10, straight_law
from harness.theory.mean_field import straight_slopes
from harness.theory.moments import Moments

Array = np.ndarray


@dataclass(frozen=True)
class Prediction:
    """In decades; (networks, replicates). The spread is the standard deviation of slope_per_layer over weights."""

    slope_per_layer: Array
    spread: Array


def predict(specs: Sequence[NetworkSpec], log10_rms_inputs: Array) -> Prediction:
    """Slope per layer and spread of every network, for inputs of that root mean square, (replicates,).

    Finite width is included: exactly for ReLU, leaky ReLU and linear (their draws' law does not depend on lengths, nor
    on symmetric biases), to leading order in 1/width otherwise (harness/theory/expansion.py). Uniform weights count as
    Gaussian, and uniform biases too: right to that order, and to first order in σ_b². Never warns and never raises.
    """
    shape = (len(specs), len(log10_rms_inputs))
    mean, variance = np.full(shape, np.nan), np.full(shape, np.nan)  # of ln ‖∂C/∂z[1]‖² − ln ‖∂C/∂z[L]‖²
    groups: dict[Choice, list[int]] = {}
    for place, spec in enumerate(specs):
        if spec.depth > 1:
            groups.setdefault(spec.activation, []).append(place)
    for choice, places in groups.items():
        own = [specs[place] for place in places]
        activation, moments = of(choice)
        totals = _straight if activation.homogeneous else _expanded
        mean[places], variance[places] = totals(own, activation, moments, 2 * LN10 * log10_rms_inputs)
    layers = np.array([max(spec.depth - 1, 1) for spec in specs])[:, None]
    with np.errstate(invalid="ignore"):
        return Prediction(mean / (2 * LN10 * layers), np.sqrt(variance) / (2 * LN10 * layers))


@cache
def of(choice: Choice) -> tuple[Activation, Moments]:
    """The activation a config names, and its moments."""
    activation = ACTIVATIONS[choice.name](**dict(choice.parameters))
    return activation, Moments(activation)


def ln_sigma_w2(spec: NetworkSpec, fan_in: int, fan_out: int) -> float:
    """ln of σ_w² = fan_in · Var W, forward, of a layer of these fans."""
    larger = max(fan_in, fan_out) if spec.family == "orthogonal" else 1
    return 2 * log(spec.gain(fan_in, fan_out)) + log(fan_in / larger)


def ln_sigma_b2(spec: NetworkSpec, fan_in: int) -> float:
    """ln σ_b² of a layer, −∞ without biases."""
    sigma_b = spec.sigma_b(fan_in)
    return 2 * log(sigma_b) if sigma_b else -inf


# Straight pieces: no length matters, and every layer has the same law ------------------------------------------------


def _straight(specs: Sequence[NetworkSpec], activation: Activation, _: Moments, ln_squares: Array):
    below, above = straight_slopes(activation)
    mean, variance = np.empty((2, len(specs)))
    for i, spec in enumerate(specs):
        hidden, last = (_law(below, above, spec.width, fan_out, spec.family == "orthogonal")
                        for fan_out in (spec.width, spec.output_width))  # fmt: skip
        gains = [2 * log(spec.gain(spec.width, fan_out)) for fan_out in (spec.width, spec.output_width)]
        mean[i] = (spec.depth - 2) * (hidden.mean + gains[0]) + last.mean + gains[1]
        variance[i] = (spec.depth - 2) * hidden.variance + last.variance
    nothing = np.isneginf(ln_squares) & np.array([not spec.sigma_b(spec.input_width) for spec in specs])[:, None]
    nothing &= activation.name != "linear"  # a slope at exactly 0 is neither the one below nor the one above
    return np.where(nothing, np.nan, mean[:, None]), np.where(nothing, np.nan, variance[:, None])


_law = cache(straight_law)


# Any other activation: lengths and their fluctuations from layer to layer ---------------------------------------------


def _expanded(specs: Sequence[NetworkSpec], activation: Activation, moments: Moments, ln_squares: Array):
    """Mean and variance, (networks, replicates); networks that differ in their end alone share one way up."""
    ends: dict[NetworkSpec, dict[int, list[int]]] = {}
    for place, spec in enumerate(specs):
        lane = replace(spec, depth=1, output="activation", output_width=1)
        ends.setdefault(lane, {}).setdefault(spec.depth, []).append(place)
    lanes, replicates = list(ends), len(ln_squares)
    rows = {lane: slice(i * replicates, (i + 1) * replicates) for i, lane in enumerate(lanes)}
    expansion = Expansion(moments, *_started(lanes, ln_squares))
    mean, variance = np.empty((2, len(specs), replicates))
    for depth in sorted({depth for own in ends.values() for depth in own}):
        expansion.climb(depth - 1)
        for lane in lanes:
            for place in ends[lane].get(depth, ()):
                mean[place], variance[place] = _ended(expansion, specs[place], rows[lane])
    return mean, variance


def _started(lanes: Sequence[NetworkSpec], ln_squares: Array):
    """Of every lane and replicate: ln q of layer 1 and the weights' share of it; then what an Expansion needs."""

    def each(value) -> Array:
        return np.repeat(np.array([value(spec) for spec in lanes], dtype=float), len(ln_squares))

    weights = each(lambda s: ln_sigma_w2(s, s.input_width, s.width)) + np.tile(ln_squares, len(lanes))
    total = np.logaddexp(weights, each(lambda s: ln_sigma_b2(s, s.input_width)))
    nothing = np.isneginf(total)
    with np.errstate(invalid="ignore"):
        share = np.where(nothing, np.nan, np.exp(weights - total))
    fixed = each(lambda s: s.width / max(s.width, s.input_width) if s.family == "orthogonal" else 0)
    return (
        np.where(nothing, 0, total), share, fixed, each(lambda s: s.family == "orthogonal"), each(lambda s: s.width),
        each(lambda s: ln_sigma_w2(s, s.width, s.width)), each(lambda s: ln_sigma_b2(s, s.width)),
    )  # fmt: skip


def _ended(expansion: Expansion, spec: NetworkSpec, rows: slice) -> tuple[Array, Array]:
    fixed = spec.width / max(spec.width, spec.output_width) if spec.family == "orthogonal" else 0.0
    ends_straight = spec.output == "linear"
    return expansion.ended(rows, ln_sigma_w2(spec, spec.width, spec.output_width), ln_sigma_b2(spec, spec.width), fixed,
                           ends_straight)  # fmt: skip
