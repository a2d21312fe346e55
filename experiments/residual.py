"""What skips make of a gradient, against its predicted factor of 1 + alpha²·sigma_w²·p a block.

A block hands on the gradient of its skip and that of its branch, which are nearly at right angles, so their squares
add: with He weights and ReLU in the branch, 1 + alpha² a block. With alpha = 1/√depth the product stays below e at any
depth. Beside batch normalisation the branch is divided by the length of the trunk, which grows: the gradient then
grows as a power of the depth only. docs/remedies.md derives both.
"""

import numpy as np

from harness.study.claims import Case, Claim, every, mean, near
from harness.study.selection import draw_groups

SENTENCE = (
    "Each residual block multiplies a squared gradient by 1 + alpha²: it explodes at alpha = 1, stays below a factor e "
    "at any depth at alpha = 1/√depth, and grows as a power of the depth beside batch normalisation."
)
FIGURES = ("attenuation_against_depth", "block_shares")
SWEEPS = {
    "residual": ("network.width=64", "network.depth=[33, 129]", "replicates=48"),
    "residual_orders": ("network.width=64", "network.depth=33"),
    "residual_deep": ("network.width=32", "network.depth=[101, 1001]"),
}

SKIPS = "residual != 'none'"
PRE = (SKIPS, "residual.str.startswith('pre')")
PLAIN = (*PRE, "normalisation == 'none'")
# Tolerance, in decades a layer: branch and skip are at right angles but for the order 1/width, 0.003 decades, and 32
# draws of 32 layers know their mean to 0.006, 48 to 0.005, at an error rate of 1e-4 over 8 cases.
TOLERANCE = 0.01
# Decades of an attenuation: twice what 32 draws know of one that is a power of the depth, or 16 draws of one that a
# depth of 10,001 does not change.
ATTENUATION = 0.25


def rates(results):
    """The slope per layer beside theory's."""
    for words, _, rows in draw_groups(results.networks, "activation", "residual", "depth", "normalisation"):
        difference = rows["slope_per_layer"] - rows["predicted_slope_per_layer"]
        yield Case(words, difference, **near(0, TOLERANCE))


def totals(results):
    """The attenuation beside theory's, in decades."""
    for words, _, rows in draw_groups(results.networks, "activation", "residual", "depth", "normalisation"):
        predicted = rows["predicted_slope_per_layer"] * (rows["depth"] - 1)
        yield Case(words, rows["log10_gradient_gain"] - predicted, **near(0, ATTENUATION))


def bounded(results):
    """The attenuation in decades, below ½·log10 e and as much for the draw."""
    for words, _, rows in draw_groups(results.networks, "residual", "depth"):
        yield Case(words, rows["log10_gradient_gain"], at_least=0, at_most=0.5)


def identities(results):
    """Blocks of alpha = 0."""
    layers = results.read("log10_block_factor")
    blocks = layers[layers["log10_block_factor"].notna()]
    for words, _, rows in draw_groups(blocks.drop_duplicates(["network", "layer"]), "residual", "depth", "layer"):
        yield Case(words, rows["log10_block_factor"], 0, 0)


def feedback(results):
    """Decades a block by which `inside` exceeds 1 + alpha²."""
    for words, (_, depth), rows in draw_groups(results.networks, "residual", "depth"):
        yield Case(words, rows["log10_gradient_gain"] / (depth - 2) - np.log10(2) / 2, at_least=0.015)


UNIT = "decades a layer"
CLAIMS = (
    Claim(
        "rates",
        "A branch of factor alpha multiplies the squared gradient by the predicted factor at each block.",
        f"mean difference from theory, {UNIT}",
        mean,
        rates,
        scope=(*PLAIN, "log10_gradient_gain != 0"),
    ),
    Claim(
        "flat",
        "With alpha = 1/√depth the gradient grows by less than a factor √e at any depth.",
        "mean attenuation (decades)",
        mean,
        bounded,
        scope=(*PLAIN, "residual.str.contains('depth_power')"),
    ),
    Claim(
        "power_of_depth",
        "Beside batch normalisation, skips let the gradient grow as a power of the depth, at the predicted exponent.",
        "mean difference of the attenuation from theory (decades)",
        mean,
        totals,
        scope=(*PRE, "normalisation == 'batch'", "residual == 'pre'"),
    ),
    Claim(
        "flat_at_any_depth",
        "With alpha = 1/√depth 10,001 layers change a gradient as 101 do, by the predicted fraction of a decade.",
        "mean difference of the attenuation from theory (decades)",
        mean,
        totals,
        sweep="residual_deep",
        scope=(*PLAIN, "residual.str.contains('depth_power')"),
    ),
    Claim(
        "identity",
        "A block of alpha = 0 passes the gradient on unchanged.",
        "log10 of the block's factor",
        every,
        identities,
        scope=(*PLAIN, "residual == 'pre(alpha=0)'", "depth < 100"),
        by_construction=True,
    ),
    Claim(
        "inside_is_worse",
        "A skip past the activation multiplies it by more than 1 + alpha², since the branch's mean adds up.",
        f"mean excess over ½·log10 2, {UNIT}",
        mean,
        feedback,
        sweep="residual_orders",
        scope=(SKIPS, "residual == 'inside'", "activation == 'relu'"),
    ),
)
