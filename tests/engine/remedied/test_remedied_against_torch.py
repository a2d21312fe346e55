"""Every normalisation, place and order of skips against PyTorch's autograd: as recorded in fixtures/, and live with
-m torch. The gradients of gamma and beta are among them.
"""

import numpy as np
import pytest
from make_remedied_fixtures import CASES, COLUMNS, OPTIONS, PATH, by_autograd
from nets import run

with np.load(PATH) as arrays:
    RECORDED = dict(arrays)
RTOL = 3e-12  # the backward pass of a normalisation subtracts numbers of the size of the result
ATOL = 1e-14  # the gradient of a bias below batch normalisation is 0 but for rounding


def compare(one, expected):
    layers, networks = run(one, **OPTIONS)
    for name in COLUMNS:
        ours, theirs = 10 ** layers[name].to_numpy(), 10 ** np.asarray(expected[name])
        np.testing.assert_allclose(ours, theirs, rtol=RTOL, atol=ATOL, err_msg=name)
    np.testing.assert_allclose(networks["log10_cost"], expected["log10_cost"], rtol=0, atol=RTOL)


@pytest.mark.parametrize("key", RECORDED)
def test_recorded(key):
    one = CASES[key]
    parts = np.split(RECORDED[key], np.arange(1, len(COLUMNS) + 1) * one.depth)
    compare(one, dict(zip((*COLUMNS, "log10_cost"), parts, strict=True)))


def test_the_record_is_whole():
    assert set(RECORDED) == set(CASES)
    assert len(RECORDED) == 90


@pytest.mark.torch
@pytest.mark.parametrize("key", CASES)
def test_live(key):
    pytest.importorskip("torch")
    compare(CASES[key], by_autograd(CASES[key]))
