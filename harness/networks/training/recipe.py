"""How networks are trained: the recipes of a sweep, and what all of its training runs share."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from hashlib import blake2b

from harness.networks.kinds import Choice
from harness.networks.training.optimisers import OPTIMISERS, Optimiser


@dataclass(frozen=True)
class Recipe:
    """The settings in which the training runs of one network differ."""

    optimiser: Choice
    learning_rate: float
    clip: float | None  # largest norm of a network's own gradient; None: no clipping
    batch: int

    @cached_property
    def key(self) -> str:
        """Eight hexadecimal digits that depend on these settings alone."""
        return blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=4).hexdigest()


# The columns of a recipe, with their meanings.
RECIPE = {
    "optimiser": "Optimiser, with the parameters that differ from their defaults",
    "learning_rate": "Learning rate",
    "clip": "Largest norm of the network's gradient, to which it is clipped; null for no clipping",
    "batch": "Samples in a minibatch",
}


@dataclass(frozen=True)
class Training:
    """What all training runs of a sweep share. Every network is trained by every recipe."""

    recipes: tuple[Recipe, ...]
    steps: int
    train: int  # rows
    validation: int
    test: int
    recorded: tuple[int, ...]  # steps, ascending from 0
    reached: tuple[float, ...] = ()  # costs whose first step is recorded as well

    @property
    def rows(self) -> int:
        """Rows of data that a replicate takes."""
        return self.train + self.validation + self.test


def recorded_steps(steps: int, times: int, spacing: str) -> tuple[int, ...]:
    """Up to `times` steps from 0 to `steps`, evenly spread, or by equal ratios from 1 on (`log`)."""
    if spacing == "log":
        inner = [steps ** (i / (times - 2)) for i in range(times - 1)] if times > 2 else []
    else:
        inner = [steps * i / (times - 1) for i in range(times)]
    return tuple(sorted({0, steps, *(int(step + 0.5) for step in inner)}))


def optimiser_of(choice: Choice) -> Optimiser:
    """The optimiser that a choice names, made with its parameters. Raises KeyError for an unknown name."""
    return _optimiser(OPTIMISERS[choice.name], choice.parameters)


@cache
def _optimiser(make: Callable[..., Optimiser], parameters: tuple[tuple[str, float], ...]) -> Optimiser:
    return make(**dict(parameters))
