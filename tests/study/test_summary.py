"""The tables of the terminal, from small frames."""

import numpy as np
import pandas as pd
import pytest

from harness.base.text_table import BARS, spark_line
from harness.study.summary import (
    MOST_ROWS,
    answer,
    by_depth,
    glance,
    levels,
    paired,
    summary,
    troubles,
    zero_from_depth,
)

INF, NAN = np.inf, np.nan


def networks(**columns) -> pd.DataFrame:
    """One activation and init, two depths, three replicates; `columns` of six values or one."""
    usual = {
        "network": [f"n{i}" for i in range(6)],
        "activation": "relu",
        "init": "he_normal",
        "weight_scale": 1.0,
        "bias_scale": 0.0,
        "bias": 0.0,
        "tied": False,
        "widths": None,
        "depth": [2, 2, 2, 11, 11, 11],
        "width": 4,
        "replicate": [0, 1, 2] * 2,
        "input_width": 4,
        "output_width": 4,
        "output": "activation",
        "slope_per_layer": [0.1, 0.2, 0.3, -0.5, -1.0, -0.625],
        "predicted_slope_per_layer": [0.0, 0.0, 0.0, -0.5, -0.5, NAN],
        "log10_gradient_gain": [0.1, 0.2, 0.3, -5.0, -10.0, -6.25],
        "regime": ["healthy"] * 3 + ["vanishing"] * 2 + ["dead"],
        "status": "ok",
        "zero_from_layer_float32": [NAN, NAN, NAN, 3.0, 2.0, NAN],
    }
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
        "activation": "relu",
        "init": "he_normal",
        "decades a layer": "−0.6250",
        "theory": "−0.5000",
        "attenuation": "−6.2",
        "dead units": "25.0 %",
        "regime by depth": "healthy 2, vanishing 11 (67 %)",
        "float32 reads 0": "from depth 11",
    }


def test_the_note_says_of_how_many_and_where():
    assert summary(networks(), dead()).note == (
        "Medians over 3 replicates; slope, attenuation and dead units at depth 11."
    )


def test_one_replicate_is_one():
    one = networks().iloc[[0, 3]]
    assert summary(one, dead()).note.startswith("One replicate; ")


def test_rows_are_told_apart_by_what_varies_and_by_nothing_else():
    frame = networks(activation=["relu"] * 3 + ["tanh"] * 3, weight_scale=[0.5, 0.5, 2.0] * 2)
    table = summary(frame, dead())
    assert list(table.columns[:4]) == ["activation", "init", "weight_scale", "decades a layer"]
    assert [row[:3] for row in table.rows] == [
        ("relu", "he_normal", "0.5"),
        ("relu", "he_normal", "2"),
        ("tanh", "he_normal", "0.5"),
        ("tanh", "he_normal", "2"),
    ]


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
        (["dead", "exploding", "exploding"] * 2, "exploding 2–11 (67 %)"),
    ],
)
def test_regimes_are_runs_of_depths(found, said):
    assert by_depth(networks(regime=pd.Categorical(found)), "regime") == said


def test_a_regime_may_come_back():
    frame = pd.DataFrame({"depth": [1, 2, 4, 8], "regime": ["healthy", "dead", "healthy", "healthy"]})
    assert by_depth(frame, "regime") == "healthy 1, dead 2, healthy 4–8"


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
    common = {
        "at": "",
        "depth": 4,
        "median_difference": 0.1,
        "same_draws": True,
        "coverage": 0.95,
        "unpaired_low": NAN,
        "unpaired_high": NAN,
        "first": "relu",
    }
    rows = [
        {**common, "second": "tanh", "draws": 9, "low": 0.0, "high": 0.2},
        {**common, "second": "elu", "draws": 1, "low": NAN, "high": NAN},
        {**common, "second": "gelu", "draws": 0, "low": NAN, "high": NAN},
    ]
    table = paired(pd.DataFrame(rows))
    assert [(row[0], row[4]) for row in table.rows] == [("tanh − relu", "0.0000 to +0.2000"), ("elu − relu", "–")]
    assert table.note.endswith(
        "One draw has no interval. Left out: 1 comparisons of networks of which one is dead, or "
        "not known, in every draw."
    )
    assert paired(pd.DataFrame(rows[2:])) is None


def test_no_trouble_is_no_table():
    assert troubles(networks()) is None


def test_troubles_are_counted_by_what_happened():
    status = [
        "ok",
        "slope underflows at layer 3",
        "slope underflows at layer 12",
        "forward pass overflows at layer 2",
        "ok",
        "the gradient is zero at the output",
    ]
    table = troubles(networks(status=status))
    assert list(table.rows) == [
        ("relu", "he_normal", "slope underflows", "2"),
        ("relu", "he_normal", "forward pass overflows", "1"),
        ("relu", "he_normal", "the gradient is zero at the output", "1"),
    ]


