"""The plan carried out: blocks → executor → parts on disk, then figures. What is finished is never computed again."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from harness import config, store
from harness.environment import environment
from harness.errors import HarnessError, ResultsError
from harness.executors import completed, cores, executor
from harness.lanes import Block, Settings
from harness.plan import Plan, PlannedBlock, plan, work
from harness.questions import Question, load_question
from harness.results import Results, require_figures
from harness.run import run_block
from harness.tables import Tables

SERIAL_WORK = 2e10  # with less to do than this, two seconds, starting workers is not worth their time
OURS = ("manifest.json", "claims.json", "figures", "networks", "layers", "config.yaml")  # last what says they are ours


@dataclass(frozen=True)
class Progress:
    """How far a sweep is; `report` is called with one about every second."""

    networks: int
    of_networks: int
    blocks: int
    of_blocks: int
    work: float  # share of the work done, in [0, 1]


Report = Callable[[Progress], None]
Config = str | os.PathLike | Mapping


@dataclass(frozen=True)
class Prepared:
    """A sweep that was read and checked, with the folder its results go to."""

    sweep: config.Sweep
    plan: Plan
    folder: Path
    config_folder: Path
    question: Question | None
    replaces: bool = False  # what the folder holds


def prepare(given: Config, overrides: Sequence[str] = (), replicates: int | None = None,
            out: str | os.PathLike | None = None, fresh: bool = False,
            allow_large: bool = False) -> Prepared:  # fmt: skip
    """Read and check a config, and see what its results folder holds already. Writes nothing.

    Raises ConfigError for a config that cannot be run, ResultsError for a folder that holds something else.
    """
    if replicates is not None:
        overrides = [*overrides, f"replicates={replicates}"]
    sweep, config_folder = _read(given, overrides, allow_large)
    question = load_question(sweep.experiment, config_folder) if sweep.experiment else None
    require_figures(sweep.figures or (question.figures if question else ()))
    folder = Path(out) if out is not None else Path("results") / sweep.name
    finished = _finished(folder, sweep, fresh)
    return Prepared(sweep, _plan(sweep, finished), folder, config_folder, question, replaces=fresh)


def sweep(given: Config, *, overrides: Sequence[str] = (), replicates: int | None = None,
          out: str | os.PathLike | None = None, workers: int | str = 1, fresh: bool = False,
          allow_large: bool = False, report: Report | None = None) -> Results:  # fmt: skip
    """Run a sweep, given as a config's path or as a mapping, and draw its figures.

    `workers` is a number of processes or "auto"; a script that asks for more than one needs the usual
    `if __name__ == "__main__":`. Results go to results/<name>/ under the current folder, or to `out`.
    """
    prepared = prepare(given, overrides, replicates, out, fresh, allow_large)
    execute(prepared, workers, report)
    results = Results(prepared.folder)
    results.draw()
    results.write_verdicts()
    return results


def execute(prepared: Prepared, workers: int | str = "auto", report: Report | None = None) -> None:
    """Compute the blocks that are not there yet and write them; the manifest last."""
    folder = prepared.folder
    with _held(folder):
        finished = _finished(folder, prepared.sweep, prepared.replaces)  # again: another run may have ended since
        if prepared.replaces:
            _clear(folder)
        prepared = replace(prepared, plan=_plan(prepared.sweep, finished))
        store.tidy(folder, keep=finished.values())
        store.write_text(folder / "config.yaml", config.dump(prepared.sweep))
        started = time.monotonic()
        count = how_many(workers, prepared.plan)
        with closing(_computed(prepared.plan, count, report)) as computed:  # closing ends the workers, whatever happens
            for block, tables in computed:
                store.commit(folder, block.name, tables.layers, tables.networks)
        store.write_json(folder / "manifest.json", _manifest(prepared, count, time.monotonic() - started))


def how_many(workers: int | str, planned: Plan) -> int:
    """The number of worker processes; "auto" takes the cores there are, and none for a small sweep."""
    if workers == "auto":
        workers = 1 if sum(block.work for block in planned.blocks) < SERIAL_WORK else cores()
    return max(1, min(int(workers), len(planned.blocks)))


def _read(given: Config, overrides: Sequence[str], allow_large: bool) -> tuple[config.Sweep, Path]:
    if isinstance(given, Mapping):
        return config.from_mapping(given, overrides=overrides, allow_large=allow_large), Path(".")
    return config.load(Path(given), overrides, allow_large=allow_large), Path(given).parent


def _plan(sweep: config.Sweep, finished: Iterable[str]) -> Plan:
    settings = Settings(
        sweep.seed, sweep.data_spec(), sweep.cost, sweep.dtype, sweep.thresholds.decades, sweep.record_layers
    )
    return plan(config.expand(sweep), settings, sweep.replicates, finished)


def _finished(folder: Path, sweep: config.Sweep, fresh: bool) -> dict[str, Path]:
    """Blocks that are there already. Raises ResultsError where the folder holds another sweep, or something else."""
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise ResultsError(f"{folder}: a file, not a folder; choose another with --out")
    if not _is_ours(folder):
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise ResultsError(f"{folder}: not a results folder, and not empty; choose another with --out")
        return {}
    if fresh:
        return {}
    before = Results(folder).sweep
    gains = before.replicates <= sweep.replicates
    other = [f"  {change}" for change in config.differences(before, sweep) if change.where != "replicates" or not gains]
    if other:
        lines = [f"{folder} holds the results of another config:", *other,
                 "start over with --fresh, or keep both with --out FOLDER"]  # fmt: skip
        raise ResultsError("\n".join(lines))
    return store.done(folder)[0]


def _is_ours(folder: Path) -> bool:
    """A config.yaml alone does not make a results folder, which --fresh may empty: a run leaves more."""
    return (folder / "config.yaml").is_file() and any((folder / name).exists() for name in (".lock", store.NETWORKS))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder, made if need be and locked against a second run; the lock ends with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / ".lock").open("a+")
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be written: {error.strerror}; choose another with --out") from None
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ResultsError(
                f"{folder}: in use by another run (process {lock.read().strip()}); wait for it"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _clear(folder: Path) -> None:
    """Remove the results of an earlier sweep, and only those."""
    for name in OURS:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def start_over(folder: Path) -> None:
    """Remove what an earlier run left in a folder, if it was one of ours; raises ResultsError while one is running."""
    if _is_ours(folder):
        with _held(folder):
            _clear(folder)


def _computed(planned: Plan, workers: int, report: Report | None) -> Iterator[tuple[PlannedBlock, Tables]]:
    """Blocks as they finish, largest first."""
    largest_first = sorted(planned.blocks, key=lambda block: -block.work)
    finished: list[PlannedBlock] = []
    with executor(workers) as pool:

        def submit(block: PlannedBlock) -> Future:
            try:
                return pool.submit(run_block, block.block, planned.settings)
            except BrokenProcessPool as error:  # a worker died since the last one was submitted
                failed: Future = Future()
                failed.set_exception(error)
                return failed

        for event in completed(submit, largest_first, at_once=workers + 1 if workers > 1 else 1):
            if event:
                block, future = event
                yield block, _result(block, future)
                finished.append(block)
            if report:
                report(_progress(planned, finished))


def _result(block: PlannedBlock, future: Future) -> Tables:
    try:
        return future.result()
    except BrokenProcessPool:
        raise HarnessError(
            f"a worker process died while block {block.name} was computed (out of memory? it needs about "
            f"{block.memory / 1e9:.1f} GB); finished blocks are kept: run the same command again to go on"
        ) from None


def _progress(planned: Plan, finished: Sequence[PlannedBlock]) -> Progress:
    total = sum(block.work for block in planned.blocks)
    return Progress(sum(block.networks for block in finished), planned.networks, len(finished), len(planned.blocks),
                    sum(block.work for block in finished) / total)  # fmt: skip


def estimate(planned: Plan, workers: int) -> float:
    """Seconds that the blocks will take, from running a small part of the first one."""
    if not planned.blocks:
        return 0.0
    largest = max(planned.blocks, key=lambda block: block.work)
    shallow = {replace(spec, depth=min(spec.depth, 12)): None for spec in largest.block.specs}
    sample = Block(tuple(shallow)[:8], largest.block.replicates)
    with threadpool_limits(limits=1):
        run_block(sample, planned.settings)  # once for what is loaded and allocated the first time
        started = time.perf_counter()
        run_block(sample, planned.settings)
    speed = work(sample.specs, planned.settings) * len(sample.replicates) / (time.perf_counter() - started)
    return sum(block.work for block in planned.blocks) / speed / workers


def _manifest(prepared: Prepared, workers: int, seconds: float) -> dict:
    sweep, planned = prepared.sweep, prepared.plan
    return {
        "name": sweep.name,
        "seed": sweep.seed,
        "replicates": sweep.replicates,
        "networks": len(config.expand(sweep)) * sweep.replicates,
        "last_run": {"networks": planned.networks, "layers": planned.layers, "blocks": len(planned.blocks),
                     "workers": workers, "seconds": round(seconds, 3)},
        "config_folder": os.path.relpath(prepared.config_folder, prepared.folder),
        "environment": environment(),
    }  # fmt: skip
