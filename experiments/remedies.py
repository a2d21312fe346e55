"""What helps a gradient, and whom: initialisations, normalisations and skips, beside each other.

Two beliefs about normalisation are put to the test for every activation at once: that batch normalisation alone holds
a gradient, and that layer normalisation cures a sigmoid. docs/remedies.md derives what theory says of each remedy.
"""

from harness.study.claims import Case, Claim, mean
from harness.study.selection import draw_groups

SENTENCE = (
    "A skip whose branch is scaled by 1/√depth keeps the gradient of every activation at any depth; no initialisation "
    "and no normalisation alone does."
)
FIGURES = ("remedies", "attenuation_against_depth")
SWEEPS = {"remedies": ("network.width=64", "network.depth=[11, 101]")}

KEPT = 3  # decades, within which a gradient counts as kept
DEEP = "depth > 100"
ALONE = "residual == 'none'"


def attenuations(results, **band):
    """The attenuation in decades, whose mean over the draws must lie in the band."""
    keys = ("activation", "init", "normalisation", "residual", "depth")
    for words, _, rows in draw_groups(results.networks, *keys):
        yield Case(words, rows["log10_gradient_gain"], **band)


def kept(results):
    yield from attenuations(results, at_least=-KEPT, at_most=KEPT)


def lost(results):
    yield from attenuations(results, at_most=-KEPT)


def exploded(results):
    yield from attenuations(results, at_least=KEPT)


MEAN = "mean attenuation (decades)"
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
        "layer_normalisation_cures_sigmoids",
        "Layer normalisation cures the vanishing gradient of a sigmoid.",
        MEAN,
        mean,
        kept,
        scope=(ALONE, "normalisation in ('layer', 'rms')", "activation == 'sigmoid'", DEEP),
        often_said=True,
    ),
)
