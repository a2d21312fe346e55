"""Inputs and targets: what a replicate's batch depends on, and every data file that is refused."""

import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.networks.data import DataSpec, dataset_of, digits, draw_batch
from harness.networks.files.dataset import Dataset, Keys, UnusableData
from harness.networks.files.load import file_digest, load_dataset

TABLE = np.arange(12.0).reshape(4, 3)


# Batches ------------------------------------------------------------------------------------------------------------


def draw(spec, seed=0, replicates=(0, 1), input_width=5, output_width=3, dtype=np.float64):
    return draw_batch(spec, seed, replicates, input_width, output_width, dtype)


def spec_of(tmp_path, **options):
    path = tmp_path / "mine.npz"
    np.savez(path, inputs=np.arange(200.0).reshape(40, 5), labels=np.arange(40) % 4)
    return DataSpec("mine.npz", path=path, sha256=file_digest(path), **options)


def test_gaussian_inputs_and_targets_are_standard_normal():
    inputs, targets = draw(DataSpec(batch=20_000), replicates=[0])
    for draws in (inputs, targets):
        assert abs(draws.mean()) < 0.01 and abs(draws.std() - 1) < 0.01  # 60,000 draws or more: 2.5 standard errors
    assert inputs.shape == (1, 20_000, 5) and targets.shape == (1, 20_000, 3)
    assert abs(np.corrcoef(inputs[0, :, 0], targets[0, :, 0])[0, 1]) < 0.03  # 20,000 pairs: four standard errors


@pytest.mark.parametrize("source", ["gaussian", "digits", "file"])
@pytest.mark.parametrize("targets", ["gaussian", "labels", "zeros"])
def test_a_batch_depends_on_seed_and_replicate_alone(tmp_path, source, targets):
    if source == "gaussian" and targets == "labels":
        return  # gaussian inputs have none
    widths = {"gaussian": (5, 3), "digits": (64, 10), "file": (5, 4)}[source]

    def batch(size, replicates, seed=0):
        spec = spec_of(tmp_path, targets=targets, batch=size) if source == "file" else DataSpec(source, targets, size)
        return draw_batch(spec, seed, replicates, *widths)

    whole = batch(32, range(4))
    for array, alone, prefix in zip(whole, batch(32, [2]), batch(7, [2]), strict=True):
        assert np.array_equal(array[2:3], alone)
        assert np.array_equal(array[2:3, :7], prefix)  # the smaller batch begins the larger one
    assert not np.array_equal(whole[0][0], whole[0][1])
    assert not np.array_equal(whole[0], batch(32, range(4), seed=1)[0])


def test_rows_come_without_replacement_and_with_their_labels(tmp_path):
    inputs, targets = draw(spec_of(tmp_path, targets="labels", batch=40), output_width=4)
    for replicate in range(2):
        rows = inputs[replicate, :, 0] / 5  # (batch,): the first feature of row i is 5·i
        assert sorted(rows) == list(range(40))
        assert np.array_equal(targets[replicate], np.eye(4)[rows.astype(int) % 4])
    assert not np.array_equal(inputs[0], inputs[1])


def test_zeros_and_the_number_format():
    inputs, targets = draw(DataSpec(targets="zeros", batch=4), dtype=np.float32)
    assert inputs.dtype == targets.dtype == np.float32 and not targets.any()
    assert np.array_equal(inputs, draw(DataSpec(batch=4))[0].astype(np.float32))  # cast after the draw


