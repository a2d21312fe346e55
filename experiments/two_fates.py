"""A GELU network without biases has two fates and no edge between them; with biases it has one.

GELU is about z/2 near 0 and about ReLU far from it. Lengths that fall far enough keep falling, by σ_w/2 a layer, and
lengths that grow are multiplied by about σ_w²/2, so both 0 and infinity attract, and draws of a finite width go either
way. Biases hold lengths up: above σ_b = 0.4158 lengths have one fixed point at χ₁ = 1.
"""

import numpy as np

from harness.networks.activations import ACTIVATIONS
from harness.study.claims import Case, Claim, mean, near, proportion
from harness.study.selection import deepest_layers, draw_groups
from harness.theory.edge import least_sigma_b

SENTENCE = (
    "Between the scales at which a GELU network without biases vanishes and explodes, some draws collapse and others "
    "do not, with nothing in between; with biases none does."
)
FIGURES = ("every_draw",)
SMALL = (
    "cases=[{bias_scale: 0, weight_scale: [1.414213562373095, 1.5, 1.6]}, {bias_scale: 1, weight_scale: 1.45}]",
    "replicates=300",
)
SWEEPS = {"two_fates": SMALL}

GELU = (
    "activation == 'gelu'",
    "family == 'normal'",
    "cost == 'linear'",
    "batch == 1",
    "width == 64",
    "input_width == 64",
    "depth == 100",
)
WITHOUT = (*GELU, "bias_scale == 0", "1.41 < sigma_w < 1.61")
WITH = (*GELU, "bias_scale > 0", "1.4 < sigma_w < 1.5")
COLLAPSED, BETWEEN = -3, -1  # log10 rms of the outputs: linear to 1e-3 below the first, and no draw should lie between
# Share of draws that collapse, of 2000 draws, and a tolerance of what 150 draws know. CI takes 300: of 150, a single
# draw between the fates (one in 500 at σ_w = 1.5) would leave a share of 0.08 undecided.
SHARES = {2**0.5: (1.0, 0.12), 1.45: (0.93, 0.12), 1.5: (0.55, 0.35), 1.55: (0.2, 0.2), 1.6: (0.04, 0.2)}


def outputs(results):
    """(words, σ_w, σ_b, log10 rms of the last outputs, attenuations) of every kind of network."""
    layers = deepest_layers(results, "log10_rms_outputs")
    layers = layers[layers["layer"] == layers["depth"]].set_index("network")["log10_rms_outputs"]
    last = dict(zip(layers.index.astype(str), layers, strict=True))
    for words, _, rows in draw_groups(results.networks, "weight_scale", "bias_scale"):
        at = np.array([last[name] for name in rows["network"].astype(str)])
        yield words, rows["sigma_w"].iloc[0], rows["sigma_b"].iloc[0], at, rows["log10_gradient_gain"].to_numpy()


def shares(results):
    for words, sigma_w, _, at, _ in outputs(results):
        for scale, (share, tolerance) in SHARES.items():
            if abs(sigma_w - scale) < 1e-6:
                yield Case(words, at < COLLAPSED, **near(share, tolerance))


def between(results):
    for words, _, _, at, _ in outputs(results):
        yield Case(words, (at >= COLLAPSED) & (at < BETWEEN), at_most=0.08)


def alike(results):
    """Whether the gradient vanishes in the draws that collapse, and in no other."""
    for words, _, _, at, gain in outputs(results):
        yield Case(words, (at < COLLAPSED) == (gain < -3), at_least=0.9)


def none_collapse(results):
    for words, _, sigma_b, at, _ in outputs(results):
        if sigma_b > least_sigma_b(ACTIVATIONS["gelu"]()):
            yield Case(words, at < COLLAPSED, at_most=0.08)


def from_theory(results):
    for words, _, rows in draw_groups(results.networks, "weight_scale", "bias_scale"):
        yield Case(words, rows["slope_per_layer"] - rows["predicted_slope_per_layer"], **near(0, 0.005))


CLAIMS = (
    Claim(
        "some_collapse",
        "Without biases the outputs of some draws collapse: all at σ_w = √2, half at 1.5, few at 1.6.",
        "share of draws whose last outputs have a root mean square under 10^−3",
        proportion,
        shares,
        scope=WITHOUT,
    ),
    Claim(
        "nothing_in_between",
        "The others keep their size: hardly any draw is on its way after 100 layers.",
        "share of draws whose last outputs have a root mean square between 10^−3 and 10^−1",
        proportion,
        between,
        scope=WITHOUT,
    ),
    Claim(
        "gradients_share_the_fate",
        "The gradient vanishes in the draws whose outputs collapse, and in no other.",
        "share of draws in which the attenuation is under −3 decades if and only if the outputs collapse",
        proportion,
        alike,
        scope=WITHOUT,
    ),
    Claim(
        "none_with_biases",
        "With biases above σ_b = 0.4158, where there is an edge, no draw collapses near it.",
        "share of draws whose last outputs have a root mean square under 10^−3",
        proportion,
        none_collapse,
        scope=WITH,
    ),
    Claim(
        "an_edge_with_biases",
        "There the slope per layer is the predicted one, close to 0.",
        "mean over draws of slope_per_layer minus predicted_slope_per_layer (decades)",
        mean,
        from_theory,
        scope=WITH,
    ),
)
