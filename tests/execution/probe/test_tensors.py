"""Sizes of tensors against numpy: exponents without zeros, samples of every unit, cosines, slopes of ReLU."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from harness.execution.probe.arrays import sizes
from harness.execution.probe.record import BINS, LOWEST
from harness.execution.probe.slopes import slopes_of, slopes_on_or_off
from harness.execution.probe.tensors import SAMPLE, Latest, Numbers, sampled

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_exponents_are_those_of_the_entries_other_than_zero(dtype):
    values = torch.tensor([0.0, 0.0, 1.0, -1.5, 0.25, 3e-5, 1e4, -0.5], dtype=dtype)
    size = Numbers(values).size(in_detail=True)
    expected = np.bincount(np.frexp(values[2:].double().numpy())[1] - LOWEST, minlength=BINS)
    np.testing.assert_array_equal(size.exponents, expected)
    assert (size.zeros, size.entries) == (2, 8)
    assert size.share_below(-1) == 2 / 6  # 3e-5 and 0.25


def test_magnitudes_beyond_float32_count_at_the_ends():
    counts = Numbers(torch.tensor([1e-300, 1e300, 0.0], dtype=torch.float64)).size(in_detail=True).exponents
    assert counts[0] == counts[-1] == 1 and counts.sum() == 2


@pytest.mark.parametrize("shape", [(SAMPLE, 63), (5 * SAMPLE // 64, 64), (3, 7, 5, SAMPLE // 4), (10,)])
def test_a_sample_meets_every_unit(shape):
    values = sampled(torch.arange(shape[-1]).expand(shape))
    assert len(values) <= SAMPLE and len(np.unique(values)) == min(shape[-1], len(values))


@pytest.mark.parametrize("scale", [1.0, 1e-30])
def test_the_cosine_is_that_of_numpy(scale):
    torch.manual_seed(0)
    values = torch.randn(7, 5, 3, dtype=torch.float64) + 0.3
    expected = sizes.cosine(values.numpy())
    assert Numbers(values * scale).cosine == pytest.approx(expected, rel=1e-13)
    assert Numbers((values * scale).float()).cosine == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_lengths_and_sums_are_those_of_numpy(scale, axis, monkeypatch):
    torch.manual_seed(0)
    values = torch.randn(4, 5, 3, dtype=torch.float64)
    others = tuple(d for d in range(3) if d != axis)
    sums = np.log10(np.linalg.norm(values.numpy().sum(others))) + np.log10(scale)
    whole = Numbers(values * scale)
    assert whole.norm_of_sums(axis) == pytest.approx(sums, rel=1e-13)
    assert whole.mean == pytest.approx(values.numpy().mean() * scale, rel=1e-12)
    monkeypatch.setattr("harness.execution.probe.tensors.AT_ONCE", 30)  # two samples a piece
    lengths = np.linalg.norm(values.numpy().reshape(4, -1), axis=1)
    np.testing.assert_allclose(Numbers(values * scale).lengths, lengths * scale, rtol=1e-13)
    assert whole.norm == pytest.approx(np.log10(np.linalg.norm(values.numpy())) + np.log10(scale), rel=1e-13)


def test_numbers_are_those_of_views_until_something_is_written():
    latest, x = Latest(), torch.ones(2, 3)
    numbers = latest.of(x)
    assert latest.of(x.view_as(x)) is numbers
    assert latest.of(x.T) is not numbers
    numbers = latest.of(x)
    x.mul_(2)
    assert latest.of(x).largest == 2
    assert latest.of(torch.full((2, 3), 2.0)) is not latest.of(x)


def test_slopes_of_relu_are_those_of_its_derivative():
    torch.manual_seed(0)
    z = torch.randn(6, 8, 4, 4)
    z[:, 2], z[:, 5] = -1.0, 1.0
    found, expected = slopes_on_or_off(z > 0, 1), slopes_of(F.relu, z, 1, "relu")
    assert (found.dead, found.always_on) == (expected.dead, expected.always_on) == (1 / 8, 1 / 8)
    for name in ("mean", "rms", "saturated"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)
