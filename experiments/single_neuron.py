"""One neuron's gradient against the closed form.

C = ½(ŷ − y)², ŷ = phi(Wx). Every draw is a point (W, x, y). The closed form is computed here from the weight, the input
and the target that `results.build` gives; the gradient is the recorded one.
"""

from math import log10, pi, sqrt

import numpy as np
from scipy.special import erf, erfc, expit

from harness.study.claims import Case, Claim, every, near, proportion
from harness.study.selection import draw_groups

SENTENCE = (
    "One neuron's gradient is ∂C/∂W = (ŷ − y) · phi′(Wx) · x: Step makes it all or nothing, y(1−y) at most a quarter."
)
FIGURES = ("single_neuron",)
SWEEPS = {"single_neuron": (), "neurons": ()}

ROUNDING = 1e-7  # decades: ŷ − y cancels; one of 16,000 draws may come within 1e-8, and 8 of 16 digits are left

NEURON = (
    "depth == 1",
    "width == 1",
    "input_width == 1",
    "output_width == 1",
    "batch == 1",
    "bias_scale == 0",
    "output == 'activation'",
)
SCALE, ALPHA = 1.0507009873554804934, 1.6732632423543772848  # SELU's: Klambauer et al. 2017, eq. 14
# phi and phi′ once more, each in another form than the harness has it where there is one.
FORMULAS = {
    "relu": (lambda z: (z + np.abs(z)) / 2, lambda z: z > 0),
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),  # 1 − ŷ as expit(−z), which does not cancel
    "linear": (lambda z: z, np.ones_like),
    "tanh": (np.tanh, lambda z: np.cosh(z) ** -2),
    "erf": (erf, lambda z: 2 / sqrt(pi) * np.exp(-(z**2))),
    "hard_tanh": (lambda z: np.minimum(np.maximum(z, -1), 1), lambda z: z**2 < 1),
    "leaky_relu": (lambda z: np.maximum(z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(z)), lambda z: np.exp(np.minimum(z, 0))),
    "selu": (
        lambda z: SCALE * np.where(z > 0, z, ALPHA * np.expm1(z)),
        lambda z: SCALE * np.where(z > 0, 1, ALPHA * np.exp(z)),
    ),
    "gelu": (
        lambda z: z * erfc(-z / sqrt(2)) / 2,
        lambda z: erfc(-z / sqrt(2)) / 2 + z * np.exp(-(z**2) / 2) / sqrt(2 * pi),
    ),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
    "softplus": (lambda z: np.logaddexp(0, z), expit),
}
FORMULA = (*NEURON, f"activation in {list(FORMULAS)}", "cost == 'squared'", "dtype == 'float64'", "status == 'ok'")


def closed_form(neurons):
    """log10 |(ŷ − y) · phi′(z) · x| of each neuron, z = Wx; −∞ where phi′ is 0."""
    z = (neurons["W"] * neurons["x"]).to_numpy()
    names = neurons["activation"].astype(str).to_numpy()
    y_hat, slope = np.empty_like(z), np.empty_like(z)
    for name in np.unique(names):
        rows, (value, derivative) = names == name, FORMULAS[name]
        y_hat[rows], slope[rows] = value(z[rows]), derivative(z[rows])
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
    for words, _, rows in draw_groups(recorded(results), "activation", "weight_scale"):
        both_zero = (rows["log10_grad_weights"] == -np.inf) & (rows["expected"] == -np.inf)
        gap = rows["log10_grad_weights"].where(~both_zero, 0) - rows["expected"].where(~both_zero, 0)
        yield Case(words, gap, **near(0, ROUNDING))


def step(results):
    """Whether Step's factor is exactly 1 where Wx > 0 and the gradient exactly 0 elsewhere."""
    for words, _, rows in draw_groups(recorded(results), "weight_scale"):
        on = rows["W"] * rows["x"] > 0
        yield Case(
            words, np.where(on, rows["log10_activation_factor"] == 0, rows["log10_grad_weights"] == -np.inf), 1, 1
        )


def quarter(results):
    for words, _, rows in draw_groups(recorded(results), "weight_scale"):
        rounding = {"float64": 1e-15, "float32": 1e-6}[results.sweep.dtype]  # of log10, and of one product
        yield Case(words, rows["log10_activation_factor"], at_most=log10(1 / 4) + rounding)


def silent(results):
    """One weight scale only: scaling W changes no sign, so other scales are the same draws again."""
    relu = results.networks
    first = relu[relu["weight_scale"] == relu["weight_scale"].min()]
    for words, _, rows in draw_groups(first, "activation"):
        yield Case(words, rows["dead_from_layer"].notna(), **near(0.5, 0.07))  # 4000 draws: ±0.03, twice


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
        "closed_form_of_all",
        "So it is for each of the twelve activations, with its own phi and phi′.",
        "log10 |∂C/∂W| recorded, minus that of the closed form (decades)",
        every,
        difference,
        scope=FORMULA,
        sweep="neurons",
    ),
    Claim(
        "all_or_nothing",
        "Step passes a gradient whole where Wx > 0, and stops it where Wx < 0.",
        "whether a neuron does so",
        every,
        step,
        scope=("activation == 'relu'", *NEURON),
        by_construction=True,
    ),
    Claim(
        "quarter",
        "y(1−y) leaves at most a quarter of it.",
        "log10 of the activation factor (decades)",
        every,
        quarter,
        scope=("activation == 'sigmoid'", *NEURON, "status == 'ok'"),
        by_construction=True,
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
