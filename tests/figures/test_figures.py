"""Figures as numbers: what is prepared, from hand-made tables; and the package."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_tables import FACTORS, USUAL, kill, sweep

from harness import figures
from harness.figures import depth, probe
from harness.figures.depth.attenuation_against_depth import prepare as prepare_attenuation
from harness.figures.depth.gradient_profile import prepare as prepare_profile
from harness.figures.depth.paired_comparison import prepare as prepare_pairs
from harness.figures.depth.phase_diagram import cell_edges
from harness.figures.depth.phase_diagram import prepare as prepare_phase
from harness.figures.kit.pairs import comparisons
from harness.figures.kit.quartiles import quartiles
from harness.figures.kit.settings import choose_settings, with_settings
from harness.figures.ledger.sums import log10_slope_bound, running_sums
from harness.figures.ledger.sums import prepare as prepare_ledger
from harness.figures.units.dead_units import prepare as prepare_dead
from harness.networks.activations import ACTIVATIONS

# Order statistics -----------------------------------------------------------------------------------------------------


def test_spread_counts_dead_and_unknown_and_orders_them():
    groups = {
        "one": [4.0],
        "dead": [-np.inf, 1, 2, 3],
        "half": [-np.inf, -np.inf, 1, 2],
        "lost": [np.nan, 1, 3],
        "gone": [np.nan],
    }
    frame = pd.DataFrame(
        [(name, value) for name, values in groups.items() for value in values], columns=["group", "value"]
    )
    result = quartiles(frame, ["group"], "value").set_index("group")
    assert result.loc["one"].tolist() == [1, 0, 0, 4, 4, 4]
    assert result.loc["dead"].tolist() == [4, 0, 1, -np.inf, 1.5, 2.25]
    assert result.loc["half"].tolist() == [4, 0, 2, -np.inf, -np.inf, 1.25]  # between −inf and 1 it is −inf
    assert result.loc["lost"].tolist() == [3, 1, 0, 1.5, 2, 2.5]
    assert result.loc["gone", ["draws", "unknown"]].tolist() == [1, 1] and np.isnan(result.loc["gone", "median"])


def test_spread_agrees_with_pandas_where_all_is_finite():
    frame = pd.DataFrame({"group": np.arange(1000) % 7, "value": np.random.default_rng(0).normal(size=1000)})
    expected = frame.groupby("group")["value"].quantile([0.25, 0.5, 0.75]).unstack().to_numpy()
    np.testing.assert_allclose(quartiles(frame, ["group"], "value")[["low", "median", "high"]].to_numpy(), expected)


# What is prepared -----------------------------------------------------------------------------------------------------


def test_ledger_parts_add_up_to_the_gain():
    layers, networks = sweep(inits=("he_normal", "xavier_normal"), depths=(4, 16), replicates=5)
    prepared = prepare_ledger(layers.sample(frac=1, random_state=1), networks)
    assert prepared.depth == 16 and len(prepared.totals) == 4
    ends = prepared.running[prepared.running["layer"] == 16]
    assert (ends[["activation_part", "weights_part"]] == 0).all(axis=None)
    for row in prepared.totals.itertuples():
        init = prepared.panels.labels[row.setting]
        own = networks[
            (networks["init"] == init) & (networks["activation"] == row.activation) & (networks["depth"] == 16)
        ]
        assert row.total == pytest.approx(
            own["log10_gradient_gain"].median(), rel=1e-12
        )  # five draws have a middle one
        assert row.activation_part + row.weights_part == row.total
        chosen = own[own["replicate"] == row.replicate]["network"].item()
        mine = layers[(layers["network"] == chosen)]
        assert row.activation_part == pytest.approx(mine.loc[mine["layer"] < 16, FACTORS[0]].sum(), rel=1e-12)
        assert row.weights_part == pytest.approx(mine.loc[mine["layer"] > 1, FACTORS[1]].sum(), rel=1e-12)


def test_running_sums_start_at_the_output():
    frame = {"network": "n", "setting": 0, "activation": "relu", "replicate": 0, "layer": [1, 2, 3]}
    values = pd.DataFrame(frame | {FACTORS[0]: [1.0, 2.0, 400.0], FACTORS[1]: [800.0, 10.0, 20.0]})
    sums = running_sums(values, 3)
    assert sums["activation_part"].tolist() == [3, 2, 0]
    assert sums["weights_part"].tolist() == [30, 20, 0]
    assert sums["total"].tolist() == [33, 22, 0]


def test_ledger_with_dead_draws():
    layers, networks = sweep(activations=("relu",), replicates=5)
    few = prepare_ledger(*kill(layers, networks, [0, 1]))
    row = few.totals.iloc[0]
    assert (row["draws"], row["dead"]) == (5, 2)
    assert row["total"] == pytest.approx(networks["log10_gradient_gain"].iloc[2:].min())  # third of five, two are dead
    many = prepare_ledger(*kill(layers, networks, [0, 1, 2]))
    assert many.totals["total"].tolist() == [-np.inf] and many.running.empty
    assert many.factors.query("layer == 1")["median"].isna().all()  # two of five have a factor


@pytest.mark.parametrize("label", [*ACTIVATIONS, "leaky_relu(negative_slope=2)"])
def test_slope_bounds_are_read_from_the_label(label):
    expected = 2.0 if "(" in label else ACTIVATIONS[label]().slope_bound
    assert 10 ** log10_slope_bound(label) == pytest.approx(expected)


@pytest.mark.parametrize("label", ["nothing", "elu(alpha=x)", "elu(beta=1)", "elu(alpha=-1)", ""])
def test_no_bound_for_what_is_not_an_activation(label):
    assert np.isnan(log10_slope_bound(label))


def test_depths_and_panels_left_out_are_said():
    layers, networks = sweep(inits=[f"init{i}" for i in range(10)], depths=(1, 2, 3, 4, 8, 16, 32, 64), replicates=1)
    prepared = prepare_profile(layers, networks)
    assert prepared.notes == ("first 6 of 10 inits", "6 of 8 depths") and prepared.depths[-1] == 64
    assert list(prepared.panels.labels.values()) == [f"init{i}" for i in range(6)]


def test_settings_are_what_varies_and_numbers_are_spread():
    _, networks = sweep(scales=np.geomspace(0.1, 10, 50), depths=(2,))
    networks["bias_scale"] = networks["weight_scale"] * 2  # follows: tells nothing apart
    networks, varying = with_settings(networks)
    chosen = choose_settings(networks, varying, 3)
    assert varying == ["weight_scale"] and chosen.note == "3 of 50 weight scales"
    labels = list(chosen.labels.values())
    assert labels[0] == "weight scale 0.1" and labels[-1] == "weight scale 10" and len(labels) == 3


def test_attenuation_and_where_formats_read_zero():
    layers, networks = sweep(activations=("sigmoid",), depths=(2, 8, 32), replicates=4)
    zero = (networks["depth"] == 32) | ((networks["depth"] == 8) & (networks["replicate"] < 2))
    networks["zero_from_layer_float32"] = np.where(zero, 1.0, np.nan)
    prepared = prepare_attenuation(layers, networks)
    assert prepared.zeros[["format", "depth"]].to_numpy().tolist() == [["float32", 8]]
    dead = prepare_attenuation(*kill(layers, networks, networks.index[(networks["depth"] == 8) & zero]))
    assert dead.zeros["depth"].tolist() == [32]  # a dead network says nothing about a format
    assert dead.rows.set_index("depth").loc[8, ["draws", "dead", "median"]].tolist() == [4, 2, -np.inf]


def test_dead_units_are_counted_over_hidden_layers():
    layers, networks = sweep(activations=("relu",), depths=(3,), replicates=1)
    layers["dead_fraction"] = [0.0, 0.5, 1.0]
    prepared = prepare_dead(layers, networks)
    assert prepared.by_layer.query("measure == 'dead_fraction'")["mean"].tolist() == [0, 0.5, 1]
    assert prepared.by_depth.query("measure == 'dead_fraction'")["mean"].tolist() == [0.25]
    assert prepare_dead(*kill(layers, networks, [0])).dead["share"].tolist() == [1]


def test_pairing_narrows_what_the_draws_share():
    layers, networks = sweep(depths=(2, 8), replicates=12)
    noise = np.random.default_rng(3).normal(size=12)
    sigmoid = (networks["activation"] == "sigmoid").to_numpy()
    networks["slope_per_layer"] = (
        np.where(sigmoid, -0.5, 0)
        + noise[networks["replicate"]]
        + np.where(sigmoid, 0.01, 0) * noise[::-1][networks["replicate"]]
    )
    table = figures.paired(networks)
    assert table["between"].unique().tolist() == ["activation"] and table["depth"].tolist() == [2, 8]
    row = table.iloc[0]
    assert (row["first"], row["second"], row["draws"]) == ("relu", "sigmoid", 12)
    assert (
        row["median_difference"] == pytest.approx(-0.5, abs=0.01)
        and row["low"] < row["median_difference"] < row["high"]
    )
    assert row["unpaired_high"] - row["unpaired_low"] > 30 * (row["high"] - row["low"])  # 1 against 0.01
    assert len(prepare_pairs(layers, networks).rows) == 1  # the deepest


def test_pairs_with_dead_networks_and_other_families():
    layers, networks = sweep(inits=("he_normal", "he_uniform"), depths=(4,), replicates=6)
    networks["family"] = np.where(networks["init"] == "he_uniform", "uniform", "normal")
    _, networks = kill(layers, networks, networks.index[networks["replicate"] == 0])
    _, networks = kill(
        layers, networks, networks.index[(networks["replicate"] == 1) & (networks["activation"] == "sigmoid")]
    )
    _, networks = kill(layers, networks, networks.index[networks["replicate"] == 2], "failed")
    table = comparisons(networks)
    activation = table[table["between"] == "activation"]
    assert activation[["draws", "both_dead", "unknown"]].to_numpy().tolist() == [[4, 1, 1], [4, 1, 1]]
    assert (activation["low"] == -np.inf).all() and activation["same_draws"].all()
    init = table[table["between"] == "init"]
    assert not init["same_draws"].any() and init["unpaired_low"].isna().all()
    assert init["at"].tolist() == ["relu", "sigmoid"]


def test_phase_cells_meet_half_way():
    np.testing.assert_allclose(cell_edges(np.array([2.0, 8.0, 32.0])), [0, 2, 4, 6])
    prepared = prepare_phase(*sweep(scales=(0.5, 1.0, 2.0), depths=(2, 4), replicates=2))
    assert len(prepared.cells) == 2 * 3 * 2 and (prepared.cells["draws"] == 2).all()


# The package ----------------------------------------------------------------------------------------------------------


def test_every_file_of_a_figure_is_in_the_table_and_has_what_a_figure_needs():
    folder = Path(figures.__file__).parent
    files = {path.stem: path.parent.name for path in folder.glob("*/*.py") if "\nHEADING = " in path.read_text("utf-8")}
    listed = {name: entry.folder for name, entry in figures.FIGURES.items()}
    assert listed | dict.fromkeys(probe.FIGURES, "probe") == files
    assert all(hasattr(figures.figure(name), need) for name in figures.FIGURES for need in ("prepare", "draw"))


NEW = """
from matplotlib.figure import Figure


