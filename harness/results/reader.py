"""A results folder in Python: its tables, its config and manifest, and any of its networks built again."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness import config
from harness.base.errors import ResultsError
from harness.engine.own.parts import NONE, Own
from harness.engine.remedied.scaled_start import scaled_start
from harness.engine.training.at_start import Run
from harness.engine.training.course import retrained
from harness.networks.data import draw_batch
from harness.networks.draws import Network, draw_parameters, is_neuron, neurons
from harness.networks.spec import NetworkSpec
from harness.networks.training.split import draw_split
from harness.results.columns import TABLES
from harness.results.disk.part import is_part
from harness.results.files import text_path
from harness.results.folder import CONFIG, LAYERS, MANIFEST, NETWORKS, STEP_LAYERS, STEPS
from harness.results.parts import block_made_with, committed_parts, read_table
from harness.results.rows import Rows

Result = TypeVar("Result")


def among_own(method: Callable[..., Result]) -> Callable[..., Result]:
    """The method of a Reader, with the parts of the user's own that the results were computed with in force."""

    @wraps(method)
    def inside(self: "Reader", *args: Any, **kwargs: Any) -> Result:
        with self.own.in_force():
            return method(self, *args, **kwargs)

    return inside


@dataclass(frozen=True)
class Reader:
    """The results of a sweep in a folder. `own`: the parts of the user's own that they were computed with."""

    path: Path
    own: Own = field(default=NONE, repr=False)

    @property
    def parts(self) -> dict[str, list[Path]]:
        """The parquet files of each table, their checksums verified.

        Raises ResultsError if there are no results, if a file is damaged or of another config, or if the folder was
        swept again since these results were first read.
        """
        self.require_unchanged()
        return self._parts

    def require_unchanged(self) -> None:
        """Raise ResultsError if the folder was swept again since these results were first read."""
        read = self.__dict__.get("_parts", {})  # not yet read: then there is nothing that could be mixed
        there = {kind: {path.name for path in (self.path / kind).glob("*")} for kind in read}
        gone = any(path.name not in there[kind] for kind, paths in read.items() for path in paths)
        if gone or self._config_bytes != _bytes_of(self.path / CONFIG):
            again = "load it again with harness.load"
            raise ResultsError(f"{self.path}: swept again, or removed, since these results were first read; {again}")

    @cached_property
    def _parts(self) -> dict[str, list[Path]]:
        return committed_parts(self.path, config.digest(self.sweep))

    @cached_property
    def _config_bytes(self) -> bytes:
        """The file of the config, when these results were first read."""
        return _bytes_of(self.path / CONFIG)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """The whole table `layers`, one row for each network and layer; `read` returns some columns or rows."""
        return read_table(self.parts[LAYERS])

    @cached_property
    def networks(self) -> pd.DataFrame:
        """The whole table `networks`, one row for each network and replicate."""
        return read_table(self.parts[NETWORKS])

    @cached_property
    def steps(self) -> pd.DataFrame:
        """The whole table `steps`, one row for each training run and recorded step. Raises ResultsError without any."""
        return read_table(self._parts_of(STEPS))

    @cached_property
    def step_layers(self) -> pd.DataFrame:
        """The whole table `step_layers`, one row for each row of `steps` and layer. Raises ResultsError without any."""
        return read_table(self._parts_of(STEP_LAYERS))

    def _parts_of(self, table: str) -> list[Path]:
        if table not in self.parts:
            raise ResultsError(
                f"{self.path}: no table {table!r}: this sweep does not train; add training: to its config"
            )
        return self.parts[table]

    def read(
        self, table: str = LAYERS, columns: Sequence[str] | None = None, filters: Sequence | ds.Expression | None = None
    ) -> pd.DataFrame:
        """Some columns and rows of a table; nothing else is read from the disk.

        The tables are `layers` and `networks`, and of a sweep that trains `steps` and `step_layers`.

        `filters` are those of pandas.read_parquet, [("depth", "==", 64), ("activation", "in", ["relu"])], or an
        expression of pyarrow. Raises ResultsError for an unknown table or column.
        """
        if table not in TABLES:
            raise ResultsError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
        parts = self._parts_of(table)
        chosen = pq.filters_to_expression(list(filters)) if isinstance(filters, Sequence) else filters
        try:
            return read_table(parts, columns, chosen)
        except pa.ArrowException as error:  # its message does not list the columns
            names = pq.read_schema(text_path(parts[0])).names
            reason = str(error).splitlines()[0].split(" in network:")[0]
            raise ResultsError(f"{self.path}: {table}: {reason}; the columns are {', '.join(names)}") from None

    def progress(self) -> tuple[int, int]:
        """The number of networks that are finished, and that of the sweep. A folder without a block has finished 0."""
        parts = filter(is_part, (self.path / NETWORKS).glob("[!.]*.parquet"))
        return sum(pq.read_metadata(path).num_rows for path in parts), config.count(self.sweep) * self.sweep.replicates

    @property
    def rows(self) -> Rows:
        """The table `layers` on the disk, of which figures and summary read the columns that they need."""
        return Rows(tuple(self.parts[LAYERS]))

    @cached_property
    @among_own
    def neurons(self) -> pd.DataFrame:
        """The single neurons among `networks`, with the weight W, input x and target y of each.

        Raises ResultsError if there are none.
        """
        data = self.sweep.data_spec()
        specs = [spec for spec in self._specs.values() if is_neuron(spec, data)]
        if not specs:
            raise ResultsError(f"{self.path}: no single neurons, of depth, widths and batch 1 and without biases")
        drawn = neurons(specs, data, self.sweep.seed, self.sweep.replicates).set_index("network")
        networks = self.networks[self.networks["network"].astype(str).isin(drawn.index)]
        found = drawn.loc[networks["network"].astype(str)]
        return networks.assign(**{name: found[name].array for name in found})

    @cached_property
    def manifest(self) -> dict:
        """Versions, machine, counts and times of the last run; if the file is lost, the entries that can be rebuilt."""
        return self._manifest_file or self._rebuilt_manifest()

    @cached_property
    def _manifest_file(self) -> dict | None:
        """The manifest's file, or None if it is lost or damaged."""
        try:
            manifest = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
            return manifest if _is_complete(manifest) else None
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def _rebuilt_manifest(self) -> dict:
        """The entries of a manifest that follow from the config and the parts."""
        makers = [block_made_with(path) for path in self.parts[NETWORKS]]
        return {
            "name": self.sweep.name,
            "seed": self.sweep.seed,
            "replicates": self.sweep.replicates,
            "networks": len(self.networks),
            "config_folder": os.path.relpath(self.config_folder, self.path),
            "made_with": [maker for place, maker in enumerate(makers) if maker not in makers[:place]],
        }

    @cached_property
    def config_folder(self) -> Path:
        """The folder of the config; if it is not recorded, configs/ beside results/, or else this folder."""
        usual = Path("..", "..", "configs")
        written = (self._manifest_file or {}).get("config_folder", usual if (self.path / usual).is_dir() else ".")
        return Path(os.path.normpath(self.path / written))

    @cached_property
    @among_own
    def sweep(self) -> config.Sweep:
        """The config as it was run. Raises ConfigError if it can no longer be read."""
        self.require_unchanged()
        return config.read_file(self.path / CONFIG, allow_large=True, folder=self.config_folder, read_data=False)

    @among_own
    def build(self, network: str, step: int | None = None) -> Network:
        """The weights, biases, inputs and targets of a recorded network, drawn again from its key in `networks`.

        Arrays are float64; a sweep of dtype float32 cast each base draw to float32 before it ran. With a `step`,
        `network` is a key of the column `run`, and the network is trained again up to that step: the weights are then
        those of the run, in its dtype, and inputs and targets all rows that train. Raises ResultsError for an unknown
        key or step, a step after which the run had diverged, or if the data file is gone or changed.
        """
        if step is not None:
            return self._trained(network, step)
        spec, replicate = self._coordinates(network)
        seed, data = self.sweep.seed, self.sweep.data_spec()
        try:
            inputs, targets = draw_batch(data, seed, [replicate], spec.input_width, spec.output_width, np.float64)
        except ValueError as error:
            raise ResultsError(str(error)) from None
        weights, biases = draw_parameters(spec, seed, replicate)
        if spec.within is not None:
            weights, _ = scaled_start(spec, seed, replicate, data, np.dtype(np.float64))
        affine = [(np.ones_like(b), np.zeros_like(b)) for b in biases[:-1]] if spec.normalised else []
        gammas, betas = [gamma for gamma, _ in affine], [beta for _, beta in affine]
        return Network(spec, replicate, weights, biases, inputs[0], targets[0], gammas, betas)

    def _trained(self, key: str, step: int) -> Network:
        """The network of a training run after a step."""
        training, (network, _, recipe) = config.training_of(self.sweep), str(key).rpartition("-")
        recipes = {} if training is None else {one.key: one for one in training.recipes}
        if training is None or recipe not in recipes:
            raise ResultsError(f"{self.path}: no training run {key!r}; the column `run` of `steps` has the keys")
        if not 0 <= step <= training.steps:
            raise ResultsError(f"{self.path}: no step {step}; the runs have {training.steps}")
        run = Run(*self._coordinates(network), recipes[recipe])
        dtype, seed, widths = np.dtype(self.sweep.dtype), self.sweep.seed, (run.spec.input_width, run.spec.output_width)
        try:
            split = draw_split(self.sweep.data_spec(), training, seed, run.replicate, widths, dtype)
        except ValueError as error:
            raise ResultsError(str(error)) from None
        trained = retrained(run, split, step, seed, dtype, self.sweep.cost, self.sweep.data_spec())
        stack, diverged = trained.stack, int(trained.diverged[0])
        if diverged:
            raise ResultsError(f"{self.path}: {key} diverged at step {diverged}; give a step before that")
        multiplying, of_trained = stack.multiplying()
        weights, own = ([W[0, 0] for W in of.weights] for of in (multiplying, stack))
        biases, gammas, betas = ([v[0, 0, 0] for v in rows] for rows in (stack.biases, stack.gammas, stack.betas))
        return Network(
            *(run.spec, run.replicate, weights, biases, split.train.inputs, split.train.targets, gammas, betas),
            unstandardised=own if of_trained else [],
        )

    @cached_property
    @among_own
    def _specs(self) -> dict[str, NetworkSpec]:
        return {spec.key: spec for spec in config.expand(self.sweep)}

    def _coordinates(self, network: str) -> tuple[NetworkSpec, int]:
        key, _, replicate = str(network).partition("-")
        if key not in self._specs or not replicate.isdecimal() or int(replicate) >= self.sweep.replicates:
            raise ResultsError(f"{self.path}: no network {network!r}; the column `network` of the tables has the keys")
        return self._specs[key], int(replicate)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # who reads it says why it cannot be read


def _is_complete(manifest: dict) -> bool:
    """Whether a manifest has the entries that commands read. Raises KeyError or TypeError for other forms."""
    texts = [manifest["config_folder"], *(one[key] for one in manifest["failed"] for key in ("block", "why"))]
    return isinstance(manifest["networks"], int) and all(isinstance(text, str) for text in texts)
