"""The gradient of a network whose φ' depends on lengths, to leading order in 1/width.

Given the length of the layer below, the n preactivations z of a layer are independent draws from N(0, q), and one layer
multiplies ‖∂C/∂z‖² by (σ_w²/n) Σ g²φ'(z)², g standard normal. Write ℓ = ln q, m = E[φ'²], v = E[φ²], and s for the
weights' share of q (the biases have the rest). Then ln of that factor has, beside ln σ_w² + ln m, in each layer

    variance  κ/n,   κ = 3E[φ'⁴]/m² − 1                    mean  −κ/2n

and ℓ itself is a random walk about its mean-field path. A layer adds to ℓ noise of variance s²(E[φ⁴]/v² − 1)/n, of
covariance s(E[φ²φ'²]/(vm) − 1)/n with the factor of the layer below it, and of mean −½ its variance; the next layer
multiplies a departure by d(next ℓ)/dℓ = s·d ln v/dℓ. Departures change the factors through ln m(ℓ): its first
derivative enters their variance, and its second derivative their mean. At the fixed point the variance per layer
becomes that of a stationary process, [κ + 2α·s·c/(1 − χ) + α²s²ν/(1 − χ)²]/n with α = d ln m/dℓ, and c and ν the
covariance and the variance above.

W is not independent of the z that it gave. Along the direction of r[k], W ∂C/∂z[k+1] is ⟨z − b, ∂C/∂z⟩/‖r‖, whose mean
square is T times that along another direction: T − 1 = 2αs + ρ(T' − 1), where T' is that of the layer above (1 at the
output, where the gradient is independent) and ρ = s(d ln v/dℓ)²v/(qm). This is one direction of n, in which φ'²
differs from the others, so the mean gains (T − 1)E[φ²φ'²]/(vm)/n. For ReLU, leaky ReLU and linear α = 0, and all
terms but κ vanish.

T varies between draws too. The component along r[k] is √ρ times that of the layer above plus new noise. Where ρ is near
1, a departure lasts for many layers, and ln T gains what ln ‖∂C/∂z‖² and ln ‖r‖² lose. A layer adds
e(T) = 2ρP·T(2wT − (κ − c)/n) to the variance, where w = E[φ²φ'²]/(vm)/n is its own share and P is the sum of such
shares below it, each times the ρ in between. That is of order 1/n², but grows with depth where χ_q² is near χ₁ or above
(softplus); ReLU and linear have T = 1 and no such term.

The factor alone is the logarithm of a mean of n independent terms g²φ'², and its next order is included: with their
third cumulant κ₃ = 15·E[φ'⁶]/m³ − 9·E[φ'⁴]/m² + 2, the variance gains (5κ²/2 − κ₃)/n² and the mean (κ₃/3 − 3κ²/4)/n².
Without it residuals are too wide by a share of 0.7·κ/n where φ'² is large in few units. Uniform weights make κ smaller
(finite_width.excess_kappa).

The expansion has no answer (nan) for layers too narrow for it: where κ > n/2 (n/4 where φ' may be 0); where more than a
third of the variance comes by way of T; and where lengths differ e-fold between draws and E[φ'²] depends on them (gelu
and silu between vanishing and growing lengths).

For an orthogonal matrix the lengths of W's products with r and with ∂C/∂z are fixed, not χ², so the terms due to their
variation are subtracted. κ becomes 3(E[φ'⁴]/m² − 1) − 2α²s² (linear 0, ReLU 3), ν and c lose 2(s·d ln v/dℓ)² and
2α·s²·d ln v/dℓ, and means over a sphere replace Gaussian ones: minus s² times the second derivative q²m''/(mn),
q²v''/(vn). At the next order, subtracting ln χ² of a length lowers the variance of a factor by 2/n² and raises its mean
by 1/3n².

Sources: for κ, Hanin & Nica 2020; for a network's lengths, Poole et al. 2016. The rest is derived here and tested
against simulation.
"""

from dataclasses import dataclass

import numpy as np

from harness.base.arrays import Array
from harness.theory.finite_width import excess_kappa
from harness.theory.moments.curves import Moments, MomentsAt

STATIONARY = 1e-13  # relative change of a state from one layer to the next, up to which it counts as stationary
MOST = 2**14  # layers processed one by one: beyond, a network that is not stationary has no answer
ROUNDING = 1e-12  # of two sums that may both be 0: those of a linear orthogonal network
MOST_KAPPA = 0.5  # κ/n beyond which a layer is too narrow: up to there residuals are at most 1.04 times too wide
MOST_KAPPA_SILENT = 0.25  # the same where φ' may be 0: few units or none pass a gradient
MOST_BY_T = 1 / 3  # share of the variance
CONSTANT = 0.1  # |d ln m/dℓ| up to which E[φ'²] counts as independent of lengths
ALIGNMENT, SQUARE, LINEAR = 5, 6, 7  # rows of a state: P, the coefficients of T² and T


