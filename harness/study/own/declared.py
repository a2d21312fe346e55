"""What a question's file defines, as its text says: the file is read, not run."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DEFINES = {"ACTIVATIONS": "activations", "INITS": "inits", "MEASURES": "measures", "FIGURES": "figures"}


def file_of(name: str, config_folder: Path) -> Path:
    """The path of a question's file in the checkout that holds a config, whether it is there or not."""
    return checkout_of(config_folder) / "experiments" / f"{name}.py"


def checkout_of(config_folder: Path) -> Path:
    """The folder of the checkout that holds a config: above configs/, or else that of the config."""
    folder = config_folder.resolve()
    return folder.parent if folder.name == "configs" else folder


class Declared(NamedTuple):
    """A part that a file defines: its kind, its name, and the first line of what it says about itself."""

    kind: str
    name: str
    summary: str


def declared(path: Path) -> list[Declared]:
    """The parts of its own that a question's file lists by name; none where it cannot be read."""
    statements = _statements(path)
    return [part for statement in statements for part in _listed(statement, statements)]


def defines_parts(path: Path) -> bool:
    """Whether a question's file may define parts of its own: it assigns their tables, or lists figures not by name."""
    return any(
        name != "FIGURES" or not all(isinstance(entry, ast.Constant) for entry in entries)
        for statement in _statements(path)
        for name, entries in _assigned(statement)
    )


def _statements(path: Path) -> list[ast.stmt]:
    """The statements of a file; none where it cannot be read, or is a pipe, which would never end."""
    if not path.is_file():
        return []
    try:
        return ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return []


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, list[ast.expr]]]:
    """The tables that a statement assigns, with their entries; a table that is no plain list counts as one entry."""
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        value = statement.value
        for target in targets:
            if isinstance(target, ast.Name) and target.id in DEFINES:
                yield target.id, value.elts if isinstance(value, ast.Tuple | ast.List) else [value]


def _listed(statement: ast.stmt, statements: list[ast.stmt]) -> Iterator[Declared]:
    for table, entries in _assigned(statement):
        for entry in (entry for entry in entries if isinstance(entry, ast.Name)):
            yield Declared(DEFINES[table], entry.id, _summary(entry.id, statements))


def _summary(name: str, statements: list[ast.stmt]) -> str:
    """The first line of the docstring of a function or a class of that name, or the last text that decorates it."""
    for found in statements:
        if isinstance(found, ast.FunctionDef | ast.ClassDef) and found.name == name:
            decorators = (node for one in found.decorator_list for node in ast.walk(one))
            texts = [node.value for node in decorators if isinstance(node, ast.Constant)]
            lines = (ast.get_docstring(found) or "").splitlines() or texts[1:2] or [""]
            return str(lines[0])
    return ""
