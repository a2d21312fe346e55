"""Texts of a figure: labels from configs made safe to draw, and what captions say of draws and of dead networks."""

import re
import textwrap
from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd

from harness.base.numbers import number


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())


def clean(label: object, most: int = 44) -> str:
    """The label, of at most so many characters; control characters and those that the font lacks become escapes."""
    text = "".join(
        sign if sign.isprintable() and ord(sign) in _glyphs() else sign.encode("unicode_escape").decode()
        for sign in str(label)
    )
    text = text or "(empty)"
    return text if len(text) <= most else text[: most - 1] + "…"


def in_lines(label: str, letters: int, most: int = 3) -> str:
    """The label, clean, in at most so many lines of so many letters, which end after commas if they can."""
    whole = clean(label, 120)
    if all(len(part) <= letters for part in whole.split(", ")):
        whole = re.sub("(?<!,) ", "\u00a0", whole)
    return "\n".join(textwrap.wrap(whole, letters, max_lines=most, placeholder="…")).replace("\u00a0", " ")


def span(values: Mapping[str, float], form: str = "+.1f") -> str:
    """`−11.6 (sgd), −5.2 (adam)`: named numbers; of more than three `from −11.6 (sgd) to +0.2 (x)`, the ends.

    `form` is a format of numbers. Numbers that are not finite are left out.
    """
    known = {name: value for name, value in values.items() if np.isfinite(value)}
    said = [f"{number(value, form)} ({name})" if name else number(value, form) for name, value in known.items()]
    if len(known) <= 3:
        return ", ".join(said)
    order = np.argsort(list(known.values()), kind="stable")
    return f"from {said[order[0]]} to {said[order[-1]]}"


def draw_count(networks: pd.DataFrame) -> str:
    """`16 draws`, or `6–16 draws` where the groups of draws differ in size."""
    keys = [name for name in ("setting", "activation", "depth") if name in networks]
    counts = networks.groupby(keys, observed=True, sort=False).size()
    low, high = int(counts.min()), int(counts.max())
    return f"{low}–{high} draws" if low < high else f"{low} draw" + ("s" if low > 1 else "")


def how_to_read(networks: pd.DataFrame) -> str:
    """A sentence on the meaning of lines and bands, for the caption of every figure that has them."""
    count = draw_count(networks)
    if count == "1 draw":
        return "One draw of each network: no band."
    return f"Lines: median of {count}; bands: the middle half of them."


def dead_and_unknown(networks: pd.DataFrame, name_activation: bool = True, most: int = 3) -> str:
    """`dead: 38 of 40 (relu, depth 80); not known: …`; empty where every network lives and has the status ok.

    At most `most` groups of each kind are listed, those with the highest counts first.
    """
    by = ["activation", "depth"] if name_activation else ["depth"]
    status = networks.assign(dead=networks["dead_from_layer"].notna(), unknown=networks["status"].astype(str) != "ok")
    counts = status.groupby(by, observed=True, sort=True)[["dead", "unknown"]].agg(["sum", "size"])
    parts = (_listed(counts["dead"], "dead", most), _listed(counts["unknown"], "not known", most))
    return "; ".join(filter(None, parts))


def _listed(counts: pd.DataFrame, word: str, most: int) -> str:
    counts = counts[counts["sum"] > 0].sort_values("sum", ascending=False, kind="stable")
    groups = [f"{int(row['sum'])} of {int(row['size'])} ({_group(key)})" for key, row in counts.iterrows()]
    more = f" and {len(groups) - most} more" if len(groups) > most else ""
    return f"{word}: {'; '.join(groups[:most])}{more}" if groups else ""


def _group(key: object) -> str:
    if not isinstance(key, tuple):
        return f"depth {key}"
    return f"{clean(key[0], 20)}, depth {key[1]}" if len(key) > 1 else f"depth {key[0]}"


def change(name: str, medians: pd.Series) -> str:
    """`sigmoid loses 512 to 643 decades`, from attenuations in decades; empty where none is known."""
    finite = medians[np.isfinite(medians)]
    label = clean(name, 24)
    if np.isneginf(medians).all() and len(medians):
        return f"{label} is dead"
    if finite.empty:
        return ""
    dead = " or is dead" if np.isneginf(medians).any() else ""
    low, high = float(finite.min()), float(finite.max())
    if high < 0:
        return f"{label} loses {in_words(-high, -low)} decades{dead}"
    if low > 0:
        return f"{label} gains {in_words(low, high)} decades{dead}"
    return f"{label} changes by {number(low, '+.2g')} to {number(high, '+.2g')} decades{dead}"


def taken(decades: pd.Series) -> str:
    """`takes 9.6 to 41 decades`, from changes of log10, which are negative; `gives` where all are positive."""
    low, high = float(decades.min()), float(decades.max())
    if high <= 0:
        return f"takes {in_words(-high, -low)} decades"
    return f"gives {in_words(low, high)} decades" if low > 0 else f"changes it by {in_words(low, high)} decades"


def in_words(low: float, high: float) -> str:
    """A range such as `4 to 158`, or one number where both read the same."""
    texts = [f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in (low, high)]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)
