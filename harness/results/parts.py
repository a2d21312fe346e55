"""Blocks on disk: committed as parts of the tables that appear whole or not at all, found again, set aside, removed.

A block has two parts, `layers/<block>-<hash>.parquet` and `networks/<block>-<hash>.parquet`, and where it was trained
two more, in `steps/` and `step_layers/`; the hash is that of the bytes of the file. The networks part is written last
and commits the block: its metadata name the other parts and say what all were made with. The metadata of each say what
it holds: which block of which config, rows and columns.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from harness.base.errors import ResultsError
from harness.results.columns import TABLES
from harness.results.disk.lock import locked
from harness.results.disk.part import (
    BESIDE,
    block_of,
    damage_of,
    described,
    encoded,
    is_part,
    metadata_of,
    part_name,
    parts_beside,
)
from harness.results.files import UNFINISHED, is_unfinished, text_path, write_whole
from harness.results.folder import BEFORE, CONFIG, FIGURES, LAYERS, NETWORKS, is_results_folder, remove_results

# Blocks -------------------------------------------------------------------------------------------------------------


def make_folders(folder: Path, trains: bool = False) -> None:
    """Make the folders of the parts in a results folder.

    A commit makes none, so that it fails where another folder has taken the place of this one.
    """
    for kind in TABLES if trains else (LAYERS, NETWORKS):
        (folder / kind).mkdir(exist_ok=True)


def commit(
    folder: Path,
    block: str,
    layers: pa.Table,
    networks: pa.Table,
    made_with: Mapping[str, str],
    config: str,
    settings: str = "",
    steps: Mapping[str, pa.Table] | None = None,
    own: Mapping[str, str] | None = None,
) -> None:
    """Write the parts of a block; once this returns the block is committed.

    `config` is the digest of the config that the block was computed from (config.digest), which all parts record;
    `settings` is that of what its networks share (config.settings_digest). `steps` has the tables of its training runs,
    {steps: …, step_layers: …}; `own` the digests of the parts of the user's own that they were computed with.
    """
    names = {}
    for kind, table in {LAYERS: layers, **(steps or {})}.items():
        content = encoded(described(table, block, config))
        names[kind] = part_name(block, content)
        write_whole(folder / kind / names[kind], content, kind, make_folder=False)
    more = {**names, "made_with": json.dumps(made_with), "settings": settings} | (
        {"own": json.dumps(own)} if own else {}
    )
    content = encoded(described(networks, block, config, **more))
    write_whole(folder / NETWORKS / part_name(block, content), content, NETWORKS, make_folder=False)


def committed_blocks(folder: Path, config: str) -> tuple[dict[str, Path], list[str]]:
    """The committed blocks, {block: networks part}, and a line for each damaged part. Reads every byte of them.

    Raises ResultsError, naming it, for a part that was computed from another config than that with the digest
    `config`, and for two parts that hold the same networks.
    """
    blocks: dict[str, Path] = {}
    damaged = []
    for path in sorted((folder / NETWORKS).glob("[!.]*.parquet")):
        if not is_part(path):
            continue
        beside = parts_beside(path)
        if damage := next(filter(None, map(damage_of, (path, *beside))), None):
            damaged.append(damage)
            continue
        for part in (path, *beside):
            _require_config(part, config)
        if (block := block_of(path)) in blocks:
            raise _both(blocks[block], path)
        blocks[block] = path
    _require_disjoint(blocks)
    return blocks, damaged


def _require_config(part: Path, config: str) -> None:
    if metadata_of(part).get(b"config", b"").decode() != config:
        raise ResultsError(
            f"{part}: was not computed from the config in {part.parents[1] / CONFIG}; put the config that it was "
            "computed from back, or move this part away and run the sweep again, or start over with --fresh"
        )


def _require_disjoint(blocks: Mapping[str, Path]) -> None:
    """Raise ResultsError if two blocks hold the same replicates of the same networks: their rows would count twice."""
    runs = sorted((*_replicates_of(block), path) for block, path in blocks.items())
    for (networks, _, stop, path), (other_networks, start, _, other) in pairwise(runs):
        if networks == other_networks and start < stop:
            raise _both(path, other)


def _replicates_of(block: str) -> tuple[str, int, int]:
    """The name that stands for the networks of a block, and the range of their replicates."""
    networks, start, stop = block.rsplit("-", 2)
    return networks, int(start), int(stop)


def _both(part: Path, other: Path) -> ResultsError:
    return ResultsError(
        f"{part} and {other} hold the same networks; move one of them away and run the sweep again, or start over with "
        "--fresh"
    )


def block_made_with(networks: Path) -> dict[str, str]:
    """The `environment.made_with` of the process that made a block, read from its networks part."""
    return json.loads(metadata_of(networks).get(b"made_with", b"{}"))


def block_own(networks: Path) -> dict[str, str]:
    """The digests of the parts of the user's own that a block was computed with, read from its networks part."""
    return json.loads(metadata_of(networks).get(b"own", b"{}"))


