"""The mean of |∂C/∂W|: the column `mean_abs_grad_weights`, which a config asks for.

Guards against gains or an alpha that are left out, an exponent that is lost, a lane that depends on its neighbours, and
a column that is computed though nobody asked for it.
"""

from dataclasses import replace

import numpy as np
import pytest
from nets import choice, drawn, settings, spec

import harness
from harness.engine.lanes.groups import Block
from harness.execution.block import run_block
from harness.results.columns import LAYERS

COLUMN = "mean_abs_grad_weights"
SLOPES = {"relu": lambda z: z >= 0, "tanh": lambda z: 1 - np.tanh(z) ** 2, "linear": np.ones_like}
VALUES = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "linear": lambda z: z}


def layers_of(*specs, asked=True, **options):
    made = run_block(Block(tuple(specs), range(1)), replace(settings(**options), mean_abs_grad_weights=asked))
    return made.layers.to_pandas()


def formed(one, cost, **options):
    """log10 of the mean of |∂C/∂W| in each layer, from ∂C/∂W itself."""
    weights, biases, x, y = drawn(one, **options)
    rs, zs, name = [x], [], one.activation.name
    for W, b in zip(weights, biases, strict=True):
        zs.append(rs[-1] @ W + b)
        rs.append(VALUES[name](zs[-1]))
    g = (rs[-1] - y if cost == "squared" else y) / len(x)
    means = []
    for W, z, r in zip(weights[::-1], zs[::-1], rs[-2::-1], strict=True):
        delta = g * SLOPES[name](z)
        means.append(np.log10(np.abs(r.T @ delta).mean()))
        g = delta @ W.T
    return np.array(means[::-1])


@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("batch", [1, 3, 40])
@pytest.mark.parametrize("activation", SLOPES)
def test_it_is_that_of_the_formed_gradient(activation, batch, cost):
    """Lanes by base draws alone, superposed lanes, lanes of their own; by Gram matrices and not."""
    specs = [
        spec(activation, init, scale, 0.0, 4, 7, 5, 3) for init in ("he_normal", "xavier_normal") for scale in (1, 3)
    ]
    layers = layers_of(*specs, cost=cost, batch=batch)
    for one in specs:
        found = layers.loc[layers["network"] == one.network(0), COLUMN]
        np.testing.assert_allclose(found, formed(one, cost, batch=batch), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cost", ["squared", "linear"])
@pytest.mark.parametrize("remedy", ["none", "pre", "inside", "post"])
@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_of_one_unit_it_is_the_norm(activation, remedy, cost):
    """With every gain and alpha, and far below every number format."""
    residual = choice(remedy) if remedy == "none" else choice(remedy, alpha=0.3)
    one = replace(spec(activation, "he_normal", 0.01, 0.0, 300, 1), residual=residual)
    layers = layers_of(one, cost=cost, batch=4)
    np.testing.assert_allclose(layers[COLUMN], layers["log10_grad_weights"], rtol=1e-13, atol=1e-12)
    if remedy == "none":
        assert layers[COLUMN].min() < -400


def test_it_has_the_norms_rules_for_zero_and_unknown():
    dead = spec("relu", "he_normal", 1.0, 0.0, 12, 1)
    layers = layers_of(dead, asked=True)
    zero = layers["log10_grad_weights"] == -np.inf
    assert zero.any() and (layers.loc[zero, COLUMN] == -np.inf).all() and np.isfinite(layers.loc[~zero, COLUMN]).all()
    assert layers_of(dead, asked=False)[COLUMN].isna().all()
    assert COLUMN in [column.name for column in LAYERS]


def test_a_lane_does_not_depend_on_its_neighbours():
    specs = [spec(name, "he_normal", scale, 0.0, 3, 9) for name in ("relu", "tanh") for scale in (1, 2)]
    together = layers_of(*specs)
    for one in specs:
        alone = layers_of(one)[COLUMN]
        assert alone.to_list() == together.loc[together["network"] == one.network(0), COLUMN].to_list()


def test_given_weights_have_it_and_float32_is_near():
    one = spec("tanh", depth=4, width=8)
    weights, biases, x, y = drawn(one, batch=5)
    given = harness.measure(weights, biases, x, y, activation="tanh").layers[COLUMN]
    np.testing.assert_allclose(given, layers_of(one, batch=5)[COLUMN], atol=1e-12)
    np.testing.assert_allclose(given, layers_of(one, batch=5, dtype="float32")[COLUMN], atol=1e-5)


def test_a_config_asks_for_it(tmp_path):
    config = {"network": {"activation": "relu", "init": "he_normal", "depth": 2, "width": 4}, "figures": []}
    config |= {"name": "asked", "replicates": 1, "data": {"batch": 2}}
    asked = harness.sweep(config | {"mean_abs_grad_weights": True}, out=tmp_path / "asked")
    assert asked.layers[COLUMN].notna().all() and harness.load(asked.path).sweep.mean_abs_grad_weights
    assert harness.sweep(config, out=tmp_path / "not").layers[COLUMN].isna().all()