def test_a_part_of_the_networks_may_be_chosen():
    frame = networks(activation=["relu"] * 3 + ["tanh"] * 3)
    (row,) = summary(frame[frame["activation"] == "tanh"], dead()).rows
    assert row[0] == "tanh"
    assert troubles(frame[frame["depth"] == 2]) is None


def test_levels_show_the_layers_and_a_word_for_each_depth():
    frame = networks(
        log10_rms_inputs=0.1,
        log10_least_relative_gradient=[-1.0, -1.0, -1.0, -7.25, -7.0, -INF],
        log10_largest_relative_gradient=[0.5, 0.5, 0.5, 2.0, 2.5, -INF],
        gradient_level=["moderate"] * 3 + ["large", "large", "zero"],
    )
    table = levels(frame, drawn_inputs=True)
    assert table.columns == ("activation", "init", "least", "largest", "level by depth")
    assert table.rows == [("relu", "he_normal", "10^−7.2", "10^2.0", "moderate 2, large 11 (67 %)")]
    assert "mean square" not in table.note
    assert "mean square" not in levels(frame, drawn_inputs=False).note  # 1.6


@pytest.mark.parametrize(("rms", "said"), [(146.0, "10^4.3"), (0.01, "10^−4.0")])
def test_inputs_far_from_unit_mean_square_are_warned_of(rms, said):
    frame = networks(
        log10_rms_inputs=np.log10(rms),
        log10_least_relative_gradient=-INF,
        log10_largest_relative_gradient=NAN,
        gradient_level=None,
    )
    table = levels(frame, drawn_inputs=False)
    assert table.rows == [("relu", "he_normal", "0", "–", "unknown 2–11")]
    assert table.note.endswith(
        f" The inputs have a mean square of {said}; initialisations are made for about 1: standardise the inputs, or "
        "expect other levels and slopes than theory's."
    )


def test_shares_of_networks_of_one_unit_are_averaged():
    assert cells(networks(width=1), 0, 0, 0, 1, 0, 0)["dead units"] == "33.3 %"
    assert cells(networks(), 0, 0, 0, 0.5, 0, 0)["dead units"] == "0.0 %"


def test_theory_of_another_start_or_batch_says_so():
    table = summary(networks(), dead(), 64, "squared")
    assert "theory*" in table.columns
    assert table.note.endswith(
        " *Theory is for one sample and a start that does not depend on the weights, not for batch 64, cost squared."
    )
    assert "theory" in summary(networks(), dead(), 1, "linear").columns


def gradients(*by_layer: list[float]) -> pd.DataFrame:
    """log10 ‖∂C/∂z‖ of the deepest networks at layers 1, 6 and 11."""
    rows = [
        (f"n{i + 3}", layer, value)
        for i, own in enumerate(by_layer)
        for layer, value in zip((1, 6, 11), own, strict=True)
    ]
    return pd.DataFrame(rows, columns=["network", "layer", "log10_grad_preactivations"])


def test_a_spark_line_goes_from_the_output_to_the_input():
    """Medians relative to layer 11: 0, −1, and −8; −1 takes two of seven steps, which are finer near 0."""
    table = glance(networks(), gradients([-9.0, -3.0, -2.0], [-10.0, -3.0, -2.0], [-20.0, 0.0, -2.0]))
    (row,) = table.rows
    assert row == ("relu", "he_normal", "█▆▁", "−8.0", "−0.625")
    assert "3 of 11 layers" in table.note and "the highest bar is 10^0 times" in table.note


def test_a_dead_draw_is_blank_only_where_it_is_the_median():
    dies = [-INF, -3.0, -2.0]
    (row,) = glance(networks(), gradients(dies, [-9.0, -3.0, -2.0], [-9.0, -3.0, -2.0])).rows
    assert row[2:4] == ("█▆▁", "−7.0")
    (row,) = glance(networks(), gradients(dies, dies, [-9.0, -3.0, -2.0])).rows
    assert row[2:4] == ("█▁ ", "−∞")


def test_networks_of_one_layer_have_no_spark_line():
    assert glance(networks(depth=1), gradients()) is None


def test_bars_are_even_where_all_is_alike_and_name_what_is_not_known():
    assert spark_line([0.0, 0.0, NAN, -INF], 0.0, 0.0) == f"{BARS[0]}{BARS[0]}? "
    assert spark_line([-300.0, 0.0, 300.0], -300.0, 300.0) == "▁▅█"


@pytest.mark.parametrize(("residual", "rest"), [("none", "the weights"), ("pre", "the rest")])
def test_the_shares_of_an_answer_add_up_to_the_slope(residual, rest):
    """The medians of the last three draws: a slope of −0.625, of which −0.65 is the activation's."""
    factors = pd.DataFrame({"log10_activation_factor": [9.0] * 3 + [-0.65, -0.6, -0.7]}, [f"n{i}" for i in range(6)])
    found = answer(networks(normalisation="none", residual=residual, dead_from_layer=NAN), factors)
    assert found == (
        "Over 11 layers relu loses 0.625 decades a layer "
        f"(0.650 lost by the activation, 0.025 regained by {rest}). A decade is a factor of 10."
    )
