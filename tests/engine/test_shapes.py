"""Widths layer by layer, constant biases and tied weights: against given weights, closed forms, and lanes alone.

Guards against a gain of the wrong layer's fans, layers of different widths summed as one array, networks that begin
alike and do not share their draws, and a tied network that draws a second matrix.
"""

from dataclasses import replace

import numpy as np
import pytest
from nets import differing, drawn, run, settings, spec

import harness
from harness.engine.measures import MEASURES
from harness.execution.planning.memory import draws_bytes, lane_state
from harness.execution.planning.plan import plan
from harness.networks.draws import draw_parameters
from harness.networks.spec import NetworkSpec

KEYS = (["network", "layer"], ["network"])


def shaped(widths, *args, **options) -> NetworkSpec:
    hidden = widths[1:-1] or widths[-1:]
    ends = {"input_width": widths[0], "output_width": widths[-1]}
    plain = spec(*args, depth=len(widths) - 1, width=max(hidden), **ends, **options)
    return replace(plain, widths=tuple(widths))


SHAPES = [(5, 7, 3), (5, 7, 4, 3), (5, 7, 4, 9, 2), (5, 3), (5, 8, 4)]
SHAPED = [
    shaped(widths, activation, weight_scale=scale, bias_scale=bias)
    for widths in SHAPES
    for activation in ("relu", "tanh")
    for scale in (1.0, 1.7)
    for bias in (0.0, 0.3)
]
BIASED = [
    replace(spec(activation, bias_scale=scale, depth=4, width=6, output_width=3), bias=bias)
    for activation in ("relu", "tanh", "sigmoid")
    for scale in (0.0, 0.2)
    for bias in (0.0, 0.1, -0.5)
]
TIED = [
    replace(spec(activation, bias_scale=bias, weight_scale=scale, depth=depth, width=6, input_width=4), tied=True)
    for activation in ("relu", "tanh")
    for bias in (0.0, 0.2)
    for scale in (1.0, 1.3)
    for depth in (1, 2, 3, 7)
]


@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("specs", [SHAPED, BIASED, TIED], ids=["widths", "bias", "tied"])
def test_networks_are_those_of_given_weights_and_alone_the_same(specs, cost):
    """Every measure, by harness.measure on the very weights; and bit for bit in a block of its own."""
    for planned in plan(specs, settings(), 2).blocks:
        layers, networks = run(planned.block.specs, 2, cost=cost)
        for one in planned.block.specs:
            ours = harness.measure(*drawn(one), activation=one.activation.label, cost=cost)
            rows = layers[layers["network"] == one.network(0)]
            for name in MEASURES:
                expected = ours.layers[name].to_numpy(float)
                np.testing.assert_allclose(rows[name].to_numpy(float), expected, rtol=1e-11, atol=1e-11, err_msg=name)
            alone = run([one], 2, cost=cost)
            for few, many, keys in zip(alone, (layers, networks), KEYS, strict=True):
                assert differing(few, many, keys) == [], one


# Widths --------------------------------------------------------------------------------------------------------------


def test_equal_widths_are_a_width():
    """The same draws under another key."""
    by_list, plain = shaped((5, 6, 6, 6, 2)), spec(depth=4, width=6, input_width=5, output_width=2)
    ours, theirs = (run([one])[0] for one in (by_list, plain))
    for name in MEASURES:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-13, atol=1e-13, err_msg=name)


def test_networks_that_begin_alike_share_a_block_and_their_draws():
    blocks = plan(SHAPED, settings(), 1).blocks
    assert sorted(len(planned.block.specs) for planned in blocks) == [8, 32]  # (5, 8, 4), and all that begin with 5, 7
    short, long = (draw_parameters(shaped(widths), 0, 0)[0] for widths in (SHAPES[1], SHAPES[2]))
    np.testing.assert_array_equal(short[0], long[0])
    np.testing.assert_array_equal(short[1], long[1])


