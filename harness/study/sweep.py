"""A sweep from its config to its verdicts: run it, draw its figures, judge its claims."""

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from harness import config
from harness.base.errors import ConfigError, HarnessError
from harness.base.messages import shown
from harness.base.text_table import Table
from harness.engine.own.parts import NONE, Own
from harness.execution import driver
from harness.execution.dispatch import Report, Resources
from harness.execution.pools.machine import bytes_of
from harness.figures import FIGURES
from harness.study.claims import Verdict
from harness.study.own.finding import own_of_config
from harness.study.own.given import joined, own_parts
from harness.study.questions import NoQuestions, Question, load_question
from harness.study.results import Results, require_figures

LOG = logging.getLogger(__name__)

# Sweeps in threads of one process wait for each other, which share the number of BLAS threads and matplotlib's style.
_ONE_AT_A_TIME = threading.RLock()

Config = str | os.PathLike | Mapping | config.Sweep


@dataclass(frozen=True)
class Study:
    """A sweep that is ready to run, and the question that its config names, if any."""

    prepared: driver.Prepared
    question: Question | None
    remarks: Sequence[str] = ()  # to warn with


@dataclass(frozen=True)
class Conclusion:
    """The outcome of a sweep: the figures that were drawn, the reasons for others, the summary and the verdicts.

    `not_drawn` has a line for each figure that shows nothing of these networks, `failed_figures` one for each that
    could not be drawn. `glance` is the table with spark lines, None for networks of one layer. `folders` are those of
    the tables that the sweep has written.
    """

    results: Results
    name: str
    figures: Sequence[Path]
    not_drawn: Sequence[str]
    tables: Sequence[Table]
    verdicts: Sequence[Verdict]
    failed_figures: Sequence[str]
    glance: Table | None
    folders: Sequence[Path]


def prepare(
    given: Config,
    overrides: Sequence[str] = (),
    replicates: int | None = None,
    out: str | os.PathLike | None = None,
    fresh: bool = False,
    allow_large: bool = False,
    mixed: bool = False,
    drop: bool = False,
    own: Own = NONE,
) -> Study:
    """Read and check a config and its question, and see what the results folder holds already. Writes nothing.

    The figures that the question names are written into the config as run, so that reading the results later runs no
    question's file. `own`: parts of the user's own, beside those that the question defines. Raises ConfigError for a
    config that cannot be run, ResultsError for a folder that holds something else or is in use.
    """
    own = joined(own_of_config(given, overrides), own)
    with own.in_force():
        sweep, question, remarks = _read(given, overrides, replicates, allow_large, own)
        own = own.used_by(*(config.names(sweep, coordinate) for coordinate in ("activation", "init")))
        prepared = driver.prepare(sweep, out, tuple(FIGURES) if fresh else None, mixed, drop, own)
    return Study(prepared, question, remarks)


def _read(
    given: Config, overrides: Sequence[str], replicates: int | None, allow_large: bool, own: Own
) -> tuple[config.Sweep, Question | None, Sequence[str]]:
    """A config as it is to be run, its question if it has one, and lines to warn with."""
    sweep = given if isinstance(given, config.Sweep) else config.read(given, overrides, replicates, allow_large)
    question, remarks = _question_of(sweep)
    if sweep.figures is None and question:
        path = question.path
        require_figures(question.figures, lambda key: f"{path}: {key}")
        sweep = sweep.model_copy(update={"figures": tuple(dict.fromkeys((*question.figures, *own.figures)))})
    else:
        require_figures(sweep.figures or (), sweep.place)
    return sweep, question, remarks


def _question_of(sweep: config.Sweep) -> tuple[Question | None, Sequence[str]]:
    """The question that a config names, if any; outside of a checkout none, and a line to warn with."""
    if not sweep.experiment:
        return None, ()
    try:
        return load_question(sweep.experiment, sweep.folder, sweep.place("experiment")), ()
    except NoQuestions as missing:
        return None, missing.problems


