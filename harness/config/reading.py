"""From a file or a dict, with overrides, to a checked sweep; every problem with its place in the file."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from harness.base.errors import ConfigError
from harness.base.messages import Path, Problem, shown, where
from harness.config import yaml_positions
from harness.config.checks.checked import MANY, checked
from harness.config.checks.wording import actual
from harness.config.models import Sweep, located
from harness.config.types.text import WORD

_KEY = re.compile(r"[^.\[\]=\s]+(\[[0-9]{1,6}\]|\.[^.\[\]=\s]+)*")


@dataclass(frozen=True, order=True)
class _Mark:
    """The place that a message begins with, and its rank in the order of the messages."""

    rank: tuple[int, int, int]
    label: str


@dataclass
class _Source:
    """A config as written, with the places of its keys and values."""

    data: Any
    label: str = ""  # of the whole, such as the file's name
    values: dict[Path, _Mark] = field(default_factory=dict)
    keys: dict[Path, _Mark] = field(default_factory=dict)
    problems: list[tuple[_Mark, str]] = field(default_factory=list)

    def mark(self, problem: Problem) -> _Mark:
        """The place of a problem: that of its value or key, or else of the nearest key around it."""
        path = problem.path
        if path in self.values and not problem.at_key:
            return self.values[path]
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        return self.keys.get(path) or self.values.get(path) or _Mark((0, 0, 0), self.label)


def read(
    given: str | os.PathLike | Mapping[str, Any],
    overrides: Sequence[str] = (),
    replicates: int | None = None,
    allow_large: bool = False,
) -> Sweep:
    """The sweep that a file or a dict describes. Raises ConfigError with every problem."""
    if not isinstance(given, str | os.PathLike | Mapping):
        raise ConfigError(f"{shown(given)} is no config; give the path of a YAML file, or a dict with its keys")
    if isinstance(overrides, str):
        raise ConfigError(f"overrides: {shown(overrides)} is not a list; write [{shown(overrides)}]")
    if other := [override for override in overrides if not isinstance(override, str)]:
        raise ConfigError(f"overrides: {shown(other[0])} is not KEY=VALUE; write for example 'network.width=64'")
    if replicates is not None:
        overrides = [*overrides, f"replicates={replicates}"]
    if isinstance(given, Mapping):
        return from_mapping(given, overrides=overrides, allow_large=allow_large)
    return read_file(FilePath(given), overrides, allow_large)


def read_file(
    path: str | FilePath,
    overrides: Sequence[str] = (),
    allow_large: bool = False,
    *,
    folder: FilePath | None = None,
    read_data: bool = True,
) -> Sweep:
    """The sweep that a YAML file describes, after overrides such as `network.width=64`.

    Relative data paths start from `folder`, by default that of the file. `read_data=False` does not open the data file;
    it is for a config as run, which records what follows from the data. Raises ConfigError with every problem.
    """
    source = _document(_content(FilePath(path)), str(path))
    if isinstance(source.data, dict):
        source.data.setdefault("name", FilePath(path).stem)
    return _sweep(source, overrides, FilePath(path).parent if folder is None else folder, allow_large, read_data)


def experiment_named(
    given: str | os.PathLike | Mapping[str, Any], overrides: Sequence[str] = ()
) -> tuple[str, FilePath, str] | None:
    """The experiment that a config names, the config's folder and the place of the key, before anything is checked.

    None where there is no such name, or none can be read; `read` then says why.
    """
    try:
        source = (
            _Source(_plain(given)) if isinstance(given, Mapping) else _document(_content(FilePath(given)), str(given))
        )
        for rank, override in enumerate(overrides):
            _override(source, override, rank)
        name = source.data["experiment"]
    except (ConfigError, TypeError, KeyError, AttributeError):
        return None
    if not isinstance(name, str) or not re.fullmatch(WORD, name):
        return None
    mark = source.values.get(("experiment",))
    place = f"{mark.label}: experiment" if mark and mark.label else "experiment"
    return name, FilePath(".") if isinstance(given, Mapping) else FilePath(given).parent, place


def from_mapping(
    mapping: Mapping[str, Any],
    folder: FilePath = FilePath("."),
    overrides: Sequence[str] = (),
    allow_large: bool = False,
) -> Sweep:
    """The sweep that a dict describes, checked as a file is. Raises ConfigError with every problem."""
    return _sweep(_Source(_plain(mapping)), overrides, FilePath(folder), allow_large, True)


def _sweep(source: _Source, overrides: Sequence[str], folder: FilePath, allow_large: bool, read_data: bool) -> Sweep:
    if not isinstance(source.data, dict):
        problem = Problem((), f"{shown(source.data)}, not a mapping; a sweep begins with name: …")
        raise ConfigError(*_lines(source, [problem]))
    for rank, override in enumerate(overrides):
        _override(source, override, rank)
    sweep, problems = checked(source.data, folder, allow_large, read_data)
    lines = _lines(source, problems)
    if sweep is None or lines:
        raise ConfigError(*lines)
    return located(
        sweep,
        {
            where(path): mark.label
            for path, mark in source.values.items()
            if path and path[0] in ("experiment", "figures")
        },
    )


def _lines(source: _Source, problems: Sequence[Problem]) -> list[str]:
    """A line for each problem, in the order of the file."""
    found = list(source.problems)
    for problem in problems:
        path = problem.path if problem.at_key else actual(problem.path, source.data)
        problem = Problem(path, problem.text, problem.at_key)
        found.append((source.mark(problem), str(problem)))
    ordered = sorted(found, key=lambda entry: entry[0])
    lines = list(dict.fromkeys(f"{mark.label}: {text}" if mark.label else text for mark, text in ordered))
    return lines if len(lines) <= MANY else [*lines[:MANY], f"… and {len(lines) - MANY} more"]


# A file -------------------------------------------------------------------------------------------------------------


def _content(path: FilePath) -> bytes:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ValueError("not a file")  # a pipe without a writer would be waited for
        with path.open("rb") as file:
            return file.read(yaml_positions.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}; give the path of a YAML file") from None


def _document(content: bytes, name: str) -> _Source:
    document = yaml_positions.read(content)

    def marks(places: Mapping[Path, tuple[int, int]]) -> dict[Path, _Mark]:
        return {path: _Mark((0, *place), f"{name}:{place[0]}:{place[1]}") for path, place in places.items()}

    faults = [
        (_Mark((0, f.line, f.column), f"{name}:{f.line}:{f.column}"), str(Problem(f.path, f.text)))
        for f in document.faults
    ]
    source = _Source(document.data, name, marks(document.values), marks(document.keys), faults)
    if not document.readable:
        raise ConfigError(*_lines(source, []))
    return source


# Overrides ----------------------------------------------------------------------------------------------------------


def _override(source: _Source, override: str, rank: int) -> None:
    """Apply an override such as `network.width=64`; its problems are recorded with the others."""
    mark = _Mark((1, rank, 0), f"--set {override if override.isprintable() else ascii(override)}"[:200])
    key, equals, value = override.partition("=")
    if not equals or not _KEY.fullmatch(key):
        source.problems.append((mark, "not KEY=VALUE; write for example network.width=64"))
        return
    document = yaml_positions.read(value.encode("utf-8", "surrogateescape")) if value.strip() else None
    if document and document.faults:
        source.problems += [(mark, f"{key}: {fault.text}") for fault in document.faults]
        return
    path = tuple(int(part) if bracket else part for bracket, part in re.findall(r"(\[)?([^.\[\]]+)", key))
    _set(source, path, document.data if document else None, mark)


def _set(source: _Source, path: Path, value: object, mark: _Mark) -> None:
    """Set the value at a path, and record the override as the place of what it sets."""
    container = source.data
    for depth, part in enumerate(path[:-1], start=1):
        if isinstance(container, dict) and isinstance(part, str) and part not in container:
            container[part] = {}
            source.values[path[:depth]] = source.keys[path[:depth]] = mark
        elif not _holds(container, part):
            return _refuse(source, path[:depth], mark)
        container = container[part]
    if not _holds(container, path[-1]) and not (isinstance(container, dict) and isinstance(path[-1], str)):
        return _refuse(source, path, mark)
    container[path[-1]] = value
    for marks in (source.values, source.keys):
        for stale in [place for place in marks if place[: len(path)] == path]:
            del marks[stale]
        marks[path] = mark
    return None


def _holds(container: object, part: str | int) -> bool:
    if isinstance(container, list):
        return isinstance(part, int) and part < len(container)
    return isinstance(container, dict) and part in container


def _refuse(source: _Source, path: Path, mark: _Mark) -> None:
    source.problems.append((mark, str(Problem(path, f"there is no such place; set {where(path[:-1])} as a whole"))))


# A dict -------------------------------------------------------------------------------------------------------------


def _plain(value: object, depth: int = 0) -> object:
    """Tuples, arrays, numpy's scalars and paths as YAML would give them."""
    if depth > yaml_positions.MAX_DEPTH:
        raise ConfigError(f"nested more than {yaml_positions.MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), depth + 1)
    if isinstance(value, list | tuple | range):
        return [_plain(inner, depth + 1) for inner in value]
    return str(value) if isinstance(value, FilePath) else value
