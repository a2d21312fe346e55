"""Networks with normalised layers or skips: lanes, invariances, the ledger, and what is a status and what is not."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from nets import KEYS, choice, differing, drawn, profile, run, spec

from harness.networks.remedies.normalisations import NORMALISATIONS
from harness.networks.remedies.residuals import RESIDUALS

NORMALISED = [name for name in NORMALISATIONS if name != "none"]
ORDERS = [name for name, make in RESIDUALS.items() if name != "none" and not make().by_rule]


def remedied(activation="relu", normalisation="none", residual=None, normalise="preactivations", **options):
    return replace(
        spec(activation, **options),
        normalisation=choice(normalisation),
        residual=residual or choice("none"),
        normalise=normalise,
    )


def several():
    """Networks of a block: lanes, depths and groups of every kind."""
    residuals = [choice("none"), *(choice(order, alpha=0.5) for order in ORDERS), choice("pre", depth_power=-0.5)]
    residuals += [choice("pre", alpha=0.5, every=2), choice("fixup")]
    return [
        remedied(activation, normalisation, residual, depth=depth, weight_scale=scale, output_width=3)
        for activation, normalisation, residual, depth, scale in product(
            ("relu", "tanh"), ("none", "batch", "layer"), residuals, (3, 7, 9), (1.0, 1.3)
        )
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_lane_is_bitwise_the_lane_alone(dtype):
    together = several()
    layers, networks = run(together, 2, dtype=dtype)
    for one in together[::7]:
        alone_layers, alone_networks = run(one, 2, dtype=dtype)
        assert differing(alone_layers, layers, KEYS) == []
        assert differing(alone_networks, networks, ["network"]) == []


def test_plain_networks_do_not_change_beside_remedied_ones():
    plain = [one for one in several() if not one.remedied]
    layers, networks = run(several(), 2)
    alone_layers, alone_networks = run(plain, 2)
    assert differing(alone_layers, layers, KEYS) == []
    assert differing(alone_networks, networks, ["network"]) == []


@pytest.mark.parametrize("order", ["none", *ORDERS])
@pytest.mark.parametrize("normalisation", ["none", *NORMALISED])
def test_the_ledger_telescopes(normalisation, order):
    """Decades of 40 layers from the factors alone, to 1e-12 of their sum."""
    one = remedied("tanh", normalisation, choice(order, alpha=0.8) if order != "none" else None, depth=40, width=16)
    layers, networks = run(one, batch=8, cost="linear")
    column = {name: profile(layers, name)[0] for name in layers.columns if name.startswith("log10_")}
    nonlinear = column["log10_activation_factor"] + np.nan_to_num(column["log10_normalisation_factor"])
    if order == "none":
        terms = np.array([*column["log10_weight_factor"][1:], *nonlinear[:-1]])
    else:  # the skips, and where the gradient enters or leaves them
        beside = {"pre": nonlinear[-2:-1], "inside": nonlinear[:1], "post": nonlinear[:-1]}[order]
        terms = np.array([*column["log10_block_factor"][1:-1], column["log10_weight_factor"][-1], *beside])
    assert abs(terms.sum() - networks["log10_gradient_gain"][0]) < 1e-12 * np.abs(terms).sum()


@pytest.mark.parametrize("order", ORDERS)
def test_a_block_follows_from_its_branch(order):
    """½·log10(1 + ρ² + 2ρ·cos), and ρ from the branch's own factors and alpha."""
    layers, _ = run(remedied("tanh", "layer", choice(order, alpha=0.8), depth=6, width=16), batch=8)
    column = {name: profile(layers, name)[0] for name in layers.columns if name.startswith(("log10_", "branch"))}
    rho = 10 ** column["log10_branch_ratio"][1:-1]
    block = np.log10(1 + rho**2 + 2 * rho * column["branch_cosine"][1:-1]) / 2
    np.testing.assert_allclose(column["log10_block_factor"][1:-1], block, rtol=0, atol=1e-13)
    nonlinear = column["log10_activation_factor"] + column["log10_normalisation_factor"]
    inside = {"pre": nonlinear[:-2], "inside": nonlinear[1:-1], "post": 0}[order]
    branch = column["log10_weight_factor"][1:-1] + inside + np.log10(0.8)
    np.testing.assert_allclose(column["log10_branch_ratio"][1:-1], branch, rtol=0, atol=1e-13)


