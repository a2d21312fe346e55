"""The way back through a network whose slope depends on lengths, to leading order in 1/width.

Given the length of the layer below, the n preactivations z of a layer are independent draws from N(0, q), and one layer
multiplies ‖∂C/∂z‖² by (σ_w²/n) Σ g²φ'(z)², g standard normal. Write ℓ = ln q, m = E[φ'²], v = E[φ²], and s for the
weights' share of q (the rest is the biases'). Then, per layer, ln of that factor has, beside ln σ_w² + ln m,

    variance  κ/n,   κ = 3E[φ'⁴]/m² − 1                    mean  −κ/2n

and ℓ itself is a random walk about its mean-field path: a layer adds to ℓ noise of variance s²(E[φ⁴]/v² − 1)/n, of
covariance s(E[φ²φ'²]/(vm) − 1)/n with the factor of the layer below it, and of mean −½ its variance; the next layer
passes on d(next ℓ)/dℓ = s·d ln v/dℓ of a departure. Through ln m(ℓ) these enter the factors: first derivatives in the
variance, and second ones in the mean. At the fixed point the variance per layer becomes that of a stationary process,
[κ + 2α·s·c/(1 − χ) + α²s²ν/(1 − χ)²]/n with α = d ln m/dℓ, c and ν the covariance and variance above.

Last, W is not independent of what z made of it. In the one direction of r[k], W ∂C/∂z[k+1] is ⟨z − b, ∂C/∂z⟩/‖r‖, whose
mean square is T times that of another direction: T − 1 = 2αs + ρ(T' − 1), T' of the layer above (1 at the top, whose
start is independent), ρ = s(d ln v/dℓ)²v/(qm). One direction of n, in which φ'² is not what it is elsewhere: the mean
gets (T − 1)E[φ²φ'²]/(vm)/n. For ReLU, leaky ReLU and linear α = 0, and all but κ is nil.

T varies between draws too. The component along r[k] is √ρ times that of the layer above and new noise: where ρ is near
1 a departure lasts for many layers, and ln T gains what ln ‖∂C/∂z‖² and ln ‖r‖² lose. A layer adds e(T) = 2ρP·T(2wT −
(κ − c)/n) to the variance, w = E[φ²φ'²]/(vm)/n its own share and P the sum of such shares below it, each times the ρ in
between. That is of order 1/n², but grows with depth where χ_q² is near χ₁ or above (softplus); ReLU and linear, T = 1,
have none.

An expansion in 1/n has no answer (nan) for layers too narrow for it: where κ > n; where more than a third of the
variance comes by way of T; and where lengths differ e-fold between draws and the slope depends on them (gelu and silu
between vanishing and growing).

For an orthogonal matrix the lengths of W's product with r, and with ∂C/∂z, are fixed, not χ²: what varies with them
is taken out. κ becomes 3(E[φ'⁴]/m² − 1) − 2α²s² (linear 0, ReLU 3), ν and c lose 2(s·d ln v/dℓ)² and 2α·s²·d ln v/dℓ,
and means over a sphere replace Gaussian ones: minus s² times the second derivative q²m''/(mn), q²v''/(vn).

Sources: for κ, Hanin & Nica 2020; for a network's lengths, Poole et al. 2016; else derived here and held to simulation.
"""

import numpy as np

from harness.theory.moments import Moments

Array = np.ndarray

SETTLED = 1e-13  # change of a network's state from one layer to the next below which it is taken to be steady
MOST = 2**14  # layers passed one by one: a network that has not settled by then has no answer beyond
ROUNDING = 1e-12  # of sums that may both be nothing: an orthogonal network with straight slopes
MOST_BY_T = 1 / 3  # share of the variance
STRAIGHT = 0.1  # |d ln m/dℓ| up to which it hardly matters what a length is
ALIGNMENT, SQUARE, LINEAR = 5, 6, 7  # places in a state


