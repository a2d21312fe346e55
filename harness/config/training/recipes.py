"""From the block `training:` to the recipes of a sweep, and the problems of that block with other keys."""

import math
from collections.abc import Iterator
from itertools import product

from harness.base.messages import Path, Problem, shown
from harness.config import axes
from harness.config.models import Sweep
from harness.config.training.models import OF_RECIPES, Training
from harness.networks.costs import COSTS
from harness.networks.kinds import Choice
from harness.networks.remedies.normalisations import NORMALISATIONS
from harness.networks.remedies.residuals import RESIDUALS
from harness.networks.training import recipe

MAX_RUNS = 10**6  # of one sweep; beyond these it runs for weeks, or was mistyped


def training_spec(training: Training) -> recipe.Training:
    """What the engine takes: every recipe in the order of the product, and the steps that are recorded."""
    split, record = training.split, training.record
    combinations = product(*(axes.values(axis) for axis in training.axes().values()))
    recipes = (dict(zip(OF_RECIPES, values, strict=True)) for values in combinations)
    return recipe.Training(
        recipes=tuple(recipe.Recipe(**{**values, "optimiser": Choice(*values["optimiser"])}) for values in recipes),
        steps=training.steps,
        train=split.train,
        validation=split.validation,
        test=split.validation if split.test is None else split.test,
        recorded=recipe.recorded_steps(training.steps, record.times, record.spacing),
        reached=training.reached,
    )


def with_test_rows(training: Training | None, rows: int | None) -> Training | None:
    """The same block with the number of test rows written out. `rows`: of the data set, None if inputs are drawn."""
    if training is None:
        return None
    split = training.split
    rest = split.validation if rows is None else rows - split.train - split.validation
    return training.model_copy(update={"split": split.model_copy(update={"test": split.test or rest})})


def clashes(sweep: Sweep, rows: int | None) -> Iterator[Problem]:
    """Problems of the block with the cost and the data. `rows`: of the data set, None if inputs are drawn or unread."""
    training, cost, data = sweep.training, sweep.cost, sweep.data
    if training is None:
        return
    block, split = ("training",), training.split
    if COSTS[cost].fixed_start:
        yield Problem(("cost",), f"{cost} has no least value to train towards; use squared", reads=(block,))
    for i, entry in enumerate(training.batch):
        largest = max(axes.entry_values(entry))
        if largest > split.train:
            text = f"{largest} is more than the {split.train} rows that train; use {split.train} or less"
            yield Problem((*block, "batch", i), text, reads=((*block, "split"),))
    yield from _untrainable(sweep)
    yield from _too_small(sweep, training)
    if data.batch > split.train:
        text = f"{data.batch} samples are the probe, more than the {split.train} rows that train; use fewer"
        yield Problem(("data", "batch"), text, reads=((*block, "split"),))
    needed = split.train + split.validation + (split.test or 1)
    if rows is not None and needed > rows:
        text = f"needs {needed} rows, but {shown(data.inputs)} has {rows}; use fewer rows"
        yield Problem((*block, "split"), text, reads=(("data", "inputs"),))


def _untrainable(sweep: Sweep) -> Iterator[Problem]:
    """Problems of weights that a rule starts at 0 in some layers, and that could not leave it or would be untied."""
    why = {
        "weight_standardised": "keeps the variance that weights start with, 0 in the last layer of every branch",
        "tied": "has one W in all hidden layers, and the rule another in the last layer of every branch",
    }
    for case in sweep.cases_given():
        ruled = [name for name, _ in axes.values(case.axes["residual"]) if RESIDUALS[name]().by_rule]
        for key in (key for key in why if ruled and True in axes.values(case.axes[key])):
            text = f"{key} {why[key]} of residual: {ruled[0]}, which is not trained so; remove one of them, or training"
            yield Problem(case.paths[key], text, reads=(case.paths["residual"], ("training",)))


def _too_small(sweep: Sweep, training: Training) -> Iterator[Problem]:
    """A problem where minibatches are so small that normalising over them lets no gradient pass."""
    least = min(axes.values(training.batch))
    for case in sweep.cases_given():
        made = [NORMALISATIONS[name]() for name, _ in axes.values(case.axes["normalisation"])]
        if any(one.over == "batch" and least < one.least for one in made):
            text = f"{least} is too few samples for normalisation: batch, which lets no gradient pass; use 3 or more"
            yield Problem(("training", "batch"), text, reads=(case.paths["normalisation"],))
            return


def too_many_runs(sweep: Sweep) -> Iterator[Problem]:
    """A problem where networks times recipes are beyond reason."""
    if sweep.training is None:
        return
    networks = sweep.replicates * sum(case.at_most() for case in sweep.cases_given())
    runs = networks * math.prod(map(axes.at_most, sweep.training.axes().values()))
    if runs > MAX_RUNS:
        text = f"up to {runs:,} training runs, more than {MAX_RUNS:,}; use less, or give --allow-large"
        yield Problem(("training",), text)


def axes_of(training: Training | None) -> Iterator[tuple[Path, str, tuple]]:
    """The axes of the block with their places and names."""
    for key, axis in training.axes().items() if training else ():
        yield ("training", key), key, axis
