"""`harness check`: the parts that a question's file defines, or the built-in ones, against something independent."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.base.errors import ConfigError
from harness.interface.terminal import say

if TYPE_CHECKING:
    from harness.engine.own.parts import Own

HELP = (
    "Check the activations, initialisations and measures that an experiment's file defines: slopes against finite "
    "differences, draws against their declared moments, theory against a wide network. Exit code 1 if one fails."
)

File = Annotated[
    Path | None,
    typer.Argument(help="A file of experiments/; without one, the built-in parts are checked.", show_default=False),
]


def check(file: File = None) -> None:
    """Print a line for each check; exit code 1 if one fails."""
    from harness.study.own.check import built_in, checks

    good = True
    own = built_in() if file is None else _own_of(file)
    with nullcontext() if file is None else own.in_force():
        for one in checks(own):
            say(one.line)
            good = good and one.good
    if not good:
        raise typer.Exit(1)


def _own_of(file: Path) -> "Own":
    from harness.study.questions import load_question

    if file.suffix != ".py" or file.absolute().parent.name != "experiments":
        raise ConfigError(f"{file}: not a file of experiments/; give for example experiments/mine.py")
    question = load_question(file.stem, file.absolute().parents[1] / "configs", str(file))
    say(f"{question.path}: {question.sentence}")
    if not (question.own.activations or question.own.inits or question.own.measures):
        say("it defines no activation, initialisation or measure; there is nothing to check")
    return question.own
