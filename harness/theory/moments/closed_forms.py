"""Moments over Gaussian preactivations in closed form, of positively homogeneous activations and of erf.

The quadrature is tested against them, and they are used where they are more accurate. q is the variance of a
preactivation z, and c the correlation of two. A positively homogeneous activation is φ(z) = above·z for z > 0 and
below·z for z < 0 (ReLU: 1 and 0; linear: 1 and 1). Sources: Cho & Saul 2009, eq. 4 and 6, for the arc-cosine kernels;
Williams 1997, eq. 11, for the error function.
"""

from math import acos, asin, atan2, pi, sqrt


def homogeneous_second_moment(below: float, above: float = 1.0) -> float:
    """E[φ²]/q = E[φ'²] = (above² + below²)/2, at any q."""
    return (above**2 + below**2) / 2


def homogeneous_product(c: float, below: float, above: float = 1.0) -> float:
    """E[φ(z₁)φ(z₂)]/q at any q, from φ = (above − below)·relu + below·z and the arc-cosine kernel of order 1."""
    kernel = (sqrt((1 - c) * (1 + c)) + (pi - acos(c)) * c) / (2 * pi)
    return (above - below) ** 2 * kernel + above * below * c


def homogeneous_slope_product(c: float, below: float, above: float = 1.0) -> float:
    """E[φ'(z₁)φ'(z₂)], by the arc-cosine kernel of order 0."""
    return (above - below) ** 2 * (pi - acos(c)) / (2 * pi) + above * below


def erf_second_moment(q: float) -> float:
    """E[erf(z)²] = (2/π)·arcsin(2q/(1 + 2q))."""
    return erf_product(q, 1.0)


def erf_product(q: float, c: float) -> float:
    """E[erf(z₁)erf(z₂)] = (2/π)·arcsin(2cq/(1 + 2q))."""
    return 2 / pi * asin(2 * c * q / (1 + 2 * q))


def erf_half_square_difference(q: float, c: float) -> float:
    """½E[(erf(z₁) − erf(z₂))²] = (2/π)·[arcsin a − arcsin b], a = 2q/(1 + 2q), b = ca, for 0 ≤ c ≤ 1.

    It is computed from the sine and the cosine of the bracket, in which nothing cancels at any q:
    sine a√(1 − b²) − b√(1 − a²) = a²(1 − c²)/[a√(1 − b²) + b√(1 − a²)]; cosine √(1 − a²)√(1 − b²) + ab.
    """
    across = sqrt((1 + 2 * q * (1 - c)) * (1 + 2 * q * (1 + c)))  # (1 + 2q)·√(1 − b²)
    root = sqrt(1 + 4 * q)  # (1 + 2q)·√(1 − a²)
    sine = 2 * q * (1 - c) * (1 + c) / (across + c * root)
    return 2 / pi * atan2(sine, (root * across + c * (2 * q) ** 2) / (1 + 2 * q) ** 2)


def erf_slope_product(q: float, c: float) -> float:
    """E[erf'(z₁)erf'(z₂)] = (4/π)/√((1 + 2q)² − (2cq)²); at c = 1 (4/π)/√(1 + 4q)."""
    return 4 / pi / sqrt((1 + 2 * q * (1 - c)) * (1 + 2 * q * (1 + c)))
