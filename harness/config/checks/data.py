"""Checks of the data of a sweep, and of what they demand of its networks, cost and number format."""

from collections.abc import Iterator, Mapping

import numpy as np

from harness.base.messages import Path, Problem, shown
from harness.config import axes, grid
from harness.config.models import NetworkAxes, Sweep, written_networks
from harness.networks.costs import COSTS
from harness.networks.data import digits
from harness.networks.files.dataset import Dataset, UnusableData
from harness.networks.files.load import file_digest, load_dataset

_TARGETS = ("data", "targets")


def read_dataset(sweep: Sweep) -> tuple[Dataset | None, list[Problem]]:
    """The rows that inputs are taken from, None if they are drawn, and the problems of a file."""
    spec = sweep.data_spec()
    if spec.inputs == "digits":
        return digits(), []
    if spec.path is None:
        return None, []
    try:
        dataset = load_dataset(spec.path, spec.keys)
    except UnusableData as error:
        return None, [Problem(("data", error.key), str(error))]
    digest = file_digest(spec.path)
    if spec.sha256 is not None and spec.sha256 != digest:
        text = f"{spec.sha256[:12]}… was recorded, {spec.path} has {digest[:12]}…; restore the file, or remove the key"
        return None, [Problem(("data", "inputs_sha256"), text, reads=(("data", "inputs"),))]
    return dataset, []


def clashes(sweep: Sweep, dataset: Dataset | None) -> Iterator[Problem]:
    """Problems of the data with other keys. `dataset`: None if inputs are drawn or were not read."""
    inputs, targets = ("data", "inputs"), _TARGETS
    yield from _cost_clashes(sweep)
    for key in ("inputs_sha256", "inputs_key", "labels"):
        if getattr(sweep.data, key) is not None and sweep.data.inputs in ("gaussian", "digits"):
            yield Problem(("data", key), "only a data file has one; remove it", reads=(inputs,))
    if sweep.data.targets == "labels" and (sweep.data.inputs == "gaussian" or (dataset and dataset.labels is None)):
        how = "digits, or a file with classes, and name their column or array: data: {labels: …}"
        text = f"labels, but {shown(sweep.data.inputs)} has none; use inputs: {how}"
        yield Problem(targets, text, reads=(inputs,))
    if dataset is None:
        return
    rows, features = dataset.inputs.shape
    if sweep.data.batch > rows:
        text = f"{sweep.data.batch} is more than the {rows} rows of {sweep.data.inputs}; use {rows} or less"
        yield Problem(("data", "batch"), text, reads=(inputs,))
    beyond = _beyond(dataset.inputs, sweep.dtype)
    if beyond is not None:
        yield Problem(
            ("dtype",), f"{sweep.dtype} cannot hold {beyond:.3g} of {sweep.data.inputs}; use float64", reads=(inputs,)
        )
    yield from _width_clashes(sweep, "input_width", features, f"{sweep.data.inputs} has {features} features", inputs)
    if sweep.data.targets == "labels":
        has = f"{sweep.data.inputs} has {dataset.classes} classes"
        yield from _width_clashes(sweep, "output_width", dataset.classes, has, targets)


def _cost_clashes(sweep: Sweep) -> Iterator[Problem]:
    cost, targets = COSTS[sweep.cost], sweep.data.targets
    if sweep.cost == "linear" and targets == "zeros":
        yield Problem(("cost",), "linear with targets: zeros has no gradient at all; use squared", reads=(_TARGETS,))
    elif targets not in cost.targets:
        text = f"{cost.name} has no meaning for targets: {targets}; use data: {{targets: {' or '.join(cost.targets)}}}"
        yield Problem(("cost",), text, reads=(_TARGETS,))
    if not cost.applies:
        return
    for place, network in written_networks(sweep):
        for i, output in enumerate(network.given().get("output", ())):
            if output != "linear":
                text = f"{output}, but {cost.name} applies {cost.applies} to a linear output itself; remove output"
                yield Problem((*place, "output", i), text, reads=(("cost",),))


def _beyond(values: np.ndarray, dtype: str) -> float | None:
    """A number that the format cannot hold: it would become infinite or zero. Subnormal numbers only lose digits."""
    limits = np.finfo(dtype)
    sizes = np.abs(values)
    outside = values[(sizes > float(limits.max)) | ((sizes < float(limits.smallest_subnormal)) & (sizes > 0))]
    return float(outside[0]) if len(outside) else None


def _width_clashes(sweep: Sweep, key: str, fixed: int, has: str, reads: Path) -> Iterator[Problem]:
    end = 0 if key == "input_width" else -1
    for place, network in written_networks(sweep):
        for i, shape in enumerate(network.given().get(grid.WIDTHS, ())):
            if shape and shape[end] != fixed:
                text = f"{shape[end]} at the {'inputs' if end == 0 else 'outputs'}, but {has}; write {fixed}"
                yield Problem((*place, grid.WIDTHS, i), text, reads=(reads,))
        for i, entry in enumerate(getattr(network, key) or ()):
            if entry not in (None, fixed):
                what = "a range" if isinstance(entry, axes.Range) else entry
                yield Problem((*place, key, i), f"{what}, but {has}; remove {key}", reads=(reads,))
            elif i:
                yield Problem((*place, key, i), f"comes twice: {has}; remove {key}", reads=(reads,))


def with_its_widths(sweep: Sweep, dataset: Dataset) -> Sweep:
    """The sweep with the widths that the data fix and the digest of the file, to be read later without the data."""
    widths = {"input_width": dataset.inputs.shape[1]}
    if sweep.data.targets == "labels" and dataset.labels is not None:
        widths["output_width"] = dataset.classes

    def fitted(network: NetworkAxes, given: Mapping) -> NetworkAxes:
        if grid.has_widths(network.given()):
            return network
        return network.model_copy(update={key: (width,) for key, width in widths.items() if key in given})

    path = sweep.data_spec().path
    digest = None if path is None else file_digest(path)
    return sweep.model_copy(
        update={
            "network": fitted(sweep.network, widths),
            "cases": tuple(fitted(case, case.given()) for case in sweep.cases),
            "data": sweep.data.model_copy(update={"inputs_sha256": digest}),
        }
    )
