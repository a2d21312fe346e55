"""Residual connections: where a skip leads past a layer, and the factor alpha of the branch beside it.

With N the normalisation, if there is one, a hidden layer from the second on computes

    pre       z[k] = z[k−1] + alpha·(r[k−1] @ W[k−1] + b[k−1])     r[k] = phi(N(z[k]))                He et al. 2016b
    inside    z[k] = r[k−1] @ W[k−1] + b[k−1]                      r[k] = r[k−1] + alpha·phi(N(z[k]))
    post      z[k] = r[k−1] + alpha·(r[k−1] @ W[k−1] + b[k−1])     r[k] = phi(N(z[k]))                He et al. 2016a

so that the skip carries z, or r, or leads from r to z. The first layer and the output layer have no skip. With
`every: m`, the branch of `pre` has m layers: z[k] = z[k−m] + alpha·(r[k−1] @ W[k−1] + b[k−1]) for k = 1 + m, 1 + 2m, …,
and the layers between are plain, as are those above the last such k.

An entry of RESIDUALS is a function that returns the residual connection; a config may give its arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Residual:
    """The order of a skip; alpha · depth^depth_power is the factor of the branch, and `every` its number of layers."""

    name: str
    alpha: float
    depth_power: float
    summary: str
    every: int = 1

    def branch_scale(self, depth: int) -> float:
        """The factor of the branch in a network of this depth."""
        return self.alpha * float(depth) ** self.depth_power


def none() -> Residual:
    return Residual("none", 1.0, 0.0, "no skips")


def pre(alpha: float = 1.0, depth_power: float = 0.0, every: float = 1.0) -> Residual:
    if every < 1 or every != int(every):
        raise ValueError(f"every must be a whole number of layers, 1 or more, not {every:g}")
    made = _residual("pre", alpha, depth_power, "z + alpha·phi(N(z))W, over `every` layers; He et al. 2016b")
    return replace(made, every=int(every))


def inside(alpha: float = 1.0, depth_power: float = 0.0) -> Residual:
    return _residual("inside", alpha, depth_power, "r + alpha·phi(N(rW))")


def post(alpha: float = 1.0, depth_power: float = 0.0) -> Residual:
    return _residual("post", alpha, depth_power, "phi(N(r + alpha·rW)); He et al. 2016a")


def _residual(name: str, alpha: float, depth_power: float, summary: str) -> Residual:
    if not alpha >= 0:
        raise ValueError(f"alpha must be 0 or more, not {alpha:g}")
    return Residual(name, alpha, depth_power, summary)


RESIDUALS: dict[str, Callable[..., Residual]] = {make.__name__: make for make in (none, pre, inside, post)}
