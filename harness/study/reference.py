"""References: statistics of a sweep, small enough to keep in git, and whether a rerun reproduces them.

A reference is a CSV file with one row for each network of the sweep (medians and counts over its replicates) and a JSON
file with the hash of the full tables and the fingerprint of the software and processor that made them. Where a rerun
has the same fingerprint its hash must be the same; elsewhere each statistic may differ by what rounding can do.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.base.errors import ResultsError
from harness.engine.measures import MEASURES
from harness.networks.coordinates import BY_NAME, COORDINATES, PRODUCT_ORDER
from harness.networks.kinds import Flag, Whole
from harness.results.diff import DIFFERS, IDENTICAL, WITHIN, Comparison, Mismatch
from harness.results.diff import compare as compare_frames
from harness.results.environment import fingerprint
from harness.results.files import write_json, write_text
from harness.results.folder import LAYERS, NETWORKS
from harness.study.results import Results

KEYS = list(PRODUCT_ORDER)
_TEXTS = [name for name in KEYS if BY_NAME[name].is_text]
COUNTS = ["draws", "dead", "not_ok", "nulls"]
OF_NETWORKS = ["log10_cost", "log10_gradient_gain", "predicted_slope_per_layer", "predicted_spread"]
STANDARD_ERRORS = 6  # between medians of independent draws: exceeded once in 10^9, and thousands are compared
ROUNDINGS = 100  # of the smallest network: a norm, a cosine and a logarithm take a few dozen
MEDIAN = 1.2533  # √(π/2): the standard error of a median over that of a mean, for a normal law


@dataclass(frozen=True)
class Reference:
    """Statistics of a sweep, one row per network; the hash of its tables; the fingerprint of what made them.

    `columns` are those of each table that the hash is of. `allowed` is the difference that is allowed for each
    statistic, in its own unit. It is computed from the draws of a run and is not kept in files: only a rerun has it.
    """

    statistics: pd.DataFrame
    digest: str
    fingerprint: dict[str, str]
    columns: Mapping[str, Sequence[str]]
    allowed: pd.DataFrame | None = None


def of_results(results: Results, like: Reference | None = None) -> Reference:
    """The reference that the results of a sweep make, or the part of it that compares with an older one.

    `like`: a reference to compare with. Columns of the tables that it does not have, because they were added to the
    harness since, are left out.
    """
    layers, networks = (
        frame if like is None else frame[[name for name in like.columns[table] if name in frame]]
        for table, frame in ((LAYERS, results.layers), (NETWORKS, results.networks))
    )
    draws = per_network(layers, results.networks)
    statistics, spread = _over_draws(draws)
    condition = _condition(layers, results.networks).groupby([draws[key] for key in KEYS], sort=False).median()
    allowed = _allowed(statistics, spread, condition, float(np.finfo(results.sweep.dtype).eps))
    columns = {LAYERS: tuple(layers), NETWORKS: tuple(networks)}
    return Reference(statistics, digest(layers, networks), fingerprint(), columns, allowed)


def per_network(layers: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """One row per network and replicate: measures averaged over layers, and columns of `networks`.

    Nulls are left out of the averages and counted in `nulls`. `amplified` is in decades.
    """
    names, of_layers = layers["network"].astype(str), [name for name in MEASURES if name in layers]
    measured = layers[of_layers].groupby(names, sort=False)
    ends = layers["log10_rms_outputs"].groupby(names, sort=False)
    growth = ends.last() - ends.first()
    order = networks["network"].astype(str)
    frame = networks[KEYS + [name for name in OF_NETWORKS if name in networks]].copy()
    frame[_TEXTS] = frame[_TEXTS].astype(str)
    frame["dead"] = networks["dead_from_layer"].notna()
    frame["not_ok"] = networks["status"].astype(str) != "ok"
    frame["nulls"] = layers[of_layers].isna().sum(axis=1).groupby(names, sort=False).sum().loc[order].to_numpy()
    # Growth of a small error in r relative to r, in decades: a chaotic network amplifies roundings by χ1^(L/2).
    frame["amplified"] = np.maximum(networks["log10_gradient_gain"] - growth.loc[order].to_numpy(), 0)
    means = measured.mean().loc[order].set_axis(frame.index)
    return pd.concat([frame, means], axis=1)


def _condition(layers: pd.DataFrame, networks: pd.DataFrame) -> pd.Series:
    """The most by which a small relative error in r grows between any two layers, in decades, of each network.

    From layer i up to layer j an error grows as the gradient does from j down to i, and r grows by r[j]/r[i].
    """
    ordered = layers.sort_values("layer", kind="stable")
    error = (ordered["log10_grad_preactivations"] + ordered["log10_rms_outputs"]).replace([np.inf, -np.inf], np.nan)
    names = ordered["network"].astype(str)
    grown = (error.groupby(names, sort=False).cummax() - error).groupby(names, sort=False).max()
    return grown.loc[networks["network"].astype(str)].fillna(0).set_axis(networks.index)


def _over_draws(draws: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Medians and counts of each network over its draws, and the standard deviations over the same draws."""
    groups = draws.groupby(KEYS, sort=False)
    columns = [name for name in draws if name not in (*KEYS, *COUNTS)]
    medians, spread = groups[columns].median(), groups[columns].std()
    counts = pd.DataFrame({"draws": groups.size(), **{name: groups[name].sum() for name in COUNTS[1:]}})
    return counts.join(medians), spread


