"""What helps a gradient, and whom: initialisations, normalisations and skips, beside each other.

Two beliefs about normalisation are put to the test for every activation at once: that batch normalisation alone holds
a gradient, and that layer normalisation cures a sigmoid. docs/remedies.md derives what theory says of each remedy.
"""

from harness.study.claims import Case, Claim, mean, near
from harness.study.selection import deepest, draw_groups

SENTENCE = (
    "A skip whose branch is scaled by 1/√depth keeps the gradient of every activation at any depth; no initialisation "
    "and no normalisation alone does."
)
FIGURES = ("remedies", "attenuation_against_depth")
SWEEPS = {"remedies": ("network.width=64", "network.depth=[11, 101]")}

KEPT = 3  # decades, within which a gradient counts as kept
AMPLIFIED = 0.005  # decades a layer: a third of what is predicted of a sigmoid in 100 layers, the least of the three
ABOUT = 0.04  # decades a layer, a tenth of a sigmoid's rate: 8 draws of 100 layers of 32 units know it to 0.03
DEEP = "depth > 100"
ALONE = "residual == 'none'"


KEYS = ("activation", "init", "normalisation", "residual", "depth")


def attenuations(results, **band):
    """The attenuation in decades, whose mean over the draws must lie in the band."""
    for words, _, rows in draw_groups(results.networks, *KEYS):
        yield Case(words, rows["log10_gradient_gain"], **band)


def kept(results):
    yield from attenuations(results, at_least=-KEPT, at_most=KEPT)


def lost(results):
    yield from attenuations(results, at_most=-KEPT)


def not_vanished(results):
    yield from attenuations(results, at_least=-KEPT)


def exploded(results):
    yield from attenuations(results, at_least=KEPT)


def amplified(results):
    """The decades that each layer adds, in the deepest networks."""
    for words, _, rows in draw_groups(deepest(results.networks), *KEYS):
        yield Case(words, rows["log10_gradient_gain"] / (rows["depth"] - 2), at_least=AMPLIFIED)


def as_predicted(results):
    for words, _, rows in draw_groups(deepest(results.networks), *KEYS):
        yield Case(words, rows["slope_per_layer"] - rows["predicted_slope_per_layer"], **near(0, ABOUT))


MEAN = "mean attenuation (decades)"
UNIT = "decades a layer"
CLAIMS = (
    Claim(
        "scaled_skips_keep",
        "A skip past a branch of factor 1/√depth keeps the gradient of every activation within three decades.",
        MEAN,
        mean,
        kept,
        scope=("residual.str.contains('depth_power')",),
    ),
    Claim(
        "normalised_skips_keep",
        "A skip past a branch with batch or layer normalisation keeps it, too.",
        MEAN,
        mean,
        kept,
        scope=("residual == 'pre'", "normalisation != 'none'"),
    ),
    Claim(
        "bare_skips_explode",
        "A skip past a branch of factor 1 alone lets the gradient of ReLU explode.",
        MEAN,
        mean,
        exploded,
        scope=("residual == 'pre'", "normalisation == 'none'", "activation == 'relu'", DEEP),
    ),
    Claim(
        "no_initialisation_keeps_sigmoids",
        "No initialisation keeps the gradient of a sigmoid.",
        MEAN,
        mean,
        lost,
        scope=(ALONE, "normalisation == 'none'", "activation == 'sigmoid'", DEEP),
    ),
    Claim(
        "batch_normalisation_keeps",
        "Batch normalisation keeps the gradient of a deep network, whatever its activation.",
        MEAN,
        mean,
        kept,
        scope=(ALONE, "normalisation == 'batch'", DEEP),
        often_said=True,
    ),
    Claim(
        "batch_normalisation_amplifies",
        "Batch normalisation makes the gradient of a deep network grow towards the input, for every activation.",
        f"mean of the attenuation, {UNIT}",
        mean,
        amplified,
        scope=(ALONE, "normalisation == 'batch'", DEEP),
    ),
    Claim(
        "layer_normalisation_cures_sigmoids",
        "Layer normalisation cures the vanishing gradient of a sigmoid.",
        MEAN,
        mean,
        kept,
        scope=(ALONE, "normalisation in ('layer', 'rms')", "activation == 'sigmoid'", DEEP),
        often_said=True,
    ),
    Claim(
        "length_normalisation_loses_sigmoids",
        "Layer and rms normalisation both lose the gradient of a sigmoid, at about the predicted 0.41 decades a layer.",
        f"mean difference from theory, {UNIT}",
        mean,
        as_predicted,
        scope=(ALONE, "normalisation in ('layer', 'rms')", "activation == 'sigmoid'", DEEP),
    ),
    Claim(
        "lsuv_as_predicted",
        "LSUV loses or amplifies a gradient as layer normalisation does, at about E phi'²/E phi² a layer.",
        f"mean difference from theory, {UNIT}",
        mean,
        as_predicted,
        scope=("init == 'lsuv'", DEEP),
    ),
    Claim(
        "standardised_as_predicted",
        "Standardised weights do so at about the predicted rates, alone and with layer normalisation.",
        f"mean difference from theory, {UNIT}",
        mean,
        as_predicted,
        scope=("weight_standardised", "normalisation in ('none', 'layer')", DEEP),
    ),
    Claim(
        "standardised_weights_save_sigmoids",
        "Layer normalisation with standardised weights lets no gradient of a sigmoid vanish.",
        MEAN,
        mean,
        not_vanished,
        scope=("weight_standardised", "normalisation == 'layer'", "activation == 'sigmoid'", DEEP),
    ),
    Claim(
        "empty_branches_keep",
        "A skip past a branch that starts at 0, as in ReZero and Fixup, keeps the gradient of every activation.",
        MEAN,
        mean,
        kept,
        scope=("residual in ('pre(alpha=0)', 'fixup')",),
    ),
)
