"""The slope per layer and its spread over draws of a network, predicted layer by layer from the length of its inputs.

The attenuation is ‖∂C/∂z[1]‖/‖∂C/∂z[L]‖: the activation factors of layers 1 … L−1 times the weight factors of layers
2 … L. Each layer contributes ln σ_w² + ln E[φ'(z)²] at its own length q to ln ‖·‖², and a correction for finite width.

Domain: one sample, and a gradient at the output that is independent of the weights (`cost: linear`, batch 1). With a
larger batch the norm is over samples that share their weights, so shift and spread are smaller. Under the squared cost
the gradient r − y at the output is correlated with the weights, and at any width the gradient grows towards the input
more than predicted: ⟨r, ∂C/∂r⟩ is the same at every layer of a ReLU network without biases, and this component feeds
the others. For one sample, He weights and targets and inputs of unit mean square, ‖∂C/∂z‖² is larger by a factor 1 +
2(L − 1)/3 in a wide network: ½·log10 of it is a part of the attenuation that does not fall with the width as the spread
does. The batch enters through its mean squared input. The prediction is NaN where there is none: for a single layer,
for inputs of zeros without biases, and for layers that are too narrow for an expansion in 1/width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import inf, log

import numpy as np

from harness.base.arrays import Array
from harness.networks.families import EXCESS_KURTOSIS
from harness.networks.spec import Choice, NetworkSpec, activation_of
from harness.theory.expansion import Expansion, OutputLayer
from harness.theory.finite_width import LN10, Law, bounded_weights, homogeneous_law
from harness.theory.mean_field import one_sided_slopes
from harness.theory.moments.curves import Moments
from harness.theory.remedies import ln_attenuations

NARROWEST_BOUNDED = 16  # units: there, what the fourth moment leaves of the shift is under 0.003 a layer for ReLU


@dataclass(frozen=True)
class Prediction:
    """Slope per layer and its standard deviation over draws, in decades per layer; (networks, replicates)."""

    slope_per_layer: Array
    spread: Array


def predict(specs: Sequence[NetworkSpec], log10_rms_inputs: Array, batch: int = 1) -> Prediction:
    """Slope per layer and spread of every network, for inputs of that root mean square, (replicates,).

    Networks with a normalisation or skips have a slope at infinite width (see remedies.py, where `batch` counts) and no
    spread.

    Finite width is included: exactly for ReLU, leaky ReLU and linear (the law of their draws depends neither on lengths
    nor on symmetric biases), and by an expansion in 1/width otherwise (see expansion.py). Uniform and truncated weights
    enter through their fourth moment, and there is no prediction for layers of fewer than NARROWEST_BOUNDED units;
    uniform biases count as Gaussian, which is right to first order in σ_b². Weights whose mean is not 0 have none: the
    mean is a rank-one part of W, of norm mean·√(fan_in·fan_out), and where that is above σ_w, r[k] and ∂C/∂z[k] turn
    into the direction of ones. Nor have constant biases and tied weights. Never warns and never raises.
    """
    shape = (len(specs), len(log10_rms_inputs))
    mean, variance = np.full(shape, np.nan), np.full(shape, np.nan)  # of ln ‖∂C/∂z[1]‖² − ln ‖∂C/∂z[L]‖²
    alike: dict[tuple[Choice, bool, bool], list[int]] = {}
    for place, spec in enumerate(specs):
        if spec.depth > 1 and _representable(spec) and not spec.remedied:
            homogeneous = all(activation_of(c).homogeneous for c in (spec.activation, output_choice(spec)))
            alike.setdefault((spec.activation, homogeneous, spec.widths is not None), []).append(place)
    for (_, homogeneous, shaped), places in alike.items():
        expanded = _totals_by_layer if shaped else _expanded_totals
        totals = _homogeneous_totals if homogeneous else expanded
        mean[places], variance[places] = totals([specs[place] for place in places], 2 * LN10 * log10_rms_inputs)
    too_narrow = [excess_of(spec) < 0 and min(_hidden_widths(spec)) < NARROWEST_BOUNDED for spec in specs]
    mean[too_narrow], variance[too_narrow] = np.nan, np.nan
    with_remedies = [place for place, spec in enumerate(specs) if spec.remedied]
    remedied = [specs[place] for place in with_remedies]
    with np.errstate(over="ignore"):
        mean_squares = 10.0 ** (2 * log10_rms_inputs)
    mean[with_remedies] = ln_attenuations(remedied, mean_squares, batch)
    layers = np.array([max(spec.depth - 1, 1) for spec in specs])[:, None]
    with np.errstate(invalid="ignore"):
        return Prediction(mean / (2 * LN10 * layers), np.sqrt(variance) / (2 * LN10 * layers))


@cache
def moments_of(choice: Choice) -> Moments:
    """The moments of the activation that a choice names; they keep what they have computed."""
    return Moments(activation_of(choice))


def output_choice(spec: NetworkSpec) -> Choice:
    """The activation of the output layer."""
    return spec.activation if spec.output == "activation" else Choice(spec.output)


def ln_sigma_w2(spec: NetworkSpec, fan_in: int, fan_out: int) -> float:
    """ln σ_w² of a layer of these fans, with σ_w² = fan_in · Var W."""
    larger = max(fan_in, fan_out) if spec.family == "orthogonal" else 1
    return 2 * log(spec.gain(fan_in, fan_out)) + log(fan_in / larger)


def _representable(spec: NetworkSpec) -> bool:
    """Whether layers are independent, weights and biases have a mean of 0, and no gain is 0 or infinite in float64."""
    if spec.tied or spec.shift or spec.bias or spec.family == "constant":
        return False
    fans = {(spec.input_width, spec.width), (spec.width, spec.width), (spec.width, spec.output_width)}
    fans = fans if spec.widths is None else set(pairwise(spec.widths))
    return all(0 < spec.gain(*pair) < inf for pair in fans)


def excess_of(spec: NetworkSpec) -> float:
    """Kurtosis of the weights less a Gaussian's 3; 0 for orthogonal weights, whose entries are not independent."""
    return EXCESS_KURTOSIS.get(spec.family, 0.0)


