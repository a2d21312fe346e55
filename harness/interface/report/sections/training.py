"""Training: the course of every setting by every recipe, at the recorded steps and at the layers that are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.dataset as ds

from harness.base.arrays import Array, evenly_spaced
from harness.base.numbers import formatted, number
from harness.base.text_table import Table
from harness.figures.kit.quartiles import SHARES, quartiles
from harness.interface.report.encoding import Plain, packed_json, plain
from harness.interface.report.settings import Settings, in_order
from harness.networks.training.recipe import RECIPE
from harness.results.folder import STEP_LAYERS, STEPS
from harness.results.training.tables import DIVERGED
from harness.results.training.tuning import OTHERS, tuned
from harness.study.results import Results

MOST_STEPS = 65  # of a course
MOST_CELLS = 2**14  # steps × layers of all courses together
FEWEST_LAYERS = 5  # of each course, where there are many
MOST_COURSES = 400
MOST_LINES = 40  # of the table that needs no script
DIGITS = 5  # of a number on the page

OVER_STEPS = {
    "log10_cost_validation": "cost on the rows that validate",
    "log10_cost_probe": "cost on the probe, rows that train",
    "log10_cost_test": "cost on the rows that test",
    "accuracy_validation": "accuracy on the rows that validate",
    "accuracy_probe": "accuracy on the probe, rows that train",
    "accuracy_test": "accuracy on the rows that test",
    "log10_gradient_gain": "‖∂C/∂z[1]‖ / ‖∂C/∂z[L]‖, the attenuation",
    "log10_grad_norm": "norm of the whole gradient",
    "log10_norm_weights": "norm of all weights",
}
AT_LAYERS = {
    "log10_grad_weights": "‖∂C/∂W‖, what a layer learns from",
    "log10_grad_preactivations": "‖∂C/∂z‖, the gradient",
    "log10_update_ratio": "‖ΔW‖ / ‖W‖ of the last step",
    "dead_fraction": "share of silent units",
}
FLOW, SIZE = "flow", "size"  # Σ 2⟨W, ΔW⟩ and Σ‖ΔW‖² so far, over ‖W_0‖²
_NORM = "log10_norm_weights"


@dataclass(frozen=True)
class Training:
    """`packed`: what the scripts draw. `table`: the last step, for readers without scripts."""

    packed: str
    table: Table


@dataclass(frozen=True)
class _Courses:
    """`frame`: a row per course, a setting with a recipe, with the keys of both. `runs`: course of each chosen run.

    A run is chosen at the learning rate with the least validation cost of its draw.
    """

    frame: pd.DataFrame
    runs: pd.DataFrame
    count: int


def training(results: Results, settings: Settings, drawn: Mapping[int, Array]) -> Training | None:
    """The section of a sweep that trains; None for one that does not."""
    if results.sweep.training is None:
        return None
    columns = ["run", "network", *RECIPE, "step", "reached", *OVER_STEPS, "status"]
    steps = results.read(STEPS, columns)
    steps = steps[steps["reached"].isna()].astype({"run": str, "network": str})
    courses = _courses(steps, settings)
    shown = evenly_spaced(np.unique(steps["step"]), MOST_STEPS)
    rows = steps[steps["step"].isin(shown)].merge(courses.runs[["run", "course"]], on="run")
    layers = _thinned(drawn, MOST_CELLS // (len(shown) * len(courses.frame)))
    content = {
        "axes": _recipe_axes(courses.frame),
        "over": [{"name": name, "words": words} for name, words in OVER_STEPS.items() if rows[name].notna().any()],
        "at": [{"name": name, "words": words} for name, words in AT_LAYERS.items()],
        "log": results.sweep.training.record.spacing == "log",
        "steps": shown.tolist(),
        "recorded": int(steps["step"].nunique()),
        "layers": {str(depth): own.tolist() for depth, own in layers.items()},
        "count": courses.count,
        "courses": _contents(courses, rows, _step_layers(results, courses, shown, layers), settings, layers),
    }
    return Training(packed_json(content), _table(courses, rows[rows["step"] == shown[-1]], settings))


def _courses(steps: pd.DataFrame, settings: Settings) -> _Courses:
    """The courses of the settings on the page, in their order; the first MOST_COURSES of them."""
    networks = settings.networks
    places = pd.Series(networks["setting"].to_numpy(), index=networks["network"].astype(str))
    runs = tuned(steps[steps["network"].isin(places.index)])
    runs = runs.assign(setting=runs["network"].map(places).to_numpy())
    groups = runs.groupby(["setting", *OTHERS], observed=True, sort=True, dropna=False)
    runs = runs.assign(course=groups.ngroup())
    frame = groups.agg(draws=("run", "size"), low=("learning_rate", "min"), high=("learning_rate", "max"))
    frame = frame.join(groups["at_end"].sum()).reset_index()
    return _Courses(frame.head(MOST_COURSES), runs[runs["course"] < MOST_COURSES], len(frame))


def _step_layers(results: Results, courses: _Courses, steps: Array, layers: Mapping[int, Array]) -> pd.DataFrame:
    """The chosen runs at the drawn layers and steps, with `course` and the parts of the norm ledger over ‖W_0‖²."""
    columns = ["run", "depth", "step", "layer", *AT_LAYERS, _NORM, "norm_flow", "norm_step"]
    where = ds.field("reached").is_null() & ds.field("step").isin(steps.tolist())
    rows = results.read(STEP_LAYERS, columns, where).astype({"run": str})
    rows = rows.merge(courses.runs[["run", "course"]], on="run")
    kept = pd.MultiIndex.from_tuples([(depth, layer) for depth, own in layers.items() for layer in own.tolist()])
    rows = rows[pd.MultiIndex.from_frame(rows[["depth", "layer"]]).isin(kept)]
    start = rows[rows["step"] == 0].set_index(["run", "layer"])[_NORM].replace(-np.inf, np.nan)  # 0 has no growth
    square = 10 ** (2 * start.reindex(pd.MultiIndex.from_frame(rows[["run", "layer"]])).to_numpy())
    return rows.assign(**{FLOW: rows["norm_flow"] / square, SIZE: rows["norm_step"] / square})


def _contents(
    courses: _Courses, rows: pd.DataFrame, at: pd.DataFrame, settings: Settings, layers: Mapping[int, Array]
) -> list[dict]:
    """Each course with its key, its quartiles over the steps, and its medians at each step and layer."""
    over = {name: _by_course(quartiles(rows, ["course", "step"], name), list(SHARES)) for name in OVER_STEPS}
    inside = {name: _by_course(quartiles(at, ["course", "step", "layer"], name), ["median"]) for name in
              (*AT_LAYERS, FLOW, SIZE)}  # fmt: skip
    diverged = rows["status"].astype(str).str.startswith(DIVERGED).groupby([rows["course"], rows["step"]]).sum()
    keys = settings.frame[list(settings.axes)].astype(object).to_numpy()
    contents = []
    for course, own in courses.frame.iterrows():
        count = len(layers[settings.depths[own["setting"]]])
        contents.append(
            {
                "key": [plain(value) for value in keys[own["setting"]]] + [plain(own[name]) for name in OTHERS],
                "draws": int(own["draws"]),
                "rates": [plain(own["low"]), plain(own["high"])],
                "atEnd": int(own["at_end"]),
                "diverged": diverged.loc[course].tolist(),
                "over": {name: [_plain(column) for column in found[course].T] for name, found in over.items()},
                "at": {name: _in_rows(_plain(found[course][:, 0]), count) for name, found in inside.items()},
            }
        )
    return contents


def _by_course(found: pd.DataFrame, columns: list[str]) -> dict[int, Array]:
    return {course: own[columns].to_numpy(dtype=float) for course, own in found.groupby("course")}


def _plain(values: Array) -> list[Plain]:
    return [plain(float(value), DIGITS) for value in values]


def _in_rows(values: list, count: int) -> list[list]:
    """A list cut into lists of so many values: for each step those of its layers."""
    return [values[begin : begin + count] for begin in range(0, len(values), count)]


def _recipe_axes(frame: pd.DataFrame) -> list[dict]:
    """Each axis of a recipe with its values; no value, such as no clipping, comes first."""
    values = {name: sorted(in_order(frame[name]), key=lambda value: value is not None) for name in OTHERS}
    return [{"name": name, "words": name, "alone": name == "optimiser", "values": own} for name, own in values.items()]


def _thinned(drawn: Mapping[int, Array], most: int) -> dict[int, Array]:
    """At most so many of the layers that lines are drawn through, but never fewer than FEWEST_LAYERS."""
    return {depth: evenly_spaced(own, max(most, FEWEST_LAYERS)) for depth, own in drawn.items()}


def _table(courses: _Courses, last: pd.DataFrame, settings: Settings) -> Table:
    """What came of each course at its last step, in medians."""
    axes = [name for name in settings.axes if settings.frame[name].nunique(dropna=False) > 1]
    recipe = [name for name in OTHERS if courses.frame[name].nunique(dropna=False) > 1]
    measures = {"cost": "log10_cost_test", "accuracy": "accuracy_test", "attenuation": "log10_gradient_gain"}
    measures = {words: name for words, name in measures.items() if last[name].notna().any()}
    medians = last.groupby("course")[list(measures.values())].median()
    lines = []
    for course, own in courses.frame.head(MOST_LINES).iterrows():
        place = settings.frame.iloc[own["setting"]]
        key = [_word(place[name]) for name in axes] + [_word(own[name]) for name in recipe]
        lines.append([*key, _rates(own), *(_value(name, medians.loc[course, name]) for name in measures.values())])
    heads = [name.replace("_", " ") for name in (*axes, *recipe, "learning_rate")] + list(measures)
    left = f"; the first {len(lines)} of {courses.count} settings and recipes" if len(lines) < courses.count else ""
    step = int(last["step"].max())
    note = f"Medians over draws, each at the learning rate with its least validation cost{left}."
    return Table(f"At step {formatted(step, ',')}, on the rows that test", heads, lines, note)


def _word(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return "none"
    return number(value, ".4g") if isinstance(value, float) else str(value)


def _rates(course: pd.Series) -> str:
    low, high = number(course["low"], ".3g"), number(course["high"], ".3g")
    return low if low == high else f"{low} to {high}"


def _value(name: str, value: float) -> str:
    if not np.isfinite(value):
        return "−∞" if value < 0 else "–"
    if name.startswith("accuracy"):
        return f"{formatted(100 * value, '.1f')} %"
    return formatted(10**value, ".4g") if "cost" in name else f"{formatted(value, '+.2f')} decades"
