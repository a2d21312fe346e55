"""Which parts of the user's own a sweep or a results folder needs: those of the question that its config names."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness import config
from harness.base.errors import ConfigError, ResultsError
from harness.engine.own.parts import NONE, Own
from harness.results import parts
from harness.results.folder import CONFIG, NETWORKS
from harness.results.reader import Reader
from harness.study.own.declared import defines_parts
from harness.study.own.given import joined
from harness.study.questions import file_of, load_question


def own_of_config(given: str | os.PathLike | Mapping | config.Sweep, overrides: Sequence[str] = ()) -> Own:
    """The parts that the question of a config defines. Its file is run, as `load_question` says, if it defines any."""
    if isinstance(given, config.Sweep):
        place = given.place("experiment")
        return _own_of_question(given.experiment, given.folder, place) if given.experiment else NONE
    named = config.experiment_named(given, overrides)
    return NONE if named is None else _own_of_question(*named)


def own_of_results(path: Path, given: Own) -> Own:
    """The parts that the results in a folder were computed with: those given, and those of its question.

    Raises ResultsError for a part that is missing, or that is now defined otherwise.
    """
    recorded = _recorded(path)
    named = config.experiment_named(path / CONFIG)
    own = given
    if named is not None and not (recorded and recorded.keys() <= given.code().keys()):
        question = _own_of_question(named[0], Reader(path).config_folder, str(path), required=bool(recorded))
        own = joined(question, given)
    code = own.code()
    for part, then in recorded.items():
        kind, _, name = part.partition(".")
        if part not in code:
            advice = f"harness.load({str(path)!r}, {kind}=[…])"
            raise ResultsError(f"{path}: computed with {name!r} of your own, which is not here; give it: {advice}")
        if code[part] != then:
            raise ResultsError(
                f"{path}: {name!r} is now defined otherwise than when these results were computed; put it back, or "
                "sweep again with --fresh"
            )
    return own


def _recorded(path: Path) -> dict[str, str]:
    """The digests of the parts that the blocks of a folder were computed with."""
    found: dict[str, str] = {}
    for part in filter(parts.is_part, (path / NETWORKS).glob("[!.]*.parquet")):
        found |= parts.block_own(part)
    return found


def _own_of_question(name: str, folder: Path, place: str, required: bool = True) -> Own:
    """The parts that a question defines; where they are not `required`, none if its file must not be run."""
    if not defines_parts(file_of(name, folder)):
        return NONE
    try:
        question = load_question(name, folder, place)
        return replace(question.own, files=(question.path,))
    except ConfigError:
        if required:
            raise
        return NONE
