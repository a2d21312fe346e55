"""The activations, initialisations, measures, figures and experiments that there are, one line each."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.base.text_table import Table
from harness.figures import FIGURES
from harness.networks.activations import ACTIVATION_SYNONYMS, ACTIVATIONS
from harness.networks.costs import COSTS
from harness.networks.inits import INIT_SYNONYMS, INITS
from harness.networks.training.optimisers import OPTIMISERS
from harness.results.columns import LAYERS, Column
from harness.study.own.declared import declared
from harness.study.own.given import SINGULAR
from harness.study.questions import sentence_of


def catalogue(experiments: Path) -> list[Table]:
    """The tables that `harness list` prints. `experiments` is the folder of the questions' files."""
    return [
        _choices("Activations", "network.activation", ACTIVATIONS, ACTIVATION_SYNONYMS),
        _choices("Initialisations", "network.init", INITS, INIT_SYNONYMS),
        _choices("Optimisers", "training.optimiser", OPTIMISERS, {}),
        _table("Costs", "cost", [(cost.name, cost.summary) for cost in COSTS.values()]),
        _table("Measures", "a column of layers", [(c.name, _meaning(c)) for c in LAYERS if c.source == "measure"]),
        _table("Figures", "figures", [(name, entry.summary) for name, entry in FIGURES.items()]),
        _experiments(experiments),
        *_own(experiments),
    ]


def _choices(title: str, note: str, table: Mapping[str, Callable], synonyms: Mapping[str, str]) -> Table:
    """Every entry with its parameters, its summary, and its other names."""
    rows = []
    for name, factory in table.items():
        others = ", ".join(other for other, ours in synonyms.items() if ours == name)
        rows.append((_call(name, factory), factory().summary + (f"; also called {others}" if others else "")))
    return _table(title, note, rows)


def _experiments(folder: Path) -> Table:
    rows = [(path.stem, sentence_of(path)) for path in sorted(folder.glob("*.py"))]
    none = "None here: experiments are the files experiments/<name>.py of a checkout; run `harness list` in one."
    found = f"From {folder.absolute()}; `harness new NAME` adds one."
    return replace(_table("Experiments", "experiment", rows), note=found if rows else none)


def _own(folder: Path) -> list[Table]:
    """What the questions' files define themselves, if anything. The files are read, not run."""
    found = [(path, part) for path in sorted(folder.glob("*.py")) for part in declared(path)]
    rows = [(part.name, f"{SINGULAR[part.kind]} of {path.name}: {part.summary or '–'}") for path, part in found]
    return [_table("Their own", "where a config names the experiment", rows)] if rows else []


def _table(title: str, note: str, rows: list[tuple[str, str]]) -> Table:
    return Table(f"{title} ({note})", ("name", "what it is"), rows)


def _call(name: str, factory: Callable) -> str:
    """A name, and its parameters with their defaults: `elu (alpha: 1)`."""
    parameters = inspect.signature(factory).parameters.values()
    inside = ", ".join(f"{p.name}: {'none' if p.default is None else f'{p.default:g}'}" for p in parameters)
    return f"{name} ({inside})" if inside else name


def _meaning(column: Column) -> str:
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning
