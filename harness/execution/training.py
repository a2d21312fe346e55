"""Train the networks of a block: from its records at the start to the tables of its training runs."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from harness.engine.lanes.groups import Settings
from harness.engine.lanes.records import Records
from harness.engine.training.at_start import runs_of, trained_together
from harness.engine.training.course import course
from harness.networks.training.recipe import Training
from harness.networks.training.split import draw_split
from harness.results.folder import STEP_LAYERS, STEPS
from harness.results.training.tables import Row, rows_of, step_tables


def train_block(settings: Settings, training: Training, records: Records) -> Mapping[str, pa.Table]:
    """Train every network of a block by every recipe. Returns {steps: …, step_layers: …}."""
    runs = runs_of(records.specs, records.replicates, training.recipes)
    dtype, seed = np.dtype(settings.dtype), settings.seed
    rows: dict[str, list[Row]] = {}
    for together in trained_together(runs, dtype):
        spec = together[0].spec
        widths = spec.input_width, spec.output_width
        drawn = sorted({run.replicate for run in together})
        splits = {i: draw_split(settings.data, training, seed, i, widths, dtype) for i in drawn}
        recorded = course(
            together, splits, training, seed, dtype, settings.cost, settings.data, settings.saturated_below
        )
        rows |= rows_of(together, recorded, records)
    classes = settings.data.targets == "labels"
    steps, step_layers = step_tables(runs, rows, settings.record_layers, classes=classes)
    return {STEPS: steps, STEP_LAYERS: step_layers}
