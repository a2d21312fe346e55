"""What claims take from a sweep's results: the networks that a claim speaks of, in groups of independent draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from harness.errors import HarnessError, ResultsError

Array = np.ndarray

# What tells networks apart, replicates aside; the order in which a group's words name them.
COORDINATES = ("activation", "init", "weight_scale", "bias_scale", "depth", "width", "input_width", "output_width",
               "output")  # fmt: skip
_ON_LAYERS = ("input_width", "output_width", "output", "sigma_w")  # which the table `layers` does not repeat
_IN_LAYERS = ("network", *(name for name in COORDINATES if name not in _ON_LAYERS), "replicate", "layer")
# By which layers of other networks are passed over unread. No fractions: pyarrow 26 finds 0.0 in no list of them.
_BOUNDING = ("activation", "init", "depth", "width")


class DoesNotApply(HarnessError):
    """A claim speaks of networks that a sweep does not have."""


@dataclass(frozen=True)
class Selected:
    """Results as a claim sees them: of the networks for which each condition of its scope holds.

    A condition is an expression as `harness show --where` takes it, of the columns of `networks` and of `cost`,
    `dtype`, `batch`, `inputs` and `targets`, which are the sweep's, and `alive`. `layers` has some more columns of
    `networks`. Raises DoesNotApply where a condition leaves no network.
    """

    results: Any
    scope: tuple[str, ...] = ()

    @property
    def sweep(self) -> Any:
        return self.results.sweep

    @cached_property
    def networks(self) -> pd.DataFrame:
        return self._chosen[0]

    @property
    def restrictions(self) -> tuple[str, ...]:
        """The conditions that not all networks of the sweep meet."""
        return self._chosen[1]

    @cached_property
    def _chosen(self) -> tuple[pd.DataFrame, tuple[str, ...]]:
        networks, restrictions = _described(self.results), []
        for condition in self.scope:
            holds = networks.eval(condition, engine="python", local_dict={}, global_dict={}).astype(bool)
            if not holds.any():
                raise DoesNotApply(f"does not apply: it speaks of networks with {condition}, and this sweep has none")
            restrictions += [] if holds.all() else [condition]
            networks = networks[holds]
        return networks, tuple(restrictions)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """All of their layers, with every column: `read` takes some."""
        return self._of_these(self.results.layers)

    def read(self, *columns: str, filters: Sequence[tuple] = ()) -> pd.DataFrame:
        """Their layers with these columns and the coordinates; nothing else is read from the disk.

        `filters` as Results.read takes them: [("layer", ">", 1)]. Raises LookupError for a column that there is not.
        """
        theirs = [(name, "in", self.networks[name].unique().tolist()) for name in _BOUNDING if self.restrictions]
        try:
            return self._of_these(self.results.read("layers", [*_IN_LAYERS, *columns], [*theirs, *filters] or None))
        except ResultsError as error:  # the claim's mistake, which says nothing of the sweep
            raise LookupError(str(error)) from None

    def _of_these(self, layers: pd.DataFrame) -> pd.DataFrame:
        names = layers["network"].astype("category").array
        keys = pd.Index(self.networks["network"].astype(str))
        place = keys.get_indexer(names.categories.astype(str))[names.codes]  # of each row's network; -1: left out
        if self.restrictions:
            layers, place = layers[place >= 0], place[place >= 0]
        return layers.assign(**{name: self.networks[name].array.take(place) for name in _ON_LAYERS})

    @cached_property
    def neurons(self) -> pd.DataFrame:
        keys = set(self.networks["network"].astype(str))
        neurons = self.results.neurons
        return neurons[neurons["network"].astype(str).isin(keys)]


def _described(results: Any) -> pd.DataFrame:
    sweep = results.sweep
    return results.networks.assign(
        cost=sweep.cost, dtype=sweep.dtype, batch=sweep.data.batch, inputs=sweep.data.inputs,
        targets=sweep.data.targets, alive=results.networks["dead_from_layer"].isna())  # fmt: skip


def deepest(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks."""
    return frame[frame["depth"] == frame["depth"].max()]


def deepest_layers(selected: Selected, *columns: str, filters: Sequence[tuple] = ()) -> pd.DataFrame:
    """The layers of the deepest networks, as `Selected.read` gives them."""
    return selected.read(*columns, filters=[("depth", "==", int(selected.networks["depth"].max())), *filters])


def groups(frame: pd.DataFrame, *by: str, across: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple, pd.DataFrame]]:
    """(words, key, rows) for each combination of these coordinates, in the order of the sweep.

    Rows that differ in another coordinate are groups of their own, of the same key: they are the same draws again, and
    no independent ones. Those of `across` a claim compares within a group.
    """
    others = [name for name in COORDINATES if name in frame and name not in (*by, *across)]
    for key, own in frame.groupby(list(by), observed=True, sort=False):
        varying = [name for name in others if own[name].nunique() > 1]
        for more, rows in own.groupby(varying, observed=True, sort=False) if varying else [((), own)]:
            coordinates = zip((*by, *varying), (*key, *more), strict=True)
            yield ", ".join(_coordinate(name, value) for name, value in coordinates), key, rows


def _coordinate(name: str, value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)
    return text if name in ("activation", "init") else f"{name.replace('_', ' ')} {text}"


def per_draw(layers: pd.DataFrame, column: str) -> Array:
    """The mean of a column over the layers of each network, one value a network; null where one of them is."""
    values = layers[column].astype(float).groupby(layers["network"].astype(str), sort=False)
    return values.mean().where(values.count() == values.size()).to_numpy()
