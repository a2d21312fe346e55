"""Training at the ends of the number formats: what is unknown is null with a status, and nothing is made up."""

from dataclasses import replace

import numpy as np
import pytest
from nets import choice, spec
from training_runs import ENDS, at_step, recipe, trained, training

from harness.engine.measures import BACKWARD, FORWARD
from harness.engine.training.at_start import Run
from harness.engine.training.course import CostWatch, log10_root_of_squares


def test_a_forward_pass_that_overflows_on_the_probe_has_a_status_and_nulls():
    """One step of 10^9 leaves weights of 10^10: six layers of elu then reach 10^60, more than float32 holds."""
    *_, steps, layers = trained(
        [spec("elu", depth=6, width=8, **ENDS)], training(recipe("sgd", 1e9), steps=3, times=4), dtype="float32"
    )
    row, of_layers = at_step(steps, 1).iloc[0], at_step(layers, 1)
    assert row["status"] == "forward pass overflows at layer 4"
    assert row[["log10_cost_probe", "accuracy_test", "log10_gradient_gain"]].isna().all()
    assert row[["log10_grad_norm", "log10_norm_weights"]].notna().all()  # of the step, and of the weights
    for name in FORWARD:
        assert list(of_layers[name].isna()) == [False] * 3 + [True] * 3, name
    assert of_layers[list(BACKWARD)].isna().all(axis=None)
    assert of_layers[["moved", "norm_step", "log10_update_ratio"]].notna().all(axis=None)
    assert at_step(steps, 2)["status"].item() == "diverged at step 2"


@pytest.mark.parametrize("remedy", [{}, {"residual": "pre"}])
def test_a_slope_that_underflows_has_the_status_of_the_sweep_at_every_step(remedy):
    """A sigmoid of −10^6 has a slope that no format holds: no gradient is known, and none is 0."""
    one = spec("tanh", depth=3, width=5, weight_scale=1e6, **{**ENDS, "output": "sigmoid"})
    one = replace(one, **{name: choice(value) for name, value in remedy.items()})
    _, networks, steps, layers = trained([one], training(recipe(), steps=3, times=4))
    status = networks["status"].item()
    assert status.startswith("slope underflows at layer")
    assert set(steps["status"]) == {status}
    assert layers[list(BACKWARD)].isna().all(axis=None)
    assert steps["log10_grad_norm"].isna().all() and steps["log10_cost_probe"].notna().all()


def test_a_huge_first_cost_does_not_make_a_low_one_reached():
    """The mean over an epoch of five costs: the rounding of 10^20 must not outlive it."""
    watch = CostWatch(training(reached=(0.5,)), [Run(spec(), 0, recipe())])
    costs = [1e20, 5, 4, 3, 2, 2, 2, 2, 1, 0.5, 0.4, 0.1, 0.1]
    reached = [list(watch.reached(np.log10([cost]), np.array([True]))) for cost in costs]
    means = [np.mean(costs[max(0, i - 4) : i + 1]) for i in range(len(costs))]
    assert [bool(found) for found in reached] == [
        mean <= 0.5 and all(m > 0.5 for m in means[:i]) for i, mean in enumerate(means)
    ]
    assert sum(map(bool, reached)) == 1


def test_the_norm_of_all_weights_is_known_where_its_square_is_not():
    np.testing.assert_allclose(log10_root_of_squares(np.array([200.0, 200.0])), 200 + np.log10(2) / 2)
    np.testing.assert_allclose(log10_root_of_squares(np.array([-200.0, -200.0])), -200 + np.log10(2) / 2)
    assert log10_root_of_squares(np.full(2, -np.inf)) == -np.inf
