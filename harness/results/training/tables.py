"""The two tables of the training runs of a block: `steps`, a row per run and recorded step, and `step_layers`.

Rows are ordered by network, replicate, recipe, step and layer. NaN is stored as null.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from harness.base.arrays import Array
from harness.engine.lanes.records import Records
from harness.engine.measures import MEASURES
from harness.engine.training.at_start import Run
from harness.engine.training.course import Snapshot
from harness.networks.coordinates import BY_NAME, ON_LAYERS
from harness.results.columns import STEP_LAYERS, STEPS, Column
from harness.results.tables import ARROW_TYPES, recorded

DIVERGED = "diverged"  # how the status of a run that left the number format begins
_OF_RECIPE = {"optimiser": pa.string(), "learning_rate": pa.float64(), "clip": pa.float64(), "batch": pa.int64()}


@dataclass(frozen=True)
class Row:
    """One run at one recorded step: its values in `steps`, and in `step_layers` with a value for each layer."""

    step: int
    reached: float
    status: str
    networks: dict[str, float]
    layers: dict[str, Array]


def rows_of(runs: Sequence[Run], snapshots: Iterable[Snapshot], start: Records) -> dict[str, list[Row]]:
    """The rows of every run, in the order of their steps. Step 0 has the numbers of the sweep without training."""
    rows: dict[str, list[Row]] = {run.key: [] for run in runs}
    for snapshot in snapshots:
        for place, i in enumerate(snapshot.runs):
            row = _row(snapshot, place)
            rows[runs[i].key].append(_as_drawn(row, runs[i], start) if snapshot.step == 0 else row)
    return rows


def step_tables(
    runs: Sequence[Run], rows: dict[str, list[Row]], record_layers: int | tuple[int, ...] | None, *, classes: bool
) -> tuple[pa.Table, pa.Table]:
    """Both tables of these runs. `record_layers` is that of the sweep; without `classes` there is no accuracy."""
    listed = [(run, row) for run in runs for row in rows[run.key]]
    index = _index(runs, np.array([len(rows[run.key]) for run in runs]))
    index |= {"step": pa.array([row.step for _, row in listed], pa.int64())}
    index |= {"reached": _numbers([row.reached for _, row in listed])}
    steps = index | {"status": _texts([row.status for _, row in listed])}
    names = [column.name for column in STEPS if column.name not in steps]
    steps |= {name: _numbers([_known(row, name, classes) for _, row in listed]) for name in names}
    layers = [recorded(run.spec.depth, record_layers) for run, _ in listed]
    repeats = pa.array(np.repeat(np.arange(len(listed)), [len(of_run) for of_run in layers]))
    step_layers: dict[str, Any] = {name: column.take(repeats) for name, column in index.items()}
    step_layers["layer"] = pa.array(np.concatenate(layers), pa.int64())
    for name in (column.name for column in STEP_LAYERS if column.name not in step_layers):
        values = [row.layers[name][of_run - 1] for (_, row), of_run in zip(listed, layers, strict=True)]
        step_layers[name] = _numbers(np.concatenate(values))
    return _table(steps, STEPS), _table(step_layers, STEP_LAYERS)


def _row(snapshot: Snapshot, place: int) -> Row:
    diverged = snapshot.diverged[place]
    status = f"{DIVERGED} at step {diverged}" if diverged else str(snapshot.status[place])
    known = np.nan if diverged else 1.0  # times a value
    networks = {name: float(values[place]) * known for name, values in snapshot.networks.items()}
    layers = {name: values[place] * known for name, values in snapshot.layers.items()}
    return Row(snapshot.step, snapshot.reached, status, networks, layers)


def _as_drawn(row: Row, run: Run, start: Records) -> Row:
    """A row of step 0 with the measures of the sweep without training, from the same draws."""
    n, i = start.specs.index(run.spec), run.replicate - start.replicates[0]
    layers = row.layers | {name: start.column_of(name, n)[i].copy() for name in MEASURES}
    delta = layers["log10_grad_preactivations"]
    networks = row.networks | {"log10_cost_probe": float(start.log10_cost[n, i])}
    with np.errstate(invalid="ignore"):
        networks["log10_gradient_gain"] = float(delta[0] - delta[-1]) if run.spec.depth > 1 else 0.0
    return Row(row.step, row.reached, str(start.status[n, i]), networks, layers)


def _index(runs: Sequence[Run], counts: Array) -> dict[str, pa.Array]:
    """The columns that say which run a row is of."""
    repeats = pa.array(np.repeat(np.arange(len(runs)), counts))
    columns = {
        "run": _texts([run.key for run in runs]),
        "network": _texts([run.spec.network(run.replicate) for run in runs]),
        "replicate": pa.array([run.replicate for run in runs], pa.int64()),
    }
    for name in ON_LAYERS:
        cells = [run.spec.cell(BY_NAME[name]) for run in runs]
        columns[name] = _encoded(pa.array(cells, ARROW_TYPES[BY_NAME[name].kind.dtype]))
    for name, type_ in _OF_RECIPE.items():
        cells = [getattr(run.recipe, name) for run in runs]
        columns[name] = _encoded(pa.array([getattr(cell, "label", cell) for cell in cells], type_))
    return {name: column.take(repeats) for name, column in columns.items()}


def _known(row: Row, name: str, classes: bool) -> float:
    return np.nan if name.startswith("accuracy") and not classes else row.networks[name]


def _numbers(values: Sequence[float] | Array) -> pa.Array:
    return pa.array(np.asarray(values, dtype=float), from_pandas=True)


def _texts(values: Sequence[str]) -> pa.Array:
    return _encoded(pa.array(values, pa.string()))


def _encoded(column: pa.Array) -> pa.Array:
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _table(arrays: dict[str, pa.Array], columns: Sequence[Column]) -> pa.Table:
    return pa.table({column.name: arrays[column.name] for column in columns})
