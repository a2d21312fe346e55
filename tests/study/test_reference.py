"""Comparisons with a reference: identical, within tolerance, different, on small real results and copies of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import ResultsError
from harness.execution.dispatch import Resources
from harness.execution.driver import execute
from harness.results.diff import DIFFERS, IDENTICAL, WITHIN
from harness.study import reference
from harness.study.results import Results
from harness.study.sweep import prepare

CONFIG = {
    "name": "small",
    "network": {
        "activation": ["relu", "tanh"],
        "init": {"name": "normal", "sigma_w": [1.4, 3]},
        "depth": [1, 170],
        "width": 48,
    },
    "data": {"batch": 2},
    "replicates": 6,
}


def run(folder, **changes):
    prepared = prepare(CONFIG | changes, out=folder).prepared
    execute(prepared, Resources(1))
    return reference.of_results(Results(prepared.folder))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run(tmp_path_factory.mktemp("reference") / "small")


def elsewhere(made, **changes):
    """The same reference from a machine with another fingerprint, whose tables have other bits."""
    return replace(made, fingerprint={"cpu": "another"}, digest="other", **changes)


def shifted(made, column, by, rows=slice(None)):
    statistics = made.statistics.copy()
    statistics.loc[rows, column] += by
    return elsewhere(made, statistics=statistics)


def chaotic(made):
    """tanh at σ_w = 3, 170 layers: an error in r grows by more decades than a float has."""
    return (made.statistics["amplified"] > 17).to_numpy()


def test_a_rerun_is_identical(made, tmp_path):
    again = run(tmp_path / "small")
    assert reference.compare(made, again).verdict == IDENTICAL


def test_files_give_back_the_same_numbers(made, tmp_path):
    path = reference.path_of(tmp_path, "ci", "small")
    reference.write(path, made)
    back = reference.read(path)
    assert reference.compare(back, made).verdict == IDENTICAL
    assert reference.compare(elsewhere(back), made).mismatches == ()  # to the last bit
    assert (back.digest, back.fingerprint) == (made.digest, made.fingerprint)


def test_columns_that_are_newer_than_a_reference_are_not_compared(made, tmp_path):
    path = reference.path_of(tmp_path, "ci", "small")
    columns = {table: [name for name in names if name != "slope_rms"] for table, names in made.columns.items()}
    prepared = prepare(CONFIG, out=tmp_path / "small").prepared
    execute(prepared, Resources(1))
    results = Results(prepared.folder)
    reference.write(path, reference.of_results(results, replace(made, columns=columns)))
    before = reference.read(path)
    assert "slope_rms" not in before.statistics and before.digest != made.digest
    assert reference.compare(before, reference.of_results(results, before)).verdict == IDENTICAL
    assert reference.compare(before, made).verdict == DIFFERS


def test_the_shipped_references_can_be_read():
    """Also those that are older than a coordinate, such as a flag."""
    paths = sorted((Path(__file__).parents[2] / "results" / "reference").glob("*/*.csv"))
    assert len(paths) > 30 and all(len(reference.read(path).statistics) for path in paths)


def test_the_digest_sees_one_bit(made, tmp_path):
    folder = tmp_path / "small"
    run(folder)
    results = Results(folder)
    layers = results.layers.copy()
    layers.loc[7, "delta_cosine"] = np.nextafter(layers["delta_cosine"][7], 2)
    assert reference.digest(results.layers, results.networks) == made.digest
    assert reference.digest(results.layers.iloc[::-1], results.networks.iloc[::-1]) == made.digest
    assert reference.digest(layers, results.networks) != made.digest


def test_where_the_fingerprint_is_the_same_nothing_but_identity_will_do(made):
    other = replace(shifted(made, "log10_cost", 1e-15), fingerprint=made.fingerprint)
    assert reference.compare(other, made).verdict == DIFFERS
    assert reference.compare(replace(made, digest="other"), made).verdict == DIFFERS


def test_elsewhere_rounding_is_no_difference(made):
    calm = ~chaotic(made)
    assert reference.compare(shifted(made, "log10_weight_factor", 1e-15, calm), made).verdict == WITHIN


def test_elsewhere_rounding_is_none_either_where_draws_do_not_differ(made):
    """A column that follows from the coordinates alone has no spread over draws, but is rounded."""
    assert (made.statistics["predicted_spread"][~chaotic(made)] > 0).any()
    assert reference.compare(shifted(made, "predicted_spread", 1e-16), made).verdict == WITHIN


def test_elsewhere_more_than_rounding_is_one(made):
    calm = ~chaotic(made)
    comparison = reference.compare(shifted(made, "log10_weight_factor", 1e-9, calm), made)
    assert comparison.verdict == DIFFERS
    (finding,) = comparison.mismatches
    assert finding.where == "reference.log10_weight_factor"
    assert f"{int(calm.sum())} rows differ, by at most 1e-09" in finding.what


def test_a_chaotic_network_is_compared_statistically(made):
    """170 layers at χ1 > 1 amplify the last bit to 1; past that, medians may differ as those of other draws do."""
    rows = chaotic(made)
    assert rows.any()
    calm = reference.compare(shifted(made, "log10_weight_factor", 1e-10, rows), made)
    assert calm.verdict == WITHIN
    spread = float(made.allowed["log10_weight_factor"][rows].max())
    assert spread < 0.5  # of decades: what is allowed is not anything
    assert reference.compare(shifted(made, "log10_weight_factor", 2 * spread, rows), made).verdict == DIFFERS


def test_an_exploding_relu_is_not_chaotic(made):
    """Its gradient and its signal grow alike: a rounding error stays as small as it was."""
    relu = made.statistics.xs("relu", level="activation")
    assert relu["log10_gradient_gain"].max() > 5
    assert relu["amplified"].max() < 2


def test_a_network_that_is_missing_differs(made):
    fewer = elsewhere(made, statistics=made.statistics.iloc[1:])
    comparison = reference.compare(fewer, made)
    assert comparison.verdict == DIFFERS
    assert "1 rows are in the second only" in comparison.mismatches[0].what


def test_dead_counts_must_be_the_same(made):
    assert reference.compare(shifted(made, "dead", 1, ~chaotic(made)), made).verdict == DIFFERS


def test_another_seed_differs(made, tmp_path):
    assert reference.compare(elsewhere(made), run(tmp_path / "small", seed=1)).verdict == DIFFERS


def test_a_missing_reference_says_how_to_write_it(tmp_path):
    with pytest.raises(ResultsError, match=r"x\.csv: no reference; write it with `harness verify --update-reference`$"):
        reference.read(tmp_path / "x.csv")


@pytest.mark.parametrize("csv", ["", "a,b\n1,2\n", "\x00"])
def test_a_damaged_reference_is_named(csv, tmp_path):
    (tmp_path / "x.csv").write_text(csv)
    (tmp_path / "x.json").write_text('{"sha256": "", "fingerprint": {}}')
    with pytest.raises(ResultsError, match=r"x\.csv: cannot be read"):
        reference.read(tmp_path / "x.csv")


def test_an_error_that_grows_in_the_middle_of_a_network_counts():
    """Rounding grows a thousand times from layer 2 to 3, a hundred times from layer 1, and not at all end to end."""
    error = [0.0, 1.0, -2.0, -1.0, 0.0]  # decades of ‖∂C/∂z‖·r, from the lowest layer up
    layers = pd.DataFrame(
        {
            "network": ["a"] * 5 + ["b"] * 5,
            "layer": [1, 2, 3, 4, 5, 5, 4, 3, 2, 1],
            "log10_grad_preactivations": [*error, *np.arange(5.0)],
            "log10_rms_outputs": 0.0,
        }
    )
    networks = pd.DataFrame({"network": ["b", "a"]}, index=[7, 8])
    assert reference._condition(layers, networks).to_dict() == {7: 4.0, 8: 3.0}
