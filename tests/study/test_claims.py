"""Intervals against scipy and by simulation; grades; missing values are reported, never dropped."""

import json
from math import inf, nan

import numpy as np
import pytest
from scipy import stats

from harness.base.errors import HarnessError
from harness.study import claims
from harness.study.claims import (
    BY_CONSTRUCTION,
    FAILS,
    HOLDS,
    UNDECIDED,
    Case,
    Claim,
    every,
    graded,
    judge,
    mean,
    median,
    proportion,
    variance,
)
from harness.study.verdicts import counted, from_json, markdown, to_json

RATE = 0.01


def random(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


# Intervals ------------------------------------------------------------------------------------------------------------


def test_a_mean_has_students_interval():
    values = 3 + random(12)
    expected = stats.t.interval(1 - RATE, 11, values.mean(), stats.sem(values))
    assert mean(Case("", values), RATE) == pytest.approx((values.mean(), *expected), rel=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (3, 20), (20, 20), (500, 1000)])
def test_a_share_has_clopper_and_pearsons(k, n):
    expected = stats.binomtest(k, n).proportion_ci(1 - RATE, "exact")
    assert proportion(Case("", np.arange(n) < k), RATE) == pytest.approx(
        (k / n, expected.low, expected.high), abs=1e-12
    )


def test_a_variance_has_the_chi_square_one():
    values = 2 * random(30)
    total = 29 * values.var(ddof=1)
    expected = total / stats.chi2.ppf([1 - RATE / 2, RATE / 2], 29)
    assert variance(Case("", values), RATE) == pytest.approx((values.var(ddof=1), *expected), rel=1e-12)


@pytest.mark.parametrize("n", [8, 15, 40])
def test_a_median_lies_between_order_statistics(n):
    """The interval misses with probability 2·P(Binomial(n, ½) < k), at most the rate, and k could not be one more."""
    values = random(n)
    _, low, high = median(Case("", values), RATE)
    k = int(np.searchsorted(np.sort(values), low)) + 1
    assert 2 * stats.binom.cdf(k - 1, n, 0.5) <= RATE < 2 * stats.binom.cdf(k, n, 0.5)
    assert high == np.sort(values)[n - k]


def test_a_median_of_too_few_is_not_bounded():
    assert median(Case("", random(5)), 1e-4)[1:] == (-inf, inf)


def test_a_median_knows_minus_infinity():
    values = np.where(np.arange(101) < 60, -inf, 1.0)
    assert median(Case("", values), RATE)[:2] == (-inf, -inf)


def test_the_distance_to_normal_is_kolmogorovs():
    values = 0.3 + random(500)
    gap, low, high = claims.distance_to_normal(Case("", values), RATE)
    assert gap == pytest.approx(stats.kstest(values, "norm").statistic, abs=1e-12)
    assert low < 2 * stats.norm.cdf(0.15) - 1 < high  # the true distance of N(0.3, 1)


@pytest.mark.parametrize("interval", [mean, median, variance, claims.distance_to_normal])
def test_intervals_cover_as_often_as_they_say(interval):
    """400 samples of 40 at a rate of 5 %: more than 36 misses would be four standard errors too many."""
    truth = {"mean": 0, "median": 0, "variance": 1, "distance_to_normal": 0}[interval.__name__]
    draws = np.random.default_rng(1).standard_normal((400, 40))
    found = [interval(Case("", values), 0.05)[1:] for values in draws]
    assert sum(not low <= truth <= high for low, high in found) <= 36


def test_every_value_is_judged_by_the_worst():
    assert every(Case("", [0.1, 0.5, 0.9], 0, 1), RATE)[0] in (0.1, 0.9)
    assert every(Case("", [0.1, 1.5, 0.9], 0, 1), RATE)[0] == 1.5
    assert every(Case("", [-3.0, 1.5], 0, 1), RATE)[0] == -3.0


# Grades ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "grade"),
    [
        (0.1, 0.9, HOLDS),
        (0, 1, HOLDS),
        (-0.1, 0.5, UNDECIDED),
        (0.5, 1.1, UNDECIDED),
        (-1, 2, UNDECIDED),
        (1.1, 2, FAILS),
        (-2, -0.1, FAILS),
        (nan, nan, UNDECIDED),
        (-inf, inf, UNDECIDED),
        (-inf, -inf, FAILS),
    ],
)
def test_an_interval_against_a_band(low, high, grade):
    assert claims.graded(low, high, 0, 1) == grade


def claim(*cases: Case, interval=mean) -> Claim:
    return Claim("name", "A sentence.", "mean of it", interval, lambda _: cases)


def near_zero(where: str, values, **options) -> Case:
    return Case(where, values, -1, 1, **options)


def test_a_claim_fails_where_one_case_does():
    good, bad, wide = near_zero("a", 0.01 * random(9)), near_zero("b", 5 + random(9)), near_zero("c", 9 * random(9))
    assert judge(claim(good), None).grade == HOLDS
    assert judge(claim(good, wide), None).grade == UNDECIDED
    verdict = judge(claim(good, wide, bad), None)
    assert (verdict.grade, verdict.deciding.where) == (FAILS, "b")


