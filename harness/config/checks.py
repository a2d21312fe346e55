"""A mapping to a sweep: pydantic's findings in the harness's words, then what no single key can tell."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

import numpy as np
from pydantic import ValidationError

from harness import axes, grid
from harness.activations import ACTIVATIONS
from harness.config.models import Data, NetworkAxes, Sweep, Thresholds, placed
from harness.data import Dataset, digits, file_digest, load_dataset
from harness.inits import INITS
from harness.problems import Path, Problem, close_match, related, remedy, shown

MANY = 100  # problems; with more of them, what follows from several keys is not looked into

_KEYS = {
    "": tuple(Sweep.model_fields), "network": grid.ORDER, "cases": grid.ORDER, "data": tuple(Data.model_fields),
    "thresholds": tuple(Thresholds.model_fields), "<range>": ("from", "to", "steps", "spacing")}  # fmt: skip
_MISSING = {
    "name": "missing; add it, such as name: depth",
    "network": "missing; add it, with activation, init, depth and width",
    **dict.fromkeys(("from", "to", "steps"), "missing; a range needs from, to and steps")}  # fmt: skip
# What stands in for a key that is wrong or missing, so that the others can still be checked.
_STAND_INS = {"activation": "relu", "init": "he_normal", "depth": 1, "width": 1}


def checked(mapping: dict, folder: FilePath, allow_large: bool, read_data: bool) -> tuple[Sweep | None, list[Problem]]:
    """The sweep, or every problem there is. Sizes are counted before anything is expanded."""
    problems = _findings(mapping)
    if len(problems) > MANY:
        return None, problems
    wrong = [place for problem in problems for place in (problem.path, *problem.reads)]

    def note(found: Iterator[Problem]) -> bool:
        fresh = [p for p in found if not any(related(place, bad) for place in (p.path, *p.reads) for bad in wrong)]
        problems.extend(fresh)
        wrong.extend(p.path for p in fresh)
        return bool(fresh)

    mapping = _mended(mapping, problems)
    sweep = Sweep.model_validate(mapping)
    own = [case.given() for case in sweep.cases]
    note(grid.missing(sweep.network.given(), own))
    sweep = Sweep.model_validate(_complete(mapping, sweep))
    if not allow_large and note(grid.too_large(sweep.network.given(), own, sweep.replicates, sweep.data.batch)):
        return None, problems
    for place, network in ((("network",), sweep.network), *((("cases", i), c) for i, c in enumerate(sweep.cases))):
        for key, axis in network.given().items():
            note(grid.unusable((*place, key), key, axis))
    sweep = placed(sweep, folder)
    dataset, found = _dataset(sweep) if read_data else (None, [])
    note(found)
    note(_clashes(sweep, dataset))
    note(_too_deep(sweep))
    if dataset is not None:
        sweep = _fitted(sweep, dataset)
    note(grid.repeated(sweep.cases_given()))
    return (None if problems else sweep), problems


# Pydantic's findings ------------------------------------------------------------------------------------------------


def _findings(mapping: dict) -> list[Problem]:
    try:
        Sweep.model_validate(mapping)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
    else:
        return []
    unknown = [_unknown_key(e["loc"], mapping) for e in errors if e["type"] == "extra_forbidden"]
    meant = {place for problem in unknown for place in problem.reads}
    others = (_finding(e, mapping) for e in errors if e["type"] != "extra_forbidden")
    return unknown + [p for p in dict.fromkeys(others) if p.path not in meant]


def _finding(error: Mapping, mapping: dict) -> Problem:
    path, kind = actual(error["loc"], mapping), error["type"]
    if kind == "plain":
        return Problem(path, error["msg"])
    if kind == "missing":
        return Problem(path, _MISSING[path[-1]])
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Problem(path, f"{shown(error['input'])} is not a mapping; write key: value")
    return Problem(path, error["msg"])


def _unknown_key(loc: Path, mapping: dict) -> Problem:
    """`reads` names the key that was probably meant, where it is absent: it is not reported as missing too."""
    level = next((part for part in reversed(loc[:-1]) if isinstance(part, str)), "")
    keys = _KEYS.get(level) or _parameters(level)
    path, key = (*actual(loc[:-1], mapping), loc[-1]), loc[-1]
    meant = close_match(key, keys)
    advice = f"{level.strip('<>')} has no parameters" if keys == ("name",) else remedy(key, keys)
    absent = meant is not None and meant not in _at(mapping, path[:-1])
    return Problem(path, f"unknown key; {advice}", at_key=True, reads=((*path[:-1], meant),) if absent else ())


def _at(written: object, path: Path) -> object:
    for part in path:
        written = written[part]
    return written


def _parameters(tag: str) -> tuple[str, ...]:
    name = tag.strip("<>")
    table = ACTIVATIONS if name in ACTIVATIONS else INITS
    return axes.parameter_names(table[name]) or ("name",)


def actual(path: Path, written: object) -> Path:
    """The place in what was written: without the tags, `<range>`, and positions that normalising it added."""
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


def _mended(mapping: dict, problems: list[Problem]) -> dict:
    """Without the keys that are wrong, so that the rest can be checked in the same pass."""
    mended = copy.deepcopy(mapping)
    for problem in problems:
        keep = {"network": 2, "data": 2, "thresholds": 2, "cases": 3}.get(problem.path[0], 1)
        _remove(mended, problem.path[:keep])
    return {"name": "unnamed", "network": {}, **mended} if problems else mended


def _remove(container: object, path: Path) -> None:
    *parents, last = path
    for part in parents:
        container = container[part] if isinstance(container, list) or part in container else {}
    if isinstance(container, list):
        container[last] = {}  # a case that is no mapping
    elif isinstance(container, dict):
        container.pop(last, None)


def _complete(mapping: dict, sweep: Sweep) -> dict:
    absent = {key: value for key, value in _STAND_INS.items() if getattr(sweep.network, key) is None}
    needed = {k: v for k, v in absent.items() if not sweep.cases or any(k not in c.given() for c in sweep.cases)}
    return {**mapping, "network": {**mapping["network"], **needed}}


# Data and networks together -----------------------------------------------------------------------------------------


def _dataset(sweep: Sweep) -> tuple[Dataset | None, list[Problem]]:
    """The rows the inputs come from, unless they are drawn; a file must be the one recorded."""
    spec = sweep.data_spec()
    if spec.inputs == "digits":
        return digits(), []
    if spec.path is None:
        return None, []
    try:
        dataset = load_dataset(spec.path)
    except ValueError as error:
        return None, [Problem(("data", "inputs"), str(error))]
    digest = file_digest(spec.path)
    if spec.sha256 not in (None, digest):
        text = f"{spec.sha256[:12]}… was recorded, {spec.path} has {digest[:12]}…; restore the file, or remove the key"
        return None, [Problem(("data", "inputs_sha256"), text, reads=(("data", "inputs"),))]
    return dataset, []


def _clashes(sweep: Sweep, dataset: Dataset | None) -> Iterator[Problem]:
    inputs, targets = ("data", "inputs"), ("data", "targets")
    if sweep.cost == "linear" and sweep.data.targets == "zeros":
        yield Problem(("cost",), "linear with targets: zeros has no gradient at all; use squared", reads=(targets,))
    if sweep.data.inputs_sha256 is not None and sweep.data.inputs in ("gaussian", "digits"):
        yield Problem(("data", "inputs_sha256"), "only a data file has one; remove it", reads=(inputs,))
    if sweep.data.targets == "labels" and (sweep.data.inputs == "gaussian" or (dataset and dataset.labels is None)):
        how = "digits, or a file with classes: integers in a column label (.csv, .parquet), an array labels (.npz)"
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
        yield Problem(("dtype",), f"{sweep.dtype} cannot hold {beyond:.3g} of {sweep.data.inputs}; use float64",
                      reads=(inputs,))  # fmt: skip
    yield from _width_clashes(sweep, "input_width", features, f"{sweep.data.inputs} has {features} features", inputs)
    if sweep.data.targets == "labels":
        has = f"{sweep.data.inputs} has {dataset.classes} classes"
        yield from _width_clashes(sweep, "output_width", dataset.classes, has, targets)


def _too_deep(sweep: Sweep) -> Iterator[Problem]:
    """Layers to record that no network has."""
    if isinstance(sweep.record_layers, tuple):
        first = sweep.record_layers[0]
        deepest = max(max(axes.values(case.axes["depth"])) for case in sweep.cases_given())
        if first > deepest:
            text = f"no network has layer {first}, the deepest has {deepest}; list layers up to that, or write all"
            yield Problem(("record_layers",), text, reads=(("network", "depth"),))


def _beyond(values: np.ndarray, dtype: str) -> float | None:
    """A number that the format would make infinite, or zero; a few subnormal ones lose digits and stay."""
    limits = np.finfo(dtype)
    sizes = np.abs(values)
    outside = values[(sizes > float(limits.max)) | ((sizes < float(limits.smallest_subnormal)) & (sizes > 0))]
    return float(outside[0]) if len(outside) else None


def _width_clashes(sweep: Sweep, key: str, fixed: int, has: str, reads: Path) -> Iterator[Problem]:
    for place, network in ((("network",), sweep.network), *((("cases", i), c) for i, c in enumerate(sweep.cases))):
        for i, entry in enumerate(getattr(network, key) or ()):
            if entry not in (None, fixed):
                what = "a range" if isinstance(entry, axes.Range) else entry
                yield Problem((*place, key, i), f"{what}, but {has}; remove {key}", reads=(reads,))
            elif i:
                yield Problem((*place, key, i), f"comes twice: {has}; remove {key}", reads=(reads,))


def _fitted(sweep: Sweep, dataset: Dataset) -> Sweep:
    """With the widths the data fix, and the digest of the file: the config as run needs no look at the data."""
    widths = {"input_width": dataset.inputs.shape[1]}
    if sweep.data.targets == "labels" and dataset.labels is not None:
        widths["output_width"] = dataset.classes

    def fitted(network: NetworkAxes, given: Mapping) -> NetworkAxes:
        return network.model_copy(update={key: (width,) for key, width in widths.items() if key in given})

    path = sweep.data_spec().path
    digest = None if path is None else file_digest(path)
    return sweep.model_copy(update={
        "network": fitted(sweep.network, widths),
        "cases": tuple(fitted(case, case.given()) for case in sweep.cases),
        "data": sweep.data.model_copy(update={"inputs_sha256": digest})})  # fmt: skip
