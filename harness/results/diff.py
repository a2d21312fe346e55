"""Comparison of two results folders: identical, within tolerance or different, and where by how much.

Blocks are compared one by one and column by column, which bounds the memory. A block is compared with those of the
other folder that may hold the same networks, whatever their names. Parts of the same name have the same checksum, and
are not read.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.base.arrays import Array
from harness.config import ONLY_SHOWN, differences
from harness.results.files import text_path
from harness.results.reader import Reader

IDENTICAL, WITHIN, DIFFERS = "identical", "within tolerance", "differs"
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}  # decades, between two machines: measured in docs/reliability.md
TABLES = ("networks", "layers")
KEYS = ("network", "layer")


@dataclass(frozen=True)
class Mismatch:
    """A column or set of rows that is not identical, and its largest difference, inf for values other than numbers."""

    where: str
    what: str
    largest: float


@dataclass(frozen=True)
class Comparison:
    """The verdict, and the mismatches behind it; none if the tables are identical."""

    verdict: str
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True)
class Extent:
    """The keys of the networks in a block, replicates aside, and its first and last replicate."""

    keys: frozenset[str]
    first: int
    last: int

    @classmethod
    def of_file(cls, networks: Path) -> "Extent":
        """The extent of a part of the table `networks`."""
        names = pq.ParquetFile(text_path(networks)).read(["network"])["network"].combine_chunks()
        texts = names.dictionary_decode() if pa.types.is_dictionary(names.type) else names
        parted = [name.rpartition("-") for name in texts.to_pylist()]
        numbers = [int(number) for _, _, number in parted]
        return cls(frozenset(key for key, _, _ in parted), min(numbers), max(numbers))


class Overlaps:
    """For each block of one folder, the blocks of another that may have networks in common with it."""

    def __init__(self, extents: Sequence[Extent], others: Sequence[Extent]) -> None:
        self.extents = extents
        by_key: dict[str, list[tuple[int, int, int]]] = {}  # first and last replicate, number of the block
        for number, other in enumerate(others):
            for key in other.keys:
                by_key.setdefault(key, []).append((other.first, other.last, number))
        self.by_key = {key: sorted(blocks) for key, blocks in by_key.items()}
        self.last_so_far = {
            key: list(accumulate((last for _, last, _ in blocks), max)) for key, blocks in self.by_key.items()
        }

    def of_part(self, part: int) -> list[int]:
        """Numbers of the other folder's blocks, ascending."""
        mine, found = self.extents[part], set[int]()
        for key in mine.keys & self.by_key.keys():
            blocks, last_so_far = self.by_key[key], self.last_so_far[key]
            place = bisect_right(blocks, mine.last, key=lambda block: block[0])
            while place and last_so_far[place - 1] >= mine.first:
                place -= 1
                found.add(blocks[place][2])
        return sorted(found)


def diff(a: Reader, b: Reader, tolerance: float) -> Comparison:
    """Compare the tables of two results row by row, whatever the order of their rows and their division into blocks.

    Numbers may differ by `tolerance`, which is absolute: decades, or a fraction. The networks, texts, whole numbers and
    the places of −inf and null must be the same.
    """
    first, second = ([Extent.of_file(path) for path in results.parts["networks"]] for results in (a, b))
    pairs = Overlaps(first, second), Overlaps(second, first)
    mismatches = tuple(
        mismatch for table in TABLES for mismatch in _table_mismatches(table, (a.parts[table], b.parts[table]), pairs)
    )
    largest = max((mismatch.largest for mismatch in mismatches), default=0.0)
    verdict = IDENTICAL if not mismatches else WITHIN if largest <= tolerance else DIFFERS
    return Comparison(verdict, mismatches)


def compare(table: str, a: pd.DataFrame, b: pd.DataFrame) -> Iterator[Mismatch]:
    """The mismatches between two frames whose rows are matched by their index."""
    for one, other, which in ((a, b, "first"), (b, a, "second")):
        only_here = one.index.difference(other.index, sort=False)
        if len(only_here):
            yield Mismatch(table, f"{len(only_here)} rows are in the {which} only, such as {only_here[0]}", np.inf)
        for column in one.columns.difference(other.columns, sort=False):
            yield Mismatch(f"{table}.{column}", f"is in the {which} only", np.inf)
    common = a.index.intersection(b.index, sort=False)
    for column in a.columns.intersection(b.columns, sort=False):
        tally = _Tally()
        first, second = (pa.Array.from_pandas(frame.loc[common, column]) for frame in (a, b))
        tally.add(first, second, common.__getitem__)
        if tally.count:
            yield tally.mismatch(f"{table}.{column}")


def usual_tolerance(a: Reader, b: Reader) -> float:
    """The tolerance for results of two machines, in the coarser of their number formats."""
    return max(TOLERANCE[results.sweep.dtype] for results in (a, b))


def other_config(a: Reader, b: Reader) -> str:
    """A sentence on the keys in which the two configs differ, if these decide the tables; else empty."""
    changes = [str(change) for change in differences(a.sweep, b.sweep) if change.where not in (*ONLY_SHOWN, "name")]
    return f"these are results of different configs: {'; '.join(changes)}" if changes else ""


def _table_mismatches(
    table: str, sides: tuple[Sequence[Path], Sequence[Path]], pairs: tuple[Overlaps, Overlaps]
) -> Iterator[Mismatch]:
    columns = [pq.read_schema(text_path(paths[0])).names for paths in sides]
    tallies = {name: _Tally() for name in columns[0] if name in columns[1] and name not in KEYS}
    load = lru_cache(maxsize=2)(_part)  # a part is often beside several, one after the other
    found: Counter[Path] = Counter()  # rows of the second's parts that the first has too
    for side, which in enumerate(("first", "second")):
        only_here = _OnlyHere()
        for part, path in enumerate(sides[side]):
            others = [sides[1 - side][i] for i in pairs[side].of_part(part)]
            same = [other for other in others if other.name == path.name]
            rows = pq.read_metadata(text_path(path)).num_rows
            found.update(dict.fromkeys(same, rows))
            if not same and found[path] < rows:
                _compare_part(_part(path), others, load, only_here, tallies if side == 0 else {}, found)
        yield from only_here.mismatches(table, which)
        yield from (
            Mismatch(f"{table}.{name}", f"is in the {which} only", np.inf)
            for name in columns[side]
            if name not in columns[1 - side]
        )
    yield from (tally.mismatch(f"{table}.{name}") for name, tally in tallies.items() if tally.count)


@dataclass(frozen=True)
class _Part:
    """One part of a table; the keys of its rows are in memory, its columns on the disk."""

    file: pq.ParquetFile
    names: pd.Index  # its networks, each once
    code: Array  # (rows,): index into `names`
    layer: Array  # (rows,); 0 in `networks`

    def place(self, row: int) -> str:
        """A row in words: its network, and its layer if it has one."""
        return self.names[self.code[row]] + (f", layer {self.layer[row]}" if self.layer[row] else "")

    def place_among(self, rows: Array, number: int) -> str:
        """One of some rows in words, by its number among them."""
        return self.place(rows[number])

    def column(self, name: str, rows: Array) -> pa.Array:
        """The values of a column in some rows."""
        column = self.file.read([name])[name].unify_dictionaries().combine_chunks()
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        return plain.take(pa.array(rows))


def _part(path: Path) -> _Part:
    file = pq.ParquetFile(text_path(path))
    keys = file.read([name for name in KEYS if name in file.schema_arrow.names])
    network = pd.Categorical(keys.column("network").unify_dictionaries().to_pandas())
    layer = keys["layer"].to_numpy() if "layer" in keys.column_names else np.zeros(len(keys), np.int64)
    return _Part(file, pd.Index(network.categories.astype(object)), network.codes.astype(np.int64), layer)


def _compare_part(
    one: _Part,
    others: Sequence[Path],
    load: Callable[[Path], _Part],
    only_here: "_OnlyHere",
    tallies: dict[str, "_Tally"],
    found: Counter[Path],
) -> None:
    """Compare a part with those of the other folder: rows that it has alone, and how columns differ in common rows."""
    known = np.zeros(len(one.code), dtype=bool)
    for path in others:
        other = load(path)
        here, there = _common_rows(one, other)
        known[here] = True
        found[path] += len(here)
        for name, tally in tallies.items() if len(here) else ():
            tally.add(one.column(name, here), other.column(name, there), partial(one.place_among, here))
    only_here.add(one, ~known)


def _common_rows(one: _Part, other: _Part) -> tuple[Array, Array]:
    """The rows of the two parts that have the same network and layer, in pairs."""
    layers = max(one.layer.max(initial=0), other.layer.max(initial=0)) + 1
    code = other.names.get_indexer(one.names)[one.code]
    keys, other_keys = np.where(code < 0, -1, code * layers + one.layer), other.code * layers + other.layer
    order = np.argsort(other_keys, kind="stable")
    place = order[np.minimum(np.searchsorted(other_keys, keys, sorter=order), len(other_keys) - 1)]
    here = np.nonzero(other_keys[place] == keys)[0]
    return here, place[here]


@dataclass
class _OnlyHere:
    """Rows that only one folder has: how many, and the first."""

    count: int = 0
    such_as: str = ""

    def add(self, part: _Part, rows: Array) -> None:
        """Count the rows of a part at which the booleans `rows` are true."""
        if rows.any():
            self.such_as = self.such_as or part.place(int(rows.argmax()))
            self.count += int(rows.sum())

    def mismatches(self, table: str, which: str) -> Iterator[Mismatch]:
        """The mismatch that these rows are, if there are any."""
        if self.count:
            yield Mismatch(table, f"{self.count} rows are in the {which} only, such as {self.such_as}", np.inf)


@dataclass
class _Tally:
    """The differences in a column so far: how many rows, the largest difference, and its place."""

    count: int = 0
    largest: float = -1.0
    what: str = ""

    def add(self, a: pa.Array, b: pa.Array, place: Callable[[int], str]) -> None:
        """Compare the values of rows of both folders, in the same order; `place` names a row by its number."""
        if a.equals(b):
            return
        measured = pa.types.is_floating(a.type) and pa.types.is_floating(b.type)
        a, b = (
            column.to_numpy(zero_copy_only=False) if measured else np.array(column.to_pylist(), dtype=object)
            for column in (a, b)
        )
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

    def mismatch(self, where: str) -> Mismatch:
        """The differences as one mismatch."""
        return Mismatch(where, f"{self.count} rows differ, {self.what}", self.largest)
