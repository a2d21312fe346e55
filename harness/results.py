"""A results folder as Python sees it: its tables, its config, and any of its networks built again."""

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness import claims, config, figures, store, summary
from harness.data import draw_batch
from harness.errors import ConfigError, ResultsError
from harness.folder import CLAIMS, CONFIG, FIGURES, LAYERS, MANIFEST, NETWORKS
from harness.layer_rows import Rows, over_layers
from harness.network import Network, NetworkSpec, draw_parameters
from harness.neurons import is_neuron, neurons
from harness.problems import close_match, remedy, shown
from harness.questions import Question


@dataclass(frozen=True)
class Results:
    """What a sweep left in a folder."""

    path: Path

    @cached_property
    def parts(self) -> dict[str, list[Path]]:
        """The parquet files of each table, whose checksums were found right."""
        return store.parts(self.path)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row per network and layer; columns as the README lists them. All of them: `read` takes some."""
        return store.read_parts(self.parts, LAYERS)

    @cached_property
    def networks(self) -> pd.DataFrame:
        """One row per network."""
        return store.read_parts(self.parts, NETWORKS)

    def read(self, table: str = LAYERS, columns: Sequence[str] | None = None,
             filters: Sequence | ds.Expression | None = None) -> pd.DataFrame:  # fmt: skip
        """Some columns and rows of `layers` or `networks`; only what is asked for is read from the disk.

        `filters` as pandas.read_parquet and pyarrow take them: [("depth", "==", 64), ("activation", "in", ["relu"])],
        or an expression. Raises ResultsError for a table or a column that there is not.
        """
        if table not in (LAYERS, NETWORKS):
            raise ResultsError(f"there is no table {table!r}; there are {LAYERS} and {NETWORKS}")
        chosen = pq.filters_to_expression(list(filters)) if isinstance(filters, Sequence) else filters
        try:
            return store.read_parts(self.parts, table, columns, chosen)
        except pa.ArrowException as error:  # it does not say the columns there are
            names = pq.read_schema(self.parts[table][0]).names
            reason = str(error).splitlines()[0].split(" in network:")[0]
            raise ResultsError(f"{self.path}: {table}: {reason}; the columns are {', '.join(names)}") from None

    @cached_property
    def _shown_networks(self) -> pd.DataFrame:
        """One row per network, of the columns that figures and summary take."""
        return store.read_parts(self.parts, NETWORKS, figures.COLUMNS)

    @property
    def rows(self) -> Rows:
        """The table `layers` as it lies on the disk, of which figures and summary take the columns they need."""
        return Rows(tuple(self.parts[LAYERS]))

    @cached_property
    def neurons(self) -> pd.DataFrame:
        """The single neurons among `networks`, with the weight W, input x and target y of each.

        Raises ResultsError where there are none.
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
        """Versions, machine, counts and times of the last run; without its file, what config and parts say of them."""
        return self._manifest_file or self._manifest_again()

    @cached_property
    def _manifest_file(self) -> dict | None:
        """As it was written; None where it is lost or damaged."""
        try:
            manifest = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
            return manifest if _is_whole(manifest) else None
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def _manifest_again(self) -> dict:
        """What a manifest says that follows from the config and the parts."""
        ways = [store.made_with(path) for path in self.parts[NETWORKS]]
        return {
            "name": self.sweep.name,
            "seed": self.sweep.seed,
            "replicates": self.sweep.replicates,
            "networks": len(self.networks),
            "config_folder": os.path.relpath(self.config_folder, self.path),
            "made_with": [way for place, way in enumerate(ways) if way not in ways[:place]],
        }

    @cached_property
    def config_folder(self) -> Path:
        """Where the config was; if that is lost, configs/ beside the folder of results, or else the results' own."""
        usual = Path("..", "..", "configs")
        written = (self._manifest_file or {}).get("config_folder", usual if (self.path / usual).is_dir() else ".")
        return Path(os.path.normpath(self.path / written))

    @cached_property
    def sweep(self) -> config.Sweep:
        """The config as it was run. Raises ConfigError where it can no longer be read."""
        return config.load(self.path / CONFIG, allow_large=True, folder=self.config_folder, read_data=False)

    def draw(self) -> list[Path]:
        """Draw the figures that the config as run names, or else all that apply. Returns the files."""
        chosen = [name for name, reason in self._figures().items() if reason is None]
        folder = self.path / FIGURES
        return [path for name in chosen for path in figures.save(name, self.rows, self._shown(name), folder)]

    def not_drawn(self) -> list[str]:
        """A line for each figure that the config as run names and that shows nothing of these networks, with why."""
        named = self.sweep.figures or ()
        return [f"figure {name} is not drawn: {reason}" for name, reason in self._figures().items()
                if reason and name in named]  # fmt: skip

    def _figures(self) -> dict[str, str | None]:
        """The figures asked for, or all there are, each with why it shows nothing of these networks, or None."""
        names, networks = self.sweep.figures, self._shown_networks.assign(batch=self.sweep.data.batch)
        require_figures(names or ())
        reasons = {name: figures.applies(name, networks) for name in (figures.FIGURES if names is None else names)}
        if self.sweep.record_layers is not None:
            reasons |= {name: "needs every layer, and record_layers leaves some out"
                        for name in reasons if figures.needs_every_layer(name)}  # fmt: skip
        return reasons

    def _shown(self, name: str) -> pd.DataFrame:
        """The networks as a figure takes them: with the number of samples, and the weights of single neurons."""
        networks = self.neurons if name in figures.OF_NEURONS else self._shown_networks
        return networks.assign(batch=self.sweep.data.batch)

    def write_verdicts(self, question: Question | None) -> list[claims.Verdict]:
        """What a question's claims come to, computed from the tables; kept in claims.json. No verdicts without one."""
        if question is None:
            (self.path / CLAIMS).unlink(missing_ok=True)  # of a question that the config no longer names
            return []
        asked = question.claims_of(self.sweep.name)
        if self.sweep.record_layers is None:
            verdicts = [claims.judge(claim, self) for claim in asked]
        else:
            verdicts = [claims.unknown(claim, "record_layers leaves out layers that it speaks of") for claim in asked]
        store.write_json(self.path / CLAIMS, {"claims": claims.to_json(verdicts)})
        return verdicts

    def verdicts(self) -> list[claims.Verdict]:
        """The verdicts in claims.json; none without such a file. Raises ResultsError for a damaged one."""
        path = self.path / CLAIMS
        try:
            return claims.from_json(json.loads(path.read_text(encoding="utf-8"))["claims"])
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ResultsError(f"{path}: cannot be read; run the sweep again to replace it") from None

    def summary(self, where: str | None = None) -> list[summary.Table]:
        """What the terminal shows, of the networks for which an expression such as "depth == 64" holds."""
        networks = self._shown_networks if where is None else _chosen(self.networks, where)
        dead = over_layers(self.rows, networks, ["dead_fraction"])[0]["dead_fraction"]
        slopes = summary.summary(networks, dead)
        if self.sweep.record_layers is not None:
            slopes = replace(slopes, note=f"{slopes.note} Dead units: of the hidden layers that are recorded.")
        tables = [slopes, summary.paired(figures.paired(networks)), summary.troubles(networks)]
        return [table for table in tables if table]

    def build(self, network: str) -> Network:
        """The very weights, biases, inputs and targets of a recorded network, by its key in `networks`.

        Drawn in float64; a sweep of dtype float32 cast each base draw to float32 before it ran. Raises ResultsError
        for an unknown key, or a data file that is gone or changed.
        """
        spec, replicate = self._coordinates(network)
        weights, biases = draw_parameters(spec, self.sweep.seed, replicate)
        try:
            inputs, targets = draw_batch(
                self.sweep.data_spec(), self.sweep.seed, [replicate], spec.input_width, spec.output_width, np.float64
            )
        except ValueError as error:
            raise ResultsError(str(error)) from None
        return Network(spec, replicate, weights, biases, inputs[0], targets[0])

    @cached_property
    def _specs(self) -> dict[str, NetworkSpec]:
        return {spec.key: spec for spec in config.expand(self.sweep)}

    def _coordinates(self, network: str) -> tuple[NetworkSpec, int]:
        key, _, replicate = str(network).partition("-")
        if key not in self._specs or not replicate.isdecimal() or int(replicate) >= self.sweep.replicates:
            raise ResultsError(f"{self.path}: no network {network!r}; the column `network` of the tables has the keys")
        return self._specs[key], int(replicate)


