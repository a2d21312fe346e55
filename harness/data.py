"""Where inputs and targets come from: keyed Gaussian draws, the shipped digits, or a user's file."""

import gzip
import hashlib
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.problems import shown
from harness.streams import INPUTS, ROWS, TARGETS, Streams

Array = np.ndarray

SUFFIXES = (".npy", ".npz", ".csv", ".parquet")
_NUMERIC = {*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "halffloat", "float", "double"}
_NUMBER_CLASSES = "number the classes, as pandas.factorize does"
MAX_BYTES = 10**9  # of a file, and of what it becomes in float64
MAX_COLUMNS = 10**5
MAX_HEADER = 4 * 10**6  # bytes of a table's first line
MAX_CSV_BYTES = MAX_BYTES // 4  # text of two characters a number takes four times the room in float64


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of inputs, (rows, features) float64, with a class each where there are labels, (rows,) from 0."""

    inputs: Array
    labels: Array | None = None
    classes: int = 0


@dataclass(frozen=True)
class DataSpec:
    """What a batch is drawn from. `inputs`: gaussian, digits, or a file as the config writes it, found at `path`."""

    inputs: str = "gaussian"
    targets: str = "gaussian"  # or labels, zeros
    batch: int = 64
    path: Path | None = None
    sha256: str | None = None  # of the file's content


def draw_batch(data: DataSpec, seed: int, replicates: Sequence[int], input_width: int, output_width: int,
               dtype: np.dtype | type = np.float64) -> tuple[Array, Array]:  # fmt: skip
    """Inputs (replicates, batch, input_width) and targets (replicates, batch, output_width).

    A replicate's batch depends on the seed and the replicate alone, and the smaller batch is the beginning of the
    larger one. Rows of a data set are drawn without replacement; a row's label becomes its one-hot target.
    """
    labels = None
    if data.inputs == "gaussian":
        streams = Streams(seed, "inputs", input_width)
        inputs = streams.normal(INPUTS, 0, replicates, (data.batch, input_width))
    else:
        dataset = dataset_of(data)
        rows = _draw_rows(len(dataset.inputs), data.batch, seed, replicates)
        inputs = dataset.inputs[rows]
        labels = None if dataset.labels is None else dataset.labels[rows]
    targets = _draw_targets(data, seed, replicates, output_width, labels)
    return inputs.astype(dtype), targets.astype(dtype)


def dataset_of(data: DataSpec) -> Dataset:
    """The rows a batch is drawn from; read once a process. Raises ValueError where the file is not the recorded one."""
    if data.path is None:
        return digits()
    return _PROVIDED.get(data.sha256) or _recorded(data.path, data.sha256)


_PROVIDED: dict[str | None, Dataset] = {}  # by the file's hash


def provide(data: DataSpec, dataset: Dataset) -> None:
    """Have a data set here whose file is on another machine; the last four, for as many sweeps at a time."""
    _PROVIDED[data.sha256] = dataset
    while len(_PROVIDED) > 4:
        _PROVIDED.pop(next(iter(_PROVIDED)))


def _draw_rows(rows: int, batch: int, seed: int, replicates: Sequence[int]) -> Array:
    streams = Streams(seed, "rows", rows)
    return np.stack([streams.at(ROWS, 0, i).permutation(rows)[:batch] for i in replicates])  # (replicates, batch)


def _draw_targets(data: DataSpec, seed: int, replicates: Sequence[int], width: int, labels: Array | None) -> Array:
    shape = (data.batch, width)
    if data.targets == "gaussian":
        return Streams(seed, "targets", width).normal(TARGETS, 0, replicates, shape)
    targets = np.zeros((len(replicates), *shape))
    if data.targets == "labels":
        np.put_along_axis(targets, labels[..., None], 1.0, axis=-1)
    return targets


@cache
def digits() -> Dataset:
    """The UCI handwritten digits: 1797 scans of 8×8 pixels, each pixel standardised over all of them; 10 classes."""
    source = resources.files("harness") / "datasets" / "digits.csv.gz"
    with source.open("rb") as packed, gzip.open(packed, "rt", encoding="ascii") as text:
        table = np.loadtxt(text, delimiter=",", skiprows=1)
    pixels, labels = table[:, :-1], table[:, -1].astype(np.int64)
    deviation = pixels.std(axis=0)
    deviation[deviation == 0] = 1  # a pixel that is always blank stays 0
    return Dataset((pixels - pixels.mean(axis=0)) / deviation, labels, 10)


# Files --------------------------------------------------------------------------------------------------------------


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _recorded(path: Path, sha256: str | None) -> Dataset:
    try:
        changed = sha256 is not None and file_digest(path) != sha256
    except OSError as error:
        raise _Refused(f"{path}: cannot be read: {error.strerror}; put the data file back") from None
    if changed:
        raise _Refused(f"{path}: changed since the sweep began; start again with --fresh")
    return load_dataset(path)


class _Refused(HarnessError, ValueError):
    """Says in full what is wrong with a file."""


def load_dataset(path: Path) -> Dataset:
    """A user's file as it is: a 2-D array (.npy), arrays `inputs` and `labels` (.npz), or a table (.csv, .parquet).

    In a table, an integer column `label` holds the classes and every other column is a feature. Labels are numbered
    from 0 in ascending order. Raises ValueError, naming file and column, for whatever cannot be used.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise _Refused(f"{path}: a data file ends in {', '.join(readers)}")
    try:
        if not path.is_file():
            raise _Refused(f"{path}: no such file")
        _require_room(path, path.stat().st_size, MAX_CSV_BYTES if path.suffix == ".csv" else MAX_BYTES)
        return readers[path.suffix](path)
    except _Refused:
        raise
    except Exception as error:  # a damaged file trips its reader in more ways than can be listed
        if re.search("pickled|Python objects|Object arrays", str(error)):
            raise _Refused(f"{path}: holds pickled objects, which are never loaded; save numbers") from None
        raise _Refused(f"{path}: cannot be read: {_one_line(error)}") from error


