"""Draws of different layers, outputs and replicates are different draws."""

import numpy as np
import pytest

from harness.networks.draws import BaseDraws

LAYERS = 150  # more than any power of two at which an index might be cut


@pytest.mark.parametrize("family", ["normal", "uniform", "orthogonal"])
def test_all_layers_draws_differ(family):
    draws = BaseDraws(0, family, range(2), np.dtype(np.float64))
    weights = [draw[0] for k in range(LAYERS) for draw in draws.hidden(k, 3, 3)]
    weights += [draw[0] for depth in range(1, LAYERS) for draw in draws.output(depth, 3, 3)]
    assert len(np.unique(np.array(weights), axis=0)) == len(weights) == 2 * (2 * LAYERS - 1)


@pytest.mark.parametrize("family", ["normal", "uniform"])
def test_all_layers_biases_differ(family):
    draws = BaseDraws(0, "normal", range(2), np.dtype(np.float64))
    biases = [bias for k in range(LAYERS) for bias in draws.hidden_bias(k, 3, family)]
    biases += [bias for depth in range(1, LAYERS) for bias in draws.output_bias(depth, 3, family)]
    assert len(np.unique(np.array(biases), axis=0)) == len(biases)
