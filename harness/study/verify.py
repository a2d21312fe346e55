"""Verification: run the experiments of a checkout again, judge their claims and compare them with the references."""

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import ConfigError, ResultsError
from harness.base.messages import remedy
from harness.config import dump
from harness.execution.dispatch import Report, Resources
from harness.figures import FIGURES
from harness.results.diff import DIFFERS, WITHIN, Comparison
from harness.results.environment import code_hash, fingerprint
from harness.results.files import write_json, write_text
from harness.results.parts import discard_results
from harness.study import reference
from harness.study.claims import GOOD, Verdict
from harness.study.questions import Question, load_question
from harness.study.sweep import Study, prepare, run
from harness.study.verdicts import counted, markdown, to_json

CI, FULL = SIZES = ("ci", "full")
EXPERIMENTS, CONFIGS, REFERENCE = Path("experiments"), Path("configs"), Path("results/reference")
STAMP = ".computed-by"  # a file in a results folder: hash of the code, the config and the machine of its blocks
WRITTEN = "written"  # stands for the verdict of a comparison where the reference was rewritten


@dataclass(frozen=True)
class Job:
    """One sweep of an experiment, as it will be run."""

    experiment: str
    question: Question
    sweep: str
    overrides: tuple[str, ...]
    reference: Path

    @property
    def title(self) -> str:
        """The sweep's name, after that of its experiment if they differ."""
        return self.sweep if self.sweep == self.experiment else f"{self.experiment}: {self.sweep}"


@dataclass(frozen=True)
class Verification:
    """The verdicts of one sweep, and its comparison with the reference: None where the seed is not the config's own.

    `written` says that the reference was rewritten after the comparison; `failed_figures` has a line for each figure
    that could not be drawn.
    """

    job: Job
    verdicts: tuple[Verdict, ...]
    comparison: Comparison | None
    failed_figures: tuple[str, ...]
    written: bool = False

    @property
    def good(self) -> bool:
        """Whether every claim holds, every figure is drawn and the reference does not differ, or was just rewritten."""
        same = self.comparison is None or self.written or self.comparison.verdict != DIFFERS
        return same and not self.failed_figures and all(verdict.grade in GOOD for verdict in self.verdicts)


