"""References: what a sweep gave, small enough to keep in git, and whether a rerun gives the same.

A reference is a CSV with a row for each network of the sweep, replicates apart (medians over draws, counts), and a JSON
file with the hash of the full tables and the fingerprint of where they were made. Where the fingerprint is the same,
the hash must be; elsewhere each statistic may differ by what rounding can do.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness import store
from harness.diff import DIFFERS, IDENTICAL, WITHIN, Comparison, Finding
from harness.diff import compare as compare_frames
from harness.environment import fingerprint
from harness.errors import ResultsError
from harness.measures import MEASURES
from harness.results import Results

KEYS = ["activation", "init", "weight_scale", "bias_scale", "width", "input_width", "output_width", "output", "depth"]
COUNTS = ["draws", "dead", "not_ok", "nulls"]
OF_NETWORKS = ["log10_cost", "log10_gradient_gain", "predicted_slope_per_layer", "predicted_spread"]
STANDARD_ERRORS = 6  # of two medians that are independent draws: further apart once in 10^9, and thousands are compared
ROUNDINGS = 100  # of the smallest network: a norm, a cosine and a logarithm take some dozens
MEDIAN = 1.2533  # √(π/2): a median's standard error over a mean's, for a normal law


@dataclass(frozen=True)
class Reference:
    """Statistics of a sweep, by network; how far each may be off; the tables' hash; where they were made.

    `allowed` is of the run it was computed from and is not kept in files.
    """

    statistics: pd.DataFrame
    digest: str
    fingerprint: dict[str, str]
    allowed: pd.DataFrame | None = None


def of_results(results: Results) -> Reference:
    """What a sweep's tables come to."""
    layers, networks = results.layers, results.networks
    draws = per_network(layers, networks)
    statistics, spread = _over_draws(draws)
    allowed = _allowed(statistics, spread, np.finfo(results.sweep.dtype).eps)
    return Reference(statistics, digest(layers, networks), fingerprint(), allowed)


