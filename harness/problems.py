"""Problems in a config: where in it, what is wrong, and how values and suggestions are put into words."""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

# What other libraries and textbooks call ours.
ALSO_CALLED = {
    "swish": "silu", "logistic": "sigmoid", "identity": "linear", "hardtanh": "hard_tanh", "kaiming": "he_normal",
    "kaiming_normal": "he_normal", "kaiming_uniform": "he_uniform", "glorot": "xavier_normal",
    "glorot_normal": "xavier_normal", "glorot_uniform": "xavier_uniform", "gaussian": "normal"}  # fmt: skip

Path = tuple[str | int, ...]  # ("network", "activation", 1, "negative_slope")


@dataclass(frozen=True)
class Problem:
    """What is wrong at `path`. `reads`: the other places it follows from; when one of them is wrong, it is moot."""

    path: Path
    text: str
    at_key: bool = False  # the key is wrong, not its value
    reads: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return f"{where(self.path)}: {self.text}" if self.path else self.text


def where(path: Path) -> str:
    """`network.activation[1].negative_slope`"""
    words = (f"[{part}]" if isinstance(part, int) else f".{_plain_key(part)}" for part in path)
    return "".join(words).removeprefix(".")


def related(one: Path, other: Path) -> bool:
    """Whether one place contains the other, or is it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def shown(value: object) -> str:
    """A value as a message quotes it: one short line, control characters escaped."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    return f"{value:.15g}" if isinstance(value, float) else repr(value)[:60]


def close_match(word: object, names: Collection[str]) -> str | None:
    """The name that was probably meant."""
    if not isinstance(word, str) or len(word) < 2:
        return None
    if (own := ALSO_CALLED.get(word.lower())) in names:
        return own
    close = get_close_matches(word[:60].lower(), names, n=1)
    return next(iter(close or [name for name in names if name.startswith(word)]), None)


def remedy(word: object, names: Collection[str]) -> str:
    """`did you mean 'relu'?`, or else the names there are."""
    close = close_match(word, names)
    if close:
        return f"did you mean {close!r}?"
    return "use " + " or ".join(filter(None, (", ".join(list(names)[:-1]), list(names)[-1])))


def _plain_key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,60}", key) else shown(key)
