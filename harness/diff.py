"""Two results folders compared: identical, within tolerance, or different: where and by how much."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.results import Results

IDENTICAL, WITHIN, DIFFERS = "identical", "within tolerance", "differs"
KEYS = {"networks": ["network"], "layers": ["network", "layer"]}


@dataclass(frozen=True)
class Finding:
    """One column, or set of rows, that is not identical: how much it differs (inf: not a number that can be near)."""

    where: str
    what: str
    largest: float


@dataclass(frozen=True)
class Comparison:
    """The verdict, and what it rests on; no findings if all is identical."""

    verdict: str
    findings: tuple[Finding, ...]


def diff(a: Results, b: Results, tolerance: float) -> Comparison:
    """Compare the tables of two results, row by row, whatever the order of their rows.

    A number may differ by `tolerance` (absolute: decades, or a fraction); texts, whole numbers and the places of −inf
    and null must be the same, as must the networks.
    """
    findings = tuple(
        finding
        for table, keys in KEYS.items()
        for finding in compare(table, getattr(a, table).set_index(keys), getattr(b, table).set_index(keys))
    )
    largest = max((finding.largest for finding in findings), default=0.0)
    verdict = IDENTICAL if not findings else WITHIN if largest <= tolerance else DIFFERS
    return Comparison(verdict, findings)


def compare(table: str, a: pd.DataFrame, b: pd.DataFrame) -> Iterator[Finding]:
    """What differs between two frames with the same kind of index."""
    a, b = (frame.set_axis(frame.index.map(_plain)) for frame in (a, b))
    for one, other, which in ((a, b, "first"), (b, a, "second")):
        alone = one.index.difference(other.index, sort=False)
        if len(alone):
            yield Finding(table, f"{len(alone)} rows are in the {which} only, such as {_place(alone[0])}", np.inf)
        for column in one.columns.difference(other.columns, sort=False):
            yield Finding(f"{table}.{column}", f"is in the {which} only", np.inf)
    common = a.index.intersection(b.index, sort=False)
    a, b = a.loc[common], b.loc[common]
    for column in a.columns.intersection(b.columns, sort=False):
        yield from _compare_column(f"{table}.{column}", a[column], b[column])


def _compare_column(where: str, a: pd.Series, b: pd.Series) -> Iterator[Finding]:
    if not (pd.api.types.is_float_dtype(a) and pd.api.types.is_float_dtype(b)):
        a, b = (column.astype(object).where(column.notna(), None) for column in (a, b))
    unlike = ~((a == b) | (a.isna() & b.isna()))
    if not unlike.any():
        return
    a, b = a[unlike], b[unlike]
    first = f"{_place(a.index[0])}: {a.iloc[0]} and {b.iloc[0]}"
    if a.dtype == object:
        yield Finding(where, f"{len(a)} rows differ, such as {first}", np.inf)
        return
    with np.errstate(invalid="ignore"):
        distance = (a - b).abs().where(np.isfinite(a) & np.isfinite(b), np.inf)
    worst = distance.idxmax()
    text = f"{len(a)} rows differ, by at most {distance.max():.3g}, at {_place(worst)}: {a[worst]} and {b[worst]}"
    yield Finding(where, text, float(distance.max()))


def _plain(key: tuple | str) -> tuple | str:
    return key if isinstance(key, tuple) else str(key)


def _place(key: tuple | str) -> str:
    return "{}, layer {}".format(*key) if isinstance(key, tuple) else key