class Expansion:
    """Networks on their way up together, (n,) of them; sums over the layers passed so far.

    `state`, (8, n), of the next layer: ℓ on its mean-field path; s; mean and variance of the departure from the path;
    its covariance with the sum; P; and what is known so far of Σ e(T) as a polynomial in T of the last layer passed,
    its coefficients of T² and T.
    """

    def __init__(self, moments: Moments, ln_q: Array, share: Array, fixed: Array, orthogonal: Array, width: Array,
                 ln_sigma_w2: Array, ln_sigma_b2: Array):  # fmt: skip
        """`fixed`: 1 where a sphere's radius does not vary, 0 where it is χ² (Gaussian weights), in the first layer."""
        nothing = np.zeros_like(ln_q)
        self.moments = moments
        self.state = np.stack([ln_q, share, *[nothing] * 6])
        self.constants = np.stack([orthogonal, width, ln_sigma_w2, ln_sigma_b2])
        self.fixed = fixed
        self.layers = 0  # passed
        self.sums = np.zeros((3, len(ln_q)))  # over them, without ln σ_w²: mean, variance, Σ e(T) apart from its T
        self.steps = np.zeros((3, len(ln_q)))  # what the last one added
        self.settled = np.full(len(ln_q), -1)  # layers passed when all that follow add the same
        self.ln_value = np.empty(len(ln_q))  # ln E[φ²] of the last one

    def climb(self, layers: int) -> None:
        """Pass layers until so many are passed; a network whose state no longer changes waits."""
        moving = np.nonzero(self.settled < 0)[0]
        while self.layers < min(layers, MOST) and len(moving):
            before = self.state[:, moving]
            with np.errstate(all="ignore"):  # what overflows is not known, and becomes nan
                after, step, self.ln_value[moving] = self._passed(before, moving)
            self.layers += 1
            self.sums[:, moving] += step
            self.steps[:, moving], self.state[:, moving] = step, after
            with np.errstate(invalid="ignore"):
                changed = np.abs(after - before) > SETTLED * np.maximum(np.abs(after), SETTLED)
            self.settled[moving[~changed.any(axis=0)]] = self.layers
            moving = moving[changed.any(axis=0)]
            self.fixed = self.constants[0]  # from the second layer on, square matrices
        if self.layers < layers:
            self.sums[:, moving] = np.nan
        self.layers = layers

    def _passed(self, state: Array, which: Array) -> tuple[Array, Array, Array]:
        """One layer: the next one's state, what this one adds to mean and variance, and its ln E[φ²]."""
        ln_q, s, drift, wander, tied, alignment, square, linear = state
        orthogonal, n, ln_sigma_w2, ln_sigma_b2 = self.constants[:, which]
        fixed = self.fixed[which]
        at = self.moments.at(ln_q)
        alpha, sphere = at.slope_1, np.square(s) * fixed
        kappa = 3 * at.slope_4 - 1 - 2 * orthogonal - 2 * np.square(alpha) * sphere
        kappa = np.where((kappa > n) | self._strays(ln_q, wander), np.nan, kappa)  # too narrow for an expansion in 1/n
        covariance = at.both - 1 - 2 * sphere * at.value_1 * alpha
        mean = at.ln_slope + alpha * drift + at.slope_2 * wander / 2 + 2 * alpha * s * alignment
        mean -= (kappa / 2 + sphere * (at.slope_2 + alpha * (alpha - 1))) / n
        variance = kappa / n + 2 * alpha * tied + alpha * alpha * wander
        weights = ln_sigma_w2 + at.ln_value
        above = np.logaddexp(weights, ln_sigma_b2)
        share = np.exp(weights - above)
        noise = share * share * (at.value_4 - 1 - 2 * sphere * np.square(at.value_1)) / n
        passed = share * at.value_1  # the departure's factor
        curved = share * at.value_2 + share * (1 - share) * np.square(at.value_1)
        shift = share * sphere * (at.value_2 + at.value_1 * (at.value_1 - 1)) / n
        kept = s * np.square(at.value_1) * np.exp(at.ln_value - ln_q - at.ln_slope)  # ρ
        added = (at.both - orthogonal) / n  # w
        source = 1 + 2 * alpha * s - kept  # T of the layer below is this and ρ T
        following = [
            above, share,
            passed * drift + curved * wander / 2 - shift - noise / 2,
            passed * passed * wander + noise,
            passed * (tied + alpha * wander) + share * covariance / n,
            kept * alignment + added,
            square * kept * kept + 4 * kept * alignment * added,
            (2 * square * source + linear) * kept - 2 * kept * alignment * (kappa - covariance) / n,
        ]  # fmt: skip
        steps = [mean, variance, square * source * source + linear * source]
        return np.stack(following), np.stack(steps), at.ln_value

    def _strays(self, ln_q: Array, wander: Array) -> Array:
        """Where lengths differ e-fold between draws, and two deviations from the path the slope depends on them."""
        strays = np.zeros(len(ln_q), dtype=bool)
        far = np.nonzero(wander > 1)[0]
        for side in (-2, 2) if len(far) else ():
            strays[far] |= np.abs(self.moments.at(ln_q[far] + side * np.sqrt(wander[far])).slope_1) > STRAIGHT
        return strays

    def ended(self, rows: slice, ln_sigma_w2: float, ln_sigma_b2: float, fixed: float, straight: bool):
        """Mean and variance of ln ‖∂C/∂z[1]‖² − ln ‖∂C/∂z[L]‖² with an output layer above the layers passed.

        `fixed` is as above, of the output layer's way back; `straight`: it has no activation.
        """
        orthogonal, n, ln_hidden, _ = self.constants[:, rows]
        settled = self.settled[rows]
        waited = np.where(settled < 0, 0, self.layers - settled)
        mean, variance, by_t = self.sums[:, rows] + waited * self.steps[:, rows]
        weights = ln_sigma_w2 + self.ln_value[rows]
        ln_q = np.logaddexp(weights, ln_sigma_b2)
        loose = (orthogonal - fixed) / n
        excess = 0.0 if straight else 2 * self.moments.at(ln_q).slope_1 * np.exp(weights - ln_q)  # T − 1
        mean = mean + (self.layers - 1) * ln_hidden + ln_sigma_w2 + loose
        mean += excess * (self.state[ALIGNMENT, rows] + loose)
        T = 1 + excess
        by_t = by_t + self.state[SQUARE, rows] * T * T + self.state[LINEAR, rows] * T
        variance = variance + 2 * loose + by_t
        with np.errstate(invalid="ignore"):
            answers = np.abs(by_t) <= MOST_BY_T * variance + ROUNDING
        return np.where(answers, mean, np.nan), np.where(answers, variance, np.nan)
