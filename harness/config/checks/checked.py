"""From a mapping to a checked sweep: the problems of single keys, then what concerns several."""

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any

from harness.base.messages import Path, Problem, related
from harness.config import grid
from harness.config.checks import data
from harness.config.checks.blocked import blocked
from harness.config.checks.wording import key_by_key
from harness.config.models import Sweep, placed, written_networks
from harness.config.training import recipes
from harness.networks.coordinates import BY_NAME, REQUIRED
from harness.networks.kinds import Named

MANY = 100  # problems; with more of them, what concerns several keys is not checked

# Values in place of required keys that are wrong or missing, so that the others can still be checked.
_STAND_INS = {name: BY_NAME[name].example if isinstance(BY_NAME[name].kind, Named) else 1 for name in REQUIRED}


def checked(mapping: dict, folder: FilePath, allow_large: bool, read_data: bool) -> tuple[Sweep | None, list[Problem]]:
    """The sweep, or every problem of the mapping. Sizes are counted before anything is expanded."""
    problems = _Problems(key_by_key(mapping))
    if len(problems.found) > MANY:
        return None, problems.found
    mapping = _without_wrong_keys(mapping, problems.found)
    sweep = Sweep.model_validate(mapping)
    for place, network in written_networks(sweep):
        problems.add(grid.given_twice(place, network.given()))
    problems.add(grid.missing(sweep.network.given(), _cases(sweep)))
    sweep = placed(Sweep.model_validate(_with_stand_ins(mapping, sweep)), folder)
    if not allow_large and _add_sizes(problems, sweep):
        return None, problems.found
    _add_refused_values(problems, sweep)
    sweep = _checked_with_data(problems, sweep, read_data)
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


def _cases(sweep: Sweep) -> list[grid.Axes]:
    return [case.given() for case in sweep.cases]


def _add_sizes(problems: _Problems, sweep: Sweep) -> bool:
    """Add what is too large to be expanded; returns whether anything is."""
    sizes = grid.too_large(sweep.network.given(), _cases(sweep), sweep.replicates, sweep.data.batch)
    return problems.add(sizes) or problems.add(recipes.too_many_runs(sweep))


def _add_refused_values(problems: _Problems, sweep: Sweep) -> None:
    """Add the values of axes that come twice, or that an activation, initialisation or optimiser refuses."""
    for place, network in written_networks(sweep):
        for key, axis in network.given().items():
            problems.add(grid.unusable((*place, key), key, axis))
    for place, key, axis in recipes.axes_of(sweep.training):
        problems.add(grid.unusable(place, key, axis))


def _checked_with_data(problems: _Problems, sweep: Sweep, read_data: bool) -> Sweep:
    """The sweep with what its data decide; adds what clashes with the data, the training or the remedies."""
    dataset, unreadable = data.read_dataset(sweep) if read_data else (None, [])
    rows = None if dataset is None else len(dataset.inputs)
    problems.add(unreadable)
    problems.add(data.clashes(sweep, dataset))
    problems.add(_too_deep(sweep))
    problems.add(recipes.clashes(sweep, rows))
    problems.add(blocked(sweep.cases_given(), sweep.data.batch))
    if dataset is not None:
        sweep = data.with_its_widths(sweep, dataset)
    if read_data:
        sweep = sweep.model_copy(update={"training": recipes.with_test_rows(sweep.training, rows)})
    return sweep


def _too_deep(sweep: Sweep) -> Iterator[Problem]:
    """A problem where the layers to record are beyond every network."""
    if isinstance(sweep.record_layers, tuple):
        first = sweep.record_layers[0]
        deepest = max(max(grid.depths(case)) for case in sweep.cases_given())
        if first > deepest:
            text = f"no network has layer {first}, the deepest has {deepest}; list layers up to that, or write all"
            yield Problem(("record_layers",), text, reads=(("network", "depth"),))


# What is left of a config that has problems --------------------------------------------------------------------------


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
    merged = grid.cases_of(sweep.network.given(), _cases(sweep))
    needed = {key: value for key, value in _STAND_INS.items() if any(key not in case.axes for case in merged)}
    return {**mapping, "network": {**mapping["network"], **needed}}
