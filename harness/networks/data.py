"""Sources of inputs and targets: keyed Gaussian draws, the shipped digits, or a user's file."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from harness.base.arrays import Array
from harness.base.streams import INPUTS, ROWS, TARGETS, Streams
from harness.networks.files.dataset import USUAL, Dataset, Keys, UnusableData
from harness.networks.files.load import file_digest, load_dataset

TARGET_KINDS = ("gaussian", "labels", "zeros", "ones")


@dataclass(frozen=True)
class DataSpec:
    """The source of batches. `inputs`: gaussian, digits, or a file as the config writes it, found at `path`."""

    inputs: str = "gaussian"
    targets: str = "gaussian"  # or another of TARGET_KINDS
    batch: int = 64
    path: Path | None = None
    sha256: str | None = None  # of the file's content
    keys: Keys = USUAL  # names in the file


def draw_batch(
    data: DataSpec,
    seed: int,
    replicates: Sequence[int],
    input_width: int,
    output_width: int,
    dtype: np.dtype | type = np.float64,
) -> tuple[Array, Array]:
    """Inputs (replicates, batch, input_width) and targets (replicates, batch, output_width).

    The batch of a replicate depends on the seed and the replicate only; a smaller batch is the beginning of a larger
    one. Rows of a data set are drawn without replacement; the label of a row becomes its one-hot target.
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
    """The rows that batches are drawn from, read once in a process.

    Raises ValueError if the file cannot be read or is not the recorded one.
    """
    if data.path is None:
        return digits()
    return _PROVIDED.get((data.sha256, data.keys)) or _read_recorded(data.path, data.sha256, data.keys)


_PROVIDED: dict[tuple[str | None, Keys], Dataset] = {}  # by the hash of the file and the names in it


def provide(data: DataSpec, dataset: Dataset) -> None:
    """Keep a data set whose file is on another machine in this process; the last four are kept."""
    _PROVIDED[data.sha256, data.keys] = dataset
    while len(_PROVIDED) > 4:
        _PROVIDED.pop(next(iter(_PROVIDED)))


def _draw_rows(rows: int, batch: int, seed: int, replicates: Sequence[int]) -> Array:
    streams = Streams(seed, "rows", rows)
    return np.stack([streams.at(ROWS, 0, i).permutation(rows)[:batch] for i in replicates])  # (replicates, batch)


def _draw_targets(data: DataSpec, seed: int, replicates: Sequence[int], width: int, labels: Array | None) -> Array:
    shape = (data.batch, width)
    if data.targets == "gaussian":
        return Streams(seed, "targets", width).normal(TARGETS, 0, replicates, shape)
    targets = np.full((len(replicates), *shape), float(data.targets == "ones"))
    if labels is not None and data.targets == "labels":
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


@lru_cache(maxsize=1)
def _read_recorded(path: Path, sha256: str | None, keys: Keys) -> Dataset:
    try:
        changed = sha256 is not None and file_digest(path) != sha256
    except OSError as error:
        raise UnusableData(f"{path}: cannot be read: {error.strerror}; put the data file back") from None
    if changed:
        raise UnusableData(f"{path}: changed since the sweep began; start again with --fresh")
    return load_dataset(path, keys)
