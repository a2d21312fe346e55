"""The block `training:` of a config as pydantic models; each field describes its key, and `__doc__` the model."""

from typing import Annotated, Any

from pydantic import Field

from harness.config import axes
from harness.config.types.axes import choice_axis, numeric_axis
from harness.config.types.values import Accepts, Strict, distinct, number, optional, whole, word
from harness.networks.kinds import Named
from harness.networks.training.optimisers import OPTIMISERS

OF_RECIPES = ("optimiser", "learning_rate", "clip", "batch")  # the axes, in the order of their product

_OPTIMISERS = choice_axis(Named("an optimiser", OPTIMISERS, synonyms={}))
_RATES = numeric_axis("learning_rate", number("a learning rate", above=0))
_CLIPS = numeric_axis("clip", number("a clip", above=0), nullable=True)
MOST_TIMES = 10**5  # recorded steps of a run; beyond these its tables are gigabytes, or it was mistyped
_BATCHES = numeric_axis("batch", whole("a batch"))
_REACHED = distinct(number("a cost", above=0), "a list of costs", "[0.5, 0.1]")


class Split(Strict):
    __doc__ = "How many rows train, validate and test; the same rows for all networks of a replicate."

    train: Annotated[int, Accepts(whole("a number of rows"))] = Field(1000, description="Rows that train.")
    validation: Annotated[int, Accepts(whole("a number of rows"))] = Field(297, description="Rows that validate.")
    test: Annotated[int | None, Accepts(optional(whole("a number of rows")))] = Field(
        None, description="Rows that test; default null, all others, or with inputs: gaussian as many as validate."
    )


class Record(Strict):
    __doc__ = "At which steps networks are recorded."

    times: Annotated[int, Accepts(whole("a number of times", at_least=2, at_most=MOST_TIMES))] = Field(
        12, description="How many steps are recorded, the start and the last among them."
    )
    spacing: Annotated[str, Accepts(word("a spacing", ("linear", "log")))] = Field(
        "log", description="Whether they differ by equal ratios (log) or equal steps (linear)."
    )


class Training(Strict):
    __doc__ = "How every network is trained: by each recipe in the product of optimiser, learning_rate, clip and batch."

    optimiser: Annotated[tuple, Accepts(_OPTIMISERS)] = Field(
        ("sgd",), validate_default=True, description="Optimiser: a name, or a name with parameters; an axis."
    )
    learning_rate: Annotated[tuple, Accepts(_RATES)] = Field(description="Learning rate; an axis.")
    clip: Annotated[tuple, Accepts(_CLIPS)] = Field(
        (None,), description="Largest norm of each network's gradient, which is clipped to it; null for none; an axis."
    )
    batch: Annotated[tuple, Accepts(_BATCHES)] = Field(
        (32,), description="Samples in a minibatch, drawn without replacement in each epoch; an axis."
    )
    steps: Annotated[int, Accepts(whole("a number of steps"))] = Field(description="Number of steps.")
    split: Split = Field(Split(), description="The rows that train, validate and test.")
    record: Record = Field(Record(), description="The steps that are recorded.")
    reached: Annotated[tuple[float, ...], Accepts(_REACHED)] = Field(
        (), description="Costs; the first step at which a network's training cost has fallen to each is recorded too."
    )

    def axes(self) -> dict[str, tuple]:
        """The axes of the recipes, in the order of their product."""
        return {key: getattr(self, key) for key in OF_RECIPES}


KEYS = {
    name: tuple(model.model_fields) for name, model in (("training", Training), ("split", Split), ("record", Record))
}
MISSING = {
    "learning_rate": "missing; add it, such as learning_rate: 0.1",
    "steps": "missing; add it, such as steps: 600",
}


def plain(training: Training | None) -> dict[str, Any] | None:
    """The block as a config writes it, with every default written out."""
    if training is None:
        return None
    return {
        **{key: axes.plain(axis) for key, axis in training.axes().items()},
        "steps": training.steps,
        "split": training.split.model_dump(),
        "record": training.record.model_dump(),
        "reached": list(training.reached),
    }
