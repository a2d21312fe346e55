"""Dead networks and silent units.

A network is dead where a whole layer is silent, and the probability of that is known exactly. A unit that is silent on
a batch is another matter: inputs align with depth, so half of the units of a healthy network are silent, by the orthant
probability alone.
"""

import numpy as np

from harness.study.claims import Case, Claim, median, near, proportion
from harness.study.selection import deepest, deepest_layers, draw_groups
from harness.theory.birth import born_dead, born_dead_both_signs, silent_on_batch

SENTENCE = (
    "Narrow ReLU networks are born dead, the more often the deeper they are; a silent unit is not a dying network."
)
FIGURES = ("silent_units", "dead_units", "attenuation_against_depth", "gradient_profile")
NARROW = ("network.depth=[2, 3, 6, 21]", "network.width=[1, 2, 3, 4]", "replicates=4000")
SWEEPS = {
    "dead_units": ("network.depth=[2, 10, 100]", "network.width=[4, 16, 256]", "replicates=48"),
    "born_dead": NARROW,
    "born_dead_signs": NARROW,
}

# A ReLU in every hidden layer, and none at the output, where it would count as one more.
BORN = ("activation == 'relu'", "output == 'linear'")
# Both rays are in the batch; the law of their angle is that of Gaussian weights.
SIGNS = (*BORN, "bias_scale == 0", "family == 'normal'", "input_width == 1", "inputs == 'both_signs.csv'", "batch == 2")
# 2^-128 a layer is never; inputs that are unlike, and enough of them that silence is no accident.
HEALTHY = ("activation == 'relu'", "bias_scale == 0", "width >= 128", "inputs == 'gaussian'", "input_width >= 32")


def dead_share(probability, tolerance):
    """Dead draws of every width and depth; depth − 1 hidden layers."""

    def cases(results):
        for words, (width, depth), rows in draw_groups(results.networks, "width", "depth"):
            yield Case(words, rows["dead_from_layer"].notna(), **near(probability(width, depth - 1), tolerance))

    return cases


def dead_at_first(results):
    """Draws whose first layer is silent: 2^−N, whatever lies above."""
    for words, (width, _), rows in draw_groups(results.networks[results.networks["depth"] > 1], "width", "depth"):
        yield Case(words, rows["dead_from_layer"] == 1, **near(2.0**-width, 0.07))


def healthy_slope(results):
    """About 0, He's edge. At width 128 and more the shift is −0.002, and the squared cost of a batch adds 0.01."""
    for words, _, rows in draw_groups(deepest(results.networks), "width", "depth"):
        yield Case(words, rows["slope_per_layer"], **near(0, 0.02))


def baseline(results):
    """Silent units less the orthant probability at the draw's own cosine, for layers from 5 to the last hidden one."""
    layers = deepest_layers(results, "output_cosine", "dead_fraction")
    layers = layers.assign(below=layers.groupby("network", observed=True, sort=False)["output_cosine"].shift(1))
    batch = results.sweep.data.batch
    for words, (_, depth), rows in draw_groups(layers, "width", "depth"):
        for layer in sorted({5, depth // 10, depth // 2, depth - 1} - set(range(5))):
            at = rows[rows["layer"] == layer]
            expected = at["below"].map(lambda c: silent_on_batch(c, batch) if np.isfinite(c) else np.nan)
            yield Case(f"{words}, layer {layer}", at["dead_fraction"] - expected, **near(0, 0.06))


def half(results):
    for words, (_, depth), rows in draw_groups(deepest_layers(results, "dead_fraction"), "width", "depth"):
        yield Case(f"{words}, layer {depth - 1}", rows[rows["layer"] == depth - 1]["dead_fraction"], 0.35, 0.55)


def few_at_first(results):
    """Every unit of the first layer, 1 where it is silent: given the inputs they are independent of each other."""
    layers = deepest_layers(results, "dead_fraction", filters=[("layer", "==", 1)])
    for words, (width, _), rows in draw_groups(layers, "width", "depth"):
        silent = (rows["dead_fraction"] * width).round().astype(int)
        units = [np.arange(width) < count for count in silent]
        yield Case(f"{words}, layer 1", np.concatenate(units), at_most=0.0015)


# Tolerance: 4000 draws know a share to ±0.04 (error rate 1e-4 over 16 cases), nearly twice that for fresh seeds.
CLAIMS = (
    Claim(
        "born_dead",
        "With one input, H hidden layers of N units are dead at birth with probability 1 − (1 − 2^−N)^H.",
        "share of dead draws",
        proportion,
        dead_share(born_dead, 0.07),
        scope=(*BORN, "inputs == 'gaussian'", "batch == 1"),
        sweep="born_dead",
    ),
    Claim(
        "dead_at_first",
        "In 2^−N of the draws it is the first layer that is silent, and the network is dead from there on.",
        "share of draws that are dead from layer 1",
        proportion,
        dead_at_first,
        scope=(*BORN, "inputs == 'gaussian'", "batch == 1"),
        sweep="born_dead",
    ),
    Claim(
        "born_dead_one_dimension",
        "With a one-dimensional input of both signs two rays must die: the exact sum over their deaths.",
        "share of dead draws",
        proportion,
        dead_share(born_dead_both_signs, 0.07),
        scope=SIGNS,
        sweep="born_dead_signs",
    ),
    Claim(
        "few_silent_at_first",
        "In the first layer, where inputs are unlike, hardly any unit is silent on the batch.",
        "share of the units of the first layer, of all draws, that are silent on the batch",
        proportion,
        few_at_first,
        scope=(*HEALTHY, "depth > 1", "batch >= 16"),
    ),
    Claim(
        "half_silent_at_last",
        "A hundred layers up, nearly half of them are.",
        "median over draws of dead_fraction",
        median,
        half,
        scope=(*HEALTHY, "depth >= 100", "8 <= batch <= 64"),
    ),
    Claim(
        "as_by_chance",
        "They are as many as the inputs' cosine alone makes silent, the orthant probability: nothing has died.",
        "median over draws of dead_fraction minus the orthant probability at the draw's cosine",
        median,
        baseline,
        scope=(*HEALTHY, "depth > 5", "batch > 1"),
    ),
    Claim(
        "silent_is_not_dying",
        "The gradient of these networks neither vanishes nor explodes: its slope is 0 to 0.02 decades a layer.",
        "median of slope_per_layer over draws (decades)",
        median,
        healthy_slope,
        scope=(*HEALTHY, "1.41 < sigma_w < 1.42", "depth <= width"),
    ),
)
