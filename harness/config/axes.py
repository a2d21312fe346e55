"""Types of the axes of a sweep, for pydantic: a value, a list, a range, or a name with parameters.

Each checks and normalises: an axis becomes a tuple of entries, each a value, a `Range` or a `Chosen`; `values` expands
the tuple.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WrapValidator,
    create_model,
    model_validator,
)

from harness.base.messages import remedy, shown
from harness.config.value_types import (
    Accepts,
    Schema,
    Strict,
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
from harness.networks.activations import OneOf

MAX_STEPS = 10_000  # of one range

Parameters = tuple[tuple[str, float], ...]


# Ranges -------------------------------------------------------------------------------------------------------------


class Range(Strict):
    """`{from: 1, to: 1024, steps: 11, spacing: log}`: both ends are exact, whole numbers are rounded, none comes twice.

    Subclasses made by `_range_of` give both ends the type of their axis.
    """

    from_: float = Field(alias="from", description="The first value.")
    to: float = Field(description="The last value.")
    steps: Annotated[int, Accepts(whole("a number of steps", at_most=MAX_STEPS))] = Field(
        description="How many values, both ends included."
    )
    spacing: Annotated[str, Accepts(word("a spacing", ("linear", "log")))] = Field(
        "linear", description="Whether values differ by equal steps (linear, the default) or equal ratios (log)."
    )

    @model_validator(mode="after")
    def _has_two_ends(self) -> "Range":
        if self.from_ == self.to:
            raise complaint("from and to are equal; write the value instead of a range")
        if self.steps == 1:
            raise complaint("one step cannot hold both ends; use steps: 2 or more")
        if self.spacing == "log" and min(self.from_, self.to) <= 0:
            raise complaint("a range with spacing: log needs from and to above 0; use spacing: linear")
        return self

    def at_most(self) -> int:
        """An upper bound on the number of values, found without computing them."""
        if isinstance(self.from_, int) and isinstance(self.to, int):
            return min(self.steps, abs(self.to - self.from_) + 1)
        return self.steps

    def values(self) -> list[float]:
        """Every value, from the first to the last."""
        inner = [self._between(i / (self.steps - 1)) for i in range(1, self.steps - 1)]
        if isinstance(self.from_, int):
            inner = [math.floor(value + 0.5) for value in inner]
        return list(dict.fromkeys([self.from_, *inner, self.to]))

    def _between(self, t: float) -> float:
        if self.spacing == "log":
            value = math.exp(math.log(self.from_) * (1 - t) + math.log(self.to) * t)
        else:
            value = self.from_ * (1 - t) + self.to * t
        # 12 digits: the last bits of exp differ between machines, and which network it is must not.
        low, high = sorted((self.from_, self.to))
        return min(max(float(f"{value:.12g}"), low), high)


def _range_of(value: Type, name: str) -> type[Range]:
    return create_model(
        f"{name}_range",
        __base__=Range,
        from_=(value, Field(alias="from", description="The first value.")),
        to=(value, Field(description="The last value.")),
    )


# Axes ---------------------------------------------------------------------------------------------------------------


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
    kinds = _union([Annotated[single, Tag("<value>")], Annotated[_range_of(value, name), Tag("<range>")]])
    kind = Discriminator(lambda given: "<range>" if isinstance(given, dict | Range) else "<value>")
    return plain_axis(Annotated[kinds, kind])


class Chosen(Strict):
    """An activation or initialisation by name; each of its parameters is an axis."""

    defaults: ClassVar[Mapping[str, float]]  # of the parameters
    name: str

    def parameters(self) -> dict[str, tuple]:
        """The axis of each parameter, by its name."""
        return {key: getattr(self, key) for key in sorted(type(self).model_fields) if key != "name"}

    def written(self) -> dict[str, tuple]:
        """The axes as a config writes them: with defaults, except beside a parameter that takes the place of others."""
        given, defaults = self.parameters(), self.defaults
        in_place = any(defaults[key] is None and axis != (None,) for key, axis in given.items())
        return {key: axis for key, axis in given.items() if axis != ((defaults[key] if in_place else None),)}

    def values(self) -> Iterator[tuple[str, Parameters]]:
        """(name, parameters that differ from their defaults) for every combination."""
        given, defaults = self.parameters(), self.defaults
        for combination in product(*map(values, given.values())):
            pairs = zip(given, combination, strict=True)
            yield self.name, tuple((key, value) for key, value in pairs if value != defaults[key])


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


def choice_axis(kind: kinds.Named) -> Type:
    """The type of an axis of names in a table, one or a list, each alone or with parameters; synonyms are replaced."""
    what, table, built_in = kind.what, kind.table, frozenset(kind.table)

    def named(given: object) -> dict | Chosen:
        mapping = {"name": given} if isinstance(given, str) else given
        if isinstance(mapping, Chosen):
            return mapping
        if not isinstance(mapping, dict):
            raise complaint(f"{shown(given)} is not {what}; use a name or {{name: …, parameter: …}}")
        if "name" not in mapping:
            raise complaint(f"the mapping names no {what.split()[1]}; add name: {next(iter(table))}")
        name = mapping["name"]
        if not isinstance(name, str) or name not in {*table, *kind.synonyms}:
            written = " parameters are written {name: …, parameter: …}" if "(" in str(name) else ""
            raise complaint(f"{shown(name)} is not {what}; {remedy(name, table)}{written}")
        return {**mapping, "name": kind.synonyms.get(name, name)}

    def chosen(given: object, built_in_one: Callable[[object], object]) -> object:
        entry = named(given)
        name = entry["name"] if isinstance(entry, dict) else entry.name
        return built_in_one(entry) if name in built_in else _of_own(kind, entry)

    kinds = [Annotated[_chosen(kind, name), Tag(f"<{name}>")] for name in table]
    any_of: Type = _union(kinds)
    union = Annotated[
        any_of, Discriminator(lambda given: f"<{given['name'] if isinstance(given, dict) else given.name}>")
    ]
    names = {"enum": [*table, *kind.synonyms], "description": f"{what.capitalize()} with its default parameters."}
    return plain_axis(Annotated[union, WrapValidator(chosen), Schema(lambda schema: {"anyOf": [names, schema]})])


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


def _union(kinds: list[Type]) -> Type:
    union = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    return union


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
    optional = parameter.default is None
    default = "none" if optional else f"{parameter.default:g}"
    describe = Field((parameter.default,), description=f"Parameter of {name}; default {default}.")
    for metadata in getattr(parameter.annotation, "__metadata__", ()):
        if isinstance(metadata, OneOf):
            return plain_axis(one_number_of(what, metadata.numbers)), describe
    return numeric_axis(f"{name}_{parameter.name}", number(what), nullable=optional), describe


def parameter_names(factory: Callable) -> tuple[str, ...]:
    """The parameters that a config may give to an activation or initialisation."""
    return tuple(inspect.signature(factory).parameters)


# Expansion ----------------------------------------------------------------------------------------------------------


def values(axis: tuple) -> list:
    """Every value of an axis, in the order of the config."""
    return [value for entry in axis for value in entry_values(entry)]


def entry_values(entry: object) -> list:
    """The values of one entry of an axis."""
    return list(entry.values()) if isinstance(entry, Range | Chosen) else [entry]


def at_most(axis: tuple) -> int:
    """An upper bound on the number of values of an axis, found without computing them."""
    return sum(_entry_at_most(entry) for entry in axis)


def _entry_at_most(entry: object) -> int:
    if isinstance(entry, Range):
        return entry.at_most()
    return math.prod(map(at_most, entry.parameters().values())) if isinstance(entry, Chosen) else 1


def plain(axis: tuple) -> object:
    """An axis as a config writes it, with every default written out."""
    entries = [_plain_entry(entry) for entry in axis]
    return entries[0] if len(entries) == 1 else entries


def _plain_entry(entry: object) -> object:
    if isinstance(entry, Range):
        return {"from": entry.from_, "to": entry.to, "steps": entry.steps, "spacing": entry.spacing}
    if isinstance(entry, tuple):
        return list(entry)
    if isinstance(entry, Chosen):
        parameters = {key: plain(axis) for key, axis in entry.written().items()}
        return {"name": entry.name, **parameters} if parameters else entry.name
    return entry