def _read_npy(path: Path) -> Dataset:
    return _dataset(path, np.lib.format.open_memmap(path, mode="r"))  # refuses a shape larger than the file


def _read_npz(path: Path) -> Dataset:
    with zipfile.ZipFile(path) as archive:
        _require_room(path, sum(member.file_size for member in archive.infolist()))
    with np.load(path, allow_pickle=False) as arrays:
        names = set(arrays.files)
        if "inputs" not in names or names - {"inputs", "labels"}:
            raise _Refused(f"{path}: holds {_listed(names)}; save it as numpy.savez(…, inputs=…, labels=…); "
                           "labels may be left out")
        labels = np.asarray(arrays["labels"]) if "labels" in names else None
        return _dataset(path, np.asarray(arrays["inputs"]), labels, "labels")


def _read_csv(path: Path) -> Dataset:
    from pyarrow import csv  # here and below: a quarter of a second that only tables need

    with path.open("rb") as file:
        header = file.readline(MAX_HEADER)
    if b"," not in header and (b";" in header or b"\t" in header):
        raise _Refused(f"{path}: the first line has no comma; save it with commas between columns, and decimal points")
    if len(header) == MAX_HEADER:
        raise _Refused(f"{path}: the first line is longer than {MAX_HEADER // 10**6} MB; it names the columns")
    _require_columns(path, header.count(b",") + 1)
    table = csv.read_csv(path, read_options=csv.ReadOptions(use_threads=False))
    if all(_is_number(name) for name in table.column_names):
        raise _Refused(f"{path}: the first line holds numbers; put one above it with names, such as x1,x2,label")
    return _from_table(path, table)


def _read_parquet(path: Path) -> Dataset:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        metadata = file.metadata
        _require_columns(path, metadata.num_columns)
        groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        # Both: a run-length encoded column of 10^10 equal numbers takes a few bytes on disk.
        _require_room(path, max(sum(groups), 8 * metadata.num_rows * metadata.num_columns))
        for field in file.schema_arrow:  # before anything is unpacked: a dictionary may hold one long word, many times
            if str(field.type) not in _NUMERIC:
                raise _no_number(path, field.name, field.type)
        return _from_table(path, file.read(use_threads=False))


