"""A user's data file, read and checked: .npy, .npz, .csv or .parquet."""

import hashlib
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.arrays import Array
from harness.base.errors import HarnessError
from harness.base.messages import remedy, shown

if TYPE_CHECKING:  # pyarrow takes a quarter of a second to import, and only tables need it
    import pyarrow

SUFFIXES = (".npy", ".npz", ".csv", ".parquet")
_INTEGER = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_NUMERIC = {*_INTEGER, "halffloat", "float", "double", "bool"}
_NUMBER_CLASSES = "number the classes, as pandas.factorize does"
LABEL = "label"  # the column of a table that holds the classes, where no other is named
# Arrays of inputs in a .npz file and the arrays of labels that belong to them, as people name them.
PAIRS = {"inputs": "labels", "x_train": "y_train", "X_train": "y_train", "X": "y", "x": "y"}
_SPARE = re.compile(r"[xXy]_(test|val|valid|validation)")  # arrays that may lie beside them
# The column that pandas makes of an index when a table is written without its metadata, or as CSV and written again.
_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+")
MAX_BYTES = 10**9  # of a file, and of what it becomes in float64
MAX_COLUMNS = 10**5
MAX_HEADER = 4 * 10**6  # bytes of a table's first line
MAX_CSV_BYTES = MAX_BYTES // 4  # a number of two characters takes four times the memory in float64


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs, (rows, features) float64, and if there are labels the class of each row, (rows,), numbered from 0."""

    inputs: Array
    labels: Array | None = None
    classes: int = 0
    description: str = ""  # what was read from a file, for the plan


@dataclass(frozen=True)
class Keys:
    """Names in a data file: the array of inputs (.npz), and the array or column of labels. None: the usual names."""

    inputs: str | None = None
    labels: str | None = None


USUAL = Keys()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class UnusableData(HarnessError, ValueError):
    """A data file that cannot be used; the message says why, and what to do."""

    key = "inputs"  # of the config's `data`, at which the fault is


class UnknownName(UnusableData):
    """A name in `data` that the file does not have; the message says which it has."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def load_dataset(path: Path, keys: Keys = USUAL) -> Dataset:
    """The data in a user's file: an array (.npy), arrays of inputs and labels (.npz), or a table (.csv, .parquet).

    In a table, one column holds the classes (`keys.labels`, or else a column `label`), and every other column is a
    feature; the index of pandas is none. Each row of an array of more dimensions, such as images, is flattened. Labels
    are whole numbers or text, and are numbered from 0 in ascending order. Raises ValueError, naming file and column,
    for whatever cannot be used.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise UnusableData(f"{path}: a data file ends in {', '.join(readers)}")
    try:
        if not path.is_file():
            raise UnusableData(f"{path}: no such file")
        _require_size(path, path.stat().st_size, MAX_CSV_BYTES if path.suffix == ".csv" else MAX_BYTES)
        return readers[path.suffix](path, keys)
    except UnusableData:
        raise
    except Exception as error:  # a damaged file trips its reader in more ways than can be listed
        if re.search("pickled|Python objects|Object arrays", str(error)):
            raise UnusableData(f"{path}: holds pickled objects, which are never loaded; save numbers") from None
        raise UnusableData(f"{path}: cannot be read: {_one_line(error)}") from error


# Arrays -------------------------------------------------------------------------------------------------------------


def _read_npy(path: Path, keys: Keys) -> Dataset:
    if keys != USUAL:
        key = "labels" if keys.labels else "inputs_key"
        raise UnknownName(key, f"{path} holds one array without a name; remove {key}, or save an .npz with names")
    return _dataset(path, np.lib.format.open_memmap(path, mode="r"))  # refuses a shape larger than the file


def _read_npz(path: Path, keys: Keys) -> Dataset:
    with zipfile.ZipFile(path) as archive:
        _require_size(path, sum(member.file_size for member in archive.infolist()))
    with np.load(path, allow_pickle=False) as arrays:
        of_inputs, of_labels = _names_of_arrays(path, set(arrays.files), keys)
        labels = None if of_labels is None else np.asarray(arrays[of_labels])
        dataset = _dataset(path, np.asarray(arrays[of_inputs]), labels, of_labels or "labels")
        return replace(dataset, description=f"{shown(of_inputs)}: {dataset.description}")


def _names_of_arrays(path: Path, there: set[str], keys: Keys) -> tuple[str, str | None]:
    """The names of the arrays of inputs and of labels, None where there are no labels."""
    for key, name in (("inputs_key", keys.inputs), ("labels", keys.labels)):
        if name is not None and name not in there:
            raise UnknownName(key, f"{path} has no array {shown(name)}; {remedy(name, sorted(there))}")
    usual = [name for name in PAIRS if name in there and name != keys.labels]
    of_inputs = keys.inputs or (usual[0] if len(usual) == 1 else None)
    if of_inputs is not None:
        partner = PAIRS.get(of_inputs) or (f"y{of_inputs[1:]}" if of_inputs[:2] in ("x_", "X_") else None)
        of_labels = keys.labels or (partner if partner in there else None)
        others = {name for name in there - {of_inputs, of_labels} if not _SPARE.fullmatch(name)}
        if keys.inputs or not others:
            return of_inputs, of_labels
    raise UnusableData(
        f"{path}: holds {_listed(there)}; name the two that are meant, data: {{inputs_key: …, labels: …}}, or save it "
        "as numpy.savez(…, inputs=…, labels=…); labels may be left out"
    )


# Tables -------------------------------------------------------------------------------------------------------------


def _read_csv(path: Path, keys: Keys) -> Dataset:
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


def _read_parquet(path: Path, keys: Keys) -> Dataset:
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
        _require_size(path, max(sum(groups), 8 * metadata.num_rows * metadata.num_columns))
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
    return _dataset(path, inputs, labels, label, list(columns))


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


# What every file must satisfy ---------------------------------------------------------------------------------------


def _dataset(
    path: Path, inputs: Array, labels: Array | None = None, label_name: str = LABEL, names: Sequence[str] = ()
) -> Dataset:
    if inputs.ndim < 2:
        how = "reshape(-1, 1) makes each number a row"
        raise UnusableData(f"{path}: has shape {inputs.shape}; inputs are (rows, features): {how}")
    shape = inputs.shape
    for count, what in ((shape[0], "rows"), (int(np.prod(shape[1:])), "features")):
        if count == 0:
            raise UnusableData(f"{path}: has no {what}")
    if inputs.dtype.kind not in "iufb":
        raise UnusableData(f"{path}: holds {inputs.dtype}; save real numbers, as astype(float) makes them")
    _require_size(path, 8 * inputs.size)
    with np.errstate(over="ignore"):  # beyond float64 is infinite, and refused below
        inputs = np.array(inputs, dtype=np.float64).reshape(len(inputs), -1)
    finite = np.isfinite(inputs)
    if not finite.all():
        row, column = map(int, np.argwhere(~finite)[0])
        name = shown(names[column]) if names else str(column)
        value = shown(float(inputs[row, column]))
        raise UnusableData(f"{path}: column {name}: {value} in row {row + 1}; fill it or drop the row")
    described = f"{shape[0]:,} rows of {_features(shape[1:])}"
    if labels is None:
        return Dataset(inputs, description=described)
    numbered, classes = _classes(path, labels, len(inputs), label_name)
    return Dataset(inputs, numbered, classes, f"{described}; {classes} classes in {shown(label_name)}")


def _features(shape: tuple[int, ...]) -> str:
    """`4 features`, or for images `28 × 28, flattened to 784 features`."""
    count = int(np.prod(shape))
    flattened = f"{' × '.join(map(str, shape))}, flattened to " if len(shape) > 1 else ""
    return f"{flattened}{count} feature" + "s" * (count != 1)


def _classes(path: Path, labels: Array, rows: int, name: str) -> tuple[Array, int]:
    if labels.shape == (rows, 1):
        labels = labels[:, 0]
    if labels.shape != (rows,):
        raise UnusableData(
            f"{path}: column {name!r}: has shape {labels.shape}, one label a row is {(rows,)}; "
            "of one-hot rows, argmax(axis=1) makes labels"
        )
    numbers = labels.dtype.kind in "iuf" and bool(np.all(np.isfinite(labels) & (labels == np.floor(labels))))
    if not numbers and labels.dtype.kind not in "bSU":
        raise UnusableData(f"{path}: column {name!r}: labels are whole numbers or text; {_NUMBER_CLASSES}")
    found, numbered = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise UnusableData(f"{path}: column {name!r}: there is only one class; labels need two or more")
    return numbered.astype(np.int64), len(found)


def _require_size(path: Path, size: int, limit: int = MAX_BYTES) -> None:
    if size > limit:
        raise UnusableData(f"{path}: {size / 1e6:.0f} MB of data, more than {limit / 1e6:.0f} MB; take fewer rows")


def _require_columns(path: Path, count: int) -> None:
    if count > MAX_COLUMNS:
        raise UnusableData(f"{path}: {count:,} columns, more than {MAX_COLUMNS:,}; take fewer")


def _listed(names: set[str]) -> str:
    return ", ".join(shown(name) for name in sorted(names)[:8]) or "nothing"


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
