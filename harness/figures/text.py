"""Texts of a figure: labels that come from configs made harmless, numbers, and how many draws died."""

from functools import cache

import numpy as np
import pandas as pd

MINUS = "−"


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())


def clean(label: object, most: int = 44) -> str:
    """A label that can be drawn: what the font has no sign for, control characters too, is written as its escape."""
    text = "".join(
        sign if sign.isprintable() and ord(sign) in _glyphs() else sign.encode("unicode_escape").decode()
        for sign in str(label)
    )
    text = text or "(empty)"
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: float, form: str = ".1f", signed: bool = True) -> str:
    """A number with a true minus; "dead" for −∞, "–" for what is not known."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return f"{MINUS}∞" if value < 0 else "+∞"
    text = f"{value:{'+' if signed else ''}{form}}"
    if not text.strip("+-0."):  # no sign on a zero
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def decades(value: float) -> str:
    """Decades with as many digits as one can use: −0.004, −9.6, −642."""
    size = abs(value)
    return number(value, ".0f" if size >= 99.5 else ".1f" if size >= 0.95 else ".2f" if size >= 0.095 else ".3f")


def numbers(values) -> list[str]:
    """Numbers as short as they can be written and still differ from each other."""
    values = np.asarray(values, dtype=float)
    distinct = len(np.unique(values))
    texts: list[str] = []
    for digits in range(3, 18):
        texts = [f"{value:.{digits}g}".replace("-", MINUS) for value in values]
        if len(set(texts)) >= distinct:
            break
    return texts


def draws(networks: pd.DataFrame) -> str:
    """`16 draws`, or `6–16 draws` where cells of the sweep differ."""
    keys = [name for name in ("setting", "activation", "depth") if name in networks]
    counts = networks.groupby(keys, observed=True, sort=False).size()
    low, high = int(counts.min()), int(counts.max())
    return f"{low}–{high} draws" if low < high else f"{low} draw" + ("s" if low > 1 else "")


def over(networks: pd.DataFrame) -> str:
    """How to read lines and bands: said in every figure that has them."""
    count = draws(networks)
    if count == "1 draw":
        return "One draw of each network: no band."
    return f"Lines: median of {count}; bands: the middle half of them."


def losses(networks: pd.DataFrame, name_activation: bool = True, most: int = 3) -> str:
    """`dead: relu, depth 80: 38 of 40`; `not known: …` for networks with a status; empty where all are well."""
    parts = []
    by = ["activation", "depth"] if name_activation else ["depth"]
    grouped = networks.assign(
        dead=networks["dead_from_layer"].notna(), unknown=(networks["status"].astype(str) != "ok")
    ).groupby(by, observed=True, sort=True)[["dead", "unknown"]].agg(["sum", "size"])  # fmt: skip
    for what, word in (("dead", "dead"), ("unknown", "not known")):
        counts = grouped[what]
        counts = counts[counts["sum"] > 0].sort_values("sum", ascending=False, kind="stable")
        some = [f"{int(row['sum'])} of {int(row['size'])} ({_cell(key)})" for key, row in counts.iterrows()]
        if some:
            more = f" and {len(some) - most} more" if len(some) > most else ""
            parts.append(f"{word}: {'; '.join(some[:most])}{more}")
    return "; ".join(parts)


def _cell(key: tuple | int) -> str:
    if not isinstance(key, tuple):
        return f"depth {key}"
    return f"{clean(key[0], 20)}, depth {key[1]}" if len(key) > 1 else f"depth {key[0]}"