def _allowed(statistics: pd.DataFrame, spread: pd.DataFrame, condition: pd.Series, epsilon: float) -> pd.DataFrame:
    """The difference of each statistic that is allowed between two machines, in its own unit.

    The product of a layer rounds about `width` times, there are `depth` layers, and each rounding is amplified by up to
    `condition` decades. A value in decades is itself rounded. Where amplified rounding exceeds the spread over draws,
    two machines in effect compute different networks, and their medians differ as medians of independent draws do, no
    more. One draw has no spread, so rounding alone sets the limit.
    """
    width, depth = (statistics.index.get_level_values(name).to_numpy(dtype=float) for name in ("width", "depth"))
    rounding = epsilon * (width * depth + ROUNDINGS)
    with np.errstate(over="ignore"):
        amplified = rounding * 10 ** condition.reindex(statistics.index).to_numpy()
    by_chance = STANDARD_ERRORS * MEDIAN * np.sqrt(2 / statistics["draws"].to_numpy())
    allowed = {}
    for name in spread:
        value = statistics[name].abs().where(np.isfinite(statistics[name]), 0)
        allowed[name] = rounding + 4 * epsilon * value + np.fmin(amplified, by_chance * spread[name].to_numpy())
    return pd.DataFrame(allowed, index=statistics.index)


def digest(layers: pd.DataFrame, networks: pd.DataFrame) -> str:
    """SHA-256 of every value of both tables. It does not depend on the order of rows or the encoding of texts."""
    found = hashlib.sha256()
    for frame, keys in ((networks, ["network"]), (layers, ["network", "layer"])):
        codes = [_codes(frame[key]) for key in reversed(keys)]
        order = np.lexsort(codes)
        for name in sorted(frame):
            found.update(f"{name}:".encode())
            found.update(_bytes(frame[name], order))
    return found.hexdigest()


