"""The training loop: runs of one shape side by side, forward, backward and one step of their optimiser at a time.

    W[k] ← W[k] + u,    u = −learning_rate · direction,    where the optimiser makes the direction from ∂C/∂W[k]

and so for the biases, and for gamma and beta of normalised layers. Parameters are ordinary numbers; gradients carry an
exponent for each run and layer, so that the norm of a step is right at 10^-300. No number of a run depends on the
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.base.scaled import Scaled, any_of, count, flat, log10_of, shifted, unscaled
from harness.engine.training.at_start import Run, Stack
from harness.engine.training.ledger import NormLedger
from harness.engine.training.passes import Gradients, gradients
from harness.networks.training.optimisers import zeros_like
from harness.networks.training.recipe import optimiser_of

CLIP_EPSILON = 1e-6  # added to the norm that clipping divides by, as in torch.nn.utils.clip_grad_norm_


@dataclass(frozen=True)
class Step:
    """What a step did. Norms are of the gradient before it was clipped, and of the updates of each layer."""

    log10_cost: Array  # of the minibatch, before the step, (runs,)
    log10_grad_norm: Array  # (runs,)
    clipped: Array  # (runs,)
    log10_norm_updates: Array  # (runs, depth)
    frozen: Array  # share of the weights whose update is not 0 and is lost to rounding, (runs, depth); nan if not asked


class Trained:
    """Runs of one shape while they are trained: their networks, the state of their optimisers, and their ledger."""

    def __init__(self, runs: Sequence[Run], stack: Stack, cost: str) -> None:
        self.runs, self.stack, self.cost = runs, stack, cost
        self.optimiser, self.step_count = optimiser_of(runs[0].recipe.optimiser), 0
        self.dtype = stack.weights[0].dtype
        self.rates = np.array([run.recipe.learning_rate for run in runs], dtype=self.dtype)[:, None, None, None]
        self.clips = np.array([np.inf if run.recipe.clip is None else run.recipe.clip for run in runs])
        self.diverged = np.zeros(len(runs), dtype=np.int64)  # the step at which a weight left the number format
        self.ledger = NormLedger(stack)
        self.states = [self.optimiser.start(zeros_like(unscaled(layer))) for layer in stack.layers]

    def step(self, x: Array, y: Array, count_frozen: bool = False) -> Step:
        """Take one step on a minibatch: x (runs, batch, input_width), y (runs, batch, output_width)."""
        self.step_count += 1
        with np.errstate(all="ignore"):  # a run that leaves the number format is recorded as diverged
            found = gradients(self.stack, x, y, self.cost)
            mantissa, exponent = found.norm()
            factor = self._clipping(mantissa, exponent)
            norms, frozen = self._update(found, factor, count_frozen)
            self._stop(found.overflows | ~np.isfinite(self.ledger.size).all(axis=-1))
        clipped = np.zeros(len(self.runs), dtype=bool) if factor is None else factor.mantissa[:, 0, 0, 0] != 1
        log10_norm = log10_of(mantissa) + exponent * log10_of(2.0)
        return Step(found.log10_cost, log10_norm, clipped, norms, frozen)

    def _clipping(self, mantissa: Array, exponent: Array) -> Scaled | None:
        """The factor of every gradient, (runs, 1, 1, 1); None where no run clips."""
        if np.isinf(self.clips).all():
            return None
        power = np.ldexp(1.0, np.clip(-exponent, -1000, 1000))  # of the numbers that do not carry the exponent
        beyond = (mantissa + CLIP_EPSILON * power) > self.clips * power
        factor = np.where(beyond, self.clips / (mantissa + CLIP_EPSILON * power), 1)
        shape = len(self.runs), 1, 1, 1
        return Scaled(factor.astype(self.dtype).reshape(shape), np.where(beyond, -exponent, 0).reshape(shape[:2]))

    def _update(self, found: Gradients, factor: Scaled | None, count_frozen: bool) -> tuple[Array, Array]:
        """Step every layer. Returns log10 ‖u‖ and the share of frozen weights of each layer, (runs, depth)."""
        norms, frozen = [], np.full((len(self.runs), len(found.layers)), np.nan)
        for k, gradient in enumerate(found.layers):
            gradient = gradient if factor is None else gradient * factor
            self.states[k], direction = self.optimiser.update(self.states[k], gradient, self.step_count)
            update = direction * -self.rates
            W = slice(self.stack.fan_in(k))  # the rows of W[k]
            norms.append(Scaled(update.mantissa[..., W, :], update.exponent).log10_norm[:, 0])
            layer, ordinary = self.stack.layers[k], shifted(update.mantissa, update.exponent)
            self.ledger.add(k, layer, ordinary)
            if count_frozen:
                lost = (layer + ordinary == layer) & (update.mantissa != 0)
                frozen[:, k] = count(flat(lost[..., W, :]))[:, 0] / layer[0, 0, W].size
            layer += ordinary
        return np.stack(norms, axis=-1), frozen

    def _stop(self, fails: Array) -> None:
        """Stop the runs that have left the number format: their weights become 0 and stay so."""
        for i in np.nonzero(fails & (self.diverged == 0))[0]:
            self.diverged[i] = self.step_count
            self.rates[i] = 0
            for layer in self.stack.layers:
                layer[i] = 0
        if any_of(fails):
            self.states = [tuple(without(part, fails) for part in state) for state in self.states]


def without(numbers: Scaled, runs: Array) -> Scaled:
    """The same numbers with zeros in some of the runs."""
    zeros = zeros_like(numbers)
    mantissa = np.where(runs[:, None, None, None], zeros.mantissa, numbers.mantissa)
    return Scaled(mantissa, np.where(runs[:, None], zeros.exponent, numbers.exponent))
