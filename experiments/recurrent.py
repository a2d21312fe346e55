"""With tied weights, as in an unrolled recurrent network, the spectral radius of the one matrix sets the slope.

Tied and untied networks have the same draws: the tied one repeats W[1] where the untied one goes on to W[2], W[3], …
Sources: Hochreiter 1991; Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013.
"""

import numpy as np

from harness.networks.spec import activation_of
from harness.study.claims import Case, Claim, every, mean, variance
from harness.study.selection import deepest

SENTENCE = "Tied weights multiply a gradient by their spectral radius at every layer; theory of untied ones is wrong."
FIGURES = ("slope_against_theory",)
SWEEPS = {"recurrent": ("network.depth=501", "replicates=64")}

SETTLED = "activation in ['linear', 'tanh', 'sigmoid']"  # states come to rest; those of ReLU go on changing
ONE_SAMPLE = ("cost == 'linear'", "batch == 1", "bias_scale == 0", "alive")
# In 500 layers the radius counts 500 times, and the direction of the start once: its component along the leading
# eigenvector is below 10^-5 in one draw of 10^6. The powers of radii have a standard deviation of 9 decades over draws,
# and those of untied theory are 14 decades off.
START = {"at_least": -6.0, "at_most": 3.0}


def radius_of(network):
    """Spectral radius of the Jacobian of a layer, W[1]·phi'(z), in the state of the last hidden layer."""
    activation = activation_of(network.spec.activation)
    r = network.inputs
    for W, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        z = r @ W + b
        r = activation.value(z)
    return np.abs(np.linalg.eigvals(network.weights[1] * activation.slope(z))).max()


def log10_radii(results, networks):
    return np.array([np.log10(radius_of(results.build(key))) for key in networks["network"]])


def of_activations(networks):
    return networks.groupby("activation", observed=True, sort=False)


def beyond_the_radius(results):
    for activation, networks in of_activations(deepest(results.networks)):
        predicted = (networks["depth"] - 2) * log10_radii(results, networks)
        yield Case(activation, networks["log10_gradient_gain"] - predicted, **START)


def tied_less_untied(results):
    """Slopes of tied networks less those of the untied ones of the same draws."""
    for activation, networks in of_activations(deepest(results.networks)):
        slopes = networks.pivot(index="replicate", columns="tied", values="slope_per_layer")
        yield Case(activation, slopes[True] - slopes[False], at_least=0)


def in_spreads_of_theory(results):
    """Tied slopes in units of the spread that theory predicts for untied layers of the same depth."""
    for activation, networks in of_activations(deepest(results.networks)):
        spread = networks.loc[~networks["tied"], "predicted_spread"].iloc[0]
        yield Case(activation, networks.loc[networks["tied"], "slope_per_layer"] / spread, at_least=25)


def residuals(results):
    for activation, networks in of_activations(deepest(results.networks)):
        yield Case(activation, networks["slope_residual"], -1.5, 1.5)  # 64 draws know a mean to ±0.6


def below_the_radius_of_the_matrix(results):
    networks = deepest(results.networks)
    radii = [np.abs(np.linalg.eigvals(results.build(key).weights[1])).max() for key in networks["network"]]
    yield Case("relu", networks["slope_per_layer"] - np.log10(radii), at_most=-0.1)


CLAIMS = (
    Claim(
        "radius",
        "The attenuation of 500 tied layers is the spectral radius where they come to rest, to that power.",
        "attenuation less (depth − 2)·log10 of the radius (decades)",
        every,
        beyond_the_radius,
        scope=("tied", SETTLED, *ONE_SAMPLE),
    ),
    Claim(
        "not_the_norm",
        "Tied weights lose less, or gain more, than untied ones of the same draws.",
        "slope tied less slope untied, mean over draws (decades a layer)",
        mean,
        tied_less_untied,
        scope=(SETTLED, "tied in [True, False]", *ONE_SAMPLE),
    ),
    Claim(
        "draws_stay_apart",
        "Slopes of tied networks differ between draws five times as much as theory of untied ones says, or more.",
        "variance over draws of the slope in predicted spreads",
        variance,
        in_spreads_of_theory,
        scope=("tied in [True, False]", *ONE_SAMPLE),
    ),
    Claim(
        "untied_follow_theory",
        "The untied networks of the same draws have the slopes that theory predicts.",
        "mean of slope_residual over draws",
        mean,
        residuals,
        scope=("not tied", *ONE_SAMPLE),
    ),
    Claim(
        "relu_is_not_its_matrix",
        "In a tied ReLU network, units that are off take a tenth of a decade a layer from the radius of the matrix.",
        "slope less log10 of the radius of W, mean over draws (decades a layer)",
        mean,
        below_the_radius_of_the_matrix,
        scope=("tied", "activation == 'relu'", *ONE_SAMPLE),
    ),
)
