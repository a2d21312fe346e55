"""The plan carried out: blocks → executor → parts on disk, then figures. What is finished is never computed again."""

import os
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import config, store
from harness.dispatch import Failed, Report, Where, computed, executor_for, failure, record, require_fit
from harness.environment import environment, made_with
from harness.errors import ConfigError, ResultsError
from harness.folder import CONFIG, MANIFEST, clear, held, is_ours, require_free, results_folder
from harness.lanes import Settings
from harness.machine import bytes_of
from harness.plan import Plan, plan
from harness.problems import shown
from harness.questions import Question, load_question
from harness.results import Results, require_figures

OF_THE_HARNESS = ("harness", "code")  # of what a block was made with: they may change more than last digits

Config = str | os.PathLike | Mapping | config.Sweep


@dataclass(frozen=True)
class Prepared:
    """A sweep that was read and checked, with the folder its results go to."""

    sweep: config.Sweep
    plan: Plan
    folder: Path
    question: Question | None
    replaces: bool = False  # what the folder holds
    mixed: bool = False  # may stand beside blocks that were made elsewhere

    @property
    def as_run(self) -> config.Sweep:
        """With the question's figures written out: whoever reads the results runs nobody's file."""
        figures = self.question.figures if self.question and self.sweep.figures is None else self.sweep.figures
        return self.sweep.model_copy(update={"figures": figures})


def prepare(given: Config, overrides: Sequence[str] = (), replicates: int | None = None,
            out: str | os.PathLike | None = None, fresh: bool = False, allow_large: bool = False,
            mixed: bool = False) -> Prepared:  # fmt: skip
    """Read and check a config, and see what its results folder holds already. Writes nothing.

    Raises ConfigError for a config that cannot be run, ResultsError for a folder that holds something else, or is held.
    """
    sweep = given if isinstance(given, config.Sweep) else config.read(given, overrides, replicates, allow_large)
    question = load_question(sweep.experiment, sweep.folder, sweep.place("experiment")) if sweep.experiment else None
    if sweep.figures is None and question:
        require_figures(question.figures, lambda key: f"{question.path}: {key}")
    else:
        require_figures(sweep.figures or (), sweep.place)
    folder = results_folder(sweep.name, out)
    require_free(folder)
    planned = _plan(sweep, _held_already(folder, sweep, fresh, mixed)[0])
    return Prepared(sweep, planned, folder, question, replaces=fresh, mixed=mixed)


def sweep(given: Config, *, overrides: Sequence[str] = (), replicates: int | None = None,
          out: str | os.PathLike | None = None, workers: int | str = 1, memory: int | str | None = None,
          dask: str | None = None, mixed: bool = False, fresh: bool = False, allow_large: bool = False,
          report: Report | None = None) -> Results:  # fmt: skip
    """Run a sweep and draw its figures. `given`: the path of a config, or a dict with a config's keys.

    `workers` is a number of processes or "auto"; a script that asks for more than one needs the usual
    `if __name__ == "__main__":`. `memory` is how many bytes each may take, or "1.5GB"; default, its part of a
    share of what this machine has. `dask` is the address of a scheduler whose workers compute in their place; with
    `mixed` also those whose last bits may differ. Results go to results/<name>/ under the current folder, or to `out`.
    """
    where = _where(workers, memory, dask)
    if out is not None and not isinstance(out, str | os.PathLike):
        raise ConfigError(f"out: {shown(out)} is no folder; give its path")
    prepared = prepare(given, overrides, replicates, out, fresh, allow_large, mixed)
    execute(prepared, where, report)
    results = Results(prepared.folder)
    results.draw()
    results.write_verdicts(prepared.question)
    return results


def _where(workers: int | str, memory: int | str | None, dask: str | None) -> Where:
    if workers != "auto" and (not isinstance(workers, int) or workers < 1):
        raise ConfigError(f"workers: {shown(workers)} is not a number of workers; use 1 or more, or 'auto'")
    try:
        return Where(workers, None if memory is None else bytes_of(str(memory)), dask)
    except ValueError as error:
        raise ConfigError(f"memory: {error}") from None


def execute(prepared: Prepared, where: Where, report: Report | None = None,
            note: Callable[[str], None] = warnings.warn) -> None:  # fmt: skip
    """Compute the blocks that are not there yet and write them.

    `note` is called with a line for each damaged part that is computed again, and where what is there was made
    elsewhere. The manifest is written before the first block, so that what an interrupted run leaves can be read,
    and again at the end. Raises HarnessError, which names them, where blocks failed; all others are kept.
    """
    folder = prepared.folder
    failed: list[Failed] = []
    with executor_for(prepared.plan, where, prepared.mixed) as pool, held(folder):
        limit = where.limit(pool.workers)
        require_fit(prepared.plan, limit)
        prepared, finished = _made_ready(prepared, note)  # read again: it is ours now
        started = time.monotonic()
        ways = [*map(store.made_with, finished)]
        store.write_json(folder / MANIFEST, _manifest(prepared, pool.workers, None, ways, failed))
        for block, outcome in computed(prepared.plan, pool, limit, report):
            if isinstance(outcome, Failed):
                failed.append(outcome)
            else:
                store.commit(folder, block.name, outcome.tables.layers, outcome.tables.networks, outcome.made_with)
                ways.append(outcome.made_with)
        seconds = time.monotonic() - started
        store.write_json(folder / MANIFEST, _manifest(prepared, pool.workers, seconds, ways, failed))
    if failed:
        raise failure(failed)


