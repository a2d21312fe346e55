"""What a results folder holds of a sweep: finished blocks, and networks of an earlier sweep that it is grown from.

Networks do not depend on each other. Where two configs share everything but their networks, the rows of a network that
both ask for are the same to the last bit, and are taken over from the parts of the earlier sweep.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness import config
from harness.base.errors import ConfigError, ResultsError
from harness.engine.lanes.groups import Settings
from harness.execution.planning.plan import Plan, PlannedBlock, plan
from harness.networks.spec import NetworkSpec
from harness.results import parts
from harness.results.environment import made_with
from harness.results.files import text_path
from harness.results.folder import BEFORE, CONFIG, is_results_folder
from harness.results.tables import Tables, joined

LISTED = 5  # networks that a message names
HARNESS_KEYS = ("harness", "code")  # entries of `made_with` that may change more than the last digits


@dataclass(frozen=True)
class Kept:
    """The finished networks of an earlier sweep, by the column `network`, in the parts that hold them."""

    networks_parts: Sequence[Path] = ()

    @cached_property
    def part_of(self) -> dict[str, Path]:
        """The networks part that holds each network."""
        return {
            name: path
            for path in self.networks_parts
            for name in pq.read_table(text_path(path), columns=["network"])["network"].to_pylist()
        }

    def completed(self, block: PlannedBlock, computed: Sequence[Tables]) -> Tables:
        """The tables of a whole block, from what was computed of it and what is taken over."""
        order = [spec.network(i) for spec in block.block.specs for i in block.block.replicates]
        own = {name for tables in computed for name in tables.networks["network"].to_pylist()}
        taken: dict[Path, list[str]] = {}
        for name in (name for name in order if name not in own):
            taken.setdefault(self.part_of[name], []).append(name)
        if not taken and len(computed) == 1:
            return computed[0]
        return joined([*computed, *(_rows(path, names) for path, names in taken.items())], order)


NOTHING = Kept()


def _rows(path: Path, networks: Collection[str]) -> Tables:
    """The rows of some networks in the parts of a block."""
    wanted = pa.array(sorted(networks), pa.string())
    tables = []
    for part in (parts.layers_part(path), path):
        table = pq.read_table(text_path(part))
        names = table["network"]
        tables.append(table.filter(pc.is_in(names.cast(pa.string()), value_set=wanted)))
    return Tables(*tables)


@dataclass(frozen=True)
class Holdings:
    """What a folder holds of a sweep: the `networks` parts of its finished blocks by name, and lines to warn with.

    `kept`: networks of an earlier sweep that the new blocks take over. `changed`: the folder's config is that sweep's.
    """

    finished: Mapping[str, Path]
    notes: Sequence[str] = ()
    kept: Kept = NOTHING
    changed: bool = False


def settings_of(sweep: config.Sweep) -> Settings:
    """What all networks of a sweep share."""
    thresholds = sweep.thresholds
    return Settings(
        sweep.seed,
        sweep.data_spec(),
        sweep.cost,
        sweep.dtype,
        thresholds.decades,
        sweep.record_layers,
        thresholds.saturated_below,
        config.training_of(sweep),
        sweep.mean_abs_grad_weights,
    )


def plan_of(sweep: config.Sweep, there: Holdings) -> Plan:
    """The plan of what a folder does not hold."""
    return plan(config.expand(sweep), settings_of(sweep), sweep.replicates, there.finished, there.kept.part_of)


def holdings(
    folder: Path, sweep: config.Sweep, fresh: bool, mixed: bool, drop: bool, own: Mapping[str, str]
) -> Holdings:
    """What a folder holds of a sweep. Nothing if it is started `fresh`; with `drop` it may hold more.

    `own` are the digests of the parts of the user's own that the sweep uses. Raises ResultsError where the folder holds
    another sweep or something else, networks that the config does not ask for, parts of the user's own that are now
    defined otherwise, and where its blocks were made elsewhere and others would be added that are made here.
    """
    if not is_results_folder(folder) or fresh:
        return Holdings({})
    before = _config_in(folder)
    changes = _changes(before, sweep)
    if changes and not grows(before, sweep):
        raise ResultsError(_other_sweep(folder, changes))
    require_dropped(folder, before, sweep, drop)
    finished, damaged = parts.committed_blocks(folder, config.digest(before))
    _require_same_parts(folder, finished.values(), own)
    notes = [f"{line}; it is computed again" for line in damaged]
    elsewhere = made_elsewhere(finished.values())
    there = Holdings(
        {} if changes else finished, notes, kept_of(folder, sweep, own, finished if changes else {}), bool(changes)
    )
    if elsewhere and plan_of(sweep, there).blocks and not mixed:
        raise ResultsError(
            "\n".join(
                [
                    *elsewhere,
                    "compute all of it here with --fresh, keep both with --out FOLDER, "
                    "or use --mixed to have both in one table",
                ]
            )
        )
    return replace(there, notes=[*notes, "\n".join(elsewhere)]) if elsewhere else there


def _changes(before: config.Sweep, sweep: config.Sweep) -> list[config.Difference]:
    """The differences between two configs that change the numbers of the tables or remove rows of them."""
    more_replicates = before.replicates <= sweep.replicates
    return [
        change
        for change in config.differences(before, sweep)
        if change.where not in config.ONLY_SHOWN and not (change.where == "replicates" and more_replicates)
    ]


def kept_of(
    folder: Path, sweep: config.Sweep, own: Mapping[str, str], finished: Mapping[str, Path] | None = None
) -> Kept:
    """The networks that are taken over: of blocks that an interrupted change set aside, and of finished ones."""
    before = parts.whole_parts(folder / BEFORE, config.settings_digest(sweep))
    here = made_with()  # of other software the last digits may differ: such networks are computed again
    whole = [path for path in (*before, *(finished or {}).values()) if parts.block_made_with(path) == here]
    return Kept([path for path in whole if not _defined_otherwise(parts.block_own(path), own)])


def _defined_otherwise(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The parts of the user's own whose code differs, and the measures that only one of both has: `kind.name`."""
    return sorted(
        part
        for part in then.keys() | now.keys()
        if then.get(part) != now.get(part) and (part.startswith("measures.") or (part in then and part in now))
    )


