"""A user's data file, read and checked: .npy, .npz, .csv or .parquet."""

import hashlib
import re
from pathlib import Path

from harness.networks.files.arrays import read_npy, read_npz
from harness.networks.files.dataset import MAX_BYTES, USUAL, Dataset, Keys, UnusableData, require_size
from harness.networks.files.tables import read_csv, read_parquet

_READERS = {".npy": read_npy, ".npz": read_npz, ".csv": read_csv, ".parquet": read_parquet}
SUFFIXES = tuple(_READERS)
MAX_CSV_BYTES = MAX_BYTES // 4  # a number of two characters takes four times the memory in float64


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_dataset(path: Path, keys: Keys = USUAL) -> Dataset:
    """The data in a user's file: an array (.npy), arrays of inputs and labels (.npz), or a table (.csv, .parquet).

    In a table, one column holds the classes (`keys.labels`, or else a column `label`), and every other column is a
    feature; the index of pandas is none. Each row of an array of more dimensions, such as images, is flattened. Labels
    are whole numbers or text, and are numbered from 0 in ascending order. Raises ValueError, naming file and column,
    for whatever cannot be used.
    """
    if path.suffix not in _READERS:
        raise UnusableData(f"{path}: a data file ends in {', '.join(SUFFIXES)}")
    try:
        if not path.is_file():
            raise UnusableData(f"{path}: no such file")
        require_size(path, path.stat().st_size, MAX_CSV_BYTES if path.suffix == ".csv" else MAX_BYTES)
        return _READERS[path.suffix](path, keys)
    except UnusableData:
        raise
    except Exception as error:  # a damaged file trips its reader in more ways than can be listed
        if re.search("pickled|Python objects|Object arrays", str(error)):
            raise UnusableData(f"{path}: holds pickled objects, which are never loaded; save numbers") from None
        raise UnusableData(f"{path}: cannot be read: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