def _made_ready(prepared: Prepared, note: Callable[[str], None]) -> tuple[Prepared, Collection[Path]]:
    """The folder made ready for the blocks that are not there: the plan of those, and the networks parts that are."""
    folder = prepared.folder
    finished, notes = _held_already(folder, prepared.sweep, prepared.replaces, prepared.mixed)
    for line in notes:
        note(line)
    if prepared.replaces:
        clear(folder)
    store.tidy(folder, keep=finished.values())
    store.write_text(folder / CONFIG, config.dump(prepared.as_run))
    return replace(prepared, plan=_plan(prepared.sweep, finished)), finished.values()


def _plan(sweep: config.Sweep, finished: Iterable[str]) -> Plan:
    settings = Settings(
        sweep.seed, sweep.data_spec(), sweep.cost, sweep.dtype, sweep.thresholds.decades, sweep.record_layers
    )
    return plan(config.expand(sweep), settings, sweep.replicates, finished)


def _held_already(folder: Path, sweep: config.Sweep, fresh: bool, mixed: bool) -> tuple[dict[str, Path], list[str]]:
    """Blocks that are there, whole, and what is to be said of them.

    Raises ResultsError where the folder holds another sweep, something else, or what was made elsewhere and would stand
    beside what this run computes.
    """
    if not is_ours(folder) or fresh:
        return {}, []
    before = _swept_before(folder)
    gains = before.replicates <= sweep.replicates
    other = [change for change in config.differences(before, sweep)
             if change.where not in config.ONLY_SHOWN and not (change.where == "replicates" and gains)]  # fmt: skip
    if other:
        raise ResultsError(_another(folder, other))
    finished, damaged = store.done(folder)
    notes = [f"{line}; it is computed again" for line in damaged]
    elsewhere = made_elsewhere(finished.values())
    if elsewhere and _plan(sweep, finished).blocks and not mixed:
        raise ResultsError("\n".join([*elsewhere, "compute all of it here with --fresh, keep both with --out FOLDER, "
                                       "or say --mixed to have both in one table"]))  # fmt: skip
    return finished, [*notes, "\n".join(elsewhere)] if elsewhere else notes


def _another(folder: Path, changes: Sequence[config.Difference]) -> str:
    """What to say of a folder that holds another sweep, or more of this one."""
    remedy = "start over with --fresh, or keep both with --out FOLDER"
    if [change.where for change in changes] == ["replicates"]:
        (_, held, asked), = changes
        return (f"{folder} holds {held} replicates of each network, more than the {asked} asked for, and removes none: "
                f"ask for {held} or more; or {remedy}")  # fmt: skip
    return "\n".join([f"{folder} holds the results of another config:", *(f"  {c}" for c in changes), remedy])


def _swept_before(folder: Path) -> config.Sweep:
    try:
        return config.load(folder / CONFIG, allow_large=True, read_data=False)
    except ConfigError as error:
        remedy = "put it back, start over with --fresh, or choose another folder with --out"
        raise ResultsError(f"{error.problems[0]}\n{folder} does not say any more what it holds; {remedy}") from None


def made_elsewhere(networks: Iterable[Path]) -> list[str]:
    """What finished blocks, given by their networks parts, were made with that is not what would make them now."""
    here = made_with()
    others = [other for other in map(store.made_with, networks) if other != here]
    if not others:
        return []
    kinds = {name: sorted({other.get(name, "not recorded") for other in others} - {now}) for name, now in here.items()}
    how = "with other software or on another processor, where the last digits may differ"
    if any(kinds[name] for name in OF_THE_HARNESS):
        how = "under another version of the harness, whose numbers may be others"
    return [f"{len(others)} finished blocks were made {how}:",
            *(f"  {name}: {'; '.join(then)} -> {here[name]}" for name, then in kinds.items() if then)]  # fmt: skip


def _manifest(prepared: Prepared, workers: int, seconds: float | None, ways: Sequence[dict[str, str]],
              failed: Sequence[Failed]) -> dict:  # fmt: skip
    """`seconds` are null until the run has ended; `made_with` has an entry for each way that parts were made."""
    sweep, planned = prepared.sweep, prepared.plan
    return {
        "name": sweep.name,
        "seed": sweep.seed,
        "replicates": sweep.replicates,
        "networks": config.count(sweep) * sweep.replicates,
        "last_run": {"networks": planned.networks, "layers": planned.layers, "blocks": len(planned.blocks),
                     "workers": workers, "seconds": seconds and round(seconds, 3)},
        "config_folder": os.path.relpath(sweep.folder, prepared.folder),
        "environment": environment(),
        "made_with": [way for place, way in enumerate(ways) if way not in ways[:place]],
        "failed": [record(one) for one in failed],
    }  # fmt: skip
