"""The JSON Schema of a config, for editors and for other programs."""

from harness.config.models import DEFAULT_AXES, Sweep


def json_schema() -> dict:
    """JSON Schema (draft 2020-12) of a config as a user writes it: values, lists, ranges, names with parameters."""
    schema = _untitled(Sweep.model_json_schema(by_alias=True))
    for key, axis in schema["$defs"]["NetworkAxes"]["properties"].items():
        del axis["default"]  # of the model, where None means not given
        if key in DEFAULT_AXES:
            axis["default"] = DEFAULT_AXES[key][0]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A sweep of the gradient harness"}
    return {**head, **schema}


def _untitled(schema: object) -> object:
    """Without pydantic's titles, which repeat the keys."""
    if isinstance(schema, dict):
        return {key: _untitled(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}
    return [_untitled(item) for item in schema] if isinstance(schema, list) else schema
