"""The training loop: runs of one shape side by side, forward, backward and one step of their optimiser at a time.

    W[k] ← W[k] + u,    u = −learning_rate · direction,    where the optimiser makes the direction from ∂C/∂W[k]

and so for the biases, and for gamma and beta of normalised layers. Parameters are ordinary numbers; gradients carry an
exponent for each run and layer, so that the norm of a step is right at 10^-300. No number of a run depends on the
others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.arrays import LOG10_2, Array, any_of, count, flat, log10_of
from harness.base.scaled import Scaled, shifted, split
from harness.engine.lanes.groups import PLAIN
from harness.engine.training.at_start import Run, Stack
from harness.engine.training.ledger import NormLedger
from harness.engine.training.passes import Gradients, gradients
from harness.engine.training.plain import Plain
from harness.networks.training.moments import Moments
from harness.networks.training.recipe import optimiser_of

ORDINARY_FACTOR = 60  # learning rates and clipping factors within 2^±60 of 1 need no exponent of their own
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
        optimiser, self.step_count = optimiser_of(runs[0].recipe.optimiser), 0
        self.dtype = stack.layers[0].dtype
        rates = np.array([run.recipe.learning_rate for run in runs])[:, None]
        self.rates, self.rate_exponents = split(rates, self.dtype, keep=ORDINARY_FACTOR)  # (runs, 1)
        clips = [np.inf if run.recipe.clip is None else run.recipe.clip for run in runs]
        self.clips = np.array(clips) if min(clips) < np.inf else None
        self.diverged = np.zeros(len(runs), dtype=np.int64)  # the step at which a weight left the number format
        self.ledger = NormLedger(stack)
        self.moments = [Moments(optimiser, layer) for layer in stack.layers]
        self.plain = Plain(stack, runs[0].recipe.batch, self.clips is not None) if stack.remedy == PLAIN else None

    def step(self, x: Array, y: Array) -> Step:
        """Take one step on a minibatch: x (runs, batch, input_width), y (runs, batch, output_width)."""
        return self.update(self.gradients(x, y))

    def gradients(self, x: Array, y: Array) -> Gradients:
        """The gradients of a minibatch, for `update`."""
        with np.errstate(all="ignore"):  # a run that leaves the number format is recorded as diverged
            if self.plain is None:
                return gradients(self.stack, x, y, self.cost)
            found, exact = self.plain.gradients(self.stack, x, y, self.cost)
            left = ~exact & (self.diverged == 0)
            return found.put(left, gradients(self.stack[left], x[left], y[left], self.cost)) if any_of(left) else found

    def update(self, found: Gradients, count_frozen: bool = False) -> Step:
        """Take one step along the gradients of a minibatch."""
        self.step_count += 1
        squares: list[tuple[Array, Array]] = []  # of the gradient of each layer, with their exponents
        with np.errstate(all="ignore"):
            layers: Iterable[Scaled] = _noted(found.layers, squares)
            clipped = np.zeros(len(self.runs), dtype=bool)
            if self.clips is not None:
                every_layer = list(layers)
                clipped, layers = clipped_to(self.clips, every_layer, *self._norm(squares))
            of_layers = zip(reversed(range(len(self.moments))), layers, strict=True)
            frozen = np.full((len(self.runs), len(self.moments)), np.nan)
            for k, gradient in of_layers:
                self._update(k, gradient, frozen if count_frozen else None)
            (norms, largest), (mantissa, exponent) = self.ledger.add_step(), self._norm(squares)
            self._stop(found.overflows | ~(largest <= np.finfo(self.dtype).max))
        log10_norm = log10_of(mantissa) + exponent * LOG10_2
        return Step(found.log10_cost, log10_norm, clipped, norms, frozen)

    def _norm(self, squares: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
        """The norm of the whole gradient, from the output layer down; parameters that layers share count once."""
        return norm_of([squares[-1 - k] for k in self.stack.distinct])

    def _update(self, k: int, gradient: Scaled, frozen: Array | None) -> None:
        """Step layer k; overwrites the gradient. Enters the share of its frozen weights in `frozen`, (runs, depth)."""
        direction = self.moments[k].direction(gradient, self.step_count)
        u = np.multiply(direction.mantissa, -self.rates[..., None, None], out=gradient.mantissa)
        update = Scaled(u, direction.exponent + self.rate_exponents)
        layer, ordinary = self.stack.layers[k], shifted(update.mantissa, update.exponent)
        self.ledger.enter(k, layer, update)
        if frozen is not None:
            frozen[:, k] = self._frozen(k, update, ordinary)
        layer += ordinary

    def _frozen(self, k: int, update: Scaled, ordinary: Array) -> Array:
        """The share of the weights W[k] that have an update but keep their value, (runs,)."""
        layer, W = self.stack.layers[k], slice(self.stack.fan_in(k))  # the rows of W[k]
        lost = (layer + ordinary == layer) & (update.mantissa != 0)
        return count(flat(lost[..., W, :]))[:, 0] / layer[0, 0, W].size

    def _stop(self, fails: Array) -> None:
        """Stop the runs that have left the number format: their weights become 0 and stay so."""
        stopped = fails & (self.diverged == 0)
        if not any_of(stopped):
            return
        self.diverged[stopped] = self.step_count
        self.rates[stopped] = 0
        for layer, moments in zip(self.stack.layers, self.moments, strict=True):
            layer[stopped] = 0
            moments.clear(stopped)


def _noted(layers: Iterable[Scaled], squares: list[tuple[Array, Array]]) -> Iterator[Scaled]:
    """The same gradients; notes the squared norm of each, with its exponent, before it is used."""
    for gradient in layers:
        squares.append(gradient.flat_squares)
        yield gradient


def norm_of(squares: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The norm of the whole gradient of each run as mantissa and exponent, (runs,), from the squares of its layers."""
    of_layers, exponents = (np.concatenate(part, axis=-1) for part in zip(*squares, strict=True))
    top = exponents.max(axis=-1)
    total = np.ldexp(of_layers, np.maximum(2 * (exponents - top[:, None]), -5000)).sum(axis=-1)
    return np.sqrt(total), top


def clipped_to(
    clips: Array, layers: Sequence[Scaled], mantissa: Array, exponent: Array
) -> tuple[Array, Sequence[Scaled]]:
    """Which runs are clipped, (runs,), and the gradients with a norm of at most `clips`, given their norm before."""
    power = np.ldexp(1.0, np.clip(-exponent, -1000, 1000))  # of the numbers that do not carry the exponent
    size = mantissa + CLIP_EPSILON * power
    beyond = size > clips * power
    if not any_of(beyond):
        return beyond, layers
    factor, shift = split(np.where(beyond, clips / size, 1), layers[0].dtype, keep=ORDINARY_FACTOR)
    shift = np.where(beyond, shift - exponent, 0)[:, None]
    return beyond, [Scaled(g.mantissa * factor[:, None, None, None], g.exponent + shift) for g in layers]
