"""What there is to choose from: activations, initialisations, measures, figures and experiments, a line each."""

import inspect
from dataclasses import replace
from pathlib import Path

from harness.activations import ACTIVATIONS
from harness.figures import FIGURES
from harness.inits import INITS
from harness.measures import MEASURES
from harness.questions import sentence
from harness.summary import Table


def catalogue(experiments: Path) -> list[Table]:
    """The tables that `harness list` prints; `experiments` is the folder of questions."""
    return [
        _table("Activations", "network.activation", [(_call(f), f().summary) for f in ACTIVATIONS.values()]),
        _table("Initialisations", "network.init", [(_call(f), f().summary) for f in INITS.values()]),
        _table("Measures", "a column of layers", [(name, _first(f.__doc__)) for name, f in MEASURES.items()]),
        _table("Figures", "figures", list(FIGURES.items())),
        _experiments(experiments),
    ]


def _experiments(folder: Path) -> Table:
    rows = [(path.stem, sentence(path)) for path in sorted(folder.glob("*.py"))]
    none = "None here: they are the files experiments/<name>.py of a checkout, listed where one stands in it."
    return replace(_table("Experiments", "experiment", rows), note="" if rows else none)


def _table(title: str, note: str, rows: list[tuple[str, str]]) -> Table:
    return Table(f"{title} ({note})", ("name", "what it is"), rows)


def _call(factory) -> str:
    parameters = inspect.signature(factory).parameters.values()
    inside = ", ".join(f"{parameter.name}: {parameter.default:g}" for parameter in parameters)
    return f"{factory.__name__} ({inside})" if inside else factory.__name__


def _first(text: str | None) -> str:
    return (text or "").strip().split("\n\n")[0]
