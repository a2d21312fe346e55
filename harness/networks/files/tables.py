"""Data files of tables: .csv and .parquet."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.arrays import Array
from harness.base.messages import remedy, shown
from harness.networks.files.dataset import Dataset, Keys, UnknownName, UnusableData, checked, require_size

if TYPE_CHECKING:  # pyarrow takes a quarter of a second to import, and only tables need it
    import pyarrow

_INTEGER = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_NUMERIC = {*_INTEGER, "halffloat", "float", "double", "bool"}
LABEL = "label"  # the column of a table that holds the classes, where no other is named
# The column that pandas makes of an index when a table is written without its metadata, or as CSV and written again.
_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+")
MAX_COLUMNS = 10**5
MAX_HEADER = 4 * 10**6  # bytes of a table's first line


def read_csv(path: Path, keys: Keys) -> Dataset:
    """A table of numbers under a line of names; see `load_dataset`."""
    from pyarrow import csv

    with path.open("rb") as file:
        header = file.readline(MAX_HEADER)
    if b"," not in header and (b";" in header or b"\t" in header):
        raise UnusableData(
            f"{path}: the first line has no comma; save it with commas between columns, and decimal points"
        )
    if len(header) == MAX_HEADER:
        raise UnusableData(f"{path}: the first line is longer than {MAX_HEADER // 10**6} MB; it names the columns")
    _require_columns(path, header.count(b",") + 1)
    with path.open("rb") as file:  # pyarrow encodes paths as UTF-8, which they need not be
        table = csv.read_csv(file, read_options=csv.ReadOptions(use_threads=False))
    if all(_is_number(name) for name in table.column_names):
        raise UnusableData(f"{path}: the first line holds numbers; put one above it with names, such as x1,x2,label")
    return _from_table(path, table, keys)


def read_parquet(path: Path, keys: Keys) -> Dataset:
    """A table whose types and sizes are checked before anything is unpacked; see `load_dataset`."""
    from pyarrow import parquet

    label = keys.labels or LABEL
    with path.open("rb") as opened:
        there = parquet.read_metadata(opened).schema.names
    texts = [label] if label in there else []  # kept as a dictionary: a word may come many times
    with path.open("rb") as opened, parquet.ParquetFile(opened, read_dictionary=texts) as file:
        metadata = file.metadata
        _require_columns(path, metadata.num_columns)
        groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        # Both: a run-length encoded column of 10^10 equal numbers takes a few bytes on disk.
        require_size(path, max(sum(groups), 8 * metadata.num_rows * metadata.num_columns))
        index = _index_of(file.schema_arrow)
        columns = [field for field in file.schema_arrow if field.name not in index]
        _require_label(path, keys, [field.name for field in columns])
        for field in columns:  # before anything is unpacked: a dictionary may hold one long word, many times
            if field.name == label:
                _require_label_type(path, field.name, field.type)
            elif str(field.type) not in _NUMERIC:
                raise _no_number(path, field.name, field.type, _is_text(field.type) and not texts)
        table = file.read(columns=[field.name for field in columns] if index else None, use_threads=False)
        return _from_table(path, table.drop_columns(sorted(index & {*table.column_names})), keys)


def _index_of(schema: "pyarrow.Schema") -> set[str]:
    """The columns that pandas.read_parquet makes the index of a frame, and not columns of it."""
    described = schema.pandas_metadata or {}
    return {level for level in described.get("index_columns", ()) if isinstance(level, str)}


def _from_table(path: Path, table: "pyarrow.Table", keys: Keys) -> Dataset:
    if keys.inputs is not None:
        raise UnknownName("inputs_key", f"every column of {path} but that of the labels is an input; remove it")
    label = keys.labels or LABEL
    _require_label(path, keys, table.column_names)
    if table.num_rows == 0:
        raise UnusableData(f"{path}: has no rows")
    if "" in table.column_names:
        place = table.column_names.index("") + 1
        raise UnusableData(f"{path}: column {place} has no name; name it, or leave an index out (pandas: index=False)")
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            raise UnusableData(f"{path}: column {shown(name)}: there are two of them; rename one")
        if _INDEX.fullmatch(name):
            raise UnusableData(f"{path}: column {shown(name)}: an index, which is no feature; save with index=False")
        columns[name] = column
    labels = _classes_of(path, label, columns.pop(label)) if label in columns else None
    columns = {name: _column(path, name, column, labels is None) for name, column in columns.items()}
    inputs = np.column_stack(list(columns.values())) if columns else np.zeros((table.num_rows, 0))
    return checked(path, inputs, labels, label, list(columns))


def _require_label(path: Path, keys: Keys, columns: Sequence[str]) -> None:
    if keys.labels is not None and keys.labels not in columns:
        raise UnknownName("labels", f"{path} has no column {shown(keys.labels)}; {remedy(keys.labels, columns)}")


def _column(path: Path, name: str, column: "pyarrow.ChunkedArray", may_be_labels: bool) -> Array:
    _require_no_gap(path, name, column, "number")
    if str(column.type) not in _NUMERIC:
        values = (shown(str(value)) for value in column.to_pylist() if not _is_number(value))
        raise _no_number(path, name, next(values, column.type), may_be_labels and _is_text(column.type))
    return column.to_numpy()


def _require_no_gap(path: Path, name: str, column: "pyarrow.ChunkedArray", what: str) -> None:
    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise UnusableData(f"{path}: column {shown(name)}: no {what} in row {row}; fill it or drop the row")


def _classes_of(path: Path, name: str, column: "pyarrow.ChunkedArray") -> Array:
    """The labels in a column: its numbers, or the rank of each text among the texts of the column."""
    _require_label_type(path, name, column.type)
    _require_no_gap(path, name, column, "label")
    if str(column.type) in _NUMERIC:
        return column.to_numpy()
    coded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    words = coded.dictionary.to_pylist()
    if "" in words:  # as CSV has a gap in a column of texts
        row = column.to_pylist().index("") + 1
        raise UnusableData(f"{path}: column {shown(name)}: no label in row {row}; fill it or drop the row")
    ranks = {word: rank for rank, word in enumerate(sorted(set(words)))}
    return np.array([ranks[word] for word in words])[coded.indices.to_numpy()]


def _require_label_type(path: Path, name: str, type_: object) -> None:
    if str(type_) not in _NUMERIC and not _is_text(type_):
        raise UnusableData(f"{path}: column {shown(name)}: {type_} is no label; use whole numbers or text")


def _is_text(type_: object) -> bool:
    """Whether a column's type is text, or what pandas calls a category."""
    return str(type_).startswith(("string", "large_string", "dictionary"))


def _no_number(path: Path, name: str, value: object, may_be_labels: bool) -> UnusableData:
    plain = re.fullmatch(r"[A-Za-z_][\w ]*", name)  # needs no quotes in a config
    labels = f"if it holds the classes, write data: {{labels: {name}}}; else drop it"
    remedies = labels if may_be_labels and plain else "drop the column"
    return UnusableData(f"{path}: column {shown(name)}: {value} is not a number; {remedies}")


def _require_columns(path: Path, count: int) -> None:
    if count > MAX_COLUMNS:
        raise UnusableData(f"{path}: {count:,} columns, more than {MAX_COLUMNS:,}; take fewer")


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
