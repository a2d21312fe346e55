"""Training of networks with normalised layers and skips: finite differences, invariances, and the sweep at step 0."""

from dataclasses import replace

import numpy as np
import pytest
from nets import choice, run, spec
from training_runs import DATA, ENDS, at_step, recipe, require_the_same_bits_alone, trained, training

from harness.engine.measures import MEASURES
from harness.engine.training.at_start import Run, drawn
from harness.engine.training.evaluate import outputs, over_rows
from harness.engine.training.loop import Trained
from harness.engine.training.passes import gradients
from harness.networks.training.split import Rows


def remedied(activation, normalisation, residual, normalise="preactivations", bias_scale=0.1, **ends):
    """Biases, so that no z is 0."""
    return replace(
        spec(activation, bias_scale=bias_scale, **{"depth": 4, "width": 6, **ENDS, **ends}),
        normalisation=choice(normalisation),
        residual=choice(residual, **({} if residual == "none" else {"alpha": 0.6})),
        normalise=normalise,
    )


SPECS = [
    remedied("relu", "batch", "none"),
    remedied("tanh", "layer", "pre"),
    remedied("relu", "rms", "inside"),
    remedied("sigmoid", "batch", "post", "outputs"),
    remedied("relu", "none", "pre"),
]


def label(one):
    return f"{one.activation.name} {one.normalisation.name} {one.residual.name} {one.normalise}"


def stack_of(one, seed=0):
    """A network whose gamma and beta are no longer 1 and 0."""
    stack, rng = drawn([Run(one, 0, recipe())], seed, np.dtype(float)), np.random.default_rng(seed)
    for values in (*stack.gammas, *stack.betas):
        values += 0.3 * rng.standard_normal(values.shape)
    return stack, rng


def in_numbers(found):
    return [np.ldexp(g.mantissa, g.exponent[..., None, None]) for g in [*found.layers][::-1]]


@pytest.mark.parametrize("one", SPECS, ids=label)
def test_the_cost_changes_along_a_step_as_its_gradient_says(one):
    """A central difference, along one direction of all parameters together."""
    stack, rng = stack_of(one)
    x, y = rng.standard_normal((1, 9, 64)), np.eye(10)[rng.integers(0, 10, 9)][None]
    u, h = [rng.standard_normal(layer.shape) for layer in stack.layers], 1e-6
    expected = sum((g * v).sum() for g, v in zip(in_numbers(gradients(stack, x, y, "cross_entropy")), u, strict=True))
    costs = []
    for step in (h, -h):
        moved = replace(stack, layers=[layer + step * v for layer, v in zip(stack.layers, u, strict=True)])
        costs.append(10 ** gradients(moved, x, y, "cross_entropy").log10_cost[0])
    np.testing.assert_allclose((costs[0] - costs[1]) / (2 * h), expected, rtol=1e-6)


def test_step_0_and_a_step_of_nothing_have_the_numbers_of_the_sweep():
    """Step 0 to the byte; step 1 at a learning rate of 10^-300, measured by the loop, but for roundings."""
    layers, networks = run(SPECS, **DATA)
    mine_layers, mine_networks, steps, step_layers = trained(SPECS, training(recipe(learning_rate=1e-300)))
    assert mine_layers.equals(layers) and mine_networks.equals(networks)
    first, second = (at_step(step_layers, step) for step in (0, 1))
    for name in MEASURES:
        np.testing.assert_array_equal(first[name], layers[name], err_msg=name)
        # not of biases below a batch normalisation, whose gradient is rounding
        kept = ~((layers["normalisation"] == "batch") & (name == "log10_grad_biases"))
        np.testing.assert_allclose(second[name][kept], first[name][kept], rtol=0, atol=1e-11, err_msg=name)
    np.testing.assert_array_equal(at_step(steps, 0)["log10_cost_probe"], networks["log10_cost"])
    np.testing.assert_array_equal(at_step(steps, 0)["log10_gradient_gain"], networks["log10_gradient_gain"])


def test_bits_do_not_depend_on_the_runs_beside(monkeypatch):
    require_the_same_bits_alone(SPECS, monkeypatch)


