"""The sections on training and on remedies in a real browser: what they show is what the tables hold."""

import numpy as np
import pandas as pd
import pytest
from report_pages import SHOWN, decades_of, log10_of

import harness
from harness.interface.report.page import write_report
from harness.study.results import Results

DEPTH, ACTIVATIONS, OPTIMISERS = 3, ("relu", "sigmoid"), ("sgd", "adam")


def chosen_runs(steps: pd.DataFrame, activation: str, optimiser: str) -> set[str]:
    """For each draw the run with the least validation cost at the last step."""
    last = steps[(steps["depth"] == DEPTH) & (steps["step"] == steps["step"].max())]
    last = last[(last["activation"] == activation) & (last["optimiser"] == optimiser)]
    best = last.astype({"network": str}).groupby("network")["log10_cost_validation"].idxmin()
    return set(last.loc[best, "run"].astype(str))


def rows_of(shown, table: str) -> dict[str, list[str]]:
    """The header of each row of a table on the page -> its cells."""
    read = "rows => rows.map(row => [...row.children].map(cell => cell.innerText.trim()))"
    return {head: cells for head, *cells in shown.page.locator(f"{table} tbody tr").evaluate_all(read)}


@pytest.mark.parametrize("place", [0, 2, -1])
def test_the_values_at_a_step_are_those_of_the_tuned_runs(opened, tables, place):
    shown, steps = opened("trained"), tables["trained"]["steps"]
    recorded = sorted(steps["step"].unique())
    shown.slide("#t-at", recorded.index(recorded[place]))
    rows = rows_of(shown, "#t-values")
    assert list(rows) == [f"{activation}, {optimiser}" for activation in ACTIVATIONS for optimiser in OPTIMISERS]
    for head, cells in rows.items():
        runs = chosen_runs(steps, *head.split(", "))
        own = steps[steps["run"].astype(str).isin(runs) & (steps["step"] == recorded[place])]
        assert len(own) == 3
        medians = own.median(numeric_only=True)
        for cell, name in zip(cells[:3], ("validation", "probe", "test"), strict=True):
            assert log10_of(cell) == pytest.approx(medians[f"log10_cost_{name}"], abs=SHOWN)
        for cell, name in zip(cells[3:6], ("validation", "probe", "test"), strict=True):
            assert decades_of(cell) == pytest.approx(100 * medians[f"accuracy_{name}"], abs=0.06)
        assert decades_of(cells[6]) == pytest.approx(medians["log10_gradient_gain"], abs=0.006)
        low, high = own["learning_rate"].min(), own["learning_rate"].max()
        assert cells[9].split(",")[0] == (f"{low:g}" if low == high else f"{low:g} to {high:g}")
        assert cells[10] == "0 of 3"


@pytest.mark.parametrize("layer", [3, 1])
def test_the_ledger_at_a_layer_is_that_of_the_tuned_runs(opened, tables, layer):
    """Flow and size of the steps are over ‖W_0‖² of each run, before medians are taken."""
    shown, steps, layers = opened("trained"), tables["trained"]["steps"], tables["trained"]["step_layers"]
    last = steps["step"].max()
    shown.slide("#t-layer-at", DEPTH - layer)
    for head, cells in rows_of(shown, "#t-layers").items():
        runs = chosen_runs(steps, *head.split(", "))
        own = layers[layers["run"].astype(str).isin(runs) & (layers["layer"] == layer)].astype({"run": str})
        start, end = (own[own["step"] == step].set_index("run").sort_index() for step in (0, last))
        square = 100 ** start["log10_norm_weights"]
        parts = [(end[name] / square).median() for name in ("norm_flow", "norm_step")]
        assert log10_of(cells[0]) == pytest.approx(end["log10_grad_weights"].median(), abs=SHOWN)
        assert log10_of(cells[1]) == pytest.approx(start["log10_grad_weights"].median(), abs=SHOWN)
        assert decades_of(cells[4]) == pytest.approx(100 * end["dead_fraction"].median(), abs=0.06)
        assert [decades_of(cell) for cell in cells[5:8]] == pytest.approx([*parts, sum(parts)], rel=0.006)


def test_keys_move_both_sliders(opened):
    shown = opened("trained")
    before = rows_of(shown, "#t-layers")
    shown.page.focus("#t-at")
    shown.page.keyboard.press("Home")
    assert (shown.text("#t-step"), "step 0" in shown.text("#t-profile-caption")) == ("step 0", True)
    after = rows_of(shown, "#t-layers")
    assert after != before and all(cells[5:] == ["+0", "+0", "+0"] for cells in after.values())
    shown.page.focus("#t-layer-at")
    shown.page.keyboard.press("Home")
    shown.page.focus("#t-at")
    shown.page.keyboard.press("End")
    assert (shown.text("#t-step"), shown.text("#t-layer")) == ("step 9", "layer 3 of 3")