def _is_whole(manifest: dict) -> bool:
    """Whether a manifest has what reading commands take from it. Raises KeyError or TypeError for other forms."""
    texts = [manifest["config_folder"], *(one[key] for one in manifest["failed"] for key in ("block", "why"))]
    return isinstance(manifest["networks"], int) and all(isinstance(text, str) for text in texts)


def require_figures(names: Sequence[str], place: Callable[[str], str] = str) -> None:
    """Raises ConfigError for each name that no figure has. `place`: where in the config a key stands."""
    unknown = [f"{place(f'figures[{i}]')}: there is no figure {name!r}; {remedy(name, figures.FIGURES)}"
               for i, name in enumerate(names) if name not in figures.FIGURES]  # fmt: skip
    if unknown:
        raise ConfigError(*unknown)


def _chosen(networks: pd.DataFrame, where: str) -> pd.DataFrame:
    columns = ", ".join(networks.columns)
    example = "write for example \"depth == 64 and activation == 'relu'\""
    try:
        holds = networks.eval(where, engine="python", local_dict={}, global_dict={})
    except NameError as error:
        name = str(error).split("'")[1]
        known = close_match(name, networks.columns)
        how = f"did you mean {known!r}?" if known else f"if it is a value, quote it; the columns are {columns}"
        raise ResultsError(f"--where {where!r}: there is no column {name!r}; {how}") from None
    except Exception as error:  # whatever pandas makes of an expression that is none
        raise ResultsError(f"--where {where!r}: {' '.join(str(error).split())}; {example}") from None
    if not isinstance(holds, pd.Series) or holds.dtype != bool:
        raise ResultsError(f"--where {where!r}: not a condition; {example}")
    if not holds.any():
        named = [name for name in networks.columns if re.search(rf"\b{name}\b", where)]
        there = [f"{name} is {', '.join(map(str, networks[name].unique()[:12]))}" for name in named]
        raise ResultsError(f"--where {where!r}: no networks; {'; '.join(there) or f'the columns are {columns}'}")
    return networks[holds]


def load(path: str | os.PathLike) -> Results:
    """The results in a folder. Raises ResultsError where there are none."""
    if not isinstance(path, str | os.PathLike):
        raise ResultsError(f"{shown(path)} is no folder; give the path of one that `harness sweep` wrote")
    path = Path(path)
    if not (path / "config.yaml").is_file():
        raise ResultsError(f"{path}: no results here (no config.yaml); give the folder that `harness sweep` wrote")
    return Results(path)
