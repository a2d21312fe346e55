"""One neuron's gradient is ∂C/∂W = (ŷ − y) · phi′(Wx) · x: Step makes it all or nothing, y(1−y) at most a quarter.

C = ½(ŷ − y)², ŷ = phi(Wx). Every draw is a point (W, x, y); the closed form is computed here from the weight, input and
target that `results.build` gives, the gradient is the recorded one.
"""

from math import log10

import numpy as np
from scipy.special import expit

from harness.claims import Case, Claim, every, near, proportion
from harness.selection import groups

FIGURES = ("single_neuron",)
SWEEPS = {"single_neuron": ()}

ROUNDING = 1e-7  # decades: ŷ − y cancels; one of 16,000 draws may come within 1e-8, and 8 of 16 digits are left

NEURON = ("depth == 1", "width == 1", "input_width == 1", "output_width == 1", "batch == 1", "bias_scale == 0",
          "output == 'activation'")  # fmt: skip
FORMULA = (*NEURON, "activation in ['relu', 'sigmoid']", "cost == 'squared'", "dtype == 'float64'", "status == 'ok'")


def closed_form(neurons):
    """log10 |(ŷ − y) · phi′(z) · x| of each neuron, z = Wx; −∞ where Step is 0."""
    z = (neurons["W"] * neurons["x"]).to_numpy()
    sigmoid = (neurons["activation"] == "sigmoid").to_numpy()
    y_hat = np.where(sigmoid, expit(z), np.maximum(z, 0))
    slope = np.where(sigmoid, expit(z) * expit(-z), z > 0)  # 1 − ŷ as expit(−z), which does not cancel
    with np.errstate(divide="ignore"):
        return np.log10(np.abs((y_hat - neurons["y"].to_numpy()) * slope * neurons["x"].to_numpy()))


def recorded(results):
    """The networks with W, x, y, the gradient that was recorded, and the closed form."""
    neurons, columns = results.neurons, ["log10_grad_weights", "log10_activation_factor"]
    layers = results.read(*columns)
    layers = layers.set_index(layers["network"].astype(str))
    found = layers.loc[neurons["network"].astype(str), columns].set_axis(neurons.index)
    return neurons.assign(expected=closed_form(neurons), **{name: found[name] for name in columns})


def difference(results):
    """Recorded minus closed form, in decades; 0 where both are −∞."""
    for words, _, own in groups(recorded(results), "activation", "weight_scale"):
        both_zero = (own["log10_grad_weights"] == -np.inf) & (own["expected"] == -np.inf)
        gap = own["log10_grad_weights"].where(~both_zero, 0) - own["expected"].where(~both_zero, 0)
        yield Case(words, gap, **near(0, ROUNDING))


def step(results):
    """Whether Step's factor is exactly 1 where Wx > 0 and the gradient exactly 0 elsewhere."""
    for words, _, own in groups(recorded(results), "weight_scale"):
        on = own["W"] * own["x"] > 0
        yield Case(words, np.where(on, own["log10_activation_factor"] == 0, own["log10_grad_weights"] == -np.inf), 1, 1)


def quarter(results):
    for words, _, own in groups(recorded(results), "weight_scale"):
        rounding = {"float64": 1e-15, "float32": 1e-6}[results.sweep.dtype]  # of log10, and of one product
        yield Case(words, own["log10_activation_factor"], at_most=log10(1 / 4) + rounding)


def silent(results):
    """One weight scale only: scaling W changes no sign, so other scales are the same draws again."""
    relu = results.networks
    first = relu[relu["weight_scale"] == relu["weight_scale"].min()]
    for words, _, own in groups(first, "activation"):
        yield Case(words, own["dead_from_layer"].notna(), **near(0.5, 0.07))  # 4000 draws: ±0.03, twice


CLAIMS = (
    Claim(
        "closed_form",
        "The gradient is (ŷ − y) · phi′(Wx) · x, for every W, x and y.",
        "log10 |∂C/∂W| recorded, minus that of the closed form (decades)",
        every,
        difference,
        scope=FORMULA,
    ),
    Claim(
        "all_or_nothing",
        "Step passes a gradient whole where Wx > 0, and stops it where Wx < 0.",
        "whether a neuron does so",
        every,
        step,
        scope=("activation == 'relu'", *NEURON),
    ),
    Claim(
        "quarter",
        "y(1−y) leaves at most a quarter of it.",
        "log10 of the activation factor (decades)",
        every,
        quarter,
        scope=("activation == 'sigmoid'", *NEURON, "status == 'ok'"),
    ),
    Claim(
        "half_learn_nothing",
        "Half of the ReLU neurons learn nothing from their one sample.",
        "share of neurons with Wx ≤ 0",
        proportion,
        silent,
        scope=("activation == 'relu'", *NEURON, "inputs == 'gaussian'"),
    ),
)
