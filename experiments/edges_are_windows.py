"""At a finite width the weight scales at which a saturating activation explodes are a window, closed in narrow layers.

In a wide layer a gradient explodes beyond the edge of chaos. In a narrow one few units are not saturated, and their
number varies: E ln of a layer's factor falls below the ln E of infinite width. `harness.theory.edge.typical_slope`
takes it from the exact law of a layer.
"""

from functools import cache
from math import sqrt

from harness.networks.spec import activation_labelled
from harness.study.claims import Case, Claim, mean
from harness.study.selection import draw_groups
from harness.theory.edge import edges_at_width, typical_slope
from harness.theory.finite_width import LN10, activation_law
from harness.theory.mean_field import chi_1, fixed_point

SENTENCE = (
    "Sigmoid has no edge in layers of 16 units, and a window of weight scales in wider ones: with weights large enough "
    "a gradient vanishes again, tanh's too."
)
FIGURES = ("edges_at_width",)
SMALL = ("network.weight_scale=[8, 17, 25, 100]", "network.width=[16, 32]", "replicates=400")
SWEEPS = {"edges_are_windows": SMALL}

# What theory is of; deep enough that the layers in which lengths settle count for little.
SATURATING = (
    "activation in ['sigmoid', 'tanh']",
    "bias_scale == 0",
    "family == 'normal'",
    "cost == 'linear'",
    "batch == 1",
    "depth >= 40",
    "alive",
)
MARGIN = 1.15  # of σ_w from an edge: at 41 layers of 32 units, 400 draws know a sigmoid's edge to about 8 %


@cache
def edges(activation, width):
    """The lower and the upper edge in σ_w, or nothing."""
    return tuple(edges_at_width(activation_labelled(activation), 0.0, width))


def slopes(results):
    """(words, activation, width, σ_w, rows) for each kind of network."""
    for words, (activation, width, _), rows in draw_groups(results.networks, "activation", "width", "weight_scale"):
        yield words, activation, width, rows["sigma_w"].iloc[0], rows


def closed(results):
    for words, activation, width, _, rows in slopes(results):
        if not edges(activation, width):
            yield Case(words, rows["slope_per_layer"], at_most=0)


def inside(results):
    for words, activation, width, sigma_w, rows in slopes(results):
        found = edges(activation, width)
        if found and found[0] * MARGIN < sigma_w < found[1] / MARGIN:
            yield Case(words, rows["slope_per_layer"], at_least=0)


def above(results):
    """Where infinite width says that gradients explode."""
    for words, activation, width, sigma_w, rows in slopes(results):
        phi, found = activation_labelled(activation), edges(activation, width)
        explodes = chi_1(phi, sigma_w, fixed_point(phi, sigma_w, 0.0)) > 1
        if found and sigma_w > found[1] * MARGIN and explodes:
            yield Case(words, rows["slope_per_layer"], at_most=0)


def from_theory(results):
    """Distances from the typical slope, in the spread over draws that the law of a layer gives."""
    for words, activation, width, sigma_w, rows in slopes(results):
        phi = activation_labelled(activation)
        law = activation_law(phi, fixed_point(phi, sigma_w, 0.0), width, sigma_w)
        spread = sqrt(law.variance / (rows["depth"].iloc[0] - 1)) / (2 * LN10)
        distances = (rows["slope_per_layer"] - typical_slope(phi, sigma_w, 0.0, width)) / spread
        yield Case(words, distances, -0.65, 0.65)


SLOPE = "mean over draws of slope_per_layer (decades)"
CLAIMS = (
    Claim(
        "closed_in_narrow_layers",
        "In sigmoid layers of 16 units a typical gradient vanishes at every weight scale.",
        SLOPE,
        mean,
        closed,
        scope=("activation == 'sigmoid'", "width <= 16", *SATURATING),
    ),
    Claim(
        "open_in_wider_ones",
        "Between the two edges that theory gives at a width, it grows towards the input.",
        SLOPE,
        mean,
        inside,
        scope=SATURATING,
    ),
    Claim(
        "vanishes_again",
        "Above the upper edge it vanishes again, where infinite width says that it explodes.",
        SLOPE,
        mean,
        above,
        scope=SATURATING,
    ),
    # A spread is 0.04 decades at the best σ_w of 32 units; 400 draws know a mean to ±0.28, and a fresh seed moves it.
    Claim(
        "as_the_law_of_a_layer_says",
        "At every weight scale the typical slope is that of the exact law of a layer.",
        "mean over draws of slope_per_layer minus the typical slope, in predicted spreads",
        mean,
        from_theory,
        scope=("sigma_w >= 8", *SATURATING),
    ),
)
