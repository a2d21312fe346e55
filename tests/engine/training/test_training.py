"""Training: the exact ledgers, finite differences along a step, bits that do not depend on the block, divergence."""

import numpy as np
import pytest
from nets import spec
from training_runs import ENDS, at_step, recipe, same, trained, training

from harness.engine.measures import MEASURES
from harness.engine.training import at_start
from harness.engine.training.at_start import Run, drawn, runs_of, trained_together
from harness.engine.training.loop import Trained
from harness.engine.training.passes import gradients
from harness.networks.training.optimisers import OPTIMISERS

SPECS = [spec(activation, depth=4, width=6, **ENDS) for activation in ("relu", "tanh", "sigmoid")]
RECIPES = [recipe(name, rate) for name, rate in (("sgd", 0.1), ("momentum", 0.02), ("adam", 0.01))]


def columns(frame, name, depth=4):
    return frame[name].to_numpy().reshape(-1, depth)


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 1e-5)])
def test_the_norm_ledger_closes_for_every_optimiser(name, dtype, tolerance):
    """‖W_T‖² = ‖W_0‖² + Σ 2⟨W, u⟩ + Σ ‖u‖². The tolerance is of 12 roundings of ‖W‖²."""
    *_, layers = trained(SPECS, training(recipe(name, 0.05)), dtype=dtype)
    first, last = (at_step(layers, step) for step in (0, 12))
    change = 100 ** last["log10_norm_weights"] - 100 ** first["log10_norm_weights"]
    scale = 100 ** last["log10_norm_weights"]
    np.testing.assert_allclose((last["norm_flow"] + last["norm_step"]) / scale, change / scale, rtol=0, atol=tolerance)
    assert (last["norm_step"] > 0).all()


def test_sgd_conserves_the_balance_of_homogeneous_layers_and_only_it():
    *_, layers = trained(SPECS, training(*RECIPES, recipe("sgd", 0.1, clip=0.5)))
    last = at_step(layers, 12)
    residual = last.assign(size=last["balance_residual"].abs()).groupby(
        ["activation", "optimiser", "clip"], dropna=False
    )
    largest = residual["size"].max()
    assert largest["relu", "sgd"].max() < 1e-14  # with clipping, too: it scales all layers alike
    assert largest["relu", "momentum"].min() > 1e-4 and largest["relu", "adam"].min() > 1e-4
    assert largest["sigmoid", "sgd"].min() > 1e-6 and largest["tanh", "sgd"].min() > 1e-6
    assert last[last["layer"] == 4]["balance_residual"].isna().all()


@pytest.mark.parametrize("cost", ["squared", "cross_entropy"])
@pytest.mark.parametrize("one", SPECS, ids=lambda one: one.activation.name)
def test_the_cost_changes_along_a_step_as_its_gradient_says(one, cost):
    """dC = ⟨∂C/∂θ, u⟩ to first order; the halves of a central difference differ by the third."""
    run = Run(one, 0, recipe())
    stack, rng = drawn([run], 0, np.dtype(float)), np.random.default_rng(0)
    x, y = rng.standard_normal((1, 9, 64)), np.eye(10)[rng.integers(0, 10, 9)][None]
    found = gradients(stack, x, y, cost)
    u = [rng.standard_normal(layer.shape) for layer in stack.layers]
    expected = sum(
        np.ldexp((g.mantissa * v).sum(), g.exponent[0, 0]) for g, v in zip([*found.layers][::-1], u, strict=True)
    )

    def cost_at(h):
        for layer, v in zip(stack.layers, u, strict=True):
            layer += h * v
        value = 10 ** gradients(stack, x, y, cost).log10_cost[0]
        for layer, v in zip(stack.layers, u, strict=True):
            layer -= h * v
        return value

    h = 1e-6
    np.testing.assert_allclose((cost_at(h) - cost_at(-h)) / (2 * h), expected, rtol=1e-6)


def test_step_0_has_the_numbers_of_the_sweep_without_training():
    networks_of = [*SPECS, spec("relu", depth=1, width=6, **ENDS)]
    with_training = trained(networks_of, training(*RECIPES[:2]), range(2))
    layers, networks = trained_without(networks_of, range(2))
    for mine, plain in zip(with_training[:2], (layers, networks), strict=True):
        assert mine.equals(plain)
    steps, step_layers = (at_step(frame, 0) for frame in with_training[2:])
    for optimiser in ("sgd", "momentum"):
        mine = step_layers[step_layers["optimiser"] == optimiser]
        assert list(mine["network"]) == list(layers["network"])
        for name in MEASURES:
            np.testing.assert_array_equal(mine[name], layers[name])
        of_networks = steps[steps["optimiser"] == optimiser]
        np.testing.assert_array_equal(of_networks["log10_cost_probe"], networks["log10_cost"])
        np.testing.assert_array_equal(of_networks["log10_gradient_gain"], networks["log10_gradient_gain"])


def trained_without(specs, replicates):
    from nets import run
    from training_runs import DATA

    return run(specs, replicates, **DATA)


def test_the_measures_of_the_loop_are_those_of_the_sweep():
    """At step 1 of a learning rate of 10^-300 the network is the one drawn, measured by the other way."""
    with_biases = [spec(one.activation, bias_scale=0.1, depth=4, width=6, **ENDS) for one in SPECS]  # else some z is 0
    *_, layers = trained(with_biases, training(recipe(learning_rate=1e-300)))
    first, second = (at_step(layers, step) for step in (0, 1))
    for name in MEASURES:
        np.testing.assert_allclose(second[name], first[name], rtol=0, atol=1e-12, err_msg=name)
    assert (second["log10_update_ratio"] < -295).all()  # right where float64 would underflow when it squares
    assert (second["frozen_fraction"] > 0.5).all()


