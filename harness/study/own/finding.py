"""Which parts of the user's own a sweep needs: those of the question that its config names."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness import config
from harness.base.errors import ConfigError
from harness.engine.own.parts import NONE, Own
from harness.study.own.declared import defines_parts, file_of


def own_of_config(given: str | os.PathLike | Mapping | config.Sweep, overrides: Sequence[str] = ()) -> Own:
    """The parts that the question of a config defines. Its file is run, as `load_question` says, if it defines any."""
    if isinstance(given, config.Sweep):
        place = given.place("experiment")
        return own_of_question(given.experiment, given.folder, place) if given.experiment else NONE
    named = config.experiment_named(given, overrides)
    return NONE if named is None else own_of_question(*named)


def own_of_question(name: str, folder: Path, place: str, required: bool = True) -> Own:
    """The parts that a question defines; where they are not `required`, none if its file must not be run."""
    if not defines_parts(file_of(name, folder)):
        return NONE
    from harness.study.questions import load_question  # slow to import; most questions define no parts

    try:
        question = load_question(name, folder, place)
        return replace(question.own, files=(question.path,))
    except ConfigError:
        if required:
            raise
        return NONE
