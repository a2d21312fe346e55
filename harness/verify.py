"""The experiments of a checkout run again: do their claims hold, and are their numbers those of the references?"""

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import driver, reference, store
from harness.claims import FAILS, HOLDS, Verdict, to_json
from harness.config import dump
from harness.diff import DIFFERS, WITHIN, Comparison
from harness.environment import CODE, fingerprint
from harness.errors import ConfigError
from harness.folder import start_over
from harness.problems import remedy
from harness.questions import Question, load_question
from harness.results import Results
from harness.verdicts import markdown

CI, FULL = SIZES = ("ci", "full")
EXPERIMENTS, CONFIGS, REFERENCE = Path("experiments"), Path("configs"), Path("results/reference")
STAMP = ".computed-by"  # in a results folder: what code, config and machine its blocks came from
WRITTEN = "written"  # the verdict where a reference was rewritten


@dataclass(frozen=True)
class Job:
    """One sweep of an experiment, as it is to be run."""

    experiment: str
    question: Question
    sweep: str
    overrides: tuple[str, ...]
    reference: Path

    @property
    def title(self) -> str:
        return self.sweep if self.sweep == self.experiment else f"{self.experiment}: {self.sweep}"


@dataclass(frozen=True)
class Outcome:
    """What one sweep came to. `comparison` is None where the seed is another."""

    job: Job
    verdicts: tuple[Verdict, ...]
    comparison: Comparison | None
    written: bool = False  # the reference, after the comparison

    @property
    def good(self) -> bool:
        """Whether every claim holds and the reference does not differ (or was just rewritten)."""
        same = self.comparison is None or self.written or self.comparison.verdict != DIFFERS
        return same and all(verdict.grade == HOLDS for verdict in self.verdicts)


@dataclass(frozen=True)
class Request:
    """What is to be verified, and how."""

    names: tuple[str, ...] = ()  # of experiments; none: all there are
    size: str = FULL
    fresh_seed: int | None = None  # in place of the configs' own; claims only
    update_reference: bool = False
    out: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the sweeps' results go, each in a folder of its own."""
        size = self.size if self.fresh_seed is None else f"{self.size}-seed-{self.fresh_seed}"
        return self.out or Path("results") / "verify" / size


def new_seed() -> int:
    """A seed that nobody chose."""
    return secrets.randbelow(2**31)


def jobs(request: Request) -> list[Job]:
    """The sweeps of the experiments asked for. Raises ConfigError for one there is not, ResultsError for no reference.

    Everything is looked for before anything is run.
    """
    found = sorted(path.stem for path in EXPERIMENTS.glob("*.py"))
    if not found:
        raise ConfigError("no folder experiments/ here; run `harness verify` in a checkout of the project")
    for name in request.names:
        if name not in found:
            raise ConfigError(f"there is no experiment {name!r}; {remedy(name, found)}")
    wanted = dict.fromkeys(request.names or found)
    result = [job for name in wanted for job in _jobs_of(name, request)]
    if request.fresh_seed is None and not request.update_reference:
        for job in result:
            reference.read(job.reference)
    return result


def _jobs_of(name: str, request: Request) -> Iterator[Job]:
    question = load_question(name, CONFIGS)
    for sweep, smaller in question.sweeps.items():
        overrides = smaller if request.size == CI else ()
        if request.fresh_seed is not None:
            overrides = (*overrides, f"seed={request.fresh_seed}")
        yield Job(name, question, sweep, overrides, reference.path_of(REFERENCE, request.size, sweep))