def per_network(layers: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """One row a network: measures averaged over its layers (nulls counted, and left out), and what was made of them."""
    names = layers["network"].astype(str)
    measured = layers[list(MEASURES)].groupby(names, sort=False)
    ends = layers["log10_rms_outputs"].groupby(names, sort=False)
    growth = ends.last() - ends.first()
    order = networks["network"].astype(str)
    frame = networks[KEYS + [name for name in OF_NETWORKS if name in networks]].copy()
    frame[["activation", "init", "output"]] = frame[["activation", "init", "output"]].astype(str)
    frame["dead"] = networks["dead_from_layer"].notna()
    frame["not_ok"] = networks["status"].astype(str) != "ok"
    frame["nulls"] = layers[list(MEASURES)].isna().sum(axis=1).groupby(names, sort=False).sum().loc[order].to_numpy()
    # How much longer a small error in r gets than r does: what a chaotic network makes of a rounding, χ1^(L/2).
    frame["amplified"] = np.maximum(networks["log10_gradient_gain"] - growth.loc[order].to_numpy(), 0)
    means = measured.mean().loc[order].set_axis(frame.index)
    return pd.concat([frame, means], axis=1)


def _over_draws(draws: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Medians and counts of each network over its draws, and the standard deviations of what the medians are of."""
    groups = draws.groupby(KEYS, sort=False)
    columns = [name for name in draws if name not in (*KEYS, *COUNTS)]
    medians, spread = groups[columns].median(), groups[columns].std()
    counts = pd.DataFrame({"draws": groups.size(), **{name: groups[name].sum() for name in COUNTS[1:]}})
    return counts.join(medians), spread


def _allowed(statistics: pd.DataFrame, spread: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    """How much a statistic may differ between two machines, in its own unit.

    A layer's product rounds about `width` times and there are `depth` of them, each amplified; a value in decades is
    itself rounded. Where amplified rounding exceeds the spread over draws, machines draw other networks in effect, and
    their medians differ as medians of independent draws do, no more. One draw has no spread: there rounding alone says.
    """
    width, depth = (statistics.index.get_level_values(name).to_numpy(dtype=float) for name in ("width", "depth"))
    rounding = epsilon * (width * depth + ROUNDINGS)
    with np.errstate(over="ignore"):
        amplified = rounding * 10 ** statistics["amplified"].fillna(0).to_numpy()
    by_chance = STANDARD_ERRORS * MEDIAN * np.sqrt(2 / statistics["draws"].to_numpy())
    allowed = {}
    for name in spread:
        value = statistics[name].abs().where(np.isfinite(statistics[name]), 0)
        allowed[name] = rounding + 4 * epsilon * value + np.fmin(amplified, by_chance * spread[name].to_numpy())
    return pd.DataFrame(allowed, index=statistics.index)


def digest(layers: pd.DataFrame, networks: pd.DataFrame) -> str:
    """A hash of every value of both tables, whatever the order of their rows and how they are encoded."""
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
    """Identical, within tolerance, or different, and where and by how much.

    Where both were made under the same fingerprint nothing but identity will do.
    """
    exact = _findings(reference.statistics, rerun.statistics)
    if reference.digest == rerun.digest:
        return Comparison(IDENTICAL, ())
    if reference.fingerprint == rerun.fingerprint:
        only = Finding("tables", "single values differ, though no statistic of the reference does", np.inf)
        return Comparison(DIFFERS, exact or (only,))
    beyond = _findings(reference.statistics, _near(reference.statistics, rerun))
    return Comparison(DIFFERS if beyond else WITHIN, beyond or exact)


def _near(reference: pd.DataFrame, rerun: Reference) -> pd.DataFrame:
    """The rerun's statistics, those that are near enough to the reference replaced by it."""
    statistics = rerun.statistics.copy()
    before = reference.reindex(statistics.index)
    for name in rerun.allowed.columns.intersection(before.columns):
        with np.errstate(invalid="ignore"):
            near = (statistics[name] - before[name]).abs() <= rerun.allowed[name]
        statistics[name] = statistics[name].where(~near, before[name])
    chaotic = rerun.allowed["amplified"] > 1e-3  # decades: units, and so networks, may then die on one machine only
    for name in COUNTS[1:]:
        statistics[name] = statistics[name].where(~chaotic, before[name])
    return statistics


def _numbers(texts: pd.DataFrame) -> pd.DataFrame:
    """The columns as they were: Python's float() reads what it wrote, whatever pandas' parser rounds."""
    whole = {*COUNTS, "width", "input_width", "output_width", "depth"}
    read = {name: int if name in whole else float for name in texts if name not in ("activation", "init", "output")}
    return texts.assign(**{name: [kind(text or "nan") for text in texts[name]] for name, kind in read.items()})


def _findings(a: pd.DataFrame, b: pd.DataFrame) -> tuple[Finding, ...]:
    return tuple(compare_frames("reference", *(frame.set_axis(_labels(frame), axis=0) for frame in (a, b))))


def _labels(frame: pd.DataFrame) -> list[str]:
    """One text a network: the coordinates that two rows can differ in."""
    rows = frame.index.to_frame(index=False)
    return [
        f"{row.activation}, {row.init}, weight scale {row.weight_scale:g}, bias scale {row.bias_scale:g}, widths "
        f"{row.input_width} {row.width} {row.output_width}, output {row.output}, depth {row.depth}"
        for row in rows.itertuples()
    ]


# Files --------------------------------------------------------------------------------------------------------------


def path_of(folder: Path, size: str, sweep: str) -> Path:
    """Where the reference of a sweep is: its CSV; the JSON beside it has the same name."""
    return folder / size / f"{sweep}.csv"


def write(path: Path, reference: Reference) -> None:
    """Both files; numbers as Python writes them, so that reading gives the same floats."""
    store.write_text(path, reference.statistics.reset_index().to_csv(index=False, lineterminator="\n"))
    store.write_json(path.with_suffix(".json"), {"sha256": reference.digest, "fingerprint": reference.fingerprint})


def read(path: Path) -> Reference:
    """Raises ResultsError where there is none, or it cannot be read."""
    try:
        frame = _numbers(pd.read_csv(path, dtype=str, keep_default_na=False))
        made = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return Reference(frame.set_index(KEYS), str(made["sha256"]), dict(made["fingerprint"]))
    except FileNotFoundError as error:
        raise ResultsError(
            f"{error.filename}: no reference; write it with `harness verify --update-reference`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = " ".join(str(error).split())[:120]
        raise ResultsError(
            f"{path}: cannot be read ({what}); write it with `harness verify --update-reference`"
        ) from None
