"""The weights alone make a gradient vanish or explode, whatever the activation; even sigmoid has an edge between.

Sigmoid is often said to have none. In infinite width its edge is at σ_w = 10.15, ReLU's at √2; at finite width both lie
a little higher, and the claims are net of that shift. Nor is it saturation that makes a sigmoid's gradient vanish.
"""

from math import log, log10, sqrt

import numpy as np

from harness.activations import ACTIVATIONS
from harness.claims import Case, Claim, every, groups, mean, near, per_draw
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


def deepest(results, extreme):
    """The deepest networks of each activation at the smallest (min) or largest (max) weight scale."""
    networks = results.networks[results.networks["depth"] == results.networks["depth"].max()]
    scale = networks["weight_scale"].agg(extreme)
    yield from groups(networks[networks["weight_scale"] == scale], "activation", "weight_scale")


def small_weights(results):
    for words, _, own in deepest(results, "min"):
        yield Case(words, own["log10_gradient_gain"], at_most=-3)


def large_weights(results):
    for words, _, own in deepest(results, "max"):
        yield Case(words, own["log10_gradient_gain"], at_least=3)


def saturation(results, scale):
    """Hidden layers of deep sigmoid networks at one weight scale."""
    layers = results.layers[
        (results.layers["activation"] == "sigmoid") & (results.layers["layer"] < results.layers["depth"])
    ]
    deep = layers[layers["depth"] == layers["depth"].max()]
    yield from groups(deep[np.isclose(deep["weight_scale"], scale)], "weight_scale", "depth")


def unsaturated(results):
    for words, _, own in saturation(results, 1.0):
        yield Case(words, own["saturated_fraction"], at_most=0.001)


def saturated(results):
    for words, _, own in saturation(results, 16.0):
        yield Case(words, per_draw(own, "saturated_fraction"), at_least=0.3)


def infinite_width_slope(activation, sigma_w):
    """½ log10 χ1, in decades a layer."""
    phi = ACTIVATIONS[activation]()
    q = 1.0 if phi.homogeneous else fixed_point(phi, sigma_w, 0.0)
    return log10(chi_1(phi, sigma_w, q)) / 2


def net_slopes(results, activation):
    """Slope less its predicted finite-width shift: (replicates, scales) as a frame, a column a weight scale."""
    networks = results.networks[results.networks["activation"] == activation]
    if networks.empty:
        return None
    at = {scale: infinite_width_slope(activation, scale) for scale in networks["weight_scale"].unique()}
    shift = networks["predicted_slope_per_layer"] - networks["weight_scale"].map(at)
    return networks.assign(net=networks["slope_per_layer"] - shift).pivot(
        index="replicate", columns="weight_scale", values="net"
    )


def relu_edge(results):
    """Where a draw's net slope is 0: a slope is log10 σ_w plus what does not depend on it."""
    net = net_slopes(results, "relu")
    if net is not None:
        scale = min(net.columns, key=lambda s: abs(s - sqrt(2)))
        yield Case(f"relu, from weight scale {scale:.5g}", scale * 10 ** -net[scale], **near(sqrt(2), 0.01 * sqrt(2)))


def sigmoid_edge(results):
    """Where a draw's net slope is 0, between two scales about the edge; it is straight in ln σ_w to 1 % there."""
    net = net_slopes(results, "sigmoid")
    if net is not None and min(net.columns) < 9.5 and max(net.columns) > 11:
        below, above = (min(net.columns, key=lambda s, at=at: abs(s - at)) for at in (9, 11.5))
        edge = log(below) - net[below] / (net[above] - net[below]) * log(above / below)
        yield Case(f"sigmoid, between {below:g} and {above:g}", np.exp(edge), **near(SIGMOID_EDGE, 0.03 * SIGMOID_EDGE))


def both_sides(results):
    """The measured slope itself has another sign on the two sides of the edge."""
    networks = results.networks
    for words, (activation, scale), own in groups(networks, "activation", "weight_scale"):
        edge = {"relu": sqrt(2), "sigmoid": SIGMOID_EDGE}.get(activation)
        if edge and abs(scale / edge - 1) > 0.08:
            above = scale > edge
            yield Case(words, own["slope_per_layer"], 0 if above else -np.inf, np.inf if above else 0)


CLAIMS = (
    Claim(
        "small_weights_vanish",
        "With weights small enough a gradient vanishes, whatever the activation.",
        "mean attenuation over draws, deepest networks, smallest weight scale (decades)",
        mean,
        small_weights,
    ),
    Claim(
        "large_weights_explode",
        "With weights large enough it explodes, whatever the activation; sigmoid's too.",
        "mean attenuation over draws, deepest networks, largest weight scale (decades)",
        mean,
        large_weights,
    ),
    Claim(
        "unsaturated_vanish",
        "A sigmoid network at σ_w = 1, whose gradient vanishes, is not saturated at all.",
        "saturated_fraction of every hidden layer",
        every,
        unsaturated,
    ),
    Claim(
        "saturated_explode",
        "One at σ_w = 16, whose gradient explodes, is saturated in three units of ten or more.",
        "mean over draws of saturated_fraction of hidden layers",
        mean,
        saturated,
    ),
    Claim(
        "relu_edge",
        "ReLU's edge is at σ_w = √2, net of its finite-width shift.",
        "mean over draws of the weight scale at which the slope, net of the shift, is 0",
        mean,
        relu_edge,
        sweep="weight_edges",
    ),
    Claim(
        "sigmoid_edge",
        "A sigmoid network has an edge too, at σ_w = 10.15, net of its finite-width shift.",
        "mean over draws of the weight scale at which the slope, net of the shift, is 0",
        mean,
        sigmoid_edge,
        sweep="weight_edges",
    ),
    Claim(
        "vanish_below_explode_above",
        "8 % and more below its edge a gradient shrinks towards the input, 8 % and more above it grows.",
        "mean of slope_per_layer over draws (decades)",
        mean,
        both_sides,
        sweep="weight_edges",
    ),
)
