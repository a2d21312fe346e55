"""The files of the package as this process loaded them, and the hash of those that the tables' numbers depend on.

Import this module before those that compute: the files may be others later, where the package is upgraded or edited.
"""

import ast
import os
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path

from harness.base.errors import HarnessError

# A table's numbers depend on these modules and on what they import of the package, directly or not.
COMPUTING = (
    "execution/block.py",  # the tables of a block
    "execution/planning/plan.py",  # which networks and draws the name of a block stands for
    "config/expansion.py",  # which networks a config stands for
)
# They import these, too, which move no number: messages, the checks of a config, and the order and the meaning of
# columns. What a config says is kept in config.yaml with every default written out, and a folder is compared with that.
NOT_COMPUTING = (
    "base/errors.py",
    "base/messages.py",
    "config/__init__.py",
    "config/models.py",
    "config/types/text.py",
    "config/types/values.py",
    "config/yaml_positions.py",
    "results/columns.py",
)
NO_SOURCES = "without its source files"
RUN_AGAIN = (
    "the code of the harness was changed while the sweep ran; finished blocks are kept: run the same command again to "
    "go on"
)
CHANGED = (
    "{} was changed while the sweep ran; finished blocks are kept: put it back and run the same command again, or "
    "start over with --fresh"
)
CODE_CHANGED = CHANGED.format("the code of the harness")

Sources = dict[str, bytes]


def _sources(package: Path) -> Sources:
    """The Python files of a package folder: their names in it, and what they hold.

    A file that goes meanwhile, as in an upgrade, is left out.
    """
    found = {}
    for folder, _, names in os.walk(package):
        for path in (Path(folder, name) for name in names if name.endswith(".py")):
            with suppress(FileNotFoundError):
                found[path.relative_to(package).as_posix()] = path.read_bytes()
    return found


PACKAGE = Path(__file__).parents[2]
SOURCES = _sources(PACKAGE)


@cache
def code_hash() -> str:
    """A hash of the code that the tables' numbers depend on: the files of COMPUTING and what they import.

    It covers their names and their syntax trees, without comments, docstrings, layout and the words of errors.
    A package that was installed without source files (in a zip archive, or as bytecode) cannot be edited where it is:
    the result is then NO_SOURCES, and the version alone says which code it is.

    The first call comes when everything that computes is loaded. Raises HarnessError where the files changed since
    SOURCES were read: some modules may be from before and some from after.
    """
    now = _sources(PACKAGE)
    if now != SOURCES and _hash(now) != _hash(SOURCES):
        raise HarnessError(CODE_CHANGED)
    return _hash(SOURCES)


def reason_of_change(error: Exception) -> str | None:
    """What to say of an error that a change of the package's files explains, since modules are loaded when needed."""
    if _sources(PACKAGE) == SOURCES:
        return None
    return (
        "the code of the harness was changed while this command ran, so that it cannot be finished "
        f"({type(error).__name__}: {error}); what was written is kept: run the same command again"
    )


def require_unchanged() -> None:
    """Raises HarnessError where a process that starts now would load other code than this one has.

    Comments, docstrings, layout and the words of errors may differ.
    """
    now = _sources(PACKAGE)
    if now == SOURCES:
        return
    if _hash(now) != _hash(SOURCES):
        raise HarnessError(CODE_CHANGED)
    if _parsed_all(now) != _parsed_all(SOURCES):
        raise HarnessError(RUN_AGAIN)


def _hash(sources: Sources) -> str:
    """The hash of some sources; empty where they are incomplete or not Python."""
    if not sources:
        return NO_SOURCES
    found: dict[str, str] = {}
    missing = set(COMPUTING)
    try:
        while missing:
            name = missing.pop()
            found[name], imported = _parsed(sources[name])
            missing |= (imported & sources.keys()) - found.keys() - set(NOT_COMPUTING)
    except (KeyError, SyntaxError, ValueError):
        return ""
    lines = (f"{name} {found[name]}\n" for name in sorted(found))
    return blake2b("".join(lines).encode(), digest_size=6).hexdigest()


def _parsed_all(sources: Sources) -> dict[str, str] | None:
    try:
        return {name: _parsed(source)[0] for name, source in sources.items()}
    except (SyntaxError, ValueError):
        return None


@cache
def _parsed(source: bytes) -> tuple[str, frozenset[str]]:
    """A hash of a file's syntax tree, and the files of the package that it may import."""
    tree = ast.parse(source)
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = {name.removeprefix("harness.").replace(".", "/") for name in modules if name.startswith("harness.")}
    files = frozenset(file for path in paths for file in (f"{path}.py", f"{path}/__init__.py"))
    return blake2b(_without_words(tree).encode(), digest_size=16).hexdigest(), files


def _without_words(node: object, in_raise: bool = False) -> str:
    """A syntax tree as text, the same in every version of Python: empty fields, which differ, are left out.

    Strings that stand alone as a statement (docstrings) and those in a `raise` statement are left out as well.
    """
    if isinstance(node, list):
        kept = [item for item in node if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))]
        return "[" + ",".join(_without_words(item, in_raise) for item in kept) + "]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    if text and in_raise:
        return "words"
    in_raise = in_raise or isinstance(node, ast.Raise)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
    inside = ",".join(f"{name}={_without_words(value, in_raise)}" for name, value in fields)
    return f"{type(node).__name__}({inside})"
