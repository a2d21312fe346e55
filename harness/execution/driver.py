"""Carry out a plan: blocks go to a pool, their tables to the results folder. A finished block is not computed again."""

import os
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness import config
from harness.engine.own.parts import NONE, Own
from harness.execution.dispatch import (
    FailedBlock,
    Report,
    Resources,
    compute_blocks,
    error_of,
    manifest_entry,
    pool_for,
    require_fit,
)
from harness.execution.holdings import Holdings, holdings, kept_of, plan_of, settings_of
from harness.execution.planning.plan import Plan, PlannedBlock
from harness.execution.pools.processes import Pool
from harness.networks.data import dataset_of
from harness.results import parts
from harness.results.disk.lock import HeldFolder, locked, require_unlocked
from harness.results.environment import environment, made_with
from harness.results.files import write_json, write_text
from harness.results.folder import CONFIG, MANIFEST, remove_results, results_folder
from harness.results.tables import Tables


@dataclass(frozen=True)
class Prepared:
    """A sweep that was read and checked, its plan and its results folder.

    `replaces`: names of figures; if given, they and all other results in the folder are removed first. `mixed`: blocks
    may stand beside others that other software or another processor made. `drop`: networks in the folder that the
    config does not ask for may be removed. `own`: the parts of the user's own that the networks are made of.
    """

    sweep: config.Sweep
    plan: Plan
    folder: Path
    replaces: Collection[str] | None = None
    mixed: bool = False
    drop: bool = False
    own: Own = NONE

    @property
    def inputs(self) -> str:
        """What the inputs are, and what was read of a data file."""
        data = self.sweep.data_spec()
        return data.inputs if data.path is None else f"{data.inputs}: {dataset_of(data).description}"


def prepare(
    sweep: config.Sweep,
    out: str | os.PathLike | None = None,
    replaces: Collection[str] | None = None,
    mixed: bool = False,
    drop: bool = False,
    own: Own = NONE,
) -> Prepared:
    """See what a sweep's results folder holds already, and plan what is missing. Writes nothing.

    `replaces`: names of figures; if given, they and all other results in the folder are to be removed first. `drop`:
    networks that the folder holds and the config does not ask for are to be removed.

    Raises ResultsError for a folder that holds something else or that another run uses.
    """
    folder = results_folder(sweep.name, out)
    require_unlocked(folder)
    prepared = Prepared(sweep, Plan((), settings_of(sweep)), folder, replaces, mixed, drop, own)
    return replace(prepared, plan=plan_of(sweep, _holdings_of(prepared)))


