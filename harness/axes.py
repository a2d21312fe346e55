"""What may stand at a key of a sweep: a value, a list, a range, or a name with parameters; as pydantic types.

A type made here checks and normalises: an axis becomes a tuple of entries, each a value, a `Range` or a `Chosen`;
`values` expands it.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BeforeValidator, Discriminator, Field, Tag, create_model, model_validator

from harness.problems import remedy, shown
from harness.value_types import Schema, Strict, complaint, number, one_number_of, optional, whole, word

MAX_STEPS = 10_000  # of one range

Parameters = tuple[tuple[str, float], ...]


# Ranges -------------------------------------------------------------------------------------------------------------


class Range(Strict):
    """`{from: 1, to: 1024, steps: 11, spacing: log}`: both ends exact; whole numbers rounded; each value once."""

    steps: whole("a number of steps", at_most=MAX_STEPS) = Field(description="How many values, both ends included.")
    spacing: word("a spacing", ("linear", "log")) = Field(
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
        """A bound on the number of values, without making them."""
        return min(self.steps, abs(self.to - self.from_) + 1) if isinstance(self.from_, int) else self.steps

    def values(self) -> list[float]:
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


def _range_of(value: Any, name: str) -> type[Range]:
    return create_model(
        f"{name}_range", __base__=Range,
        from_=(value, Field(alias="from", description="The first value.")),
        to=(value, Field(description="The last value.")))  # fmt: skip


# Axes ---------------------------------------------------------------------------------------------------------------


def plain_axis(entry: Any) -> Any:
    """One value, or a list."""

    def entries(given: object) -> list | tuple:
        if not isinstance(given, list | tuple):
            return [given]
        if not given:
            raise complaint("an axis of zero length; give at least one value")
        return given

    return Annotated[
        tuple[entry, ...], BeforeValidator(entries),
        Schema(lambda schema: {"anyOf": [schema["items"], {**schema, "minItems": 1}]})]  # fmt: skip


def numeric_axis(name: str, value: Any, nullable: bool = False) -> Any:
    """One number, a range, or a list of both; `name` is the key's."""
    single = optional(value) if nullable else value
    kinds = Annotated[
        Annotated[single, Tag("<value>")] | Annotated[_range_of(value, name), Tag("<range>")],
        Discriminator(lambda given: "<range>" if isinstance(given, dict | Range) else "<value>")]  # fmt: skip
    return plain_axis(kinds)


class Chosen(Strict):
    """An activation or initialisation by name; each of its parameters is an axis."""

    table: ClassVar[Mapping[str, Callable]]
    name: str

    def parameters(self) -> dict[str, tuple]:
        return {key: getattr(self, key) for key in sorted(type(self).model_fields) if key != "name"}

    def values(self) -> Iterator[tuple[str, Parameters]]:
        """(name, parameters other than the defaults) of every combination."""
        defaults = _defaults(self.table[self.name])
        given = self.parameters()
        for combination in product(*map(values, given.values())):
            pairs = zip(given, combination, strict=True)
            yield self.name, tuple((key, value) for key, value in pairs if value != defaults[key])


def choice_axis(what: str, table: Mapping[str, Callable]) -> Any:
    """A name of `table`, a mapping of a name and its parameters, or a list of both; `what` it is, with its article."""

    def named(given: object) -> object:
        mapping = {"name": given} if isinstance(given, str) else given
        if isinstance(mapping, Chosen):
            return mapping
        if not isinstance(mapping, dict):
            raise complaint(f"{shown(given)} is not {what}; use a name or {{name: …, parameter: …}}")
        if "name" not in mapping:
            raise complaint(f"the mapping names no {what.split()[1]}; add name: {next(iter(table))}")
        name = mapping["name"]
        if not isinstance(name, str) or name not in table:
            written = " parameters are written {name: …, parameter: …}" if "(" in str(name) else ""
            raise complaint(f"{shown(name)} is not {what}; {remedy(name, table)}{written}")
        return mapping

    kinds = [Annotated[_chosen(what, table, name), Tag(f"<{name}>")] for name in table]
    union = Annotated[
        _union(kinds), Discriminator(lambda given: f"<{given['name'] if isinstance(given, dict) else given.name}>")
    ]
    names = {"enum": list(table), "description": f"{what.capitalize()} with its default parameters."}
    return plain_axis(Annotated[union, BeforeValidator(named), Schema(lambda schema: {"anyOf": [names, schema]})])


def _union(kinds: list[Any]) -> Any:
    union = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    return union


def _chosen(what: str, table: Mapping[str, Callable], name: str) -> type[Chosen]:
    fields: dict[str, Any] = {"name": (Literal[name], Field(description=table[name]().summary))}
    for parameter in inspect.signature(table[name]).parameters.values():
        fields[parameter.name] = _parameter(name, parameter)
    model = create_model(name, __base__=Chosen, **fields)
    model.table = table
    return model


def _parameter(name: str, parameter: inspect.Parameter) -> tuple[Any, Any]:
    what = f"{'an' if parameter.name[0] in 'aeiou' else 'a'} {parameter.name}"
    describe = Field((parameter.default,), description=f"Parameter of {name}; default {parameter.default:g}.")
    if get_origin(parameter.annotation) is Literal:
        return plain_axis(one_number_of(what, get_args(parameter.annotation))), describe
    return numeric_axis(f"{name}_{parameter.name}", number(what)), describe


def parameter_names(factory: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(factory).parameters)


def _defaults(factory: Callable) -> dict[str, float]:
    return {p.name: p.default for p in inspect.signature(factory).parameters.values()}


# Expansion ----------------------------------------------------------------------------------------------------------


def values(axis: tuple) -> list:
    """Every value of an axis, in the order written."""
    return [value for entry in axis for value in entry_values(entry)]


def entry_values(entry: object) -> list:
    return list(entry.values()) if isinstance(entry, Range | Chosen) else [entry]


def at_most(axis: tuple) -> int:
    """A bound on the number of values of an axis, without making them."""
    return sum(_entry_at_most(entry) for entry in axis)


def _entry_at_most(entry: object) -> int:
    if isinstance(entry, Range):
        return entry.at_most()
    return math.prod(map(at_most, entry.parameters().values())) if isinstance(entry, Chosen) else 1


def plain(axis: tuple) -> object:
    """An axis as a config writes it, every default written out."""
    entries = [_plain_entry(entry) for entry in axis]
    return entries[0] if len(entries) == 1 else entries


def _plain_entry(entry: object) -> object:
    if isinstance(entry, Range):
        return {"from": entry.from_, "to": entry.to, "steps": entry.steps, "spacing": entry.spacing}
    if isinstance(entry, Chosen):
        parameters = {key: plain(axis) for key, axis in entry.parameters().items()}
        return {"name": entry.name, **parameters} if parameters else entry.name
    return entry
