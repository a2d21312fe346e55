"""The part of a sweep's results that a claim reads: the networks it is about, in groups of independent draws."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from harness import config
from harness.base.arrays import Array
from harness.base.errors import HarnessError, ResultsError
from harness.networks.coordinates import ASSUMED, BY_NAME, NAMES, OFF_LAYERS, ON_LAYERS
from harness.networks.draws import Network
from harness.networks.kinds import Number
from harness.results.folder import LAYERS

Filter = tuple[str, str, Any]  # column, operator, value, as pandas.read_parquet takes them

_ON_LAYERS = (*OFF_LAYERS, "sigma_w")  # columns of `networks` that a claim's layers have too
_IN_LAYERS = ("network", *ON_LAYERS, "replicate", "layer")
# Layers of networks with other values of these are skipped unread. No fractions: pyarrow 26 finds 0.0 in no list.
_BOUNDING = tuple(name for name in ON_LAYERS if not isinstance(BY_NAME[name].kind, Number))


NOT_APPLICABLE = "does not apply: "  # how a note about a claim begins whose networks a sweep does not have


class DoesNotApply(HarnessError):
    """The sweep has none of the networks that a claim is about."""


class Recorded(Protocol):
    """The recorded tables by which claims are judged, as `harness.results.reader.Reader` provides them."""

    @property
    def sweep(self) -> config.Sweep: ...

    @property
    def networks(self) -> pd.DataFrame: ...

    @property
    def layers(self) -> pd.DataFrame: ...

    @property
    def neurons(self) -> pd.DataFrame: ...

    @property
    def steps(self) -> pd.DataFrame: ...

    @property
    def step_layers(self) -> pd.DataFrame: ...

    def read(self, table: str, columns: Sequence[str] | None, filters: Sequence[Filter] | None, /) -> pd.DataFrame: ...

    def build(self, network: str, step: int | None = None, /) -> Network: ...


@dataclass(frozen=True)
class Selected:
    """The results of the networks that meet every condition of a claim's scope, and have what it assumes.

    A condition is an expression as `harness show --where` takes it, of the columns of `networks`, of the sweep's
    `cost`, `dtype`, `batch`, `inputs` and `targets`, and of `alive`. To `layers` some columns of `networks` are added.
    Coordinates such as `tied` have their default unless a condition names them.
    Raises DoesNotApply where no network meets a condition.
    """

    results: Recorded
    scope: tuple[str, ...] = ()

    @property
    def sweep(self) -> config.Sweep:
        """The config as it was run."""
        return self.results.sweep

    @cached_property
    def networks(self) -> pd.DataFrame:
        """One row per network that was selected, with the columns that conditions may name."""
        return self._chosen[0]

    @property
    def restrictions(self) -> tuple[str, ...]:
        """The conditions that some networks of the sweep do not meet."""
        return self._chosen[1]

    @cached_property
    def _chosen(self) -> tuple[pd.DataFrame, tuple[str, ...]]:
        networks = _described(self.results)
        restrictions: list[str] = []
        for condition in (*_assumed(self.scope, networks.columns), *self.scope):
            holds = networks.eval(condition, engine="python", local_dict={}, global_dict={}).astype(bool)
            if not holds.any():
                raise DoesNotApply(f"{NOT_APPLICABLE}it speaks of networks with {condition}, and this sweep has none")
            restrictions += [] if holds.all() else [condition]
            networks = networks[holds]
        return networks, tuple(restrictions)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """All layers of these networks, with every column. `read` takes only the columns that are needed."""
        return self._of_these(self.results.layers)

    def read(self, *columns: str, filters: Sequence[Filter] = ()) -> pd.DataFrame:
        """The layers of these networks: these columns and the coordinates; nothing else is read from the disk.

        `filters` are those of Results.read: [("layer", ">", 1)]. Raises LookupError for a column that does not exist.
        """
        bounds = [(name, "in", self.networks[name].unique().tolist()) for name in _BOUNDING if self.restrictions]
        try:
            return self._of_these(self.results.read(LAYERS, [*_IN_LAYERS, *columns], [*bounds, *filters] or None))
        except ResultsError as error:  # a mistake in the claim, which says nothing about the sweep
            raise LookupError(str(error)) from None

    def build(self, network: str, step: int | None = None) -> Network:
        """The weights, biases, inputs and targets of one network by its key, or of one run after a step."""
        return self.results.build(network, step)

    def _of_these(self, layers: pd.DataFrame) -> pd.DataFrame:
        names = layers["network"].astype("category").array
        keys = pd.Index(self.networks["network"].astype(str))
        place = keys.get_indexer(names.categories.astype(str))[names.codes]  # of each row's network; -1: left out
        if self.restrictions:
            layers, place = layers[place >= 0], place[place >= 0]
        named = [name for name in _ON_LAYERS if name in self.networks]  # older tables have not all
        return layers.assign(**{name: self.networks[name].array.take(place) for name in named})

    @cached_property
    def steps(self) -> pd.DataFrame:
        """The rows of `steps` of the training runs of these networks. Raises ResultsError where nothing was trained."""
        return self._of_these(self.results.steps)

    @cached_property
    def step_layers(self) -> pd.DataFrame:
        """The rows of `step_layers` of these runs. Raises ResultsError where nothing was trained."""
        return self._of_these(self.results.step_layers)

    @cached_property
    def neurons(self) -> pd.DataFrame:
        """The single neurons among these networks, with W, x and y of each. Raises ResultsError without any."""
        keys = set(self.networks["network"].astype(str))
        neurons = self.results.neurons
        return neurons[neurons["network"].astype(str).isin(keys)]


def _assumed(scope: Sequence[str], columns: Collection[str]) -> list[str]:
    """Conditions on the coordinates that have their default unless a claim names them; older tables have not all."""
    named = set(re.findall(r"\w+", " ".join(scope)))
    return [f"{c.name} == {c.usual!r}" for c in ASSUMED if c.name in columns and c.name not in named]


def _described(results: Recorded) -> pd.DataFrame:
    sweep = results.sweep
    return results.networks.assign(
        cost=sweep.cost,
        dtype=sweep.dtype,
        batch=sweep.data.batch,
        inputs=sweep.data.inputs,
        targets=sweep.data.targets,
        alive=results.networks["dead_from_layer"].isna(),
    )


def deepest(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks."""
    return frame[frame["depth"] == frame["depth"].max()]


