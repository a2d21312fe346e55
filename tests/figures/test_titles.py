"""What figures say in words: titles made from the numbers, where lines of the dead end, and pages of any width."""

import warnings

import numpy as np
import pandas as pd
import pytest
from figure_tables import USUAL, kill, sweep
from matplotlib.backends.backend_agg import FigureCanvasAgg

from harness import figures
from harness.figures.kit import style, text
from harness.figures.kit.page import TITLE, Grid, Heading, new_page, page_of_width

SEVERAL = ("relu", "sigmoid", "tanh", "selu", "linear")


def said(name, layers, networks):
    module = figures.figure(name)
    return module.finding(module.prepare(layers, networks))


def drawn(name, layers, networks):
    module = figures.figure(name)
    with style.drawing_style():
        figure = module.draw(module.prepare(layers, networks))
        FigureCanvasAgg(figure).draw()
    return figure


def words(axes):
    return [piece.get_text() for piece in axes.findobj(lambda artist: hasattr(artist, "get_text"))]


# Titles ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_has_a_finding(name):
    assert callable(figures.figure(name).finding)


def test_of_many_activations_the_title_names_the_ends():
    layers, networks = sweep(SEVERAL, depths=(2, 4))
    decades = {"relu": -9.75, "sigmoid": -39.7, "tanh": -1.2, "selu": 0.82, "linear": -0.2}
    networks["log10_gradient_gain"] = networks["activation"].astype(str).map(decades)
    title = "Over 4 layers sigmoid loses 40 decades; selu gains 0.82 decades; 3 others lie between"
    assert said("attenuation_against_depth", layers, networks) == title


def test_the_ends_are_the_settings_that_lose_most_and_least():
    decades = {"relu": [-9.0, 5.0], "sigmoid": [-8.0, -7.0], "tanh": [-2.0, 6.0], "elu": [-1.0, 0.0]}
    assert text.changes({name: pd.Series(values) for name, values in decades.items()}) == (
        "relu changes by −9 to +5 decades; tanh changes by −2 to +6 decades; 2 others lie between"
    )


def test_of_many_activations_the_ledger_names_the_ends():
    layers, networks = sweep(SEVERAL, depths=(2,))
    factor = {"relu": -1.0, "sigmoid": -3.0, "tanh": -0.5, "selu": 0.25, "linear": 0.0}
    layers["log10_activation_factor"] = layers["activation"].astype(str).map(factor)
    title = "Over 2 layers y(1−y) takes 3 decades, φ′ of selu gives 0.25 decades, 3 others lie between"
    assert said("step_against_sigmoid", layers, networks) == title


def test_a_setting_whose_networks_are_dead_is_counted_in_titles():
    layers, networks = sweep(("relu",), scales=(1.0, 2.0, 3.0), depths=(2, 4))
    layers, networks = kill(layers, networks, networks.index[networks["weight_scale"] == 3])
    for name in ("attenuation_against_depth", "gradient_profile"):
        assert said(name, layers, networks).endswith(", or is dead (1 of 3 settings)")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"": -1.0}, "−1.0"),
        ({"a": -1.0, "b": 2.0}, "−1.0 (a), +2.0 (b)"),
        ({"a": -1.0, "b": 2.0, "c": np.nan, "d": 0.0, "e": -3.0}, "from −3.0 (e) to +2.0 (b)"),
        ({"a": np.nan}, ""),
    ],
)
def test_named_numbers(values, expected):
    assert text.span(values) == expected


def test_titles_of_slopes():
    layers, networks = sweep(SEVERAL[:3], depths=(4,))
    slopes = {"relu": -0.1, "sigmoid": -0.6, "tanh": 0.02}
    networks["slope_per_layer"] = networks["activation"].astype(str).map(slopes).astype(float)
    networks["predicted_slope_per_layer"] = networks["slope_per_layer"] - 0.03 * (networks["activation"] == "relu")
    start = "From −0.600 (sigmoid) to +0.020 (tanh) decades a layer"
    assert said("slope_against_theory", layers, networks) == f"{start}; theory misses a median by at most 0.03"
    networks["predicted_slope_per_layer"] = np.nan
    assert said("slope_against_theory", layers, networks) == start


def test_titles_of_finite_width_name_the_worst_panel():
    layers, networks = sweep(("relu",), depths=(3, 5), replicates=120)
    networks = networks.assign(predicted_slope_per_layer=0.0, predicted_spread=0.5)
    draws = np.tile(np.repeat([-1.0, 1.0], 60), 2)  # of standard deviation 1, which is predicted at depth 3
    networks["log10_gradient_gain"] = draws * networks["depth"].map({3: 1, 5: 1.5}) + networks["depth"].map(
        {3: 0, 5: 0.25}
    )
    assert said("finite_width", layers, networks) == (
        "Theory misses the median attenuation by at most 0.25 decades, and its standard deviation by at most 25 %"
    )


def test_titles_of_shares():
    layers, networks = sweep(("relu",), depths=(2, 4), replicates=40, output="linear")
    layers, networks = kill(layers, networks, networks.index[networks["depth"] == 4][:10])
    assert said("born_dead", layers, networks) == "Dead at birth with 3 hidden layers, in %: 25 (8 units)"
    networks.loc[networks["depth"] == 4, "log10_gradient_gain"] = -5.0
    networks.loc[networks["depth"] == 2, "log10_gradient_gain"] = 1.0
    assert (
        said("every_draw", layers, networks)
        == "Draws within ± 3 decades, in %: 100 (he_normal, depth 2), 0 (he_normal, depth 4)"
    )
    layers["dead_fraction"] = layers["depth"].map({2: 0.1, 4: 0.5})
    assert said("dead_units", layers, networks) == (
        "At depth 4, 50 % of relu's units are silent, and 25 % of the networks are dead"
    )
    title = said("silent_units", layers.assign(output_cosine=1.0), networks.assign(batch=4))
    assert title == "Silent at layer 3, in %: 50 (width 8); by chance 50 (width 8)"


