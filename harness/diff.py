"""Two results folders compared: identical, within tolerance, or different: where and by how much.

Block by block and a column at a time, so that memory stays small: a block is set beside those of the other folder that
may hold networks of its own, whatever their names. Parts of the same name have the same checksum, and are not read.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.config import ONLY_SHOWN, differences
from harness.overlaps import Extent, Overlaps
from harness.results import Results

Array = np.ndarray

IDENTICAL, WITHIN, DIFFERS = "identical", "within tolerance", "differs"
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}  # decades, between two machines: measured in docs/reliability.md
TABLES = ("networks", "layers")
KEYS = ("network", "layer")


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
    """Compare the tables of two results, row by row, whatever the order of their rows and the blocks they are in.

    A number may differ by `tolerance` (absolute: decades, or a fraction); texts, whole numbers and the places of −inf
    and null must be the same, as must the networks.
    """
    extents = [[Extent.of(path) for path in one.parts["networks"]] for one in (a, b)]
    pairs = Overlaps(*extents), Overlaps(*reversed(extents))
    findings = tuple(finding for table in TABLES
                     for finding in _of_table(table, (a.parts[table], b.parts[table]), pairs))  # fmt: skip
    largest = max((finding.largest for finding in findings), default=0.0)
    verdict = IDENTICAL if not findings else WITHIN if largest <= tolerance else DIFFERS
    return Comparison(verdict, findings)


def compare(table: str, a: pd.DataFrame, b: pd.DataFrame) -> Iterator[Finding]:
    """What differs between two frames whose rows are named by their index."""
    for one, other, which in ((a, b, "first"), (b, a, "second")):
        alone = one.index.difference(other.index, sort=False)
        if len(alone):
            yield Finding(table, f"{len(alone)} rows are in the {which} only, such as {alone[0]}", np.inf)
        for column in one.columns.difference(other.columns, sort=False):
            yield Finding(f"{table}.{column}", f"is in the {which} only", np.inf)
    common = a.index.intersection(b.index, sort=False)
    for column in a.columns.intersection(b.columns, sort=False):
        tally = _Tally()
        tally.add(*(pa.Array.from_pandas(frame.loc[common, column]) for frame in (a, b)), common.__getitem__)
        if tally.count:
            yield tally.finding(f"{table}.{column}")


def usual_tolerance(a: Results, b: Results) -> float:
    """What two machines may differ by and have computed the same, in the coarser of their number formats."""
    return max(TOLERANCE[results.sweep.dtype] for results in (a, b))


def other_config(a: Results, b: Results) -> str:
    """A sentence where the two were swept from configs that differ in what decides their tables; else empty."""
    told = [str(change) for change in differences(a.sweep, b.sweep) if change.where not in (*ONLY_SHOWN, "name")]
    return f"these are results of different configs: {'; '.join(told)}" if told else ""


def _of_table(table: str, sides: tuple[Sequence[Path], Sequence[Path]], pairs: tuple[Overlaps, Overlaps]
              ) -> Iterator[Finding]:  # fmt: skip
    columns = [pq.read_schema(paths[0]).names for paths in sides]
    tallies = {name: _Tally() for name in columns[0] if name in columns[1] and name not in KEYS}
    load = lru_cache(maxsize=2)(_part)  # a part is often beside several, one after the other
    found: Counter[Path] = Counter()  # rows of the second's parts that the first has too
    for side, which in enumerate(("first", "second")):
        alone = _Alone()
        for part, path in enumerate(sides[side]):
            others = [sides[1 - side][i] for i in pairs[side].of_part(part)]
            same = [other for other in others if other.name == path.name]
            rows = pq.read_metadata(path).num_rows
            found.update(dict.fromkeys(same, rows))
            if not same and found[path] < rows:
                _set_beside(_part(path), others, load, alone, tallies if side == 0 else {}, found)
        yield from alone.findings(table, which)
        yield from (Finding(f"{table}.{name}", f"is in the {which} only", np.inf)
                    for name in columns[side] if name not in columns[1 - side])  # fmt: skip
    yield from (tally.finding(f"{table}.{name}") for name, tally in tallies.items() if tally.count)


@dataclass(frozen=True)
class _Part:
    """One part of a table: the keys of its rows in memory, columns on the disk."""

    file: pq.ParquetFile
    names: pd.Index  # its networks, each once
    code: Array  # (rows,): which of them
    layer: Array  # (rows,); 0 in `networks`

    def place(self, row: int) -> str:
        return self.names[self.code[row]] + (f", layer {self.layer[row]}" if self.layer[row] else "")

    def column(self, name: str, rows: Array) -> pa.Array:
        column = self.file.read([name])[name].unify_dictionaries().combine_chunks()
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        return plain.take(pa.array(rows))


def _part(path: Path) -> _Part:
    file = pq.ParquetFile(path)
    keys = file.read([name for name in KEYS if name in file.schema_arrow.names])
    network = pd.Categorical(keys.column("network").unify_dictionaries().to_pandas())
    layer = keys["layer"].to_numpy() if "layer" in keys.column_names else np.zeros(len(keys), np.int64)
    return _Part(file, pd.Index(network.categories.astype(object)), network.codes.astype(np.int64), layer)


def _set_beside(one: _Part, others: Sequence[Path], load: Callable[[Path], _Part], alone: "_Alone",
                tallies: dict[str, "_Tally"], found: Counter[Path]) -> None:  # fmt: skip
    """Set a part beside those of the other folder: what it has alone, and how columns differ in the rows of both."""
    known = np.zeros(len(one.code), dtype=bool)
    for path in others:
        other = load(path)
        here, there = _common_rows(one, other)
        known[here] = True
        found[path] += len(here)
        for name, tally in tallies.items() if len(here) else ():
            tally.add(one.column(name, here), other.column(name, there), lambda row, here=here: one.place(here[row]))
    alone.add(one, ~known)


def _common_rows(one: _Part, other: _Part) -> tuple[Array, Array]:
    """Rows of the same network and layer."""
    layers = max(one.layer.max(initial=0), other.layer.max(initial=0)) + 1
    code = other.names.get_indexer(one.names)[one.code]
    mine, theirs = np.where(code < 0, -1, code * layers + one.layer), other.code * layers + other.layer
    order = np.argsort(theirs, kind="stable")
    place = order[np.minimum(np.searchsorted(theirs, mine, sorter=order), len(theirs) - 1)]
    here = np.nonzero(theirs[place] == mine)[0]
    return here, place[here]


@dataclass
class _Alone:
    """Rows that one folder has alone: how many, and the first."""

    count: int = 0
    such_as: str = ""

    def add(self, part: _Part, rows: Array) -> None:
        if rows.any():
            self.such_as = self.such_as or part.place(int(rows.argmax()))
            self.count += int(rows.sum())

    def findings(self, table: str, which: str) -> Iterator[Finding]:
        if self.count:
            yield Finding(table, f"{self.count} rows are in the {which} only, such as {self.such_as}", np.inf)


@dataclass
class _Tally:
    """How a column differs so far: in how many rows, by how much at most, and where that is."""

    count: int = 0
    largest: float = -1.0
    what: str = ""

    def add(self, a: pa.Array, b: pa.Array, place: Callable[[int], str]) -> None:
        if a.equals(b):
            return
        measured = pa.types.is_floating(a.type) and pa.types.is_floating(b.type)
        a, b = (column.to_numpy(zero_copy_only=False) if measured else np.array(column.to_pylist(), dtype=object)
                for column in (a, b))  # fmt: skip
        rows = np.nonzero(~((a == b) | (np.isnan(a) & np.isnan(b))) if measured else a != b)[0]
        if not len(rows):
            return
        distance = np.full(len(rows), np.inf)
        if measured:
            near = np.isfinite(a[rows]) & np.isfinite(b[rows])
            distance[near] = np.abs(a[rows][near] - b[rows][near])
        at = int(distance.argmax())
        self.count += len(rows)
        if distance[at] > self.largest:
            self.largest, row = float(distance[at]), rows[at]
            how = f"by at most {self.largest:.3g}, at" if measured else "such as"
            self.what = f"{how} {place(row)}: {a[row]} and {b[row]}"

    def finding(self, where: str) -> Finding:
        return Finding(where, f"{self.count} rows differ, {self.what}", self.largest)