@pytest.mark.parametrize("normalisation", NORMALISED)
def test_a_normalised_layer_does_not_feel_the_scale_of_its_weights(normalisation):
    """All weights times 4: the gradient of each is 4 times smaller and nothing else moves, to the last bits."""
    (layers, networks), (scaled_layers, scaled_networks) = (
        run(
            remedied("tanh", normalisation, depth=12, width=16, weight_scale=scale, output="linear"),
            batch=8,
            cost="linear",
        )
        for scale in (1.0, 4.0)
    )
    for name in ("log10_activation_factor", "slope_rms", "log10_rms_outputs"):
        np.testing.assert_allclose(scaled_layers[name][:11], layers[name][:11], rtol=0, atol=1e-15, err_msg=name)
    gain = scaled_networks["log10_gradient_gain"][0] - networks["log10_gradient_gain"][0]
    assert gain == pytest.approx(0, abs=1e-14)  # ∂C/∂z[1] falls by 4 with z, and the output layer's W rises by 4
    shift = (scaled_layers["log10_grad_weights"] - layers["log10_grad_weights"])[:11]
    np.testing.assert_allclose(shift, 0, atol=1e-13)  # 4 from the output layer, and 1/4 from the layer itself


@pytest.mark.parametrize("order", ["pre", "inside"])
def test_rezero_is_the_identity(order):
    """alpha = 0: every block passes exactly 1, its branch has a gradient of true zeros, and nothing is dead."""
    layers, networks = run(remedied("relu", "none", choice(order, alpha=0.0), depth=30, width=16), batch=8)
    assert (profile(layers, "log10_block_factor")[0, 1:-1] == 0).all()
    assert (profile(layers, "log10_branch_ratio")[0, 1:-1] == -np.inf).all()
    assert (profile(layers, "log10_grad_weights")[0, 1:-1] == -np.inf).all()
    assert np.isfinite(profile(layers, "log10_weight_factor")).all()  # the branch's own factors are known
    assert np.ptp(profile(layers, "log10_rms_outputs")[0, :-1]) == 0  # forward, too
    assert (networks["status"][0], networks["regime"][0]) == ("ok", "healthy")
    assert networks["dead_from_layer"].isna().all()


def test_silent_layers_beside_a_skip_are_not_death():
    """With weights of 0.001 and biases far below 0, ReLU units are silent throughout."""
    options = {"depth": 6, "width": 4, "weight_scale": 1e-3, "bias_scale": 5.0}
    regimes = {}
    for order in ("none", "inside"):
        _, networks = run(remedied("relu", residual=None if order == "none" else choice(order), **options), 60, batch=2)
        regimes[order] = networks["dead_from_layer"].notna().sum()
    assert regimes["none"] > 2 * regimes["inside"] > 0  # the first layer and the output layer have no skip


def test_columns_of_remedies_are_null_without_one():
    layers, _ = run(
        [remedied(depth=3), remedied(depth=3, normalisation="batch"), remedied(depth=3, residual=choice("pre"))]
    )
    known = layers[["log10_normalisation_factor", "log10_grad_gamma", "log10_block_factor"]].notna().to_numpy()
    of_each = [[False] * 3] * 3 + [[True, True, False]] * 2 + [[False] * 3] * 2 + [[False, False, True], [False] * 3]
    np.testing.assert_array_equal(known, of_each)


