"""One hidden layer with a normalisation or a skip: what stands between the equations, and what leads past them.

A normalisation ends in gamma · z_hat + beta. Networks as drawn have gamma = 1 and beta = 0, and compute neither.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled
from harness.engine.activate import activate
from harness.engine.lanes.groups import Remedy
from harness.engine.layers import Layer
from harness.engine.remedied.normalise import Normalised, Statistics, normalise, normalise_by
from harness.networks.activations import Activation


@dataclass(frozen=True)
class Affine:
    """gamma and beta of a trained layer, each (…, 1, width)."""

    gamma: Array
    beta: Scaled

    def __call__(self, z_hat: Scaled) -> Scaled:
        """gamma · z_hat + beta, normalised."""
        return (z_hat * self.gamma + self.beta).normalised()


@dataclass(frozen=True)
class Hidden:
    """A hidden layer after the forward pass. `layer.r` is what the layer above sees, the skip included."""

    layer: Layer  # (replicates, lanes, batch, width)
    normalised: Normalised | None
    affine: Affine | None = None  # None: gamma = 1 and beta = 0


def times(array: Scaled, alpha: float) -> Scaled:
    """alpha · array, normalised; a new array."""
    mantissa, exponent = np.frexp(alpha)
    return Scaled(array.mantissa * float(mantissa), array.exponent + int(exponent)).normalised()


def at_z_hat(grad: Scaled, hidden: Hidden) -> Scaled:
    """∂C/∂z_hat from the gradient of gamma · z_hat + beta."""
    return grad if hidden.affine is None else (grad * hidden.affine.gamma).normalised()


def joined(remedy: Remedy, branch: Scaled, skip: Scaled | None) -> Scaled:
    """skip + alpha · branch, or the branch alone."""
    if skip is None:
        return branch
    return (skip + times(branch, remedy.alpha)).normalised()


def activated(
    activation: Activation,
    remedy: Remedy,
    z: Scaled,
    affine: Affine | None = None,
    statistics: Statistics | None = None,
) -> tuple[Hidden, Array | None]:
    """phi and the normalisation of z, in the group's order; and the lanes in which the latter divides by 0.

    With `statistics` it normalises by these and not by those of z.
    """
    normalisation = remedy.normalisation
    if normalisation is None:
        return Hidden(activate(z, activation), None), None
    before = z if not remedy.after else (layer := activate(z, activation)).r
    at = normalise(normalisation, before) if statistics is None else normalise_by(statistics, before)
    out = at.z_hat if affine is None else affine(at.z_hat)
    if not remedy.after:
        return Hidden(activate(out, activation), at, affine), np.logical_or.reduce(at.undefined, axis=(-2, -1))
    moving = np.logical_or.reduce(layer.slope.values != 0, axis=normalisation.axis, keepdims=True)
    divided = np.logical_or.reduce(at.undefined & moving, axis=(-2, -1))
    return Hidden(replace(layer, r=out), at, affine), divided