def test_memory_counts_the_widths_given():
    block = plan([shaped((100, 30, 20, 10))], settings(batch=4), 1).blocks[0].block
    assert draws_bytes(block, settings()) == 8 * (100 * 30 + 30 * 20 + 30 * 10)  # the output by the widest layer
    state = lane_state(block.groups[0], block, settings(batch=4))  # r, a boolean slope and silent units
    assert state == 4 * (100 + 30 + 20) * 10


def test_sigma_w_of_each_kind_of_layer():
    _, networks = run([shaped((16, 25, 4, 9), "tanh", "xavier_normal")])
    assert networks["sigma_w"][0] == pytest.approx(np.sqrt(2 * 25 / 29))
    assert networks["sigma_w_input"][0] == pytest.approx(np.sqrt(2 * 16 / 41))
    assert networks["sigma_w_output"][0] == pytest.approx(np.sqrt(2 * 4 / 13))
    several = run([shaped((16, 25, 4, 9, 3), "tanh", "xavier_normal")])[1]
    assert several["sigma_w"].isna().all() and several["widths"].tolist() == ["16-25-4-9-3"]
    assert (several["width"][0], several["depth"][0]) == (25, 4)


# Constant biases -----------------------------------------------------------------------------------------------------


def test_a_bias_is_the_same_for_all_units_and_beside_the_random_ones():
    one = replace(spec(bias_scale=0.0, depth=3), bias=0.1)
    assert all((b == 0.1).all() for b in draw_parameters(one, 0, 0)[1])
    both = replace(one, bias_scale=0.2)
    random = draw_parameters(replace(both, bias=0.0), 0, 0)[1]
    for b, other in zip(draw_parameters(both, 0, 0)[1], random, strict=True):
        np.testing.assert_allclose(b, other + 0.1, rtol=1e-14)


# Tied weights --------------------------------------------------------------------------------------------------------


def tied(activation="linear", **options) -> NetworkSpec:
    return replace(spec(activation, "lecun_normal", **options), tied=True)


def test_all_hidden_layers_after_the_first_have_one_draw():
    """That of W[1] in the untied network, which is otherwise the same."""
    one = tied("tanh", bias_scale=0.3, depth=6, width=5, input_width=5)
    (weights, biases), (untied, _) = (draw_parameters(s, 0, 0) for s in (one, replace(one, tied=False)))
    for k in range(1, 5):
        np.testing.assert_array_equal(weights[k], untied[1])
        np.testing.assert_array_equal(biases[k], biases[1])
    for k in (0, 5):
        np.testing.assert_array_equal(weights[k], untied[k])
    assert not np.array_equal(weights[0], weights[1])


@pytest.mark.parametrize("depth", [3, 10, 40])
def test_a_linear_tied_network_is_a_power_of_its_matrix(depth):
    """∂C/∂z[1] = ∂C/∂z[L] W[L−1]ᵀ (W[1]ᵀ)^(L−2), in closed form."""
    one = tied(depth=depth, width=8)
    layers, networks = run([one], cost="linear", batch=3)
    weights, _, _, y = drawn(one, batch=3)
    below = y / 3 @ weights[-1].T
    first = below @ np.linalg.matrix_power(weights[1].T, depth - 2)
    gain = np.log10(np.linalg.norm(first) / np.linalg.norm(y / 3))
    assert networks["log10_gradient_gain"][0] == pytest.approx(gain, abs=1e-11)
    assert layers["log10_grad_preactivations"][0] == pytest.approx(np.log10(np.linalg.norm(first)), abs=1e-11)


def test_the_slope_of_a_linear_tied_network_tends_to_the_spectral_radius():
    """log10 of it, with an error that falls as 1/depth: 2 decades in all, of the directions of start and end."""
    specs = [tied(depth=depth, width=16) for depth in (200, 2000, 20_000)]
    _, networks = run(specs, 4, cost="linear", batch=1, record_layers=2)
    for replicate, rows in networks.groupby("replicate"):
        radius = np.abs(np.linalg.eigvals(draw_parameters(specs[0], 0, replicate)[0][1])).max()
        error = rows["log10_gradient_gain"] - (rows["depth"] - 2) * np.log10(radius)
        assert error.abs().max() < 2
        assert rows["slope_per_layer"].iloc[-1] == pytest.approx(np.log10(radius), abs=1e-4)