def _codes(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    return column.astype("category").cat.set_categories(sorted(column.astype(str).unique())).cat.codes.to_numpy()


def _bytes(column: pd.Series, order: np.ndarray) -> bytes:
    if pd.api.types.is_numeric_dtype(column):
        return (column.to_numpy(dtype="<f8", na_value=np.nan)[order] + 0.0).tobytes()  # + 0.0: no −0
    texts = column.astype(object).where(column.notna(), "").astype(str)
    names = sorted(texts.unique())
    codes = texts.astype(pd.CategoricalDtype(names)).cat.codes.to_numpy(dtype="<i8")
    return "\n".join(names).encode() + codes[order].tobytes()


# Compared -----------------------------------------------------------------------------------------------------------


def compare(reference: Reference, rerun: Reference) -> Comparison:
    """Whether a rerun is identical to the reference, within tolerance or different, and where and by how much.

    Under the same fingerprint only identical tables will do.
    """
    exact = _mismatches(reference.statistics, rerun.statistics)
    if reference.digest == rerun.digest:
        return Comparison(IDENTICAL, ())
    if reference.fingerprint == rerun.fingerprint:
        only = Mismatch("tables", "single values differ, though no statistic of the reference does", np.inf)
        return Comparison(DIFFERS, exact or (only,))
    beyond = _mismatches(reference.statistics, _near(reference.statistics, rerun))
    return Comparison(DIFFERS if beyond else WITHIN, beyond or exact)


def _near(reference: pd.DataFrame, rerun: Reference) -> pd.DataFrame:
    """The rerun's statistics, where those within the allowed difference are replaced by the reference's."""
    statistics, allowed = rerun.statistics.copy(), rerun.allowed
    if allowed is None:
        raise ValueError("a reference that was read from a file does not say what is allowed")
    before = reference.reindex(statistics.index)
    for name in allowed.columns.intersection(before.columns):
        with np.errstate(invalid="ignore"):
            near = (statistics[name] - before[name]).abs() <= allowed[name]
        statistics[name] = statistics[name].where(~near, before[name])
    chaotic = allowed["amplified"] > 1e-3  # decades: units, and so networks, may then die on one machine only
    for name in COUNTS[1:]:
        statistics[name] = statistics[name].where(~chaotic, before[name])
    return statistics


def _numbers(texts: pd.DataFrame) -> pd.DataFrame:
    """The columns as they were written. Python's float() reads every digit; the parser of pandas may round."""
    whole = {*COUNTS, *(name for name in KEYS if isinstance(BY_NAME[name].kind, Whole))}
    parsers: dict[str, Callable[[str], object]] = {
        name: int if name in whole else float for name in texts if name not in _TEXTS
    }
    flags = (name for name in KEYS if name in texts and isinstance(BY_NAME[name].kind, Flag))
    parsers |= dict.fromkeys(flags, "True".__eq__)
    return texts.assign(**{name: [parse(text or "nan") for text in texts[name]] for name, parse in parsers.items()})


def _with_defaults(frame: pd.DataFrame) -> pd.DataFrame:
    """The statistics with the coordinates that are newer than the reference, at their defaults."""
    return frame.assign(**{c.name: c.usual for c in COORDINATES if c.name not in frame and not c.required})


def _mismatches(a: pd.DataFrame, b: pd.DataFrame) -> tuple[Mismatch, ...]:
    return tuple(compare_frames("reference", *(frame.set_axis(_labels(frame), axis=0) for frame in (a, b))))


def _labels(frame: pd.DataFrame) -> list[str]:
    """One text for each network: its coordinates, by which rows are matched."""
    rows = frame.index.to_frame(index=False)
    cells = [
        [BY_NAME[name].label(f"{value:g}" if isinstance(value, float) else str(value)) for value in rows[name]]
        for name in KEYS
    ]
    return [", ".join(row) for row in zip(*cells, strict=True)]


# Files --------------------------------------------------------------------------------------------------------------


def path_of(folder: Path, size: str, sweep: str) -> Path:
    """The CSV file of a sweep's reference; the JSON file beside it has the same stem."""
    return folder / size / f"{sweep}.csv"


def write(path: Path, reference: Reference) -> None:
    """Write both files, with numbers as Python writes them, so that reading gives the same floats."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, reference.statistics.reset_index().to_csv(index=False, lineterminator="\n"))
    made = {"sha256": reference.digest, "fingerprint": reference.fingerprint, "columns": reference.columns}
    write_json(path.with_suffix(".json"), made)


def read(path: Path) -> Reference:
    """Read both files. Raises ResultsError where one is missing or cannot be read."""
    try:
        frame = _with_defaults(_numbers(pd.read_csv(path, dtype=str, keep_default_na=False)))
        made = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        columns = {table: tuple(made["columns"][table]) for table in (LAYERS, NETWORKS)}
        return Reference(frame.set_index(KEYS), str(made["sha256"]), dict(made["fingerprint"]), columns)
    except FileNotFoundError as error:
        raise ResultsError(
            f"{error.filename}: no reference; write it with `harness verify --update-reference`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = " ".join(str(error).split())[:120]
        raise ResultsError(
            f"{path}: cannot be read ({what}); write it with `harness verify --update-reference`"
        ) from None
