"""Tables of any size, and what they take: python benchmarks/size.py ROWS [FOLDER]

Writes a results folder with so many rows of `layers` as a sweep would, from the tables of one real block that stand for
further replicates; then draws its figures and makes its summary as `harness sweep` does. Prints bytes a row, seconds
and the largest memory, for docs/reliability.md.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from harness import config
from harness.engine.lanes.groups import Settings
from harness.execution.block import run_block
from harness.execution.planning.plan import plan
from harness.results import parts
from harness.results.environment import made_with
from harness.results.files import write_text
from harness.results.folder import CONFIG, LAYERS, NETWORKS
from harness.study.results import Results

GIVEN = {
    "name": "size",
    "network": {"activation": ["relu", "sigmoid"], "init": "he_normal", "depth": [8, 32, 128, 500], "width": 4},
    "data": {"batch": 4},
    "replicates": 600,
    "figures": ["step_against_sigmoid", "gradient_profile", "attenuation_against_depth", "dead_units"],
}


def write(folder: Path, rows: int) -> int:
    """Blocks of the same numbers, each under replicates of its own, until there are so many rows; returns how many."""
    sweep = config.from_mapping(GIVEN)
    settings = Settings(sweep.seed, sweep.data_spec(), sweep.cost, sweep.dtype, sweep.thresholds.decades)
    (block, *_) = plan(config.expand(sweep), settings, sweep.replicates).blocks
    tables = run_block(block.block, settings)
    count = len(block.block.replicates)
    written, digest = 0, config.digest(sweep)
    folder.mkdir(exist_ok=True)
    parts.make_folders(folder)
    while written < rows:
        first = written // tables.layers.num_rows * count
        moved = [_moved(table, first) for table in (tables.layers, tables.networks)]
        parts.commit(
            folder, f"{block.name.rsplit('-', 2)[0]}-{first:07d}-{first + count:07d}", *moved, made_with(), digest
        )
        written += tables.layers.num_rows
    replicates = written // tables.layers.num_rows * count
    write_text(folder / CONFIG, config.dump(sweep.model_copy(update={"replicates": replicates})))
    return written


def _moved(table: pa.Table, by: int) -> pa.Table:
    """The same rows of replicates that come later."""
    replicate = pa.array(table["replicate"].to_numpy() + by)
    names = table["network"].combine_chunks()
    old = (names.dictionary if pa.types.is_dictionary(names.type) else names).to_pylist()
    new = pa.array([f"{key}-{int(number) + by}" for key, _, number in (name.partition("-") for name in old)])
    network = pa.DictionaryArray.from_arrays(names.indices, new) if pa.types.is_dictionary(names.type) else new
    for name, column in (("replicate", replicate), ("network", network)):
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def read(folder: Path) -> dict[str, float]:
    """Seconds of the checksums, the figures and the summary."""
    results, seconds = Results(folder), {}
    for name, work in (("checksums", lambda: results.parts), ("figures", results.draw), ("summary", results.summary)):
        began = time.perf_counter()
        assert work()
        seconds[name] = time.perf_counter() - began
    return seconds


def main(rows: int, folder: Path) -> None:
    began = time.perf_counter()
    written = write(folder, rows)
    seconds = {"writing": time.perf_counter() - began}
    print(f"writing: peak {_peak():.2f} GB")
    seconds |= read(folder)
    for kind in (LAYERS, NETWORKS):
        size = sum(path.stat().st_size for path in (folder / kind).iterdir())
        print(f"{kind}: {size / 1e9:.3f} GB, {size / written:.1f} bytes a row of layers")
    print(f"{written:,} rows; " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()))
    print(f"peak {_peak():.2f} GB")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    np.seterr(all="raise")
    if len(sys.argv) > 2:
        main(int(float(sys.argv[1])), Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(int(float(sys.argv[1])), Path(temporary) / "r")
