"""Slopes differ between draws by the predicted spread, for eight activations and three kinds of weights.

`slope_residual` is the measured slope minus the predicted one, in predicted spreads: it is standard normal where theory
applies, near chaos too, where few units of a layer decide.
"""

from harness.study.claims import Case, Claim, distance_to_normal, mean, variance
from harness.study.selection import draw_groups

SENTENCE = "With one sample and the linear cost, slope_residual is standard normal for every activation tried."
FIGURES = ("slope_against_theory",)
SWEEPS = {"spread_over_draws": ("replicates=800",)}

DOMAIN = ("cost == 'linear'", "batch == 1", "depth >= 10", "depth <= 20", "alive", "predicted_spread > 0")


def residuals(low, high):
    """Of the networks that have a prediction."""

    def cases(results):
        for words, _, rows in draw_groups(results.networks, "activation", "init"):
            yield Case(words, rows["slope_residual"], low, high)

    return cases


# 800 draws know a mean to ±0.16, a variance to ±23 %, a distribution to ±0.09; what an expansion in 1/64 neglects is
# 0.07 of a mean, 5 % of a variance and 0.06 of a distribution at most.
CLAIMS = (
    Claim(
        "mean",
        "The mean slope per layer is the predicted one.",
        "mean of slope_residual over draws",
        mean,
        residuals(-0.4, 0.4),
        scope=DOMAIN,
    ),
    Claim(
        "variance",
        "The variance over draws is the predicted one.",
        "variance of slope_residual over draws",
        variance,
        residuals(0.6, 1.6),
        scope=DOMAIN,
    ),
    Claim(
        "normal",
        "The draws are normal with that mean and variance.",
        "largest distance of the distribution of slope_residual from N(0, 1)",
        distance_to_normal,
        residuals(0, 0.18),
        scope=DOMAIN,
    ),
)
