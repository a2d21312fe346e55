"""Types of single values in a config, for pydantic: each checks and normalises a value.

The functions return types; `Annotated[int, Accepts(whole("a depth"))]` is an int to a type checker, and that type to
pydantic. Messages are the harness's, raised as `PydanticCustomError("plain", …)`.
"""

import math
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, WrapValidator
from pydantic_core import CoreSchema, PydanticCustomError

from harness.base.messages import remedy, shown

LARGEST_WHOLE = 2**31 - 1

Type = Any  # a type made at run time, as pydantic takes it; Python has no annotation for these


class Strict(BaseModel):
    """A model that refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Accepts:
    """Metadata of an annotation: pydantic checks values by this type instead of the annotated one."""

    type_: Type

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(self.type_)


def complaint(text: str) -> PydanticCustomError:
    """An error for pydantic to collect, with this message and no other."""
    return PydanticCustomError("plain", "{text}", {"text": text})


class Schema:
    """Metadata of an annotation: changes the JSON Schema of its type."""

    def __init__(self, change: Callable[[dict], dict]) -> None:
        self.change = change

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict:
        return self.change(handler(core_schema))


def whole(what: str, at_least: int = 1, at_most: int = LARGEST_WHOLE) -> Type:
    """The type of a whole number; `1e3` is one, `true` is not. `what` names it in messages, with its article."""

    def check(value: object) -> int:
        if not _is_number(value) or (at_least <= value <= at_most and value != int(value)):
            raise complaint(f"{shown(value)} is not {what}; use a whole number, {at_least} or more{_several(value)}")
        if value < at_least:
            raise complaint(f"{shown(value)} is not {what}; use {at_least} or more")
        if value > at_most:
            raise complaint(f"{shown(value)} is too large for {what}; use {at_most} or less")
        return int(value)

    return Annotated[int, Field(ge=at_least, le=at_most), BeforeValidator(check)]


def number(what: str, above: float | None = None, at_least: float | None = None) -> Type:
    """The type of a finite number, converted to a float; a negative zero becomes zero."""
    bound = f" above {above:g}" if above is not None else f", {at_least:g} or more" if at_least is not None else ""

    def check(value: object) -> float:
        if _is_number(value) and abs(value) <= sys.float_info.max:
            if (above is None or value > above) and (at_least is None or value >= at_least):
                return float(value) + 0.0
        raise complaint(f"{shown(value)} is not {what}; use a finite number{bound}{_several(value)}")

    return Annotated[float, Field(gt=above, ge=at_least), BeforeValidator(check)]


def _several(value: object) -> str:
    """Advice for `1,2,3`, `1-10` and `range(1, 10)`, which try to give more than one number; else nothing."""
    if not isinstance(value, str) or len(re.findall(r"[0-9]+", value)) < 2:
        return ""
    return "; a list is [1, 2, 3], a range {from: 1, to: 9, steps: 3}"


def word(what: str, names: Collection[str]) -> Type:
    """The type of one of a few names."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in names:
            raise complaint(f"{shown(value)} is not {what}; {remedy(value, names)}")
        return value

    return Annotated[Literal[tuple(names)], BeforeValidator(check)]


def flag(what: str) -> Type:
    """The type of true or false."""

    def check(value: object) -> object:
        if not isinstance(value, bool):
            raise complaint(f"{shown(value)} is not {what}; use true or false")
        return value

    return Annotated[bool, BeforeValidator(check)]


def widths(what: str, most: int) -> Type:
    """The type of a list of two to `most` whole numbers, from the inputs to the outputs."""
    one = TypeAdapter(whole("a width"))

    def check(value: object) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not 2 <= len(value) <= most:
            given = str(value)[:60] if isinstance(value, list | tuple) else shown(value)
            raise complaint(f"{given} is not {what}; write [inputs, hidden, …, outputs], such as [784, 256, 10]")
        return tuple(one.validate_python(width) for width in value)

    schema = {"type": "array", "minItems": 2, "items": {"type": "integer", "minimum": 1}}
    return Annotated[tuple[int, ...], BeforeValidator(check), Schema(lambda _: schema)]


def distinct(entry: Type, what: str, example: str) -> Type:
    """The type of a list in which no entry comes twice. `what` names it in messages, `example` shows one."""

    def check(value: object) -> list | tuple:
        if not isinstance(value, list | tuple):
            raise complaint(f"{shown(value)} is not {what}; write {example}")
        for i, one in enumerate(value):
            if one in value[:i]:
                raise complaint(f"{shown(one)} comes twice; remove one")
        return value

    listed: Type = tuple.__class_getitem__((entry, ...))
    return Annotated[listed, BeforeValidator(check)]


def one_number_of(what: str, allowed: tuple[float, ...]) -> Type:
    """The type of one of a few numbers, converted to the form in `allowed`: 1.0 becomes 1."""

    def check(value: object) -> float:
        for candidate in allowed:
            if _is_number(value) and value == candidate:
                return candidate
        raise complaint(f"{shown(value)} is not {what}; {remedy(None, [str(a) for a in allowed])}")

    return Annotated[Any, BeforeValidator(check), Schema(lambda _: {"enum": list(allowed)})]


def optional(value: Type) -> Type:
    """The type of such a value or null."""
    return Annotated[
        value,
        WrapValidator(lambda given, check: None if given is None else check(given)),
        Schema(lambda schema: {"anyOf": [schema, {"type": "null"}]}),
    ]


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