def prepare(layers, networks):
    return networks["log10_gradient_gain"].median()


def draw(prepared, heading):
    figure = Figure()
    figure.suptitle(heading.title)
    figure.subplots().axhline(prepared)
    return figure
"""


def test_a_new_figure_is_a_file_with_two_functions_and_a_line_in_the_table(tmp_path, monkeypatch):
    """Everything else has a default: the figure applies, it takes the usual tables, its name is its title."""
    (tmp_path / "new_figure.py").write_text(NEW, encoding="utf-8")
    monkeypatch.setattr("harness.figures.depth.__path__", [*depth.__path__, str(tmp_path)])
    monkeypatch.setitem(
        figures.FIGURES.built_in, "new_figure", figures.Entry("depth", "New figure: the median attenuation.")
    )
    layers, networks = sweep()
    assert figures.applies("new_figure", networks) is None
    assert not figures.needs_every_layer("new_figure") and not figures.needs_neurons("new_figure")
    png, svg = figures.save("new_figure", layers, networks, tmp_path / "drawn")
    assert png.stat().st_size > 1000 and "New figure" in svg.read_text("utf-8")


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, harness.figures.kit.pairs; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def applicable(networks: pd.DataFrame) -> list[str]:
    return [name for name in figures.FIGURES if figures.applies(name, networks) is None]


def test_figures_that_do_not_apply_say_why():
    _, networks = sweep(activations=("linear",), depths=(1,), replicates=1)
    assert applicable(networks) == ["gradient_profile"]
    assert figures.applies("phase_diagram", networks) == "needs more than one weight scale and depth"
    assert figures.applies("dead_units", networks) == "no unit of linear is ever silent or saturated"
    assert figures.applies("paired_comparison", networks) == "one replicate: no interval to compare"
    assert figures.applies("gradient_profile", networks[:0]) == "there are no networks"
    assert applicable(sweep(scales=(1.0, 2.0), depths=(2, 4))[1]) == USUAL
    with pytest.raises(KeyError):
        figures.figure("no_such_figure")
