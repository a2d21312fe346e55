"""Weights that are too small or too large, for ReLU and sigmoid.

Sigmoid is often said to have no edge of chaos. At infinite width its edge is at σ_w = 10.15 and ReLU's at √2. At finite
width both lie a little higher, and the claims are net of that shift. Saturation is not what makes a sigmoid's gradient
vanish.
"""

from math import log, log10, sqrt

import numpy as np
from scipy.special import ndtr

from harness.networks.activations import ACTIVATIONS
from harness.study.claims import Case, Claim, every, mean, median, near
from harness.study.selection import deepest, deepest_layers, draw_groups, per_draw
from harness.theory.mean_field import chi_1, fixed_point

SENTENCE = (
    "The weights alone make a gradient vanish or explode, whatever the activation; even sigmoid has an edge between."
)
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
# Of n saturating units only those with |z| of order 1 pass a gradient, about n/σ_w. Where these are few it vanishes
# again: tanh of width 128 at σ_w = 1000 loses six decades a layer. At σ_w = n/8 there are about eight of them.
# Theory's expansion in 1/width has an answer up to there, too.
UPPER = "7.9 * sigma_w < width"
WIDE = ("bias_scale == 0", "width >= 100", "input_width >= 32", "inputs in ['gaussian', 'digits']", "alive")
SIGMOID = ("activation == 'sigmoid'", *WIDE)
# What theory's finite-width shift is of.
EDGE = ("bias_scale == 0", "cost == 'linear'", "batch == 1", "width >= 100", "depth > 1", "alive")


def about_theory(tolerance):
    """Slopes of the deepest networks minus theory's; on the side of 0 on which theory's lies."""

    def cases(results):
        for words, (activation, _), rows in draw_groups(deepest(results.networks), "activation", "weight_scale"):
            predicted = rows["predicted_slope_per_layer"]
            within = min(tolerance(activation), abs(predicted.mean()))
            yield Case(words, rows["slope_per_layer"] - predicted, **near(0, within))

    return cases


def saturation(results):
    """Hidden layers of the deepest networks."""
    layers = deepest_layers(results, "saturated_fraction")
    yield from draw_groups(layers[layers["layer"] < layers["depth"]], "weight_scale", "depth")


def unsaturated(results):
    for words, _, rows in saturation(results):
        yield Case(words, rows["saturated_fraction"], at_most=0.001)


def saturated(results):
    """Theory: y(1−y) is under 1 % of ¼ where |z| > 5.98645, and z ~ N(0, q)."""
    phi = ACTIVATIONS["sigmoid"]()
    for words, (sigma_w, _), rows in saturation(results):
        expected = 2 * ndtr(-5.98645 / sqrt(fixed_point(phi, sigma_w, 0.0)))
        yield Case(words, per_draw(rows, "saturated_fraction"), **near(expected, 0.025))  # 8 draws know it to 0.012


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
    for words, _, rows in draw_groups(networks, "activation", "init", across=("weight_scale",)):
        yield words, rows.pivot(index="replicate", columns="sigma_w", values="net")


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
    for words, (activation, _), rows in draw_groups(deepest(results.networks), "activation", "weight_scale"):
        off = rows["sigma_w"].iloc[0] / {"relu": sqrt(2), "sigmoid": SIGMOID_EDGE}[activation] - 1
        if abs(off) > 0.08:
            yield Case(words, rows["slope_per_layer"], 0 if off > 0 else -np.inf, np.inf if off > 0 else 0)


CLAIMS = (
    Claim(
        "small_weights_vanish",
        "With weights small enough a gradient vanishes, whatever the activation, as fast as theory says.",
        "mean over draws of slope_per_layer minus predicted_slope_per_layer, deepest networks (decades)",
        mean,
        about_theory(lambda activation: 0.03),
        scope=(f"sigma_w < {SMALL}", "depth >= 100", *WIDE),
    ),
    Claim(
        "large_weights_explode",
        "With weights large, up to an eighth of the width, it explodes as theory says, whatever the activation.",
        "mean over draws of slope_per_layer minus predicted_slope_per_layer, deepest networks (decades)",
        mean,
        about_theory(lambda activation: 0.1 if activation == "tanh" else 0.05),
        scope=(f"sigma_w > {LARGE}", UPPER, "depth >= 100", *WIDE),
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
        "One at σ_w = 16, whose gradient explodes, is saturated as theory says: in six units of ten.",
        "mean over draws of saturated_fraction of hidden layers",
        mean,
        saturated,
        scope=("15.9 < sigma_w < 16.1", "depth >= 100", *SIGMOID),
    ),
    Claim(
        "relu_edge",
        "ReLU's edge is at σ_w = √2, net of its finite-width shift.",
        "median over draws of the weight scale at which the slope, net of the shift, is 0",
        median,
        relu_edge,
        scope=("activation == 'relu'", *EDGE),
        sweep="weight_edges",
    ),
    Claim(
        "sigmoid_edge",
        "A sigmoid network has an edge too, at σ_w = 10.15, net of its finite-width shift.",
        "median over draws of the weight scale at which the slope, net of the shift, is 0",
        median,
        sigmoid_edge,
        scope=("activation == 'sigmoid'", "8 <= sigma_w <= 13", *EDGE),
        sweep="weight_edges",
    ),
    Claim(
        "vanish_below_explode_above",
        "8 % and more below its edge a gradient shrinks towards the input, 8 % and more above it grows.",
        "median of slope_per_layer over draws (decades)",
        median,
        both_sides,
        scope=("activation in ['relu', 'sigmoid']", *EDGE, "width >= 200", "depth >= 100"),
        sweep="weight_edges",
    ),
)
