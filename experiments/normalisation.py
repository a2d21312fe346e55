"""Two common beliefs about normalisation, against its predicted rates.

Batch normalisation is said to cure a vanishing gradient, and layer normalisation to do the same without a batch. Each
makes a layer independent of the scale of its weights. What is left is a factor that depends on the activation alone:
above 1 for batch normalisation, whatever the activation, and E phi'²/E phi² for the other two. docs/remedies.md
derives the rates.
"""

from harness.networks.spec import activation_labelled
from harness.study.claims import Case, Claim, mean, near
from harness.study.selection import draw_groups

SENTENCE = (
    "Batch normalisation makes gradients explode with depth, for every activation but a linear one in a large batch; "
    "layer normalisation leaves a sigmoid's gradient vanishing, at 0.41 decades a layer, whatever the weights."
)
FIGURES = ("gradient_profile",)
SWEEPS = {
    "normalisation": ("network.width=96", "network.depth=33", "replicates=100"),
    "normalisation_batches": ("network.depth=[65, 257]",),
}

ANY = "normalisation != 'none'"
BATCH = (ANY, "normalisation == 'batch'")
LENGTHS = (ANY, "normalisation in ('layer', 'rms')")
# Tolerance, in decades a layer: the law of ln ‖·‖² has corrections of about 3/width, 0.004 decades in layers of 128,
# and 100 draws of 32 layers, or 40 of 64, know their mean to 0.004 at an error rate of 1e-4 over 24 cases. The
# projection of batch normalisation along z_hat is worth 0.023 of ReLU's rate at a batch of 8.
TOLERANCE = 0.01


def rates(results):
    """The slope per layer of every network beside theory's, which is the same for all draws."""
    for words, _, rows in draw_groups(results.networks, "activation", "init", "normalisation", "depth"):
        difference = rows["slope_per_layer"] - rows["predicted_slope_per_layer"]
        yield Case(words, difference, **near(0, TOLERANCE))


def exploding(results):
    """The decades that a layer adds, for activations that are not linear."""
    for words, (activation, *_), rows in draw_groups(results.networks, "activation", "init", "depth"):
        if activation_labelled(activation).name != "linear":
            yield Case(words, rows["log10_gradient_gain"] / (rows["depth"] - 2), at_least=0.002)


def sigmoids(results):
    for words, _, rows in draw_groups(results.networks, "init", "normalisation", "depth"):
        yield Case(words, rows["slope_per_layer"], **near(-0.4079, 0.025))  # 0.01 of it at width 96 is finite width's


UNIT = "decades a layer"
CLAIMS = (
    Claim(
        "batch_explodes",
        "Batch normalisation makes gradients grow towards the input, for ReLU, tanh and sigmoid alike.",
        f"mean of the attenuation, {UNIT}",
        mean,
        exploding,
        sweep="normalisation_batches",
        scope=(*BATCH, "depth > 60"),
    ),
    Claim(
        "batch_rate",
        "It does so at the rate of its batch of 8, at any depth.",
        f"mean difference from theory, {UNIT}",
        mean,
        rates,
        sweep="normalisation_batches",
        scope=(*BATCH, "depth > 60"),
    ),
    Claim(
        "rates",
        "Layer, rms and batch normalisation change a gradient at the predicted rates, whatever the weights' scale.",
        f"mean difference from theory, {UNIT}",
        mean,
        rates,
        scope=(ANY,),
    ),
    Claim(
        "no_cure",
        "Layer and rms normalisation before a sigmoid leave its gradient vanishing, whatever the weights' scale.",
        f"mean slope, {UNIT}",
        mean,
        sigmoids,
        scope=(*LENGTHS, "activation == 'sigmoid'", "normalise == 'preactivations'"),
    ),
)
