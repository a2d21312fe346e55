"""Problems in a config, each with its place, and the words for values and suggestions in messages."""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

# Words of other libraries for which there is something else here -> what to write. Mere other names are synonyms.
INSTEAD = {
    "mse": "use squared, ½‖y_hat − y‖² summed over the outputs: mse is that times 2/output_width",
    "bce": "use binary_cross_entropy, summed over the outputs: bce is that divided by output_width",
    "prelu": "before training it is {name: leaky_relu, negative_slope: 0.25}",
    "softmax": "use cost: cross_entropy, which applies it to a linear output",
    **dict.fromkeys(
        ("float16", "bfloat16"), "use float32 or float64; the columns zero_from_layer_… say where other formats fail"
    ),
    **{name: f"use {{name: constant, value: {value}}}" for name, value in (("zeros", 0), ("ones", 1))},
    **{key: f"write {{name: normal, {key}: …}}" for key in ("std", "mean")},
    **{key: f"write {{name: uniform, {key}: …}}" for key in ("bound", "low", "high")},
    **{theirs: f"use {ours}" for theirs, ours in (("stddev", "std"), ("minval", "low"), ("maxval", "high"))},
}

Path = tuple[str | int, ...]  # ("network", "activation", 1, "negative_slope")


@dataclass(frozen=True)
class Problem:
    """A problem at `path`. It is not reported if one of the places in `reads` has a problem as well."""

    path: Path
    text: str
    at_key: bool = False  # the key is wrong, not its value
    reads: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return f"{where(self.path)}: {self.text}" if self.path else self.text


def where(path: Path) -> str:
    """A path as a message writes it: `network.activation[1].negative_slope`."""
    words = (f"[{part}]" if isinstance(part, int) else f".{_plain_key(part)}" for part in path)
    return "".join(words).removeprefix(".")


def related(one: Path, other: Path) -> bool:
    """Whether the places are the same, or one contains the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def shown(value: object) -> str:
    """A value as a message quotes it: one short line with control characters escaped."""
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
    """The name that `word` was probably meant to be, or None."""
    if not isinstance(word, str) or len(word) < 2:
        return None
    close = get_close_matches(word[:60].lower(), names, n=1)
    return next(iter(close or [name for name in names if name.startswith(word)]), None)


def remedy(word: object, names: Collection[str]) -> str:
    """Advice on an unknown name: what stands for it here, `did you mean 'relu'?`, or else the list of all names."""
    if isinstance(word, str) and word.lower() in INSTEAD:
        return INSTEAD[word.lower()]
    close = close_match(word, names)
    if close:
        return f"did you mean {close!r}?"
    return "use " + " or ".join(filter(None, (", ".join(list(names)[:-1]), list(names)[-1])))


def _plain_key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,60}", key) else shown(key)
