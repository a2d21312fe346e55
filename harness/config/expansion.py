"""From a checked sweep to its networks, to the text of its config, and to its differences from another sweep."""

import json
import math
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import product
from typing import Any, NamedTuple

from harness.config import axes, grid, yaml_positions
from harness.config.models import DEFAULT_AXES, Sweep, plain
from harness.config.training.recipes import training_spec
from harness.networks.coordinates import COORDINATES, PRODUCT_ORDER
from harness.networks.kinds import Choice, Named
from harness.networks.spec import NetworkSpec
from harness.networks.training.recipe import Training


def expand(sweep: Sweep) -> tuple[NetworkSpec, ...]:
    """Every network of a sweep, once for all its replicates.

    Case by case; within a case the product of the axes in PRODUCT_ORDER, in which depth changes fastest.
    """
    return tuple(spec for case in sweep.cases_given() for spec in _networks(case))


def training_of(sweep: Sweep) -> Training | None:
    """How the networks of a sweep are trained, None if they are not."""
    return None if sweep.training is None else training_spec(sweep.training)


def names(sweep: Sweep, coordinate: str) -> frozenset[str]:
    """The names that a sweep gives a coordinate of names, such as its activations, without their parameters."""
    return frozenset(entry.name for case in sweep.cases_given() for entry in case.axes[coordinate])


def count(sweep: Sweep) -> int:
    """The number of networks that `expand` returns, found without making them."""
    return sum(math.prod(len(axes.values(axis)) for axis in case.axes.values()) for case in sweep.cases_given())


def _networks(case: grid.Case) -> Iterator[NetworkSpec]:
    for values in product(*(axes.values(case.axes[key]) for key in PRODUCT_ORDER)):
        yield _network(dict(zip(PRODUCT_ORDER, values, strict=True)))


def _network(values: Mapping[str, Any]) -> NetworkSpec:
    """The network with these values of its axes, names as (name, parameters)."""
    coordinates: dict[str, Any] = {
        coordinate.name: Choice(*values[coordinate.name])
        if isinstance(coordinate.kind, Named)
        else grid.without_null(coordinate, values[coordinate.name], values.get(str(coordinate.null_from)))
        for coordinate in COORDINATES
    }
    if shape := values[grid.WIDTHS]:
        coordinates |= {"depth": len(shape) - 1, "input_width": shape[0], "output_width": shape[-1]}
        coordinates["width"] = max(shape[1:-1] or shape[-1:])
    return NetworkSpec(**coordinates)


def dump(sweep: Sweep) -> str:
    """The config as run, with every default written out; reading it gives an equal sweep."""
    return yaml_positions.write(plain(sweep))


ONLY_SHOWN = ("experiment", "figures")  # keys that change no table; thresholds decide the column `regime`


MOVES_NO_NUMBER = (*ONLY_SHOWN, "name", "replicates")  # a network's numbers do not depend on how many draws there are


def digest(sweep: Sweep) -> str:
    """A digest of a config as far as the numbers of its networks depend on it; a data file counts by its content.

    Keys that have their default are left out, so that a key that a later version adds changes no digest. The width is
    always in it, which had no default when the first results were written.
    """
    network = sweep.network.model_copy(update=dict.fromkeys(PRODUCT_ORDER) | DEFAULT_AXES | {"width": None})
    defaults = Sweep.model_construct(name="", network=network)
    given, default = _flat(plain(sweep)), _flat(plain(defaults))
    written = {key: value for key, value in given.items() if key not in MOVES_NO_NUMBER and value != default.get(key)}
    if "data.inputs_sha256" in written:
        del written["data.inputs"]
    return blake2b(json.dumps(written, sort_keys=True).encode(), digest_size=8).hexdigest()


def settings_digest(sweep: Sweep) -> str:
    """The digest of everything that a network's numbers depend on beside its own coordinates.

    Networks of one key, replicate and digest are the same networks, whatever others the two sweeps have.
    """
    return digest(
        sweep.model_copy(update={"network": sweep.network.model_copy(update=dict.fromkeys(PRODUCT_ORDER)), "cases": ()})
    )


class Difference(NamedTuple):
    """A place where two configs differ, and the value of each there."""

    where: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.where}: {yaml_positions.write_inline(self.old)} -> {yaml_positions.write_inline(self.new)}"


def differences(old: Sweep, new: Sweep) -> list[Difference]:
    """The differences between two configs, defaults included, in the order of their keys."""
    before, after = _flat(plain(old)), _flat(plain(new))
    keys = dict.fromkeys([*before, *after])  # a block that only one of them has is one key there
    values = {key: (before.get(key), after.get(key)) for key in keys}
    return [Difference(key, *both) for key, both in values.items() if both[0] != both[1]]


def _flat(mapping: dict) -> dict[str, object]:
    """Keys one level deep, `network.depth`; an axis or a list of cases is compared as a whole."""
    flat: dict[str, object] = {}
    for key, value in mapping.items():
        flat |= {f"{key}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return flat
