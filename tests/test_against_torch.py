"""Every activation, init, cost and output against PyTorch's autograd: recorded in fixtures/, and live with -m torch.

Guards against an equation that is wrong in a way its own derivation shares, and (the recorded numbers being absolute)
against draws that are no longer the same networks.
"""

import numpy as np
import pytest
from make_torch_fixtures import CASES, COLUMNS, INITS, OPTIONS, PATH, by_autograd
from nets import CHOICES, run

from harness.activations import ACTIVATIONS
from harness.inits import INITS as ALL_INITS

RTOL = 1e-12  # of a norm, so RTOL / ln 10 in log10


def compare(one, cost, expected):
    layers, networks = run(one, cost=cost, **OPTIONS)
    # 50 layers forward and back round 100 times; that shows in the last digits of 4 layers not at all
    rtol = RTOL if one.depth < 10 else 10 * RTOL
    for name in COLUMNS:
        np.testing.assert_allclose(layers[name], expected[name], rtol=0, atol=rtol / np.log(10), err_msg=name)
    # the linear cost sums products of both signs, of which a part cancels
    np.testing.assert_allclose(networks["log10_cost"], expected["log10_cost"], rtol=0, atol=10 * rtol / np.log(10))


@pytest.fixture(scope="module")
def recorded():
    with np.load(PATH) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("key", CASES)
def test_recorded(key, recorded):
    one, cost = CASES[key]
    parts = np.split(recorded[key], np.arange(1, len(COLUMNS) + 1) * one.depth)
    compare(one, cost, dict(zip((*COLUMNS, "log10_cost"), parts, strict=True)))


def test_the_cases_cover_the_tables(recorded):
    assert set(recorded) == set(CASES)
    used = {one.activation for one, _ in CASES.values()}
    assert used >= set(CHOICES) and {c.name for c in used} == set(ACTIVATIONS)
    assert {getattr(init, "name", init) for init in INITS} == set(ALL_INITS)


@pytest.mark.torch
@pytest.mark.parametrize("key", CASES)
def test_live(key):
    pytest.importorskip("torch")
    compare(*CASES[key], by_autograd(*CASES[key]))
