"""The weights alone make a gradient vanish or explode, whatever the activation; even sigmoid has an edge between.

Sigmoid is often said to have none. In infinite width its edge is at σ_w = 10.15, ReLU's at √2; at finite width both lie
a little higher, and the claims are net of that shift. Nor is it saturation that makes a sigmoid's gradient vanish.
"""

from math import log, log10, sqrt

import numpy as np

from harness.activations import ACTIVATIONS
from harness.claims import Case, Claim, every, mean, near
from harness.selection import deepest, deepest_layers, groups, per_draw
from harness.theory.mean_field import chi_1, fixed_point

FIGURES = ("phase_diagram", "step_against_sigmoid", "attenuation_against_depth", "dead_units", "paired_comparison")
SWEEPS = {
    "weight_scale": (
        "network.weight_scale={from: 0.25, to: 16, steps: 7, spacing: log}",
        "network.depth=[2, 8, 32, 128]",
    ),
    "weight_edges": (),
}

SIGMOID_EDGE = 10.1493  # harness.theory.mean_field.critical_sigma_w


SMALL, LARGE = 0.26, 15.9  # σ_w: small enough that no activation makes up for it; 1.6 times sigmoid's edge
WIDE = ("bias_scale == 0", "width >= 100", "input_width >= 32", "inputs in ['gaussian', 'digits']", "alive")
SIGMOID = ("activation == 'sigmoid'", *WIDE)
# What theory's finite-width shift is of.
EDGE = ("bias_scale == 0", "cost == 'linear'", "batch == 1", "width >= 100", "depth > 1", "alive")


def attenuations(at_least=-np.inf, at_most=np.inf):
    """Of the deepest networks, the same band for all."""

    def cases(results):
        for words, _, own in groups(deepest(results.networks), "activation", "weight_scale"):
            yield Case(words, own["log10_gradient_gain"], at_least, at_most)

    return cases


def saturation(results):
    """Hidden layers of the deepest networks."""
    layers = deepest_layers(results, "saturated_fraction")
    yield from groups(layers[layers["layer"] < layers["depth"]], "weight_scale", "depth")


def unsaturated(results):
    for words, _, own in saturation(results):
        yield Case(words, own["saturated_fraction"], at_most=0.001)


def saturated(results):
    for words, _, own in saturation(results):
        yield Case(words, per_draw(own, "saturated_fraction"), at_least=0.3)


def infinite_width_slope(activation, sigma_w):
    """½ log10 χ1, in decades a layer."""
    phi = ACTIVATIONS[activation]()
    q = 1.0 if phi.homogeneous else fixed_point(phi, sigma_w, 0.0)
    return log10(chi_1(phi, sigma_w, q)) / 2


def net_slopes(results, activation):
    """(words, slope less its predicted finite-width shift) as frames (replicates, σ_w), of the deepest networks."""
    networks = deepest(results.networks)
    at = {sigma_w: infinite_width_slope(activation, sigma_w) for sigma_w in networks["sigma_w"].unique()}
    shift = networks["predicted_slope_per_layer"] - networks["sigma_w"].map(at)
    networks = networks.assign(net=networks["slope_per_layer"] - shift)
    for words, _, own in groups(networks, "activation", "init", across=("weight_scale",)):
        yield words, own.pivot(index="replicate", columns="sigma_w", values="net")


def relu_edge(results):
    """Where a draw's net slope is 0: a slope is log10 σ_w plus what does not depend on it."""
    for words, net in net_slopes(results, "relu"):
        sigma_w = min(net.columns, key=lambda s: abs(s - sqrt(2)))
        edge = sigma_w * 10 ** -net[sigma_w]
        yield Case(f"{words}, from σ_w = {sigma_w:.5g}", edge, **near(sqrt(2), 0.01 * sqrt(2)))


def sigmoid_edge(results):
    """Where a draw's net slope is 0, between two σ_w about the edge; it is straight in ln σ_w to 1 % there."""
    for words, net in net_slopes(results, "sigmoid"):
        under, over = net.columns[net.columns < 9.5], net.columns[net.columns > 11]
        if len(under) and len(over):
            below, above = (min(side, key=lambda s, at=at: abs(s - at)) for side, at in ((under, 9), (over, 11.5)))
            edge = np.exp(log(below) - net[below] / (net[above] - net[below]) * log(above / below))
            where = f"{words}, between σ_w = {below:g} and {above:g}"
            yield Case(where, edge, **near(SIGMOID_EDGE, 0.03 * SIGMOID_EDGE))


def both_sides(results):
    """The measured slope itself has another sign on the two sides of the edge."""
    for words, (activation, _), own in groups(deepest(results.networks), "activation", "weight_scale"):
        off = own["sigma_w"].iloc[0] / {"relu": sqrt(2), "sigmoid": SIGMOID_EDGE}[activation] - 1
        if abs(off) > 0.08:
            yield Case(words, own["slope_per_layer"], 0 if off > 0 else -np.inf, np.inf if off > 0 else 0)


CLAIMS = (
    Claim(
        "small_weights_vanish",
        "With weights small enough a gradient vanishes, whatever the activation.",
        "mean attenuation over draws, deepest networks (decades)",
        mean,
        attenuations(at_most=-3),
        scope=(f"sigma_w < {SMALL}", "depth >= 32", "width >= 32", "alive"),
    ),
    Claim(
        "large_weights_explode",
        "With weights large enough it explodes, whatever the activation; sigmoid's too.",
        "mean attenuation over draws, deepest networks (decades)",
        mean,
        attenuations(at_least=3),
        scope=(f"sigma_w > {LARGE}", "depth >= 100", *WIDE),
    ),
    Claim(
        "unsaturated_vanish",
        "A sigmoid network at σ_w = 1, whose gradient vanishes, is not saturated at all.",
        "saturated_fraction of every hidden layer",
        every,
        unsaturated,
        scope=("0.999 < sigma_w < 1.001", "depth >= 100", *SIGMOID),
    ),
    Claim(
        "saturated_explode",
        "One at σ_w = 16, whose gradient explodes, is saturated in three units of ten or more.",
        "mean over draws of saturated_fraction of hidden layers",
        mean,
        saturated,
        scope=("15.9 < sigma_w < 16.1", "depth >= 100", *SIGMOID),
    ),
    Claim(
        "relu_edge",
        "ReLU's edge is at σ_w = √2, net of its finite-width shift.",
        "mean over draws of the weight scale at which the slope, net of the shift, is 0",
        mean,
        relu_edge,
        scope=("activation == 'relu'", *EDGE),
        sweep="weight_edges",
    ),
    Claim(
        "sigmoid_edge",
        "A sigmoid network has an edge too, at σ_w = 10.15, net of its finite-width shift.",
        "mean over draws of the weight scale at which the slope, net of the shift, is 0",
        mean,
        sigmoid_edge,
        scope=("activation == 'sigmoid'", "8 <= sigma_w <= 13", *EDGE),
        sweep="weight_edges",
    ),
    Claim(
        "vanish_below_explode_above",
        "8 % and more below its edge a gradient shrinks towards the input, 8 % and more above it grows.",
        "mean of slope_per_layer over draws (decades)",
        mean,
        both_sides,
        scope=("activation in ['relu', 'sigmoid']", *EDGE, "width >= 200", "depth >= 100"),
        sweep="weight_edges",
    ),
)
