"""The shipped experiments at their smallest size: real sweeps, and copies of their tables that tests may change."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness.execution import driver
from harness.execution.dispatch import Resources
from harness.study.claims import Verdict, judge
from harness.study.questions import Question, load_question
from harness.study.results import Results
from harness.study.sweep import prepare

ROOT = Path(__file__).parents[1]

# sweep -> (experiment, overrides): the fewest networks with which every claim still holds
SMALLEST = {
    "single_neuron": ("single_neuron", ()),
    "neurons": ("single_neuron", ()),
    "step_at_zero": ("step_at_zero", ()),
    "depth": ("depth", ("network.depth=[1, 2, 128]", "data.batch=16", "replicates=32")),
    "weight_scale": ("weight_scale", ("network.weight_scale=[0.25, 1, 16]", "network.depth=128")),
    "weight_edges": ("weight_scale", ("replicates=64",)),
    "init": ("init", ("network.depth=100", "network.width=100")),
    "dead_units": ("dead_units", ("network.depth=100", "network.width=128", "replicates=64")),
    "born_dead": ("dead_units", ("network.depth=[2, 3, 6]", "network.width=[1, 2, 3]", "replicates=4000")),
    "born_dead_signs": ("dead_units", ("network.depth=[2, 3, 6]", "network.width=[1, 2, 3]", "replicates=4000")),
    "thousand_layers": ("thousand_layers", ("network.depth=[1000, 10000]", "replicates=12")),
    "finite_width": ("finite_width", ("cases=[{width: 20, depth: [11, 21, 41]}]",)),
    "finite_width_squared": ("finite_width", ("cases=[{width: 20, depth: [11, 21, 41]}]",)),
    "attenuation_beyond": ("attenuation_beyond", ("network.depth=64", "replicates=40")),
    "edges_are_windows": (
        "edges_are_windows",
        ("network.weight_scale=[8, 17, 25, 100]", "network.width=[16, 32]", "replicates=400"),
    ),
    "two_fates": (
        "two_fates",
        (
            "cases=[{bias_scale: 0, weight_scale: [1.414213562373095, 1.5]}, {bias_scale: 1, weight_scale: 1.45}]",
            "replicates=150",
        ),
    ),
    "shift_not_spread": ("shift_not_spread", ("network.depth=[33, 129]", "replicates=800")),
    "spread_over_draws": ("spread_over_draws", ("replicates=800",)),
    "recurrent": ("recurrent", ("network.depth=501", "replicates=32")),
    "normalisation": ("normalisation", ("network.width=96", "network.depth=33")),
    "normalisation_batches": ("normalisation", ("network.depth=65",)),
    "residual": ("residual", ("network.width=64", "network.depth=[33, 129]")),
    "residual_orders": ("residual", ("network.width=64", "network.depth=33")),
    "residual_deep": ("residual", ("network.width=32", "network.depth=[101, 301]")),
    "remedies": ("remedies", ("network.width=32", "network.depth=[11, 101]")),
}


def question(sweep: str) -> Question:
    return load_question(SMALLEST[sweep][0], ROOT / "configs")


def swept(sweep: str, folder: Path) -> Results:
    """Run one of the sweeps in a folder of its own."""
    prepared = prepare(ROOT / "configs" / f"{sweep}.yaml", SMALLEST[sweep][1], out=folder / sweep).prepared
    driver.execute(prepared, Resources(1))
    return Results(prepared.folder)


@dataclass
class Tables:
    """The tables that claims read, of which a copy may be changed."""

    results: Results
    layers: pd.DataFrame
    networks: pd.DataFrame

    def read(self, table: str, columns: list[str], filters: list[tuple] | None) -> pd.DataFrame:
        """Like Results.read, from these tables instead of from files."""
        frame = pa.Table.from_pandas(getattr(self, table), preserve_index=False)
        return ds.dataset(frame).to_table(columns, filters and pq.filters_to_expression(filters)).to_pandas()

    @cached_property
    def neurons(self) -> pd.DataFrame:
        return self.results.neurons

    def build(self, network: str, step: int | None = None):
        return self.results.build(network, step)

    @property
    def sweep(self):
        return self.results.sweep


def copied(results: Results) -> Tables:
    """A copy of the tables with plain columns instead of categories, so that a test can write any value."""
    frames = (results.layers.copy(), results.networks.copy())
    for frame in frames:
        for name in frame.select_dtypes("category"):
            frame[name] = frame[name].astype(str)
    return Tables(results, *frames)


def verdict(sweep: str, name: str, tables: Tables | Results) -> Verdict:
    """The verdict on one claim."""
    (claim,) = (claim for claim in question(sweep).claims_of(sweep) if claim.name == name)
    return judge(claim, tables)