def test_titles_of_the_edges_at_width():
    layers, networks = sweep(("sigmoid",), scales=(2.0, 5.0, 20.0), depths=(3,))
    networks = networks.assign(sigma_w=networks["weight_scale"])
    networks["slope_per_layer"] = np.where(networks["weight_scale"] > 4, 0.1, -0.1)
    assert (
        said("edges_at_width", layers, networks) == "In the median a gradient grows at σ_w 5 to 20 (sigmoid, width 8)"
    )


# Where the dead end ---------------------------------------------------------------------------------------------------


def mostly_dead():
    """ReLU, three depths: of 4 draws 4, 3 and 1 live."""
    layers, networks = sweep(("relu",), depths=(2, 4, 16), replicates=4)
    four, sixteen = (networks.index[networks["depth"] == depth] for depth in (4, 16))
    return kill(layers, networks, [*four[:1], *sixteen[:3]])


def test_the_share_that_lives_is_drawn_below_the_attenuation():
    figure = drawn("attenuation_against_depth", *mostly_dead())
    (strip,) = [axes for axes in figure.axes if axes.get_ylabel() == "share\nthat lives"]
    assert strip.lines[0].get_xydata().tolist() == [[2, 1], [4, 0.75], [16, 0.25]]
    assert "half are dead from depth 16" in words(figure.axes[0])
    living = drawn("attenuation_against_depth", *sweep(("relu",), depths=(2, 4)))
    assert not [axes for axes in living.axes if axes.get_ylabel() == "share\nthat lives"]


def test_lines_of_the_profile_say_how_many_live_and_from_where_they_do_not():
    found = words(drawn("gradient_profile", *mostly_dead()).axes[0])
    assert "4: 75 %" in found and "2" in found and not [piece for piece in found if piece.startswith("16")]
    assert "half or more are dead from depth 16" in found


def test_the_caption_says_why_medians_may_leave_the_band_of_theory():
    layers, networks = sweep(("relu",), depths=(2, 4))
    assert "medians may leave" not in " ".join(words(drawn("attenuation_against_depth", layers, networks)))
    linear = networks.assign(batch=1, cost="linear")
    assert "medians may leave" not in " ".join(words(drawn("attenuation_against_depth", layers, linear)))
    found = " ".join(words(drawn("attenuation_against_depth", layers, networks.assign(batch=64, cost="squared"))))
    assert "but here it is cost squared and batch 64, so that medians" in found.replace("\n", " ")


# Pages of any width ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", USUAL)
def test_a_figure_fits_a_column_of_a_paper(name, tmp_path):
    tables = sweep(
        ("relu", "sigmoid", "tanh"), inits=("he_normal", "pytorch_default"), scales=(1.0, 2.0), depths=(2, 8)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of panels without room
        figure = figures.draw(name, *tables, figures.Appearance(width=3.3))
        FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    panels = [axes.get_window_extent(renderer).width for axes in figure.axes if axes.get_subplotspec()]
    assert min(panels) > 0.2 * figure.bbox.width
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    highest = max(axes.get_tightbbox(renderer).y1 for axes in figure.axes)
    assert all(box.x1 <= figure.bbox.width and box.y0 >= highest - 1 for box in legends)


def test_stacked_panels_share_what_a_grid_shares():
    with page_of_width(3.0):
        _, axes = new_page(Heading("Title"), Grid(2, 3, sharex="col", sharey="row"), "")
    assert axes.shape == (2, 3) and axes[0, 0].get_subplotspec().get_gridspec().ncols == 1
    axes[0, 1].set_xlim(0, 7)
    axes[1, 0].set_ylim(0, 9)
    assert axes[1, 1].get_xlim() == (0, 7) and axes[1, 0].get_xlim() == (0, 1)
    assert axes[1, 2].get_ylim() == (0, 9) and axes[0, 2].get_ylim() == (0, 1)


@pytest.mark.parametrize(
    "words_of_it", [["00000", "000000", "0000000"] * 9, ["MMM", "MM"] * 30, ["ill"] * 50, ["x" * 200]]
)
def test_titles_fill_the_page_and_end_before_it_does(words_of_it):
    with style.drawing_style():
        figure, _ = new_page(Heading(" ".join(words_of_it)), Grid(1, 1), "")
        FigureCanvasAgg(figure).draw()
    titles = [piece for piece in figure.texts if piece.get_fontsize() == TITLE.size]
    ends = [piece.get_window_extent().x1 for piece in titles]
    assert len(titles) > 1 and max(ends) <= figure.bbox.width and ends[0] > 0.6 * figure.bbox.width


def test_panels_that_many_coordinates_tell_apart_are_titled_by_what_is_unusual():
    layers, networks = sweep(("relu",), inits=("he_normal", "orthogonal"), scales=(1.0, 2.0), depths=(2, 4))
    more = [(layers.assign(width=width), networks.assign(width=width)) for width in (8, 9)]
    both = [pd.concat(tables, ignore_index=True) for tables in zip(*more, strict=True)]
    prepared = figures.figure("attenuation_against_depth").prepare(both[0], both[1])
    labels = list(prepared.panels.labels.values())
    assert len(set(labels)) == len(labels) and "he_normal, width 8, weight scale 2" in labels
    assert "he_normal, width 8" in labels
