"""Where inputs and targets come from: keyed Gaussian draws, the shipped digits, or a user's file."""

import gzip
import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from harness.problems import shown
from harness.streams import INPUTS, ROWS, TARGETS, Streams

Array = np.ndarray

SUFFIXES = (".npy", ".npz", ".csv", ".parquet")
MAX_BYTES = 10**9  # of a file, and of what it becomes in float64
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
    return digits() if data.path is None else _recorded(data.path, data.sha256)


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
    if sha256 is not None and file_digest(path) != sha256:
        raise ValueError(f"{path}: changed since the sweep began; start again with --fresh")
    return load_dataset(path)


def load_dataset(path: Path) -> Dataset:
    """A user's file as it is: a 2-D array (.npy), arrays `inputs` and `labels` (.npz), or a table (.csv, .parquet).

    In a table, an integer column `label` holds the classes and every other column is a feature. Labels are numbered
    from 0 in ascending order. Raises ValueError, naming file and column, for whatever cannot be used.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise ValueError(f"{path}: a data file ends in {', '.join(readers)}")
    try:
        if not path.is_file():
            raise ValueError(f"{path}: no such file")
        _require_room(path, path.stat().st_size, MAX_CSV_BYTES if path.suffix == ".csv" else MAX_BYTES)
        return readers[path.suffix](path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None


def _read_npy(path: Path) -> Dataset:
    return _dataset(path, _array(path, "the array", lambda: np.load(path, mmap_mode="r", allow_pickle=False)))


def _read_npz(path: Path) -> Dataset:
    try:
        with zipfile.ZipFile(path) as archive:
            _require_room(path, sum(member.file_size for member in archive.infolist()))
        with np.load(path, allow_pickle=False) as arrays:
            names = set(arrays.files)
            if "inputs" not in names or names - {"inputs", "labels"}:
                raise ValueError(f"{path}: holds {shown_names(names)}; an .npz needs inputs, and labels if there are any")
            inputs = _array(path, "inputs", lambda: arrays["inputs"])
            labels = _array(path, "labels", lambda: arrays["labels"]) if "labels" in names else None
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path}: not an .npz file: {error}") from None
    return _dataset(path, inputs, labels, "labels")


def _read_csv(path: Path) -> Dataset:
    import pandas as pd  # imported here: half a second that only tables need

    try:
        frame = pd.read_csv(path, encoding="utf-8", low_memory=False, float_precision="round_trip", index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a table: {_one_line(error)}") from None
    return _from_frame(path, frame)


def _read_parquet(path: Path) -> Dataset:
    import pyarrow as pa  # imported here: a quarter of a second that only parquet needs
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
            _require_room(path, max(sum(groups), 8 * metadata.num_rows * metadata.num_columns))
            for column in file.schema_arrow:
                if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
                    raise ValueError(f"{path}: column {shown(column.name)}: {column.type} is not numeric; drop it")
            return _from_frame(path, file.read().to_pandas())
    except pa.ArrowException as error:
        raise ValueError(f"{path}: not a parquet file: {_one_line(error)}") from None


def _from_frame(path: Path, frame) -> Dataset:
    for name in frame.columns:
        if frame[name].isna().any():
            row = int(frame[name].isna().to_numpy().argmax())
            raise ValueError(f"{path}: column {shown(str(name))}: no number in row {row + 1}; fill it or drop the row")
        if frame[name].dtype.kind not in "iuf":
            raise ValueError(f"{path}: column {shown(str(name))}: {_first_text(frame[name])} is not a number; drop the column")
    labels = frame["label"].to_numpy() if "label" in frame.columns else None
    features = frame.drop(columns="label", errors="ignore")
    return _dataset(path, features.to_numpy(), labels, "label", [str(name) for name in features.columns])


def _dataset(path: Path, inputs: Array, labels: Array | None = None, label_name: str = "label",
             names: Sequence[str] = ()) -> Dataset:  # fmt: skip
    if inputs.ndim != 2:
        raise ValueError(f"{path}: has {inputs.ndim} dimensions; inputs are (rows, features)")
    if inputs.dtype.kind not in "iuf":
        raise ValueError(f"{path}: holds {inputs.dtype}; inputs are real numbers")
    _require_room(path, 8 * inputs.size)
    for axis, what in enumerate(("rows", "features")):
        if inputs.shape[axis] == 0:
            raise ValueError(f"{path}: has no {what}")
    inputs = np.array(inputs, dtype=np.float64)
    finite = np.isfinite(inputs)
    if not finite.all():
        row, column = map(int, np.argwhere(~finite)[0])
        name = shown(names[column]) if names else str(column)
        raise ValueError(f"{path}: column {name}: {shown(float(inputs[row, column]))} in row {row + 1}; inputs are finite")
    if labels is None:
        return Dataset(inputs)
    return Dataset(inputs, *_classes(path, labels, len(inputs), label_name))


def _classes(path: Path, labels: Array, rows: int, name: str) -> tuple[Array, int]:
    if labels.shape != (rows,):
        raise ValueError(f"{path}: column {name!r}: has shape {labels.shape}; one label a row is {(rows,)}")
    if labels.dtype.kind not in "iuf" or not np.all(labels == np.round(labels)):  # NaN differs from itself
        raise ValueError(f"{path}: column {name!r}: labels are whole numbers")
    found, numbered = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"{path}: column {name!r}: there is only one class; labels need two or more")
    return numbered.astype(np.int64), len(found)


def _array(path: Path, name: str, read) -> Array:
    try:
        return read()
    except (ValueError, EOFError, MemoryError, SyntaxError, zipfile.BadZipFile) as error:
        if "Python objects" in str(error) or "Object arrays" in str(error) or "pickle" in str(error):
            raise ValueError(f"{path}: {name} holds pickled Python objects, which are never loaded; save numbers") from None
        raise ValueError(f"{path}: {name} cannot be read: {_one_line(error)}") from None


def _require_room(path: Path, size: int, limit: int = MAX_BYTES) -> None:
    if size > limit:
        raise ValueError(f"{path}: {size / 1e6:.0f} MB of data is over the limit of {limit / 1e6:.0f} MB; take fewer rows")


def shown_names(names: set[str]) -> str:
    return ", ".join(shown(name) for name in sorted(names)[:8]) or "nothing"


def _first_text(column) -> str:
    return next((shown(str(v)) for v in column if not _is_float(v)), str(column.dtype))


def _is_float(value: object) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
