"""Two results compared, by numbers on small tables on the disk, in any blocks."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import harness
from harness import config
from harness.interface.commands import app
from harness.results import diff as module
from harness.results import parts
from harness.results.diff import DIFFERS, IDENTICAL, WITHIN, Comparison, usual_tolerance
from harness.results.files import write_text
from harness.study.results import Results

INF, NAN = np.inf, np.nan
SWEEP = config.from_mapping({"name": "a", "network": {"activation": "relu", "init": "normal", "depth": 1, "width": 1}})


class Tables:
    """Two tables, as a results folder has them; `blocks` says in which block each network is."""

    def write(self, folder: Path) -> Results:
        folder.mkdir(parents=True, exist_ok=True)
        parts.make_folders(folder)
        for number in sorted({self.blocks.get(name, 0) for name in self.networks["network"]}):
            layers, networks = (
                frame[[self.blocks.get(name, 0) == number for name in frame["network"]]]
                for frame in (self.layers.astype({"network": str}), self.networks)
            )
            tables = (pa.Table.from_pandas(frame, preserve_index=False) for frame in (layers, networks))
            parts.commit(folder, f"block-{number:07d}-{number + 1:07d}", *tables, {}, config.digest(SWEEP))
        write_text(folder / "config.yaml", config.dump(SWEEP))
        return Results(folder)

    def __init__(self, layers: dict | None = None, networks: dict | None = None):
        self.blocks: dict[str, int] = {}
        self.networks = pd.DataFrame(
            {"network": ["a-0", "b-0"], "depth": [1, 2], "status": pd.Categorical(["ok", "ok"]), "slope": [NAN, -0.5]}
            | (networks or {})
        )
        self.layers = pd.DataFrame(
            {"network": pd.Categorical(["a-0", "b-0", "b-0"]), "layer": [1, 1, 2], "x": [0.0, -INF, NAN], "y": 1.0}
            | (layers or {})
        )


def diff(a: Tables, b: Tables, tolerance: float) -> Comparison:
    with TemporaryDirectory() as folder:
        return module.diff(a.write(Path(folder, "a")), b.write(Path(folder, "b")), tolerance)


def rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[::-1].reset_index(drop=True)


def test_the_same_is_identical_in_any_order_of_rows():
    a, b = Tables(), Tables()
    b.layers, b.networks = rows(b.layers), rows(b.networks)
    assert diff(a, a, 0.0) == diff(a, b, 0.0)
    assert (diff(a, b, 0.0).verdict, diff(a, b, 0.0).mismatches) == (IDENTICAL, ())


def test_categories_in_another_order_are_no_difference():
    other = {"status": pd.Categorical(["ok", "ok"], categories=["dead", "ok"])}
    assert diff(Tables(), Tables(networks=other), 0.0).verdict == IDENTICAL


@pytest.mark.parametrize(("tolerance", "verdict"), [(0.0, DIFFERS), (0.2, DIFFERS), (0.25, WITHIN), (1.0, WITHIN)])
def test_a_number_may_differ_by_the_tolerance(tolerance, verdict):
    comparison = diff(Tables(), Tables(layers={"y": [1.0, 1.125, 0.75]}), tolerance)
    assert comparison.verdict == verdict
    (mismatch,) = comparison.mismatches
    assert (mismatch.where, mismatch.largest) == ("layers.y", 0.25)
    assert mismatch.what == "2 rows differ, by at most 0.25, at b-0, layer 2: 1.0 and 0.75"


@pytest.mark.parametrize(
    "column",
    [[0.0, -INF, 1.0], [0.0, NAN, NAN], [NAN, -INF, NAN], [0.0, -300.0, NAN], [0.0, INF, NAN], [-INF, -INF, NAN]],
)
def test_null_and_infinity_have_their_places(column):
    comparison = diff(Tables(), Tables(layers={"x": column}), 1e300)
    assert comparison.verdict == DIFFERS
    assert comparison.mismatches[0].largest == INF
    assert comparison.mismatches[0].what.startswith("1 rows differ, by at most inf, at ")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"depth": [1, 3]}, "1 rows differ, such as b-0: 2 and 3"),
        ({"status": pd.Categorical(["ok", "dead"])}, "1 rows differ, such as b-0: ok and dead"),
        ({"status": pd.Categorical(["ok", None])}, "1 rows differ, such as b-0: ok and None"),
    ],
)
def test_texts_and_whole_numbers_are_the_same_or_not(change, what):
    comparison = diff(Tables(), Tables(networks=change), 1e300)
    assert comparison.verdict == DIFFERS
    assert [(mismatch.what, mismatch.largest) for mismatch in comparison.mismatches] == [(what, INF)]


def test_whole_numbers_with_gaps_are_equal_to_themselves_without():
    """A column of layers is of floats where some are null, of integers where none is."""
    a, b = (Tables(networks={"dead_from_layer": column}) for column in ([2, 3], [2.0, 3.0]))
    assert diff(a, b, 0.0).verdict == IDENTICAL


def test_rows_and_columns_of_one_alone():
    a, b = Tables(), Tables()
    b.layers = b.layers.iloc[1:].drop(columns="y")
    b.networks = pd.concat([b.networks, b.networks.assign(network=["c-0", "d-0"])])
    comparison = diff(a, b, 1e300)
    assert comparison.verdict == DIFFERS
    assert [(mismatch.where, mismatch.what) for mismatch in comparison.mismatches] == [
        ("networks", "2 rows are in the second only, such as c-0"),
        ("layers", "1 rows are in the first only, such as a-0, layer 1"),
        ("layers.y", "is in the first only"),
    ]


def test_nothing_in_common():
    a, b = Tables(), Tables(networks={"network": ["x-0", "y-0"]})
    mismatches = [f for f in diff(a, b, 1.0).mismatches if f.where == "networks"]
    assert [mismatch.what for mismatch in mismatches] == [
        "2 rows are in the first only, such as a-0",
        "2 rows are in the second only, such as x-0",
    ]


# Blocks -------------------------------------------------------------------------------------------------------------


def many(changes: dict[int, float], missing: set[int]) -> Tables:
    """Four coordinates of three replicates, two layers each."""
    names = [f"{key}-{i}" for key in "abcd" for i in range(3)]
    tables = Tables()
    tables.networks = pd.DataFrame({"network": names, "depth": 2, "slope": np.arange(12.0)})
    x = np.arange(24.0)
    for row, by in changes.items():
        x[row] += by
    tables.layers = pd.DataFrame({"network": np.repeat(names, 2), "layer": np.tile([1, 2], 12), "x": x})
    gone = [names[i] for i in missing]
    for table in ("networks", "layers"):
        frame = getattr(tables, table)
        setattr(tables, table, frame[~frame["network"].isin(gone)].reset_index(drop=True))
    return tables


@settings(deadline=None, max_examples=40)
@given(
    cuts=st.tuples(*[st.lists(st.integers(0, 4), min_size=12, max_size=12)] * 2),
    changes=st.dictionaries(st.integers(0, 23), st.sampled_from([0.5, 1.0, INF, NAN])),
    missing=st.tuples(*[st.sets(st.integers(0, 11), max_size=5)] * 2),
)
def test_however_two_folders_are_cut_into_blocks_they_compare_as_one_block_does(cuts, changes, missing):
    """Any networks in any block of either folder, some in one folder only: the same counts and the same extremes."""
    a, b = many({}, missing[0]), many(changes, missing[1])
    whole = diff(a, b, 0.75)
    for tables, cut in zip((a, b), cuts, strict=True):
        tables.blocks = {f"{key}-{i}": cut[3 * "abcd".index(key) + i] for key in "abcd" for i in range(3)}
    again = diff(a, b, 0.75)
    assert again.verdict == whole.verdict
    assert [(f.where, f.largest, counted(f)) for f in again.mismatches] == [
        (f.where, f.largest, counted(f)) for f in whole.mismatches
    ]


def counted(mismatch: module.Mismatch) -> str:
    """Without the example, which is of the first block that has one."""
    return mismatch.what.split(", at ")[0].split(", such as ")[0]


def test_parts_of_the_same_name_are_not_read(tmp_path, monkeypatch):
    """Their checksums, which are in their names, were found right."""
    a, b = (many({}, set()).write(tmp_path / name) for name in "ab")
    monkeypatch.setattr(module, "_part", lambda path: pytest.fail(f"{path} was read"))
    assert module.diff(a, b, 0.0).verdict == IDENTICAL


def test_frames_whose_rows_have_names_are_compared_too():
    a = pd.DataFrame({"v": [1.0, 2.0], "n": [1, 2]}, index=["p", "q"])
    assert list(module.compare("t", a, a)) == []
    mismatches = list(module.compare("t", a, a.iloc[::-1] + 1))
    assert [(f.where, f.largest) for f in mismatches] == [("t.v", 1.0), ("t.n", INF)]
    (alone,) = module.compare("t", a, a.iloc[:1])
    assert alone.what == "1 rows are in the first only, such as q"


# The command ----------------------------------------------------------------------------------------------------------

SMALL = {
    "name": "small",
    "network": {"activation": "tanh", "init": "he_normal", "depth": 3, "width": 4},
    "data": {"batch": 2},
    "replicates": 2,
    "figures": [],
}


def diffed(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["diff", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff")
    changes = {
        "a": {},
        "b": {"name": "other", "figures": ["gradient_profile"]},
        "c": {"seed": 1},
        "d": {"seed": 1, "dtype": "float32"},
        "e": {"thresholds": {"decades": 4}},
    }
    for name, change in changes.items():
        harness.sweep(SMALL | change, out=folder / name)
    return folder


@pytest.mark.parametrize("tolerance", ["nan", "-1", "-1e-300", "inf", "-inf"])
def test_a_tolerance_that_is_none_is_refused(swept, tolerance):
    code, said = diffed(swept / "a", swept / "a", "--tolerance", tolerance)
    unwrapped = " ".join(said.replace("│", " ").split())  # the box of a message is as wide as the terminal
    assert code == 2 and f"{float(tolerance):g} is not a tolerance; use 0 or more, such as 1e-9" in unwrapped
    assert diffed(swept / "a", swept / "a", "--tolerance", "0") == (0, "identical\n")


def test_results_of_different_configs_are_said_to_be(swept):
    code, said = diffed(swept / "a", swept / "c")
    assert code == 3 and said.splitlines()[0] == "these are results of different configs: seed: 0 -> 1"
    assert said.endswith("\ndiffers\n") and len(said.splitlines()) > 2
    told = "these are results of different configs: thresholds.decades: 3.0 -> 4.0\n"
    assert diffed(swept / "a", swept / "e") == (0, told + "identical\n")  # of which no network knows
    assert diffed(swept / "a", swept / "b") == (0, "identical\n")  # a name and figures are in no table


def test_the_usual_tolerance_is_that_of_the_number_format(swept):
    a, c, d = (harness.load(swept / name) for name in "acd")
    assert (usual_tolerance(a, c), usual_tolerance(c, d), usual_tolerance(d, d)) == (1e-9, 1e-4, 1e-4)
    code, said = diffed(swept / "c", swept / "d")
    assert code == 0 and said.splitlines()[0].endswith("different configs: dtype: float64 -> float32")
    assert said.endswith("\nwithin tolerance\n")
    assert diffed(swept / "c", swept / "d", "--tolerance", "1e-9")[0] == 3
