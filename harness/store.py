"""Results on disk: parquet parts that appear whole or not at all, and what tells a finished block from a damaged one.

A block leaves two parts, `layers/<block>-<hash>.parquet` and `networks/<block>-<hash>.parquet`; the hash is that of
the file's bytes. The networks part is renamed last, names its layers part, and so commits the block.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness.errors import ResultsError

LAYERS, NETWORKS = "layers", "networks"
HASH_DIGITS = 16
ROW_GROUP = 2**17  # rows; small enough to be read alone, large enough to compress


def write_text(path: Path, text: str) -> None:
    """Write a small file whole: aside under a dotted name, flushed to the disk, then renamed."""
    _publish(path, text.encode())


def write_json(path: Path, content: dict) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def commit(folder: Path, block: str, layers: pa.Table, networks: pa.Table) -> None:
    """Write both parts of a block; it is done once this returns."""
    content = _encoded(layers)
    name = _part_name(block, content)
    _publish(folder / LAYERS / name, content)
    content = _encoded(networks.replace_schema_metadata({"layers": name}))
    _publish(folder / NETWORKS / _part_name(block, content), content)


def done(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The committed blocks, {block: networks part}, and a line for each part that is damaged."""
    blocks, damaged = {}, []
    for path in sorted((folder / NETWORKS).glob("[!.]*.parquet")):
        wrong = _wrong(path) or _wrong(folder / LAYERS / _layers_of(path))
        if wrong:
            damaged.append(wrong)
        else:
            blocks[path.stem[: -HASH_DIGITS - 1]] = path
    return blocks, damaged


def tidy(folder: Path, keep: Iterable[Path]) -> None:
    """Remove what an interrupted run left: files written aside, and parts that no kept networks part commits."""
    keep = set(keep)
    wanted = {path.name for path in keep} | {_layers_of(path) for path in keep}
    for kind in (LAYERS, NETWORKS):
        for path in (folder / kind).glob("*"):
            if path.name not in wanted:
                path.unlink()
    for path in folder.glob(".*.aside"):
        path.unlink()


def read(
    folder: Path, kind: str, columns: Sequence[str] | None = None, filters: ds.Expression | None = None
) -> pd.DataFrame:
    """One table of a results folder, committed parts only, blocks in order.

    Raises ResultsError, naming the part, where there are no results or a part is damaged.
    """
    blocks, damaged = done(folder)
    if damaged:
        raise ResultsError(f"{damaged[0]}; run the sweep again to replace it")
    if not blocks:
        raise ResultsError(f"{folder}: no results here; run a sweep first")
    paths = [folder / LAYERS / _layers_of(path) if kind == LAYERS else path for path in blocks.values()]
    table = ds.dataset([str(path) for path in paths], format="parquet").to_table(
        columns=columns and list(columns), filter=filters
    )
    return table.unify_dictionaries().to_pandas()


def _wrong(path: Path) -> str | None:
    """What is wrong with a part, or None."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if path.stem.endswith(_digest(content)) else f"{path}: does not match its checksum"


def _layers_of(networks: Path) -> str:
    try:
        return (pq.read_schema(networks).metadata or {})[b"layers"].decode()
    except (pa.ArrowException, OSError, KeyError):
        return "unknown.parquet"


def _encoded(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP)
    return sink.getvalue().to_pybytes()


def _part_name(block: str, content: bytes) -> str:
    return f"{block}-{_digest(content)}.parquet"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def _publish(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.aside")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the name, too, is on the disk
    finally:
        os.close(descriptor)