# Parts of a sweep that is being changed ------------------------------------------------------------------------------


def set_aside(folder: Path) -> None:
    """Move all parts into a folder inside, from which a changed sweep takes over what it still asks for."""
    for kind in (LAYERS, NETWORKS):
        (folder / BEFORE / kind).mkdir(parents=True, exist_ok=True)
        for path in filter(is_part, sorted((folder / kind).glob("[!.]*"))):
            path.replace(folder / BEFORE / kind / path.name)


def whole_parts(folder: Path, settings: str) -> list[Path]:
    """The networks parts of undamaged blocks that were computed under settings with this digest, in any config."""
    return [
        path
        for path in filter(is_part, sorted((folder / NETWORKS).glob("[!.]*.parquet")))
        if metadata_of(path).get(b"settings", b"").decode() == settings
        and not (damage_of(path) or damage_of(layers_part(path)))
    ]


def layers_part(networks: Path) -> Path:
    """The part of the table `layers` that belongs to a networks part."""
    return parts_beside(networks)[0]


def remove_set_aside(folder: Path) -> None:
    """Remove the parts that `set_aside` moved, and the folder that holds them."""
    for place in (folder / BEFORE / LAYERS, folder / BEFORE / NETWORKS, folder / BEFORE):
        for path in filter(is_part, place.glob("*")):
            path.unlink()
        try:
            place.rmdir()
        except OSError:
            pass  # there is none, or it holds files of the user's


# Files that are left --------------------------------------------------------------------------------------------------


def remove_leftovers(folder: Path, keep: Iterable[Path]) -> list[Path]:
    """Remove unfinished files of an interrupted run, and all parts except those of the networks parts to keep.

    Files that no run writes stay; those beside the parts are returned.
    """
    keep = set(keep)
    wanted = {part.name for path in keep for part in (path, *parts_beside(path))}
    for place in (folder, folder / FIGURES, folder / NETWORKS, *(folder / kind for kind in BESIDE)):
        for path in place.glob(f".*{UNFINISHED}"):
            if is_unfinished(path):
                path.unlink()
    foreign = []
    for kind in (*BESIDE, NETWORKS):
        for path in sorted((folder / kind).glob("[!.]*")):
            if not is_part(path):
                foreign.append(path)
            elif path.name not in wanted:
                path.unlink()
    return foreign


def discard_results(folder: Path, figures: Collection[str]) -> None:
    """Remove the results in a folder, if it holds any. Raises ResultsError while a run is using it."""
    if is_results_folder(folder):
        with locked(folder):
            remove_results(folder, figures)
            remove_leftovers(folder, keep=())
            remove_set_aside(folder)


def committed_parts(folder: Path, config: str) -> dict[str, list[Path]]:
    """The committed parts of each table, {networks: …, layers: …, …}, in the order of their blocks.

    Raises ResultsError if there are no results, if a part is damaged or was computed from another config than that with
    the digest `config`, naming it.
    """
    blocks, damaged = committed_blocks(folder, config)
    if damaged:
        raise ResultsError(f"{damaged[0]}; run the sweep again to replace it")
    if not blocks:
        begun = (folder / CONFIG).is_file() and (folder / NETWORKS).is_dir()
        what = "a sweep was begun here and no block of it is finished; run it again to go on"
        raise ResultsError(f"{folder}: {what if begun else 'no results here; run a sweep first'}")
    networks = list(blocks.values())
    tables: dict[str, list[Path]] = {NETWORKS: networks}
    for part in [part for path in networks for part in parts_beside(path)]:
        tables.setdefault(part.parent.name, []).append(part)
    return tables


def read_table(
    paths: Sequence[Path], columns: Sequence[str] | None = None, filters: ds.Expression | None = None
) -> pd.DataFrame:
    """The table that these parts hold, or some of its columns and rows. The parts are not checked."""
    table = ds.dataset([*map(text_path, paths)], format="parquet").to_table(
        columns=columns and list(columns), filter=filters
    )
    return table.unify_dictionaries().to_pandas()
