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


FINE = 16  # times as many pixels as points, to measure letters, whose widths are whole pixels


def bold_lines(text: str, size: float, width: float) -> list[str]:
    """The words of a text in lines of bold letters of a size that are at most so wide, both in points."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans:bold"))
    font.set_size(size, 72 * FINE)
    lines: list[str] = []
    letters = max(int(width / size), 1)  # of a word that is broken: the widest are about as wide as high
    for word in (part for whole in text.split() for part in textwrap.wrap(whole, letters)):
        longer = f"{lines[-1]} {word}" if lines else word
        font.set_text(longer)
        if lines and font.get_width_height()[0] <= 64 * FINE * width:  # of 64ths of a pixel
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


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


def how_to_read_means(networks: pd.DataFrame) -> str:
    """The same of figures whose lines are means."""
    count = draw_count(networks)
    return f"Lines: mean of {count}" + ("" if count == "1 draw" else "; bands: two standard errors on either side")


def dead_and_unknown(networks: pd.DataFrame, name_activation: bool = True, most: int = 3, dead: bool = True) -> str:
    """`dead: 38 of 40 (relu, depth 80); not known: …`; empty where every network lives and has the status ok.

    At most `most` groups of each kind are listed, those with the highest counts first; the dead only if `dead`.
    """
    by = ["activation", "depth"] if name_activation else ["depth"]
    status = networks.assign(dead=networks["dead_from_layer"].notna(), unknown=networks["status"].astype(str) != "ok")
    counts = status.groupby(by, observed=True, sort=True)[["dead", "unknown"]].agg(["sum", "size"])
    parts = (_listed(counts["dead"], "dead", most) if dead else "", _listed(counts["unknown"], "not known", most))
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


def changes(medians: Mapping[str, pd.Series]) -> str:
    """`sigmoid loses 512 to 643 decades; relu loses 4 to 158 decades`: of each activation, by name.

    Of more than three, the ones that lose most and least: `sigmoid loses 40 decades; selu gains 0.82 decades; 10 others
    lie between`.
    """
    known = {name: own[own < np.inf] for name, own in medians.items() if (own < np.inf).any()}
    if len(known) > 3:
        most, least = min(known, key=lambda name: known[name].min()), max(known, key=lambda name: known[name].max())
        said = [change(name, known[name]) for name in dict.fromkeys((most, least))]
        return "; ".join((*said, f"{len(known) - len(said)} others lie between"))
    return "; ".join(change(name, own) for name, own in known.items())


def change(name: str, medians: pd.Series) -> str:
    """`sigmoid loses 512 to 643 decades`, from attenuations in decades, a setting each; empty where none is known."""
    finite, dead_count = medians[np.isfinite(medians)], int(np.isneginf(medians).sum())
    label = clean(name, 24)
    if dead_count and finite.empty:
        return f"{label} is dead"
    if finite.empty:
        return ""
    dead = f", or is dead ({dead_count} of {len(medians)} settings)" if dead_count else ""
    low, high = float(finite.min()), float(finite.max())
    if high < 0:
        return f"{label} loses {in_words(-high, -low)} decades{dead}"
    if low > 0:
        return f"{label} gains {in_words(low, high)} decades{dead}"
    return f"{label} changes by {_signed(low)} to {_signed(high)} decades{dead}"


def _signed(value: float) -> str:
    """A number with its sign and two digits, or all of its whole digits."""
    return number(value, "+.2g" if abs(value) < 10 else "+.0f")


def taken(decades: pd.Series) -> str:
    """`takes 9.6 to 41 decades`, from changes of log10, which are negative; `gives` where all are positive."""
    low, high = float(decades.min()), float(decades.max())
    if high <= 0:
        return f"takes {in_words(-high, -low)} decades"
    return f"gives {in_words(low, high)} decades" if low > 0 else f"changes it by {in_words(low, high)} decades"


def in_words(low: float, high: float) -> str:
    """A range such as `4 to 158`, or one number where both read the same."""
    texts = [number(value, ".2g" if value < 10 else ".0f") for value in (low, high)]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)
