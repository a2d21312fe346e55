"""Questions: the files of experiments/, each a sentence that could be false, with its sweeps, figures and claims."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from harness.base.errors import ConfigError
from harness.base.messages import remedy
from harness.engine.own.parts import NONE, Own
from harness.networks.kinds import Table
from harness.study.claims import Claim
from harness.study.own.declared import DEFINES, checkout_of, file_of
from harness.study.own.given import own_parts


@dataclass(frozen=True)
class Question:
    """A question's file as loaded: its path, its sentence, and what answers it.

    `sweeps` maps the name of each config that asks the question, configs/<name>.yaml, to the overrides that make it
    small enough for CI. A claim names the sweep that it is about; a claim that names none is about the first.
    """

    path: Path
    sentence: str
    figures: tuple[str, ...]
    sweeps: Mapping[str, tuple[str, ...]]
    claims: tuple[Claim, ...]
    own: Own = NONE  # parts that the file defines beside the built-in ones

    def claims_of(self, sweep: str) -> tuple[Claim, ...]:
        """The claims about a sweep. A config of another name that asks the question gets those of the first sweep."""
        first = next(iter(self.sweeps))
        asked = sweep if sweep in self.sweeps else first
        return tuple(claim for claim in self.claims if (claim.sweep or first) == asked)


class NoQuestions(ConfigError):
    """A config that names a question stands outside of a checkout, where there are none."""


def load_question(name: str, config_folder: Path, place: str = "experiment") -> Question:
    """Run experiments/<name>.py of the checkout that holds the config and that the user stands in, and no other file.

    `place` is where the config names the question; messages begin with it. Raises NoQuestions where there is no folder
    of questions, and ConfigError where there is no such file, where it belongs to another checkout, and where it is not
    a question's file.
    """
    path = _trusted_file_of(name, config_folder, place)
    module = _run(path, path.read_bytes())
    sentence, figures = getattr(module, "SENTENCE", None), getattr(module, "FIGURES", None)
    if not isinstance(sentence, str) or not isinstance(figures, tuple):
        raise ConfigError(f'{path}: a question\'s file needs a sentence, SENTENCE = "…", and figures, FIGURES = (…,)')
    sweeps, claims = getattr(module, "SWEEPS", {name: ()}), getattr(module, "CLAIMS", ())
    if unknown := [claim.sweep for claim in claims if claim.sweep and claim.sweep not in sweeps]:
        raise ConfigError(f"{path}: a claim is about {unknown[0]!r}, which SWEEPS does not have")
    tables = {kind: getattr(module, table, ()) for table, kind in DEFINES.items()}
    tables["figures"] = [figure for figure in figures if not isinstance(figure, str)]
    # A file may also import a table of the harness, to look something up.
    own = own_parts(str(path), **{kind: given for kind, given in tables.items() if not isinstance(given, Table)})
    names = tuple(figure if isinstance(figure, str) else figure.__name__ for figure in figures)
    return Question(path, sentence, names, sweeps, claims, own)


def _trusted_file_of(name: str, config_folder: Path, place: str) -> Path:
    """The path of a question's file.

    The file's code is run, so it must lie in a checkout that the user stands in, and must be no link out of it: a
    config from elsewhere must not bring code along.
    """
    root, path = checkout_of(config_folder), file_of(name, config_folder)
    without = "; to sweep without it, --set experiment=null" if place.endswith("experiment") else ""
    if not path.is_file():
        there = sorted(file.stem for file in path.parent.glob("*.py"))
        if not there:
            raise NoQuestions(f"{place}: there are no questions in {path.parent}; the sweep runs without its own")
        raise ConfigError(f"{place}: there is no {path}; {remedy(name, there)}{without}")
    if not Path.cwd().is_relative_to(root):
        elsewhere = f"{path} is code of another checkout, and is not run; to run it, cd {root}"
        raise ConfigError(f"{place}: {elsewhere}{without}")
    if path.resolve() != path:
        raise ConfigError(f"{place}: {path} is a link to {path.resolve()}, and is not run; copy the file{without}")
    return path


def sentence_of(path: Path) -> str:
    """The SENTENCE of a question's file. The file is read, not run; where that fails, a text that says so."""
    if not path.is_file():
        return "cannot be read"
    try:
        statements = ast.parse(path.read_text(encoding="utf-8")).body
        written = [node.value for node in statements if isinstance(node, ast.Assign) and _names(node) == ["SENTENCE"]]
        return str(ast.literal_eval(written[-1])) if written else "has no SENTENCE"
    except (OSError, SyntaxError, ValueError):
        return "cannot be read"


def _names(assignment: ast.Assign) -> list[str]:
    return [target.id for target in assignment.targets if isinstance(target, ast.Name)]


@lru_cache(maxsize=8)  # a sweep asks for the parts that a file defines, and then for its claims
def _run(path: Path, content: bytes) -> ModuleType:
    """The module of a file, compiled here: an import would leave a __pycache__ beside the question."""
    module = ModuleType(f"experiments.{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(content, path, "exec"), module.__dict__)
    except Exception as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}; correct the question's file") from error
    return module
