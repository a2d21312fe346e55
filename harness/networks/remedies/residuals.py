"""Residual connections: where a skip leads past a layer, and the factor alpha of the branch beside it.

With N the normalisation, if there is one, a hidden layer from the second on computes

    pre       z[k] = z[k−1] + alpha·(r[k−1] @ W[k−1] + b[k−1])     r[k] = phi(N(z[k]))                He et al. 2016b
    inside    z[k] = r[k−1] @ W[k−1] + b[k−1]                      r[k] = r[k−1] + alpha·phi(N(z[k]))
    post      z[k] = r[k−1] + alpha·(r[k−1] @ W[k−1] + b[k−1])     r[k] = phi(N(z[k]))                He et al. 2016a

so that the skip carries z, or r, or leads from r to z. The first layer and the output layer have no skip. With
`every: m`, the branch of `pre` has m layers: z[k] = z[k−m] + alpha·(r[k−1] @ W[k−1] + b[k−1]) for k = 1 + m, 1 + 2m, …,
and the layers between are plain, as are those above the last such k.

`fixup` is `pre` with branches of m ≥ 2 layers that start by the rule of Zhang, Dauphin & Ma 2019: the last W of a
branch is 0, and the others are scaled by L^(−1/(2m − 2)), with L branches. Their scalar multipliers and biases start at
1 and 0. They also start the output layer at 0, which is left out here: no gradient would pass it.

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
    by_rule: bool = False  # whether branches start by Fixup's rule

    @property
    def order(self) -> str:
        """Which of the equations it is."""
        return "pre" if self.by_rule else self.name

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


def fixup(every: float = 2.0) -> Residual:
    if every < 2 or every != int(every):
        raise ValueError(f"every must be a whole number of layers, 2 or more, not {every:g}")
    return Residual("fixup", 0.0, 0.0, "pre, branches start at 0; Zhang, Dauphin & Ma 2019", int(every), by_rule=True)


def _residual(name: str, alpha: float, depth_power: float, summary: str) -> Residual:
    if not alpha >= 0:
        raise ValueError(f"alpha must be 0 or more, not {alpha:g}")
    return Residual(name, alpha, depth_power, summary)


RESIDUALS: dict[str, Callable[..., Residual]] = {make.__name__: make for make in (none, pre, inside, post, fixup)}
