"""The JSON Schema of a config, for editors and for other programs."""

from typing import Any

from harness.config import axes
from harness.config.models import DEFAULT_AXES, Sweep


def json_schema() -> dict:
    """JSON Schema (draft 2020-12) of a config as a user writes it: values, lists, ranges, names with parameters."""
    schema = _without_titles(Sweep.model_json_schema(by_alias=True))
    for key, axis in schema["$defs"]["NetworkAxes"]["properties"].items():
        del axis["default"]  # that of the model, where None means not given
        if key in DEFAULT_AXES:
            axis["default"] = axes.plain(DEFAULT_AXES[key])
    for axis in schema["$defs"]["Training"]["properties"].values():
        if isinstance(axis.get("default"), list) and len(axis["default"]) == 1:
            (axis["default"],) = axis["default"]
    schema["required"].remove("name")  # a file has one
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A sweep of the gradient harness"}
    return {**head, **schema}


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without pydantic's titles, which repeat the keys."""
    return {key: _inner(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}


def _inner(value: object) -> object:
    if isinstance(value, list):
        return [_inner(item) for item in value]
    return _without_titles(value) if isinstance(value, dict) else value
