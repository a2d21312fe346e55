"""Sums over layers that are normalised or have skips, taken in the backward pass."""

import numpy as np

from harness.base.arrays import Array, flat
from harness.base.scaled import Scaled
from harness.engine.lanes.groups import Remedy
from harness.engine.sums import BackwardSums, Slot, Squares


class RemediedSums(BackwardSums):
    """Sums of the backward pass, each (layers, depths, replicates, lanes), without the alpha of a branch.

    ∂C/∂r[k] goes through phi and the normalisation in the order of the group: `first` is the gradient after one of
    them, `second` after both.
    """

    def __init__(self, remedy: Remedy, layers: int, *shape: int, means: bool = False) -> None:
        super().__init__(layers, *shape, means=means)
        self.remedy = remedy
        self.first, self.second, self.below, self.skip, self.branch, self.joined, self.grad_gamma, self.grad_beta = (
            Squares(layers, *shape) for _ in range(8)
        )
        self.cosine = np.full((layers, *shape), np.nan)
        self.divisions = np.full((layers, *shape), np.nan)  # of W, by a standard deviation, in LSUV

    def add_affine(self, where: Slot, grad: Scaled, z_hat: Array) -> None:
        """Add ∂C/∂gamma and ∂C/∂beta, summed over samples, from the gradient of gamma·z_hat + beta."""
        for sums, products in ((self.grad_gamma, grad.mantissa * z_hat), (self.grad_beta, grad.mantissa)):
            total = np.add.reduce(products, axis=-2)[..., None, :]
            sums.add(where, *Scaled(total, grad.exponent).safe_squares)

    def add_block(self, where: Slot, skip: Scaled, branch: Scaled, joined: Scaled) -> None:
        """Add the gradients of a skip, of the branch beside it without alpha, and of both together."""
        for sums, gradient in ((self.skip, skip), (self.branch, branch), (self.joined, joined)):
            sums.add(where, *gradient.safe_squares)
        product = np.vecdot(flat(skip.mantissa), flat(branch.mantissa)).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):  # nan beside a zero
            self.cosine[where] = product / np.sqrt(skip.squares * branch.squares)
