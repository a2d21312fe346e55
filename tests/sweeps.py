"""The shipped experiments at their smallest: real sweeps, shared by a session's tests, and copies with an error."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness import driver
from harness.claims import Verdict, judge
from harness.dispatch import Where
from harness.questions import Question, load_question
from harness.results import Results

ROOT = Path(__file__).parents[1]

# sweep -> (experiment, overrides): as few networks as leave every claim something to hold by
SMALLEST = {
    "single_neuron": ("single_neuron", ()),
    "step_at_zero": ("step_at_zero", ()),
    "depth": ("depth", ("network.depth=[1, 2, 128]", "data.batch=4", "replicates=24")),
    "weight_scale": ("weight_scale", ("network.weight_scale=[0.25, 1, 16]", "network.depth=128")),
    "weight_edges": ("weight_scale", ("replicates=64",)),
    "init": ("init", ("network.depth=100", "network.width=100")),
    "dead_units": ("dead_units", ("network.depth=100", "network.width=128", "replicates=32")),
    "born_dead": ("dead_units", ("network.depth=[2, 3, 6]", "network.width=[1, 2, 3]", "replicates=4000")),
    "born_dead_signs": ("dead_units", ("network.depth=[2, 3, 6]", "network.width=[1, 2, 3]", "replicates=4000")),
    "thousand_layers": ("thousand_layers", ("network.depth=[1000, 10000]", "replicates=12")),
    "finite_width": ("finite_width", ("cases=[{width: 20, depth: [11, 21, 41]}]",)),
    "finite_width_squared": ("finite_width", ("cases=[{width: 20, depth: [11, 21, 41]}]",)),
    "attenuation_beyond": ("attenuation_beyond", ("network.depth=64", "replicates=40")),
}


def question(sweep: str) -> Question:
    return load_question(SMALLEST[sweep][0], ROOT / "configs")


def swept(sweep: str, folder: Path) -> Results:
    """One of the sweeps, run here."""
    prepared = driver.prepare(ROOT / "configs" / f"{sweep}.yaml", SMALLEST[sweep][1], out=folder / sweep)
    driver.execute(prepared, Where(1))
    return Results(prepared.folder)


@dataclass
class Tables:
    """What claims take from results; a copy may be changed."""

    results: Results
    layers: pd.DataFrame
    networks: pd.DataFrame

    def read(self, table: str, columns: list[str], filters: list[tuple] | None) -> pd.DataFrame:
        """As Results.read, which reads files."""
        frame = pa.Table.from_pandas(getattr(self, table), preserve_index=False)
        return ds.dataset(frame).to_table(columns, filters and pq.filters_to_expression(filters)).to_pandas()

    @cached_property
    def neurons(self) -> pd.DataFrame:
        return self.results.neurons

    @property
    def sweep(self):
        return self.results.sweep


def copied(results: Results) -> Tables:
    """The tables with plain columns in place of categories, so that a test can write what it likes."""
    frames = (results.layers.copy(), results.networks.copy())
    for frame in frames:
        for name in frame.select_dtypes("category"):
            frame[name] = frame[name].astype(str)
    return Tables(results, *frames)


def verdict(sweep: str, name: str, tables: Tables | Results) -> Verdict:
    """The verdict on one claim."""
    (claim,) = (claim for claim in question(sweep).claims_of(sweep) if claim.name == name)
    return judge(claim, tables)
