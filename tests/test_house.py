"""The house rule: who may import whom, no loops, and no folder of more than nine modules."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "harness"

# A module imports only from its own folder or from one further right; folders joined by | never import each other.
WINGS = "interface > study > execution | figures > results > theory | config | engine > networks > base"
MOST = 9  # modules in a folder

LEVEL = {wing: i for i, level in enumerate(WINGS.split(" > ")) for wing in level.split(" | ")}


def sources(package: Path) -> dict[tuple[str, ...], str]:
    """Dotted parts below the package -> source, of every module inside a wing."""
    files = {path.relative_to(package).with_suffix("").parts: path for path in sorted(package.rglob("*.py"))}
    return {parts: path.read_text(encoding="utf-8") for parts, path in files.items() if len(parts) > 1}


def imported(parts: tuple[str, ...], source: str) -> set[tuple[str, ...]]:
    """What a source imports of harness, wherever in it: the dotted parts of each module, or of a name in one."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["harness", *parts][: -node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            names = [".".join([*base, alias.name]) for alias in node.names]
        found |= {tuple(name.split(".")[1:]) for name in names if name.split(".")[0] == "harness"}
    return found


def faults(modules: dict[tuple[str, ...], str]) -> list[str]:
    """A line for each import against the sentence, and for each folder that is no wing."""
    lines = [f"harness/{wing}/: not in WINGS" for wing in sorted({parts[0] for parts in modules} - set(LEVEL))]
    for parts, source in modules.items():
        own = parts[0]
        for target in sorted(imported(parts, source)):
            wing = target[0] if target else ""
            if own in LEVEL and wing != own and LEVEL.get(wing, -1) <= LEVEL[own]:
                lines.append(f"harness/{'/'.join(parts)}.py imports {'.'.join(('harness', *target))}")
    return lines


def loop(modules: dict[tuple[str, ...], str]) -> list[str]:
    """Modules that import each other in a circle; empty where there are none. A folder stands for its __init__."""
    names = {parts[:-1] if parts[-1] == "__init__" else parts for parts in modules}

    def resolved(target: tuple[str, ...]) -> tuple[str, ...]:
        return target if target in names else target[:-1]

    graph = {}
    for parts, source in modules.items():
        own = parts[:-1] if parts[-1] == "__init__" else parts
        graph[own] = {resolved(target) for target in imported(parts, source) if target} - {own}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [".".join(parts) for parts in error.args[1]]
    return []


def test_imports_follow_the_sentence():
    modules = sources(PACKAGE)
    assert len(modules) > 50
    assert faults(modules) == []


def test_no_files_import_each_other_in_a_loop():
    assert loop(sources(PACKAGE)) == []


def test_no_folder_holds_more_than_nine_modules():
    folders = [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__")]
    counts = {folder: len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from harness.interface.commands import main",
        "from harness.interface import commands",
        "from harness import interface",
        "import harness.interface.commands as c",
        "from ..interface.commands import main",
        "from .. import interface",
        "def late():\n    from harness.interface import commands",
    ],
)
def test_an_import_that_climbs_is_flagged(source):
    (fault,) = faults({("base", "scaled"): source})
    assert fault.startswith("harness/base/scaled.py imports harness.interface")


@pytest.mark.parametrize(
    ("parts", "source", "fault"),
    [
        (("config", "grid"), "from harness.engine import sums", ["harness/config/grid.py imports harness.engine.sums"]),
        (("config", "grid"), "from harness import load", ["harness/config/grid.py imports harness.load"]),
        (("figures", "kit", "page"), "from harness.figures.depth import x\nfrom .style import y", []),
        (("config", "grid"), "import numpy\nfrom harness.networks.data import x\nfrom harness.base import scaled", []),
        (("attic", "x"), "", ["harness/attic/: not in WINGS"]),
    ],
)
def test_the_checker_on_planted_cases(parts, source, fault):
    assert faults({parts: source}) == fault


def test_a_loop_is_found():
    a, b = ("base", "a"), ("base", "b")
    assert loop({a: "from harness.base.b import x", b: "from harness.base import a"}) != []
    assert loop({a: "from harness.base.b import x", b: "import numpy"}) == []
