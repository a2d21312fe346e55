"""Pydantic's errors in the harness's words, each with its place in the config."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from harness.base.messages import Path, Problem, close_match, remedy, shown
from harness.config import axes, grid
from harness.config.models import Data, Sweep, Thresholds
from harness.config.training.models import KEYS, MISSING
from harness.networks.coordinates import PRODUCT_ORDER, REQUIRED

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


def key_by_key(mapping: dict) -> list[Problem]:
    """The problems of single keys, unknown and missing ones among them."""
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
