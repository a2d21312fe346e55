"""The benchmark compares like with like, counts the limit's products right, and puts its table where it belongs."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _found(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def module(name: str):
    return importlib.import_module(f"benchmarks.{name}")


def test_the_plain_loop_computes_what_the_harness_computes():
    assert module("agreement").largest_difference(module("peers.numpy_loop").PEER) < 1e-13  # rounding of nine layers


@pytest.mark.parametrize("wrong", [1.0 + 1e-8, float("nan")])
def test_a_peer_that_computes_something_else_is_not_timed(wrong):
    peer = module("peers.numpy_loop").PEER

    def record(stack, networks):
        columns = peer.record(stack, networks)
        columns["slope_mean"][-1, 0] *= wrong
        return columns

    with pytest.raises(SystemExit, match=r"^numpy loop: slope_mean differs by \S+ from the harness's"):
        module("agreement").largest_difference(replace(peer, record=record))


def test_the_limit_multiplies_as_often_as_it_says(monkeypatch):
    """matmul calls, lane by lane, against the closed form of `counts`, for both ways to ‖∂C/∂W‖."""
    limit, grids = module("limit"), module("grids")
    done = []
    matmul = limit.np.matmul

    def counted(a, b, out):
        done.append(out.shape[0] * a.shape[-2] * a.shape[-1] * b.shape[-1])
        return matmul(a, b, out=out)

    monkeypatch.setattr(limit.np, "matmul", counted)
    for grid in (grids.SMALL, replace(grids.SMALL, batch=9)):
        done.clear()
        limit.run(grid, "float32")
        assert sum(done) == limit.counts(grid).multiplications(grid)
    assert limit.counts(grid).weight_gradients and not limit.counts(grids.SMALL).weight_gradients


def test_the_table_replaces_the_one_before_it_and_nothing_else(tmp_path):
    report = module("report")
    page = tmp_path / "page.md"
    page.write_text(f"above\n{report.BEGIN}\nold\n{report.END}\nbelow\n", encoding="utf-8")
    report.write("new", page)
    once = page.read_text(encoding="utf-8")
    report.write("new", page)
    assert page.read_text(encoding="utf-8") == once == f"above\n{report.BEGIN}\n\nnew\n\n{report.END}\nbelow\n"


@pytest.mark.slow
def test_the_command_prints_a_table():
    command = "-m benchmarks --grids small --dtypes float64 --peers numpy_loop --runs 2 --no-extras".split()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ")[0] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert rows == ["| ", "| bare products and draws", "| harness", "| numpy loop"]
