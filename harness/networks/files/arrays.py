"""Data files of arrays: .npy and .npz."""

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.base.messages import remedy, shown
from harness.networks.files.dataset import USUAL, Dataset, Keys, UnknownName, UnusableData, checked, require_size

# Arrays of inputs in a .npz file and the arrays of labels that belong to them, as people name them.
PAIRS = {"inputs": "labels", "x_train": "y_train", "X_train": "y_train", "X": "y", "x": "y"}
_SPARE = re.compile(r"[xXy]_(test|val|valid|validation)")  # arrays that may lie beside them


def read_npy(path: Path, keys: Keys) -> Dataset:
    """One array of inputs."""
    if keys != USUAL:
        key = "labels" if keys.labels else "inputs_key"
        raise UnknownName(key, f"{path} holds one array without a name; remove {key}, or save an .npz with names")
    return checked(path, np.lib.format.open_memmap(path, mode="r"))  # refuses a shape larger than the file


def read_npz(path: Path, keys: Keys) -> Dataset:
    """An array of inputs, and one of labels if there is one, by `keys` or by the usual names."""
    with zipfile.ZipFile(path) as archive:
        require_size(path, sum(member.file_size for member in archive.infolist()))
    with np.load(path, allow_pickle=False) as arrays:
        of_inputs, of_labels = _names_of_arrays(path, set(arrays.files), keys)
        labels = None if of_labels is None else np.asarray(arrays[of_labels])
        dataset = checked(path, np.asarray(arrays[of_inputs]), labels, of_labels or "labels")
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


def _listed(names: set[str]) -> str:
    return ", ".join(shown(name) for name in sorted(names)[:8]) or "nothing"
