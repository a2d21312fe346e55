"""Numbers as readers see them: a true minus sign, "∞", and "–" for a number that is not known."""

from collections.abc import Iterable
from math import isnan

import numpy as np

MINUS, UNKNOWN = "−", "–"


def formatted(value: float, form: str) -> str:
    """The number in a format of Python's mini-language, with a true minus sign and "∞" for "inf"."""
    return f"{value:{form}}".replace("inf", "∞").replace("-", MINUS)


def number(value: float, form: str, unit: str = "") -> str:
    """The number as `formatted` writes it, without a sign on a zero, and its unit; "–" for NaN."""
    if isnan(value):
        return UNKNOWN
    text = formatted(value, form)
    return (text if text.strip(f"+{MINUS}0.") else text.lstrip(f"+{MINUS}")) + unit


def interval(low: float, high: float, form: str) -> str:
    """`−0.1 to +0.2`; "–" where the lower end is not known."""
    return UNKNOWN if isnan(low) else f"{number(low, form)} to {number(high, form)}"


def distinct_numbers(values: Iterable[float]) -> list[str]:
    """The numbers with as few significant digits, three or more, as tell them apart."""
    values = np.asarray(values, dtype=float)
    texts: list[str] = []
    for digits in range(3, 18):
        texts = [formatted(value, f".{digits}g") for value in values]
        if len(set(texts)) >= len(np.unique(values)):
            break
    return texts
