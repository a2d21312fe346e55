"""Rows of `layers` from a frame and from the disk are the same rows; figures and summary stay small at any size."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import measured

import harness
from harness import figures
from harness.figures.kit import layer_quartiles
from harness.results import parts
from harness.results.columns import REPEATING
from harness.results.disk.part import ROW_GROUP
from harness.results.rows import Rows, batches, over_layers, take

SWEPT = {
    "name": "swept",
    "network": {
        "activation": ["relu", "sigmoid"],
        "init": ["he_normal", "he_uniform"],
        "bias_scale": 10,
        "depth": [1, 3, 12],
        "width": 3,
    },
    "data": {"batch": 3},
    "replicates": 5,
    "figures": [],
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> harness.Results:
    return harness.sweep(SWEPT, out=tmp_path_factory.mktemp("rows") / "r")


def test_hidden_layers_are_averaged_and_the_largest_is_of_all():
    layers = pd.DataFrame(
        {
            "network": pd.Categorical(["a", "a", "a", "b", "c", "d"]),
            "depth": [3, 3, 3, 1, 2, 2],
            "layer": [1, 2, 3, 1, 2, 1],
            "dead_fraction": [0.25, 0.75, 1.0, 0.5, 0.25, np.nan],
        }
    )
    networks = pd.DataFrame({"network": ["b", "a", "d", "e"], "depth": [1, 3, 2, 2]})
    means, largest = over_layers(layers, networks, ["dead_fraction"])
    nothing = {"d": np.nan, "e": np.nan}
    assert means["dead_fraction"].to_dict() == pytest.approx({"b": 0.5, "a": 0.5, **nothing}, nan_ok=True)
    assert largest["dead_fraction"].to_dict() == pytest.approx({"b": 0.5, "a": 1.0, **nothing}, nan_ok=True)


@pytest.mark.parametrize("depths", [[12], [3, 12], [7]])
def test_rows_on_the_disk_are_the_rows_of_the_frame(swept, depths):
    networks = swept.networks[swept.networks["activation"] == "relu"]
    one, other = (take(layers, networks, ["log10_grad_weights"], depths) for layers in (swept.layers, swept.rows))
    pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert len(one) == sum(depth * (networks["depth"] == depth).sum() for depth in depths)
    for i in (0, 1):
        pd.testing.assert_frame_equal(
            over_layers(swept.layers, networks, ["dead_fraction"])[i],
            over_layers(swept.rows, networks, ["dead_fraction"])[i],
            rtol=1e-14,
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["step_against_sigmoid", "gradient_profile", "dead_units"])  # others take no layers
def test_figures_of_pieces_are_the_figures_of_the_whole(swept, tmp_path, monkeypatch, name):
    """To the byte, wherever the cuts are; 1: every layer of every depth is a piece."""
    whole = figures.save(name, swept.layers, swept.networks, tmp_path / "whole")
    for most in (1, 50):
        monkeypatch.setattr(layer_quartiles, "MOST_ROWS", most)
        cut = figures.save(name, swept.rows, swept.networks, tmp_path / "cut")
        for one, other in zip(whole, cut, strict=True):
            assert one.read_bytes() == other.read_bytes(), most


# Two inits, whose draws are not the same: a network that lives is compared under its own.
AT_ZERO = {
    "name": "at_zero",
    "network": {
        "activation": [{"name": "relu", "at_zero": at_zero} for at_zero in (0, 0.5, 1)],
        "init": ["he_normal", "orthogonal"],
        "depth": [4, 12],
        "width": 3,
    },
    "data": {"batch": 1},
    "replicates": 8,
    "figures": [],
}


def test_what_step_at_zero_keeps_of_pieces_is_what_it_keeps_of_the_whole(tmp_path, monkeypatch):
    results, module = harness.sweep(AT_ZERO, out=tmp_path / "r"), figures.figure("step_at_zero")
    whole = module.prepare(results.layers, results.networks)
    lives = results.networks["dead_from_layer"].isna() & (results.networks["activation"] == "relu")
    assert whole.living == (lives.sum(), 0.0) and 0 < lives.sum() < 32
    for most in (1, 50):
        monkeypatch.setattr(layer_quartiles, "MOST_ROWS", most)
        cut = module.prepare(results.rows, results.networks)
        assert (cut.dead, cut.living) == (whole.dead, whole.living)
        pd.testing.assert_frame_equal(cut.biases, whole.biases)
        pd.testing.assert_frame_equal(cut.counts, whole.counts)


def test_only_the_columns_that_are_asked_for_are_read(swept, tmp_path):
    """The bytes of all others are made nonsense: they are not looked at."""
    paths = []
    for path in swept.parts["layers"]:
        metadata = pq.ParquetFile(path).metadata
        content = bytearray(path.read_bytes())
        for i in range(metadata.num_columns):
            column = metadata.row_group(0).column(i)
            if column.path_in_schema not in ("network", "depth", "layer", "dead_fraction"):
                start = column.dictionary_page_offset or column.data_page_offset
                content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
        paths.append(tmp_path / path.name)
        paths[-1].write_bytes(content)
    networks = swept.networks
    with pytest.raises(OSError):
        pq.read_table(paths[0])
    pd.testing.assert_frame_equal(
        over_layers(Rows(tuple(paths)), networks, ["dead_fraction"])[0],
        over_layers(swept.rows, networks, ["dead_fraction"])[0],
    )


def test_coordinates_are_dictionaries_and_row_groups_are_small_and_know_their_range(swept):
    part = pq.ParquetFile(swept.parts["layers"][0])
    for i in range(part.metadata.num_columns):
        column = part.metadata.row_group(0).column(i)
        coded = any("DICTIONARY" in encoding for encoding in column.encodings)
        assert coded == (column.path_in_schema in REPEATING), column.path_in_schema
        if column.path_in_schema in ("depth", "layer"):
            assert column.statistics.has_min_max


def test_a_large_part_has_many_row_groups(tmp_path):
    rows = 3 * ROW_GROUP
    table = pa.table({"layer": np.arange(rows), "x": np.zeros(rows)})
    parts.make_folders(tmp_path)
    parts.commit(tmp_path, "a-0000000-0000001", table, pa.table({"network": ["a-0"]}), {}, "")
    (path,) = (tmp_path / "layers").iterdir()
    assert pq.ParquetFile(path).num_row_groups == 3


SIZE = """
import sys, json, resource, pathlib
sys.path.insert(0, sys.argv[2])
import size
folder, rows = pathlib.Path(sys.argv[1]), int(sys.argv[3])
size.write(folder, rows)
print(json.dumps(size.read(folder)))
"""


def test_a_table_of_many_row_groups_is_read_a_few_at_a_time(tmp_path):
    """Not ahead of who takes them: what arrow holds stays that of a row group or two."""
    rows, count = 2**20, 40
    networks = pa.table({"network": ["a-0"], "depth": [rows]})
    layers = pa.table(
        {
            "network": np.repeat("a-0", rows),
            "depth": np.full(rows, rows),
            "layer": np.arange(1, rows + 1),
            "x": np.random.default_rng(0).normal(size=rows),
        }
    )
    parts.make_folders(tmp_path)
    parts.commit(tmp_path, "a-0000000-0000001", layers, networks, {}, "")
    (path,) = (tmp_path / "layers").iterdir()
    before, held = pa.total_allocated_bytes(), []
    for _ in batches(Rows((path,) * count), networks.to_pandas(), ["x"]):
        held.append(pa.total_allocated_bytes() - before)
    assert len(held) == count * rows // ROW_GROUP
    assert max(held) < 5 * ROW_GROUP * 3 * 8  # three columns of eight bytes, where all of them are a gigabyte


@pytest.mark.slow
def test_memory_stays_bounded_while_rows_grow(tmp_path):
    """Many more rows, written and then read for every figure and the summary, take hardly more memory."""
    bench = Path(__file__).parents[2] / "benchmarks"
    peaks = []
    for rows in (300_000, 2_300_000):
        done, _, megabytes = measured(sys.executable, "-c", SIZE, tmp_path / "r", bench, rows, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        peaks.append(megabytes)
        shutil.rmtree(tmp_path / "r")
    # 2 million rows more are 400 MB as a frame; the networks' table, which is held, has 12,000 rows more.
    assert peaks[1] - peaks[0] < 130, peaks
