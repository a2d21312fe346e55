"""`harness verify` on a checkout of one small experiment: its output, its files, and that a wrong engine fails."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from command import ROOT, forked, good
from typer.testing import CliRunner

from harness.base.errors import ConfigError
from harness.interface.commands import app
from harness.networks.activations import ACTIVATIONS
from harness.study import verify

QUESTION = """
from harness.study.claims import Case, Claim, mean
from harness.theory.finite_width import gaussian_relu

SENTENCE = "A ReLU gradient holds under He."
FIGURES = ()
SWEEPS = {"small": ("replicates=100",)}


def slope(results):
    law = gaussian_relu(64, 2**0.5).slope_per_layer
    yield Case("relu", results.networks["slope_per_layer"], law - 0.0055, law + 0.0055)


CLAIMS = (Claim("slope", "Its slope is the predicted one.", "mean slope", mean, slope),)
"""
CONFIG = """\
name: small
experiment: small
network: {activation: relu, init: he_normal, depth: 81, width: 64}
data: {batch: 1}
cost: linear
replicates: 200
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with one experiment, which is the current folder."""
    for name, text in (("experiments/small.py", QUESTION), ("configs/small.yaml", CONFIG)):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder where the results of one run are kept."""
    return tmp_path_factory.mktemp("kept") / "results"


@pytest.fixture
def verified(checkout, kept):
    """The same with a reference and the results it was written from, which are computed once for all tests."""
    if not kept.exists():
        invoke("--update-reference")
        shutil.copytree("results", kept)
    else:
        shutil.copytree(kept, "results")
    return checkout


def invoke(*arguments, code=0):
    """Run the command in this process, where its engine can be changed. Returns what it printed."""
    done = CliRunner().invoke(app, ["verify", "--workers", "1", *arguments])
    error = done.exception
    if error is not None and not isinstance(error, SystemExit):
        raise error
    assert done.exit_code == code, done.output
    return done.output


def wrong_relu(at_zero=1):
    """A Step that is 2 % too large."""
    right = ORIGINAL(at_zero)
    return replace(right, slope=lambda z: 1.02 * np.asarray(right.slope(z), dtype=z.dtype), value_and_slope=None)


ORIGINAL = ACTIVATIONS["relu"]


def test_verify_needs_a_reference_then_finds_it_identical(checkout):
    with pytest.raises(Exception, match=r"small\.csv: no reference; write it with `harness verify --update-reference`"):
        invoke()
    assert not (checkout / "results").exists()  # said before anything is run
    said = invoke("--update-reference")
    assert "reference results/reference/full/small.csv: written; there was none before" in said
    assert "1 of 1 claims hold" in said
    said = invoke("--markdown", "page.md")
    assert "reference results/reference/full/small.csv: identical" in said
    page = (checkout / "page.md").read_text()
    assert "| holds | Its slope is the predicted one. (`slope`) |" in page
    written = json.loads((checkout / "results/verify/full/claims.json").read_text())
    assert written["sweeps"][0]["claims"][0]["grade"] == "holds"
    assert written["sweeps"][0]["claims"][0]["error_rate"] == 1e-4


@pytest.fixture
def wrong_engine(monkeypatch):
    """A ReLU whose slope is 2 % off."""
    monkeypatch.setitem(ACTIVATIONS.built_in, "relu", wrong_relu)


def test_a_wrong_engine_fails(verified, wrong_engine):
    """The claim fails, the reference differs, and the exit code is 3."""
    shutil.rmtree("results/verify")
    said = invoke("--markdown", "page.md", code=3)
    assert "0 of 1 claims hold; 1 fail; references: 1 differs" in said
    assert "log10_gradient_gain: 1 rows differ, by at most 0.688" in said  # 80 layers of log10 1.02
    assert "| **fails** |" in (verified / "page.md").read_text()
    said = invoke("--json", code=3)
    assert json.loads(said[said.index("{") :]) == json.loads((verified / "results/verify/full/claims.json").read_text())
    assert not json.loads(said[said.index("{") :])["sweeps"][0]["good"]


def test_a_wrong_reference_differs(verified):
    path = verified / "results/reference/full/small.json"
    path.write_text(path.read_text().replace('"sha256": "', '"sha256": "0'))
    assert "references: 1 differs" in invoke(code=3)


