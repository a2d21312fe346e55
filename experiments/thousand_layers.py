"""From 1 to 10,000 layers a gradient goes down in a straight line, to 10^-6000; number formats give up long before.

Width 32: at 10,000 layers even He's ReLU loses 180 decades to its finite width alone.
"""

import numpy as np

from harness.claims import Case, Claim, groups, mean, near
from harness.tables import ZERO_UNDER

FIGURES = ("attenuation_against_depth", "gradient_profile", "slope_against_theory")
SWEEPS = {"thousand_layers": ("network.depth=[1, 100, 1000, 10000]", "replicates=12")}


def deepest(frame):
    return frame[frame["depth"] == frame["depth"].max()]


def straight(results):
    """Slope of the lower half of the layers minus that of the upper half. ReLU's halves are known to ±0.004 decades."""
    layers = deepest(results.layers)
    depth = int(layers["depth"].max())
    middle = depth // 2
    at = layers[layers["layer"].isin([1, middle, depth])]
    for words, _, own in groups(at, "activation", "init"):
        norm = own.pivot(index="replicate", columns="layer", values="log10_grad_preactivations")
        lower = (norm[1] - norm[middle]) / (middle - 1)
        upper = (norm[middle] - norm[depth]) / (depth - middle)
        yield Case(words, lower - upper, **near(0, 0.008))


def same_slope(results):
    """The slope at 1000 layers less that at 10,000: the same line, of which one is a part."""
    networks = results.networks
    longest = networks["depth"].max()
    for words, _, own in groups(networks[networks["depth"].isin([1000, longest])], "activation", "init"):
        slope = own.pivot(index="replicate", columns="depth", values="slope_per_layer")
        yield Case(words, slope[1000] - slope[longest], **near(0, 0.015))


def reach(results):
    networks = deepest(results.networks)
    own = networks[(networks["activation"] == "sigmoid") & np.isclose(networks["sigma_w"], 1)]
    for words, _, found in groups(own, "activation", "init", "depth"):
        yield Case(words, found["log10_gradient_gain"], at_most=-6000)


def against_theory(results):
    """Tolerance: 0.0025 for draws of 10,000 layers, and leading order at width 32 leaves out (κ/2n)², 0.003 decades."""
    for words, _, own in groups(deepest(results.networks), "activation", "init"):
        yield Case(words, own["slope_per_layer"] - own["predicted_slope_per_layer"], **near(0, 0.006))


def formats(results):
    """Layers that a format can read, times the slope, less the decades it has: where a line meets the floor.

    The line starts within a decade of 1 and wanders by 1.5 decades over the 500 layers of float64.
    """
    networks = deepest(results.networks)
    own = networks[networks["activation"] == "sigmoid"]
    for words, _, found in groups(own, "activation", "init"):
        for name, floor in ZERO_UNDER.items():
            readable = found["depth"] - found[f"zero_from_layer_{name}"].astype(float)
            gap = readable * found["slope_per_layer"] - floor
            yield Case(f"{words}, {name}", gap, **near(0, 2 + 0.02 * abs(floor)))


CLAIMS = (
    Claim(
        "straight_lines",
        "The gradient goes down in a straight line: near the input as near the output.",
        "mean over draws of the slope of the lower half of the layers minus that of the upper half (decades a layer)",
        mean,
        straight,
    ),
    Claim(
        "one_line_for_all_depths",
        "Networks of 1000 and of 10,000 layers have the same slope.",
        "mean over draws of the difference of slope_per_layer (decades)",
        mean,
        same_slope,
    ),
    Claim(
        "below_minus_6000",
        "10,000 layers of sigmoid at σ_w = 1 take a gradient below 10^-6000, and its size is known.",
        "mean attenuation over draws (decades)",
        mean,
        reach,
    ),
    Claim(
        "theory",
        "The slope is the one that theory predicts, its finite-width shift included.",
        "mean over draws of slope_per_layer minus predicted_slope_per_layer, deepest networks (decades)",
        mean,
        against_theory,
    ),
    Claim(
        "formats",
        "A format reads 0 where the line meets its smallest number: the slope says at which layer.",
        "mean over draws of (layers that can be read · slope − decades of the format)",
        mean,
        formats,
    ),
)
