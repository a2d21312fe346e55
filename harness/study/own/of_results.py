"""The parts of the user's own that the results in a folder were computed with."""

from pathlib import Path

from harness import config
from harness.base.errors import ResultsError
from harness.engine.own.parts import Own
from harness.results import parts
from harness.results.disk.part import is_part
from harness.results.folder import CONFIG, NETWORKS
from harness.results.reader import Reader
from harness.study.own.finding import own_of_question
from harness.study.own.given import joined


def own_of_results(path: Path, given: Own) -> Own:
    """The parts that the results in a folder were computed with: those given, and those of its question.

    Raises ResultsError for a part that is missing, or that is now defined otherwise.
    """
    recorded = _recorded(path)
    named = config.experiment_named(path / CONFIG)
    own = given
    if named is not None and not (recorded and recorded.keys() <= given.code().keys()):
        question = own_of_question(named[0], Reader(path).config_folder, str(path), required=bool(recorded))
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
    for part in filter(is_part, (path / NETWORKS).glob("[!.]*.parquet")):
        found |= parts.block_own(part)
    return found
