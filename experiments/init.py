"""Which initialisation holds the gradient of which activation.

One of them is a framework's default (`pytorch_default`): σ_w = 1/√3 with biases, critical for none of the activations.
"""

from math import log10, sqrt

import numpy as np

from harness.networks.activations import ACTIVATIONS
from harness.study.claims import Case, Claim, every, median, near
from harness.study.selection import deepest, deepest_layers, draw_groups, per_draw
from harness.theory.mean_field import chi_1, fixed_point

SENTENCE = (
    "An initialisation holds the gradient for the activation it was made for, not for the others; "
    "none does for sigmoid."
)
FIGURES = (
    "slope_against_theory",
    "gradient_profile",
    "step_against_sigmoid",
    "attenuation_against_depth",
    "paired_comparison",
)
SWEEPS = {"init": ("network.depth=[2, 16, 128]",)}

HE = ("he_normal", "he_uniform")
UNIT = (
    "normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal",
)  # σ_w = 1
DEFAULT = ("pytorch_default",)
# σ_w of square layers, written here once more: the claims must not take it from the code that they check.
SIGMA_W = dict.fromkeys(HE, sqrt(2)) | dict.fromkeys(UNIT, 1.0) | dict.fromkeys(DEFAULT, 1 / sqrt(3))


# Each init as it is: unscaled, with its own biases; standardised inputs, or the first layer may be saturated.
OWN_BIASES = "bias_scale == 0 or (init == 'pytorch_default' and 0.999 < bias_scale * (3 * width) ** 0.5 < 1.001)"
AS_IT_IS = (
    "weight_scale == 1",
    OWN_BIASES,
    "width >= 100",
    "depth >= 100",
    "inputs in ['gaussian', 'digits']",
    "alive",
)


def slopes(at_least=-np.inf, at_most=np.inf):
    """Slopes of the deepest networks, all with the same band."""

    def cases(results):
        for words, _, rows in draw_groups(deepest(results.networks), "activation", "init"):
            yield Case(words, rows["slope_per_layer"], at_least, at_most)

    return cases


def scope_of(activations, inits):
    """The scope of a claim on these activations and inits."""
    return (f"activation in {list(activations)}", f"init in {list(inits)}", *AS_IT_IS)


def against_theory(results):
    """Tolerance: 32 draws know a median to ±0.006 decades; leading order leaves out up to 0.002 at width 128."""
    for words, _, rows in draw_groups(deepest(results.networks), "activation", "init"):
        yield Case(words, rows["slope_per_layer"] - rows["predicted_slope_per_layer"], **near(0, 0.012))


def about_infinite_width(results):
    """Slopes about ½ log10 χ1 of infinite width; the tolerance holds the shift of width 128, which is up to 0.006."""
    for words, (name, init), rows in draw_groups(deepest(results.networks), "activation", "init"):
        phi, sigma_w, width = ACTIVATIONS[name](), SIGMA_W[init], int(rows["width"].iloc[0])
        sigma_b = 1 / sqrt(3 * width) if init in DEFAULT else 0.0
        q = 1.0 if phi.homogeneous else fixed_point(phi, sigma_w, sigma_b)
        yield Case(words, rows["slope_per_layer"], **near(log10(chi_1(phi, sigma_w, q)) / 2, 0.015))


def norms_of_weights(results):
    """log10 ‖W‖ of the hidden layers, less that of n² entries of variance σ_w²/n, averaged over the layers of a draw.

    ‖W‖² has a relative deviation of √2/n or less, so 32 draws of 100 layers know its median to 1 in 1500. The same
    draws serve all activations: those of one are taken.
    """
    layers = deepest_layers(results, "log10_norm_weights", filters=[("layer", ">", 1)])
    layers = layers[(layers["layer"] < layers["depth"]) & (layers["activation"] == layers["activation"].iloc[0])]
    expected = np.log10(layers["width"] * np.square(layers["init"].astype(str).map(SIGMA_W).astype(float))) / 2
    layers = layers.assign(gap=layers["log10_norm_weights"] - expected)
    for words, (init,), rows in draw_groups(layers, "init"):
        rounding = init == "orthogonal"  # exactly: its columns have the length 1
        yield Case(words, per_draw(rows, "gap"), **near(0, 1e-12 if rounding else 0.0007))


