"""Training of weights that are standardised, scaled by LSUV, tied, or within branches of several layers."""

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from nets import choice, run, spec
from nets import drawn as drawn_by_hand
from training_runs import DATA, ENDS, at_step, recipe, require_the_same_bits_alone, trained, training

from harness.engine.lanes.groups import draws_key
from harness.engine.measures import MEASURES
from harness.engine.training.at_start import Run, drawn
from harness.engine.training.evaluate import outputs, over_rows
from harness.engine.training.loop import Trained
from harness.engine.training.passes import gradients
from harness.networks.data import DataSpec
from harness.networks.training.split import Rows

BATCH = DataSpec(**DATA)


def repr_of_draws(one):
    """Networks of one block have the same."""
    return repr(draws_key(one))


def one_of(activation, init="he_normal", bias_scale=0.1, depth=6, **coordinates):
    """Biases, so that no z is 0."""
    return replace(spec(activation, init, bias_scale=bias_scale, depth=depth, width=6, **ENDS), **coordinates)


STANDARDISED = one_of("tanh", weight_standardised=True)
LSUV = one_of("relu", "lsuv", normalisation=choice("layer"), residual=choice("pre", alpha=0.6))
FIXUP = one_of("relu", residual=choice("fixup"))
TIED = one_of("tanh", tied=True)
SPECS = [
    STANDARDISED,
    LSUV,
    FIXUP,
    TIED,
    one_of("sigmoid", "lsuv", weight_standardised=True),
    one_of("sigmoid", weight_standardised=True, normalisation=choice("batch"), residual=choice("post", alpha=0.6)),
    one_of("tanh", residual=choice("pre", alpha=0.6, every=2), normalisation=choice("rms")),
    one_of("relu", depth=8, residual=choice("pre", every=3)),
    one_of("relu", tied=True, weight_standardised=True, normalisation=choice("layer"), normalise="outputs"),
]


BLOCKS = [list(group) for _, group in groupby(sorted(SPECS, key=repr_of_draws), repr_of_draws)]


def label(one):
    parts = [part for part in (one.normalisation.name, one.residual.label) if part != "none"]
    parts += [name for name in ("weight_standardised", "tied") if getattr(one, name)]
    return " ".join([one.activation.name, one.init.label, *parts])


def stack_of(one, seed=0, dtype=float):
    return drawn([Run(one, 0, recipe())], seed, np.dtype(dtype), BATCH)


def in_numbers(found):
    return [np.ldexp(g.mantissa, g.exponent[..., None, None]) for g in [*found.layers][::-1]]


def directions(stack, rng):
    """A direction of all parameters; the same in all layers that share theirs."""
    own = {k: rng.standard_normal(stack.layers[k].shape) for k in stack.distinct}
    return [own.get(k, own.get(1)) for k in range(len(stack.layers))]


@pytest.mark.parametrize("one", SPECS, ids=label)
def test_the_cost_changes_along_a_step_as_its_gradient_says(one):
    """A central difference, along one direction of all parameters together, away from the start."""
    stack, rng = stack_of(one), np.random.default_rng(0)
    stack = replace(stack, layers=[p + 0.1 * v for p, v in zip(stack.layers, directions(stack, rng), strict=True)])
    x, y = rng.standard_normal((1, 9, 64)), np.eye(10)[rng.integers(0, 10, 9)][None]
    u, h, found = directions(stack, rng), 1e-6, in_numbers(gradients(stack, x, y, "cross_entropy"))
    expected = sum((found[k] * u[k]).sum() for k in stack.distinct)
    costs = []
    for step in (h, -h):
        moved = replace(stack, layers=[layer + step * v for layer, v in zip(stack.layers, u, strict=True)])
        costs.append(10 ** gradients(moved, x, y, "cross_entropy").log10_cost[0])
    np.testing.assert_allclose((costs[0] - costs[1]) / (2 * h), expected, rtol=1e-6)


@pytest.mark.parametrize("specs", BLOCKS, ids=lambda specs: label(specs[0]))
def test_step_0_and_a_step_of_nothing_have_the_numbers_of_the_sweep(specs):
    """Step 0 to the byte; step 1 at a learning rate of 0, measured by the loop, but for roundings."""
    layers, networks = run(specs, **DATA)
    mine_layers, mine_networks, steps, step_layers = trained(specs, training(recipe(learning_rate=0.0)))
    assert mine_layers.equals(layers) and mine_networks.equals(networks)
    first, second = (at_step(step_layers, step) for step in (0, 1))
    ruled = layers["network"].astype(str) == FIXUP.network(0)
    for name in MEASURES:
        np.testing.assert_array_equal(first[name], layers[name], err_msg=name)
        # The sweep records branches of Fixup as if their last W were not 0; in training it is.
        kept = ~ruled if name in OF_BRANCHES else ~((layers["normalisation"] == "batch") & (name == OF_ROUNDING))
        np.testing.assert_allclose(second[name][kept], first[name][kept], rtol=0, atol=1e-11, err_msg=name)
    np.testing.assert_array_equal(at_step(steps, 0)["log10_cost_probe"], networks["log10_cost"])
    np.testing.assert_allclose(at_step(steps, 1)["log10_cost_probe"], networks["log10_cost"], rtol=0, atol=1e-13)