def run(
    study: Study,
    resources: Resources,
    report: Report | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Conclusion:
    """Compute what is missing, draw the figures and judge the claims.

    Everything that runs sweeps goes through here: `sweep`, the command of that name and `harness verify`. `report` and
    `warn` are called as `driver.execute` says. Raises HarnessError where blocks failed; then nothing is drawn.
    """
    for line in study.remarks:
        warn(line)
    own = study.prepared.own.in_force()
    with _ONE_AT_A_TIME, own, driver.executed(study.prepared, resources, report, warn) as held:
        results = Results(study.prepared.folder, study.prepared.own)
        LOG.info("computed what was missing in %s", study.prepared.folder)
        figures, failed = results.draw_each()
        LOG.info("drew %d files of figures", len(figures))
        held.check()
        verdicts = results.judge(study.question)
        LOG.info("judged %d claims", len(verdicts))
        tables, not_drawn, glance = results.summary(), results.not_drawn(), results.glance()
        folders, name = [results.path / table for table in sorted(results.parts)], results.sweep.name
        conclusion = Conclusion(results, name, figures, not_drawn, tables, verdicts, failed, glance, folders)
        held.check()
    return conclusion


def sweep(
    given: Config,
    *,
    overrides: Sequence[str] = (),
    replicates: int | None = None,
    out: str | os.PathLike | None = None,
    workers: int | str = "auto",
    memory: int | str | None = None,
    dask: str | None = None,
    mixed: bool = False,
    drop: bool = False,
    fresh: bool = False,
    allow_large: bool = False,
    report: Report | None = None,
    activations: Iterable[object] = (),
    inits: Iterable[object] = (),
    measures: Iterable[object] = (),
    figures: Iterable[object] = (),
) -> Results:
    """Run a sweep, draw its figures and judge its claims. Returns its results.

    `given` is the path of a config, or a mapping with the same keys; `overrides` are changes such as
    "network.width=64". `workers` is a number of processes, or "auto": one for a sweep of seconds, else one per core. A
    script with more than one needs the usual `if __name__ == "__main__":`. `memory` is the number of bytes for each
    worker, or a text such as "1.5GB"; by default the workers share a part of this machine's memory. `dask` is the
    address of a scheduler whose workers compute instead; with `mixed` workers are accepted whose last digits may
    differ. Where the folder holds some of these networks, only the others are computed; `drop` removes what it holds
    beyond them, and `fresh` all that it holds. `report` is called with the progress about every second. Results go to
    `out`, by default to results/<name>/ under the current folder.

    The last four are parts of the user's own, which the config may name during this call: each an `Activation` or an
    `Init`, or a function that returns one and whose arguments a config may give; functions under `@measures`; objects
    with the names of a figure's file. Raises HarnessError, or one of its kinds, with what to do.
    """
    resources = _resources(workers, memory, dask)
    if out is not None and not isinstance(out, str | os.PathLike):
        raise ConfigError(f"out: {shown(out)} is not a folder; give its path")
    with _ONE_AT_A_TIME:
        own = own_parts("sweep", activations=activations, inits=inits, measures=measures, figures=figures)
        study = prepare(given, overrides, replicates, out, fresh, allow_large, mixed, drop, own)
        conclusion = run(study, resources, report)
    if conclusion.failed_figures:
        raise HarnessError("\n".join(conclusion.failed_figures))
    return conclusion.results


def _resources(workers: int | str, memory: int | str | None, dask: str | None) -> Resources:
    number = _count_of(workers)
    if number is None and workers != "auto":
        raise ConfigError(f"workers: {shown(workers)} is not a number of workers; use 1 or more, or 'auto'")
    try:
        return Resources(number or "auto", None if memory is None else bytes_of(str(memory)), dask)
    except ValueError as error:
        raise ConfigError(f"memory: {error}") from None


def _count_of(workers: object) -> int | None:
    """A number of workers, of Python's or numpy's integers; None for anything else."""
    if isinstance(workers, bool) or not isinstance(workers, Integral) or int(workers) < 1:
        return None
    return int(workers)
