"""What Step and y(1−y) cost a gradient, layer by layer.

The ledger assigns each decade to the activation (Step or y(1−y)) or to the weights. The output layer under the squared
cost differs: ŷ − y is larger where the unit is on, so Step stops less than half of it there, and a few hidden layers
below inherit some of that. Statements about Step's factor are therefore about the lower half of a network.
"""

from math import log10, sqrt

import numpy as np

from harness.study.claims import Case, Claim, every, mean, near
from harness.study.selection import deepest, deepest_layers, draw_groups, per_draw

SENTENCE = (
    "y(1−y) costs a gradient at least a factor of 4 at every layer; what Step costs does not depend on the layer."
)
FIGURES = ("step_against_sigmoid", "gradient_profile", "attenuation_against_depth", "dead_units", "paired_comparison")
SWEEPS = {
    "depth": (
        "network.depth={from: 1, to: 256, steps: 9, spacing: log}",
        "data.batch=16",
        "replicates=32",
    )
}

DEEP = 128  # layers: enough of them that a network's mean factor is known to ±0.004 decades
HALF = log10(sqrt(1 / 2))  # what is left of a norm when Step stops half of its squares
ROUNDING = {"float64": 1e-12, "float32": 1e-5}  # of a norm, in decades
SIGMOID_SLOPE = -0.62699  # ½ log10 χ1 of sigmoid at σ_w = 1, σ_b = 0: harness.theory.mean_field


# Wide enough for the tolerances; standardised inputs, or the first layer may be saturated.
WIDE = ("width >= 100", "inputs in ['gaussian', 'digits']", "alive")
UNIT = "0.9999 < sigma_w < 1.0001"
LONG = (f"depth >= {DEEP}", *WIDE)

OUTPUT = (
    "activation == 'relu'",
    "cost == 'squared'",
    "targets == 'gaussian'",
    "output == 'activation'",
    "depth <= 2",
    "inputs == 'gaussian'",
    "width >= 100",
    "input_width >= 100",
    "output_width >= 100",
)


def with_activation(layers):
    """Without the output layers that are linear."""
    return layers[(layers["layer"] < layers["depth"]) | (layers["output"] == "activation")]


def bounded(at_most):
    """The activation factor of every layer that has the activation."""

    def cases(results):
        layers = results.read("log10_activation_factor")
        for words, _, rows in draw_groups(with_activation(layers), "init"):
            if len(rows):
                yield Case(words, rows["log10_activation_factor"], at_most=at_most + ROUNDING[results.sweep.dtype])

    return cases


def sigmoid_slope(results):
    """The deepest. The finite-width shift at width 128 is −0.0018 decades, a third of the tolerance."""
    for words, _, rows in draw_groups(deepest(results.networks), "init", "depth"):
        yield Case(words, rows["slope_per_layer"], **near(SIGMOID_SLOPE, 0.005))


def lower_half(results):
    """Factors in the lower halves of networks."""
    layers = results.read("log10_activation_factor")
    return layers[2 * layers["layer"] <= layers["depth"]]


def step_is_half(results):
    """At width 128 fluctuations take 0.0025 more; draws of 64 layers are known to ±0.007: twice that, and the shift."""
    for words, _, rows in draw_groups(lower_half(results), "init", "depth"):
        yield Case(words, per_draw(rows, "log10_activation_factor"), **near(HALF, 0.015))


def step_drifts(results):
    """First quarter of the layers minus the second."""
    for words, _, rows in draw_groups(lower_half(results), "init", "depth"):
        first = 4 * rows["layer"] <= rows["depth"]
        drift = [per_draw(part, "log10_activation_factor") for part in (rows[first], rows[~first])]
        yield Case(words, drift[0] - drift[1], **near(0, 0.025))


def output_layer(results):
    """z ~ N(0, q) passes (q + 1)/(q + 2) of ‖ŷ − y‖², y ~ N(0, 1), E ŷ² = q/2; to depth 2, where q varies."""
    layers = results.read("log10_activation_factor", "log10_rms_outputs")
    for words, _, rows in draw_groups(layers[layers["layer"] == layers["depth"]], "init", "depth"):
        q = 2 * 10 ** (2 * rows["log10_rms_outputs"])
        yield Case(words, rows["log10_activation_factor"] - np.log10((q + 1) / (q + 2)) / 2, **near(0, 0.02))


