"""What a data file becomes, a `Dataset`, what every file must satisfy, and the errors of those that do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.arrays import Array
from harness.base.errors import HarnessError
from harness.base.messages import shown

MAX_BYTES = 10**9  # of a file, and of what it becomes in float64


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


class UnusableData(HarnessError, ValueError):
    """A data file that cannot be used; the message says why, and what to do."""

    key = "inputs"  # of the config's `data`, at which the fault is


class UnknownName(UnusableData):
    """A name in `data` that the file does not have; the message says which it has."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def checked(
    path: Path, inputs: Array, labels: Array | None = None, label_name: str = "labels", names: Sequence[str] = ()
) -> Dataset:
    """The data set of some arrays as they were read. `label_name` and `names`, of the features, are for messages."""
    if inputs.ndim < 2:
        how = "reshape(-1, 1) makes each number a row"
        raise UnusableData(f"{path}: has shape {inputs.shape}; inputs are (rows, features): {how}")
    shape = inputs.shape
    for count, what in ((shape[0], "rows"), (int(np.prod(shape[1:])), "features")):
        if count == 0:
            raise UnusableData(f"{path}: has no {what}")
    if inputs.dtype.kind not in "iufb":
        raise UnusableData(f"{path}: holds {inputs.dtype}; save real numbers, as astype(float) makes them")
    require_size(path, 8 * inputs.size)
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
        raise UnusableData(
            f"{path}: column {name!r}: labels are whole numbers or text; number the classes, as pandas.factorize does"
        )
    found, numbered = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise UnusableData(f"{path}: column {name!r}: there is only one class; labels need two or more")
    return numbered.astype(np.int64), len(found)


def require_size(path: Path, size: int, limit: int = MAX_BYTES) -> None:
    """Raise UnusableData for more bytes than the limit."""
    if size > limit:
        raise UnusableData(f"{path}: {size / 1e6:.0f} MB of data, more than {limit / 1e6:.0f} MB; take fewer rows")
