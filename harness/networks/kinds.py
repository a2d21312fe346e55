"""Tables of entries by name; and what a coordinate is: its kind, which says what a config may give for it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

Entry = TypeVar("Entry")

# Parts of the user's own by the kind of their table. A context variable: another thread has its own, or none.
_OWN: ContextVar[Mapping[str, Mapping[str, Any]]] = ContextVar("own", default=MappingProxyType({}))


class Table(Mapping[str, Entry]):
    """Entries by name: the built-in ones, then those of the user's own that are in force where it is read."""

    def __init__(self, kind: str, built_in: Mapping[str, Entry]) -> None:
        self.kind, self.built_in = kind, dict(built_in)

    @property
    def own(self) -> Mapping[str, Entry]:
        """The entries of the user's own that are in force; see `in_force`."""
        return _OWN.get().get(self.kind, {})

    def __getitem__(self, name: str) -> Entry:
        return self.built_in[name] if name in self.built_in else self.own[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from self.own

    def __len__(self) -> int:
        return len(self.built_in) + len(self.own)


@contextmanager
def in_force(own: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Add entries, {kind of table: {name: entry}}, to the tables while the body runs, in place of those in force."""
    token = _OWN.set(own)
    try:
        yield
    finally:
        _OWN.reset(token)


@dataclass(frozen=True)
class Choice:
    """An activation or initialisation by name, with the parameters that were given other than their defaults."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def label(self) -> str:
        """`relu`, or `leaky_relu(negative_slope=0.1)`: the value in the tables."""
        inside = ", ".join(f"{key}={value:g}" for key, value in self.parameters)
        return f"{self.name}({inside})" if inside else self.name

    @classmethod
    def from_label(cls, label: str) -> "Choice":
        """The choice that has this label. Raises ValueError for a parameter that is no number."""
        name, _, inside = label.partition("(")
        pairs = (pair.split("=") for pair in inside.rstrip(")").split(", ") if pair)
        return cls(name, tuple((key, float(value)) for key, value in pairs))


@dataclass(frozen=True)
class OneOf:
    """In the annotation of an activation's or initialisation's parameter: the numbers that it may be."""

    numbers: tuple[float, ...]


# Kinds of coordinates: what a config may give for one. `what` names a value, with its article. ------------------------


@dataclass(frozen=True)
class Named:
    """An entry of a table of functions, with parameters."""

    what: str
    table: Mapping[str, Callable]
    synonyms: Mapping[str, str]  # other names of its entries
    dtype: ClassVar[str] = "text"


@dataclass(frozen=True)
class Word:
    """One of a few names."""

    what: str
    names: tuple[str, ...]
    dtype: ClassVar[str] = "text"


@dataclass(frozen=True)
class Number:
    """A finite number, above or from a bound on."""

    what: str
    above: float | None = None
    at_least: float | None = None
    dtype: ClassVar[str] = "float64"


@dataclass(frozen=True)
class Whole:
    """A whole number from 1 on; more than `most` needs --allow-large."""

    what: str
    most: int
    dtype: ClassVar[str] = "int64"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    what: str
    dtype: ClassVar[str] = "bool"


@dataclass(frozen=True)
class Shape:
    """The widths of all layers, from the inputs to the outputs; at most `most_layers` of them, each at most `most`."""

    what: str
    most_layers: int
    most: int
    replaces: tuple[str, ...]  # the coordinates that it gives
    dtype: ClassVar[str] = "text"


Kind = Named | Word | Number | Whole | Flag | Shape
Part = Literal["draws", "lane", "output"]


@dataclass(frozen=True)
class Panel:
    """The part of a coordinate in the titles of a figure's panels."""

    rank: int = 9  # panels are told apart by low ranks first
    words: str = ""  # what the coordinate is called, if not by its name
    mention: Literal["always", "unless usual", "never"] = "unless usual"  # of a value that all networks share


@dataclass(frozen=True)
class Coordinate:
    """One coordinate. `name` and `default` are those of the field of `Coordinates` that it annotates."""

    meaning: str
    kind: Kind
    note: str = ""  # the notation in a config, or the default
    name: str = ""
    default: object = None  # of a config's key
    required: bool = False
    example: str = ""  # a value to suggest where a required one is missing
    null_from: str | None = None  # null in a config stands for the value that this other coordinate brings
    label_alone: bool = False  # whether labels show the value without the coordinate's name
    on_layers: bool = True  # whether the table `layers` repeats it
    parts: tuple[Part, ...] = ("lane",)  # see `NetworkSpec.grouping_key`
    panel: Panel | None = Panel()  # None: it makes no panels
    varies_fastest: bool = False  # innermost in the product of axes
    assumed: bool = False  # whether a claim whose scope does not name it speaks only of networks with its default
    in_every_key: bool = False  # whether the hash that names a network has it even where it is the default

    @property
    def description(self) -> str:
        """A sentence for the config's schema."""
        return f"{self.meaning}{self.note}."

    @property
    def is_text(self) -> bool:
        """Whether the tables have its values as texts."""
        return self.kind.dtype == "text"

    @property
    def usual(self) -> object:
        """The value in the tables that needs no mention: the default, and no biases."""
        if isinstance(self.default, Choice):
            return self.default.label
        if isinstance(self.kind, Shape):
            return ""
        return 0.0 if self.null_from == "init" else self.default

    def label(self, text: str) -> str:
        """`weight scale 2`, or the value alone where it says what it is: `he_normal`; of a flag, `tied`, `not tied`."""
        words = self.name.replace("_", " ")
        if isinstance(self.kind, Flag):
            return words if text in ("True", "1") else f"not {words}"
        return text if self.label_alone else f"{words} {text}"
