"""Exact intervals against the binomial law and against draws, and numbers as readers see them."""

import numpy as np
import pytest

from harness.base.intervals import median_interval, median_rank, proportion_interval
from harness.base.numbers import distinct_numbers, formatted, interval, number


def test_interval_of_the_median_is_the_exact_one():
    # From the binomial: n = 8 has [x1, x8] at 1 − 2/2⁸, n = 16 has [x4, x13] at 1 − 2·697/2¹⁶; n = 5 reaches 93.75 %.
    for n, low, high, coverage in ((8, 1, 8, 1 - 2 / 2**8), (16, 4, 13, 1 - 2 * 697 / 2**16), (5, 1, 5, 0.9375)):
        values = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
        result = median_interval(np.append(values, np.nan)[None], 0.05)
        assert [float(x[0]) for x in result] == pytest.approx([(n + 1) / 2, low, high, coverage, n])
    alone = [float(x[0]) for x in median_interval(np.array([[2.0]]), 0.05)]
    assert alone[0] == 2 and np.isnan(alone[1:3]).all() and alone[3:] == [0, 1]


def test_interval_covers_the_median_as_often_as_it_says():
    values = np.random.default_rng(1).exponential(size=(20000, 8))
    _, low, high, coverage, _ = median_interval(values, 0.05)
    hit = ((low <= np.log(2)) & (np.log(2) <= high)).mean()
    assert hit == pytest.approx(coverage[0], abs=0.003)  # four standard errors of 20,000 trials at 99.2 %


def test_few_values_have_no_rank_at_a_small_error_rate():
    assert [median_rank(n, 1e-4) for n in (1, 14, 15, 18, 19)] == [0, 0, 1, 1, 2]  # 2·20·2⁻¹⁹ = 8e-5
    values = np.arange(5.0)[None]
    assert median_interval(values, 1e-4).coverage[0] == 0.9375  # [x1, x5]: less than was asked


def test_the_ends_of_a_proportion_are_closed_forms():
    """No successes of n: 1 − (α/2)^(1/n); all of them: (α/2)^(1/n)."""
    low, high = proportion_interval(np.array([0, 10]), np.array([10, 10]), 0.05)
    assert (low[0], high[1]) == (0, 1)
    assert high[0] == pytest.approx(1 - 0.025**0.1) and low[1] == pytest.approx(0.025**0.1)


def test_numbers_have_a_true_minus_and_a_zero_has_no_sign():
    assert [number(value, "+.1f") for value in (-0.04, 1.25, -np.inf, np.inf, np.nan)] == [
        "0.0",
        "+1.2",
        "−∞",
        "+∞",
        "–",
    ]
    assert number(12.34, ".1f", " %") == "12.3 %" and formatted(-0.0, "+.2f") == "−0.00"
    assert interval(-0.5, 0.25, "+.1f") == "−0.5 to +0.2" and interval(np.nan, np.nan, ".1f") == "–"


def test_numbers_are_as_short_as_they_can_be_told_apart():
    assert distinct_numbers([1.9999999999999998, 2.828427]) == ["2", "2.83"]
    assert distinct_numbers([1.00001, 1.00002]) == ["1.00001", "1.00002"]