OF_BRANCHES = ("log10_weight_factor", "log10_activation_factor", "delta_cosine")
OF_ROUNDING = "log10_grad_biases"  # below a normalisation over the batch


@pytest.mark.parametrize("specs", BLOCKS, ids=lambda specs: label(specs[0]))
def test_bits_do_not_depend_on_the_runs_beside(specs, monkeypatch):
    require_the_same_bits_alone(specs, monkeypatch)


def test_weights_that_differ_in_their_start_alone_are_trained_together():
    shapes = {
        Run(one, 0, recipe()).shape for one in (one_of("relu", "lsuv"), one_of("relu"), one_of("relu", tied=True))
    }
    assert len(shapes) == 2


# LSUV ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias_scale", [0.0, 0.3])
def test_training_starts_from_the_weights_that_lsuv_has_scaled(bias_scale):
    """Of a plain network, by plain arithmetic; of a replicate, on its own batch."""
    one = one_of("relu", choice("lsuv", tolerance=1e-3), bias_scale)
    stack = drawn([Run(one, i, recipe()) for i in (2, 0)], 5, np.dtype(float), BATCH)
    for place, replicate in enumerate((2, 0)):
        for W, by_hand in zip(stack.weights, drawn_by_hand(one, replicate, seed=5, **DATA)[0], strict=True):
            np.testing.assert_allclose(W[place, 0], by_hand, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_the_norms_of_the_scaled_weights_are_those_of_the_sweep(dtype, tolerance):
    """Between normalisations and skips, and standardised."""
    for one in (LSUV, one_of("sigmoid", "lsuv", weight_standardised=True)):
        layers, _ = run(one, dtype=dtype, **DATA)
        effective, _ = stack_of(one, dtype=dtype).multiplying()
        assert effective.weights[0].dtype == dtype
        norms = [np.log10(np.linalg.norm(W.astype(float))) for W in effective.weights]
        np.testing.assert_allclose(norms, layers["log10_norm_weights"], rtol=0, atol=tolerance)
    assert (layers["lsuv_divisions"] > 0).any()


# Standardised weights -----------------------------------------------------------------------------------------------


def test_columns_stay_standardised_and_their_gradient_is_orthogonal_to_what_is_trained():
    """W depends neither on the mean nor on the length of a column of V: ⟨1, ∂C/∂v⟩ = ⟨v, ∂C/∂v⟩ = 0."""
    for optimiser, rate in (("sgd", 0.3), ("adam", 0.05)):
        training_ = Trained([Run(STANDARDISED, 0, recipe(optimiser, rate))], stack_of(STANDARDISED), "squared")
        rng = np.random.default_rng(0)
        for _ in range(4):
            training_.step(rng.standard_normal((1, 8, 64)), rng.standard_normal((1, 8, 10)))
        stack = training_.stack
        found = in_numbers(
            gradients(stack, rng.standard_normal((1, 8, 64)), rng.standard_normal((1, 8, 10)), "squared")
        )
        for k, (V, W, grad) in enumerate(zip(stack.weights, stack.multiplying()[0].weights, found, strict=True)):
            np.testing.assert_allclose(W.mean(axis=-2), 0, atol=2**-52)  # weights up to 2, each rounded
            np.testing.assert_allclose(W.std(axis=-2) * V.shape[-2] ** 0.5, STANDARDISED.sigma_w_of(k), rtol=1e-13)
            assert not np.allclose(V.mean(axis=-2), 0, atol=1e-3)
            own = grad[..., : V.shape[-2], :]
            size = np.abs(own).max()
            assert size > 1e-6
            np.testing.assert_allclose([own.sum(axis=-2), (V * own).sum(axis=-2)], 0, atol=1e-14 * size * V.shape[-2])


def test_the_ledger_of_standardised_weights_is_that_of_the_trained_ones():
    """SGD grows them by the size of its steps alone; W keeps its norm."""
    specs = [one_of("relu", weight_standardised=True, bias_scale=0.0)]
    *_, steps, layers = trained(specs, training(recipe("sgd", 0.3), recipe("adam", 0.05)))
    first, last = (at_step(layers, step) for step in (0, 12))
    of_sgd = last["optimiser"] == "sgd"
    assert (last["norm_flow"] / last["norm_step"])[of_sgd].abs().max() < 1e-12
    assert (last["norm_flow"] / last["norm_step"])[~of_sgd].abs().min() > 1e-3
    np.testing.assert_allclose(last["log10_norm_weights"], first["log10_norm_weights"], rtol=0, atol=1e-14)
    start, end = (100 ** at_step(steps, step)["log10_norm_weights"].to_numpy() for step in (0, 12))
    grown = (last["norm_flow"] + last["norm_step"]).groupby(last["run"].astype(str), sort=False).sum()
    np.testing.assert_allclose(grown, end - start, rtol=1e-11)
    after, norm = at_step(layers, 1), [np.log10(np.linalg.norm(V)) for V in stack_of(specs[0]).weights]
    step = after["moved"][:6] * 10 ** np.array(norm)  # ‖ΔV‖ of the first step of SGD
    np.testing.assert_allclose(step**2, after["norm_step"][:6], rtol=1e-12)
    ratio = step / np.sqrt(100 ** np.array(norm) + after["norm_flow"][:6] + after["norm_step"][:6])
    np.testing.assert_allclose(10 ** after["log10_update_ratio"][:6], ratio, rtol=1e-12)


def test_whole_parts_of_the_data_see_the_standardised_weights():
    stack, rng = stack_of(STANDARDISED), np.random.default_rng(0)
    longer = replace(
        stack,
        layers=[
            np.concatenate([3 * V + 1, layer[..., V.shape[-2] :, :]], axis=-2)
            for V, layer in zip(stack.weights, stack.layers, strict=True)
        ],
    )
    rows = Rows(rng.standard_normal((12, 64)), np.eye(10)[rng.integers(0, 10, 12)])
    one, other = (outputs(of, rows, over_rows(of, rows).statistics).mantissa for of in (stack, longer))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


# Tied ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
def test_tied_layers_stay_equal_to_the_bit_and_their_rows_are_of_the_shared_weights(optimiser):
    *_, layers = trained([TIED], training(recipe(optimiser, 0.05, clip=0.5)))
    last = at_step(layers, 12)
    for name in ("moved", "norm_flow", "norm_step", "log10_norm_weights", "log10_update_ratio", "frozen_fraction"):
        assert last[name][1:5].nunique() == 1, name
        assert last[name][0] != last[name][1] or name == "frozen_fraction"
    assert last["log10_grad_weights"][1:5].nunique() == 4  # what each layer adds to the gradient of W


def test_the_gradient_of_tied_weights_is_counted_once():
    """Its norm is that of one sum over layers, by which networks are clipped, and so is the norm of the weights."""
    stack, rng = stack_of(TIED), np.random.default_rng(0)
    x, y = rng.standard_normal((1, 9, 64)), rng.standard_normal((1, 9, 10))
    tied = gradients(stack, x, y, "squared")
    parts = in_numbers(gradients(replace(stack, remedy=replace(stack.remedy, tied=False)), x, y, "squared"))
    expected = np.sqrt(sum(np.square(g).sum() for g in (parts[0], sum(parts[1:5]), parts[5])))
    step = Trained([Run(TIED, 0, recipe())], stack, "squared").update(tied)
    np.testing.assert_allclose(10**step.log10_grad_norm, expected, rtol=1e-13)
    *_, steps, layers = trained([TIED], training())
    norms = 100 ** at_step(layers, 12)["log10_norm_weights"]
    np.testing.assert_allclose(100 ** at_step(steps, 12)["log10_norm_weights"], norms[0] + norms[1] + norms[5])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_shallow_networks_have_nothing_to_tie(depth):
    tied, untied = (trained([one_of("tanh", depth=depth, tied=flag)], training()) for flag in (True, False))
    for name in MEASURES:
        np.testing.assert_allclose(tied[3][name], untied[3][name], rtol=0, atol=1e-12, err_msg=name)


# Fixup --------------------------------------------------------------------------------------------------------------


def test_the_branches_of_fixup_leave_the_0_that_they_start_at():
    *_, layers = trained([FIXUP], training(recipe("sgd", 0.05)))
    first, last = at_step(layers, 0), at_step(layers, 12)
    ruled = first["log10_norm_weights"] == -np.inf
    assert list(first["layer"][ruled]) == [3, 5]
    assert np.isfinite(last["log10_norm_weights"]).all()
    assert at_step(layers, 1)["moved"][1] == 0 and last["moved"][1] > 0  # the layer below has no gradient before