def test_gradients_of_a_thousand_normalised_layers_do_not_underflow():
    """400 decades are lost, which float64 cannot hold; float32 agrees, whose mantissas end after 45."""
    one = remedied("sigmoid", "layer", depth=1000, width=8)
    gains = [run(one, batch=4, dtype=dtype)[1]["log10_gradient_gain"][0] for dtype in ("float64", "float32")]
    assert -450 < gains[0] < -350
    assert gains[1] == pytest.approx(gains[0], abs=0.05)


def test_a_normalisation_that_divides_by_zero_is_a_status():
    """One sample in layers of three ReLU units: where all are silent, the next layer's z are all 0."""
    _, networks = run(remedied("relu", "rms", depth=12, width=3), 40, batch=1)
    statuses = set(networks["status"])
    assert "ok" in statuses
    assert len(statuses) > 1
    assert all(status == "ok" or status.startswith("forward pass divides by 0 at layer ") for status in statuses)
    assert networks[networks["status"] != "ok"]["log10_gradient_gain"].isna().all()


def test_epsilon_stops_what_is_far_below_it():
    """With epsilon 1e-5, layers of weights 1e-6 are divided by √epsilon: their gradient vanishes."""
    one = remedied("tanh", depth=10, width=16, weight_scale=1e-6)
    networks = [replace(one, normalisation=choice("layer", epsilon=epsilon)) for epsilon in (0.0, 1e-5)]
    gains = [run(network)[1]["log10_gradient_gain"][0] for network in networks]
    assert abs(gains[0]) < 3
    assert gains[1] < -20


def test_moments_of_outputs_are_in_their_own_unit():
    """mean² + deviation² is the mean square, and normalised outputs have the moments that normalisation gives them."""
    layers, _ = run(remedied("linear", "batch", depth=5, width=16, weight_scale=3.0), batch=8)
    hidden = layers[:4]
    np.testing.assert_allclose(hidden["mean_outputs"], 0, atol=1e-12)
    np.testing.assert_allclose(hidden["std_outputs"], 1, rtol=1e-12)
    mean_square = layers["mean_outputs"] ** 2 + layers["std_outputs"] ** 2
    np.testing.assert_allclose(mean_square, 10 ** (2 * layers["log10_rms_outputs"]), rtol=1e-12)


# Branches of several layers -------------------------------------------------------------------------------------------


def blocks(depth, every=2, alpha=0.7, **options):
    return remedied("tanh", residual=choice("pre", alpha=alpha, every=every), depth=depth, **options)


def cost_of_blocks(weights, one, x, y, alpha):
    """The linear cost of z[k] = z[k − every] + alpha · (the layers between), without biases."""
    z = trunk = x @ weights[0]
    for k, W in enumerate(weights[1:], start=2):
        z = np.tanh(z) @ W
        if k < one.depth and (k - 1) % one.block_layers == 0:
            z = trunk = trunk + alpha * z
    return (np.tanh(z) * y).sum(axis=1).mean()


def compare_with_finite_differences(one, alpha):
    weights, _, x, y = drawn(one, batch=3, cost="linear")
    layers, _ = run(one, batch=3, cost="linear")
    for k, W in enumerate(weights):
        grad = np.empty_like(W)
        for place in np.ndindex(*W.shape):
            here, either = W[place], []
            for step in (1e-6, -1e-6):
                W[place] = here + step
                either.append(cost_of_blocks(weights, one, x, y, alpha))
            W[place] = here
            grad[place] = (either[0] - either[1]) / 2e-6
        assert 10 ** layers["log10_grad_weights"][k] == pytest.approx(np.linalg.norm(grad), rel=1e-6), k
        assert 10 ** layers["log10_norm_weights"][k] == pytest.approx(np.linalg.norm(W), rel=1e-12), k


