"""Types of single values at a key of a sweep, for pydantic: they check and normalise.

Messages are the harness's own, raised as `PydanticCustomError("plain", …)`.
"""

import math
import re
import sys
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WrapValidator
from pydantic_core import PydanticCustomError

from harness.problems import remedy, shown

LARGEST_WHOLE = 2**31 - 1


class Strict(BaseModel):
    """Unknown keys are refused; nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def complaint(text: str) -> PydanticCustomError:
    return PydanticCustomError("plain", "{text}", {"text": text})


class Schema:
    """Changes what an annotated type looks like in the JSON Schema."""

    def __init__(self, change: Callable[[dict], dict]):
        self.change = change

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict:
        return self.change(handler(core_schema))


def whole(what: str, at_least: int = 1, at_most: int = LARGEST_WHOLE) -> Any:
    """A whole number (`1e3` is one, `true` is not); `what` it is, with its article."""

    def check(value: object) -> int:
        if not _is_number(value) or (at_least <= value <= at_most and value != int(value)):
            raise complaint(f"{shown(value)} is not {what}; use a whole number, {at_least} or more{_several(value)}")
        if value < at_least:
            raise complaint(f"{shown(value)} is not {what}; use {at_least} or more")
        if value > at_most:
            raise complaint(f"{shown(value)} is too large for {what}; use {at_most} or less")
        return int(value)

    return Annotated[int, Field(ge=at_least, le=at_most), BeforeValidator(check)]


def number(what: str, above: float | None = None, at_least: float | None = None) -> Any:
    """A finite number, as a float; a negative zero becomes zero."""
    bound = f" above {above:g}" if above is not None else f", {at_least:g} or more" if at_least is not None else ""

    def check(value: object) -> float:
        fits = _is_number(value) and abs(value) <= sys.float_info.max
        if not fits or (above is not None and value <= above) or (at_least is not None and value < at_least):
            raise complaint(f"{shown(value)} is not {what}; use a finite number{bound}{_several(value)}")
        return float(value) + 0.0

    return Annotated[float, Field(gt=above, ge=at_least), BeforeValidator(check)]


def _several(value: object) -> str:
    """For `1,2,3`, `1-10` and `range(1, 10)`: how more than one number is written."""
    if not isinstance(value, str) or len(re.findall(r"[0-9]+", value)) < 2:
        return ""
    return "; a list is [1, 2, 3], a range {from: 1, to: 9, steps: 3}"


def word(what: str, names: Collection[str]) -> Any:
    """One of a few names."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in names:
            raise complaint(f"{shown(value)} is not {what}; {remedy(value, names)}")
        return value

    return Annotated[Literal[tuple(names)], BeforeValidator(check)]


def one_number_of(what: str, allowed: tuple[float, ...]) -> Any:
    """One of a few numbers, as `allowed` writes it: 1.0 becomes 1."""

    def check(value: object) -> float:
        for candidate in allowed:
            if _is_number(value) and value == candidate:
                return candidate
        raise complaint(f"{shown(value)} is not {what}; {remedy(None, [str(a) for a in allowed])}")

    return Annotated[Any, BeforeValidator(check), Schema(lambda _: {"enum": list(allowed)})]


def optional(value: Any) -> Any:
    """The type, or null."""
    return Annotated[value, WrapValidator(lambda given, check: None if given is None else check(given)),
                     Schema(lambda schema: {"anyOf": [schema, {"type": "null"}]})]  # fmt: skip


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
