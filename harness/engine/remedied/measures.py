"""Measures of layers that are normalised or have skips, of the sums taken in their backward pass.

The factors of a layer are norms after and before, so their products telescope. A branch is propagated without its
factor alpha, so that its own factors are known even where alpha is 0; the gradients that contain alpha get it here.
`block` names what leads past a layer k ≥ 2 beside its skip: from ∂C/∂z[k] to ∂C/∂z[k − every] (pre), from ∂C/∂r[k] to
∂C/∂r[k−1] (inside), from ∂C/∂z[k] to ∂C/∂r[k−1] (post).
"""

import numpy as np

from harness.base.arrays import LOG10_2, Array, log10_of, log10_ratio
from harness.engine.lanes.groups import Remedy
from harness.engine.measures import Measure, measures, of_backward, with_own
from harness.engine.remedied.sums import RemediedSums
from harness.engine.sums import Squares


def log10_root(sums: Squares) -> Array:
    """log10 of the norm, (layers, depths, replicates, lanes)."""
    return log10_of(sums.squares) / 2 + sums.exponent * LOG10_2


def log10_activation_factor(sums: RemediedSums) -> Array:
    """‖after phi'‖ / ‖before‖."""
    if sums.remedy.after:
        return log10_ratio(log10_root(sums.second), log10_root(sums.first))
    return log10_ratio(log10_root(sums.first), log10_root(sums.grad_r)[1:])


def log10_weight_factor(sums: RemediedSums) -> Array:
    """‖∂C/∂z[k] @ W[k−1].T‖ / ‖∂C/∂z[k]‖."""
    return log10_ratio(log10_root(sums.below), log10_root(sums.delta))


@measures("decades", "‖∂C/∂z[k]‖ / ‖∂C/∂z_hat[k]‖, or with normalise: outputs ‖∂C/∂phi(z[k])‖ / ‖∂C/∂r[k]‖; else null")
def log10_normalisation_factor(sums: RemediedSums) -> Array:
    if sums.remedy.after:
        return log10_ratio(log10_root(sums.first), log10_root(sums.grad_r)[1:])
    return log10_ratio(log10_root(sums.second), log10_root(sums.first))


@measures("decades", "‖branch‖ / ‖skip‖ of the gradient in the block of layer k; null without a skip")
def log10_branch_ratio(sums: RemediedSums) -> Array:
    return log10_ratio(log10_root(sums.branch), log10_root(sums.skip)) + log10_of(sums.remedy.alpha)


@measures("cosine", "Cosine between the gradients of branch and skip, over the whole batch; null without a skip")
def branch_cosine(sums: RemediedSums) -> Array:
    return sums.cosine


@measures("decades", "The block's factor, ½·log10(1 + ρ² + 2ρ·cos) with ρ the branch ratio; null without a skip")
def log10_block_factor(sums: RemediedSums) -> Array:
    return log10_ratio(log10_root(sums.joined), log10_root(sums.skip))


@measures("log10", "‖∂C/∂gamma[k]‖, of the factors after the normalisation, which start at 1; null without")
def log10_grad_gamma(sums: RemediedSums) -> Array:
    return log10_root(sums.grad_gamma)


@measures("log10", "‖∂C/∂beta[k]‖, of the shifts after the normalisation, which start at 0; null without")
def log10_grad_beta(sums: RemediedSums) -> Array:
    return log10_root(sums.grad_beta)


@measures("divisions", "Divisions by a standard deviation that LSUV took for W[k−1]; null without")
def lsuv_divisions(sums: RemediedSums) -> Array:
    return sums.divisions


OF_NORMALISATION = (log10_normalisation_factor, log10_grad_gamma, log10_grad_beta)
OF_SKIPS = (log10_branch_ratio, branch_cosine, log10_block_factor)
OF_SCALES = (lsuv_divisions,)
REMEDIED: dict[str, Measure[RemediedSums]] = {entry.name: entry for entry in (*OF_NORMALISATION, *OF_SKIPS, *OF_SCALES)}


def backward_columns(sums: RemediedSums) -> dict[str, Array]:
    """Every measure of the backward pass, (layers, depths, replicates, lanes)."""
    entries = [*OF_SKIPS] if sums.remedy.order else []
    entries += OF_NORMALISATION if sums.remedy.normalisation else ()
    entries += OF_SCALES if sums.remedy.within is not None else ()
    return {
        **of_backward(sums),
        "log10_activation_factor": log10_activation_factor(sums),
        "log10_weight_factor": log10_weight_factor(sums),
        **{entry.name: entry(sums) for entry in entries},
    }


OF_Z = ("log10_grad_preactivations", "log10_max_grad_preactivations")
OF_PARAMETERS = ("log10_grad_weights", "mean_abs_grad_weights", "log10_grad_biases")
OF_AFFINE = ("log10_grad_gamma", "log10_grad_beta")


def add_alpha(columns: dict[str, Array], remedy: Remedy, depth: int) -> dict[str, Array]:
    """The columns of networks of one depth, (depth, replicates, lanes), with alpha where the gradient contains it.

    These are the layers 2 … depth − 1 up to the last that ends a skip; for an order `pre` also the r[k] that a branch
    starts from, and the z[k] within one.
    """
    k = np.arange(1, depth + 1)[:, None, None]
    end, end_above = (1 + remedy.every * -(-(layer - 1) // remedy.every) for layer in (k, k + 1))  # of their skip
    in_branch, starts_branch = (k > 1) & (end < depth), end_above < depth
    contain = {"pre": OF_PARAMETERS, "inside": (*OF_Z, *OF_PARAMETERS, *OF_AFFINE), "post": OF_PARAMETERS}
    alpha = log10_of(remedy.alpha)
    in_parameters = (
        in_branch & (k < end) if remedy.last_ruled else in_branch
    )  # the last W of Fixup's branch is itself 0
    shifts = dict.fromkeys(contain.get(str(remedy.order), ()), np.where(in_parameters, alpha, 0.0))
    if remedy.order == "pre":
        shifts |= dict.fromkeys(("log10_grad_outputs", *OF_AFFINE), np.where(starts_branch, alpha, 0.0))
        shifts |= dict.fromkeys(OF_Z, np.where(in_branch & (k < end), alpha, 0.0))
    shifts = with_own(shifts)
    return {name: values + shifts[name] if name in shifts else values for name, values in columns.items()}
