"""What normalisation and residual connections make of a gradient, at infinite width.

A hidden layer multiplies E‖∂C/∂z‖² by sigma_w² · p towards the input, where p is the factor of its activation and its
normalisation together. With g standard normal, q the variance of z, and moments E at that variance unless g is named:

    no normalisation           p = E phi'(z)²                          outputs of mean square M = E phi(z)²
    layer, rms                 p = E phi'(g)² / q                      M = E phi(g)²
    batch                      p = `batch_pass` / q                    M = K − K_o, see `SphereMoments`
    layer, rms after phi       p = E phi'(z)² / (E phi(z)² − m²)       M = 1; m = E phi(z) for layer, 0 for rms
    alpha·(…)W beside a skip   factor 1 + alpha² sigma_w² p            q grows by alpha² sigma_w² M a layer
    branches of several layers factor 1 + alpha² ∏ sigma_w² p          q grows by alpha² sigma_w² M of the last one
    weights scaled by LSUV     sigma_w² so that sigma_w² M = 1         q = 1 where no skip adds up
    standardised weights                                               M less the squared mean, for batch as it is

and q = sigma_w² M + sigma_b² of the layer below (batch normalisation cancels the bias, and q is the variance over the
batch). docs/remedies.md derives them. Domain: Gaussian inputs, a gradient at the output that is independent of the
weights, wide layers; epsilon counts as 0. There is no prediction for `inside` and `post`, in which the outputs of the
branch have a mean that adds up, for batch normalisation after the activation or with fewer than 4 samples, nor for LSUV
beside biases or batch normalisation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, inf, isfinite, log, nan, pi, sqrt

import numpy as np

from harness.base.arrays import Array
from harness.base.quadrature import expectation
from harness.networks.activations import Activation
from harness.networks.spec import NetworkSpec, activation_of, normalisation_of, residual_of

LEAST = 1e-8  # of a variance that is handed on through standardised weights: below, phi is linear to 8 digits
LARGE = 512  # samples; from there on, what is left is proportional to 1/batch: an error under 1e-5
REACH = 12.0  # of z_hat in standard deviations; the density beyond is under 1e-31
PANELS = 4  # of the angle, which are also split at kinks
LEGENDRE = np.polynomial.legendre.leggauss(16)  # nodes and weights in a panel


@dataclass(frozen=True)
class SphereMoments:
    """Moments of phi at z_hat, the normalised preactivations of one unit on a batch.

    z_hat is uniform on the sphere of radius √batch that is orthogonal to the ones. `_o`: of two different samples.
    """

    K: float  # E phi(z_hat)²
    K_o: float
    S: float  # E phi'(z_hat)²
    S_o: float
    Z: float  # E (z_hat·phi'(z_hat))²
    Z_o: float


@cache
def sphere_moments(activation: Activation, batch: int) -> SphereMoments:
    """The moments for a batch of 4 to LARGE samples.

    Two coordinates of a unit vector in batch − 1 dimensions are sin(t) times a vector of uniform angle, where t has the
    density ∝ sin(t)·cos(t)^(batch − 4); those of two samples are at the cosine −1/(batch − 1).
    """
    reach = sqrt(batch - 1)
    lengths = np.array([*range(ceil(min(reach, REACH))), *map(abs, activation.kinks), min(reach, REACH)])
    t, weight = _panels(np.arcsin(np.unique(lengths[lengths <= reach]) / reach))
    weight = weight * np.sin(t) * np.cos(t) ** (batch - 4)
    rows = [_on_circle(activation, length, -1 / (batch - 1)) for length in reach * np.sin(t)]
    return SphereMoments(*map(float, weight @ np.array(rows) / weight.sum()))


def _on_circle(activation: Activation, length: float, cosine: float) -> Array:
    """The six products, averaged over the angle of a vector of that length in the plane of two samples."""
    between = np.arccos(cosine)
    bends = [np.arccos(kink / length) for kink in activation.kinks if abs(kink) < length]
    ends = np.array([0, *(sign * bend + turn for bend in bends for sign in (1, -1) for turn in (0, between))])
    ends = np.unique(np.concatenate([ends % (2 * pi), np.linspace(0, 2 * pi, PANELS + 1)]))
    angle, weight = _panels(ends)
    one, other = length * np.cos(angle), length * np.cos(angle - between)
    slope_one, slope_other = 1.0 * activation.slope(one), 1.0 * activation.slope(other)
    pairs = (
        (activation.value(one), activation.value(other)),
        (slope_one, slope_other),
        (one * slope_one, other * slope_other),
    )
    return np.array([weight @ product / (2 * pi) for a, b in pairs for product in (a * a, a * b)])


def _panels(ends: Array) -> tuple[Array, Array]:
    """Nodes and weights of Gauss–Legendre in each panel between ascending ends."""
    x, weight = LEGENDRE
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half * (1 + x)).ravel(), (half * weight).ravel()


def batch_pass(activation: Activation, batch: float, centred: bool = True) -> float:
    """q times the factor of E‖∂C/∂z‖² of activation and batch normalisation, for 4 samples or more.

    `centred`: whether the gradient comes from a normalised layer above, so that it sums to 0 over the batch.
    """
    if batch > LARGE:
        limit = float(moments(activation, 1.0)[2])
        return limit + LARGE / batch * (batch_pass(activation, LARGE, centred) - limit)
    B, m = batch, sphere_moments(activation, int(batch))
    if not centred:
        return B / (B - 3) * (m.S * (1 - 1 / B) - m.Z / B)
    along_ones = m.S - (m.S + (B - 1) * m.S_o) / B
    along_z_hat = m.Z - (m.Z + (B - 1) * m.Z_o) / B
    return B / ((B - 3) * (B - 1)) * ((B - 1) * m.S - along_ones - along_z_hat)


def batch_spread(activation: Activation, batch: float) -> float:
    """K − K_o: the variance over the batch that a normalised layer hands on, divided by sigma_w²."""
    if batch > LARGE:
        mean, square, _ = moments(activation, 1.0)
        return float(square - mean**2 + LARGE / batch * (batch_spread(activation, LARGE) - (square - mean**2)))
    of_sphere = sphere_moments(activation, int(batch))
    return of_sphere.K - of_sphere.K_o


@cache
def moments(activation: Activation, q: float) -> Array:
    """E phi, E phi² and E phi'² at the variance q."""

    def powers(z: Array) -> Array:
        value, slope = activation.value(z), 1.0 * activation.slope(z)
        return np.stack([value, value * value, slope * slope])

    return expectation(powers, sqrt(q), activation.kinks)