def telescopes(results):
    """Activation factors of layers 1 … L−1 and weight factors of 2 … L, less the attenuation."""
    layers = results.read("log10_activation_factor", "log10_weight_factor")
    activation = layers["log10_activation_factor"].where(layers["layer"] < layers["depth"], 0)
    weights = layers["log10_weight_factor"].where(layers["layer"] > 1, 0)
    total = (activation + weights).groupby(layers["network"].astype(str), sort=False).sum(min_count=1)
    gain = results.networks.set_index(results.networks["network"].astype(str))["log10_gradient_gain"]
    yield Case("all networks", total - gain.loc[total.index], **near(0, 1e-9))  # the rounding of 1000 sums in decades


def with_cost(results, *columns):
    """Columns of the output layers, and the cost of each network."""
    layers = results.read(*columns)
    cost = results.networks.set_index(results.networks["network"].astype(str))["log10_cost"]
    layers = layers[layers["layer"] == layers["depth"]]
    return layers.assign(log10_cost=cost.reindex(layers["network"].astype(str)).to_numpy())


def squared_cost(results):
    """C = ½‖ŷ − y‖²/batch is near ½n(E ŷ² + 1) for n outputs: y is independent of the weights, with E y² = 1."""
    for words, _, rows in draw_groups(with_cost(results, "log10_rms_outputs"), "activation", "init", "depth"):
        expected = np.log10((10 ** (2 * rows["log10_rms_outputs"]) + 1) / 2 * results.networks["output_width"].iloc[0])
        yield Case(words, rows["log10_cost"] - expected, **near(0, 0.03))


def start(results):
    """‖∂C/∂ŷ‖ = ‖ŷ − y‖/batch, so ‖∂C/∂ŷ‖² is near n(E ŷ² + 1)/batch."""
    batch, columns = results.sweep.data.batch, ("log10_rms_outputs", "log10_grad_outputs")
    for words, _, rows in draw_groups(with_cost(results, *columns), "activation", "init", "depth"):
        expected = np.log10(
            (10 ** (2 * rows["log10_rms_outputs"]) + 1) / batch * results.networks["output_width"].iloc[0]
        )
        yield Case(words, rows["log10_grad_outputs"] - expected / 2, **near(0, 0.015))


def sum_over_batch(results):
    """‖Σ δ_i‖² is near ‖δ‖²(1 + (batch − 1)·cosine), for samples of nearly the same length, at the output layer."""
    batch = results.sweep.data.batch
    columns = "log10_grad_biases", "log10_grad_preactivations", "delta_cosine"
    for words, _, rows in draw_groups(with_cost(results, *columns), "activation", "init", "depth"):
        share = np.log10(1 + (batch - 1) * rows["delta_cosine"]) / 2
        yield Case(words, rows["log10_grad_biases"] - rows["log10_grad_preactivations"] - share, **near(0, 0.02))


def shares(results):
    """(words, mean activation factor, mean weight factor, σ_w) of the hidden layers of the deepest networks.

    The first has inputs below it, which may be of another width, and is left out.
    """
    layers = deepest_layers(results, "log10_activation_factor", "log10_weight_factor", filters=[("layer", ">", 1)])
    layers = layers[layers["layer"] < layers["depth"]]
    for words, _, rows in draw_groups(layers, "activation", "init", "weight_scale"):
        factors = (per_draw(rows, f"log10_{name}_factor") for name in ("activation", "weight"))
        yield words, *factors, rows["sigma_w"].iloc[0]


def weights_share(results):
    """‖δ Wᵀ‖ ≈ σ_w‖δ‖ for square layers: at width 128, and with the layers near a squared cost, to 0.015 decades."""
    for words, _, weights, sigma_w in shares(results):
        yield Case(words, weights, **near(log10(sigma_w), 0.015))


def sigmoid_alone(results):
    """The activation's decades over the activation's and the weights', at σ_w = 1."""
    for words, rows, weights, _ in shares(results):
        yield Case(words, rows / (rows + weights), at_least=0.98)


