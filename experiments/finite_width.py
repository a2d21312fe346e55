"""The law of a ReLU gradient's norm at finite width: L factors of width n, one sample.

`harness.theory.finite_width` has the exact mean and variance of a layer. They hold where the gradient at the output is
independent of the weights, which is the linear cost. Under the squared cost r − y is correlated with the weights: the
gradient then grows more towards the input, by 1 + 2(L − 1)/3 in ‖∂C/∂z[1]‖² at infinite width.
"""

import numpy as np

from harness.study.claims import Case, Claim, distance_to_normal, mean, median, near, proportion, variance
from harness.study.selection import draw_groups
from harness.theory.finite_width import LN10, gaussian_relu

SENTENCE = (
    "At finite width log-norms of a ReLU gradient are normal, with mean −5L/2n and variance 5L/n; "
    "means of norms mislead."
)
FIGURES = ("finite_width",)
SMALL = "cases=[{width: 20, depth: [11, 21, 41]}, {width: 50, depth: [26, 51, 101]}]"
SWEEPS = {"finite_width": (SMALL,), "finite_width_squared": (SMALL,)}

# What the exact law is of, and enough layers of enough units for its sums to be near normal.
LAW = (
    "activation == 'relu'",
    "bias_scale == 0",
    "family == 'normal'",
    "batch == 1",
    "output_width == width",
    "width >= 20",
    "depth > 10",
)
LINEAR = (*LAW, "cost == 'linear'")
SQUARED = (
    *LAW,
    "cost == 'squared'",
    "targets == 'gaussian'",
    "inputs == 'gaussian'",
    "output == 'activation'",
    "1.41 < sigma_w < 1.42",
    "depth > width / 2",
)


def standardised(results):
    """(words, factors over width, draws of (ln gain² − L·mean)/√(L·variance), note) for every width and depth."""
    for words, (width, depth), rows in draw_groups(results.networks, "width", "depth"):
        alive = rows["dead_from_layer"].isna()
        law, factors = gaussian_relu(width, rows["sigma_w"].iloc[0]), depth - 1
        log_gain = 2 * LN10 * rows["log10_gradient_gain"][alive].to_numpy()
        note = f"{(~alive).sum()} dead draws have no logarithm, and are left out" if not alive.all() else ""
        yield words, factors / width, (log_gain - factors * law.mean) / np.sqrt(factors * law.variance), note


def draws(at_least=-np.inf, at_most=np.inf, deepest=2.0):
    """Every width and depth up to so many factors over width, with one band."""

    def cases(results):
        return [
            Case(words, values, at_least, at_most, note)
            for words, ratio, values, note in standardised(results)
            if ratio <= deepest
        ]

    return cases


def below_the_mean(results):
    """Whether a draw's squared gain is under the mean over all networks, which is (σ_w²/2)^L exactly."""
    for words, (_, depth), rows in draw_groups(results.networks, "width", "depth"):
        expected = (depth - 1) * np.log10(rows["sigma_w"] ** 2 / 2)
        gain = rows["log10_gradient_gain"].mask(rows["dead_from_layer"].notna(), -np.inf)
        yield Case(words, (2 * gain < expected).where(gain.notna()), at_least=0.88)


def medians(results):
    """The median of ln gain² in standard deviations from theory's: a dead draw is −∞, and counts."""
    for words, (width, depth), rows in draw_groups(results.networks, "width", "depth"):
        law, factors = gaussian_relu(width, rows["sigma_w"].iloc[0]), depth - 1
        gain = rows["log10_gradient_gain"].mask(rows["dead_from_layer"].notna(), -np.inf)
        yield Case(words, (2 * LN10 * gain - factors * law.mean) / np.sqrt(factors * law.variance), **near(0, 0.3))


UNIT = "ln gain², in predicted standard deviations of a draw from the predicted mean"
# Tolerances: 2000 draws know a mean to ±0.10 deviations, a variance to ±15 %, a distribution to ±0.06 (all at an error
# rate of 1e-4 over nine cases); a band is twice that, so that a fresh seed does not straddle its end.
CLAIMS = (
    Claim(
        "mean",
        "With the linear cost and one sample, the mean log-norm after L layers is the predicted one.",
        f"mean of {UNIT}",
        mean,
        draws(-0.2, 0.2),
        scope=LINEAR,
    ),
    Claim(
        "variance",
        "With the linear cost and one sample, so is its variance over draws.",
        f"variance of {UNIT}",
        variance,
        draws(0.7, 1.4),
        scope=LINEAR,
    ),
    Claim(
        "normal",
        "With the linear cost and one sample, log-norms are normal with that mean and variance.",
        f"largest distance of the distribution of {UNIT}, from N(0, 1)",
        distance_to_normal,
        draws(at_most=0.12),
        scope=LINEAR,
    ),
    Claim(
        "median_tells",
        "The median over draws is what theory says of a typical network.",
        f"median of {UNIT}",
        median,
        medians,
        scope=LINEAR,
    ),
    Claim(
        "mean_misleads",
        "The arithmetic mean does not: at L = 2n seven networks in eight or more have a gradient under the mean.",
        "share of draws whose squared gain is under its mean over all networks, (σ_w²/2)^L",
        proportion,
        below_the_mean,
        scope=(*LINEAR, "depth > 2 * width"),
    ),
    Claim(
        "squared_shifts",
        "Under the squared cost log-norms lie higher than predicted, by a tenth of a deviation to two, up to L = n.",
        f"mean of {UNIT}",
        mean,
        draws(0.1, 2.0, deepest=1.0),
        scope=SQUARED,
        sweep="finite_width_squared",
    ),
    Claim(
        "squared_not_normal",
        "Under the squared cost they are not normal with the predicted mean and variance: by a fifth or so at L = n/2.",
        f"largest distance of the distribution of {UNIT}, from N(0, 1)",
        distance_to_normal,
        draws(at_least=0.12, deepest=0.5),
        scope=SQUARED,
        sweep="finite_width_squared",
    ),
)