def _hidden_widths(spec: NetworkSpec) -> Sequence[int]:
    """The widths of the hidden layers; one stands for all where they are equal."""
    return (spec.widths or ())[1:-1] or (spec.width,)


def ln_sigma_b2(spec: NetworkSpec, fan_in: int) -> float:
    """ln σ_b² of a layer; −∞ without biases."""
    sigma_b = spec.sigma_b(fan_in)
    return 2 * log(sigma_b) if sigma_b else -inf


# Positively homogeneous activations: the law of a layer does not depend on lengths ------------------------------------


def _homogeneous_totals(specs: Sequence[NetworkSpec], ln_mean_squares: Array) -> tuple[Array, Array]:
    """Mean and variance of ln ‖∂C/∂z[1]‖² − ln ‖∂C/∂z[L]‖², each (networks, replicates); one activation."""
    activation = activation_of(specs[0].activation)
    below, above = one_sided_slopes(activation)
    mean, variance = np.empty((2, len(specs)))
    for i, spec in enumerate(specs):
        if spec.widths is not None:
            laws = [_law(below, above, *fans, spec.family) for fans in pairwise(spec.widths[1:])]
            gains = [2 * log(spec.gain(*fans)) for fans in pairwise(spec.widths[1:])]
            mean[i], variance[i] = sum(law.mean for law in laws) + sum(gains), sum(law.variance for law in laws)
            continue
        hidden, last = (
            _law(below, above, spec.width, fan_out, spec.family) for fan_out in (spec.width, spec.output_width)
        )
        gains = [2 * log(spec.gain(spec.width, fan_out)) for fan_out in (spec.width, spec.output_width)]
        mean[i] = (spec.depth - 2) * (hidden.mean + gains[0]) + last.mean + gains[1]
        variance[i] = (spec.depth - 2) * hidden.variance + last.variance
    without_biases = np.array([not spec.sigma_b(spec.input_width) for spec in specs])
    all_zero = np.isneginf(ln_mean_squares) & without_biases[:, None]
    all_zero &= activation.name != "linear"  # φ' at exactly 0 is neither that below nor that above
    return np.where(all_zero, np.nan, mean[:, None]), np.where(all_zero, np.nan, variance[:, None])


@cache
def _law(below: float, above: float, width: int, fan_out: int, family: str) -> Law:
    law = homogeneous_law(below, above, width, fan_out, family == "orthogonal")
    if not EXCESS_KURTOSIS.get(family):
        return law
    added = bounded_weights(below, above, width, fan_out, EXCESS_KURTOSIS[family])
    return Law(law.mean + added.mean, law.variance + added.variance)