def test_sizes_have_references_of_their_own(checkout):
    assert "written" in invoke("--size", "ci", "--update-reference")
    assert (checkout / "results/reference/ci/small.csv").is_file()
    assert not (checkout / "results/reference/full").exists()
    assert "replicates: 100" in (checkout / "results/verify/ci/small/config.yaml").read_text()


def test_an_updated_reference_says_what_changed(verified):
    config = verified / "configs/small.yaml"
    config.write_text(config.read_text() + "seed: 1\n")
    said = invoke("--update-reference")
    assert "written; compared with the one before: differs" in said
    assert "log10_cost: 1 rows differ, by at most" in said


def test_finished_blocks_are_not_computed_again_unless_the_code_is_other(verified, monkeypatch):
    part = next((verified / "results/verify/full/small/layers").glob("*.parquet"))
    before = part.stat().st_mtime_ns
    invoke()
    assert part.stat().st_mtime_ns == before
    monkeypatch.setattr(verify, "code_hash", lambda: "edited")
    invoke()
    assert part.stat().st_mtime_ns > before


def test_fresh_seeds_grade_claims_only(checkout):
    said = invoke("--fresh-seeds", "--size", "ci")
    assert "reference: not compared, because the seed is not the config's own" in said
    assert "1 of 1 claims hold; seed " in said
    assert not (checkout / "results/reference").exists()
    seed = int(said.rsplit("seed ", 1)[1])
    assert f"seed: {seed}" in (checkout / f"results/verify/ci-seed-{seed}/small/config.yaml").read_text()


def test_an_undecided_claim_is_no_success(checkout):
    path = checkout / "experiments/small.py"
    path.write_text(path.read_text().replace("law - 0.0055, law + 0.0055", "law - 1e-6, law + 1e-6"))
    said = invoke("--update-reference", code=3)
    assert "undecided" in said


def test_an_unknown_experiment_is_named(checkout):
    with pytest.raises(ConfigError, match=r"^there is no experiment 'smal'; did you mean 'small'\?$"):
        invoke("smal")


def test_no_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^no folder experiments/ here; run `harness verify` in a checkout"):
        invoke()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", "big"), "'big' is not a size; use ci or full"),
        (("--fresh-seeds", "--update-reference"), "a reference has the config's own seed"),
    ],
)
def test_options_that_cannot_be(options, said, checkout):
    assert said in " ".join(invoke(*options, code=2).replace("│", " ").split())


@pytest.mark.slow
def test_the_command_itself(checkout):
    """In a process of its own, sweep prints and keeps the verdicts, and show prints them again."""
    swept = good(forked("sweep", "configs/small.yaml", "--set", "replicates=100", cwd=checkout))
    assert re.search(r"holds +slope: ", swept)
    assert "1 of 1 claims hold" in swept
    assert json.loads((checkout / "results/small/claims.json").read_text())["claims"][0]["grade"] == "holds"
    assert "1 of 1 claims hold" in good(forked("show", "results/small", cwd=checkout))
    done = forked("verify", "smal", cwd=checkout)
    assert (done.returncode, done.stderr) == (2, "there is no experiment 'smal'; did you mean 'small'?\n")


def test_every_shipped_experiment_has_its_configs_and_references():
    for path in sorted((ROOT / "experiments").glob("*.py")):
        loaded = verify.load_question(path.stem, ROOT / "configs")
        assert loaded.claims, path.stem
        for sweep in loaded.sweeps:
            text = (ROOT / "configs" / f"{sweep}.yaml").read_text()
            assert f"experiment: {path.stem}\n" in text
            assert f"name: {sweep}\n" in text
            for size in verify.SIZES:
                assert (ROOT / "results/reference" / size / f"{sweep}.csv").is_file()


def test_a_figure_that_fails_is_named_and_is_no_success(checkout, monkeypatch):
    def fails(*_):
        raise ZeroDivisionError("a mistake")

    (checkout / "experiments/small.py").write_text(QUESTION.replace("FIGURES = ()", 'FIGURES = ("gradient_profile",)'))
    monkeypatch.setattr("harness.figures.depth.gradient_profile.prepare", fails)
    done = CliRunner().invoke(app, ["verify", "--size", "ci", "--update-reference", "--workers", "1"])
    assert done.exit_code == 3
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("figure ")]
    assert line.startswith("figure gradient_profile is not drawn: ZeroDivisionError: a mistake (")