# Whole networks -----------------------------------------------------------------------------------------------------


def ln_attenuations(specs: Sequence[NetworkSpec], mean_squares: Array, batch: int) -> Array:
    """ln E‖∂C/∂z[1]‖² − ln E‖∂C/∂z[L]‖² of networks with remedies, (networks, replicates); NaN where there is none.

    `mean_squares`, (replicates,), is that of the inputs.
    """
    rows = [[_ln_attenuation(spec, float(square), batch) for square in mean_squares] for spec in specs]
    return np.array(rows, dtype=float).reshape(len(specs), len(mean_squares))


def predictable(spec: NetworkSpec, batch: float) -> bool:
    """Whether there is a prediction for a network with remedies."""
    if spec.residual.name in ("inside", "post") or spec.depth < 2 or spec.tied or spec.shift or spec.bias:
        return False
    if spec.within is not None and (spec.normalisation.name == "batch" or spec.sigma_b(spec.width)):
        return False
    return spec.normalisation.name != "batch" or (spec.normalise == "preactivations" and batch >= 4)


def _ln_attenuation(spec: NetworkSpec, mean_square: float, batch: int) -> float:
    if not predictable(spec, batch) or not 0 < mean_square < inf:
        return nan
    bias2 = 0.0 if spec.normalisation.name == "batch" else spec.sigma_b(spec.width) ** 2
    alpha2 = spec.branch_scale**2
    trunk = q = _sigma_w2(spec, 0, mean_square) * mean_square + bias2
    total, branch = 0.0, 1.0
    for k in range(1, spec.depth):
        if not 1e-250 < q < 1e250:
            if not _homogeneous(spec):
                return nan
            q = 1.0  # its factors do not depend on q
        passed, handed_on = _layer(spec, q, batch, k == spec.depth - 1)
        sigma_w2 = _sigma_w2(spec, k, handed_on)
        branch *= sigma_w2 * passed
        q, end = sigma_w2 * handed_on + bias2, _end_of_skip(spec, k + 1)
        if end is None or end == k + 1:
            total += log(branch if end is None else 1 + alpha2 * branch)
            trunk = q = q if end is None else trunk + alpha2 * q
            branch = 1.0
        if spec.weight_standardised and not _homogeneous(spec):
            q = max(q, LEAST)  # a variance of phi that is far below its mean square would be rounding
    return total if isfinite(total) else nan


def _end_of_skip(spec: NetworkSpec, k: int) -> int | None:
    """The layer at which the skip past layer k ends; None where no skip leads past it."""
    end = 1 + spec.block_layers * ceil((k - 1) / spec.block_layers)
    return end if residual_of(spec.residual).order == "pre" and end < spec.depth else None


def _sigma_w2(spec: NetworkSpec, k: int, handed_on: float) -> float:
    """sigma_w² of W[k], which LSUV divides by the variance that it makes where that is not near 1."""
    sigma_w2 = spec.sigma_w_of(k) * spec.sigma_w_of(k)  # infinite beyond float64, where a power would raise
    scaled = spec.within is not None and abs(sigma_w2 * handed_on - 1) >= spec.within
    return 1 / handed_on if scaled and handed_on else sigma_w2


def _layer(spec: NetworkSpec, q: float, batch: int, top: bool) -> tuple[float, float]:
    """p and M of the table above, of a hidden layer whose preactivations have the variance q."""
    activation, normalisation = activation_of(spec.activation), normalisation_of(spec.normalisation)
    if normalisation.name == "batch":
        return batch_pass(activation, batch, not top) / q, batch_spread(activation, batch)
    if _homogeneous(spec):
        mean, square, slope = moments(activation, 1.0)
        return float(slope), float((square - mean**2 * spec.weight_standardised) * q)
    at_unit = normalisation.name != "none" and spec.normalise == "preactivations"
    mean, square, slope = moments(activation, 1.0 if at_unit else q)
    felt = float(square - mean**2 * spec.weight_standardised)
    if normalisation.name == "none":
        return float(slope), felt
    if at_unit:
        return float(slope / q), felt
    divisor = float(square - mean**2 * normalisation.centred)
    return float(slope) / divisor, 1.0 if normalisation.centred else felt / divisor


def _homogeneous(spec: NetworkSpec) -> bool:
    return spec.normalisation.name == "none" and activation_of(spec.activation).homogeneous