def test_cases_share_the_error_rate():
    values = random(50)
    alone, among = (judge(claim(*[Case("", values)] * n), None).cases[0] for n in (1, 100))
    expected = stats.t.ppf(1 - claims.ERROR_RATE / 200, 49) / stats.t.ppf(1 - claims.ERROR_RATE / 2, 49)
    assert (among.high - among.low) / (alone.high - alone.low) == pytest.approx(expected, rel=1e-9)


def test_a_null_decides_nothing_and_is_counted():
    verdict = judge(claim(near_zero("a", [0.0, nan, 0.0, nan])), None)
    assert (verdict.grade, verdict.deciding.note) == (UNDECIDED, "2 of 4 values are null")


def test_one_infinite_value_makes_no_mean():
    verdict = judge(claim(near_zero("a", [0.0, -inf, 0.0])), None)
    assert (verdict.grade, verdict.deciding.note) == (UNDECIDED, "1 of 3 values are infinite, of dead networks")


def test_one_draw_has_no_interval():
    verdict = judge(claim(near_zero("a", [0.0])), None)
    assert (verdict.grade, verdict.deciding.note) == (UNDECIDED, "an interval needs two draws or more")


def test_equal_draws_have_no_interval_of_a_mean():
    """A share of .02 of 16 draws shows 16 zeros in 72 of 100 samples; a width of 0 would then miss it."""
    verdict = judge(claim(Case("a", np.zeros(16), at_most=0.01)), None)
    assert (verdict.grade, verdict.deciding.note) == (
        UNDECIDED,
        "all draws are equal, which tells nothing of their spread",
    )
    assert np.isnan(variance(Case("", np.ones(9)), RATE)).all()
    assert median(Case("", np.zeros(16)), 1e-4)[1:] == (0, 0)  # at least half of the law is 0: that is known


def test_a_share_is_of_zeros_and_ones():
    verdict = judge(claim(Case("a", [0.0, 0.5, 1.0], 0, 1), interval=proportion), None)
    assert (verdict.grade, verdict.deciding.note) == (UNDECIDED, "values other than 0 and 1")


def test_a_verdict_is_at_an_error_rate_of_one_in_ten_thousand():
    """15 draws reach it (2·2⁻¹⁵ = 6e-5) and 14 do not; none of 100 successes leaves a share of 1 − (5e-5)^(1/100)."""
    ends = [judge(claim(Case("a", random(n)), interval=median), None).deciding.high for n in (14, 15)]
    assert ends == [inf, random(15).max()]
    none = judge(claim(Case("a", np.zeros(100)), interval=proportion), None).deciding
    assert none.high == pytest.approx(1 - 5e-5**0.01, rel=1e-9)


def test_what_follows_from_definitions_is_graded_apart_and_can_fail():
    algebra = Claim("name", "A sentence.", "", every, lambda _: [near_zero("a", [0.5])], by_construction=True)
    broken = Claim("name", "A sentence.", "", every, lambda _: [near_zero("a", [1.5])], by_construction=True)
    verdicts = [judge(algebra, None), judge(broken, None), judge(claim(near_zero("a", 0.01 * random(9))), None)]
    assert [verdict.grade for verdict in verdicts] == [BY_CONSTRUCTION, FAILS, HOLDS]
    assert counted(verdicts) == "1 of 2 claims hold, and 1 by construction; 1 fail"
    assert counted(verdicts[2:]) == "1 of 1 claims hold"
    (back, *_) = from_json(json.loads(json.dumps(to_json(verdicts))))
    assert back.grade == BY_CONSTRUCTION
    assert "| by construction |" in markdown("title", [("heading", "sentence", verdicts[:1], ())])


def test_a_hard_bound_with_a_null_does_not_hold():
    assert judge(claim(near_zero("a", [0.0, nan]), interval=every), None).grade == UNDECIDED


def test_no_networks_to_speak_of():
    verdict = judge(claim(), None)
    assert verdict.grade == UNDECIDED
    assert verdict.deciding.note == "does not apply: this sweep has none of the networks that it speaks of"


@pytest.mark.parametrize("mistake", [lambda _: {}["slope"], lambda _: [1 / 0], lambda _: ["x" > 1]])
def test_a_mistake_in_a_claim_is_no_verdict(mistake):
    """A KeyError in the claim's own code does not mean that the sweep lacks a column."""
    with pytest.raises(
        HarnessError, match=r"test_claims.py:\d+: claim 'name' cannot be judged: .*; correct the question"
    ):
        judge(Claim("name", "A sentence.", "", mean, mistake), None)


def test_verdicts_survive_json():
    verdict = judge(claim(Case("a", random(9), at_most=1), near_zero("b", [0.0, -inf], note="said")), None)
    text = json.dumps(to_json([verdict]), allow_nan=False)
    (back,) = from_json(json.loads(text))
    assert repr(back) == repr(verdict)  # NaN is not equal to itself


@pytest.mark.parametrize(
    "values, at_least, at_most, grade",
    [
        ([-1.0, np.inf], 0.0, np.inf, FAILS),
        ([1.0, np.inf], 0.0, np.inf, HOLDS),
        ([-np.inf, 1.0], -np.inf, 0.0, FAILS),
    ],
)
def test_an_infinite_value_hides_no_other(values, at_least, at_most, grade):
    """A dead network's log-norm is −∞, and must not hide another value that is out of the band."""
    low, _, high = every(Case("", values, at_least, at_most), 1e-4)
    assert graded(low, high, at_least, at_most) == grade
