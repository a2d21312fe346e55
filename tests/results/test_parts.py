"""Results on disk: parts are whole or not at all, damage is found and named, other programs read them as they are."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from command import TINY, ended, files, good, part_files, run, start

import harness
from harness.base.errors import ResultsError
from harness.results import parts
from harness.results.disk.part import encoded, part_name
from harness.results.environment import made_with

# Two blocks; relu networks with biases far below 0 are dead, with −inf and null in their rows.
DEAD = {
    "name": "dead",
    "network": {
        "activation": ["relu", "sigmoid"],
        "init": ["normal", "uniform"],
        "bias_scale": 100,
        "depth": 6,
        "width": 2,
    },
    "data": {"batch": 2},
    "replicates": 12,
    "figures": [],
}


CONFIG = "0123456789abcdef"  # digest of the config that hand-made parts say they are of


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> harness.Results:
    return harness.sweep(DEAD, out=tmp_path_factory.mktemp("store") / "dead")


@pytest.fixture
def folder(swept, tmp_path) -> Path:
    shutil.copytree(swept.path, tmp_path / "dead")
    return tmp_path / "dead"


def tables(rows: int = 5, value: float = 0.5) -> tuple[pa.Table, pa.Table]:
    layers = pa.table({"network": ["a-0"] * rows, "layer": list(range(rows)), "x": [value] * rows})
    return layers, pa.table({"network": ["a-0"], "y": [value]})


def commit(folder: Path, block: str, **changes: float) -> None:
    parts.make_folders(folder)
    parts.commit(folder, block, *tables(**changes), made_with(), CONFIG)


def recomputed(folder: Path) -> int:
    """Sweeps again into a folder; returns how many networks were computed."""
    harness.sweep(DEAD, out=folder)
    return json.loads((folder / "manifest.json").read_text())["last_run"]["networks"]


# Whole or not at all ------------------------------------------------------------------------------------------------


def test_a_committed_block_is_two_parts_named_by_their_content(tmp_path):
    commit(tmp_path, "normal-0000000-0000001")
    (one,), (other,) = (list((tmp_path / kind).iterdir()) for kind in ("layers", "networks"))
    assert {path.name[: -len("-0123456789abcdef.parquet")] for path in (one, other)} == {"normal-0000000-0000001"}
    assert parts.committed_blocks(tmp_path, CONFIG) == ({"normal-0000000-0000001": other}, [])
    before = files(tmp_path)
    commit(tmp_path, "normal-0000000-0000001")
    assert {name: kept[2] for name, kept in files(tmp_path).items()} == {name: kept[2] for name, kept in before.items()}


@pytest.mark.parametrize("step", range(1, 8))
def test_a_commit_that_ends_at_any_step_leaves_the_block_whole_or_undone(tmp_path, monkeypatch, step):
    """Each publication is write, fsync, replace, fsync; the commit is broken at each call in turn."""
    commit(tmp_path, "before-0000000-0000001", value=0.25)
    calls = iter(range(1, 100))

    def breaks(real):
        def call(*arguments):
            if next(calls) == step:
                raise KeyboardInterrupt
            return real(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", breaks(os.fsync))
    monkeypatch.setattr(os, "replace", breaks(os.replace))
    try:
        commit(tmp_path, "after-0000000-0000001")
    except KeyboardInterrupt:
        broken = True
    else:
        broken = False
    monkeypatch.undo()
    blocks, damaged = parts.committed_blocks(tmp_path, CONFIG)
    assert broken is (step <= 6)  # fsync, replace, fsync of either part
    assert damaged == []
    assert set(blocks) == {"before-0000000-0000001", *(["after-0000000-0000001"] if step >= 6 else [])}
    assert len(parts.read_table(parts.committed_parts(tmp_path, CONFIG)["layers"])) == 5 * len(blocks)
    parts.remove_leftovers(tmp_path, keep=blocks.values())
    assert len(files(tmp_path)) == 2 * len(blocks)
    assert len(pd.read_parquet(tmp_path / "layers")) == 5 * len(blocks)


def test_the_networks_part_comes_last(tmp_path, monkeypatch):
    published = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (published.append(Path(b).parent.name), real(a, b)))
    commit(tmp_path, "a-0000000-0000001")
    assert published == ["layers", "networks"]


def test_what_an_interrupted_run_left_is_not_read_and_is_removed(folder, swept):
    before = part_files(folder)
    (folder / "layers/.part.parquet.aside").write_bytes(b"half")
    (folder / "networks/.part.parquet.aside").write_bytes(b"half")
    (folder / ".config.yaml.aside").write_bytes(b"half")
    uncommitted = part_name("normal-i2-w2-000-0000012-0000020", encoded(tables()[0]))
    (folder / "layers" / uncommitted).write_bytes(encoded(tables()[0]))
    pd.testing.assert_frame_equal(harness.load(folder).layers, swept.layers)
    assert recomputed(folder) == 0
    assert part_files(folder) == before
    assert not list(folder.rglob("*.aside"))


# Damage -------------------------------------------------------------------------------------------------------------


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [flipped, truncated, emptied, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["layers", "networks"])
def test_a_damaged_part_is_named_by_who_reads_and_computed_again(folder, swept, kind, damage):
    part = sorted((folder / kind).iterdir())[1]
    rest = {name: kept for name, kept in part_files(folder).items() if part.name.rpartition("-")[0] not in name}
    damage(part)
    if kind == "networks" and damage is Path.unlink:
        assert len(harness.load(folder).networks) == 24  # as if it had never been
    else:
        reason = "No such file or directory" if damage is Path.unlink else "does not match its checksum"
        for table in ("layers", "networks"):
            with pytest.raises(ResultsError) as refused:
                getattr(harness.load(folder), table)
            assert str(refused.value) == f"{part}: {reason}; run the sweep again to replace it"
    if kind == "networks" and damage is Path.unlink:
        assert recomputed(folder) == 24
    else:
        with pytest.warns(UserWarning, match=re.escape(f"{part}: {reason}; it is computed again")):
            assert recomputed(folder) == 24
    assert part_files(folder).items() >= rest.items()
    assert {name: kept[2] for name, kept in part_files(folder).items()} == {
        name: kept[2] for name, kept in part_files(swept.path).items()
    }


def test_a_folder_with_nothing_in_it_is_said_to_have_no_results(tmp_path):
    with pytest.raises(ResultsError) as refused:
        parts.committed_parts(tmp_path, CONFIG)
    assert str(refused.value) == f"{tmp_path}: no results here; run a sweep first"


# Read by others -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["layers", "networks"])
def test_pandas_reads_the_folder_as_it_is(swept, kind):
    ours = getattr(swept, kind)
    plain = pd.read_parquet(swept.path / kind)
    keys = ["network", "layer"] if kind == "layers" else ["network"]

    def in_order(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.astype({"network": str}).sort_values(keys, ignore_index=True)

    pd.testing.assert_frame_equal(in_order(plain), in_order(ours), check_categorical=False)
    assert len(plain) == 48 * (6 if kind == "layers" else 1)


def test_a_dataset_reads_columns_and_rows_of_it(swept):
    table = ds.dataset(swept.path / "layers").to_table(
        columns=["network", "log10_grad_weights"], filter=(ds.field("layer") == 3) & (ds.field("activation") == "relu")
    )
    assert (table.num_rows, table.column_names) == (24, ["network", "log10_grad_weights"])


def test_duckdb_reads_the_folder_as_it_is(swept):
    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql(f"select activation, count(*) from '{swept.path}/layers/*.parquet' group by 1 order by 1")
    assert rows.fetchall() == [("relu", 144), ("sigmoid", 144)]


def test_texts_are_dictionaries_and_nan_is_null_and_minus_infinity_stays(swept):
    layers = pq.read_table(sorted((swept.path / "layers").iterdir())[0])
    for name in ("network", "activation", "init"):
        assert pa.types.is_dictionary(layers.schema.field(name).type), name
    networks = pq.read_table(sorted((swept.path / "networks").iterdir())[0])
    for name in ("activation", "init", "family", "output", "status", "regime"):
        assert pa.types.is_dictionary(networks.schema.field(name).type), name
    for column in (*layers.columns, *networks.columns):
        if pa.types.is_floating(column.type):
            assert not np.isnan(column.drop_null().to_numpy()).any()
    factor = layers["log10_activation_factor"]
    assert factor.null_count > 0  # 0/0 below a layer that is dead
    dead = swept.networks[swept.networks["regime"] == "dead"]
    assert 0 < len(dead) < len(swept.networks)
    of_the_dead = swept.layers[swept.layers["network"].isin(dead["network"]) & (swept.layers["layer"] == 1)]
    assert set(of_the_dead["log10_grad_preactivations"]) == {-np.inf}
    assert of_the_dead["log10_grad_preactivations"].notna().all()


def test_one_block_and_all_of_them_have_one_schema(swept):
    for kind in ("layers", "networks"):
        schemas = [pq.read_schema(path).remove_metadata() for path in (swept.path / kind).iterdir()]
        assert len(schemas) == 2 and schemas[0] == schemas[1]


# Two runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.slow
def test_a_second_run_into_a_folder_in_use_ends_and_says_who_holds_it(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    first = start("sweep", "tiny.yaml", "--out", "here", cwd=tmp_path)
    lock = tmp_path / "here/.lock"
    end = time.monotonic() + 60
    while not (lock.exists() and lock.read_text()) and time.monotonic() < end:
        pass
    first.send_signal(signal.SIGSTOP)  # it holds the folder for as long as we look
    assert lock.read_text() == str(first.pid)
    before = files(tmp_path / "here")
    for fresh in ([], ["--fresh"]):
        began = time.monotonic()
        second = run("sweep", "tiny.yaml", "--out", "here", *fresh, cwd=tmp_path)
        seconds = time.monotonic() - began
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr == f"here: in use by another run (process {first.pid}); wait for it\n"
        assert seconds < 4  # about 1 where it was measured, nearly all of it imports
    assert files(tmp_path / "here") == before
    first.kill()
    ended(first)
    good(run("sweep", "tiny.yaml", "--out", "here", cwd=tmp_path))  # free again


def test_a_lock_file_of_a_process_that_is_gone_holds_nothing(folder):
    (folder / ".lock").write_text("1")
    assert recomputed(folder) == 0
