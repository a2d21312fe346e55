"""Parts of the user's own beside the built-in ones: activations, initialisations, measures and figures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from harness.base.errors import HarnessError
from harness.engine.measures import Measure
from harness.engine.own.code import digest
from harness.engine.sums import BackwardSums, ForwardSums
from harness.networks.activations import Activation
from harness.networks.inits import Init
from harness.networks.kinds import in_force

PASSES = {ForwardSums: "forward", BackwardSums: "backward"}  # of a measure, by what it takes


@dataclass(frozen=True)
class Own:
    """Parts of the user's own by name. A figure is any object with the names of a figure's file: a module, a class."""

    activations: Mapping[str, Callable[..., Activation]] = field(default_factory=dict)
    inits: Mapping[str, Callable[..., Init]] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()  # that were run for them

    def in_force(self) -> AbstractContextManager[None]:
        """Add the parts to the tables of the harness, in this thread, while the body runs."""
        tables: dict[str, Mapping[str, Any]] = {name: getattr(self, name) for name in KINDS}
        for name in PASSES.values():
            tables[name] = {key: own for key, own in self.measures.items() if pass_of(own) == name}
        return in_force(tables)

    def used_by(self, activations: Collection[str], inits: Collection[str]) -> Own:
        """These parts without the activations and initialisations of other names."""
        kept = {name: make for name, make in self.activations.items() if name in activations}
        return replace(self, activations=kept, inits={n: make for n, make in self.inits.items() if n in inits})

    def code(self) -> dict[str, str]:
        """The digest of the code of each part that the tables' numbers depend on, by its kind and name."""
        return {
            f"{kind}.{name}": digest(part if kind == "measures" or signature(part).parameters else part())
            for kind in ("activations", "inits", "measures")
            for name, part in sorted(getattr(self, kind).items())
        }

    def pickled(self) -> bytes:
        """The parts that compute, for another process; `unpickled` reads them. No bytes where there are none."""
        parts = replace(self, figures={}, files=())
        if parts == NONE:
            return b""
        import cloudpickle  # pickles functions by their code: another process does not import the user's file

        with _by_value(cloudpickle, [*self.activations.values(), *self.inits.values(), *self.measures.values()]):
            return cloudpickle.dumps(parts)


NONE = Own()
KINDS = ("activations", "inits", "measures", "figures")


@lru_cache(maxsize=4)
def unpickled(parts: bytes) -> Own:
    """The parts that `Own.pickled` returned. Raises HarnessError where this process cannot read them."""
    if not parts:
        return NONE
    import pickle

    try:
        return pickle.loads(parts)
    except Exception as error:
        raise HarnessError(f"a worker cannot read the parts of your own: {type(error).__name__}: {error}") from None


def pass_of(measure: Measure) -> str | None:
    """The pass of a measure, forward or backward, by the annotation of what it takes; None if that says neither."""
    try:
        hints = get_type_hints(measure.function)
    except Exception:  # annotations are the user's code
        return None
    return next((PASSES[hint] for name, hint in hints.items() if name != "return" and hint in PASSES), None)


@contextmanager
def _by_value(cloudpickle: ModuleType, parts: Collection[object]) -> Iterator[None]:
    """Pickle functions of the modules of these parts by their code, as those of scripts and notebooks always are."""
    names = {getattr(getattr(part, "function", part), "__module__", "__main__") for part in parts}
    names = {name for name in names if name in sys.modules and name != "__main__" and not name.startswith("harness.")}
    for name in names:
        cloudpickle.register_pickle_by_value(sys.modules[name])
    try:
        yield
    finally:
        for name in names:
            cloudpickle.unregister_pickle_by_value(sys.modules[name])
