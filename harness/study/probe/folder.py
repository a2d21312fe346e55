"""The results folder of a probe or of a watched training: the tables of a sweep's folder, and findings.json."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

import pandas as pd
import pyarrow as pa
import yaml

from harness.base.errors import ResultsError
from harness.execution.probe.tables import OWN_LAYERS
from harness.results.columns import LAYERS as LAYER_COLUMNS
from harness.results.columns import NETWORKS as NETWORK_COLUMNS
from harness.results.columns import Column
from harness.results.diff import Mismatch, compare
from harness.results.disk.lock import locked
from harness.results.environment import made_with
from harness.results.files import write_json, write_text
from harness.results.folder import CONFIG, FINDINGS, LAYERS, MANIFEST, NETWORKS, is_probe, is_results_folder
from harness.results.parts import commit, committed_parts, read_table, remove_leftovers
from harness.study.probe.findings import Finding
from harness.study.probe.report import OWN_NETWORKS, Report

WHOLE = ("layer", "order", "call", "step", "depth", "fan_in")  # columns of whole numbers
KEYS = {LAYERS: ["network", "path", "op", "call"], NETWORKS: ["network"]}


def save(report: Report, folder: str | os.PathLike, described: Mapping[str, object]) -> Path:
    """Write a report into a folder, in place of an earlier report there. `described` says what was run.

    Raises ResultsError for a folder that holds anything else.
    """
    folder = Path(folder)
    if is_results_folder(folder) and not is_probe(folder):
        raise ResultsError(f"{folder}: results of a sweep; choose another with --out")
    text = yaml.safe_dump({"probe": {"name": report.name, **described}}, sort_keys=False, allow_unicode=True)
    with locked(folder):
        remove_leftovers(folder, keep=())
        write_text(folder / CONFIG, text)
        layers = _table(report.layers, (*LAYER_COLUMNS, *OWN_LAYERS))
        networks = _table(report.networks, (*NETWORK_COLUMNS, *OWN_NETWORKS))
        if layers.num_rows:
            commit(folder, f"probe-{0:07}-{1:07}", layers, networks, made_with(), _digest(text))
        findings = [asdict(finding) for finding in report.findings]
        write_json(folder / FINDINGS, {"findings": findings, "notes": list(report.notes)})
        write_json(
            folder / MANIFEST,
            {
                "name": report.name,
                "networks": len(report.networks),
                "config_folder": ".",
                "failed": [],
                "made_with": [made_with()],
            },
        )
    return folder


def probe_results(folder: str | os.PathLike) -> Report:
    """The report in a folder. Raises ResultsError where it is damaged."""
    folder = Path(folder)
    try:
        text = (folder / CONFIG).read_text(encoding="utf-8")
        name = str(yaml.safe_load(text)["probe"]["name"])
        found = json.loads((folder / FINDINGS).read_text(encoding="utf-8"))
        findings = tuple(Finding(**one) for one in found["findings"])
        notes = tuple(map(str, found["notes"]))
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        raise ResultsError(f"{folder}: the results of a probe cannot be read; probe the model again") from None
    parts = committed_parts(folder, _digest(text))
    return Report(name, read_table(parts[LAYERS]), read_table(parts[NETWORKS]), findings, notes)


def differences(a: Report, b: Report) -> list[Mismatch]:
    """How the tables of two reports differ; their rows are matched by module, operation and call."""
    mismatches: list[Mismatch] = []
    for table, keys in KEYS.items():
        first, second = (_keyed(getattr(report, table), report.name, keys) for report in (a, b))
        mismatches += compare(table, first, second)
    return mismatches


def _keyed(frame: pd.DataFrame, name: str, keys: Sequence[str]) -> pd.DataFrame:
    """A table indexed by its keys, with the model's name left out of the key of its networks."""
    steps = frame["network"].astype(str).str.removeprefix(name)
    return frame.assign(network=steps).set_index(list(keys)).drop(columns=["order"], errors="ignore")


def _table(frame: pd.DataFrame, columns: Sequence[Column]) -> pa.Table:
    """A frame as a parquet table, texts as texts and measured numbers as floats, whatever is missing."""
    fields = []
    for column in columns:
        values = frame[column.name]
        texts = values.dropna().map(lambda value: isinstance(value, str)).any()
        truths = values.dropna().map(lambda value: isinstance(value, bool)).all() and values.notna().any()
        kind = pa.string() if texts else pa.bool_() if truths else pa.int64() if column.name in WHOLE else pa.float64()
        fields.append(pa.field(column.name, kind))
    schema = pa.schema(list({field.name: field for field in fields}.values()))
    return pa.Table.from_pandas(frame[schema.names], schema, preserve_index=False)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()
