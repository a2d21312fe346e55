"""What an axis of a sweep holds: a tuple of entries, each a value, a `Range` or a `Chosen`; `values` expands it."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from harness.config.types.values import Accepts, Strict, complaint, whole, word

MAX_STEPS = 10_000  # of one range

Parameters = tuple[tuple[str, float], ...]


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
