"""Parts of the user's own as a question's file or a call gives them, checked."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.base.errors import ConfigError
from harness.base.messages import remedy, shown
from harness.engine.measures import MEASURES, Measure
from harness.engine.own.parts import KINDS, Own, pass_of
from harness.engine.remedied.measures import REMEDIED
from harness.figures import FIGURES, Entry
from harness.networks.activations import ACTIVATION_SYNONYMS, ACTIVATIONS, Activation
from harness.networks.coordinates import COORDINATES
from harness.networks.inits import INIT_SYNONYMS, INITS, Init
from harness.results.columns import TABLES

_COLUMNS = {column.name for table in TABLES.values() for column in table}
BUILT_IN: dict[str, frozenset[str]] = {
    "activations": frozenset((*ACTIVATIONS.built_in, *ACTIVATION_SYNONYMS, "activation")),
    "inits": frozenset((*INITS.built_in, *INIT_SYNONYMS)),
    "measures": frozenset((*MEASURES.built_in, *REMEDIED, *_COLUMNS, *(c.name for c in COORDINATES))),
    "figures": frozenset(FIGURES.built_in),
}
SINGULAR = {"activations": "activation", "inits": "initialisation", "measures": "measure", "figures": "figure"}


def own_parts(place: str, **given: Iterable[object]) -> Own:
    """The parts of a file or a call at `place`: `activations`, `inits`, `measures` and `figures`, each a sequence.

    An activation is an `Activation`, or a function that returns one and whose arguments a config may give; so is an
    initialisation. Raises ConfigError, naming it, for a part that is something else, that has no name, or whose name
    is taken.
    """
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for kind, entries in given.items():
        where = f"{place}: {kind}"
        if isinstance(entries, str | Mapping) or not isinstance(entries, Iterable):
            raise ConfigError(f"{where}: {shown(entries)} is not a sequence; write ({SINGULAR[kind]}, …)")
        for entry in entries:
            name, part = _CHECKS[kind](where, entry)
            _require_free(where, kind, name, found[kind])
            found[kind][name] = part
    return Own(found["activations"], found["inits"], found["measures"], found["figures"])


def joined(one: Own, other: Own) -> Own:
    """The parts of a question's file and of a call. Raises ConfigError for a name that both have."""
    tables = {kind: (getattr(one, kind), getattr(other, kind)) for kind in KINDS}
    for kind, (first, second) in tables.items():
        if both := first.keys() & second.keys():
            raise ConfigError(f"{kind}: {min(both)!r} is given by the question's file and by the call; rename one")
    activations, inits, measures, figures = ({**first, **second} for first, second in tables.values())
    return Own(activations, inits, measures, figures, (*one.files, *other.files))


def _require_free(where: str, kind: str, name: str, taken: Mapping[str, object]) -> None:
    if not name.isidentifier():
        raise ConfigError(f"{where}: {shown(name)} is not a name; use letters, digits and _")
    if name in BUILT_IN[kind]:
        raise ConfigError(f"{where}: {name!r} is built in; give yours another name")
    if name in taken:
        raise ConfigError(f"{where}: two have the name {name!r}; rename one")


def _made(kind: str, of: type[Activation] | type[Init]) -> Callable[[str, object], tuple[str, Callable]]:
    """The check of an activation or initialisation: an object of the class `of`, or a function that returns one."""

    def check(where: str, entry: object) -> tuple[str, Callable]:
        if isinstance(entry, of):
            _require_family(where, entry)
            return entry.name, _returning(entry)
        if not callable(entry) or not hasattr(entry, "__name__"):
            raise ConfigError(f"{where}: {shown(entry)} is not an {of.__name__} or a function that returns one")
        name = entry.__name__
        for parameter in inspect.signature(entry).parameters.values():
            if not isinstance(parameter.default, int | float | None) or isinstance(parameter.default, bool):
                raise ConfigError(f"{where}: {name}: parameter {parameter.name!r} needs a default that is a number")
        try:
            made = entry()
        except Exception as error:
            raise ConfigError(f"{where}: {name}() fails: {type(error).__name__}: {error}") from error
        if not isinstance(made, of):
            raise ConfigError(f"{where}: {name}() returns {shown(made)}; it is to return an {of.__name__}")
        if made.name != name:
            raise ConfigError(f"{where}: {name}() has the name {made.name!r}; give function and {kind} one name")
        _require_family(where, made)
        return name, entry

    return check


def _require_family(where: str, made: Activation | Init) -> None:
    families = {make().family for make in INITS.built_in.values()}
    if isinstance(made, Init) and made.family not in families:
        advice = remedy(made.family, sorted(families))
        raise ConfigError(f"{where}: {made.name}: there is no family {made.family!r} of draws; {advice}")


def _returning(entry: Activation | Init) -> Callable[[], Any]:
    def make() -> Activation | Init:
        return entry

    return make


def _measure(where: str, entry: object) -> tuple[str, Measure]:
    if not isinstance(entry, Measure):
        name = getattr(entry, "__name__", shown(entry))
        raise ConfigError(f"{where}: {name} is not a measure; put @measures(unit, meaning) above its function")
    if pass_of(entry) is None:
        raise ConfigError(f"{where}: {entry.name}: annotate its argument with ForwardSums or BackwardSums")
    if entry.scales_as and entry.scales_as not in MEASURES.built_in:
        raise ConfigError(f"{where}: {entry.name}: scales_as: {remedy(entry.scales_as, MEASURES.built_in)}")
    return entry.name, entry


def _figure(where: str, entry: object) -> tuple[str, Entry]:
    name = getattr(entry, "__name__", "").rpartition(".")[2]
    if missing := [wanted for wanted in ("prepare", "draw") if not callable(getattr(entry, wanted, None))]:
        raise ConfigError(f"{where}: {name or shown(entry)} has no function {missing[0]}; see docs/figures.md")
    summary = (getattr(entry, "__doc__", None) or name).strip().splitlines()[0]
    return name, Entry("", summary, entry)


_CHECKS: Mapping[str, Callable[[str, object], tuple[str, Any]]] = {
    "activations": _made("activation", Activation),
    "inits": _made("initialisation", Init),
    "measures": _measure,
    "figures": _figure,
}