@dataclass(frozen=True)
class Request:
    """The experiments to verify, and the options."""

    names: tuple[str, ...] = ()  # of experiments; empty: all of them
    size: str = FULL
    fresh_seed: int | None = None  # used instead of the configs' own; then only claims are judged
    update_reference: bool = False
    out: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder that holds a results folder for each sweep."""
        size = self.size if self.fresh_seed is None else f"{self.size}-seed-{self.fresh_seed}"
        return self.out or Path("results") / "verify" / size


def new_seed() -> int:
    """A random seed below 2^31."""
    return secrets.randbelow(2**31)


def jobs(request: Request) -> list[Job]:
    """The sweeps of the experiments asked for. Everything that they need is looked for before anything is run.

    Raises ConfigError for an experiment that does not exist, ResultsError for a reference that does not.
    """
    found = sorted(path.stem for path in EXPERIMENTS.glob("*.py"))
    if not found:
        raise ConfigError("no folder experiments/ here; run `harness verify` in a checkout of the project")
    for name in request.names:
        if name not in found:
            raise ConfigError(f"there is no experiment {name!r}; {remedy(name, found)}")
    wanted = dict.fromkeys(request.names or found)
    found_jobs = [job for name in wanted for job in _jobs_of(name, request)]
    if request.fresh_seed is None and not request.update_reference:
        for job in found_jobs:
            reference.read(job.reference)
    return found_jobs


def _jobs_of(name: str, request: Request) -> Iterator[Job]:
    question = load_question(name, CONFIGS)
    for sweep, smaller in question.sweeps.items():
        overrides = smaller if request.size == CI else ()
        if request.fresh_seed is not None:
            overrides = (*overrides, f"seed={request.fresh_seed}")
        yield Job(name, question, sweep, overrides, reference.path_of(REFERENCE, request.size, sweep))


def verify_sweep(
    job: Job, request: Request, resources: Resources, report: Report | None, warn: Callable[[str], None]
) -> Verification:
    """Run one sweep and compare it with its reference, or rewrite the reference, as requested.

    `report` and `warn` are called as `sweep.run` says.
    """
    request.folder.mkdir(parents=True, exist_ok=True)
    conclusion = run(_prepared(job, request.folder / job.sweep), resources, report, warn)
    verdicts, failed = tuple(conclusion.verdicts), tuple(conclusion.failed_figures)
    if request.fresh_seed is not None:
        return Verification(job, verdicts, None, failed)
    before = _reference_of(job, request)
    changes = reference.compare(before, reference.of_results(conclusion.results, before)) if before else None
    if not request.update_reference:
        return Verification(job, verdicts, changes, failed)
    reference.write(job.reference, reference.of_results(conclusion.results))
    return Verification(job, verdicts, changes, failed, written=True)


def _reference_of(job: Job, request: Request) -> reference.Reference | None:
    """The reference of a sweep; None if it is to be rewritten and there is none that can be read."""
    try:
        return reference.read(job.reference)
    except ResultsError:
        if request.update_reference:
            return None
        raise


def _prepared(job: Job, folder: Path) -> Study:
    """The sweep, ready to go on from blocks that an interrupted run of the same code left.

    Blocks of any other code are removed: they say nothing about this one.
    """
    config = CONFIGS / f"{job.sweep}.yaml"
    prepared = prepare(config, job.overrides, out=folder, fresh=True).prepared
    made_of = (code_hash(), dump(prepared.sweep), repr(fingerprint()), *map(repr, prepared.own.code().items()))
    stamp = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    if not (folder / STAMP).is_file() or (folder / STAMP).read_text() != stamp:
        discard_results(folder, FIGURES)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / STAMP, stamp)
    return prepare(config, job.overrides, out=folder)


# In words -----------------------------------------------------------------------------------------------------------


def remarks(verification: Verification) -> list[str]:
    """Lines about figures that failed and about the reference: the verdict, and where and by how much it differs."""
    return [*verification.failed_figures, *_of_reference(verification)]


def _of_reference(verification: Verification) -> list[str]:
    comparison, path = verification.comparison, verification.job.reference
    if verification.written:
        return [f"reference {path}: {WRITTEN}; {_changed(comparison)}", *_places(comparison)]
    if comparison is None:
        return ["reference: not compared, because the seed is not the config's own"]
    return [f"reference {path}: {comparison.verdict}", *_places(comparison)]


def _places(comparison: Comparison | None) -> list[str]:
    """A line for each statistic that differs. Within tolerance, only the one that differs most."""
    if comparison is None or not comparison.mismatches:
        return []
    shown = tuple(comparison.mismatches)
    if comparison.verdict == WITHIN:
        shown = (max(shown, key=lambda mismatch: mismatch.largest),)
    lines = [f"{mismatch.where}: {mismatch.what}" for mismatch in shown]
    left = len(comparison.mismatches) - len(shown)
    return [*lines, f"and {left} other statistics, by less"] if left else lines


def _changed(comparison: Comparison | None) -> str:
    return f"compared with the one before: {comparison.verdict}" if comparison else "there was none before"


def summary(verifications: Sequence[Verification]) -> str:
    """One line: how many claims hold, and how many references are reproduced."""
    parts = [counted([verdict for verification in verifications for verdict in verification.verdicts])]
    compared = [v.comparison.verdict for v in verifications if v.comparison and not v.written]
    references = [f"{compared.count(verdict)} {verdict}" for verdict in dict.fromkeys(compared)]
    if references:
        parts.append(f"references: {', '.join(references)}")
    if written := sum(verification.written for verification in verifications):
        parts.append(f"references: {written} written")
    return "; ".join(parts)


def page(request: Request, verifications: Sequence[Verification]) -> str:
    """The summary as a Markdown page."""
    sections = [(v.job.title, v.job.question.sentence, v.verdicts, remarks(v)) for v in verifications]
    return markdown(f"harness verify, size {request.size}: {summary(verifications)}", sections)


def plain(request: Request, verifications: Sequence[Verification]) -> dict[str, object]:
    """What claims.json holds of all sweeps together."""
    entries = [
        {
            "experiment": verification.job.experiment,
            "sweep": verification.job.sweep,
            "sentence": verification.job.question.sentence,
            "claims": to_json(verification.verdicts),
            "reference": remarks(verification),
            "good": verification.good,
        }
        for verification in verifications
    ]
    return {"size": request.size, "seed": request.fresh_seed, "fingerprint": fingerprint(), "sweeps": entries}


def write_claims(request: Request, verifications: Sequence[Verification]) -> Path:
    """Write the claims.json of all sweeps together, in the folder of their results. Returns its path."""
    path = request.folder / "claims.json"
    write_json(path, plain(request, verifications))
    return path