def run(job: Job, request: Request, execute: Callable[[driver.Prepared], None]) -> Outcome:
    """Compute what is not there yet, draw, judge, compare."""
    request.folder.mkdir(parents=True, exist_ok=True)
    prepared = _prepared(job, request.folder / job.sweep)
    execute(prepared)
    results = Results(prepared.folder)
    results.draw()
    verdicts = tuple(results.write_verdicts(job.question))
    if request.fresh_seed is not None:
        return Outcome(job, verdicts, None)
    rerun = reference.of_results(results)
    if not request.update_reference:
        return Outcome(job, verdicts, reference.compare(reference.read(job.reference), rerun))
    changes = reference.compare(reference.read(job.reference), rerun) if job.reference.exists() else None
    reference.write(job.reference, rerun)
    return Outcome(job, verdicts, changes, written=True)


def _prepared(job: Job, folder: Path) -> driver.Prepared:
    """The sweep, over what is left of an interrupted run of the same code, and over nothing else: blocks that other
    code computed say nothing of this one."""
    config = CONFIGS / f"{job.sweep}.yaml"
    sweep = driver.prepare(config, job.overrides, out=folder, fresh=True).sweep
    stamp = hashlib.sha256("\n".join((CODE, dump(sweep), repr(fingerprint()))).encode()).hexdigest()
    if not (folder / STAMP).is_file() or (folder / STAMP).read_text() != stamp:
        start_over(folder)
        store.write_text(folder / STAMP, stamp)
    return driver.prepare(config, job.overrides, out=folder)


# Said ---------------------------------------------------------------------------------------------------------------


def remarks(outcome: Outcome) -> list[str]:
    """What is to be said of the reference: the verdict, and where and by how much it differs."""
    comparison, path = outcome.comparison, outcome.job.reference
    if outcome.written:
        return [f"reference {path}: {WRITTEN}, {_changed(comparison)}", *_places(comparison)]
    if comparison is None:
        return ["reference: not compared, the seed is another"]
    return [f"reference {path}: {comparison.verdict}", *_places(comparison)]


def _places(comparison: Comparison | None) -> list[str]:
    """Each statistic that differs; of those that may, the furthest off alone."""
    if comparison is None or not comparison.findings:
        return []
    shown = comparison.findings
    if comparison.verdict == WITHIN:
        shown = [max(shown, key=lambda finding: finding.largest)]
    lines = [f"{finding.where}: {finding.what}" for finding in shown]
    left = len(comparison.findings) - len(shown)
    return [*lines, f"and {left} other statistics, by less"] if left else lines


def _changed(comparison: Comparison | None) -> str:
    return f"{comparison.verdict} to the one before" if comparison else "there was none"


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line: how many claims hold, and how many references are reproduced."""
    grades = [verdict.grade for outcome in outcomes for verdict in outcome.verdicts]
    parts = [f"{grades.count(HOLDS)} of {len(grades)} claims hold"]
    parts += [f"{grades.count(FAILS)} fail"] if FAILS in grades else []
    compared = [o.comparison.verdict for o in outcomes if o.comparison and not o.written]
    counted = [f"{compared.count(verdict)} {verdict}" for verdict in dict.fromkeys(compared)]
    if counted:
        parts.append(f"references: {', '.join(counted)}")
    if written := sum(outcome.written for outcome in outcomes):
        parts.append(f"references: {written} written")
    return "; ".join(parts)


def page(request: Request, outcomes: Sequence[Outcome]) -> str:
    """The Markdown summary."""
    sections = [(o.job.title, o.job.question.sentence, o.verdicts, remarks(o)) for o in outcomes]
    return markdown(f"harness verify, size {request.size}: {summary(outcomes)}", sections)


def write_claims(request: Request, outcomes: Sequence[Outcome]) -> Path:
    """claims.json of all sweeps together, under the folder of their results."""
    path = request.folder / "claims.json"
    entries = [
        {
            "experiment": outcome.job.experiment,
            "sweep": outcome.job.sweep,
            "sentence": outcome.job.question.sentence,
            "claims": to_json(outcome.verdicts),
            "reference": remarks(outcome),
        }
        for outcome in outcomes
    ]
    content = {"size": request.size, "seed": request.fresh_seed, "fingerprint": fingerprint(), "sweeps": entries}
    store.write_json(path, content)
    return path