# Other activations: lengths and their fluctuations from layer to layer ------------------------------------------------


def _expanded_totals(specs: Sequence[NetworkSpec], ln_mean_squares: Array) -> tuple[Array, Array]:
    """As `_homogeneous_totals`. Networks that differ only in depth and output layer share their hidden layers."""
    by_hidden: dict[NetworkSpec, dict[int, list[int]]] = {}
    for place, spec in enumerate(specs):
        hidden = replace(spec, depth=1, output="activation", output_width=1)
        by_hidden.setdefault(hidden, {}).setdefault(spec.depth, []).append(place)
    replicates = len(ln_mean_squares)
    rows = {hidden: slice(i * replicates, (i + 1) * replicates) for i, hidden in enumerate(by_hidden)}
    expansion = _expansion(list(by_hidden), ln_mean_squares)
    mean, variance = np.empty((2, len(specs), replicates))
    for depth in sorted({depth for depths in by_hidden.values() for depth in depths}):
        expansion.advance_to(depth - 1)
        for hidden, depths in by_hidden.items():
            for place in depths.get(depth, ()):
                mean[place], variance[place] = expansion.totals(rows[hidden], _output_layer(specs[place]))
    return mean, variance


def _totals_by_layer(specs: Sequence[NetworkSpec], ln_mean_squares: Array) -> tuple[Array, Array]:
    """As `_expanded_totals`, for networks whose layers differ in width; NaN for orthogonal weights."""
    mean, variance = np.full((2, len(specs), len(ln_mean_squares)), np.nan)
    for i, spec in enumerate(specs):
        if spec.family == "orthogonal":
            continue
        expansion, fans = _expansion([spec], ln_mean_squares), [spec.fans(k) for k in range(1, spec.depth)]
        for layer, (fan_in, fan_out) in enumerate(fans, start=1):
            ln_sigmas = ln_sigma_w2(spec, fan_in, fan_out), ln_sigma_b2(spec, fan_in)
            expansion.set_layer(fan_in, fan_out, *ln_sigmas)
            expansion.advance_to(layer)
        expansion.set_layer(*fans[-1], 0.0, -inf)  # the weights between hidden layers are added here
        hidden = sum(ln_sigma_w2(spec, *pair) for pair in fans[:-1])
        mean[i], variance[i] = expansion.totals(slice(None), _output_layer(spec))
        mean[i] += hidden
    return mean, variance


def _expansion(specs: Sequence[NetworkSpec], ln_mean_squares: Array) -> Expansion:
    """The expansion at the first layer, with a row for each network and replicate."""

    def rows(value: Callable[[NetworkSpec], float]) -> Array:
        return np.repeat(np.array([value(spec) for spec in specs], dtype=float), len(ln_mean_squares))

    weights = rows(lambda s: ln_sigma_w2(s, s.input_width, _hidden_widths(s)[0])) + np.tile(ln_mean_squares, len(specs))
    ln_q = np.logaddexp(weights, rows(lambda s: ln_sigma_b2(s, s.input_width)))
    all_zero = np.isneginf(ln_q)
    with np.errstate(invalid="ignore"):
        share = np.where(all_zero, np.nan, np.exp(weights - ln_q))
    return Expansion(
        moments_of(specs[0].activation),
        ln_q=np.where(all_zero, 0, ln_q),
        share=share,
        fixed=rows(lambda s: s.width / max(s.width, s.input_width) if s.family == "orthogonal" else 0),
        orthogonal=rows(lambda s: s.family == "orthogonal"),
        excess=rows(excess_of),
        width=rows(lambda s: s.width),
        ln_sigma_w2=rows(lambda s: ln_sigma_w2(s, s.width, s.width)),
        ln_sigma_b2=rows(lambda s: ln_sigma_b2(s, s.width)),
    )


def _output_layer(spec: NetworkSpec) -> OutputLayer:
    return OutputLayer(
        ln_sigma_w2=ln_sigma_w2(spec, *spec.fans(spec.depth - 1)),
        ln_sigma_b2=ln_sigma_b2(spec, spec.fans(spec.depth - 1)[0]),
        fixed=spec.width / max(spec.width, spec.output_width) if spec.family == "orthogonal" else 0.0,
        moments=None if spec.output == "linear" else moments_of(output_choice(spec)),
    )
