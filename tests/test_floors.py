"""A file of harness/ imports only from floors below its own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "harness"

# One entry a module, or a package: the modules inside a package may import each other.
# A half is a landing between two floors of the design: it builds on the floor under it and serves the one above.
FLOORS = {
    "__main__": 7,
    "cli": 6,
    "interrupts": 5.9,
    "terminal": 5.8,
    "catalogue": 5,
    "diff": 5,
    "driver": 5,
    "forecast": 4,
    "dispatch": 4.5,
    "estimate": 4.5,
    "reference": 5.3,
    "verify": 5.6,
    "plan": 4,
    "results": 4,
    "run": 3.8,
    "cost": 3.7,
    "footprint": 3.6,
    "turn": 3.5,
    "lanes": 2.5,
    "config": 3,
    "figures": 3,
    "questions": 3,
    "summary": 3,
    "verdicts": 3.5,
    "tables": 3,
    "cluster": 2.7,
    "grid": 2.5,
    "measures": 2.7,
    "sums": 2.6,
    "superposition": 2.5,
    "gram": 2.3,
    "shared_draws": 3,
    "fails": 2.5,
    "theory": 2.5,
    "remote": 2.5,
    "neurons": 2.5,
    "axes": 2,
    "value_types": 1.5,
    "environment": 2,
    "backprop": 2,
    "data": 2,
    "network": 2,
    "overlaps": 2,
    "store": 2,
    "layer_rows": 2,
    "activations": 1,
    "claims": 1,
    "executors": 1,
    "inits": 1,
    "machine": 1,
    "scaled": 1,
    "selection": 0.8,
    "folder": 1,
    "yaml_positions": 1,
    "errors": 0.5,
    "failpoints": 0.5,
    "problems": 0.5,
    "streams": 0.5,
}
TOP = 8  # harness/__init__.py: it may import anything, nothing may import it


def sources(package: Path) -> dict[tuple[str, ...], str]:
    """Dotted parts below the package -> source, for every module but the package's own __init__."""
    files = {path.relative_to(package).with_suffix("").parts: path for path in sorted(package.rglob("*.py"))}
    return {parts: path.read_text(encoding="utf-8") for parts, path in files.items() if parts != ("__init__",)}


def imported(parts: tuple[str, ...], source: str, tops: set[str]) -> set[str]:
    """Top-level modules of harness that a source imports, wherever in it; "" stands for harness itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(("harness", *parts)[: -node.level]) if node.level else []
            base += node.module.split(".") if node.module else []
            # `from harness import x` names the module x, or else something of harness/__init__.py
            names = [".".join([*base, alias.name]) for alias in node.names] if base == ["harness"] else [".".join(base)]
        for name in names:
            root, _, rest = name.partition(".")
            if root == "harness":
                top = rest.partition(".")[0]
                found.add(top if top in tops else "")
    return found


def faults(modules: dict[tuple[str, ...], str], floors: dict[str, float]) -> list[str]:
    """One line for each module without a floor and each import from the same or a higher floor."""
    lines = [f"harness/{top}: not in FLOORS" for top in sorted({parts[0] for parts in modules} - set(floors))]
    for parts, source in modules.items():
        here = parts[0]
        for target in sorted(imported(parts, source, set(floors)) - {here}):
            if here in floors and floors.get(target, TOP) >= floors[here]:
                lines.append(f"harness/{'/'.join(parts)}.py imports harness.{target}".rstrip("."))
    return lines


def test_imports_go_down_the_floors():
    modules = sources(PACKAGE)
    assert modules
    assert faults(modules, FLOORS) == []


@pytest.mark.parametrize(
    "source",
    [
        "from harness.cli import main",
        "from harness import cli",
        "from harness import cli as c",
        "import harness.cli",
        "import harness.cli as c",
        "from .cli import main",
        "from . import cli",
        "def late():\n    from harness.cli import main",
    ],
)
def test_an_upward_import_is_flagged(source):
    assert faults({("scaled",): source}, FLOORS) == ["harness/scaled.py imports harness.cli"]


@pytest.mark.parametrize(
    ("parts", "source", "fault"),
    [
        (("config",), "from harness.summary import x", ["harness/config.py imports harness.summary"]),  # same floor
        (("config",), "from harness import load", ["harness/config.py imports harness"]),
        (("config",), "import harness", ["harness/config.py imports harness"]),
        (("figures", "profile"), "from ..cli import x", ["harness/figures/profile.py imports harness.cli"]),
        (("figures", "profile"), "from .style import x\nfrom harness.figures import y", []),
        (("figures", "__init__"), "from .profile import x", []),
        (("config",), "import numpy\nfrom harness.data import x\nfrom harness import scaled", []),
        (("unheard_of",), "", ["harness/unheard_of: not in FLOORS"]),
    ],
)
def test_the_checker_on_planted_cases(parts, source, fault):
    assert faults({parts: source}, FLOORS) == fault
