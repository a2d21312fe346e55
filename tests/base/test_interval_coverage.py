"""Intervals miss as seldom as they say, or as often as docs/intervals.md says: every interval, law and number of draws.

With SOAK=1 in the environment, which `make soak` sets, 200,000 samples are simulated for each cell instead of 10,000.
"""

import os
import re

import numpy as np
import pytest
from command import ROOT
from interval_coverage import DRAWS, INTERVALS, LAWS, misses

from harness.study.claims import ERROR_RATE

SAMPLES = 200_000 if os.environ.get("SOAK") else 10_000
FOR_EVERY_LAW = ("median", "proportion", "distance")
PAGE = "docs/intervals.md"
DOCUMENTED = 200_000  # samples behind each cell of the page


def cells() -> dict[tuple[str, str], list[float]]:
    """(interval, law) -> misses in 10,000 samples for each number of draws, as the page has them."""
    found, interval = {}, ""
    for line in (ROOT / PAGE).read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (\w+)", line):
            interval = heading[1].lower()
        values = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(values) == 1 + len(DRAWS) and values[0] in LAWS:
            found[interval, values[0]] = [np.nan if value == "–" else float(value) for value in values[1:]]
    return found


def beyond_chance(first: float, samples: int, second: float, others: int) -> bool:
    """Whether two shares of independent samples differ by more than five standard errors."""
    pooled = max((first * samples + second * others) / (samples + others), 1 / others)
    return abs(first - second) > 5 * np.sqrt(pooled * (1 / samples + 1 / others))


def test_the_error_rate_is_one_in_ten_thousand():
    assert ERROR_RATE == 1e-4


def test_the_page_has_every_interval_and_law():
    assert set(cells()) == {(interval, law) for interval in INTERVALS for law in LAWS}


@pytest.mark.parametrize("interval", FOR_EVERY_LAW)
def test_intervals_for_every_law_miss_no_more_often_than_they_say(interval):
    for (kind, law), row in cells().items():
        if kind == interval:
            assert all(np.isnan(per) or per / 1e4 <= 1.5 * ERROR_RATE for per in row), (law, row)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_miss_as_often_as_the_page_says(interval, law):
    for n, per in zip(DRAWS, cells()[interval, law], strict=True):
        found = misses(interval, law, n, SAMPLES, ERROR_RATE)
        assert np.isnan(found) == np.isnan(per)
        assert np.isnan(found) or not beyond_chance(found, SAMPLES, per / 1e4, DOCUMENTED), (n, found, per)


def test_a_rate_of_one_in_a_hundred_would_be_noticed():
    found = misses("mean", "normal", 16, SAMPLES, 1e-2)
    assert beyond_chance(found, SAMPLES, cells()["mean", "normal"][2] / 1e4, DOCUMENTED)
