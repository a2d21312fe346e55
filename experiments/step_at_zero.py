"""Where the choice of Step(0) shows.

Above a layer that is silent for its sample, with zero biases, z is exactly 0. Only there does Step(0) matter.
"""

from math import log10

import numpy as np

from harness.networks.coordinates import NAMES
from harness.study.claims import Case, Claim, every

SENTENCE = (
    "Whether Step(0) is 0, ½ or 1 changes no weight gradient; it shows in bias gradients above a wholly dead layer."
)
FIGURES = ("step_at_zero",)
SWEEPS = {"step_at_zero": ()}

CHOICES = {0: "relu(at_zero=0)", 0.5: "relu(at_zero=0.5)", 1: "relu"}
OTHERS = [name for name in NAMES if name != "activation"] + ["replicate", "layer"]
STEP = "activation in ['relu', 'relu(at_zero=0)', 'relu(at_zero=0.5)']"
# Zero biases, or z is not 0 above; an output layer that has a Step; a gradient that does not start at 0.
ABOVE = (STEP, "bias_scale == 0", "output == 'activation'", "targets != 'zeros'")


def layers_of(results, at_zero, column):
    """A column of one choice's layers by coordinates, and `dead_from`, from where nothing passes: NaN for never."""
    layers = results.read(column, filters=[("activation", "==", CHOICES[at_zero])])
    networks = results.networks.set_index(results.networks["network"].astype(str))
    dead_from = networks["dead_from_layer"].astype(float).reindex(layers["network"].astype(str)).to_numpy()
    return layers.assign(dead_from=dead_from).set_index(OTHERS).sort_index()


def above_dead(results, at_zero, column):
    """Layers above a wholly dead one, where every z is 0."""
    layers = layers_of(results, at_zero, column)
    return layers[layers.index.get_level_values("layer") > layers["dead_from"]]


def weight_gradients(results):
    """Differences from Step(0) = 1 at every layer of the living, in decades."""
    every_one = layers_of(results, 1, "log10_grad_weights")
    one = every_one[every_one["dead_from"].isna()]
    for at_zero in (0, 0.5):
        every_other = layers_of(results, at_zero, "log10_grad_weights")
        other = every_other[every_other["dead_from"].isna()]
        if every_one.empty or every_other.empty:
            continue
        where = f"Step(0) = {at_zero:g} and 1, alive"
        if not one.index.equals(other.index):
            yield Case(where, [np.nan], note="other networks live")
        elif len(one):
            yield Case(where, other["log10_grad_weights"] - one["log10_grad_weights"], 0, 0)


def nothing_learnt(results):
    for at_zero in CHOICES:
        dead = layers_of(results, at_zero, "log10_grad_weights")
        dead = dead[dead["dead_from"].notna()]
        if len(dead):
            yield Case(f"Step(0) = {at_zero:g}, dead", dead["log10_grad_weights"] == -np.inf, 1, 1)


def bias_gradients(results):
    """Above the dead layer: 0 under Step(0) = 0, not 0 under the others."""
    for at_zero in CHOICES:
        above = above_dead(results, at_zero, "log10_grad_biases")
        if len(above):
            yield Case(f"Step(0) = {at_zero:g}", (above["log10_grad_biases"] > -np.inf) == (at_zero > 0), 1, 1)


def halved(results):
    """Under ½ a bias gradient is (½)^m of that under 1, m the number of layers from there to the output."""
    half, one = (above_dead(results, at_zero, "log10_grad_biases") for at_zero in (0.5, 1))
    if half.empty or one.empty:
        return
    if not half.index.equals(one.index):
        yield Case("Step(0) = ½ and 1", [np.nan], note="other networks are dead")
    else:
        coordinates = half.index.to_frame()
        layers = coordinates["depth"] - coordinates["layer"] + 1
        gap = half["log10_grad_biases"] - one["log10_grad_biases"] - layers * log10(1 / 2)
        yield Case("Step(0) = ½ and 1", gap, -1e-9, 1e-9)  # rounding: powers of two are exact, log10 is not


def naive_count(results):
    """Where every slope is Step(0), 1 − slope_mean would call all units dead for 0, half for ½, none for 1."""
    for at_zero in CHOICES:
        above = above_dead(results, at_zero, "slope_mean")
        if len(above):
            yield Case(f"Step(0) = {at_zero:g}", above["slope_mean"], at_zero, at_zero)


def dead_count(results):
    for at_zero in CHOICES:
        above = above_dead(results, at_zero, "dead_fraction")
        if len(above):
            yield Case(f"Step(0) = {at_zero:g}", above["dead_fraction"], 1, 1)


CLAIMS = (
    Claim(
        "weight_gradients",
        "In a network that lives, Step(0) = 0, ½ and 1 give the same weight gradients, to the last bit.",
        "difference of log10 ‖∂C/∂W‖ at every layer (decades)",
        every,
        weight_gradients,
        scope=(STEP,),
        by_construction=True,
    ),
    Claim(
        "nothing_learnt",
        "In a dead one, with zero biases, every weight gradient is exactly 0, whatever Step(0) is.",
        "whether ‖∂C/∂W‖ is 0, at every layer",
        every,
        nothing_learnt,
        scope=(STEP, "bias_scale == 0"),
        by_construction=True,
    ),
    Claim(
        "bias_gradients",
        "Above a wholly dead layer, bias gradients are 0 under Step(0) = 0, and not under ½ or 1.",
        "whether that is so, at every layer above",
        every,
        bias_gradients,
        scope=ABOVE,
        by_construction=True,
    ),
    Claim(
        "halved",
        "Under Step(0) = ½ each of those layers halves them.",
        "log10 ‖∂C/∂b‖ under ½, minus that under 1, minus m·log10 ½ (decades)",
        every,
        halved,
        scope=ABOVE,
        by_construction=True,
    ),
    Claim(
        "naive_count",
        "Counted by their slopes, the units above it are all dead under Step(0) = 0, and all alive under 1.",
        "mean slope, at every layer above",
        every,
        naive_count,
        scope=ABOVE,
        by_construction=True,
    ),
    Claim(
        "dead_count",
        "Counted by z ≤ 0, they are dead under each.",
        "dead_fraction, at every layer above",
        every,
        dead_count,
        scope=ABOVE,
        by_construction=True,
    ),
)
