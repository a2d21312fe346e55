"""Questions: the files of experiments/, each a sentence that could be false, with its sweeps, figures and claims."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from harness.claims import Claim
from harness.errors import ConfigError
from harness.problems import remedy


@dataclass(frozen=True)
class Question:
    """A question's file as loaded: its path, its sentence, and what answers it.

    `sweeps`: the configs it is asked of, configs/<name>.yaml, each with the overrides that make it small enough for
    CI. `claims` of a sweep are those that name it; the first sweep's name nothing.
    """

    path: Path
    sentence: str
    figures: tuple[str, ...]
    sweeps: Mapping[str, tuple[str, ...]]
    claims: tuple[Claim, ...]

    def claims_of(self, sweep: str) -> tuple[Claim, ...]:
        """The claims about one of its sweeps; any other sweep that names the question is asked what the first is."""
        first = next(iter(self.sweeps))
        asked = sweep if sweep in self.sweeps else first
        return tuple(claim for claim in self.claims if (claim.sweep or first) == asked)


def load_question(name: str, config_folder: Path, place: str = "experiment") -> Question:
    """experiments/<name>.py in the user's own checkout, the one that holds the config, and from nowhere else.

    `place`: where the config names it, with which a message begins. Raises ConfigError where there is no such file, it
    is somebody else's, or it is not a question's.
    """
    path = _file_of(name, config_folder, place)
    module = _run(path)
    figures = getattr(module, "FIGURES", None)
    if not module.__doc__ or not isinstance(figures, tuple):
        raise ConfigError(f"{path}: a question's file begins with its sentence, and names its figures: FIGURES = (…,)")
    sweeps, claims = getattr(module, "SWEEPS", {name: ()}), getattr(module, "CLAIMS", ())
    if unknown := [claim.sweep for claim in claims if claim.sweep and claim.sweep not in sweeps]:
        raise ConfigError(f"{path}: a claim is about {unknown[0]!r}, which SWEEPS does not have")
    return Question(path, first_line(module.__doc__), figures, sweeps, claims)


def _file_of(name: str, config_folder: Path, place: str) -> Path:
    """Its code is run, so it must lie in a checkout that the user stands in, and be no link out of it: a config that
    came from elsewhere brings no code along."""
    folder = config_folder.resolve()
    root = folder.parent if folder.name == "configs" else folder
    path = root / "experiments" / f"{name}.py"
    without = "to sweep without it, --set experiment=null"
    if not path.is_file():
        there = sorted(file.stem for file in path.parent.glob("*.py"))
        how = remedy(name, there) if there else "bring the folder experiments/ along"
        raise ConfigError(f"{place}: there is no {path}; {how}; {without}")
    if not Path.cwd().is_relative_to(root):
        elsewhere = f"{path} is code of another checkout, and is not run; to run it, cd {root}"
        raise ConfigError(f"{place}: {elsewhere}; {without}")
    if path.resolve() != path:
        raise ConfigError(f"{place}: {path} is a link to {path.resolve()}, and is not run; copy the file; {without}")
    return path


def sentence(path: Path) -> str:
    """The sentence of a question's file; the file is read, not run."""
    try:
        return first_line(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    except (OSError, SyntaxError, ValueError):
        return "cannot be read"


def first_line(text: str) -> str:
    return text.strip().split("\n")[0]


def _run(path: Path) -> ModuleType:
    """The module, compiled here: importing it would leave a __pycache__ beside the question."""
    module = ModuleType(f"experiments.{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    except Exception as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}; mend the question's file") from error
    return module
