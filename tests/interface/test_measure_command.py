"""`harness measure`: files in, tables out, and one line with exit code 2 for a file that cannot be used.

Guards against layers in another order than they were saved in, weights the wrong way round, and a traceback.
"""

import pickle
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import forked

import harness
from harness.execution.weights_file import read_weights

DOCS = Path(__file__).parents[2] / "docs/measure.md"


def network(depth=3, seed=0):
    """Weights, biases and a batch, of widths that differ."""
    rng = np.random.default_rng(seed)
    widths = [3, *range(4, 3 + depth), 2]
    Ws = [rng.normal(size=shape) for shape in pairwise(widths)]
    return Ws, [rng.normal(size=width) for width in widths[1:]], rng.normal(size=(5, 3)), rng.normal(size=(5, 2))


def saved(path: Path, Ws, bs, batch=True, names=("W{k}", "b{k}"), **arrays) -> Path:
    x, y = network()[2:]
    arrays |= {"inputs": x, "targets": y} if batch else {}
    arrays |= {names[0].format(k=k): W for k, W in enumerate(Ws)}
    arrays |= {names[1].format(k=k): b for k, b in enumerate(bs)}
    np.savez(path, **arrays)
    return path


def test_the_tables_are_those_of_python(tmp_path):
    Ws, bs, x, y = network()
    saved(tmp_path / "w.npz", Ws, bs)
    done = forked("measure", "w.npz", "--activation", "tanh", "--output", "linear", "--out", "t", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ours = harness.measure(Ws, bs, x, y, activation="tanh", output="linear")
    for name, frame in (("layers", ours.layers), ("networks", ours.networks)):
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"t/{name}.parquet"), frame)
    for text in ("tanh, 3 layers", "attenuation:", "regime: ", "gradients read as zero: in no number format"):
        assert text in done.stdout
    again = forked("measure", "w.npz", "--out", "t", cwd=tmp_path)
    assert again.returncode == 2 and again.stderr.startswith("t/layers.parquet exists; choose another folder")


def test_a_long_network_is_shown_by_its_ends(tmp_path):
    Ws, bs, *_ = network(40)
    saved(tmp_path / "w.npz", Ws, bs)
    shown = forked("measure", "w.npz", "--activation", "sigmoid", cwd=tmp_path).stdout
    layers = [int(line.split()[0]) for line in shown.splitlines() if re.match(r"\s*\d+ ", line)]
    assert layers[:3] == [1, 2, 3] and layers[-3:] == [38, 39, 40] and len(layers) <= 10


def test_names_of_a_state_dict_are_ordered_by_their_numbers(tmp_path):
    Ws, bs, *_ = network(12)
    path = saved(tmp_path / "w.npz", [W.T for W in Ws], bs, names=("net.{k}.weight", "net.{k}.bias"))
    read = read_weights(path, transpose=True)
    for ours, theirs in zip([*read.weights, *read.biases], [*Ws, *bs], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert forked("measure", "w.npz", "--transpose", cwd=tmp_path).returncode == 0


def test_the_batch_from_other_files(tmp_path):
    Ws, bs, x, y = network()
    whole = forked("measure", saved(tmp_path / "whole.npz", Ws, bs), cwd=tmp_path).stdout
    saved(tmp_path / "w.npz", Ws, bs, batch=False)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    np.savez(tmp_path / "batch.npz", inputs=x, targets=y)
    assert forked("measure", "w.npz", "--inputs", "x.npy", "--targets", "y.npy", cwd=tmp_path).stdout == whole
    assert forked("measure", "w.npz", "--inputs", "batch.npz", cwd=tmp_path).stdout == whole
    missing = forked("measure", "w.npz", "--inputs", "x.npy", cwd=tmp_path)
    assert missing.returncode == 2 and "no targets; store an array of that name in the file" in missing.stderr


def test_safetensors(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    Ws, bs, x, y = network()
    arrays = {"inputs": x, "targets": y}
    for k, (W, b) in enumerate(zip(Ws, bs, strict=True)):
        arrays |= {f"{k}.weight": np.ascontiguousarray(W.T), f"{k}.bias": b}
    numpy.save_file(arrays, tmp_path / "w.safetensors")
    ours = forked("measure", "w.safetensors", "--transpose", cwd=tmp_path)
    assert ours.returncode == 0
    assert ours.stdout == forked("measure", saved(tmp_path / "w.npz", Ws, bs), cwd=tmp_path).stdout


def write(path: Path, **arrays) -> None:
    np.savez(path, **arrays)


ONE = {"W0": np.ones((3, 2))}
REFUSED = {
    "no such file": lambda path: None,
    "cannot be read": lambda path: path.write_bytes(b"PK no archive"),
    "W1 is missing": lambda path: write(path, **ONE, W2=np.ones((2, 2))),
    "'b0_old' is not an array of a layer": lambda path: write(path, **ONE, b0_old=np.ones(2)),
    "holds no weights": lambda path: write(path, inputs=np.ones((5, 3))),
    "0.bias has no 0.weight": lambda path: write(path, **{"0.bias": np.ones(2)}),
    "holds pickled objects": lambda path: write(path, W0=np.array([{}, None])),
    "no inputs": lambda path: write(path, **ONE),
    "W0 holds NaN": lambda path: write(
        path, W0=np.full((3, 2), np.nan), inputs=np.ones((5, 3)), targets=np.ones((5, 2))
    ),
    "b0 has 3 numbers": lambda path: write(path, **ONE, b0=np.ones(3), inputs=np.ones((5, 3)), targets=np.ones((5, 2))),
    "inputs have 4 columns": lambda path: write(path, **ONE, inputs=np.ones((5, 4)), targets=np.ones((5, 2))),
}


@pytest.mark.parametrize(("message", "make"), REFUSED.items(), ids=REFUSED)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, message, make):
    make(tmp_path / "w.npz")
    done = forked("measure", "w.npz", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_pickle_is_never_loaded(tmp_path):
    (tmp_path / "w.npz").write_bytes(pickle.dumps([1]))
    (tmp_path / "w.pt").write_bytes(pickle.dumps([1]))
    for name, message in (("w.npz", "cannot be read"), ("w.pt", "ends in .npz or .safetensors")):
        done = forked("measure", name, cwd=tmp_path)
        assert done.returncode == 2 and message in done.stderr


def test_the_example_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    exec(example, {})
    command = re.search(r"^    harness (measure .*)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert forked(*command.split(), cwd=tmp_path).returncode == 0