def test_the_norm_ledger_closes_and_only_steps_grow_the_weights_of_normalised_layers():
    """A normalised layer does not feel the scale of its weights: its gradient is orthogonal to them."""
    specs = [remedied("relu", name, "none", bias_scale=0.0) for name in ("batch", "layer", "none")]
    *_, layers = trained(specs, training(recipe("sgd", 0.2)))
    first, last = (at_step(layers, step) for step in (0, 12))
    scale = 100 ** last["log10_norm_weights"]
    change = scale - 100 ** first["log10_norm_weights"]
    np.testing.assert_allclose((last["norm_flow"] + last["norm_step"]) / scale, change / scale, rtol=0, atol=1e-13)
    hidden = last[last["layer"] < 4].assign(flow=(last["norm_flow"] / last["norm_step"]).abs())
    assert hidden[hidden["normalisation"] == "batch"]["flow"].max() < 1e-12
    assert hidden[hidden["normalisation"] == "none"]["flow"].min() > 1e-3
    of_layer = last[last["normalisation"] == "layer"]  # here the flow into the weights is that out of the biases
    balance = (of_layer["balance_residual"] * 100 ** of_layer["log10_norm_weights"]).to_numpy()
    np.testing.assert_allclose(balance[:2], -of_layer["norm_flow"].to_numpy()[1:3], rtol=0, atol=1e-13)
    after = at_step(layers, 1)
    step = 10 ** (after["log10_update_ratio"] + after["log10_norm_weights"])  # ‖ΔW‖, without gamma and beta
    np.testing.assert_allclose(step, after["moved"] * 10 ** first["log10_norm_weights"], rtol=1e-12)


def test_a_gradient_flows_through_gamma_and_beta_as_through_the_weights_above():
    """⟨gamma, ∂C/∂gamma⟩ + ⟨beta, ∂C/∂beta⟩ = ⟨W[k+1], ∂C/∂W[k+1]⟩ below ReLU, for both are ⟨r, ∂C/∂r⟩."""
    stack, rng = stack_of(remedied("relu", "batch", "none"))
    found = in_numbers(gradients(stack, rng.standard_normal((1, 9, 64)), rng.standard_normal((1, 9, 10)), "squared"))
    flows = [layer * g for layer, g in zip(stack.layers, found, strict=True)]
    for k in (0, 1):
        above = flows[k + 1][..., : stack.fan_in(k + 1), :].sum()
        assert abs(above) < 1e-14  # of a normalised layer
    np.testing.assert_allclose(flows[2][..., -2:, :].sum(), flows[3][..., :-1, :].sum(), rtol=1e-12)


def test_rows_that_do_not_train_are_normalised_by_those_that_do():
    stack, rng = stack_of(remedied("sigmoid", "batch", "none"))
    rows = Rows(rng.standard_normal((30, 64)), np.eye(10)[rng.integers(0, 10, 30)])
    statistics = over_rows(stack, rows).statistics
    whole, by_batch = (outputs(stack, rows, how).mantissa[0, 0] for how in (statistics, None))
    np.testing.assert_allclose(whole, by_batch, rtol=0, atol=1e-13)
    few = outputs(stack, rows[:7], statistics).mantissa[0, 0]  # no row depends on the others
    np.testing.assert_allclose(few, whole[:7], rtol=0, atol=1e-13)
    assert over_rows(drawn([Run(SPECS[1], 0, recipe())], 0, np.dtype(float)), rows).statistics is None


def test_a_run_whose_normalisation_divides_by_0_diverges():
    training_ = Trained(
        [Run(SPECS[0], 0, recipe())], drawn([Run(SPECS[0], 0, recipe())], 0, np.dtype(float)), "squared"
    )
    training_.step(np.ones((1, 8, 64)), np.ones((1, 8, 10)))
    assert training_.diverged[0] == 1


def test_gamma_and_beta_are_trained():
    for optimiser, rate in (("sgd", 0.1), ("adam", 0.01)):
        runs = [Run(SPECS[1], 0, recipe(optimiser, rate))]
        training_ = Trained(runs, drawn(runs, 0, np.dtype(float)), "squared")
        rng = np.random.default_rng(0)
        for _ in range(3):
            training_.step(rng.standard_normal((1, 8, 64)), rng.standard_normal((1, 8, 10)))
        assert len(training_.stack.gammas) == 3
        assert all((gamma != 1).all() for gamma in training_.stack.gammas)
        assert all((beta != 0).all() for beta in training_.stack.betas)