def test_digits_are_all_there_and_standardised():
    dataset = digits()
    assert dataset.inputs.shape == (1797, 64) and dataset.classes == 10
    assert np.bincount(dataset.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    np.testing.assert_allclose(dataset.inputs.mean(axis=0), 0, atol=1e-13)  # rounding of 1797 terms
    deviation = dataset.inputs.std(axis=0)
    blank = deviation == 0
    assert np.flatnonzero(blank).tolist() == [0, 32, 39]  # corners and edges no pen reached
    np.testing.assert_allclose(deviation[~blank], 1, rtol=1e-12)
    assert dataset is digits()  # read once


def test_a_file_that_changed_since_is_refused(tmp_path):
    spec = spec_of(tmp_path)
    assert dataset_of(spec) is dataset_of(spec)
    np.savez(spec.path, inputs=TABLE)
    dataset_of(spec_of(tmp_path / ".."))  # another file takes the one place that is kept
    with pytest.raises(
        ValueError, match=re.escape(f"{spec.path}: changed since the sweep began; start again with --fresh")
    ):
        dataset_of(spec)


# Files --------------------------------------------------------------------------------------------------------------


def write_npy(path, array=TABLE):
    np.save(path, array, allow_pickle=True)


def write_npz(path, **arrays):
    np.savez_compressed(path, allow_pickle=True, **arrays)


def write_zeros(path, shape):
    """As np.savez_compressed does it, at a third of the time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("inputs.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros(shape, np.int8))


def write_csv(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def write_parquet(path, **columns):
    parquet.write_table(pa.table(columns), path)


def write_run_lengths(path, rows=200_000_000):
    """A parquet file of under 1 MB that would take 1.6 GB in float64."""
    part = pa.table({"a": np.zeros(rows // 10, np.int8)})
    with parquet.ParquetWriter(path, part.schema) as writer:
        for _ in range(10):
            writer.write_table(part)


def sparse(path, size):
    with path.open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    "name, write, labels",
    [
        ("a.npy", write_npy, None),
        ("a.npy", lambda path: write_npy(path, TABLE.astype(np.int8)), None),
        ("a.npy", lambda path: write_npy(path, np.asfortranarray(TABLE.astype(">f4"))), None),
        ("a.npz", lambda path: write_npz(path, inputs=TABLE), None),
        ("a.npz", lambda path: write_npz(path, inputs=TABLE, labels=[7, -1, 7, 3]), [2, 0, 2, 1]),
        ("a.csv", lambda path: write_csv(path, "a,label,b,c\n0,1,1,2\n3,0,4,5\n6,0,7,8e0\n9,1,1e1,11\n"), [1, 0, 0, 1]),
        ("a.parquet", lambda path: write_parquet(path, a=TABLE[:, 0], b=np.float16(TABLE[:, 1]), c=TABLE[:, 2]), None),
        (
            "a.parquet",
            lambda path: write_parquet(
                path, a=TABLE[:, 0], label=np.int64([5, 5, 6, 9]), b=TABLE[:, 1].astype(np.uint8), c=TABLE[:, 2]
            ),
            [0, 0, 1, 2],
        ),
    ],
)
def test_files_are_read_as_they_are(tmp_path, name, write, labels):
    write(tmp_path / name)
    dataset = load_dataset(tmp_path / name)
    assert isinstance(dataset, Dataset) and dataset.inputs.dtype == np.float64 and type(dataset.inputs) is np.ndarray
    assert np.array_equal(dataset.inputs, TABLE)
    assert (dataset.labels is None) == (labels is None)
    if labels is not None:
        assert dataset.labels.tolist() == labels and dataset.classes == len(set(labels))


FRAME = pd.DataFrame(TABLE, columns=list("abc"))
INDEXED = {
    "range": FRAME,
    "shuffled": FRAME.sample(frac=0.5, random_state=0),
    "named": FRAME.rename_axis("row").iloc[::2],
    "text": FRAME.set_axis(list("wxyz")),
    "of features": FRAME.set_index(["a", "c"]),
    "multi-level": FRAME.set_index([["u", "u", "v", "v"], [1, 2, 1, 2]]),
    "named like a column": FRAME.iloc[::2].rename_axis("a"),
    "time": FRAME.set_axis(pd.date_range("2020", periods=4)),
}


@pytest.mark.parametrize("frame", INDEXED.values(), ids=INDEXED.keys())
def test_a_table_made_by_pandas_is_read_without_its_index(tmp_path, frame):
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    assert np.array_equal(load_dataset(path).inputs, pd.read_parquet(path).to_numpy())


def write_frame(path, **columns):
    frame = pd.DataFrame(columns)
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path, index=False)


SPECIES = {"text": ["b", "a", "b", "c"], "booleans": [True, False, True, True], "numbers": [5, -1, 5, 7]}


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize("kind", SPECIES)
def test_the_column_of_labels_has_any_name_and_holds_text_or_numbers(tmp_path, name, kind):
    write_frame(tmp_path / name, a=TABLE[:, 0], species=SPECIES[kind], on=[True, False, False, True])
    dataset = load_dataset(tmp_path / name, Keys(labels="species"))
    assert np.array_equal(dataset.inputs, np.column_stack([TABLE[:, 0], [1, 0, 0, 1]]))
    assert np.array_equal(dataset.labels, np.unique(SPECIES[kind], return_inverse=True)[1])
    assert dataset.description == f"4 rows of 2 features; {dataset.classes} classes in 'species'"


def test_categories_of_pandas_are_labels_and_unused_ones_count_for_nothing(tmp_path):
    species = pd.Categorical(["b", "a", "b", "c"], categories=["z", "c", "b", "a"])
    write_frame(tmp_path / "a.parquet", a=TABLE[:, 0], label=species)
    dataset = load_dataset(tmp_path / "a.parquet")
    assert dataset.labels.tolist() == [1, 0, 1, 2] and dataset.classes == 3


@pytest.mark.parametrize(
    ("arrays", "keys", "read"),
    [
        (["x_train", "y_train", "x_test", "y_test"], Keys(), ("x_train", "y_train")),
        (["X", "y"], Keys(), ("X", "y")),
        (["X"], Keys(), ("X", None)),
        (["inputs", "y"], Keys(labels="y"), ("inputs", "y")),
        (["x_train", "y_train", "x_test", "y_test"], Keys("x_test"), ("x_test", "y_test")),
        (["pixels", "digit", "more"], Keys("pixels", "digit"), ("pixels", "digit")),
    ],
)
def test_arrays_are_found_by_the_names_that_people_give_them(tmp_path, arrays, keys, read):
    values = {
        name: TABLE[:, 0].reshape(-1, 1) if name[0] in "yd" else TABLE + place for place, name in enumerate(arrays)
    }
    write_npz(tmp_path / "a.npz", **values)
    dataset = load_dataset(tmp_path / "a.npz", keys)
    assert np.array_equal(dataset.inputs, values[read[0]])
    assert (dataset.labels is None) == (read[1] is None)


def test_images_are_flattened_and_described(tmp_path):
    write_npz(tmp_path / "a.npz", X=np.arange(24, dtype=np.uint8).reshape(2, 3, 4), y=[1, 0])
    dataset = load_dataset(tmp_path / "a.npz")
    assert np.array_equal(dataset.inputs, np.arange(24.0).reshape(2, 12))
    assert dataset.description == "'X': 2 rows of 3 × 4, flattened to 12 features; 2 classes in 'y'"


UNNAMED = {
    "csv": (
        "a.csv",
        lambda path: write_frame(path, a=[1, 2], species=["x", "y"]),
        Keys(labels="specis"),
        "labels",
        "a.csv has no column 'specis'; did you mean 'species'?",
    ),
    "parquet": (
        "a.parquet",
        lambda path: write_frame(path, a=[1, 2], species=["x", "y"]),
        Keys(labels="specis"),
        "labels",
        "a.parquet has no column 'specis'; did you mean 'species'?",
    ),
    "npz labels": (
        "a.npz",
        lambda path: write_npz(path, X=TABLE, y=[1, 2, 3, 4]),
        Keys(labels="targets"),
        "labels",
        "a.npz has no array 'targets'; use X or y",
    ),
    "npz inputs": (
        "a.npz",
        lambda path: write_npz(path, x_train=TABLE),
        Keys("x_tran"),
        "inputs_key",
        "a.npz has no array 'x_tran'; did you mean 'x_train'?",
    ),
    "npy": (
        "a.npy",
        write_npy,
        Keys("x"),
        "inputs_key",
        "a.npy holds one array without a name; remove inputs_key, or save an .npz with names",
    ),
    "table": (
        "a.csv",
        lambda path: write_frame(path, a=[1, 2], label=["x", "y"]),
        Keys("a"),
        "inputs_key",
        "every column of a.csv but that of the labels is an input; remove it",
    ),
}


@pytest.mark.parametrize("name, write, keys, key, message", UNNAMED.values(), ids=UNNAMED.keys())
def test_names_that_a_file_does_not_have_are_refused(tmp_path, monkeypatch, name, write, keys, key, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name)
    with pytest.raises(UnusableData) as caught:
        load_dataset(Path(name), keys)
    assert (str(caught.value), caught.value.key) == (message, key)


FILL = "fill it or drop the row"
REFUSED = {
    "missing": ("a.npy", lambda path: None, "no such file"),
    "folder": ("a.csv", lambda path: path.mkdir(), "no such file"),
    "suffix": ("a.txt", lambda path: path.touch(), "a data file ends in .npy, .npz, .csv, .parquet"),
    "npy vector": (
        "a.npy",
        lambda path: write_npy(path, TABLE[0]),
        "has shape (3,); inputs are (rows, features): reshape(-1, 1) makes each number a row",
    ),
    "npy no rows": ("a.npy", lambda path: write_npy(path, TABLE[:0]), "has no rows"),
    "npy no features": ("a.npy", lambda path: write_npy(path, TABLE[:, :0]), "has no features"),
    "npy objects": (
        "a.npy",
        lambda path: write_npy(path, np.array([[None]])),
        "holds pickled objects, which are never loaded; save numbers",
    ),
    "npy text": (
        "a.npy",
        lambda path: write_npy(path, np.array([["a"]])),
        "holds <U1; save real numbers, as astype(float) makes them",
    ),
    "npy complex": (
        "a.npy",
        lambda path: write_npy(path, TABLE * 1j),
        "holds complex128; save real numbers, as astype(float) makes them",
    ),
    "npy nan": (
        "a.npy",
        lambda path: write_npy(path, np.where(TABLE == 7, np.nan, TABLE)),
        f"column 1: .nan in row 3; {FILL}",
    ),
    "npy beyond float64": (
        "a.npy",
        lambda path: write_npy(path, np.full((1, 1), np.longdouble(10) ** 4000)),
        f"column 0: .inf in row 1; {FILL}",
    ),
    "npy sparse": (
        "a.npy",
        lambda path: sparse(path, 10**9 + 1),
        "1000 MB of data, more than 1000 MB; take fewer rows",
    ),
    "npz bomb": (
        "a.npz",
        lambda path: write_zeros(path, (1100, 1000, 1000)),
        "1100 MB of data, more than 1000 MB; take fewer rows",
    ),
    "npz small numbers": (
        "a.npz",
        lambda path: write_zeros(path, (130_000, 1000)),
        "1040 MB of data, more than 1000 MB; take fewer rows",
    ),
    "npz other names": (
        "a.npz",
        lambda path: write_npz(path, a=TABLE, b=TABLE),
        "holds 'a', 'b'; name the two that are meant, data: {inputs_key: …, labels: …}, or save it as "
        "numpy.savez(…, inputs=…, labels=…); labels may be left out",
    ),
    "npz objects": (
        "a.npz",
        lambda path: write_npz(path, inputs=np.array([[None]])),
        "holds pickled objects, which are never loaded; save numbers",
    ),
    "npz no zip": ("a.npz", lambda path: path.write_bytes(b"PK"), "cannot be read: File is not a zip file"),
    "npz labels short": (
        "a.npz",
        lambda path: write_npz(path, inputs=TABLE, labels=[1, 2]),
        "column 'labels': has shape (2,), one label a row is (4,); of one-hot rows, argmax(axis=1) makes labels",
    ),
    "npz one class": (
        "a.npz",
        lambda path: write_npz(path, inputs=TABLE, labels=[1, 1, 1, 1]),
        "column 'labels': there is only one class; labels need two or more",
    ),
    "csv empty": ("a.csv", lambda path: write_csv(path, ""), "cannot be read: Empty CSV file"),
    "csv header only": ("a.csv", lambda path: write_csv(path, "a,b\n"), "has no rows"),
    "csv labels only": ("a.csv", lambda path: write_csv(path, "label\n1\n2\n"), "has no features"),
    "csv no header": (
        "a.csv",
        lambda path: write_csv(path, "1,2\n3,4\n"),
        "the first line holds numbers; put one above it with names, such as x1,x2,label",
    ),
    "csv text": (
        "a.csv",
        lambda path: write_csv(path, "a,b\n1,2\n3,x\n"),
        "column 'b': 'x' is not a number; if it holds the classes, write data: {labels: b}; else drop it",
    ),
    "csv semicolons": (
        "a.csv",
        lambda path: write_csv(path, "a;b\n1,5;2\n"),
        "the first line has no comma; save it with commas between columns, and decimal points",
    ),
    "csv index": (
        "a.csv",
        lambda path: write_csv(path, ",a\n0,1\n1,2\n"),
        "column 1 has no name; name it, or leave an index out (pandas: index=False)",
    ),
    "csv gap": ("a.csv", lambda path: write_csv(path, "a,b\n1,2\n3,\n"), f"column 'b': no number in row 2; {FILL}"),
    "csv nan": ("a.csv", lambda path: write_csv(path, "a,b\n1,2\n3,nan\n"), f"column 'b': no number in row 2; {FILL}"),
    "csv inf": ("a.csv", lambda path: write_csv(path, "a,b\n-inf,2\n"), f"column 'a': -.inf in row 1; {FILL}"),
    "csv index written again": (
        "a.csv",
        lambda path: write_csv(path, "Unnamed: 0,a\n0,1\n1,2\n"),
        "column 'Unnamed: 0': an index, which is no feature; save with index=False",
    ),
    "parquet index without metadata": (
        "a.parquet",
        lambda path: write_parquet(path, a=[1.0, 2.0], __index_level_0__=[7, 3]),
        "column '__index_level_0__': an index, which is no feature; save with index=False",
    ),
    "csv label gap": (
        "a.csv",
        lambda path: write_csv(path, "a,b,label\n1,1,x\n3,1,\n4,1,y\n"),
        f"column 'label': no label in row 2; {FILL}",
    ),
    "parquet label lists": (
        "a.parquet",
        lambda path: write_parquet(path, a=[1.0, 2.0], label=[[1], [2]]),
        "column 'label': list<element: int64> is no label; use whole numbers or text",
    ),
    "parquet label gap": (
        "a.parquet",
        lambda path: write_parquet(path, a=[1.0, 2.0], label=["x", None]),
        f"column 'label': no label in row 2; {FILL}",
    ),
    "csv twice": ("a.csv", lambda path: write_csv(path, "a,a\n1,2\n"), "column 'a': there are two of them; rename one"),
    "csv ragged": (
        "a.csv",
        lambda path: write_csv(path, "a,b\n1,2\n3,4,5\n"),
        "cannot be read: CSV parse error: Row #3: Expected 2 columns, got 3: 3,4,5",
    ),
    "csv fractional label": (
        "a.csv",
        lambda path: write_csv(path, "a,label\n1,0.5\n2,1\n"),
        "column 'label': labels are whole numbers or text; number the classes, as pandas.factorize does",
    ),
    "csv infinite label": (
        "a.csv",
        lambda path: write_csv(path, "a,label\n1,inf\n2,1\n"),
        "column 'label': labels are whole numbers or text; number the classes, as pandas.factorize does",
    ),
    "csv large": ("a.csv", lambda path: sparse(path, 10**9), "1000 MB of data, more than 250 MB; take fewer rows"),
    "csv columns": (
        "a.csv",
        lambda path: write_csv(path, "a," * 100_000 + "b\n"),
        "100,001 columns, more than 100,000; take fewer",
    ),
    "csv control name": (
        "a.csv",
        lambda path: write_csv(path, "a\x1b[31m\nx\n"),
        "column 'a\\x1b[31m': 'x' is not a number; drop the column",
    ),
    "parquet text": (
        "a.parquet",
        lambda path: write_parquet(path, a=[1.0], b=["x"]),
        "column 'b': string is not a number; if it holds the classes, write data: {labels: b}; else drop it",
    ),
    "parquet lists": (
        "a.parquet",
        lambda path: write_parquet(path, a=[[1], [2]]),
        "column 'a': list<element: int64> is not a number; drop the column",
    ),
    "parquet gap": (
        "a.parquet",
        lambda path: write_parquet(path, a=[1.0, None]),
        f"column 'a': no number in row 2; {FILL}",
    ),
    "parquet nan": (
        "a.parquet",
        lambda path: write_parquet(path, a=[1.0, np.nan]),
        f"column 'a': .nan in row 2; {FILL}",
    ),
    "parquet no rows": ("a.parquet", lambda path: write_parquet(path, a=np.zeros(0)), "has no rows"),
    "parquet columns": (
        "a.parquet",
        lambda path: parquet.write_metadata(
            pa.schema([(f"a{i}", pa.float64()) for i in range(100_001)]), path
        ),  # no rows, which would be said next
        "100,001 columns, more than 100,000; take fewer",
    ),
    "parquet torn": (
        "a.parquet",
        lambda path: path.write_bytes(b"PAR1"),
        "cannot be read: Parquet file size is 4 bytes, smaller than the minimum file footer (8 bytes)",
    ),
}


@pytest.mark.parametrize("name, write, message", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_refused_with_file_and_column(tmp_path, monkeypatch, name, write, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name)
    with pytest.raises(ValueError) as caught:
        load_dataset(Path(name))
    assert str(caught.value) == f"{name}: {message}"


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.parquet"])
def test_no_pickle_is_ever_loaded(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=name):
        load_dataset(path)
    np.save(tmp_path / "a.npy", np.array([[Bomb()]]), allow_pickle=True)
    np.savez(tmp_path / "a.npz", inputs=np.array([[Bomb()]]), allow_pickle=True)
    for suffix in ("npy", "npz"):
        with pytest.raises(ValueError, match="holds pickled objects, which are never loaded"):
            load_dataset(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.parquet"])
def test_a_damaged_file_is_refused_or_read_but_never_crashes(tmp_path, name):
    source, path = tmp_path / name, tmp_path / f"torn_{name}"
    {
        "a.npy": write_npy,
        "a.npz": lambda p: write_npz(p, inputs=TABLE),
        "a.csv": lambda p: write_csv(p, "a,b\n1,2\n"),
        "a.parquet": lambda p: write_parquet(p, a=TABLE[:, 0]),
    }[name](source)
    content = source.read_bytes()
    for at in range(0, len(content), max(1, len(content) // 60)):
        for damaged in (content[:at], content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]):
            path.write_bytes(damaged)
            try:
                load_dataset(path)
            except ValueError as error:
                assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


def test_a_parquet_bomb_is_never_unpacked(tmp_path):
    write_run_lengths(tmp_path / "a.parquet")
    before = pa.default_memory_pool().max_memory()  # writing took 20 MB a part; unpacked, it is 200 MB
    with pytest.raises(ValueError, match="1600 MB of data"):
        load_dataset(tmp_path / "a.parquet")
    assert pa.default_memory_pool().max_memory() == before


def test_a_member_that_lies_about_its_shape_takes_no_memory(tmp_path):
    path = tmp_path / "a.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 100), }"
    header += b" " * (64 - (10 + len(header) + 1) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inputs.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(ValueError, match=r"a\.npz: cannot be read"):
        load_dataset(path)
