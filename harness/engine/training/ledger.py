"""The norm ledger of training: what of ‖W[k]‖² came from the gradient's direction, and what from the steps' size.

    ‖W_T‖² = ‖W_0‖² + Σ 2⟨W, u⟩ + Σ ‖u‖²

holds for the updates u of every optimiser and telescopes over steps, as the factors of a gradient do over layers. Under
SGD, the sum over a layer with a positively homogeneous activation obeys a conservation law at every learning rate:

    Δ(‖W_k‖² + ‖b_k‖² − ‖W_{k+1}‖²) = Σ (‖u_k‖² + ‖u_bk‖² − ‖u_{k+1}‖²)

because ⟨W_k, ∂C/∂W_k⟩ + ⟨b_k, ∂C/∂b_k⟩ = ⟨W_{k+1}, ∂C/∂W_{k+1}⟩. Source: Du, Hu & Lee 2018, for the gradient flow.

Both are of weights and biases: gamma and beta of normalised layers are trained but not entered. A normalised layer does
not feel the scale of its weights and biases, so ⟨W_k, ∂C/∂W_k⟩ + ⟨b_k, ∂C/∂b_k⟩ = 0 without epsilon (van Laarhoven
2017): the conservation law is not that of networks with normalised layers, nor with skips.
"""

import numpy as np

from harness.base.arrays import LOG10_2, Array, inner, log10_of
from harness.base.scaled import Scaled
from harness.engine.training.at_start import Stack


class NormLedger:
    """The sums since the start, of each run and layer, (runs, depth), float64."""

    def __init__(self, stack: Stack) -> None:
        self.start, self.start_biases = stack.squares()
        self.first = [W.copy() for W in stack.weights]
        shape = self.start.shape
        self.flow, self.size = np.zeros(shape), np.zeros(shape)  # Σ 2⟨W, u⟩ and Σ ‖u‖²
        self.size_biases = np.zeros(shape)
        self._entered: list[tuple[Array, ...]] = [()] * shape[1]  # what each layer adds at this step, (runs, 1) each

    def enter(self, k: int, layer: Array, update: Scaled) -> None:
        """Note an update of layer k, given its parameters before it; both have the shape of `Stack.layers`."""
        n = self.first[k].shape[-2]
        u, u_bias = (Scaled(update.mantissa[..., rows, :], update.exponent) for rows in (slice(n), slice(n, n + 1)))
        flow = inner(layer[..., :n, :], u.mantissa), update.exponent
        self._entered[k] = *flow, *u.flat_squares, *u_bias.flat_squares

    def add_step(self) -> tuple[Array, Array]:
        """Add the updates of all layers that were noted.

        Returns log10 of their norms ‖u‖, (runs, depth), and the largest ‖u‖² or ‖u_b‖² of each run, (runs,).
        """
        flow, exponent, *squares = (np.concatenate(column, axis=-1) for column in zip(*self._entered, strict=True))
        size, of_size, size_biases, of_biases = squares
        steps, of_bias = np.ldexp(size, 2 * of_size), np.ldexp(size_biases, 2 * of_biases)
        self.flow += np.ldexp(2 * flow, exponent)
        self.size += steps
        self.size_biases += of_bias
        return log10_of(size) / 2 + of_size * LOG10_2, np.maximum(steps, of_bias).max(axis=-1)

    def moved(self, stack: Stack) -> Array:
        """‖W − W_0‖/‖W_0‖, (runs, depth)."""
        away = [np.square((W - first).astype(np.float64)) for W, first in zip(stack.weights, self.first, strict=True)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(np.stack([a.sum(axis=(1, 2, 3)) for a in away], axis=-1) / self.start)

    def balance_residual(self, stack: Stack) -> Array:
        """The two sides of the conservation law of layers k and k + 1, their difference over ‖W_k‖², (runs, depth).

        NaN for the last layer.
        """
        weights, biases = stack.squares()
        change = weights - self.start - self.size
        with_biases = change + biases - self.start_biases - self.size_biases
        residual = np.full(weights.shape, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            residual[:, :-1] = (with_biases[:, :-1] - change[:, 1:]) / weights[:, :-1]
        return residual