CLAIMS = (
    Claim(
        "quarter",
        "y(1−y) leaves a gradient at most a quarter, at every layer.",
        "log10 of the activation factor of every layer",
        every,
        bounded(log10(1 / 4)),
        scope=("activation == 'sigmoid'", "alive"),
        by_construction=True,
    ),
    Claim(
        "step_never_amplifies",
        "Step leaves it at most whole, at every layer.",
        "log10 of the activation factor of every layer",
        every,
        bounded(0),
        scope=("activation == 'relu'", "alive"),
        by_construction=True,
    ),
    Claim(
        "sigmoid_slope",
        "At σ_w = 1 a sigmoid network's gradient loses 0.627 decades a layer.",
        "mean of slope_per_layer over draws, deepest networks (decades)",
        mean,
        sigmoid_slope,
        scope=("activation == 'sigmoid'", UNIT, "bias_scale == 0", *LONG),
    ),
    Claim(
        "step_is_half",
        "In hidden layers Step stops half of the squared gradient, in networks of every depth.",
        "mean over draws of the mean activation factor of the lower half of the layers (decades)",
        mean,
        step_is_half,
        scope=("activation == 'relu'", *LONG),
    ),
    Claim(
        "step_has_no_trend",
        "Step's factor is not a function of the layer either.",
        "mean over draws of the mean factor of the first quarter of the layers, minus the second's (decades)",
        mean,
        step_drifts,
        scope=("activation == 'relu'", *LONG),
    ),
    Claim(
        "output_layer_differs",
        "At the output layer, under the squared cost, Step passes (q+1)/(q+2): ŷ − y is larger where Step is 1.",
        "mean over draws of the output layer's activation factor minus ½ log10 (q+1)/(q+2), q = E z² (decades)",
        mean,
        output_layer,
        scope=OUTPUT,
    ),
    Claim(
        "ledger_balances",
        "The activation's and the weights' factors multiply to the attenuation, exactly.",
        "sum of the log10 factors minus the attenuation, every network (decades)",
        every,
        telescopes,
        scope=("alive", "status == 'ok'"),  # of the others a factor is 0/0, or not known
        by_construction=True,
    ),
    Claim(
        "cost",
        "The squared cost is what independent targets of unit variance make it, ½n(E ŷ² + 1).",
        "mean over draws of log10_cost minus log10 ½n(E ŷ² + 1) (decades)",
        mean,
        squared_cost,
        scope=("cost == 'squared'", "targets == 'gaussian'", "output_width >= 100", "depth <= 2", *WIDE),
    ),
    Claim(
        "start",
        "The gradient at the output is (ŷ − y)/batch.",
        "mean over draws of log10 ‖∂C/∂ŷ‖ minus ½ log10 n(E ŷ² + 1)/batch (decades)",
        mean,
        start,
        scope=("cost == 'squared'", "targets == 'gaussian'", "output_width >= 100", "depth <= 2", *WIDE),
    ),
    Claim(
        "biases_sum_the_batch",
        "A bias gradient is the sum over the batch: longer than one sample's, the more they agree.",
        "mean over draws of log10 ‖∂C/∂b‖/‖∂C/∂z‖ minus ½ log10 (1 + (batch − 1)·cosine) at the output (decades)",
        mean,
        sum_over_batch,
        scope=("cost == 'squared'", "batch > 1", "output_width >= 100", "depth <= 2", *WIDE),
    ),
    Claim(
        "weights_pay_sigma_w",
        "The weights' factor is σ_w: nothing at σ_w = 1, and under He they give back what Step takes.",
        "mean over draws of the mean weight factor of hidden layers, deepest networks (decades)",
        mean,
        weights_share,
        scope=LONG,
    ),
    Claim(
        "sigmoid_pays_alone",
        "At σ_w = 1 the decades that a sigmoid network loses are y(1−y)'s, nearly all of them.",
        "mean over draws of the activation's share of the decades, deepest networks",
        mean,
        sigmoid_alone,
        scope=("activation == 'sigmoid'", UNIT, *LONG),
    ),
)
