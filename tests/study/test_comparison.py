"""Two sweeps, or the settings of one, compared: the same draws are paired, and others are not."""

from pathlib import Path

import numpy as np
import pytest
from command import forked, good

import harness
from harness.base.errors import ResultsError
from harness.study.compare.comparison import compare_settings, compare_sweeps, summary

CONFIG = """\
name: {name}
network: {{activation: [relu, tanh], init: {init}, depth: [2, 12], width: 8}}
data: {{batch: 4}}
replicates: 6
seed: {seed}
figures: []
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    sweeps = {"both": ("[he_normal, xavier_normal]", 0), "xavier": ("xavier_normal", 0), "other_seed": ("he_normal", 1)}
    sweeps |= {"he": ("he_normal", 0), "orthogonal": ("orthogonal", 0)}
    for name, (init, seed) in sweeps.items():
        (folder / f"{name}.yaml").write_text(CONFIG.format(name=name, init=init, seed=seed))
    widths = CONFIG.format(name="widths", init="he_normal", seed=0).replace("width: 8", "width: [8, 2]")
    (folder / "widths.yaml").write_text(widths)
    for name in (*sweeps, "widths"):
        good(forked("sweep", f"{name}.yaml", "--out", name, "--workers", "1", "--no-report", cwd=folder))
    return folder


def test_two_settings_of_one_sweep_are_paired_draw_by_draw(folder):
    results = harness.load(folder / "both")
    table = compare_settings(results, "init").table
    networks = results.networks.query("activation == 'relu' and depth == 12").set_index(["init", "replicate"])
    slopes = networks["slope_per_layer"]
    differences = slopes["xavier_normal"] - slopes["he_normal"]
    (row,) = table.query("at == 'relu' and depth == 12").itertuples()
    assert row.median_difference == pytest.approx(differences.median(), abs=1e-12)
    assert (row.low, row.high) == (pytest.approx(differences.min()), pytest.approx(differences.max()))
    assert (row.first, row.second, row.same_draws) == ("he_normal", "xavier_normal", True)
    assert row.attenuation == pytest.approx(11 * differences.median())


def test_two_sweeps_that_differ_in_the_init_give_the_same_numbers(folder):
    found = compare_sweeps(harness.load(folder / "he"), harness.load(folder / "xavier")).table
    within = compare_settings(harness.load(folder / "both"), "init").table
    assert set(found["second"]) == {"xavier"} and found["same_draws"].all()
    numbers = ["depth", "median_difference", "low", "high"]
    order = ["depth", "median_difference"]
    one, other = (table[numbers].sort_values(order).to_numpy(dtype=float) for table in (found, within))
    assert one == pytest.approx(other)


@pytest.mark.parametrize("other", ["other_seed", "orthogonal"])
def test_other_draws_are_said_to_be_others(folder, other):
    found = compare_sweeps(harness.load(folder / "he"), harness.load(folder / other))
    assert not found.table["same_draws"].any()
    assert {row[-1] for row in summary(found).rows} == {"others"}


def test_a_sweep_does_not_differ_from_itself(folder):
    found = compare_sweeps(harness.load(folder / "he"), harness.load(folder / "he"))
    assert (found.table["median_difference"] == 0).all()
    assert found.sentence == "At depth 12 no difference in slope is distinguished from 0."


def test_the_sentence_names_the_largest_difference(folder):
    found = compare_settings(harness.load(folder / "both"), "init")
    deep = found.table[found.table["depth"] == 12]
    largest = deep.loc[deep["median_difference"].abs().idxmax()]
    assert f"xavier_normal − he_normal at {largest['at']}" in found.sentence
    assert np.isfinite(largest["low"])


def test_the_dead_are_counted_at_each_setting_and_named_in_the_sentence(folder):
    results = harness.load(folder / "widths")
    found = compare_settings(results, "width")
    networks = results.networks.query("depth == 12")
    shares = networks["dead_from_layer"].notna().groupby([networks["activation"].astype(str), networks["width"]]).mean()
    for row in found.table.query("depth == 12").itertuples():
        assert (row.dead_first, row.dead_second) == (shares[row.at, 2], shares[row.at, 8])
    assert shares["relu", 2] > shares["relu", 8] >= 0 == shares["tanh", 2]
    assert found.sentence.endswith(f"most of all 8 − 2 at relu: width 2 is dead in {shares['relu', 2]:.0%} of draws.")


def test_where_other_coordinates_change_too_there_is_nothing_to_compare(folder):
    cases = CONFIG.format(name="cases", init="he_normal", seed=0).replace("width: 8", "bias_scale: 0")
    cases += "cases: [{weight_scale: 1, width: 8}, {weight_scale: 2, width: 9}]\n"
    (folder / "cases.yaml").write_text(cases)
    good(forked("sweep", "cases.yaml", "--out", "cases", "--workers", "1", "--no-report", cwd=folder))
    with pytest.raises(ResultsError, match=r"cases: no two networks differ in weight_scale alone$"):
        compare_settings(harness.load(folder / "cases"), "weight_scale")


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("widht", "--by 'widht': there is no such coordinate; did you mean 'width'?"),
        ("width", "all networks have the same width; there is nothing to compare"),
    ],
)
def test_what_cannot_be_compared_is_refused(folder, by, message):
    with pytest.raises(ResultsError) as refused:
        compare_settings(harness.load(folder / "both"), by)
    assert str(refused.value).endswith(message)


def test_the_command_prints_the_table_and_the_sentence_and_draws(folder):
    done = forked("compare", "both", "--by", "init", "--figure", "differences.svg", cwd=folder)
    text = good(done)
    assert "xavier_normal − he_normal" in text and "slopes differ" in text and "figure: differences.svg" in text
    assert (folder / "differences.svg").read_text().startswith("<?xml")
    assert forked("compare", "both", cwd=folder).returncode == 2
    refused = forked("compare", "both", "--by", "init", "--figure", "differences.gif", cwd=folder)
    assert refused.returncode == 2 and "does not end in .png, .svg, .pdf" in " ".join(refused.stderr.split())
