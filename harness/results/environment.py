"""The environment of a result, and its fingerprint: everything beside config and code that its last bits depend on."""

import ast
import platform
import subprocess
from functools import cache
from hashlib import blake2b
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from harness.base.streams import HIDDEN, Streams
from harness.networks.inits import INITS, base_weights

PACKAGES = ("gradient-harness", "numpy", "scipy", "pandas", "pyarrow", "matplotlib")
ARITHMETIC = ("numpy", "scipy")  # packages that compute a table's numbers

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
    "config/value_types.py",
    "config/yaml_positions.py",
    "results/columns.py",
)
NO_SOURCES = "without its source files"


def _sources(package: Path) -> dict[str, bytes]:
    """The Python files of a package folder: their names in it, and what they hold."""
    return {path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*.py")}


SOURCES = _sources(Path(__file__).parents[1])  # as this process loaded them: the files may be others later


@cache
def code_hash() -> str:
    """A hash of the code that the tables' numbers depend on: the files of COMPUTING and what they import.

    It covers their names and their syntax trees, without comments, docstrings, layout and the words of errors.
    A package that was installed without source files (in a zip archive, or as bytecode) cannot be edited where it is:
    the result is then NO_SOURCES, and the version alone says which code it is.
    """
    if not SOURCES:
        return NO_SOURCES
    found: dict[str, str] = {}
    missing = set(COMPUTING)
    while missing:
        name = missing.pop()
        found[name], imported = _parsed(SOURCES[name])
        missing |= (imported & SOURCES.keys()) - found.keys() - set(NOT_COMPUTING)
    lines = (f"{name} {found[name]}\n" for name in sorted(found))
    return blake2b("".join(lines).encode(), digest_size=6).hexdigest()


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


def environment() -> dict:
    """Versions, machine, commit and fingerprint of this process, for the manifest."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "system": platform.system(),
        "git": _git(),
        "fingerprint": fingerprint(),
    }


@cache
def fingerprint() -> dict[str, str]:
    """Everything beside config and code that the last bits of a table depend on; equal fingerprints give equal bits.

    It has the versions of the packages that compute and of the C library, the BLAS with its kernel for this processor,
    the processor features that numpy uses, and a hash of the first draws of each family, because a library may change
    its random streams.
    """
    libc = " ".join(platform.libc_ver()).strip() or platform.release()
    return {
        "versions": ", ".join([*(f"{name} {_version(name)}" for name in ARITHMETIC), libc]),
        "blas": _blas(),
        "cpu": f"{platform.system()} {platform.machine()}: " + " ".join(_dispatched()),
        "draws": _first_draws(),
    }


def made_with() -> dict[str, str]:
    """The entries `made_with` of every part of a table; parts in which they differ are not mixed without --mixed.

    The hash of the code is in it because an edited checkout keeps its version.
    """
    return {"harness": str(_version("gradient-harness")), "code": code_hash()} | fingerprint()


def _blas() -> str:
    """The BLAS of numpy and its kernel; scipy's wheels bring another, which is not used here."""
    loaded = [info for info in threadpool_info() if info["user_api"] == "blas"]
    used = [info for info in loaded if "numpy" in info["filepath"]] or loaded
    return ", ".join(f"{info['internal_api']} {info.get('version')} {info.get('architecture')}" for info in used)


def _dispatched() -> list[str]:
    """Processor features that numpy was built to use and that this processor has."""
    built: Any = import_module("numpy._core._multiarray_umath")  # numpy.show_config prints the same, as text
    return [name for name in built.__cpu_dispatch__ if built.__cpu_features__.get(name)]


def _first_draws() -> str:
    digest = blake2b(digest_size=6)
    for family in sorted({make().family for make in INITS.values()}):
        draws = base_weights(family, Streams(0, family, 4, 4), HIDDEN, 0, [0], 4, 4)
        digest.update(np.float32(draws).tobytes())  # rounded: the last bits of a QR are the BLAS's
    return digest.hexdigest()


@cache  # a package's metadata is parsed for it, README and all: hundredths of a second
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@cache
def _git() -> dict | None:
    """The commit of the checkout that this code runs from and whether files are changed; None outside of a checkout."""
    here = Path(__file__).parents[1]

    def ask(*words: str) -> str:
        return subprocess.run(("git", "-C", here, *words), capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(ask("rev-parse", "--show-toplevel")) != here.parent.resolve():
            return None
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
