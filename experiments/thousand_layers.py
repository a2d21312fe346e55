"""From 1 to 10,000 layers a gradient goes down in a straight line, to 10^-6000; number formats give up long before.

Width 32: at 10,000 layers even He's ReLU loses 180 decades to its finite width alone.
"""

from harness.claims import Case, Claim, mean, near
from harness.selection import deepest, deepest_layers, groups
from harness.tables import ZERO_UNDER

FIGURES = ("attenuation_against_depth", "gradient_profile", "slope_against_theory")
SWEEPS = {"thousand_layers": ("network.depth=[1, 100, 1000, 10000]", "replicates=12")}


# A critical tanh, whose gradient follows a power law, has no straight line.
STRAIGHT = ("activation in ['relu', 'sigmoid']", "bias_scale == 0", "width >= 32", "depth >= 1000",
            "inputs in ['gaussian', 'digits']", "alive")  # fmt: skip


def straight(results):
    """Slope of the lower half of the layers minus that of the upper half. ReLU's halves are known to ±0.004 decades."""
    depth = int(results.networks["depth"].max())
    middle = depth // 2
    at = deepest_layers(results, "log10_grad_preactivations", filters=[("layer", "in", [1, middle, depth])])
    for words, _, own in groups(at, "activation", "init"):
        norm = own.pivot(index="replicate", columns="layer", values="log10_grad_preactivations")
        lower = (norm[1] - norm[middle]) / (middle - 1)
        upper = (norm[middle] - norm[depth]) / (depth - middle)
        yield Case(words, lower - upper, **near(0, 0.008))


def same_slope(results):
    """The slope at 1000 layers less that at 10,000: the same line, of which one is a part."""
    networks = results.networks
    shortest, longest = networks["depth"].min(), networks["depth"].max()
    ends = networks[networks["depth"].isin([shortest, longest])]
    for words, _, own in groups(ends, "activation", "init", across=("depth",)):
        slope = own.pivot(index="replicate", columns="depth", values="slope_per_layer")
        if shortest < longest:
            yield Case(words, slope[shortest] - slope[longest], **near(0, 0.015))


def reach(results):
    for words, _, found in groups(deepest(results.networks), "activation", "init", "depth"):
        yield Case(words, found["log10_gradient_gain"], at_most=-6000)


def against_theory(results):
    """Tolerance: 0.0025 for draws of 10,000 layers, and leading order at width 32 leaves out (κ/2n)², 0.003 decades."""
    for words, _, own in groups(deepest(results.networks), "activation", "init"):
        yield Case(words, own["slope_per_layer"] - own["predicted_slope_per_layer"], **near(0, 0.006))


def formats(results):
    """Layers that a format can read, times the slope, less the decades it has: where a line meets the floor.

    The line starts within a decade of 1 and wanders by 1.5 decades over the 500 layers of float64.
    """
    for words, _, found in groups(deepest(results.networks), "activation", "init"):
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
        "10,000 layers of sigmoid at σ_w = 1 take a gradient below 10^-6000, and its size is known.",
        "mean attenuation over draws (decades)",
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
)
