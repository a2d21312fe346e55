"""Figures of one experiment each: what they prepare, by numbers, and that they can be drawn."""

from math import log10

import numpy as np
import pandas as pd
import pytest
from figure_tables import kill, sweep

from harness import figures
from harness.figures.kit.page import Heading
from harness.figures.kit.style import drawing_style
from harness.networks.activations import ACTIVATIONS
from harness.theory import typical_slope


def drawn(name, layers, networks):
    """The figure's prepared numbers and its axes."""
    assert figures.applies(name, networks) is None
    module = figures.figure(name)
    prepared = module.prepare(layers, networks)
    with drawing_style():
        figure = module.draw(prepared, Heading("Title"))
        figure.draw_without_rendering()
    return prepared, figure.axes


def predicted(networks, slope=-0.2, spread=0.01):
    return networks.assign(predicted_slope_per_layer=slope, predicted_spread=spread)


def test_slopes_stand_in_order_where_there_is_one_setting():
    layers, networks = sweep(activations=("relu", "sigmoid", "tanh"), depths=(2, 4))
    networks["slope_per_layer"] = networks["activation"].astype(str).map({"relu": -0.1, "sigmoid": -0.6, "tanh": 0.0})
    prepared, (axes,) = drawn("slope_against_theory", layers, predicted(networks))
    assert list(prepared.rows["label"]) == ["sigmoid", "relu", "tanh"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["sigmoid", "relu", "tanh"]
    assert prepared.depth == 4
    np.testing.assert_allclose(prepared.rows["predicted"], -0.2)


def test_slopes_have_a_panel_an_activation_and_a_row_a_setting():
    layers, networks = sweep(inits=("he_normal", "xavier_normal"))
    networks = predicted(networks).assign(predicted_slope_per_layer=[-0.1] * 3 + [-0.2] * 3 + [-0.3] * 3 + [-0.4] * 3)
    prepared, axes = drawn("slope_against_theory", layers, networks)
    assert len(axes) == 2
    assert [list(own["predicted"]) for _, own in prepared.rows.groupby("panel")] == [[-0.1, -0.2], [-0.3, -0.4]]


def test_dead_networks_have_no_slope_to_draw():
    layers, networks = sweep(activations=("relu", "tanh"))
    layers, networks = kill(layers, networks, [0, 1, 2])
    prepared, (axes,) = drawn("slope_against_theory", layers, predicted(networks))
    assert prepared.rows.set_index("label")["median"]["relu"] == -np.inf
    assert all(np.isfinite(line.get_xdata()).all() for line in axes.lines)


def test_finite_width_sets_the_predicted_law_beside_the_draws():
    layers, networks = sweep(activations=("relu",), depths=(3, 5), replicates=120)
    networks.loc[0, "log10_gradient_gain"] = np.nan
    prepared, axes = drawn("finite_width", layers, predicted(networks, slope=-0.25, spread=0.5))
    assert prepared.laws == {(8, 3): (-0.5, 1.0), (8, 5): (-1.0, 2.0)}
    assert (len(prepared.panels[8, 3]), prepared.dead) == (119, {(8, 3): 1, (8, 5): 0})
    assert len(axes) == 2
    median = next(line for line in axes[0].lines if len(set(line.get_xdata())) == 1)
    assert median.get_xdata()[0] == np.median(prepared.panels[8, 3])


def test_finite_width_of_the_dead_is_still_a_figure():
    layers, networks = sweep(activations=("relu",), depths=(3,), replicates=120)
    drawn("finite_width", *kill(layers, predicted(networks), networks.index))


def test_born_dead_counts_and_has_the_formula():
    layers, networks = sweep(activations=("relu",), depths=(2, 4), replicates=40, output="linear")
    layers, networks = kill(layers, networks, list(range(10)))  # a quarter of the shallow ones
    prepared, (axes,) = drawn("born_dead", layers, networks)
    shares = prepared.shares.set_index("hidden")
    assert list(shares["share"]) == [0.25, 0.0]
    assert shares["low"][1] < 0.25 < shares["high"][1]
    assert (shares["low"][3], shares["high"][3]) == (0.0, pytest.approx(1 - 0.025 ** (1 / 40)))
    law = next(line for line in axes.lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(law.get_ydata(), [1 - (1 - 2**-8) ** h for h in law.get_xdata()])


def test_step_at_zero_is_seen_from_the_dead_layer():
    layers, networks = sweep(activations=("relu(at_zero=0)", "relu(at_zero=0.5)", "relu"), replicates=2)
    dead = networks["replicate"] == 1
    networks.loc[dead, "dead_from_layer"] = 2.0
    above = layers["replicate"].eq(1) & layers["layer"].gt(2)
    step = layers["activation"].astype(str).map({"relu(at_zero=0)": 0.0, "relu(at_zero=0.5)": 0.5, "relu": 1.0})
    step = step.astype(float)
    layers["slope_mean"] = step.where(above, 0.5)
    layers["dead_fraction"] = np.where(above, 1.0, 0.0)
    with np.errstate(divide="ignore"):
        layers["log10_grad_biases"] = np.log10(step) * (layers["depth"] - layers["layer"] + 1)
    layers["log10_grad_weights"] = layers["layer"] * 1.0
    prepared, axes = drawn("step_at_zero", layers.assign(width=8), networks)
    assert prepared.living == (1, 0.0)
    half = prepared.biases[prepared.biases["choice"] == 0.5].set_index("below")["median"]
    assert dict(half) == {0: pytest.approx(log10(0.5)), 1: pytest.approx(2 * log10(0.5))}
    counts = prepared.counts[prepared.counts["above"] > 0].groupby("choice")["by_slope"].mean()
    assert dict(counts) == {0.0: 1.0, 0.5: 0.5, 1.0: 0.0}
    theory = next(line for line in axes[0].lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(theory.get_ydata(), half)


def neurons():
    layers, networks = sweep(depths=(1,), replicates=50, width=1, input_width=1, output_width=1)
    random = np.random.default_rng(0)
    draws = pd.DataFrame(random.normal(size=(50, 3)), columns=["W", "x", "y"])
    return layers, networks.merge(draws, left_on="replicate", right_index=True)


def test_the_plane_of_a_neuron_has_the_closed_form():
    layers, networks = neurons()
    module = figures.figure("single_neuron")
    z, y = (networks["W"] * networks["x"]).to_numpy(), networks["y"].to_numpy()
    each = [module.closed_form(str(a), *pair) for a, *pair in zip(networks["activation"], z, y, strict=True)]
    layers["log10_grad_weights"] = np.array(each) + np.log10(np.abs(networks["x"].to_numpy()))
    prepared, _ = drawn("single_neuron", layers, networks)
    np.testing.assert_allclose(prepared.points["decades"], each, atol=1e-12)
    assert prepared.draws == 50
    sigmoid = 1 / (1 + np.exp(-0.3))
    assert module.closed_form("sigmoid", np.array([0.3]), np.array([2.0]))[0] == pytest.approx(
        log10((2 - sigmoid) * sigmoid * (1 - sigmoid))
    )
    assert module.closed_form("relu", np.array([-0.3, 0.3]), np.array([2.0, 2.0])).tolist() == [-np.inf, log10(1.7)]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("single_neuron", "needs single neurons, of relu or sigmoid"),
        ("born_dead", "needs ReLU networks without biases and with a linear output"),
        ("step_at_zero", "needs ReLU with Step(0) = 0 and 1"),
        ("finite_width", "needs one activation, init and weight scale"),
        ("remedies", "the tables have no remedies"),
        ("block_shares", "no network has residual blocks"),
    ],
)
def test_other_sweeps_have_nothing_to_show(name, why):
    assert figures.applies(name, sweep()[1]) == why


def test_edges_at_width_has_theory_at_each_width_and_at_infinite_width():
    layers, networks = sweep(activations=("tanh",), scales=(2.0, 8.0, 64.0), width=16)
    networks["sigma_w"] = networks["weight_scale"]
    prepared, (axes,) = drawn("edges_at_width", layers, networks)
    laws = prepared.laws.set_index(["width", "sigma_w"])["slope"]
    assert laws[16].iloc[-1] == pytest.approx(typical_slope(ACTIVATIONS["tanh"](), 64.0, 0.0, 16))
    assert laws[16].iloc[-1] < 0 < laws[0].iloc[-1]  # it vanishes again, where infinite width says that it explodes
    medians = networks.groupby("sigma_w")["slope_per_layer"].median()
    np.testing.assert_allclose(prepared.rows.set_index("sigma_w")["median"], medians)
    assert axes.get_xscale() == "log"


def test_remedies_are_ranked_by_the_activation_that_they_help_least():
    kinds = {"none": (-50.0, -4.0), "batch": (1.0, 20.0), "layer": (-2.0, 2.0)}  # sigmoid, relu
    tables = [
        sweep(activations=("sigmoid", "relu"), depths=(4, 9), normalisation=kind, residual="none") for kind in kinds
    ]
    layers, networks = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    for kind, values in kinds.items():
        for activation, value in zip(("sigmoid", "relu"), values, strict=True):
            chosen = (networks["normalisation"] == kind) & (networks["activation"] == activation)
            networks.loc[chosen, "log10_gradient_gain"] = value * networks["depth"] / 9
    prepared, axes = drawn("remedies", layers, networks)
    assert prepared.labels == ("normalisation layer", "normalisation batch", "none")
    title = "At depth 9, 1 of 3 kinds of networks keep the gradient of sigmoid and relu within 3 decades"
    assert figures.figure("remedies").finding(prepared) == title
    assert [panel.get_title("left") for panel in axes] == ["sigmoid: 2 of 3 kept", "relu: 1 of 3 kept"]


def test_shares_of_a_block_add_up_to_one():
    layers, networks = sweep(activations=("relu",), depths=(6,), residual="pre")
    blocks = layers["layer"].between(2, 5)
    layers["log10_branch_ratio"] = np.where(blocks, np.log10(0.5), np.nan)
    layers["branch_cosine"] = np.where(blocks, -0.25, np.nan)
    prepared, (axes,) = drawn("block_shares", layers, networks)
    assert prepared.rows["layer"].tolist() == [2, 3, 4, 5]
    np.testing.assert_allclose(prepared.rows[["skip", "branch", "agreement"]], [[1.0, 0.25, -0.25]] * 4, rtol=1e-12)
    assert axes.get_ylim()[0] < -0.25


def test_every_draw_counts_the_dead_as_outside():
    layers, networks = sweep(activations=("relu",), inits=("he_normal", "he_finite_width"), replicates=20)
    networks["log10_gradient_gain"] = np.where(networks["init"] == "he_normal", -5.0, 1.0)
    layers, networks = kill(layers, networks, networks.index[networks["init"] == "he_finite_width"][:5])
    prepared, _ = drawn("every_draw", layers, networks)
    shares = prepared.columns.set_index("label")
    assert shares["inside"].to_dict() == {"he_normal": 0.0, "he_finite_width": 0.75}
    assert shares["dead"].to_dict() == {"he_normal": 0, "he_finite_width": 5}
    assert [len(values) for values in prepared.decades] == [20, 15]
