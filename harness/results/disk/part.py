"""A part of a table on disk: one parquet file, its name, and how a damaged one is recognised.

The name ends in the hash of the file's bytes. The metadata say what the part holds: which block of which config, rows
and columns; those of a networks part name the other parts of the block, too.
"""

import hashlib
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.results.columns import REPEATING
from harness.results.files import text_path
from harness.results.folder import LAYERS, STEP_LAYERS, STEPS

BESIDE = (LAYERS, STEPS, STEP_LAYERS)  # tables whose parts the networks part names
HASH_DIGITS = 16
ROW_GROUP = 2**17  # rows; small enough to be read alone, large enough to compress
PART = re.compile(rf".+-\d{{7,}}-\d{{7,}}-[0-9a-f]{{{HASH_DIGITS}}}\.parquet")  # names that `commit` gives


def is_part(path: Path) -> bool:
    """Whether a file has a name that `commit` gives; any other file is the user's."""
    return PART.fullmatch(path.name) is not None and not path.is_dir()


def damage_of(path: Path) -> str | None:
    """A description of the damage to a part, or None."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not path.stem.endswith(f"-{digest[:HASH_DIGITS]}"):
        return f"{path}: does not match its checksum"
    return _differs_from_description(path)


def described(table: pa.Table, block: str, config: str, **more: str) -> pa.Table:
    """A table with metadata that say what it holds, so that another table under its name is recognised."""
    says = {"block": block, "config": config, "rows": str(table.num_rows), "columns": _kinds(table.schema)}
    return table.replace_schema_metadata(says | more)


def _differs_from_description(part: Path) -> str | None:
    """What is wrong with a part whose checksum is right, or None: other rows, other columns, another block."""
    try:
        footer = pq.read_metadata(text_path(part))
        schema = footer.schema.to_arrow_schema()
    except (pa.ArrowException, OSError):
        return f"{part}: is not a parquet file"
    says = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    if says.get("rows") != str(footer.num_rows):
        return f"{part}: has {footer.num_rows:,} rows, which are not those that it was written with"
    if says.get("columns") != _kinds(schema):
        return f"{part}: does not have the columns that it was written with"
    return None if says.get("block") == block_of(part) else f"{part}: holds another block than its name says"


def _kinds(schema: pa.Schema) -> str:
    """A digest of the names of a table's columns and whether their values are texts, whole numbers or others."""
    kinds = []
    for field in schema:
        values = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        text = pa.types.is_string(values) or pa.types.is_large_string(values)
        kinds.append((field.name, text, pa.types.is_integer(values)))
    return hashlib.blake2b(repr(kinds).encode(), digest_size=8).hexdigest()


def block_of(part: Path) -> str:
    """The block that a part's name says it belongs to."""
    return part.stem[: -HASH_DIGITS - 1]


def parts_beside(networks: Path) -> list[Path]:
    """The other parts of a block, which its networks part names."""
    metadata = {LAYERS.encode(): b"unknown.parquet"} | metadata_of(networks)
    named = {kind: metadata.get(kind.encode()) for kind in BESIDE}
    # A damaged part may hold any bytes; its checksum tells, before what it names is looked for.
    return [networks.parents[1] / kind / name.decode(errors="replace") for kind, name in named.items() if name]


def metadata_of(part: Path) -> dict[bytes, bytes]:
    """What a part says of itself; empty where it cannot be read."""
    try:
        return pq.read_schema(text_path(part)).metadata or {}
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return {}


def encoded(table: pa.Table) -> memoryview:
    """The bytes of a parquet file. Repeating columns are stored as dictionaries, measured numbers as byte streams,
    which compress better."""
    coded = [name for name in table.column_names if name in REPEATING]
    measured = [field.name for field in table.schema if field.name not in coded and pa.types.is_floating(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", row_group_size=ROW_GROUP, use_dictionary=coded, use_byte_stream_split=measured
    )
    return memoryview(sink.getvalue())


def part_name(block: str, content: bytes | memoryview) -> str:
    """The name of the part of a block that has this content."""
    return f"{block}-{hashlib.sha256(content).hexdigest()[:HASH_DIGITS]}.parquet"
