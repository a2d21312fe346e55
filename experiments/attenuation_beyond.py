"""Which activation costs a gradient how much, at σ_w = 1.

The ledger is the same for all activations: at σ_w = 1 the weights cost nothing, so the activation accounts for the
whole loss. GELU and SiLU shrink the signal until they work near 0, where their slope is ½; ReLU's root mean square
slope is √½.
"""

from math import log10

from harness.networks.spec import activation_labelled
from harness.study.claims import Case, Claim, every, median, near
from harness.study.selection import deepest, deepest_layers, draw_groups, per_draw

SENTENCE = (
    "At σ_w = 1 sigmoid costs a gradient most of all activations, and smooth rectifiers cost it more than ReLU does."
)
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


ROUNDING = {"float64": 1e-12, "float32": 1e-5}  # of a norm, in decades
UNIT = (
    "0.9999 < sigma_w < 1.0001",
    "bias_scale == 0",
    "width >= 100",
    "depth >= 32",
    "cost == 'linear'",
    "batch == 1",
    "inputs in ['gaussian', 'digits']",
    "alive",
)


def ranking(results):
    """Slope of the second minus slope of the first, over the same draws, where the sweep has both."""
    for words, _, rows in draw_groups(deepest(results.networks), "init", "depth", across=("activation",)):
        slopes = rows.pivot(index="replicate", columns="activation", values="slope_per_layer")
        for first, second, by in RANKING:
            if {first, second} <= set(slopes):
                yield Case(f"{second} − {first}, {words}", slopes[second] - slopes[first], at_least=by)


def against_theory(results):
    """Tolerance: 64 draws know a median slope to ±0.006 decades at depth 64; leading order leaves out 0.002."""
    for words, _, rows in draw_groups(deepest(results.networks), "activation"):
        yield Case(words, rows["slope_per_layer"] - rows["predicted_slope_per_layer"], **near(0, 0.012))


def bounded(results):
    """The activation factor of every layer that has the activation."""
    layers = results.read("log10_activation_factor")
    layers = layers[(layers["layer"] < layers["depth"]) | (layers["output"] == "activation")]
    for words, (label,), rows in draw_groups(layers, "activation"):
        bound = log10(activation_labelled(label).slope_bound)
        yield Case(words, rows["log10_activation_factor"], at_most=bound + ROUNDING[results.sweep.dtype])


def weights_pay_nothing(results):
    """The layers between the first, whose inputs may be of another width, and the output."""
    layers = deepest_layers(results, "log10_weight_factor", filters=[("layer", ">", 1)])
    for words, _, rows in draw_groups(layers, "activation"):
        yield Case(words, per_draw(rows, "log10_weight_factor"), **near(0, 0.012))


CLAIMS = (
    Claim(
        "ranking",
        "sigmoid costs most, then SiLU and GELU, softplus, ReLU and leaky ReLU; ELU and tanh little; SELU gains.",
        "median over draws of the difference of slope_per_layer, deepest networks (decades)",
        median,
        ranking,
        scope=UNIT,
    ),
    Claim(
        "theory",
        "Every activation has the slope that theory predicts.",
        "median over draws of slope_per_layer minus predicted_slope_per_layer, deepest networks (decades)",
        median,
        against_theory,
        scope=UNIT,
    ),
    Claim(
        "bounds",
        "No activation leaves more of a gradient than its largest slope.",
        "log10 of the activation factor of every layer",
        every,
        bounded,
        scope=("alive", "status == 'ok'"),
        by_construction=True,
    ),
    Claim(
        "weights_pay_nothing",
        "At σ_w = 1 the weights cost nothing: the ranking is the activations' own.",
        "median over draws of the mean weight factor, deepest networks (decades)",
        median,
        weights_pay_nothing,
        scope=UNIT,
    ),
)
