"""Arithmetic with a carried exponent, against fractions: exact where it claims to be, and right far beyond the format.

Guards against an exponent that is dropped, added twice or given to the wrong lane, a renormalisation that rounds, a
square that underflows before the largest magnitude is taken out, and a zero that meets a number.
"""

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as options_of_hypothesis
from hypothesis import strategies as st

from harness.base.arrays import largest
from harness.base.scaled import FACTOR, NOTHING, ORDINARY, Scaled, Weights, normalised, scaled, shifted, split

QUICK = options_of_hypothesis(max_examples=150, deadline=None, derandomize=True, database=None)
EPS = {"float64": 2.0**-53, "float32": 2.0**-24}
SPREAD = {"float64": 200, "float32": 30}  # powers of two that numbers of one lane differ by


@st.composite
def arrays(draw, shape=None, dtype=None, exponents=20_000):
    """Scaled arrays (lanes, batch, width): numbers of mixed size, zeros among them, lanes of mixed exponents."""
    dtype = dtype or draw(st.sampled_from(["float64", "float32"]))
    shape = shape or (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    number = st.floats(1, 2, exclude_max=True).flatmap(
        lambda m: st.builds(lambda s, e: s * m * 2.0**e, st.sampled_from([-1, 0, 1]), st.integers(-SPREAD[dtype], 40))
    )
    size = int(np.prod(shape))
    mantissa = np.array(draw(st.lists(number, min_size=size, max_size=size))).astype(dtype).reshape(shape)
    if draw(st.booleans()):
        mantissa[draw(st.integers(0, shape[0] - 1))] = 0  # a lane of zeros
    exponent = st.integers(-exponents, exponents) | st.sampled_from([0, 1, -99, 100])
    exponent = np.array(draw(st.lists(exponent, min_size=shape[0], max_size=shape[0])), dtype=np.int64)
    return Scaled(mantissa, np.where(np.any(mantissa, axis=(1, 2)), exponent, NOTHING))


@st.composite
def pairs(draw):
    """Two arrays of one shape and dtype."""
    one = draw(arrays())
    return one, draw(arrays(shape=one.mantissa.shape, dtype=str(one.mantissa.dtype)))


def exactly(a: Scaled) -> list[list[Fraction]]:
    """The numbers of each lane."""
    zero = ~np.any(a.mantissa, axis=(1, 2))  # their exponent, NOTHING or so, is no power of two to be written out
    powers = [Fraction(0) if z else Fraction(2) ** int(e) for z, e in zip(zero, a.exponent, strict=True)]
    return [[Fraction(float(v)) * p for v in lane.flat] for lane, p in zip(a.mantissa, powers, strict=True)]


def assert_close(found: Scaled, lanes: list[list[Fraction]], roundings: float, scales: list[Fraction]) -> None:
    """Each number to some roundings of its lane's scale."""
    eps = Fraction(EPS[str(found.mantissa.dtype)]) * Fraction(roundings)
    assert np.isfinite(found.mantissa).all()
    for ours, theirs, scale in zip(exactly(found), lanes, scales, strict=True):
        for v, w in zip(ours, theirs, strict=True):
            assert abs(v - w) <= eps * scale


def tops(*arrays: Scaled) -> list[Fraction]:
    return [max(max(map(abs, lane)) for lane in lanes) for lanes in zip(*map(exactly, arrays), strict=True)]


def log10_of_fraction(value: Fraction) -> mp.mpf:
    return mp.log10(mp.mpf(value.numerator)) - mp.log10(mp.mpf(value.denominator))


# Arithmetic ---------------------------------------------------------------------------------------------------------


@QUICK
@given(pairs())
def test_sums_and_differences(pair):
    a, b = pair
    x, y = exactly(a), exactly(b)
    scales = tops(a, b)
    assert_close(a + b, [[u + v for u, v in zip(p, q, strict=True)] for p, q in zip(x, y, strict=True)], 3, scales)
    assert_close(a - b, [[u - v for u, v in zip(p, q, strict=True)] for p, q in zip(x, y, strict=True)], 3, scales)


@QUICK
@given(arrays())
def test_nothing_added_is_nothing_changed(a):
    zeros = Scaled(np.zeros_like(a.mantissa), np.full_like(a.exponent, NOTHING))
    assert a + None is a
    assert exactly(a + zeros) == exactly(zeros + a) == exactly(a - zeros) == exactly(a)
    assert not (a - a).mantissa.any()


@QUICK
@given(arrays(), st.floats(0.01, 100))
def test_products_with_a_factor(a, factor):
    narrow = Fraction(float(a.mantissa.dtype.type(factor)))
    assert_close(a * factor, [[v * narrow for v in lane] for lane in exactly(a)], 3, [t * narrow for t in tops(a)])


@QUICK
@given(arrays(), st.integers(1, 3), st.lists(st.floats(-250, 250), min_size=3, max_size=3), st.integers(0, 2**32))
def test_products_with_weights(a, fan_out, powers, seed):
    """Gains from 10^-250 to 10^250, one a lane; both W and its transpose."""
    lanes, batch, fan_in = a.mantissa.shape
    dtype = a.mantissa.dtype
    base = np.random.default_rng(seed).normal(size=(fan_in, fan_out)).astype(dtype)
    numbers = np.array([10**p for p in powers[:lanes]])
    for W, matrix in (
        (Weights(base[None], *split(numbers, dtype)), base),
        (Weights(np.ascontiguousarray(base.T)[None], *split(numbers, dtype)).T, base),
    ):
        expected, scales = [], []
        for lane, number in zip(exactly(a), numbers, strict=True):
            rows = [lane[i * fan_in : (i + 1) * fan_in] for i in range(batch)]
            terms = [
                [
                    [u * Fraction(float(w)) * Fraction(number) for u, w in zip(row, column, strict=True)]
                    for column in matrix.T
                ]
                for row in rows
            ]
            expected.append([sum(t) for row in terms for t in row])
            scales.append(max(sum(map(abs, t)) for row in terms for t in row))
        assert_close(a @ W, expected, 2 * fan_in + 4, scales)


# Renormalisation ----------------------------------------------------------------------------------------------------


@QUICK
@given(arrays())
def test_normalising_is_exact(a):
    before = exactly(a)
    zero = ~np.any(a.mantissa, axis=(1, 2))
    b = a.normalised()
    assert exactly(b) == before
    top = np.abs(b.mantissa).max(axis=(1, 2))
    least, bound = ORDINARY[a.mantissa.dtype]
    assert ((top >= least) & (top < bound) | zero).all()
    assert (b.exponent[zero] == NOTHING).all() and (b.exponent[~zero] > NOTHING).all()


@QUICK
@given(arrays())
def test_normalising_to_the_last_power(a):
    before = exactly(a)
    mantissa, exponent = normalised(a.mantissa.copy(), a.exponent, keep=0)
    assert exactly(Scaled(mantissa, exponent)) == before
    top = largest(mantissa)
    assert ((top >= 0.5) & (top < 1) | (top == 0)).all()


@QUICK
@given(arrays(), st.lists(st.integers(-60, 60) | st.sampled_from([0, -99, 99, 100, -100]), min_size=3, max_size=3))
def test_shifting_is_exact_both_ways(a, shifts):
    """Small shifts multiply, large ones call ldexp; neither rounds a number that stays normal."""
    shift = np.array(shifts[: len(a.exponent)], dtype=np.int64)
    limits = np.finfo(a.mantissa.dtype)
    with np.errstate(over="ignore", under="ignore"):
        moved = shifted(a.mantissa, shift)
    for before, after, s in zip(a.mantissa, moved, shift, strict=True):
        for v, w in zip(before.flat, after.flat, strict=True):
            truth = Fraction(float(v)) * Fraction(2) ** int(s)
            if truth == 0 or float(limits.tiny) <= abs(truth) <= float(limits.max):
                assert Fraction(float(w)) == truth
    assert shifted(a.mantissa, np.zeros_like(shift)) is a.mantissa


def test_a_shift_beyond_any_format_is_zero_or_infinite():
    one = np.ones((3, 1, 1))
    with np.errstate(over="ignore", under="ignore"):
        assert shifted(one, np.array([NOTHING, 2**40, 0])).ravel().tolist() == [0, np.inf, 1]


@QUICK
@given(arrays(exponents=0))
def test_an_ordinary_array_as_a_scaled_one(a):
    values = a.mantissa.copy()
    b = scaled(values)
    np.testing.assert_array_equal(values, a.mantissa)  # not used up
    assert exactly(b) == [[Fraction(float(v)) for v in lane.flat] for lane in values]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@given(number=st.floats(-300, 300).map(lambda p: 10**p))
@options_of_hypothesis(max_examples=100, deadline=None, derandomize=True, database=None)
def test_a_gain_is_split_without_rounding(dtype, number):
    mantissa, exponent = split(np.array([number, -number]), np.dtype(dtype))
    assert mantissa.dtype == dtype and exponent.dtype == np.int64
    for m, e, truth in zip(mantissa, exponent, (number, -number), strict=True):
        error = Fraction(float(m)) * Fraction(2) ** int(e) - Fraction(truth)
        assert abs(error) <= (0 if dtype == "float64" else Fraction(EPS[dtype]) * Fraction(number))
    ordinary = 2.0**-FACTOR <= number < 2.0**FACTOR
    if ordinary:
        assert exponent.tolist() == [0, 0]


# Norms --------------------------------------------------------------------------------------------------------------


@QUICK
@given(arrays())
def test_norms(a):
    """log10 in float64, whose own rounding is 2^-53 of some thousands of decades."""
    absolute = 1e-12 if a.mantissa.dtype == np.float64 else 1e-6
    for ours, lane in zip(a.log10_norm, exactly(a), strict=True):
        if not any(lane):
            assert ours == -np.inf
            continue
        truth = log10_of_fraction(sum(v * v for v in lane)) / 2
        assert abs(ours - truth) < absolute


@pytest.mark.parametrize(
    "dtype, powers",
    [
        ("float64", (-1074, -1060, -1022, -900, -540, -500, -450, 0, 400, 500)),
        ("float32", (-149, -140, -126, -75, -60, -45, 0, 40, 60)),
    ],
)
def test_norms_of_tiny_and_huge_mantissas(dtype, powers):
    """Lanes that nothing has normalised: no square may underflow, and lanes do not disturb each other."""
    mantissa = np.stack([np.ldexp(np.array([[3.0, 4.0]]), p - 2) for p in powers]).astype(dtype)
    if dtype == "float64":
        mantissa[0] = 5e-324
    else:
        mantissa[0] = np.float32(1e-45)
    a = Scaled(mantissa, np.arange(len(powers), dtype=np.int64) * 1000)
    for ours, lane in zip(a.log10_norm, exactly(a), strict=True):
        assert abs(ours - log10_of_fraction(sum(v * v for v in lane)) / 2) < (1e-12 if dtype == "float64" else 1e-6)


def test_lengths_totals_and_grams_are_of_their_lane():
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    a = Scaled(values, np.zeros((2, 3), dtype=np.int64))
    np.testing.assert_allclose(a.lengths, (values**2).sum(axis=-1), rtol=1e-14)
    np.testing.assert_allclose(a.total, values.sum(axis=-2), rtol=0, atol=1e-14)
    np.testing.assert_allclose(a.gram, np.einsum("rlbw,rlcw->rlbc", values, values), rtol=0, atol=1e-14)


def test_largest_says_where_a_lane_is_not_a_number():
    values = np.array([[[1.0, -3.0]], [[np.nan, 2.0]], [[0.0, np.inf]]])
    np.testing.assert_array_equal(largest(values), [3.0, np.nan, np.inf])