def test_a_vanished_gradient_is_trained_on_by_adam_alone():
    """200 layers of sigmoid lose 10^-120: Adam divides by it unless its epsilon is larger."""
    deep = spec("sigmoid", "xavier_normal", depth=200, width=4, **ENDS)
    small = recipe("adam", 0.01, epsilon=1e-300)
    *_, layers = trained([deep], training(recipe(), recipe("adam", 0.01), small, steps=1, times=2))
    last = at_step(layers, 1)
    first_layer = last[last["layer"] == 1].set_index("optimiser")["log10_update_ratio"]
    assert first_layer["sgd"] < -100 and first_layer["adam"] < -100
    assert -3 < first_layer["adam(epsilon=1e-300)"] < -1


def test_bits_depend_neither_on_the_runs_beside_nor_on_how_many_are_trained_together(monkeypatch):
    how = training(*RECIPES, recipe("sgd", 30.0), recipe("sgd", 0.1, clip=0.3), reached=(0.4,))
    whole = trained(SPECS, how, range(3))
    monkeypatch.setattr(at_start, "MOST_TOGETHER", 1)
    monkeypatch.setattr(at_start, "TOGETHER_BYTES", 0)
    alone = trained(SPECS[:1], training(recipe("sgd", 0.1, clip=0.3), reached=(0.4,)), range(2, 3))
    for one, of_all in zip(alone[2:], whole[2:], strict=True):
        same(one, of_all[of_all["run"].isin(one["run"].astype(str))])
    pairs = trained(SPECS, how, range(3))  # two at a time
    for one, of_all in zip(pairs[2:], whole[2:], strict=True):
        same(one, of_all)


def test_runs_of_one_shape_are_trained_together():
    most = at_start.MOST_TOGETHER
    runs = runs_of(SPECS, range(most + 8), RECIPES[:1])
    parts = list(trained_together(runs, np.dtype(float)))
    assert [len(part) for part in parts] == [most, 8] * 3
    assert sorted(run.key for part in parts for run in part) == sorted(run.key for run in runs)


def test_a_run_that_diverges_stops_alone_and_says_when():
    *_, steps, layers = trained(SPECS[:1], training(recipe("sgd", 1e200), recipe()))
    wild = steps[steps["learning_rate"] == 1e200]
    assert wild["status"].iloc[0] == "ok" and set(wild["status"][1:]) == {"diverged at step 1"}
    assert wild.filter(like="log10").iloc[1:].isna().all(axis=None)
    assert (steps[steps["learning_rate"] != 1e200]["status"] == "ok").all()
    assert layers[layers["learning_rate"] != 1e200]["moved"].notna().all()


def test_a_cost_that_is_reached_is_recorded_at_its_step():
    *_, steps, layers = trained(
        [spec("relu", depth=2, width=16, **ENDS)], training(recipe("adam", 0.02), steps=60, reached=(0.4, 0.3, 1e-9))
    )
    reached = steps[steps["reached"].notna()]
    assert list(reached["reached"]) == [0.4, 0.3]
    assert 0 < reached["step"].iloc[0] < reached["step"].iloc[1] <= 60
    assert len(layers[layers["reached"].notna()]) == 2 * 2
    before = at_step(steps, 0)["log10_cost_probe"][0]
    assert (reached["log10_cost_probe"] < before).all()


def test_clipping_bounds_the_norm_of_each_networks_own_step():
    *_, steps, layers = trained(SPECS[:1], training(recipe("sgd", 1.0, clip=0.01), recipe("sgd", 1.0)))
    clipped = at_step(steps, 12)
    assert list(clipped["clipped_share"]) == [1.0, 0.0]
    assert (clipped["log10_grad_norm"] > -2).all()
    one = at_step(layers, 1)
    norm = np.sqrt(
        columns(one.assign(u=100 ** (one["log10_update_ratio"] + one["log10_norm_weights"])), "u").sum(axis=1)
    )
    assert 0.005 < norm[0] < 0.01 < norm[1]


def test_units_that_are_born_dead_die_and_revive_are_counted():
    *_, layers = trained([spec("relu", depth=3, width=30, **ENDS)], training(recipe("sgd", 0.1), steps=30, times=8))
    hidden = layers[layers["layer"] < 3]
    now = hidden["born"] + hidden["died"] - hidden["revived"]
    assert ((now >= 0) & (now <= 30)).all() and hidden["died"].max() > 0
    assert hidden.groupby("layer")["born"].nunique().eq(1).all()
    assert layers[layers["layer"] == 3]["born"].isna().all()  # a linear output has no silent units


def test_minibatches_are_epochs_without_replacement_and_the_same_for_all_networks():
    from itertools import islice

    from harness.networks.training.split import minibatches

    rows = np.array(list(islice(minibatches(0, 44, 8, 3), 10)))
    assert [len(set(epoch.ravel())) for epoch in (rows[:5], rows[5:])] == [40, 40]
    assert set(rows[:5].ravel()) != set(rows[5:].ravel()) and rows.max() < 44


def test_the_trainer_takes_the_same_steps_whatever_it_is_asked_to_count():
    run = Run(SPECS[0], 0, recipe("adam", 0.01))
    both = [Trained([run], drawn([run], 0, np.dtype(float)), "squared") for _ in range(2)]
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y = rng.standard_normal((1, 8, 64)), rng.standard_normal((1, 8, 10))
        for training_, count in zip(both, (True, False), strict=True):
            training_.update(training_.gradients(x, y), count_frozen=count)
    for one, other in zip(both[0].stack.layers, both[1].stack.layers, strict=True):
        np.testing.assert_array_equal(one, other)
