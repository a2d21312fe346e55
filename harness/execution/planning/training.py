"""The work and the memory of the training runs of a block, on top of those of its passes without training."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from harness.engine.lanes.groups import Block, Settings
from harness.engine.training.at_start import MOST_TOGETHER, TOGETHER_BYTES, Run, runs_of
from harness.networks.spec import NetworkSpec
from harness.networks.training.recipe import Recipe, Training
from harness.results.columns import STEP_LAYERS

ELEMENTWISE = 120  # multiplications a number takes in one layer of a step, forward and backward: 6 ns, measured
REMEDIED = 4  # times as much in a layer with a normalisation or a skip, measured
UPDATED = {"sgd": 25, "momentum": 45, "adam": 110}  # a weight takes in one step: 1 to 5 ns, measured
STANDARDISED = 130  # more for a weight that is standardised: 8 ns, measured
EVALUATED = 120  # a number takes in one layer forward, as in cost.py
ROW = 25_000  # a row of `step_layers`
LARGEST = 110  # an optimiser that is not listed


def training_work(block: Block, settings: Settings) -> float:
    """Work of a block's training runs, in multiplications as in cost.py."""
    training = settings.training
    if training is None:
        return 0
    one_replicate = sum(
        training.steps * _step(spec, recipe) + len(training.recorded) * _snapshot(spec, training)
        for spec in block.specs
        for recipe in training.recipes
    )
    return len(block.replicates) * one_replicate


def replicates_together(specs: Sequence[NetworkSpec], settings: Settings) -> int:
    """Replicates whose runs of one shape are as many as are trained together; 0 without training."""
    if settings.training is None:
        return 0
    shapes = Counter(run.shape for run in runs_of(specs, range(1), settings.training.recipes))
    return -(-MOST_TOGETHER // max(shapes.values()))


def training_bytes(block: Block, settings: Settings) -> int:
    """Bytes of the runs that are trained together, of their data, and of the tables of all runs of a block."""
    training, itemsize = settings.training, np.dtype(settings.dtype).itemsize
    if training is None:
        return 0
    largest = max(
        Run(spec, 0, recipe).bytes(np.dtype(settings.dtype)) for spec in block.specs for recipe in training.recipes
    )
    first = block.specs[0]
    widths = first.input_width + max(spec.output_width for spec in block.specs)
    replicates = min(len(block.replicates), MOST_TOGETHER)
    data = 3 * replicates * training.rows * widths * itemsize  # as drawn, in float64, and split
    widest = max(max(spec.fans(k)) for spec in block.specs for k in range(spec.depth))
    arrays = 8 if any(spec.normalised for spec in block.specs) else 4  # of a layer, and of what normalises it
    forward = arrays * max(training.train, training.validation, training.test) * widest * itemsize
    table = 3 * 8 * len(STEP_LAYERS) * step_rows(block, settings)
    return max(2 * largest, TOGETHER_BYTES) + data + forward + table


def step_rows(block: Block, settings: Settings) -> int:
    """Rows of `step_layers`, at most: rows where a cost is reached are counted as if every run reached it."""
    training = settings.training
    if training is None:
        return 0
    times = len(training.recorded) + len(training.reached)
    return len(block.replicates) * len(training.recipes) * times * sum(spec.depth for spec in block.specs)


def _step(spec: NetworkSpec, recipe: Recipe) -> float:
    """One step of one run: three products, the numbers of every layer, and the update of every weight."""
    fans = [spec.fans(k) for k in range(spec.depth)]
    weights, units = sum(i * o for i, o in fans), sum(o for _, o in fans)
    products, updates = 3 * recipe.batch * weights, UPDATED.get(recipe.optimiser.name, LARGEST) * weights
    updates += STANDARDISED * weights if spec.weight_standardised else 0
    elementwise = ELEMENTWISE * (REMEDIED if spec.normalised or spec.residual.name != "none" else 1)
    return products + updates + recipe.batch * elementwise * units


def _snapshot(spec: NetworkSpec, training: Training) -> float:
    """One snapshot of one run: forward for all rows of the data."""
    fans = [spec.fans(k) for k in range(spec.depth)]
    return training.rows * sum(i * o + EVALUATED * o for i, o in fans) + ROW * spec.depth