@dataclass(frozen=True)
class OutputLayer:
    """The output layer of a network: ln σ_w² and ln σ_b², its activation's moments, and `fixed` as in `Expansion`."""

    ln_sigma_w2: float
    ln_sigma_b2: float
    fixed: float
    moments: Moments | None  # None: it is linear


class Expansion:
    """The expansion of n networks at a layer, and its sums over the layers processed so far.

    `state`, (8, n), describes the next layer: ℓ on its mean-field path; s; mean and variance of the departure of ℓ from
    that path; its covariance with the sum of the factors; P; and the coefficients of T² and T in the part of Σ e(T)
    that depends on the T of the last layer processed.
    """

    def __init__(
        self,
        moments: Moments,
        *,
        ln_q: Array,
        share: Array,
        fixed: Array,
        orthogonal: Array,
        excess: Array,
        width: Array,
        ln_sigma_w2: Array,
        ln_sigma_b2: Array,
    ):
        """All arrays are (n,). `ln_q` and `share` (s) are those of the first layer; σ_w and σ_b of the hidden layers.

        `orthogonal` is 1 or 0, `excess` the excess kurtosis of the weights. `fixed`, of the first layer's weights, is
        the share of a vector's length that does not vary between draws: 0 for Gaussian weights, 1 for a square
        orthogonal matrix.
        """
        zeros = np.zeros_like(ln_q)
        self.moments = moments
        self.state = np.stack([ln_q, share, *[zeros] * 6])
        self.constants = np.stack([orthogonal, excess, width, ln_sigma_w2, ln_sigma_b2])
        self.fan_out = width  # of the weights above a layer
        self.fixed = fixed
        self.layers = 0  # processed
        self.sums = np.zeros((3, len(ln_q)))  # over them, without ln σ_w²: mean, variance, Σ e(T) without its last T
        self.steps = np.zeros((3, len(ln_q)))  # what the last layer added to them
        self.stationary = np.full(len(ln_q), -1)  # layers processed when the state no longer changed
        self.ln_value = np.empty(len(ln_q))  # ln E[φ²] of the last layer

    def set_layer(self, width: int, fan_out: int, ln_sigma_w2: float, ln_sigma_b2: float) -> None:
        """Take these for the next layer processed and for the weights and biases above it, in every network."""
        self.constants[2:] = np.array([width, ln_sigma_w2, ln_sigma_b2])[:, None]
        self.fan_out = np.full_like(self.fan_out, fan_out)
        self.stationary[:] = -1

    def advance_to(self, layers: int) -> None:
        """Process hidden layers up to this number. Networks in a stationary state are left as they are."""
        moving = np.nonzero(self.stationary < 0)[0]
        while self.layers < min(layers, MOST) and len(moving):
            before = self.state[:, moving]
            with np.errstate(all="ignore"):  # what overflows becomes nan
                after, step, self.ln_value[moving] = self._next_layer(before, moving)
            self.layers += 1
            self.sums[:, moving] += step
            self.steps[:, moving], self.state[:, moving] = step, after
            with np.errstate(invalid="ignore"):
                changed = np.abs(after - before) > STATIONARY * np.maximum(np.abs(after), STATIONARY)
            self.stationary[moving[~changed.any(axis=0)]] = self.layers
            moving = moving[changed.any(axis=0)]
            self.fixed = self.constants[0]  # from the second layer on, matrices are square
        if self.layers < layers:
            self.sums[:, moving] = np.nan
        self.layers = layers

    def _next_layer(self, state: Array, which: Array) -> tuple[Array, Array, Array]:
        """Process one layer: the next layer's state (8, k), the terms added to the sums (3, k), and ln E[φ²] (k,)."""
        ln_q, s = state[:2]
        at, sphere = self.moments.at(ln_q), np.square(s) * self.fixed[which]
        kappa, mean, variance = self._factor(state, which, at, sphere)
        following, by_t = self._following(state, which, at, sphere, kappa)
        return following, np.stack([mean, variance, by_t]), at.ln_value

    def _factor(self, state: Array, which: Array, at: MomentsAt, sphere: Array) -> tuple[Array, Array, Array]:
        """κ, and mean and variance of ln of a layer's factor without ln σ_w², each (k,); NaN in too narrow a layer.

        `sphere` is the s² that means over a sphere take with them: 0 for Gaussian weights.
        """
        ln_q, s, departure_mean, departure_variance, departure_covariance, alignment = state[:6]
        orthogonal, excess, n = self.constants[:3, which]
        alpha = at.slope_1
        second = 3 * at.slope_4 - 1 + excess_kappa(at.slope_4, self.fan_out[which], excess)  # cumulants of g²φ'²/m
        third = 15 * at.slope_6 - 9 * at.slope_4 + 2
        kappa = second - 2 * orthogonal - 2 * np.square(alpha) * sphere
        most = MOST_KAPPA if self.moments.activation.silent is None else MOST_KAPPA_SILENT
        too_narrow = (kappa > most * n) | self._lengths_too_spread(ln_q, departure_variance)
        kappa = np.where(too_narrow, np.nan, kappa)
        mean = at.ln_slope + alpha * departure_mean + at.slope_2 * departure_variance / 2 + 2 * alpha * s * alignment
        mean -= (kappa / 2 + sphere * (at.slope_2 + alpha * (alpha - 1))) / n
        mean += (third / 3 - 0.75 * second * second + orthogonal / 3) / (n * n)
        variance = kappa / n + 2 * alpha * departure_covariance + alpha * alpha * departure_variance
        variance += (2.5 * second * second - third - 2 * orthogonal) / (n * n)
        return kappa, mean, variance

    def _following(self, state: Array, which: Array, at: MomentsAt, sphere: Array, kappa: Array) -> tuple[Array, Array]:
        """The next layer's state, (8, k), and the Σ e(T) of the layers so far, (k,), which lacks its last T."""
        ln_q, s, departure_mean, departure_variance, departure_covariance, alignment, square, linear = state
        orthogonal, _, n, ln_sigma_w2, ln_sigma_b2 = self.constants[:, which]
        alpha = at.slope_1
        covariance = at.both - 1 - 2 * sphere * at.value_1 * alpha
        weights = ln_sigma_w2 + at.ln_value
        above = np.logaddexp(weights, ln_sigma_b2)
        share = np.exp(weights - above)
        noise = share * share * (at.value_4 - 1 - 2 * sphere * np.square(at.value_1)) / n
        passed_on = share * at.value_1  # factor of a departure
        curved = share * at.value_2 + share * (1 - share) * np.square(at.value_1)
        shift = share * sphere * (at.value_2 + at.value_1 * (at.value_1 - 1)) / n
        kept = s * np.square(at.value_1) * np.exp(at.ln_value - ln_q - at.ln_slope)  # ρ
        added = (at.both - orthogonal) / n  # w
        source = 1 + 2 * alpha * s - kept  # T of the layer below is this and ρ T
        following = [
            above,
            share,
            passed_on * departure_mean + curved * departure_variance / 2 - shift - noise / 2,
            passed_on * passed_on * departure_variance + noise,
            passed_on * (departure_covariance + alpha * departure_variance) + share * covariance / n,
            kept * alignment + added,
            square * kept * kept + 4 * kept * alignment * added,
            (2 * square * source + linear) * kept - 2 * kept * alignment * (kappa - covariance) / n,
        ]
        return np.stack(following), square * source * source + linear * source

    def _lengths_too_spread(self, ln_q: Array, departure_variance: Array) -> Array:
        """Whether lengths differ e-fold between draws and E[φ'²] depends on them two deviations away, (k,)."""
        too_spread = np.zeros(len(ln_q), dtype=bool)
        far = np.nonzero(departure_variance > 1)[0]
        for side in (-2, 2) if len(far) else ():
            alpha = self.moments.at(ln_q[far] + side * np.sqrt(departure_variance[far])).slope_1
            too_spread[far] |= np.abs(alpha) > CONSTANT
        return too_spread

    def totals(self, rows: slice, output: OutputLayer) -> tuple[Array, Array]:
        """Mean and variance of ln ‖∂C/∂z[1]‖² − ln ‖∂C/∂z[L]‖² of these networks, (k,), above the processed layers.

        NaN where the expansion has no answer.
        """
        orthogonal, _, n, ln_hidden, _ = self.constants[:, rows]
        stationary = self.stationary[rows]
        repeated = np.where(stationary < 0, 0, self.layers - stationary)
        mean, variance, by_t = self.sums[:, rows] + repeated * self.steps[:, rows]
        weights = output.ln_sigma_w2 + self.ln_value[rows]
        ln_q = np.logaddexp(weights, output.ln_sigma_b2)
        varying = (orthogonal - output.fixed) / n
        share = np.exp(weights - ln_q)
        excess = 0.0 if output.moments is None else 2 * output.moments.at(ln_q).slope_1 * share  # T − 1
        mean = mean + (self.layers - 1) * ln_hidden + output.ln_sigma_w2 + varying
        mean += excess * (self.state[ALIGNMENT, rows] + varying)
        T = 1 + excess
        by_t = by_t + self.state[SQUARE, rows] * T * T + self.state[LINEAR, rows] * T
        variance = variance + 2 * varying + by_t
        with np.errstate(invalid="ignore"):
            answers = np.abs(by_t) <= MOST_BY_T * variance + ROUNDING
        return np.where(answers, mean, np.nan), np.where(answers, variance, np.nan)
