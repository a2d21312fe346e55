"""The course of training: what is recorded of runs of one shape, at the recorded steps and where a cost is reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from harness.base.arrays import Array, any_of, log10_of
from harness.base.scaled import scaled
from harness.engine.training.at_start import Run, drawn
from harness.engine.training.evaluate import fit, outputs, over_rows
from harness.engine.training.loop import Step, Trained
from harness.engine.training.measured import Measured, measured
from harness.engine.training.unit_lives import UnitLives
from harness.networks.activations import SATURATED
from harness.networks.data import DataSpec
from harness.networks.training.recipe import Training
from harness.networks.training.split import PARTS, Rows, Split, minibatches

ON_SCHEDULE = np.nan  # the cost that a snapshot is taken for, where it is taken for its step


@dataclass(frozen=True)
class Snapshot:
    """What is recorded of some runs after a step. Columns of `networks` are (runs,), of `layers` (runs, depth)."""

    runs: Array  # indices of the runs
    step: int
    reached: float  # the cost that these runs have reached, or ON_SCHEDULE
    networks: dict[str, Array]
    layers: dict[str, Array]
    diverged: Array  # the step at which each left the number format, 0 for none
    status: Array  # (runs,) of str: what left the number format on the probe, as in the table `networks`


def course(
    runs: Sequence[Run],
    splits: Mapping[int, Split],
    training: Training,
    seed: int,
    dtype: np.dtype,
    cost: str,
    data: DataSpec,
    saturated_below: float = SATURATED,
) -> Iterator[Snapshot]:
    """Train runs of one shape and record them. `splits` has the data of each replicate, drawn by `data`."""
    trained = Trained(runs, drawn(runs, seed, dtype, data), cost)
    recorder = _Recorder(trained, splits, saturated_below)
    yield recorder.snapshot(0, None)
    scheduled, watch = set(training.recorded), CostWatch(training, runs)
    for step, (x, y) in enumerate(islice(_data(runs, splits, seed), training.steps), start=1):
        found = trained.gradients(x, y)
        reached = list(watch.reached(found.log10_cost, (trained.diverged == 0) & ~found.overflows))
        taken = trained.update(found, count_frozen=bool(reached) or step in scheduled)
        recorder.clipped += taken.clipped
        for value, those in reached:
            if any_of(alive := trained.diverged[those] == 0):
                yield recorder.snapshot(step, taken, those[alive], value)
        if step in scheduled:
            yield recorder.snapshot(step, taken)
            recorder.clipped[:], recorder.steps_since = 0, step


def retrained(run: Run, split: Split, steps: int, seed: int, dtype: np.dtype, cost: str, data: DataSpec) -> Trained:
    """One run after some steps, trained again from the start."""
    trained = Trained([run], drawn([run], seed, dtype, data), cost)
    for x, y in islice(_data([run], {run.replicate: split}, seed), steps):
        trained.step(x, y)
    return trained


def _data(runs: Sequence[Run], splits: Mapping[int, Split], seed: int) -> Iterator[tuple[Array, Array]]:
    """The minibatch of every run, step by step: inputs (runs, batch, input_width) and targets."""
    batch = runs[0].recipe.batch
    rows = {i: minibatches(seed, len(split.train.inputs), batch, i) for i, split in splits.items()}
    while True:
        found = {i: splits[i].train[next(of_replicate)] for i, of_replicate in rows.items()}
        batches = [found[run.replicate] for run in runs]
        yield np.stack([batch.inputs for batch in batches]), np.stack([batch.targets for batch in batches])


def log10_root_of_squares(log10: Array) -> Array:
    """log10 of √Σ a² from log10 of every a, (…), over any range."""
    top = np.max(log10, axis=-1, keepdims=True)
    relative = log10 - np.where(np.isfinite(top), top, 0)
    return top[..., 0] + log10_of(np.square(10**relative).sum(axis=-1)) / 2


class CostWatch:
    """Watches for the first step at which the cost has fallen to each of some values.

    The cost is the mean over the minibatches of the last epoch, or of all steps so far while there are fewer.
    """

    def __init__(self, training: Training, runs: Sequence[Run]) -> None:
        self.values = training.reached
        epoch = max(1, training.train // runs[0].recipe.batch)
        self.last, self.count = np.zeros((epoch, len(runs))), 0
        self.older, self.total = np.zeros((epoch, len(runs))), np.zeros(len(runs))
        self.waiting = np.ones((len(self.values), len(runs)), dtype=bool)

    def reached(self, log10_cost: Array, alive: Array) -> Iterator[tuple[float, Array]]:
        """The values that runs reach with this minibatch, with the indices of those runs."""
        if not self.values:
            return
        mean = self._mean(np.where(alive, 10.0 ** np.minimum(log10_cost, 300), 0))
        for value, waiting in zip(self.values, self.waiting, strict=True):
            those = waiting & alive & (mean <= value)
            waiting &= ~those
            if those.any():
                yield value, np.nonzero(those)[0]

    def _mean(self, cost: Array) -> Array:
        """The mean with one more cost, (runs,). Nothing is subtracted: a huge first cost would leave its rounding."""
        place = self.count % len(self.last)
        if place == 0:  # an epoch ends: the costs that are still to come of it, at each place of the next
            self.older[:-1] = np.cumsum(self.last[:0:-1], axis=0)[::-1]
            self.total[:] = 0
        self.last[place] = cost
        self.total += cost
        self.count += 1
        return (self.total + self.older[place]) / min(self.count, len(self.last))


class _Recorder:
    """Takes snapshots of runs while they are trained."""

    def __init__(self, trained: Trained, splits: Mapping[int, Split], saturated_below: float) -> None:
        self.trained, self.splits, self.saturated_below = trained, splits, saturated_below
        count, depth = len(trained.runs), trained.runs[0].spec.depth
        self.lives = UnitLives(count, depth)
        self.clipped, self.steps_since = np.zeros(count), 0

    def snapshot(
        self, step: int, taken: Step | None, those: Array | None = None, reached: float = ON_SCHEDULE
    ) -> Snapshot:
        """Of these runs, or of all, after a step. `taken` is that step; there is none at the start."""
        those = np.arange(len(self.trained.runs)) if those is None else those
        with np.errstate(all="ignore"):
            found = self._measured(those)
            networks, layers = self._evaluated(those), found.columns
            self._add_step(step, taken, those, networks, layers)
            lost = (found.slope_failures > 0) & np.isneginf(networks["log10_grad_norm"])
            networks["log10_grad_norm"] = np.where(lost, np.nan, networks["log10_grad_norm"])
        return Snapshot(those, step, reached, networks, layers, self.trained.diverged[those].copy(), found.status)

    def _measured(self, those: Array) -> Measured:
        """Every measure of `layers`, on the probe."""
        trained, stack = self.trained, self.trained.stack[those]
        probes = [self.splits[trained.runs[i].replicate].probe for i in those]
        x, y = (scaled(np.stack([getattr(probe, name) for probe in probes])[:, None]) for name in ("inputs", "targets"))
        return measured(stack, x, y, trained.cost, self.saturated_below)

    def _evaluated(self, those: Array) -> dict[str, Array]:
        """Cost and accuracy on each part of the data; also looks which units are dead on the rows for training."""
        trained = self.trained
        columns = {f"{what}_{part}": np.empty(len(those)) for part in PARTS for what in ("log10_cost", "accuracy")}
        for place, i in enumerate(those):
            split = self.splits[trained.runs[i].replicate]
            stack = trained.stack[i : i + 1]
            of_training = over_rows(stack, split.train)
            for part in PARTS:
                rows: Rows = getattr(split, part)
                r = outputs(stack, rows, None if part == "probe" else of_training.statistics)
                columns[f"log10_cost_{part}"][place], columns[f"accuracy_{part}"][place] = fit(r, rows, trained.cost)
            self.lives.look(i, of_training.dead)
        return columns

    def _add_step(self, step: int, taken: Step | None, those: Array, networks: dict, layers: dict) -> None:
        """Add what the last step did, and the sums since the start."""
        ledger, stack, shape = self.trained.ledger, self.trained.stack, layers["log10_norm_weights"].shape
        unknown = np.full(shape, np.nan)
        networks["log10_grad_norm"] = unknown[:, 0] if taken is None else taken.log10_grad_norm[those]
        since = step - self.steps_since
        networks["clipped_share"] = unknown[:, 0] if taken is None else self.clipped[those] / since
        delta = layers["log10_grad_preactivations"]
        networks["log10_gradient_gain"] = delta[:, 0] - delta[:, -1] if delta.shape[1] > 1 else np.zeros(len(those))
        norms = np.stack([scaled(W[those]).log10_norm[:, 0] for W in stack.weights], axis=-1)  # known, whatever failed
        networks["log10_norm_weights"] = log10_root_of_squares(norms.take(stack.distinct, axis=-1))
        ratio = unknown if taken is None else taken.log10_norm_updates[those] - norms
        layers["log10_update_ratio"] = ratio
        layers["frozen_fraction"] = unknown if taken is None else taken.frozen[those]
        layers |= {"moved": ledger.moved(stack)[those], "norm_flow": ledger.flow[those].copy()}
        layers |= {"norm_step": ledger.size[those].copy(), "balance_residual": ledger.balance_residual(stack)[those]}
        layers |= {name: getattr(self.lives, name)[those].copy() for name in ("born", "died", "revived")}
