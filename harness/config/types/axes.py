"""Types of the axes of a sweep, for pydantic: a value, a list, a range, or a name with parameters.

Each checks what a config gives and normalises it to a tuple of entries, which `harness.config.axes` describes.
"""

import inspect
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, WrapValidator, create_model

from harness.base.messages import remedy, shown
from harness.config.axes import Chosen, Range, parameter_names
from harness.config.types.values import (
    Schema,
    Type,
    complaint,
    flag,
    number,
    one_number_of,
    optional,
    whole,
    widths,
    word,
)
from harness.networks import kinds


def axis_of(coordinate: kinds.Coordinate) -> Type:
    """The type of a coordinate's axis."""
    kind = coordinate.kind
    if isinstance(kind, kinds.Named):
        return choice_axis(kind)
    if isinstance(kind, kinds.Word):
        return plain_axis(word(kind.what, kind.names))
    if isinstance(kind, kinds.Flag):
        return plain_axis(flag(kind.what))
    if isinstance(kind, kinds.Shape):
        return _shape_axis(optional(widths(kind.what, kind.most_layers)))
    if isinstance(kind, kinds.Whole):
        value = whole(kind.what)
    else:
        value = number(kind.what, kind.above, kind.at_least)
    return numeric_axis(coordinate.name, value, nullable=coordinate.null_from is not None)


def plain_axis(entry: Type) -> Type:
    """The type of an axis of one value or a list of values."""

    def entries(given: object) -> list | tuple:
        if not isinstance(given, list | tuple):
            return [given]
        if not given:
            raise complaint("an axis of zero length; give at least one value")
        return given

    listed: Type = tuple.__class_getitem__((entry, ...))
    return Annotated[
        listed,
        BeforeValidator(entries),
        Schema(lambda schema: {"anyOf": [schema["items"], {**schema, "minItems": 1}]}),
    ]


def _shape_axis(shape: Type) -> Type:
    """The type of an axis of one list of widths, or a list of such lists."""

    def listed(given: object) -> object:
        one = isinstance(given, list | tuple) and given and all(isinstance(width, int | float) for width in given)
        return [given] if one else given

    return Annotated[plain_axis(shape), BeforeValidator(listed)]


def numeric_axis(name: str, value: Type, nullable: bool = False) -> Type:
    """The type of an axis of one number, a range, or a list of both; `name` is the name of the key."""
    single = optional(value) if nullable else value
    either = _union([Annotated[single, Tag("<value>")], Annotated[_range_of(value, name), Tag("<range>")]])
    which = Discriminator(lambda given: "<range>" if isinstance(given, dict | Range) else "<value>")
    return plain_axis(Annotated[either, which])


def _range_of(value: Type, name: str) -> type[Range]:
    return create_model(
        f"{name}_range",
        __base__=Range,
        from_=(value, Field(alias="from", description="The first value.")),
        to=(value, Field(description="The last value.")),
    )


def choice_axis(kind: kinds.Named) -> Type:
    """The type of an axis of names in a table, one or a list, each alone or with parameters; synonyms are replaced."""
    built_in = frozenset(kind.table)

    def chosen(given: object, built_in_one: Callable[[object], object]) -> object:
        entry = _named(kind, given)
        name = entry["name"] if isinstance(entry, dict) else entry.name
        return built_in_one(entry) if name in built_in else _of_own(kind, entry)

    any_of: Type = _union([Annotated[_chosen(kind, name), Tag(f"<{name}>")] for name in kind.table])
    union = Annotated[
        any_of, Discriminator(lambda given: f"<{given['name'] if isinstance(given, dict) else given.name}>")
    ]
    names = {
        "enum": [*kind.table, *kind.synonyms],
        "description": f"{kind.what.capitalize()} with its default parameters.",
    }
    return plain_axis(Annotated[union, WrapValidator(chosen), Schema(lambda schema: {"anyOf": [names, schema]})])


def _named(kind: kinds.Named, given: object) -> dict | Chosen:
    """An entry as a mapping with a name of the table; one that was checked before stays as it is."""
    mapping = {"name": given} if isinstance(given, str) else given
    if isinstance(mapping, Chosen):
        return mapping
    if not isinstance(mapping, dict):
        raise complaint(f"{shown(given)} is not {kind.what}; use a name or {{name: …, parameter: …}}")
    if "name" not in mapping:
        raise complaint(f"the mapping names no {kind.what.split()[1]}; add name: {next(iter(kind.table))}")
    name = mapping["name"]
    if not isinstance(name, str) or name not in {*kind.table, *kind.synonyms}:
        written = " parameters are written {name: …, parameter: …}" if "(" in str(name) else ""
        raise complaint(f"{shown(name)} is not {kind.what}; {remedy(name, kind.table)}{written}")
    return {**mapping, "name": kind.synonyms.get(name, name)}


def _of_own(kind: kinds.Named, given: dict | Chosen) -> Chosen:
    """An entry of the user's own, which is in the table only while it is in force."""
    if isinstance(given, Chosen):
        return given
    try:
        return _chosen(kind, given["name"]).model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = next(str(part) for part in first["loc"] if not str(part).startswith("<"))
        known = parameter_names(kind.table[given["name"]])
        unknown = f"unknown parameter; {remedy(key, known) if known else 'it has none'}"
        text = unknown if first["type"] == "extra_forbidden" else first["msg"]
        raise complaint(f"{given['name']}: {key}: {text}") from None


def _union(types: list[Type]) -> Type:
    return reduce(or_, types)


def _chosen(kind: kinds.Named, name: str) -> type[Chosen]:
    table, names = kind.table, (name, *(other for other, ours in kind.synonyms.items() if ours == name))
    fields: dict[str, Any] = {"name": (Literal[names], Field(description=table[name]().summary))}
    for parameter in inspect.signature(table[name]).parameters.values():
        fields[parameter.name] = _parameter(name, parameter)
    model = create_model(name, __base__=Chosen, **fields)
    model.defaults = {p.name: p.default for p in inspect.signature(table[name]).parameters.values()}
    return model


def _parameter(name: str, parameter: inspect.Parameter) -> tuple[Any, Any]:
    what = f"{'an' if parameter.name[0] in 'aeiou' else 'a'} {parameter.name}"
    nullable = parameter.default is None
    default = "none" if nullable else f"{parameter.default:g}"
    describe = Field((parameter.default,), description=f"Parameter of {name}; default {default}.")
    for metadata in getattr(parameter.annotation, "__metadata__", ()):
        if isinstance(metadata, kinds.OneOf):
            return plain_axis(one_number_of(what, metadata.numbers)), describe
    return numeric_axis(f"{name}_{parameter.name}", number(what), nullable=nullable), describe