def all_differ(results):
    """Whether no two hidden layers of a network have the same ‖W‖: two draws of a continuous law never do."""
    layers = deepest_layers(results, "log10_norm_weights", filters=[("layer", ">", 1)])
    layers = layers[layers["layer"] < layers["depth"]]
    for words, _, rows in draw_groups(layers, "activation", "init"):
        norms = rows["log10_norm_weights"].groupby(rows["network"].astype(str), sort=False)
        yield Case(words, norms.nunique() == norms.size(), 1, 1)


def isometry(results):
    """The weight factor of square layers."""
    layers = deepest_layers(results, "log10_weight_factor", filters=[("layer", ">", 1)])
    layers = layers[layers["layer"] < layers["depth"]]
    for words, _, rows in draw_groups(layers, "activation", "init"):
        yield Case(words, rows["log10_weight_factor"], **near(0, 1e-12))  # rounding of float64, 128 terms


def half_on(results):
    """Units of hidden layers that are on. 32 draws of 100 layers of 128 units know their share to ±0.003."""
    layers = deepest_layers(results, "slope_mean")
    layers = layers[layers["layer"] < layers["depth"]]
    for words, _, rows in draw_groups(layers, "init"):
        yield Case(words, per_draw(rows, "slope_mean"), **near(0.5, 0.012))


SLOPE = "median of slope_per_layer over draws, deepest networks (decades)"
CLAIMS = (
    Claim(
        "theory",
        "Every pair of activation and initialisation has the slope that theory predicts.",
        "median over draws of slope_per_layer minus predicted_slope_per_layer, deepest networks (decades)",
        median,
        against_theory,
        scope=("cost == 'linear'", "batch == 1", *AS_IT_IS),
    ),
    Claim(
        "he_for_relu",
        "He's initialisations hold the gradient of a ReLU network.",
        SLOPE,
        median,
        slopes(-0.015, 0.015),
        scope=scope_of(("relu",), HE),
    ),
    Claim(
        "unit_not_for_relu",
        "σ_w = 1 (Xavier, LeCun, orthogonal) does not: ReLU loses 0.15 decades a layer.",
        SLOPE,
        median,
        slopes(-0.165, -0.14),
        scope=scope_of(("relu",), UNIT),
    ),
    Claim(
        "unit_for_tanh_and_linear",
        "σ_w = 1 holds the gradient of tanh and linear networks.",
        SLOPE,
        median,
        slopes(-0.02, 0.02),
        scope=scope_of(("tanh", "linear"), UNIT),
    ),
    Claim(
        "he_not_for_tanh_and_linear",
        "He's make it grow in tanh and linear networks.",
        SLOPE,
        median,
        slopes(at_least=0.005),
        scope=scope_of(("tanh", "linear"), HE),
    ),
    Claim(
        "none_for_sigmoid",
        "None of the ten holds a sigmoid network's gradient: each loses what theory says, 0.49 decades or more.",
        SLOPE,
        median,
        about_infinite_width,
        scope=scope_of(("sigmoid",), (*HE, *UNIT, *DEFAULT)),
    ),
    Claim(
        "default_for_none",
        "A framework's default, ±1/√fan_in, loses what theory says with any activation, 0.23 decades a layer or more.",
        SLOPE,
        median,
        about_infinite_width,
        scope=scope_of(("relu", "sigmoid", "tanh", "linear"), DEFAULT),
    ),
    Claim(
        "norms_of_weights",
        "Each initialisation has the weights that its formula says, to 1 in 1000.",
        "median over draws of the mean of log10 ‖W‖ over hidden layers, minus ½ log10 n·σ_w² (decades)",
        median,
        norms_of_weights,
        scope=(f"init in {list(SIGMA_W)}", *AS_IT_IS),
    ),
    Claim(
        "weights_of_their_own",
        "No two layers of a network have the same weights.",
        "whether the norms of the weights of all hidden layers differ",
        every,
        all_differ,
        scope=("family != 'orthogonal'", "width > 1", "depth > 3", "status == 'ok'"),
    ),
    Claim(
        "isometry",
        "Orthogonal weights keep a linear network's gradient at every layer, to the last digits.",
        "log10 of the weight factor of every hidden layer",
        every,
        isometry,
        scope=(
            "activation == 'linear'",
            "init == 'orthogonal'",
            "weight_scale == 1",
            "dtype == 'float64'",
            "depth > 2",
        ),
    ),
    Claim(
        "half_on",
        "Half of the units of a ReLU network are on, whatever the initialisation.",
        "median over draws of the mean of slope_mean over hidden layers",
        median,
        half_on,
        scope=("activation == 'relu'", "bias_scale == 0", "batch == 1", *AS_IT_IS),
    ),
)
