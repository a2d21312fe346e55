"""Types of the texts in a config, for pydantic: names, digests and the source of the inputs."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import BeforeValidator, Field

from harness.base.messages import remedy, shown
from harness.config.types.values import Type, complaint
from harness.networks.files.load import SUFFIXES

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # folders Windows cannot make
_FOLDER = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"
MOST_NAME = 200  # characters of a column's name
WORD = r"[A-Za-z_][A-Za-z0-9_]{0,99}"


def _pattern(pattern: str, what: str, advice: str) -> Type:
    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise complaint(f"{shown(value)} is not {what}; {advice}")
        if _RESERVED.fullmatch(value):
            raise complaint(f"{shown(value)} is a name that Windows keeps for itself; use another")
        return value

    return Annotated[str, Field(pattern=f"^{pattern}$"), BeforeValidator(check)]


def _source(value: object) -> object:
    if value in ("gaussian", "digits"):
        return value
    if not isinstance(value, str) or PurePosixPath(value).suffix not in SUFFIXES:
        advice = f"{remedy(value, ('gaussian', 'digits', 'a path ending in ' + ', '.join(SUFFIXES)))}"
        raise complaint(f"{shown(value)} is no source of inputs; {advice}")
    if PurePosixPath(value).is_absolute() or PureWindowsPath(value).drive or not value.isprintable():
        raise complaint(f"{shown(value)} cannot be found on another machine; write a path relative to the config")
    return value


def _name_in_file(value: object) -> object:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MOST_NAME:
        raise complaint(f"{shown(value)} is no name in a data file; write that of a column or an array")
    return value


NAME = _pattern(WORD, "a name", "use letters, digits and _")
FOLDER_NAME = _pattern(_FOLDER, "a folder name", "use up to 100 of A-Z a-z 0-9 . _ -, a letter or digit first")
SHA256 = _pattern("[0-9a-f]{64}", "a SHA-256", "use 64 hexadecimal digits, or remove it")
NAME_IN_FILE: Type = Annotated[str, Field(min_length=1, max_length=MOST_NAME), BeforeValidator(_name_in_file)]
SOURCE_OF_INPUTS: Type = Annotated[str, BeforeValidator(_source)]
