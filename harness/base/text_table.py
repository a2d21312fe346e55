"""Tables of text, as the terminal prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import inf, isnan, log1p

BARS = "▁▂▃▄▅▆▇█"
FINE = 3  # decades on either side of 0 within which the heights of bars are nearly even


def spark_line(decades: Sequence[float], low: float, high: float) -> str:
    """A bar for each value on a scale from `low` to `high`, in steps that are finer near 0.

    −∞, an exact 0, is blank; a value that is not known is "?".
    """
    bottom, top = _stretched(low), _stretched(high)
    span = (top - bottom) or 1.0
    return "".join(_bar(value, (_stretched(value) - bottom) / span if abs(value) < inf else 1.0) for value in decades)


def _stretched(value: float) -> float:
    return log1p(abs(value) / FINE) * (1 if value > 0 else -1)


def _bar(value: float, share: float) -> str:
    if isnan(value):
        return "?"
    return " " if value == -inf else BARS[round(share * (len(BARS) - 1))]


@dataclass(frozen=True)
class Table:
    """A titled table whose cells are text, and a note that is printed below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        head, *body = (
            "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
            for tag, row in (("th", self.columns), *(("td", row) for row in self.rows))
        )
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        caption = f"<caption>{escape(self.title)}</caption>"
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}"
