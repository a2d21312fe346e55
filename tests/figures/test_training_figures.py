"""Figures of training: what they prepare, from the tables of small runs, and that they draw."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nets import choice, spec
from training_runs import ENDS, recipe, trained, training

from harness import figures
from harness.figures.kit import style
from harness.results.training.tuning import (
    best_over_rates,
    grown_at_cost,
    note_of_ends,
    paired,
    scheduled,
    tuned,
    with_ends,
)

NAMES = [name for name, entry in figures.FIGURES.items() if entry.folder == "training"]


@pytest.fixture(scope="module")
def tables():
    """(step_layers, steps) of ReLU and sigmoid, two depths, two optimisers, three rates of which one diverges."""
    specs = [spec(a, "he_normal", depth=depth, width=6, **ENDS) for a in ("relu", "sigmoid") for depth in (2, 4)]
    recipes = [recipe(name, rate) for name in ("sgd", "adam") for rate in (0.001, 0.02, 0.1)] + [recipe("sgd", 1e200)]
    _, networks, steps, layers = trained(specs, training(*recipes, reached=(5.0,)), range(2))  # reached at once
    return layers, with_ends(steps, networks)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_training_draws(name, tables, tmp_path):
    assert figures.needs_training(name) and figures.applies(name, tables[1]) is None
    png, svg = figures.save(name, *tables, tmp_path)
    assert png.stat().st_size > 10_000 and svg.read_text(encoding="utf-8").startswith("<?xml")
    module = figures.figure(name)
    with style.drawing_style():
        figure = module.draw(module.prepare(*tables))
        FigureCanvasAgg(figure).draw()
    words = " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    assert "mathdefault" not in words and "sgd" in words and "adam" in words


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_training_draws_where_all_runs_have_diverged(name, tmp_path):
    one = spec("relu", "he_normal", depth=3, width=6, **ENDS)
    _, networks, steps, layers = trained([one], training(recipe("sgd", 1e200), recipe("sgd", 1e210)))
    steps = with_ends(steps, networks)
    if figures.applies(name, steps) is None:
        assert figures.save(name, layers, steps, tmp_path)[0].stat().st_size > 5_000


def test_the_bars_of_the_ledger_are_the_growth_of_the_weights(tables):
    layers, steps = tables
    rows = figures.figure("norm_ledger").prepare(layers, steps[steps["replicate"] == 0]).rows
    assert len(rows) == 2 * 2 * 4
    chosen = tuned(steps[(steps["replicate"] == 0) & (steps["depth"] == 4)])
    own = layers[layers["run"].isin(chosen["run"])]
    first, last = (scheduled(own, step).set_index(["run", "layer"])["log10_norm_weights"] for step in (0, 12))
    expected = (100 ** (last - first) - 1).to_numpy()
    np.testing.assert_allclose(np.sort(rows["growth"]), np.sort(expected), rtol=1e-9, atol=1e-12)
    both = figures.figure("norm_ledger").prepare(layers, steps).rows  # of two draws, the parts of one, not medians
    np.testing.assert_array_equal(both["flow"] + both["size"], both["growth"])


def test_weights_that_start_at_0_have_no_bar_in_the_ledger():
    one = replace(spec("relu", "he_normal", depth=4, width=6, **ENDS), residual=choice("fixup"))
    *_, steps, layers = trained([one], training(recipe("sgd", 0.02)), range(2))
    prepared = figures.figure("norm_ledger").prepare(layers, steps)
    assert list(prepared.rows["layer"]) == [1, 2, 4]
    assert not np.isinf(prepared.rows[["flow", "size", "growth"]]).any(axis=None)
    with style.drawing_style():
        figure = figures.figure("norm_ledger").draw(prepared)
    caption = " ".join(text.get_text() for text in figure.texts)  # a line each
    assert "No bar: weights that start at 0." in caption


def test_accuracy_is_that_of_the_rate_with_the_least_validation_cost(tables):
    prepared = figures.figure("accuracy_against_depth").prepare(*tables)
    last = scheduled(tables[1])
    runs = last[(last["activation"] == "relu") & (last["depth"] == 4) & (last["optimiser"] == "adam")]
    best = runs.loc[runs.groupby("replicate")["log10_cost_validation"].idxmin(), "accuracy_test"]
    row = prepared.rows.query("kind == 'relu' and depth == 4 and optimiser == 'adam'")
    assert row["median"].item() == pytest.approx(best.median())


def test_fall_and_escape_shows_the_hidden_layers_of_what_saturates_at_0(tables):
    layers, steps = tables
    prepared = figures.figure("fall_and_escape").prepare(layers, steps)
    assert prepared.activation == "sigmoid" and prepared.depths == [2, 4]
    assert prepared.rows.groupby("depth")["layer"].max().to_dict() == {2: 1, 4: 3}
    chosen = tuned(steps[(steps["activation"] == "sigmoid") & (steps["optimiser"] == "adam") & (steps["depth"] == 4)])
    own = scheduled(layers[layers["run"].isin(chosen["run"]) & (layers["layer"] == 3)])["mean_outputs"]
    row = prepared.rows.query("optimiser == 'adam' and depth == 4 and layer == 3 and step == 12")
    assert row["mean_outputs"].item() == pytest.approx(own.median())
    relu = steps[steps["activation"] == "relu"]
    assert figures.applies("fall_and_escape", relu) == "no activation here saturates at an output of 0"


def test_growth_at_cost_is_that_of_the_first_run_to_reach_it(tables):
    layers, steps = tables
    prepared = figures.figure("growth_at_cost").prepare(layers, steps)
    assert (prepared.depth, prepared.cost, prepared.activations) == (4, 5.0, ["relu", "sigmoid"])
    assert len(prepared.rows) == 2 * 2 * 2
    row = prepared.rows.query("activation == 'relu' and optimiser == 'sgd' and replicate == 0")
    run = steps[steps["run"] == row["run"].item()]
    norms = [run.loc[where, "log10_norm_weights"].item() for where in (run["reached"].notna(), run["step"] == 0)]
    assert row["grown"].item() == pytest.approx(2 * (norms[0] - norms[1]))
    later = steps["reached"].notna() & (steps["run"] == row["run"].item())  # had it been slower, the next would count
    others = grown_at_cost(steps.assign(step=steps["step"].where(~later, 9)))
    assert row["run"].item() not in set(others["run"])
    never = steps[steps["reached"].isna()]
    assert figures.applies("growth_at_cost", never) == "no run has reached a cost of training.reached"


def test_a_rate_at_an_end_of_its_axis_has_no_value(tables):
    """Of the rates, 0.001 is far too small for 12 steps; where the largest is best, a larger one may be better."""
    steps = tables[1][(tables[1]["optimiser"] == "adam") & (tables[1]["depth"] == 2)]
    chosen = tuned(steps)
    at_end = chosen.set_index(["activation", "replicate"])["at_end"]
    rates = chosen.set_index(["activation", "replicate"])["learning_rate"]
    assert not at_end[rates == 0.02].any()
    least = tuned(steps[steps["learning_rate"] <= 0.02])  # the cost still falls towards 0.02
    assert least["at_end"].all()
    assert np.isnan(paired(least, "accuracy_test", "activation", "relu", "sigmoid")).all()


def test_the_fastest_rate_to_a_cost_is_judged_by_its_neighbours(tables):
    """Where the steps to a cost still fall towards an end of the axis, a rate beyond it may be faster still."""
    steps = tables[1][(tables[1]["optimiser"] == "adam") & (tables[1]["depth"] == 2)]
    there = steps["reached"].notna()
    taken = {0.001: 12, 0.02: 8, 0.1: 10}
    steps = steps.assign(step=steps["step"].where(~there, steps["learning_rate"].map(taken)))
    assert (grown_at_cost(steps)["learning_rate"] == 0.02).all() and not grown_at_cost(steps)["at_end"].any()
    slower = steps[~(there & (steps["learning_rate"] == 0.1))]  # at the fastest of the axis it is never reached
    assert not grown_at_cost(slower)["at_end"].any()
    cut = steps[steps["learning_rate"] < 0.1]
    assert (grown_at_cost(cut)["learning_rate"] == 0.02).all() and grown_at_cost(cut)["at_end"].all()
    assert grown_at_cost(slower[~there.loc[slower.index]]).empty


def test_the_best_of_all_rates_is_not_known_where_a_better_one_may_lie_beyond(tables):
    steps = tables[1][(tables[1]["optimiser"] == "adam") & (tables[1]["depth"] == 2)]
    best = best_over_rates(steps, "accuracy_test")
    assert list(best["at_end"]) == list(tuned(steps)["at_end"]) and best["at_end"].any()
    highest = scheduled(steps).groupby("network", observed=True)["accuracy_test"].max()
    expected = best["network"].map(highest).astype(float).where(~best["at_end"])
    np.testing.assert_array_equal(best["accuracy_test"], expected)
    assert note_of_ends(best) == f"{best['at_end'].sum()} best rates at an end of the axis"
    assert note_of_ends(best[~best["at_end"]]) == ""


def test_a_diverged_run_is_never_the_best(tables):
    assert (tuned(tables[1])["learning_rate"] < 1).all()


def test_a_sweep_without_training_has_none_of_these_figures(tables):
    networks = tables[1].drop(columns="step")
    assert {figures.applies(name, networks) for name in NAMES} == {"the sweep does not train"}
    gaussian = tables[1].assign(accuracy_test=np.nan)
    assert figures.applies("accuracy_against_depth", gaussian) == "needs classes: data: {targets: labels}"
    sigmoid = tables[1][tables[1]["activation"] == "sigmoid"]
    assert figures.applies("unit_lives", sigmoid) == "no activation here has silent units"