@pytest.mark.parametrize(("depth", "every"), [(7, 2), (6, 2), (8, 3), (3, 4)])
def test_gradients_past_branches_of_several_layers_are_those_of_finite_differences(depth, every):
    """Also where the layers above the last skip are fewer than a branch, and where there is no skip at all."""
    compare_with_finite_differences(blocks(depth, every, width=4, input_width=3, output_width=2), 0.7)


@pytest.mark.parametrize(("depth", "every"), [(9, 2), (8, 3), (4, 3)])
def test_fixup_is_the_skip_past_weights_that_start_by_its_rule(depth, every):
    """The last layer of each branch is 0 and learns; the others, scaled by L^(−1/(2m − 2)), get no gradient."""
    options = {"depth": depth, "width": 4, "input_width": 3, "output_width": 2}
    one = remedied("tanh", residual=choice("fixup", every=every), **options)
    compare_with_finite_differences(one, 1.0)
    weights, he = drawn(one)[0], drawn(remedied("tanh", **options))[0]
    count = (depth - 2) // every
    for k, (W, V) in enumerate(zip(weights, he, strict=True), start=1):
        ends, ruled = k > 1 and (k - 1) % every == 0, 1 < k <= 1 + every * count
        factor = (0 if ends else count ** (-1 / (2 * every - 2))) if ruled else 1
        np.testing.assert_allclose(W, factor * V, rtol=1e-15)
    layers, _ = run(one)
    blocks_passed = layers["log10_block_factor"].dropna()
    assert (blocks_passed == 0).all() and len(blocks_passed) == count


@pytest.mark.parametrize("alpha", [0.7, 0.0])
def test_the_ledger_of_branches_of_several_layers_telescopes(alpha):
    """Blocks end at layers 4, 7 and 10; layers 11 and 12 are plain. In a block ρ is alpha times its factors."""
    one = replace(blocks(13, 3, alpha, width=8), normalisation=choice("layer"))
    layers, networks = run(one, batch=4, cost="linear")
    column = {name: profile(layers, name)[0] for name in layers.columns if name.startswith("log10_")}
    ends = np.flatnonzero(np.isfinite(column["log10_block_factor"]))
    assert ends.tolist() == [3, 6, 9]
    nonlinear = column["log10_activation_factor"] + np.nan_to_num(column["log10_normalisation_factor"])
    terms = [*column["log10_block_factor"][ends], *nonlinear[9:12], *column["log10_weight_factor"][10:]]
    assert sum(terms) == pytest.approx(networks["log10_gradient_gain"][0], abs=1e-12)
    if alpha:
        branch = nonlinear[3:6].sum() + column["log10_weight_factor"][4:7].sum() + np.log10(alpha)
        assert column["log10_branch_ratio"][6] == pytest.approx(branch, abs=1e-12)
        within = column["log10_grad_preactivations"][6] + column["log10_weight_factor"][6] + np.log10(alpha)
        assert column["log10_grad_outputs"][5] == pytest.approx(within, abs=1e-12)
        assert column["log10_grad_preactivations"][5] == pytest.approx(within + nonlinear[5], abs=1e-12)
    else:
        assert (column["log10_block_factor"][ends] == 0).all()
        assert (column["log10_grad_preactivations"][[4, 5]] == -np.inf).all()


def test_fixups_of_different_depths_are_those_alone():
    """Their branches are scaled by the number of them, so that they share no lane unless that is the same."""
    several = [remedied("tanh", residual=choice("fixup"), depth=depth) for depth in (3, 4, 5, 8, 9)]
    layers, _ = run(several)
    for one in several:
        assert differing(run(one)[0], layers, KEYS) == []


def test_a_branch_of_half_a_layer_is_refused():
    for name, least in (("pre", 1), ("fixup", 2)):
        for every in (least - 1, 2.5):
            refusal = rf"^every must be a whole number of layers, {least} or more, not {every:g}$"
            with pytest.raises(ValueError, match=refusal):
                RESIDUALS[name](every=every)
