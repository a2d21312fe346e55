"""Networks of up to 10,000 layers.

At width 32 and 10,000 layers even ReLU under He's initialisation loses 180 decades, by its finite width alone.
"""

from math import log10

import numpy as np

from harness.study.claims import Case, Claim, every, mean, near
from harness.study.selection import deepest, deepest_layers, draw_groups

SENTENCE = (
    "From 1 to 10,000 layers a gradient goes down in a straight line, to 10^-6000; number formats give up long before."
)
FIGURES = ("attenuation_against_depth", "gradient_profile", "slope_against_theory")
SWEEPS = {"thousand_layers": ("network.depth=[1, 100, 1000, 10000]", "replicates=12")}


# log10 of half the smallest number above 0 of each format, 2^-24, 2^-133, 2^-149 and 2^-1074: less is read as 0.
FLOORS = {
    name: -bits * log10(2) for name, bits in (("float16", 25), ("bfloat16", 134), ("float32", 150), ("float64", 1075))
}
# A critical tanh, whose gradient follows a power law, has no straight line.
STRAIGHT = (
    "activation in ['relu', 'sigmoid']",
    "bias_scale == 0",
    "width >= 32",
    "depth >= 1000",
    "inputs in ['gaussian', 'digits']",
    "alive",
)


def straight(results):
    """Slope of the lower half of the layers minus that of the upper half. ReLU's halves are known to ±0.004 decades."""
    depth = int(results.networks["depth"].max())
    middle = depth // 2
    at = deepest_layers(results, "log10_grad_preactivations", filters=[("layer", "in", [1, middle, depth])])
    for words, _, rows in draw_groups(at, "activation", "init"):
        norm = rows.pivot(index="replicate", columns="layer", values="log10_grad_preactivations")
        lower = (norm[1] - norm[middle]) / (middle - 1)
        upper = (norm[middle] - norm[depth]) / (depth - middle)
        yield Case(words, lower - upper, **near(0, 0.008))


def same_slope(results):
    """The slope at 1000 layers less that at 10,000: the same line, of which one is a part."""
    networks = results.networks
    shortest, longest = networks["depth"].min(), networks["depth"].max()
    ends = networks[networks["depth"].isin([shortest, longest])]
    for words, _, rows in draw_groups(ends, "activation", "init", across=("depth",)):
        slope = rows.pivot(index="replicate", columns="depth", values="slope_per_layer")
        if shortest < longest:
            yield Case(words, slope[shortest] - slope[longest], **near(0, 0.015))


def reach(results):
    """Attenuation over theory's, which lies 250 decades and more below −6000: 0.63 decades a layer."""
    for words, _, found in draw_groups(deepest(results.networks), "activation", "init", "depth"):
        expected = found["predicted_slope_per_layer"] * (found["depth"] - 1)
        yield Case(
            words, found["log10_gradient_gain"] - expected, **near(0, 100), note=f"theory: {expected.mean():.0f}"
        )


def against_theory(results):
    """Tolerance: 0.0025 for draws of 10,000 layers, and leading order at width 32 leaves out (κ/2n)², 0.003 decades."""
    for words, _, rows in draw_groups(deepest(results.networks), "activation", "init"):
        yield Case(words, rows["slope_per_layer"] - rows["predicted_slope_per_layer"], **near(0, 0.006))


def formats(results):
    """Layers that a format can read, times the slope, less the decades it has: where a line meets the floor.

    The line starts within a decade of 1 and wanders by 1.5 decades over the 500 layers of float64.
    """
    for words, _, found in draw_groups(deepest(results.networks), "activation", "init"):
        for name, floor in FLOORS.items():
            readable = found["depth"] - found[f"zero_from_layer_{name}"].astype(float)
            gap = readable * found["slope_per_layer"] - floor
            yield Case(f"{words}, {name}", gap, **near(0, 2 + 0.02 * abs(floor)))


def first_zero(results):
    """The layer at which a format first reads 0, less the one found here from the largest entry of each layer."""
    layers = deepest_layers(results, "log10_max_grad_preactivations")
    networks = results.networks.set_index(results.networks["network"].astype(str))
    for words, _, rows in draw_groups(layers, "activation", "init"):
        for name, floor in FLOORS.items():
            largest = rows["log10_max_grad_preactivations"]
            under = rows["layer"].where(largest < floor, 0).where(largest.notna(), np.inf)  # a null must not agree
            highest = under.groupby(rows["network"].astype(str), sort=False).max()
            recorded = networks[f"zero_from_layer_{name}"].reindex(highest.index).astype(float).fillna(0)
            yield Case(f"{words}, {name}", recorded - highest, 0, 0)


CLAIMS = (
    Claim(
        "straight_lines",
        "The gradient goes down in a straight line: near the input as near the output.",
        "mean over draws of the slope of the lower half of the layers minus that of the upper half (decades a layer)",
        mean,
        straight,
        scope=STRAIGHT,
    ),
    Claim(
        "one_line_for_all_depths",
        "Networks of 1000 and of 10,000 layers have the same slope.",
        "mean over draws of the difference of slope_per_layer (decades)",
        mean,
        same_slope,
        scope=STRAIGHT,
    ),
    Claim(
        "below_minus_6000",
        "10,000 layers of sigmoid at σ_w = 1 take a gradient below 10^-6000, to the size that theory says.",
        "mean over draws of the attenuation minus the predicted one (decades)",
        mean,
        reach,
        scope=("activation == 'sigmoid'", "0.9999 < sigma_w < 1.0001", *STRAIGHT, "depth >= 10000"),
    ),
    Claim(
        "theory",
        "The slope is the one that theory predicts, its finite-width shift included.",
        "mean over draws of slope_per_layer minus predicted_slope_per_layer, deepest networks (decades)",
        mean,
        against_theory,
        scope=(*STRAIGHT, "cost == 'linear'", "batch == 1"),
    ),
    Claim(
        "formats",
        "A format reads 0 where the line meets its smallest number: the slope says at which layer.",
        "mean over draws of (layers that can be read · slope − decades of the format)",
        mean,
        formats,
        scope=("activation == 'sigmoid'", *STRAIGHT),
    ),
    Claim(
        "first_zero",
        "The first layer that a format reads as 0 is the first whose largest entry is under half its smallest number.",
        "zero_from_layer of each format minus that layer, every network",
        every,
        first_zero,
        scope=("alive", "status == 'ok'"),
        by_construction=True,
    ),
)
