"""The grids of networks that are timed: products of activations, weight scales and depths."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.networks.spec import Choice, NetworkSpec

ACTIVATIONS = ("relu", "sigmoid")
EPSILON = 1e-5  # of a normalisation, the frameworks' default; PyTorch's batch normalisation takes no 0


@dataclass(frozen=True)
class Stack:
    """Networks that differ in their weight scale alone: what a peer can run as one batch."""

    activation: str
    scales: tuple[float, ...]
    depth: int
    width: int
    batch: int
    normalisation: str = "none"  # of the hidden layers, before the activation

    @property
    def gains(self) -> np.ndarray:
        """W = gain · a standard normal draw, (networks,): He's initialisation times the weight scale."""
        return np.array(self.scales) * np.sqrt(2 / self.width)

    @property
    def specs(self) -> tuple[NetworkSpec, ...]:
        n = self.width
        normalisation = Choice(self.normalisation, (("epsilon", EPSILON),) if self.normalisation != "none" else ())
        return tuple(
            NetworkSpec(
                activation=Choice(self.activation),
                init=Choice("he_normal"),
                weight_scale=scale,
                bias_scale=0.0,
                depth=self.depth,
                width=n,
                input_width=n,
                output_width=n,
                normalisation=normalisation,
            )
            for scale in self.scales
        )


@dataclass(frozen=True)
class Grid:
    """Square networks without biases, both activations."""

    name: str
    depths: tuple[int, ...]
    scales: tuple[float, ...]
    width: int
    batch: int = 64
    normalisation: str = "none"

    def stacks(self) -> Iterator[Stack]:
        for activation in ACTIVATIONS:
            for depth in self.depths:
                yield Stack(activation, self.scales, depth, self.width, self.batch, self.normalisation)

    @property
    def plain(self) -> "Grid":
        """The same networks without normalisation."""
        return replace(self, normalisation="none")

    @property
    def specs(self) -> tuple[NetworkSpec, ...]:
        return tuple(spec for stack in self.stacks() for spec in stack.specs)

    @property
    def layers(self) -> int:
        """Layers of all networks, each one a row of the table."""
        return len(ACTIVATIONS) * len(self.scales) * sum(self.depths)

    @property
    def title(self) -> str:
        depths = f"depth {self.depths[0]}"
        if len(self.depths) > 1:
            depths = f"{len(self.depths)} depths ({self.depths[0]} … {self.depths[-1]})"
        axes = f"{depths}, {len(self.scales)} weight scales, {' and '.join(ACTIVATIONS)}"
        size = f"width {self.width}, batch {self.batch}"
        if self.normalisation != "none":
            size += f", {self.normalisation} normalisation"
        return f"**{self.name}**: {axes}, {size}: {len(self.specs)} networks, {self.layers:,} layers"


def _scales(count: int) -> tuple[float, ...]:
    return tuple(np.linspace(0.5, 2, count).tolist())


GRIDS = {
    grid.name: grid
    for grid in (
        Grid("depth", tuple(2**i for i in range(1, 9)), _scales(8), width=128),
        Grid("wide", (64,), _scales(4), width=512),
        Grid("deep", (5000,), _scales(4), width=64),
        Grid("batch", tuple(2**i for i in range(1, 9)), _scales(8), width=128, normalisation="batch"),
        Grid("layer", tuple(2**i for i in range(1, 9)), _scales(8), width=128, normalisation="layer"),
    )
}
SMALL = Grid("small", (1, 2, 9), _scales(3), width=16, batch=8)  # for the check that everybody computes the same
