"""From a mapping to a checked sweep: pydantic's errors in the harness's words, then what concerns several keys."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from pydantic import ValidationError

from harness.base.messages import Path, Problem, close_match, related, remedy, shown
from harness.config import axes, grid
from harness.config.models import Data, NetworkAxes, Sweep, Thresholds, placed
from harness.config.remedies.blocked import blocked
from harness.config.training import recipes
from harness.config.training.models import KEYS, MISSING
from harness.networks.coordinates import BY_NAME, PRODUCT_ORDER, REQUIRED
from harness.networks.costs import COSTS
from harness.networks.data import digits
from harness.networks.data_files import Dataset, UnusableData, file_digest, load_dataset
from harness.networks.kinds import Named

MANY = 100  # problems; with more of them, what concerns several keys is not checked

_KEYS = {
    "": tuple(Sweep.model_fields),
    "network": PRODUCT_ORDER,
    "cases": PRODUCT_ORDER,
    "data": tuple(Data.model_fields),
    "thresholds": tuple(Thresholds.model_fields),
    **KEYS,
    "<range>": ("from", "to", "steps", "spacing"),
}
_MISSING = {
    "name": "missing; a config that is no file needs one, such as name: depth",
    "network": f"missing; add it, with {', '.join(REQUIRED[:-1])} and {REQUIRED[-1]}",
    **dict.fromkeys(("from", "to", "steps"), "missing; a range needs from, to and steps"),
}
# Values in place of required keys that are wrong or missing, so that the others can still be checked.
_STAND_INS = {name: BY_NAME[name].example if isinstance(BY_NAME[name].kind, Named) else 1 for name in REQUIRED}


def checked(mapping: dict, folder: FilePath, allow_large: bool, read_data: bool) -> tuple[Sweep | None, list[Problem]]:
    """The sweep, or every problem of the mapping. Sizes are counted before anything is expanded."""
    problems = _Problems(_pydantic_problems(mapping))
    if len(problems.found) > MANY:
        return None, problems.found
    mapping = _without_wrong_keys(mapping, problems.found)
    sweep = Sweep.model_validate(mapping)
    cases = [case.given() for case in sweep.cases]
    for place, network in _written_networks(sweep):
        problems.add(grid.given_twice(place, network.given()))
    problems.add(grid.missing(sweep.network.given(), cases))
    sweep = placed(Sweep.model_validate(_with_stand_ins(mapping, sweep)), folder)
    if not allow_large and problems.add(
        grid.too_large(sweep.network.given(), cases, sweep.replicates, sweep.data.batch)
    ):
        return None, problems.found
    if not allow_large and problems.add(recipes.too_many_runs(sweep)):
        return None, problems.found
    for place, network in _written_networks(sweep):
        for key, axis in network.given().items():
            problems.add(grid.unusable((*place, key), key, axis))
    for place, key, axis in recipes.axes_of(sweep.training):
        problems.add(grid.unusable(place, key, axis))
    dataset, unreadable = _dataset(sweep) if read_data else (None, [])
    rows = None if dataset is None else len(dataset.inputs)
    problems.add(unreadable)
    problems.add(_clashes(sweep, dataset))
    problems.add(_too_deep(sweep))
    problems.add(recipes.clashes(sweep, rows))
    problems.add(blocked(sweep.cases_given(), sweep.data.batch))
    if dataset is not None:
        sweep = _fitted(sweep, dataset)
    if read_data:
        sweep = sweep.model_copy(update={"training": recipes.with_test_rows(sweep.training, rows)})
    problems.add(grid.repeated(sweep.cases_given()))
    return (None if problems.found else sweep), problems.found


class _Problems:
    """Problems in the order in which they are found, without those that only follow from others."""

    def __init__(self, found: list[Problem]) -> None:
        self.found = found
        self._wrong = [place for problem in found for place in (problem.path, *problem.reads)]

    def add(self, found: Iterable[Problem]) -> bool:
        """Take over the problems that touch no place where one is known; returns whether there were any."""
        fresh = [
            problem
            for problem in found
            if not any(related(place, bad) for place in (problem.path, *problem.reads) for bad in self._wrong)
        ]
        self.found.extend(fresh)
        self._wrong.extend(problem.path for problem in fresh)
        return bool(fresh)


def _written_networks(sweep: Sweep) -> list[tuple[Path, NetworkAxes]]:
    """The axes under `network` and those of each case, with their places."""
    return [(("network",), sweep.network), *((("cases", i), case) for i, case in enumerate(sweep.cases))]


# Pydantic's errors ---------------------------------------------------------------------------------------------------


def _pydantic_problems(mapping: dict) -> list[Problem]:
    try:
        Sweep.model_validate(mapping)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
    else:
        return []
    unknown = [_unknown_key(e["loc"], mapping) for e in errors if e["type"] == "extra_forbidden"]
    meant = {place for problem in unknown for place in problem.reads}
    others = [
        _problem(e, mapping)
        for e in errors
        if e["type"] != "extra_forbidden" and not (e["type"] == "missing" and actual(e["loc"], mapping) in meant)
    ]
    return unknown + list(dict.fromkeys(others))


def _problem(error: Mapping[str, Any], mapping: dict) -> Problem:
    path, kind = actual(error["loc"], mapping), error["type"]
    if kind == "plain":
        return Problem(path, error["msg"])
    if kind == "missing":
        return Problem(path, (MISSING if path[:-1] == ("training",) else _MISSING)[str(path[-1])])
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Problem(path, f"{shown(error['input'])} is not a mapping; write key: value")
    return Problem(path, error["msg"])


def _unknown_key(loc: Path, mapping: dict) -> Problem:
    """The problem of an unknown key; the key that was probably meant is then not reported as missing too."""
    level = next((part for part in reversed(loc[:-1]) if isinstance(part, str)), "")
    keys = _KEYS.get(level) or _parameters(level)
    path, key = (*actual(loc[:-1], mapping), loc[-1]), loc[-1]
    if (place := _elsewhere(key, level)) is not None:
        top = f"{key} stands at the top level, beside network"
        where = f"did you mean {'.'.join(place)!r}?" if len(place) > 1 else top
        return Problem(path, f"unknown key; {where}", at_key=True, reads=(place,))
    meant = close_match(key, keys)
    advice = f"{level.strip('<>')} has no parameters" if keys == ("name",) else remedy(key, keys)
    reads = ((*path[:-1], meant),) if meant is not None and meant not in _at(mapping, path[:-1]) else ()
    return Problem(path, f"unknown key; {advice}", at_key=True, reads=reads)


def _elsewhere(key: object, level: str) -> tuple[str, ...] | None:
    """The place of a key that was written at another level: `depth` is `network.depth`."""
    if level not in ("", "network", "data", "cases", "training"):
        return None
    places = [(other, key) if other else (key,) for other in ("", "network", "data") if key in _KEYS[other]]
    return places[0] if len(places) == 1 else None


def _at(written: Any, path: Path) -> Any:
    for part in path:
        written = written[part]
    return written


def _parameters(tag: str) -> tuple[str, ...]:
    name = tag.strip("<>")
    table = next(table for table in grid.TABLES.values() if name in table)
    return axes.parameter_names(table[name]) or ("name",)


def actual(path: Path, written: Any) -> Path:
    """The place in the config: without tags such as `<range>`, and without positions that normalising it added."""
    found: list[str | int] = []
    for part in path:
        if isinstance(part, int) and isinstance(written, list):
            written = written[part] if part < len(written) else None
        elif isinstance(part, str) and not part.startswith("<"):
            written = written.get(part) if isinstance(written, dict) else None
        else:
            continue
        found.append(part)
    return tuple(found)


# What is left of a config that has problems -------------------------------------------------------------------------


def _without_wrong_keys(mapping: dict, problems: list[Problem]) -> dict:
    """The mapping without the keys that are wrong, so that the rest can be checked in the same pass."""
    mended = copy.deepcopy(mapping)
    for problem in problems:
        keep = {"network": 2, "data": 2, "thresholds": 2, "cases": 3}.get(str(problem.path[0]), 1)
        _remove(mended, problem.path[:keep])
    return {"name": "unnamed", "network": {}, **mended} if problems else mended


def _remove(mapping: dict, path: Path) -> None:
    container: Any = mapping
    *parents, last = path
    for part in parents:
        container = container[part] if not isinstance(container, dict) or part in container else {}
    if isinstance(container, list) and isinstance(last, int):
        container[last] = {}  # a case that is no mapping
    elif isinstance(container, dict):
        container.pop(last, None)


def _with_stand_ins(mapping: dict, sweep: Sweep) -> dict:
    """The mapping with a value for each required key that is still needed."""
    merged = grid.cases_of(sweep.network.given(), [case.given() for case in sweep.cases])
    needed = {key: value for key, value in _STAND_INS.items() if any(key not in case.axes for case in merged)}
    return {**mapping, "network": {**mapping["network"], **needed}}


# Data and networks together -----------------------------------------------------------------------------------------


def _dataset(sweep: Sweep) -> tuple[Dataset | None, list[Problem]]:
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


_TARGETS = ("data", "targets")


def _clashes(sweep: Sweep, dataset: Dataset | None) -> Iterator[Problem]:
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
    for place, network in _written_networks(sweep):
        for i, output in enumerate(network.given().get("output", ())):
            if output != "linear":
                text = f"{output}, but {cost.name} applies {cost.applies} to a linear output itself; remove output"
                yield Problem((*place, "output", i), text, reads=(("cost",),))


def _too_deep(sweep: Sweep) -> Iterator[Problem]:
    """A problem where the layers to record are beyond every network."""
    if isinstance(sweep.record_layers, tuple):
        first = sweep.record_layers[0]
        deepest = max(max(grid.depths(case)) for case in sweep.cases_given())
        if first > deepest:
            text = f"no network has layer {first}, the deepest has {deepest}; list layers up to that, or write all"
            yield Problem(("record_layers",), text, reads=(("network", "depth"),))


def _beyond(values: np.ndarray, dtype: str) -> float | None:
    """A number that the format cannot hold: it would become infinite or zero. Subnormal numbers only lose digits."""
    limits = np.finfo(dtype)
    sizes = np.abs(values)
    outside = values[(sizes > float(limits.max)) | ((sizes < float(limits.smallest_subnormal)) & (sizes > 0))]
    return float(outside[0]) if len(outside) else None


def _width_clashes(sweep: Sweep, key: str, fixed: int, has: str, reads: Path) -> Iterator[Problem]:
    end = 0 if key == "input_width" else -1
    for place, network in _written_networks(sweep):
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


def _fitted(sweep: Sweep, dataset: Dataset) -> Sweep:
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
