"""The grid of a sweep: its cases, each a product of axes, counted before anything is expanded and checked after."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from operator import itemgetter
from statistics import fmean as mean

from harness.base.messages import Path, Problem, shown
from harness.config import axes
from harness.networks.coordinates import BY_NAME, COORDINATES, ON_LAYERS, PRODUCT_ORDER, REQUIRED
from harness.networks.inits import INITS
from harness.networks.kinds import Choice, Coordinate, Named, Shape, Whole
from harness.networks.training.optimisers import OPTIMISERS

MAX_NETWORKS = 10**7  # replicates counted; beyond these a sweep runs for weeks, or was mistyped
MAX_ROWS = 10**10
MAX_BATCH = 10**6
MAX_CASES = 1000
MAX_VALUES = 50_000  # on all axes together; checked within half a second

TABLES = {c.name: c.kind.table for c in COORDINATES if isinstance(c.kind, Named)} | {"optimiser": OPTIMISERS}
WIDTHS, SHAPE = next((c.name, c.kind) for c in COORDINATES if isinstance(c.kind, Shape))
NULLABLE = [c for c in COORDINATES if c.null_from is not None]
WITHOUT_NULLS = [name for name in reversed(PRODUCT_ORDER) if BY_NAME[name].null_from is None]  # depth tells most apart

Axes = Mapping[str, tuple]
Sets = Mapping[str, set]


@dataclass(frozen=True)
class Case:
    """One product of axes, in the order of PRODUCT_ORDER, and the place of each axis in the config."""

    axes: Axes
    paths: Mapping[str, Path]

    def at_most(self) -> int:
        """An upper bound on the number of networks, found without expanding; exact unless a range rounds two alike."""
        return math.prod(map(axes.at_most, self.axes.values()))


def cases_of(network: Axes, cases: Sequence[Axes]) -> list[Case]:
    """The cases with the keys of each in place of those under `network`; without cases, the network alone."""
    if not cases:
        return [_case(network, {}, ("network",))]
    return [_case(network, case, ("cases", i)) for i, case in enumerate(cases)]


def _case(network: Axes, case: Axes, place: Path) -> Case:
    either = {**_besides(network, case), **case}
    if has_widths(either):
        either |= {name: (1,) for name in SHAPE.replaces}  # the list of widths has them
    merged = {key: either[key] for key in PRODUCT_ORDER if key in either}
    return Case(merged, {key: (*(place if key in case else ("network",)), key) for key in merged})


def _depth_axis(case: Case) -> tuple:
    return case.axes[WIDTHS if has_widths(case.axes) else "depth"]


def has_widths(axes_given: Axes) -> bool:
    """Whether networks are given by lists of widths."""
    return axes_given.get(WIDTHS, (None,)) != (None,)


def _besides(network: Axes, case: Axes) -> Axes:
    """The axes under `network` that a case leaves in place: a list of widths replaces other keys, and they it."""
    if has_widths(case):
        return {key: axis for key, axis in network.items() if key not in SHAPE.replaces}
    if any(name in case for name in SHAPE.replaces):
        return {"width": (BY_NAME["width"].default,), **network, WIDTHS: (None,)}
    return network


def depths(case: Case) -> list[int]:
    """The depths of the networks of a case."""
    if has_widths(case.axes):
        return [len(shape) - 1 for shape in axes.values(case.axes[WIDTHS])]
    return axes.values(case.axes["depth"])


def given_twice(where: Path, network: Axes) -> Iterator[Problem]:
    """Problems of axes that are given beside a list of widths, which has them."""
    for name in SHAPE.replaces if has_widths(network) else ():
        if network.get(name, (None,)) != (None,):
            yield Problem((*where, name), f"widths has it already; remove {name} or widths", reads=((*where, WIDTHS),))


def missing(network: Axes, cases: Sequence[Axes]) -> Iterator[Problem]:
    """A problem for each required key that is missing, under `network` or in single cases."""
    merged, reads = cases_of(network, cases), (("network", WIDTHS),)
    for key in REQUIRED:
        without = [i for i, case in enumerate(merged) if key not in case.axes]
        if len(without) == len(merged):
            yield Problem(("network", key), f"missing; add it, such as {key}: {BY_NAME[key].example}", reads=reads)
        else:
            text = f"missing here and under network; add {key}"
            yield from (Problem(("cases", i, key), text, reads=(*reads, ("cases", i, WIDTHS))) for i in without)


# Sizes, before anything is expanded ---------------------------------------------------------------------------------


def too_large(network: Axes, cases: Sequence[Axes], replicates: int, batch: int) -> Iterator[Problem]:
    """A problem for each size beyond reason. Expands only axes that were found to be small enough."""
    remedy = "; use less, or give --allow-large"
    if batch > MAX_BATCH:
        yield Problem(("data", "batch"), f"{batch} is more than {MAX_BATCH}{remedy}")
    written = [*network.values(), *(axis for case in cases for axis in case.values())]
    held = sum(map(axes.at_most, written))
    if held > MAX_VALUES:
        yield Problem(("network",), f"the axes hold {held:,} values, more than {MAX_VALUES:,}{remedy}")
        return
    merged = cases_of(network, cases)
    yield from dict.fromkeys(_oversized(merged, remedy))
    networks = replicates * sum(case.at_most() for case in merged)
    if networks > MAX_NETWORKS:
        yield Problem(("network",), f"up to {networks:,} networks, more than {MAX_NETWORKS:,}{remedy}")
        return
    held_by = {id(_depth_axis(case)): case for case in merged}
    layers = {place: mean(depths(case)) for place, case in held_by.items()}
    rows = round(replicates * sum(case.at_most() * layers[id(_depth_axis(case))] for case in merged))
    if rows > MAX_ROWS:
        yield Problem(("network",), f"up to {rows:,} rows, more than {MAX_ROWS:,}{remedy}")


def _oversized(cases: Sequence[Case], remedy: str) -> Iterator[Problem]:
    limits = {c.name: c.kind.most for c in COORDINATES if isinstance(c.kind, Whole)}
    for case in cases:
        for i, shape in enumerate(case.axes[WIDTHS]):
            if max(shape or (1,)) > SHAPE.most:
                yield Problem((*case.paths[WIDTHS], i), f"{max(shape)} is more than {SHAPE.most}{remedy}")
    for case, (key, limit) in product(cases, limits.items()):
        for i, entry in enumerate(case.axes[key]):
            largest = max(entry.from_, entry.to) if isinstance(entry, axes.Range) else entry or 0
            if largest > limit:
                yield Problem((*case.paths[key], i), f"{largest} is more than {limit}{remedy}")


# Values, one by one -------------------------------------------------------------------------------------------------


def unusable(where: Path, name: str, axis: tuple) -> Iterator[Problem]:
    """Problems of one axis: values given twice, and those that an activation, initialisation or optimiser refuses."""
    seen: set[object] = set()
    for i, entry in enumerate(axis):
        refused = list(_parameters(entry, TABLES[name], (*where, i))) if isinstance(entry, axes.Chosen) else []
        yield from refused
        values = [] if refused else axes.entry_values(entry)
        twice = [value for value in values if value in seen][:1]
        yield from (Problem((*where, i), f"{written(value)} comes twice in this axis; remove one") for value in twice)
        seen.update(values)


def _parameters(entry: axes.Chosen, table: Mapping, where: Path) -> Iterator[Problem]:
    """Problems of the parameters of one choice: of each value by itself, or else of the values together."""
    factory, given, refused = table[entry.name], entry.parameters(), False
    first = {name: axes.entry_values(axis[0])[0] for name, axis in given.items()}
    for name, axis in given.items():
        yield from unusable((*where, name), name, axis)
        for i, inner in enumerate(axis):
            for value in axes.entry_values(inner):
                text = _refusal(factory, {name: value})
                if text and text == _refusal(factory, {**first, name: value}):  # others may make a value right
                    refused = True
                    yield Problem((*where, name, i), text)
                    break
    together = () if refused else (_refusal(factory, dict(parameters)) for _, parameters in entry.values())
    yield from (Problem(where, text) for text in islice(filter(None, together), 1))


def _refusal(factory: Callable, values: Mapping[str, float]) -> str | None:
    try:
        factory(**values)
    except ValueError as error:
        return str(error)
    return None


# Networks that come twice -------------------------------------------------------------------------------------------


def repeated(cases: Sequence[Case]) -> Iterator[Problem]:
    """Problems of networks that come twice: by a null that stands for a value also given, or in two cases."""
    written_once = {id(axis): axis for case in cases for axis in case.axes.values()}
    distinct = {key: set(axes.values(axis)) for key, axis in written_once.items()}
    sets = [{key: distinct[id(axis)] for key, axis in case.axes.items()} for case in cases]
    nulls = (
        Problem(
            case.paths[key],
            "null stands for a value that is given too; remove one",
            reads=tuple(case.paths[source] for source in dict.fromkeys(str(c.null_from) for c in NULLABLE)),
        )
        for case, values in zip(cases, sets, strict=True)
        for key in (coordinate.name for coordinate in NULLABLE if _null_repeats(coordinate, values))
    )
    yield from dict.fromkeys(nulls)
    for j, later in enumerate(sets):
        earlier = ((i, _shared(one, later)) for i, one in enumerate(sets[:j]))
        for i, shared in islice(filter(itemgetter(1), earlier), 1):
            text = f"repeats a network of cases[{i}]: {shared}; remove one of them"
            yield Problem(("cases", j), text, reads=(("network",), ("cases", i)))


def without_null(coordinate: Coordinate, value: object, source: object) -> object:
    """The value of a coordinate in a network; null stands for what `source` brings, the value of another coordinate.

    A null bias scale is 0 where the initialisation brings no biases, so that a network has one key; else it stays.
    """
    if value is not None or coordinate.null_from is None:
        return value
    if coordinate.null_from != "init":
        return source
    assert isinstance(source, tuple)  # (name, parameters)
    return 0.0 if INITS[source[0]]().sigma_b(1) == 0 else None


def _null_repeats(coordinate: Coordinate, values: Sets) -> bool:
    given = values[coordinate.name]
    if None not in given or len(given) == 1:
        return False
    return any(without_null(coordinate, None, s) in given - {None} for s in values[str(coordinate.null_from)])


def _shared(one: Sets, other: Sets) -> str | None:
    """A network that both products hold, in words."""
    if any(one[name].isdisjoint(other[name]) for name in WITHOUT_NULLS):
        return None
    common = {name: one[name] & other[name] for name in WITHOUT_NULLS}
    for coordinate in NULLABLE:
        source = str(coordinate.null_from)
        common[source] = {s for s in common[source] if _meet(coordinate, one, other, s)}
    if not all(common.values()):
        return None
    values = {name: min(common[name]) for name in ON_LAYERS if name in common}
    told = [BY_NAME[n] for n, value in values.items() if BY_NAME[n].in_every_key or not _is_default(BY_NAME[n], value)]
    left_out = SHAPE.replaces if WIDTHS in (c.name for c in told) else ()
    return ", ".join(_written_with_key(c, values[c.name]) for c in told if c.name not in left_out)


def _is_default(coordinate: Coordinate, value: object) -> bool:
    """Whether a value of an axis, a name as (name, parameters), is the coordinate's default."""
    default = coordinate.default
    return value == ((default.name, default.parameters) if isinstance(default, Choice) else default)


def _meet(coordinate: Coordinate, one: Sets, other: Sets, source: object) -> bool:
    """Whether both products have a value of this coordinate in common, where another has the value `source`."""
    first, second = ({without_null(coordinate, v, source) for v in case[coordinate.name]} for case in (one, other))
    return not first.isdisjoint(second)


def written(value: object) -> str:
    """`leaky_relu(negative_slope=0.1)`, or a plain value."""
    if isinstance(value, tuple) and not isinstance(value[0], str):
        return str(list(value))
    if not isinstance(value, tuple):
        return value if isinstance(value, str) else shown(value)
    name, parameters = value
    inside = ", ".join(f"{key}={number!r}" for key, number in parameters)
    return f"{name}({inside})" if inside else name


def _written_with_key(coordinate: Coordinate, value: object) -> str:
    return written(value) if coordinate.label_alone else f"{coordinate.name} {written(value)}"
