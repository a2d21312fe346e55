"""What the terminal says, by numbers on small frames."""

import numpy as np
import pandas as pd
import pytest

from harness.summary import MOST_ROWS, paired, regimes, summary, troubles, zero_from_depth

INF, NAN = np.inf, np.nan


def networks(**columns) -> pd.DataFrame:
    """One activation and init, two depths, three replicates; `columns` of six values or one."""
    usual = {
        "network": [f"n{i}" for i in range(6)], "activation": "relu", "init": "he_normal", "weight_scale": 1.0,
        "bias_scale": 0.0, "depth": [2, 2, 2, 11, 11, 11], "width": 4, "replicate": [0, 1, 2] * 2, "input_width": 4,
        "output_width": 4, "output": "activation", "slope_per_layer": [0.1, 0.2, 0.3, -0.5, -1.0, -0.625],
        "predicted_slope_per_layer": [0.0, 0.0, 0.0, -0.5, -0.5, NAN],
        "log10_gradient_gain": [0.1, 0.2, 0.3, -5.0, -10.0, -6.25],
        "regime": ["healthy"] * 3 + ["vanishing"] * 2 + ["dead"], "status": "ok",
        "zero_from_layer_float32": [NAN, NAN, NAN, 3.0, 2.0, NAN],
    }  # fmt: skip
    frame = pd.DataFrame(usual | columns)
    return frame.astype(dict.fromkeys(("network", "activation", "init", "output", "regime", "status"), "category"))


def dead(*values: float) -> pd.Series:
    return pd.Series(values or [0.0] * 6, index=[f"n{i}" for i in range(6)])


def cells(frame: pd.DataFrame, *fractions: float) -> dict[str, str]:
    """The only row, by column."""
    table = summary(frame, dead(*fractions))
    (row,) = table.rows
    return dict(zip(table.columns, row, strict=True))


def test_a_row_holds_medians_at_the_largest_depth():
    assert cells(networks(), 0, 0, 0, 0.125, 0.25, 1) == {
        "activation": "relu", "init": "he_normal", "decades a layer": "−0.6250", "theory": "−0.5000",
        "attenuation": "−6.2",
        "dead units": "25.0 %", "regime by depth": "healthy 2, vanishing 11", "float32 reads 0": "from depth 11",
    }  # fmt: skip


def test_the_note_says_of_how_many_and_where():
    assert summary(networks(), dead()).note == (
        "Medians over 3 replicates; slope, attenuation and dead units at depth 11."
    )  # fmt: skip


def test_one_replicate_is_one():
    one = networks().iloc[[0, 3]]
    assert summary(one, dead()).note.startswith("One replicate; ")


def test_rows_are_told_apart_by_what_varies_and_by_nothing_else():
    frame = networks(activation=["relu"] * 3 + ["tanh"] * 3, weight_scale=[0.5, 0.5, 2.0] * 2)
    table = summary(frame, dead())
    assert list(table.columns[:4]) == ["activation", "init", "weight_scale", "decades a layer"]
    assert [row[:3] for row in table.rows] == [
        ("relu", "he_normal", "0.5"), ("relu", "he_normal", "2"), ("tanh", "he_normal", "0.5"),
        ("tanh", "he_normal", "2")]  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ({"width": [4, 8] * 3, "input_width": [4, 8] * 3, "output_width": [4, 8] * 3}, ["width"]),
        ({"width": [4, 8] * 3, "input_width": 64, "output_width": [4, 8] * 3}, ["width"]),
        ({"input_width": [4, 8] * 3}, ["input_width"]),
        ({"output": ["activation", "linear"] * 3}, ["output"]),
        ({"input_width": 64, "output_width": 10}, []),
    ],
)
def test_an_end_that_follows_the_width_is_not_a_column(ends, shown):
    columns = list(summary(networks(**ends), dead()).columns)
    assert columns[: columns.index("decades a layer")] == ["activation", "init", *shown]


def test_what_is_unknown_or_infinite_is_a_sign():
    unknown = cells(networks(slope_per_layer=NAN, log10_gradient_gain=-INF))
    assert (unknown["decades a layer"], unknown["attenuation"]) == ("–", "−∞")


def test_no_more_rows_than_can_be_read():
    many = pd.concat([networks(weight_scale=float(scale)) for scale in range(MOST_ROWS + 5)])
    table = summary(many, dead())
    assert len(table.rows) == MOST_ROWS
    assert table.note.startswith("First 40 of 45 rows; choose with `harness show --where`. Medians over 3 ")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["healthy"] * 6, "healthy 2–11"),
        (["healthy"] * 3 + [None] * 3, "healthy 2, unknown 11"),
        (["dead", "exploding", "exploding"] * 2, "exploding 2–11"),
    ],
)
def test_regimes_are_runs_of_depths(found, said):
    assert regimes(networks(regime=pd.Categorical(found))) == said


def test_a_regime_may_come_back():
    frame = pd.DataFrame({"depth": [1, 2, 4, 8], "regime": ["healthy", "dead", "healthy", "healthy"]})
    assert regimes(frame) == "healthy 1, dead 2, healthy 4–8"


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([NAN] * 6, "never"),
        ([NAN] * 3 + [3.0, NAN, NAN], "never"),
        ([NAN] * 3 + [3.0, 2.0, NAN], "from depth 11"),
        ([1.0] * 6, "from depth 2"),
    ],
)
def test_a_format_reads_zero_where_most_draws_do(layers, said):
    assert zero_from_depth(networks(zero_from_layer_float32=layers), "float32") == said


def test_a_comparison_of_no_draws_is_left_out_and_counted():
    common = {"at": "", "depth": 4, "median_difference": 0.1, "same_draws": True, "coverage": 0.95, "unpaired_low": NAN,
              "unpaired_high": NAN, "first": "relu"}  # fmt: skip
    rows = [{**common, "second": "tanh", "draws": 9, "low": 0.0, "high": 0.2},
            {**common, "second": "elu", "draws": 1, "low": NAN, "high": NAN},
            {**common, "second": "gelu", "draws": 0, "low": NAN, "high": NAN}]  # fmt: skip
    table = paired(pd.DataFrame(rows))
    assert [(row[0], row[4]) for row in table.rows] == [("tanh − relu", "0.0000 to +0.2000"), ("elu − relu", "–")]
    assert table.note.endswith("One draw has no interval. Left out: 1 comparisons of networks of which one is dead, or "
                               "not known, in every draw.")  # fmt: skip
    assert paired(pd.DataFrame(rows[2:])) is None


def test_no_trouble_is_no_table():
    assert troubles(networks()) is None


def test_troubles_are_counted_by_what_happened():
    status = ["ok", "slope underflows at layer 3", "slope underflows at layer 12", "forward pass overflows at layer 2",
              "ok", "the gradient is zero at the output"]  # fmt: skip
    table = troubles(networks(status=status))
    assert list(table.rows) == [
        ("relu", "he_normal", "slope underflows", "2"), ("relu", "he_normal", "forward pass overflows", "1"),
        ("relu", "he_normal", "the gradient is zero at the output", "1")]  # fmt: skip


def test_a_part_of_the_networks_may_be_chosen():
    frame = networks(activation=["relu"] * 3 + ["tanh"] * 3)
    (row,) = summary(frame[frame["activation"] == "tanh"], dead()).rows
    assert row[0] == "tanh"
    assert troubles(frame[frame["depth"] == 2]) is None