@contextmanager
def executed(
    prepared: Prepared,
    resources: Resources,
    report: Report | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Iterator[HeldFolder]:
    """Compute the missing blocks of a sweep and write their tables. The folder stays locked in the body.

    `report` is called with the progress about every second. `warn` is called with a line for each damaged part that is
    computed again, for blocks that were made elsewhere, and for files that no run writes. The manifest is written
    before the first block, so that the results of an interrupted run can be read, and again at the end. Raises
    HarnessError, which names them, where blocks failed, all others being kept; and where the folder is no longer the
    one that was locked.
    """
    with ExitStack() as stack:
        with pool_for(prepared.plan, resources, prepared.mixed) as pool:
            held = stack.enter_context(locked(prepared.folder))
            limit = resources.block_memory(pool.workers)
            require_fit(prepared.plan, limit)
            prepared, there = _open_folder(prepared, warn)  # plans again: another run may have added blocks meanwhile
            stack.enter_context(_checked(held))
            failed = _compute(prepared, held, pool, limit, there, report)
        if failed:
            raise error_of(failed)
        yield held


def execute(
    prepared: Prepared,
    resources: Resources,
    report: Report | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> None:
    """Compute the missing blocks of a sweep and write their tables, as `executed` does, and unlock the folder."""
    with executed(prepared, resources, report, warn):
        pass


@contextmanager
def _checked(held: HeldFolder) -> Iterator[None]:
    """Raise what became of the folder in place of an error in the body that follows from it."""
    try:
        yield
    except Exception:
        held.check()
        raise


def _compute(
    prepared: Prepared, held: HeldFolder, pool: Pool, limit: float, there: Holdings, report: Report | None
) -> Sequence[FailedBlock]:
    """Compute the blocks of a plan and write their tables. Returns those that failed.

    The manifest is written before and after.
    """
    started = time.monotonic()
    record = _Record(prepared, held, there, pool)
    record.write_manifest(None)
    for block in prepared.plan.taken_over:
        record.commit(block, (), made_with())
    for block, result in compute_blocks(prepared.plan, pool, limit, report, prepared.own, prepared.mixed):
        if isinstance(result, FailedBlock):
            record.failed.append(result)
        else:
            record.commit(block, (result.tables,), result.made_with)
    if not record.failed:
        parts.remove_set_aside(held.path)
    record.write_manifest(time.monotonic() - started)
    return record.failed


class _Record:
    """What a run writes into its folder: the parts of each block, and the manifest of what became of all."""

    def __init__(self, prepared: Prepared, held: HeldFolder, there: Holdings, pool: Pool) -> None:
        self.prepared, self.held, self.there, self.pool = prepared, held, there, pool
        self.makers = [*map(parts.block_made_with, there.finished.values())]
        self.failed: list[FailedBlock] = []
        self._digests = config.digest(prepared.sweep), config.settings_digest(prepared.sweep)
        self._own = prepared.own.code()

    def commit(self, block: PlannedBlock, computed: Sequence[Tables], made: dict[str, str]) -> None:
        """Write the parts of a block, and remember what they were made with."""
        self.held.check()
        tables = self.there.kept.completed(block, computed)
        parts.commit(
            self.held.path, block.name, tables.layers, tables.networks, made, *self._digests, tables.steps, self._own
        )
        self.makers.append(made)

    def write_manifest(self, seconds: float | None) -> None:
        """Write manifest.json. `seconds` is None until the run has ended."""
        self.held.check()
        write_json(self.held.path / MANIFEST, self._manifest(seconds))

    def _manifest(self, seconds: float | None) -> dict:
        """The content of manifest.json; `made_with` has each maker once."""
        sweep, planned = self.prepared.sweep, self.prepared.plan
        return {
            "name": sweep.name,
            "seed": sweep.seed,
            "replicates": sweep.replicates,
            "networks": config.count(sweep) * sweep.replicates,
            "last_run": {
                "networks": planned.networks,
                "layers": planned.layers,
                "blocks": len(planned.blocks),
                "workers": self.pool.workers,
                "seconds": seconds and round(seconds, 3),
            },
            "config_folder": os.path.relpath(sweep.folder, self.prepared.folder),
            "environment": environment(),
            "made_with": [maker for place, maker in enumerate(self.makers) if maker not in self.makers[:place]],
            "failed": [manifest_entry(block) for block in self.failed],
        }


def _holdings_of(prepared: Prepared) -> Holdings:
    fresh = prepared.replaces is not None
    return holdings(prepared.folder, prepared.sweep, fresh, prepared.mixed, prepared.drop, prepared.own.code())


def _open_folder(prepared: Prepared, warn: Callable[[str], None]) -> tuple[Prepared, Holdings]:
    """Make the folder ready. Returns the plan of what is missing, and what is there."""
    folder, sweep = prepared.folder, prepared.sweep
    there = _holdings_of(prepared)
    for line in there.notes:
        warn(line)
    if prepared.replaces is not None:
        remove_results(folder, prepared.replaces)
        parts.remove_set_aside(folder)
    if there.changed:
        parts.set_aside(folder)
        there = replace(there, kept=kept_of(folder, sweep, prepared.own.code()))
    for path in parts.remove_leftovers(folder, keep=there.finished.values()):
        warn(f"{path}: not a file of this sweep; it is left alone and not read")
    write_text(folder / CONFIG, config.dump(sweep))
    parts.make_folders(folder, sweep.training is not None)
    return replace(prepared, plan=plan_of(sweep, there)), there