def _require_same_parts(folder: Path, networks: Iterable[Path], own: Mapping[str, str]) -> None:
    """Raise ResultsError, which names them, where blocks were made with parts that are now defined otherwise."""
    if other := sorted({part for path in networks for part in _defined_otherwise(parts.block_own(path), own)}):
        names = ", ".join(part.partition(".")[2] for part in other)
        raise ResultsError(
            f"{folder} holds results that were computed with another definition of {names}; put it back, compute all "
            "again with --fresh, or keep both with --out FOLDER"
        )


def _other_sweep(folder: Path, changes: Sequence[config.Difference]) -> str:
    """The message about a folder that holds another sweep, or more replicates of this one."""
    remedy = "start over with --fresh, or keep both with --out FOLDER"
    if [change.where for change in changes] == ["replicates"]:
        ((_, held, asked),) = changes
        return (
            f"{folder} holds {held} replicates of each network, more than the {asked} asked for, and removes none: "
            f"ask for {held} or more; or {remedy}"
        )
    return "\n".join([f"{folder} holds the results of another config:", *(f"  {c}" for c in changes), remedy])


def _config_in(folder: Path) -> config.Sweep:
    """The config whose results a folder holds. Raises ResultsError where it cannot be read."""
    try:
        return config.read_file(folder / CONFIG, allow_large=True, read_data=False)
    except ConfigError as error:
        remedy = "put it back, start over with --fresh, or choose another folder with --out"
        raise ResultsError(f"{error.problems[0]}\nso it is not known what {folder} holds; {remedy}") from None


def made_elsewhere(networks: Iterable[Path]) -> list[str]:
    """Lines about finished blocks, given by their `networks` parts, that other software or another processor made."""
    here = made_with()
    others = [other for other in map(parts.block_made_with, networks) if other != here]
    if not others:
        return []
    kinds = {name: sorted({other.get(name, "not recorded") for other in others} - {now}) for name, now in here.items()}
    how = "with other software or on another processor, where the last digits may differ"
    if any(kinds[name] for name in HARNESS_KEYS):
        how = "under another version of the harness, whose numbers may differ"
    return [
        f"{len(others)} finished blocks were made {how}:",
        *(f"  {name}: {'; '.join(then)} -> {here[name]}" for name, then in kinds.items() if then),
    ]


# Growth ---------------------------------------------------------------------------------------------------------------


def grows(before: config.Sweep, sweep: config.Sweep) -> bool:
    """Whether a sweep has networks of an earlier one, under the same settings and with at least as many replicates.

    A sweep that trains does not grow: its training runs are not taken over.
    """
    return (
        sweep.training is None
        and config.settings_digest(before) == config.settings_digest(sweep)
        and before.replicates <= sweep.replicates
        and not {spec.key for spec in config.expand(before)}.isdisjoint(spec.key for spec in config.expand(sweep))
    )


def require_dropped(folder: Path, before: config.Sweep, sweep: config.Sweep, drop: bool) -> None:
    """Raise ResultsError, which names them, where a folder holds networks that the config no longer asks for."""
    asked = {spec.key for spec in config.expand(sweep)}
    gone = [spec for spec in config.expand(before) if spec.key not in asked]
    if gone and not drop:
        more = [f"  and {len(gone) - LISTED} more"] if len(gone) > LISTED else []
        raise ResultsError(
            "\n".join(
                [
                    f"{folder} holds networks that this config no longer asks for:",
                    *(f"  {_label(spec)}" for spec in gone[:LISTED]),
                    *more,
                    "remove them with --drop, ask for them again, or keep both with --out FOLDER",
                ]
            )
        )


def _label(spec: NetworkSpec) -> str:
    return f"{spec.activation.label}, {spec.init.label}, width {spec.width}, depth {spec.depth}"
