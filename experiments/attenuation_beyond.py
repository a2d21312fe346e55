"""At σ_w = 1 sigmoid costs a gradient most of all activations, and smooth rectifiers cost it more than ReLU does.

The ledger is the same for all: at σ_w = 1 the weights cost nothing, what is lost is the activation's. GELU and SiLU
shrink the signal until they meet their slope at 0, which is ½ where ReLU's root mean square slope is √½.
"""

from math import log10

from harness.activations import ACTIVATIONS
from harness.claims import Case, Claim, every, groups, mean, near, per_draw

FIGURES = ("slope_against_theory", "step_against_sigmoid", "gradient_profile", "attenuation_against_depth")
SWEEPS = {"attenuation_beyond": ("network.depth=[2, 16, 64]",)}

# From what costs most to what costs least: (activation, the next group's, by how many decades a layer at least).
RANKING = (
    ("sigmoid", "silu", 0.3),
    ("sigmoid", "gelu", 0.3),
    ("silu", "softplus", 0.01),
    ("gelu", "softplus", 0.01),
    ("softplus", "relu", 0.1),
    ("softplus", "leaky_relu", 0.1),
    ("relu", "elu", 0.1),
    ("leaky_relu", "elu", 0.1),
    ("relu", "tanh", 0.1),
    ("elu", "linear", 0.01),
    ("tanh", "linear", 0.01),
    ("linear", "selu", 0.005),
)


def deepest(results):
    return results.networks[results.networks["depth"] == results.networks["depth"].max()]


def ranking(results):
    """Slope of the second minus slope of the first, over the same draws."""
    slopes = deepest(results).pivot(index="replicate", columns="activation", values="slope_per_layer")
    for first, second, by in RANKING:
        yield Case(f"{second} − {first}", slopes[second] - slopes[first], at_least=by)


def against_theory(results):
    """Tolerance: 64 draws know a slope to ±0.004 decades at depth 64; leading order leaves out 0.002 at width 128."""
    for words, _, own in groups(deepest(results), "activation"):
        yield Case(words, own["slope_per_layer"] - own["predicted_slope_per_layer"], **near(0, 0.009))


def bounded(results):
    for words, (activation,), own in groups(results.layers, "activation"):
        bound = ACTIVATIONS[activation]().slope_bound
        yield Case(words, own["log10_activation_factor"], at_most=log10(bound) + 1e-12)  # the rounding of a norm


def weights_pay_nothing(results):
    layers = results.layers[results.layers["depth"] == results.layers["depth"].max()]
    for words, _, own in groups(layers[layers["layer"] > 1], "activation"):
        yield Case(words, per_draw(own, "log10_weight_factor"), **near(0, 0.012))


CLAIMS = (
    Claim(
        "ranking",
        "sigmoid costs most, then SiLU and GELU, softplus, ReLU and leaky ReLU; ELU and tanh little; SELU gains.",
        "mean over draws of the difference of slope_per_layer, deepest networks (decades)",
        mean,
        ranking,
    ),
    Claim(
        "theory",
        "Every activation has the slope that theory predicts.",
        "mean over draws of slope_per_layer minus predicted_slope_per_layer, deepest networks (decades)",
        mean,
        against_theory,
    ),
    Claim(
        "bounds",
        "No activation leaves more of a gradient than its largest slope.",
        "log10 of the activation factor of every layer",
        every,
        bounded,
    ),
    Claim(
        "weights_pay_nothing",
        "At σ_w = 1 the weights cost nothing: the ranking is the activations' own.",
        "mean over draws of the mean weight factor, deepest networks (decades)",
        mean,
        weights_pay_nothing,
    ),
)
