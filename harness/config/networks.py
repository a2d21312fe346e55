"""From a sweep to its networks, to the text of its config, and to its differences from another."""

import math
from itertools import product
from typing import NamedTuple

from harness import axes, grid, yaml_positions
from harness.config.models import Sweep, plain
from harness.network import Choice, NetworkSpec


def expand(sweep: Sweep) -> tuple[NetworkSpec, ...]:
    """Every network once, replicates apart.

    Case by case, and in each the product of the axes in the order activation, init, weight_scale, bias_scale, width,
    input_width, output_width, output, depth: depth changes fastest.
    """
    return tuple(spec for case in sweep.cases_given() for spec in _networks(case))


def count(sweep: Sweep) -> int:
    """How many networks `expand` returns, without making them."""
    return sum(math.prod(len(axes.values(axis)) for axis in case.axes.values()) for case in sweep.cases_given())


def _networks(case: grid.Case):
    values = [axes.values(case.axes[key]) for key in grid.ORDER]
    for activation, init, weight_scale, bias_scale, width, input_width, output_width, output, depth in product(*values):
        yield NetworkSpec(
            activation=Choice(*activation),
            init=Choice(*init),
            weight_scale=weight_scale,
            bias_scale=grid.resolved_bias(init[0], bias_scale),
            depth=depth,
            width=width,
            input_width=width if input_width is None else input_width,
            output_width=width if output_width is None else output_width,
            output=output,
        )


def dump(sweep: Sweep) -> str:
    """The config as run, every default written out; loading it gives an equal sweep."""
    return yaml_positions.write(plain(sweep))


ONLY_SHOWN = ("experiment", "figures")  # keys that change no table; thresholds decide the column `regime`


class Difference(NamedTuple):
    """Where two configs differ, and what each says there."""

    where: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.where}: {yaml_positions.write_inline(self.old)} -> {yaml_positions.write_inline(self.new)}"


def differences(old: Sweep, new: Sweep) -> list[Difference]:
    """Key by key what the configs say differently, defaults included, in the order of the config."""
    before, after = _flat(plain(old)), _flat(plain(new))
    return [Difference(key, before[key], after[key]) for key in before if before[key] != after[key]]


def _flat(mapping: dict) -> dict[str, object]:
    """One level deep: an axis or a list of cases is compared as a whole."""
    flat: dict[str, object] = {}
    for key, value in mapping.items():
        flat |= {f"{key}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return flat
