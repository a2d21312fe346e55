"""Results on disk: parquet parts that appear whole or not at all, and what tells a finished block from a damaged one.

A block leaves two parts, `layers/<block>-<hash>.parquet` and `networks/<block>-<hash>.parquet`; the hash is that of
the file's bytes. The networks part is renamed last, names its layers part, says what both were made with, and so
commits the block.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness.errors import HarnessError, ResultsError
from harness.failpoints import failpoint
from harness.folder import CONFIG, FIGURES, LAYERS, NETWORKS

HASH_DIGITS = 16
ROW_GROUP = 2**17  # rows; small enough to be read alone, large enough to compress
COORDINATES = (
    "network", "activation", "init", "weight_scale", "bias_scale", "depth", "width", "replicate", "layer",
    "input_width", "output_width", "output", "seed", "family", "sigma_w", "sigma_b", "regime", "status",
)  # fmt: skip
STEPS = ("opened", "half-written", "written", "synced", "renamed", "published")  # of every file, in this order


def write_text(path: Path, text: str) -> None:
    publish(path, text.encode())


def write_json(path: Path, content: Mapping) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def publish(path: Path, content: bytes | memoryview, what: str | None = None) -> None:
    """Write a file whole: aside under a dotted name, flushed to the disk, then renamed; or leave no trace of it.

    Raises HarnessError where there is no room. `what`: the file in the names of failpoints, by default its own.
    """
    aside = path.with_name(f".{path.name}.aside")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        _write_and_rename(aside, path, memoryview(content), what or path.name)
    except OSError as error:
        _remove(aside)
        raise HarnessError(
            f"{path}: cannot be written: {error.strerror}: it takes {_size(len(content))}, {_free(path.parent)}; "
            "finished blocks are kept: make room and run the same command again to go on"
        ) from None


def _write_and_rename(aside: Path, path: Path, content: memoryview, what: str) -> None:
    half = len(content) // 2
    with aside.open("xb") as file:  # x: never through a link that somebody left there
        failpoint(f"{what}-opened")
        file.write(content[:half])
        file.flush()
        failpoint(f"{what}-half-written")
        file.write(content[half:])
        file.flush()
        failpoint(f"{what}-written")
        os.fsync(file.fileno())
        failpoint(f"{what}-synced")
    os.replace(aside, path)
    failpoint(f"{what}-renamed")
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the name, too, is on the disk
    finally:
        os.close(descriptor)
    failpoint(f"{what}-published")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # what was to be said has a reason of its own; the next run removes it


def _free(folder: Path) -> str:
    try:
        return f"{_size(shutil.disk_usage(folder).free)} are free there"
    except OSError:
        return "and what is free there is not known"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count:,} bytes"


# Blocks -------------------------------------------------------------------------------------------------------------


def commit(folder: Path, block: str, layers: pa.Table, networks: pa.Table, made_with: Mapping[str, str]) -> None:
    """Write both parts of a block; it is done once this returns."""
    content = _encoded(layers)
    name = _part_name(block, content)
    publish(folder / LAYERS / name, content, LAYERS)
    content = _encoded(networks.replace_schema_metadata({"layers": name, "made_with": json.dumps(made_with)}))
    publish(folder / NETWORKS / _part_name(block, content), content, NETWORKS)


def done(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The committed blocks, {block: networks part}, and a line for each part that is damaged."""
    blocks, damaged = {}, []
    for path in sorted((folder / NETWORKS).glob("[!.]*.parquet")):
        wrong = _wrong(path) or _wrong(folder / LAYERS / _layers_of(path)) or _misnamed(path)
        if wrong:
            damaged.append(wrong)
        else:
            blocks[_block_of(path)] = path
    return blocks, damaged


def made_with(networks: Path) -> dict[str, str]:
    """What a block was made with, by its networks part: the harness's version and the fingerprint."""
    return json.loads(_metadata(networks).get(b"made_with", b"{}"))


def tidy(folder: Path, keep: Iterable[Path]) -> None:
    """Remove what an interrupted run left: files written aside, and parts that no kept networks part commits."""
    keep = set(keep)
    wanted = {path.name for path in keep} | {_layers_of(path) for path in keep}
    for kind in (LAYERS, NETWORKS):
        for path in (folder / kind).glob("*"):
            if path.name not in wanted and not path.is_dir():
                path.unlink()
    for place in (folder, folder / FIGURES):
        for path in place.glob(".*.aside"):
            path.unlink()


def read(
    folder: Path, kind: str, columns: Sequence[str] | None = None, filters: ds.Expression | None = None
) -> pd.DataFrame:
    """One table of a results folder, committed parts only, blocks in order.

    Raises ResultsError, naming the part, where there are no results or a part is damaged.
    """
    return read_parts(parts(folder), kind, columns, filters)


def parts(folder: Path) -> dict[str, list[Path]]:
    """The committed parts of each table, {layers: …, networks: …}, in the order of their blocks, all of them sound.

    Raises ResultsError, naming the part, where there are no results or a part is damaged.
    """
    blocks, damaged = done(folder)
    if damaged:
        raise ResultsError(f"{damaged[0]}; run the sweep again to replace it")
    if not blocks:
        begun = (folder / CONFIG).is_file() and (folder / NETWORKS).is_dir()
        what = "a sweep was begun here and no block of it is finished; run it again to go on"
        raise ResultsError(f"{folder}: {what if begun else 'no results here; run a sweep first'}")
    networks = list(blocks.values())
    return {LAYERS: [folder / LAYERS / _layers_of(path) for path in networks], NETWORKS: networks}


def read_parts(
    found: Mapping[str, Sequence[Path]], kind: str, columns: Sequence[str] | None = None,
    filters: ds.Expression | None = None
) -> pd.DataFrame:  # fmt: skip
    """The same of parts that are known to be sound."""
    table = ds.dataset([str(path) for path in found[kind]], format="parquet").to_table(
        columns=columns and list(columns), filter=filters
    )
    return table.unify_dictionaries().to_pandas()


def _wrong(path: Path) -> str | None:
    """What is wrong with a part, or None."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if path.stem.endswith(f"-{digest[:HASH_DIGITS]}") else f"{path}: does not match its checksum"


def _misnamed(networks: Path) -> str | None:
    """A part of another block under this one's name has a checksum that is right."""
    same = _block_of(networks) == _block_of(Path(_layers_of(networks)))
    return None if same else f"{networks}: holds another block than its name says"


def _block_of(part: Path) -> str:
    return part.stem[: -HASH_DIGITS - 1]


def _layers_of(networks: Path) -> str:
    return _metadata(networks).get(b"layers", b"unknown.parquet").decode()


def _metadata(part: Path) -> dict[bytes, bytes]:
    try:
        return pq.read_schema(part).metadata or {}
    except (pa.ArrowException, OSError):
        return {}


def _encoded(table: pa.Table) -> memoryview:
    """What repeats is kept as a dictionary; of measured numbers, the bytes of like weight stand together, which packs
    better."""
    coded = [name for name in table.column_names if name in COORDINATES]
    measured = [field.name for field in table.schema if field.name not in coded and pa.types.is_floating(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP, use_dictionary=coded,
                   use_byte_stream_split=measured)  # fmt: skip
    return memoryview(sink.getvalue())


def _part_name(block: str, content: bytes | memoryview) -> str:
    return f"{block}-{hashlib.sha256(content).hexdigest()[:HASH_DIGITS]}.parquet"