def deepest_layers(selected: Selected, *columns: str, filters: Sequence[Filter] = ()) -> pd.DataFrame:
    """The layers of the deepest networks, as `Selected.read` gives them."""
    return selected.read(*columns, filters=[("depth", "==", int(selected.networks["depth"].max())), *filters])


def draw_groups(
    frame: pd.DataFrame, *by: str, across: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple, pd.DataFrame]]:
    """Groups that hold each draw once: (description, key, rows) for each combination of the coordinates `by`.

    Groups come in the order of the sweep. Rows of one key that differ in another coordinate are the same draws again,
    not independent ones, so each gets a group of its own. A claim compares the coordinates of `across` within a group,
    so they do not split it.
    """
    others = [name for name in NAMES if name in frame and name not in (*by, *across)]
    for key, same_key in frame.groupby(list(by), observed=True, sort=False):
        varying = [name for name in others if same_key[name].nunique() > 1]
        split = same_key.groupby(varying, observed=True, sort=False) if varying else [((), same_key)]
        for more, rows in split:
            coordinates = zip((*by, *varying), (*key, *more), strict=True)
            yield ", ".join(_coordinate(name, value) for name, value in coordinates), key, rows


def _coordinate(name: str, value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)
    return BY_NAME[name].label(text) if name in BY_NAME else f"{name.replace('_', ' ')} {text}"


def per_draw(layers: pd.DataFrame, column: str) -> Array:
    """The mean of a column over the layers of each network, (networks,); NaN where the value of a layer is null."""
    values = layers[column].astype(float).groupby(layers["network"].astype(str), sort=False)
    return values.mean().where(values.count() == values.size()).to_numpy()
