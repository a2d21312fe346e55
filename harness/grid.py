"""What a sweep spans: its cases, each a product of axes, counted before anything is expanded and checked after."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from operator import itemgetter
from statistics import fmean as mean

from harness import axes
from harness.activations import ACTIVATIONS
from harness.inits import INITS
from harness.problems import Path, Problem, shown

MAX_NETWORKS = 10**7  # replicates counted; beyond these a sweep runs for weeks, or was mistyped
MAX_ROWS = 10**10
MAX_DEPTH = 10**6
MAX_WIDTH = 10**5
MAX_BATCH = 10**6
MAX_CASES = 1000
MAX_VALUES = 50_000  # on all axes together; checked within half a second

ORDER = ("activation", "init", "weight_scale", "bias_scale", "width", "input_width", "output_width", "output", "depth")
REQUIRED = ("activation", "init", "depth", "width")
TABLES = {"activation": ACTIVATIONS, "init": INITS}

Axes = Mapping[str, tuple]
Sets = Mapping[str, set]


@dataclass(frozen=True)
class Case:
    """One product of axes, in the order of ORDER, and where in the config each axis stands."""

    axes: Axes
    paths: Mapping[str, Path]

    def at_most(self) -> int:
        """A bound on its networks that expands nothing; exact but for whole numbers that a range rounds together."""
        return math.prod(map(axes.at_most, self.axes.values()))


def cases_of(network: Axes, cases: Sequence[Axes]) -> list[Case]:
    """The keys of each case in place of those under `network`; without cases, the network alone."""
    places = [("cases", i) for i in range(len(cases))]
    return [_case(network, own, place) for own, place in zip(cases or [{}], places or [("network",)], strict=True)]


def _case(network: Axes, own: Axes, place: Path) -> Case:
    merged = {key: own.get(key, network.get(key)) for key in ORDER if key in own or key in network}
    return Case(merged, {key: (*(place if key in own else ("network",)), key) for key in merged})


def missing(network: Axes, cases: Sequence[Axes]) -> Iterator[Problem]:
    """Keys that a network cannot be without."""
    hints = {"activation": "relu", "init": "he_normal", "depth": "16", "width": "128"}
    for key in REQUIRED:
        without = [i for i, case in enumerate(cases) if key not in case]
        if key in network or (cases and not without):
            continue
        if len(without) == len(cases):
            yield Problem(("network", key), f"missing; add it, such as {key}: {hints[key]}")
        else:
            yield from (Problem(("cases", i, key), f"missing here and under network; add {key}") for i in without)


# Sizes, before anything is expanded ---------------------------------------------------------------------------------


def too_large(network: Axes, cases: Sequence[Axes], replicates: int, batch: int) -> Iterator[Problem]:
    """What is absurd rather than large. Expands only what was found to be small enough."""
    remedy = "; take less, or say --allow-large"
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
    layers = {id(case.axes["depth"]): mean(axes.values(case.axes["depth"])) for case in merged}
    rows = round(replicates * sum(case.at_most() * layers[id(case.axes["depth"])] for case in merged))
    if rows > MAX_ROWS:
        yield Problem(("network",), f"up to {rows:,} rows, more than {MAX_ROWS:,}{remedy}")


def _oversized(cases: Sequence[Case], remedy: str) -> Iterator[Problem]:
    limits = {"depth": MAX_DEPTH, "width": MAX_WIDTH, "input_width": MAX_WIDTH, "output_width": MAX_WIDTH}
    for case, (key, limit) in product(cases, limits.items()):
        for i, entry in enumerate(case.axes[key]):
            largest = max(entry.from_, entry.to) if isinstance(entry, axes.Range) else entry or 0
            if largest > limit:
                yield Problem((*case.paths[key], i), f"{largest} is more than {limit}{remedy}")


# Values, one by one -------------------------------------------------------------------------------------------------


def unusable(where: Path, name: str, axis: tuple) -> Iterator[Problem]:
    """Values of one axis that come twice, or that the table of activations or initialisations refuses."""
    seen: set[object] = set()
    for i, entry in enumerate(axis):
        refused = list(_parameters(entry, TABLES[name], (*where, i))) if isinstance(entry, axes.Chosen) else []
        yield from refused
        values = [] if refused else axes.entry_values(entry)
        twice = [value for value in values if value in seen][:1]
        yield from (Problem((*where, i), f"{written(value)} comes twice in this axis; remove one") for value in twice)
        seen.update(values)


def _parameters(entry: axes.Chosen, table: Mapping, where: Path) -> Iterator[Problem]:
    for name, axis in entry.parameters().items():
        yield from unusable((*where, name), name, axis)
        for i, own in enumerate(axis):
            refused = next(filter(None, (_refusal(table[entry.name], name, v) for v in axes.entry_values(own))), None)
            if refused:
                yield Problem((*where, name, i), refused)


def _refusal(factory, name: str, value: float) -> str | None:
    try:
        factory(**{name: value})
    except ValueError as error:
        return str(error)
    return None


# Networks that come twice -------------------------------------------------------------------------------------------


def repeated(cases: Sequence[Case]) -> Iterator[Problem]:
    """Networks that one case has twice, by a null that means a value also given, or that two cases share."""
    written_once = {id(axis): axis for case in cases for axis in case.axes.values()}
    distinct = {key: set(axes.values(axis)) for key, axis in written_once.items()}
    sets = [{key: distinct[id(axis)] for key, axis in case.axes.items()} for case in cases]
    nulls = (Problem(case.paths[key], "null stands for a value that is given too; remove one",
                     reads=(case.paths["init"], case.paths["width"]))
             for case, own in zip(cases, sets, strict=True)
             for key in ("bias_scale", "input_width", "output_width") if _null_repeats(own, key))  # fmt: skip
    yield from dict.fromkeys(nulls)
    for j, own in enumerate(sets):
        earlier = ((i, _shared(one, own)) for i, one in enumerate(sets[:j]))
        for i, shared in islice(filter(itemgetter(1), earlier), 1):
            text = f"repeats a network of cases[{i}]: {shared}; remove one of them"
            yield Problem(("cases", j), text, reads=(("network",), ("cases", i)))


def resolved_bias(init: str, bias_scale: float | None) -> float | None:
    """Null is 0 where the initialisation brings no biases: the same network has one name."""
    return 0.0 if bias_scale is None and INITS[init]().sigma_b(1) == 0 else bias_scale


def _null_repeats(own: Sets, key: str) -> bool:
    given = own[key]
    if None not in given or len(given) == 1:
        return False
    if key == "bias_scale":
        return any(resolved_bias(init, None) in given - {None} for init, _ in own["init"])
    return not given.isdisjoint(own["width"])


def _shared(one: Sets, other: Sets) -> str | None:
    """A network that both products hold, in words."""
    keys = ("depth", "activation", "init", "weight_scale", "width", "output")
    if any(one[key].isdisjoint(other[key]) for key in keys):
        return None
    common = {key: one[key] & other[key] for key in keys}
    inits = [init for init in sorted(common["init"]) if not _biases(one, init).isdisjoint(_biases(other, init))]
    widths = [width for width in sorted(common["width"])
              if not any(_ends(one, key, width).isdisjoint(_ends(other, key, width))
                         for key in ("input_width", "output_width"))]  # fmt: skip
    if not inits or not widths:
        return None
    activation, scale, depth = (min(common[key]) for key in ("activation", "weight_scale", "depth"))
    return f"{written(activation)}, {written(inits[0])}, weight_scale {scale:g}, depth {depth}, width {widths[0]}"


def _biases(own: Sets, init: tuple) -> set:
    return {resolved_bias(init[0], bias) for bias in own["bias_scale"]}


def _ends(own: Sets, key: str, width: int) -> set:
    return {width if end is None else end for end in own[key]}


def written(value: object) -> str:
    """`leaky_relu(negative_slope=0.1)`, or a plain value."""
    if not isinstance(value, tuple):
        return value if isinstance(value, str) else shown(value)
    name, parameters = value
    inside = ", ".join(f"{key}={number!r}" for key, number in parameters)
    return f"{name}({inside})" if inside else name
