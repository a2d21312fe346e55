"""Figures of training: which kinds of networks they show, where steps end, and what their titles say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from nets import spec
from training_runs import ENDS, recipe, trained, training

from harness import figures
from harness.figures.kit import style
from harness.figures.training.norm_ledger import of_the_median_draw
from harness.figures.training.panels import MOST_BESIDE, MOST_KINDS, choose
from harness.networks.kinds import Choice
from harness.results.training.tuning import tuned, with_ends

DEPTH, EPSILON = 12, 1e-4  # gradients of the first layers lie below epsilon, those of the last above it


@pytest.fixture(scope="module")
def tables():
    """(step_layers, steps) of sigmoid networks of 12 layers under SGD and Adam, two draws."""
    specs = [spec("sigmoid", "xavier_normal", depth=DEPTH, width=6, **ENDS)]
    recipes = recipe("sgd"), recipe("adam", 0.01, epsilon=EPSILON)
    _, networks, steps, layers = trained(specs, training(*recipes), range(2))
    return layers, with_ends(steps, networks)


@pytest.fixture(scope="module")
def of_two_inits():
    """(step_layers, steps) of ReLU under two inits, of which one is deeper."""
    inits = ("he_normal", 4), ("xavier_normal", 2), ("xavier_normal", 3)
    specs = [spec("relu", init, depth=depth, width=6, **ENDS) for init, depth in inits]
    _, networks, steps, layers = trained(specs, training(), range(2))
    return layers, with_ends(steps, networks)


def drawn(name, tables):
    module = figures.figure(name)
    with style.drawing_style():
        return module.draw(module.prepare(*tables))


# Kinds ----------------------------------------------------------------------------------------------------------------


def test_every_init_of_an_activation_has_a_panel_with_its_own_greatest_depth(of_two_inits):
    chosen = choose(of_two_inits[1])
    assert [(kind.label, kind.depth) for kind in chosen.kinds] == [("relu, he_normal", 4), ("relu, xavier_normal", 3)]
    assert chosen.notes == "" and chosen.depths == "Depth 3 to 4"
    for name in ("update_ratio", "layers_over_steps", "norm_ledger"):
        figure = drawn(name, of_two_inits)
        titles = [axes.get_title(loc="left") for axes in figure.axes[:2]]
        assert titles == ["relu, he_normal", "relu, xavier_normal"]


def test_lines_of_one_activation_differ_between_inits(of_two_inits):
    figure = drawn("accuracy_against_depth", of_two_inits)
    assert [words.get_text() for words in figure.legends[0].get_texts()] == ["relu, he_normal", "relu, xavier_normal"]
    first, second = figure.axes[0].lines[:2]
    assert first.get_color() != second.get_color() and first.get_marker() != second.get_marker()


def test_kinds_beyond_the_page_are_said(tables):
    steps = tables[1].astype({"activation": str})
    several = [steps.assign(weight_scale=float(scale)) for scale in range(1, 9)]
    frame = pd.concat(several, ignore_index=True)
    assert choose(frame).notes == f"shown: the first {MOST_BESIDE} of 8 kinds of networks"
    one = frame[frame["optimiser"] == "sgd"]
    assert choose(one).notes == f"shown: the first {MOST_KINDS} of 8 kinds of networks" and choose(one).shape == (2, 3)


# Where steps end ------------------------------------------------------------------------------------------------------


def test_layers_below_epsilon_are_those_whose_root_mean_square_gradient_is(tables):
    layers, steps = tables
    one = steps[steps["replicate"] == 0]
    rows = figures.figure("update_ratio").prepare(layers, one).rows
    assert not rows.loc[rows["optimiser"] == "sgd", "below"].any()
    adam = rows[rows["optimiser"] != "sgd"].set_index(["layer", "step"])
    assert adam["below"].any() and not adam["below"].all()
    own = layers[layers["run"].isin(tuned(one[one["optimiser"] != "sgd"])["run"]) & (layers["step"] == 12)]
    for row in own.itertuples():
        size = {1: 64 * 6, DEPTH: 6 * 10}.get(row.layer, 6 * 6)
        rms = 10**row.log10_grad_weights / size**0.5
        assert 10 ** adam.loc[(row.layer, 12), "log10_rms"] == pytest.approx(rms, rel=1e-9)
        assert adam.loc[(row.layer, 12), "below"] == (rms < EPSILON)


def test_widths_that_are_given_one_by_one_are_counted():
    specs = [replace(spec("sigmoid", "xavier_normal", depth=3, **ENDS), widths=(64, 5, 7, 10))]
    _, networks, steps, layers = trained(specs, training(recipe("adam", 0.01)))
    prepared = figures.figure("update_ratio").prepare(layers, with_ends(steps, networks))
    row = prepared.rows.query("layer == 2 and step == 12")
    gradient = layers.query("layer == 2 and step == 12")["log10_grad_weights"]
    assert row["log10_rms"].item() == pytest.approx(gradient.item() - np.log10(5 * 7) / 2)


def test_the_line_of_epsilon_runs_between_filled_and_hollow_marks(tables):
    prepared = figures.figure("update_ratio").prepare(*tables)
    assert set(prepared.ends["optimiser"]) == {f"adam(epsilon={EPSILON:g})"} and len(prepared.ends) > 0
    for end in prepared.ends.itertuples():
        rows = prepared.rows[(prepared.rows["optimiser"] == end.optimiser) & (prepared.rows["step"] == end.step)]
        by_gradient = rows.sort_values("log10_rms")
        next_below = by_gradient[by_gradient["below"]].iloc[-1]["log10_update_ratio"]
        next_above = by_gradient[~by_gradient["below"]].iloc[0]["log10_update_ratio"]
        assert min(next_below, next_above) <= end.log10_update_ratio <= max(next_below, next_above)
    figure = drawn("update_ratio", tables)
    lines = [[line for line in axes.lines if line.get_label() == "ε"] for axes in figure.axes]
    assert [len(line.get_xdata()) for (line,) in lines] == [0, len(prepared.ends)]
    hollow = [
        sum(line.get_markerfacecolor() == "white" and len(line.get_xdata()) for line in axes.lines)
        for axes in figure.axes
    ]
    assert hollow[0] == 0 < hollow[1]


def test_an_update_below_epsilon_shrinks_with_the_gradient(tables):
    """What makes epsilon the end: m/(√v + ε) is near 1 above it and m/ε below it."""
    rows = figures.figure("update_ratio").prepare(*tables).rows
    first = rows[(rows["step"] == 1) & (rows["optimiser"] != "sgd")]
    far = first[first["log10_rms"] < np.log10(EPSILON) - 1].sort_values("layer").iloc[1:]  # layers of one shape
    slope = np.polyfit(far["log10_rms"], far["log10_update_ratio"], 1)[0]
    assert len(far) > 2 and slope == pytest.approx(1, abs=0.05)  # the probe's gradient stands in for the minibatch's


@pytest.mark.parametrize("label", ["sgd", "adam", "adam(epsilon=1e-40)", "adam(beta1=0.5, epsilon=0.001)"])
def test_a_choice_is_read_from_its_label(label):
    assert Choice.from_label(label).label == label


# Titles ---------------------------------------------------------------------------------------------------------------


def said(name, tables):
    module = figures.figure(name)
    return module.finding(module.prepare(*tables))


def test_titles_compare_the_first_layer_with_the_last(tables):
    prepared = figures.figure("update_ratio").prepare(*tables)
    last = prepared.rows[(prepared.rows["step"] == 12) & (prepared.rows["optimiser"] == "sgd")].set_index("layer")
    less = last["log10_update_ratio"][1] - last["log10_update_ratio"][DEPTH]
    start = f"The last step of the first layer over that of the last, in decades: −{-less:.1f} (sgd), "
    assert said("update_ratio", tables).startswith(start)
    prepared = figures.figure("layers_over_steps").prepare(*tables)
    last = prepared.rows[(prepared.rows["step"] == 12) & (prepared.rows["optimiser"] == "sgd")].set_index("layer")
    over = last["log10_grad_weights"][1] - last["log10_grad_weights"][DEPTH]
    start = f"After 12 steps the first layer's gradient over the last's, in decades: −{-over:.1f} (sgd), "
    assert said("layers_over_steps", tables).startswith(start)


def test_titles_of_costs_accuracies_and_growth(of_two_inits):
    layers, steps = of_two_inits
    prepared = figures.figure("cost_at_birth").prepare(layers, steps)
    kept = 10 ** prepared.rows["log10_cost"][prepared.rows["at_birth"].abs() <= 1]
    assert len(kept) == len(prepared.rows) == 6
    assert said("cost_at_birth", of_two_inits) == (
        f"Cost after 12 steps: {kept.min():.2g} to {kept.max():.2g} where at most 1 decade of the gradient was lost or "
        "gained at birth"
    )
    medians = figures.figure("accuracy_against_depth").prepare(layers, steps).rows
    deepest = medians[medians["depth"] == 4]["median"].item()
    assert said("accuracy_against_depth", of_two_inits) == f"Accuracy at depth 4: relu, he_normal {100 * deepest:.0f} %"
    rows = figures.figure("norm_ledger").prepare(layers, steps).rows
    more = (rows["size"] > rows["flow"].abs()).groupby(rows["kind"]).sum()
    assert said("norm_ledger", of_two_inits) == (
        "Layers, of 3 to 4, in which the size of the steps outweighs the gradient's direction: "
        f"{more['relu, he_normal']} (relu, he_normal), {more['relu, xavier_normal']} (relu, xavier_normal)"
    )


def test_the_bars_are_of_the_draw_with_the_median_growth():
    flow = [-9.0, 3.0, 1.0, 0.0, 5.0, np.nan]  # growth −8, 4, 2, 1, 6, unknown
    parts = pd.DataFrame({"kind": "relu", "optimiser": "sgd", "layer": 1, "flow": flow, "size": 1.0})
    row = of_the_median_draw(parts)
    assert row[["flow", "size", "growth"]].to_numpy().tolist() == [[1.0, 1.0, 2.0]]


def test_attenuation_at_birth_is_that_of_step_0_of_the_same_run(of_two_inits):
    layers, steps = of_two_inits
    prepared = figures.figure("cost_at_birth").prepare(layers, steps)
    born = steps[(steps["step"] == 0) & (steps["depth"] == 4)].set_index("replicate")["log10_gradient_gain"]
    ended = steps[(steps["step"] == 12) & (steps["depth"] == 4)].set_index("replicate")["log10_cost_test"]
    rows = prepared.rows[prepared.rows["depth"] == 4]
    assert sorted(zip(rows["at_birth"], rows["log10_cost"], strict=True)) == sorted(zip(born, ended, strict=True))


def test_colours_span_three_decades_at_least(of_two_inits):
    figure = drawn("layers_over_steps", of_two_inits)
    mesh = figure.axes[0].collections[0]
    assert mesh.norm.vmax - mesh.norm.vmin >= 3
