"""README and pages name what exists: every import of an example works, and every path in code leads to a file."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
IMPORT = re.compile(r"^ *((?:from harness[\w.]* )?import [\w., ]+?) *(?:#.*)?$", re.MULTILINE)
MODULE = re.compile(r"`(harness(?:\.\w+)+)")
FILE = re.compile(r"`((?:harness|tests|experiments|configs|benchmarks|docs)/[\w./-]+)`")
WRITTEN = re.compile(r"^Write `([^`]+)`:$", re.MULTILINE)  # by an example of CONTRIBUTING.md


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def missing_imports(text: str) -> list[str]:
    """Imports of the package, in examples, that fail, and modules or names in code that do not exist."""
    statements = [found for found in IMPORT.findall(text) if "harness" in found]
    imports = [node for line in statements for node in ast.walk(ast.parse(line)) if isinstance(node, ast.ImportFrom)]
    named = [(node.module, alias.name) for node in imports for alias in node.names]
    dotted = [tuple(name.rsplit(".", 1)) for name in MODULE.findall(text)]
    return [f"{module}.{name}" for module, name in (*named, *dotted) if not exists(module, name)]


def exists(module: str, name: str) -> bool:
    try:
        importlib.import_module(f"{module}.{name}")
        return True
    except ModuleNotFoundError:
        pass
    try:
        return hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        parent, _, last = module.rpartition(".")  # a member of a class
        return bool(parent) and hasattr(getattr(importlib.import_module(parent), last, None), name)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/changelog.md"])
def test_a_page_imports_what_exists(page):
    assert missing_imports(text_of(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_files_that_exist(page):
    text = text_of(page)
    made = [*WRITTEN.findall(text), "docs/_build/html", "configs/schema.json"]
    named = [path for path in FILE.findall(text) if "NAME" not in path and path not in made]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "text",
    [
        "    from harness import neurons, theory",
        "import harness\nfrom harness.rooms import x",
        "`harness.backprop`",
    ],
)
def test_what_does_not_exist_is_found(text):
    assert missing_imports(text)


def test_the_tour_is_kept_without_outputs():
    """`make docs` runs it, and the pages show what it printed there."""
    cells = json.loads(text_of("docs/tour.ipynb"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []
