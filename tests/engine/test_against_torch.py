"""Every activation that PyTorch has, every init, cost and output against its autograd: as recorded in fixtures/, and
live with -m torch, which includes entries that are newer than the record.

Guards against an equation that is wrong in a way its own derivation shares, and (the recorded numbers being absolute)
against draws that are no longer the same networks.
"""

import numpy as np
import pytest
from make_torch_fixtures import CASES, COLUMNS, DATA, OPTIONS, PATH, by_autograd
from nets import run

with np.load(PATH) as arrays:
    RECORDED = dict(arrays)
RTOL = 1e-12  # of a norm, so RTOL / ln 10 in log10


def compare(one, cost, expected):
    layers, networks = run(one, cost=cost, **OPTIONS, **DATA.get(cost, {}))
    # 50 layers forward and back round 100 times; that shows in the last digits of 4 layers not at all
    rtol = RTOL if one.depth < 10 else 10 * RTOL
    for name in COLUMNS:
        np.testing.assert_allclose(layers[name], expected[name], rtol=0, atol=rtol / np.log(10), err_msg=name)
    # the linear cost sums products of both signs, of which a part cancels
    np.testing.assert_allclose(networks["log10_cost"], expected["log10_cost"], rtol=0, atol=10 * rtol / np.log(10))


@pytest.mark.parametrize("key", RECORDED)
def test_recorded(key):
    one, cost = CASES[key]
    parts = np.split(RECORDED[key], np.arange(1, len(COLUMNS) + 1) * one.depth)
    compare(one, cost, dict(zip((*COLUMNS, "log10_cost"), parts, strict=True)))


def test_the_record_is_whole():
    assert len(RECORDED) >= 105
    assert set(RECORDED) <= set(CASES)


@pytest.mark.torch
@pytest.mark.parametrize("key", CASES)
def test_live(key):
    pytest.importorskip("torch")
    compare(*CASES[key], by_autograd(*CASES[key]))