def _from_table(path: Path, table: "pyarrow.Table") -> Dataset:  # noqa: F821  (see _read_csv)
    if table.num_rows == 0:
        raise _Refused(f"{path}: has no rows")
    if "" in table.column_names:
        place = table.column_names.index("") + 1
        raise _Refused(f"{path}: column {place} has no name; name it, or leave an index out (pandas: index=False)")
    columns: dict[str, Array] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            raise _Refused(f"{path}: column {shown(name)}: there are two of them; rename one")
        columns[name] = _column(path, name, column)
    labels = columns.pop("label", None)
    inputs = np.column_stack(list(columns.values())) if columns else np.zeros((table.num_rows, 0))
    return _dataset(path, inputs, labels, "label", list(columns))


def _column(path: Path, name: str, column: "pyarrow.ChunkedArray") -> Array:  # noqa: F821
    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise _Refused(f"{path}: column {shown(name)}: no number in row {row}; fill it or drop the row")
    if str(column.type) not in _NUMERIC:
        values = (shown(str(value)) for value in column.to_pylist() if not _is_number(value))
        raise _no_number(path, name, next(values, column.type))
    return column.to_numpy()


def _no_number(path: Path, name: str, value: object) -> _Refused:
    remedy = _NUMBER_CLASSES if name == "label" else "drop the column"
    return _Refused(f"{path}: column {shown(name)}: {value} is not a number; {remedy}")


# What every file must satisfy ---------------------------------------------------------------------------------------


def _dataset(path: Path, inputs: Array, labels: Array | None = None, label_name: str = "label",
             names: Sequence[str] = ()) -> Dataset:  # fmt: skip
    if inputs.ndim != 2:
        remedy = "reshape(-1, 1) makes each number a row" if inputs.ndim == 1 else "reshape(len(x), -1) makes them rows"
        raise _Refused(f"{path}: has shape {inputs.shape}; inputs are (rows, features): {remedy}")
    for count, what in zip(inputs.shape, ("rows", "features"), strict=True):
        if count == 0:
            raise _Refused(f"{path}: has no {what}")
    if inputs.dtype.kind not in "iuf":
        raise _Refused(f"{path}: holds {inputs.dtype}; save real numbers, as astype(float) makes them")
    _require_room(path, 8 * inputs.size)
    with np.errstate(over="ignore"):  # beyond float64 is infinite, and refused below
        inputs = np.array(inputs, dtype=np.float64)
    finite = np.isfinite(inputs)
    if not finite.all():
        row, column = map(int, np.argwhere(~finite)[0])
        name = shown(names[column]) if names else str(column)
        value = shown(float(inputs[row, column]))
        raise _Refused(f"{path}: column {name}: {value} in row {row + 1}; fill it or drop the row")
    if labels is None:
        return Dataset(inputs)
    return Dataset(inputs, *_classes(path, labels, len(inputs), label_name))


def _classes(path: Path, labels: Array, rows: int, name: str) -> tuple[Array, int]:
    if labels.shape != (rows,):
        raise _Refused(f"{path}: column {name!r}: has shape {labels.shape}, one label a row is {(rows,)}; "
                       "of one-hot rows, argmax(axis=1) makes labels")
    if labels.dtype.kind not in "iuf" or not np.all(np.isfinite(labels) & (labels == np.floor(labels))):
        raise _Refused(f"{path}: column {name!r}: labels are whole numbers; {_NUMBER_CLASSES}")
    found, numbered = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise _Refused(f"{path}: column {name!r}: there is only one class; labels need two or more")
    return numbered.astype(np.int64), len(found)


def _require_room(path: Path, size: int, limit: int = MAX_BYTES) -> None:
    if size > limit:
        raise _Refused(f"{path}: {size / 1e6:.0f} MB of data, more than {limit / 1e6:.0f} MB; take fewer rows")


def _require_columns(path: Path, count: int) -> None:
    if count > MAX_COLUMNS:
        raise _Refused(f"{path}: {count:,} columns, more than {MAX_COLUMNS:,}; take fewer")


def _listed(names: set[str]) -> str:
    return ", ".join(shown(name) for name in sorted(names)[:8]) or "nothing"


def _is_number(value: object) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