def test_a_figure_without_activations_says_so_and_shows_no_old_values(opened):
    shown = opened("trained")
    for place in ("layers", "training"):
        boxes = shown.page.locator(f"#{place} .chips input[type=checkbox]")
        for box in boxes.all():
            box.uncheck()
        said = shown.page.locator(f"#{place} figure").all_inner_texts()
        none = "Nothing of this choice is on this page. Choose an activation, or another value."
        assert said and {text.strip() for text in said} == {none}
        boxes.first.check()
        assert shown.page.locator(f"#{place} figure table:visible tbody tr").count() >= 1
    assert shown.complaints == []


def diverged(steps: pd.DataFrame) -> pd.DataFrame:
    """The table `steps` with every run of one draw diverged before the last step."""
    steps = steps.astype({"status": str})
    gone = steps["network"].astype(str).str.endswith("-0") & (steps["step"] == steps["step"].max())
    steps.loc[gone, "status"] = "diverged at step 5"
    steps.loc[gone, [name for name in steps if name.startswith(("log10_", "accuracy_"))]] = np.nan
    return steps


def test_a_run_that_diverged_is_counted_and_left_out_of_the_median(opened, pages, tmp_path, monkeypatch):
    results, read = harness.load(pages / "results" / "trained"), Results.read

    def changed(self, table, *how):
        found = read(self, table, *how)
        return diverged(found) if table == "steps" else found

    monkeypatch.setattr(Results, "read", changed)
    shown = opened(write_report(results, tmp_path / "page.html"))
    rows = rows_of(shown, "#t-values")
    assert {cells[10] for cells in rows.values()} == {"1 of 3"}
    assert all(log10_of(cells[0]) < 1 for cells in rows.values())
    shown.slide("#t-at", 0)
    assert {cells[10] for cells in rows_of(shown, "#t-values").values()} == {"0 of 3"}


@pytest.mark.parametrize("depth", [7, 25])
def test_the_remedies_of_a_depth_are_those_of_the_tables(opened, tables, depth):
    shown = opened("remedied")
    shown.page.select_option("#r-depth", str(depth))
    networks = tables["remedied"]["networks"].query(f"depth == {depth}").astype({"network": str})
    layers = tables["remedied"]["layers"].astype({"network": str})
    kinds = {"none": ("none", "none"), "normalisation batch": ("batch", "none"), "residual pre": ("none", "pre")}
    kinds["normalisation layer, residual pre"] = ("layer", "pre")
    lines = shown.page.locator("#r-table tbody tr:not([hidden])")
    texts = lines.evaluate_all("rows => rows.map(row => [...row.children].map(cell => cell.innerText.trim()))")
    assert len(texts) == 8
    for kind, activation, deep, median, _, theory, shares in texts:
        normalisation, residual = kinds[kind]
        own = networks.query(f"normalisation == '{normalisation}' and residual == '{residual}'")
        own = own[own["activation"] == activation]
        assert (len(own), deep) == (4, str(depth))
        assert decades_of(median) == pytest.approx(own["log10_gradient_gain"].median(), abs=0.006)
        assert decades_of(theory) == pytest.approx(own["predicted_slope_per_layer"].median() * (depth - 1), abs=0.006)
        if residual == "none":
            assert shares == "no skip"
            continue
        blocks = layers[layers["network"].isin(own["network"])].groupby("layer").median(numeric_only=True).median()
        ratio, cosine = 10 ** blocks["log10_branch_ratio"], blocks["branch_cosine"]
        square = 1 + ratio**2 + 2 * ratio * cosine
        expected = [100 / square, 100 * ratio**2 / square, 200 * ratio * cosine / square]
        assert [decades_of(share) for share in shares.split(":")] == pytest.approx(expected, abs=0.06)


def test_kinds_are_ranked_by_their_worst_activation(opened, tables):
    """At the greatest depth, whichever depth is shown."""
    shown = opened("remedied")
    networks = tables["remedied"]["networks"].query("depth == 25").astype({"normalisation": str, "residual": str})
    medians = networks.groupby(["normalisation", "residual", "activation"], observed=True)["log10_gradient_gain"]
    worst = medians.median().abs().groupby(level=[0, 1]).max().sort_values()
    parts = [
        [f"{name} {value}" for name, value in zip(worst.index.names, kind, strict=True) if value != "none"]
        for kind in worst.index
    ]
    heads = shown.page.locator("#r-table tbody tr:not([hidden]) th").all_inner_texts()
    assert list(dict.fromkeys(heads)) == [", ".join(part) or "none" for part in parts]


def test_without_scripts_both_sections_have_their_tables(opened):
    trained = opened("trained", java_script_enabled=False)
    assert "At step 9" in trained.text("#training") and "sigmoid" in trained.text("#training table.plain:visible")
    assert not trained.page.locator("#t-at").is_visible()
    remedied = opened("remedied", java_script_enabled=False)
    assert remedied.page.locator("#r-table tbody tr:visible").count() == 16
    assert not remedied.page.locator("#r-depth").is_visible()


def test_a_page_without_training_or_remedies_has_neither_section(opened):
    page = opened("depth").page
    assert page.locator("#training, #remedies, #courses").count() == 0
