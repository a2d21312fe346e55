"""Figures as drawn: what the axes hold, labels that mean harm, the look, and the same bytes every time."""

import hashlib
import subprocess
import sys
from math import log10
from xml.dom import minidom

import numpy as np
import pytest
from figure_tables import USUAL, kill, sweep
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from harness import figures
from harness.activations import ACTIVATIONS
from harness.figures import style, text
from harness.figures.ledger import prepare as prepare_ledger
from harness.figures.page import WIDTH, apart


def drawn(name, tables, **options):
    """A figure of these tables, drawn with the look of all figures."""
    module = figures.figure(name)
    with style.look():
        figure = module.draw(module.prepare(*tables), **options)
        FigureCanvasAgg(figure).draw()
    return figure


def words(figure):
    found = [piece.get_text() for piece in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return "\n".join(found)


# What is drawn --------------------------------------------------------------------------------------------------------


def test_opening_figure_says_what_it_shows():
    tables = sweep(depths=(4, 8))
    figure = drawn("step_against_sigmoid", tables)
    said = words(figure)
    for wanted in ("the largest slope there is: ×1 for Step, ×¼ for y(1−y)", "median of 3 draws", "Networks of depth 8",
                   "log₁₀ factor per layer", "summed (decades)", "total", "weights"):  # fmt: skip
        assert wanted in said
    bounds = {
        line.get_label(): line.get_ydata()[0]
        for line in figure.axes[0].lines
        if str(line.get_label()).startswith("bound")
    }
    assert bounds == pytest.approx({"bound relu": 0, "bound sigmoid": log10(1 / 4)})
    totals = prepare_ledger(*tables).totals
    assert f"{text.number(totals['total'].iloc[0], '.2f')} total" in said


def test_panels_that_differ_late_in_their_names_are_told_apart():
    inits = [f"normal(sigma_w={number})_of_one_family" for number in range(10**8, 10**8 + 6)]
    figure = drawn("attenuation_against_depth", sweep(inits=inits, depths=(2, 4)))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title.replace("\n", "") for title in titles] == inits
    assert all(len(line) <= 96 // 3 for title in titles for line in title.split("\n"))


def test_where_only_one_depth_has_rows_nothing_is_drawn_against_depth():
    """record_layers may leave none of a shallow network's hidden layers."""
    layers, networks = sweep(depths=(1, 2, 6))
    figure = drawn("dead_units", (layers[layers["layer"].isin([2, 5]) & (layers["depth"] == 6)], networks))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["he_normal: depth 6"]


def test_one_replicate_has_no_band_and_says_so():
    figure = drawn("gradient_profile", sweep(replicates=1))
    assert "no band" in words(figure)
    assert all(
        len(path.vertices) <= 1 for axes in figure.axes for band in axes.collections for path in band.get_paths()
    )


def test_dead_draws_are_said_in_the_panel():
    tables = sweep(replicates=16, depths=(4, 8))
    said = words(
        drawn("gradient_profile", kill(*tables, tables[1].query("activation == 'relu' and depth == 8").index[:3]))
    )
    assert "dead: 3 of 16 (relu, depth 8)" in said
    said = words(drawn("attenuation_against_depth", kill(*tables, tables[1].index[:2], "failed")))
    assert "not known: 2 of 16 (relu, depth 4)" in said


@pytest.mark.parametrize("what", ["dead", "failed"])
@pytest.mark.parametrize("name", USUAL)
def test_nothing_left_alive_is_still_a_figure(name, what):
    tables = sweep(scales=(1.0, 2.0), depths=(4, 8))
    figure = drawn(name, kill(*tables, tables[1].index, what))
    assert all(axes.lines or axes.texts or axes.collections or axes.patches for axes in figure.axes)


def test_the_edge_of_chaos_is_drawn_where_it_is_in_the_panel():
    """relu is critical at weight scale 1, where σ_w = √2; sigmoid at 7.2, above the panel; gelu has no edge."""
    layers, networks = sweep(("relu", "sigmoid", "gelu"), scales=(0.5, 1.0, 2.0, 4.0), depths=(2, 4))
    networks["sigma_w"] = 2**0.5 * networks["weight_scale"]
    figure = drawn("phase_diagram", (layers, networks))
    edges = [[line.get_ydata()[0] for line in axes.lines if line.get_label() == "theory"] for axes in figure.axes[:3]]
    assert edges == [[pytest.approx(0, abs=1e-12)], [], []] and "theory's edge at infinite width" in words(figure)
    only = drawn("phase_diagram", sweep(("gelu",), scales=(0.5, 1.0), depths=(2, 4)))
    assert "theory" not in words(only)


def test_theory_is_dashed_beside_the_attenuation():
    """Its median, and the middle half that it predicts, 0.6745 spreads either way; nothing where it has no answer."""
    layers, networks = sweep(("relu",), depths=(2, 4, 8))
    networks["predicted_slope_per_layer"], networks["predicted_spread"] = -0.5, 0.1
    networks.loc[networks["depth"] == 8, ["predicted_slope_per_layer", "predicted_spread"]] = np.nan
    figure = drawn("attenuation_against_depth", (layers, networks))
    lines = [line.get_ydata() for line in figure.axes[0].lines if line.get_label() == "theory"]
    assert [list(line) for line in lines] == [
        pytest.approx([-0.5 + sign * 0.06745, 3 * (-0.5 + sign * 0.06745)]) for sign in (0, -1, 1)
    ]
    assert "theory, and the middle half it predicts" in words(figure) and "cost: linear, batch: 1" in words(figure)
    networks["predicted_slope_per_layer"] = np.nan
    assert "heory" not in words(drawn("attenuation_against_depth", (layers, networks)))


def test_colour_bar_says_when_it_is_clipped():
    layers, networks = sweep(scales=(0.5, 1.0), depths=(2, 4))
    networks["log10_gradient_gain"] = np.where(networks["weight_scale"] < 1, -6000.0, 5.0)
    said = words(drawn("phase_diagram", (layers, networks)))
    assert "clipped at ±30 decades" in said and "−6000" in said


@pytest.mark.parametrize("name", USUAL)
def test_texts_are_on_the_page_and_apart(name):
    figure = drawn(
        name, sweep(activations=list(ACTIVATIONS), inits=("he_normal", "orthogonal"), scales=(1.0, 2.0), depths=(2, 8))
    )
    renderer = figure.canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    boxes = [piece.get_window_extent(renderer) for piece in figure.texts]
    assert all(0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height for box in boxes)
    lowest, highest = (
        min(axes.get_tightbbox(renderer).y0 for axes in figure.axes),
        max(axes.get_tightbbox(renderer).y1 for axes in figure.axes),
    )
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    assert all(legend.y0 >= highest - 1 and legend.x1 <= width for legend in legends)  # a pixel of rounding
    assert all(box.y1 <= lowest + 1 or box.y0 >= highest - 1 for box in boxes)
    assert figure.get_figwidth() == WIDTH


HOSTILE = (
    "$\\frac{1}{2$",
    "relu\n\x07\x00<b>&",
    "x" * 300,
    "leaky_relu(negative_slope=0.3)",
    "中文 \u202e\ufffe",
    "--><script>",
    "",
)


@pytest.mark.parametrize("name", USUAL)
def test_labels_are_shown_as_text(name, tmp_path):
    scales = (0.5, 1.0) if name == "phase_diagram" else (1.0,)  # it has no other panels than those of activations
    layers, networks = sweep(activations=HOSTILE, inits=("$a_b^c$", "]]>&amp;"), scales=scales, depths=(2, 5))
    png, svg = figures.save(name, layers, networks, tmp_path, title="$x$ \x00 <t>", sentence="y" * 500)
    assert png.stat().st_size > 5000
    minidom.parse(str(svg))  # well-formed


def test_labels_are_cleaned():
    assert text.clean("a\n\x07b") == "a\\n\\x07b" and text.clean("中") == "\\u4e2d"
    assert text.clean("") == "(empty)" and text.clean("x" * 300).endswith("…") and len(text.clean("x" * 300)) == 44
    assert text.numbers([1.9999999999999998, 2.828427]) == ["2", "2.83"]
    assert text.numbers([1.00001, 1.00002]) == ["1.00001", "1.00002"]
    assert [text.number(value) for value in (-0.04, 1.25, -np.inf, np.nan)] == ["0.0", "+1.2", "−∞", "–"]


def test_places_are_kept_apart_and_inside():
    assert apart([0, 0, 5], 1) == [-0.5, 0.5, 5]
    assert apart([0, 0, 5], 1, low=0) == [0, 1, 5]
    assert apart([9, 10, 10], 2, low=0, high=10) == [6, 8, 10]
    assert apart([], 1) == []


# The look -------------------------------------------------------------------------------------------------------------


def test_every_activation_has_a_look_of_its_own():
    assert set(style.LOOKS) == set(ACTIVATIONS)
    looks = style.LOOKS.values()
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == len(looks)
    grey = [
        float(np.dot(to_rgb(style.LOOKS[name].colour), [0.299, 0.587, 0.114])) for name in ("relu", "tanh", "sigmoid")
    ]
    assert np.diff(grey).min() > 0.12  # told apart in grey


def test_variants_of_an_activation_differ_and_others_keep_their_look():
    labels = [
        "relu",
        "leaky_relu",
        "leaky_relu(negative_slope=0.1)",
        "leaky_relu(negative_slope=0.3)",
        "strange",
        "stranger",
    ]
    found = style.looks(labels)
    assert found["relu"] == style.LOOKS["relu"] and found["leaky_relu"] == style.LOOKS["leaky_relu"]
    assert len({(look.colour, look.marker) for look in found.values()}) == len(labels)


BYTES = """
import hashlib, pathlib, sys, warnings
warnings.simplefilter("error")
sys.path[:0] = sys.argv[3:]
import matplotlib
matplotlib.rcParams.update({"font.size": 30, "lines.linewidth": 9, "svg.hashsalt": "other", "savefig.bbox": "tight"})
before = matplotlib.rcParams.copy()
import pandas as pd
from figure_tables import FACTORS, FORMATS, USUAL, kill, sweep

from harness import figures
tables = [pd.read_pickle(pathlib.Path(sys.argv[1]) / name) for name in ("layers", "networks")]
for name in USUAL:
    for path in figures.save(name, *tables, pathlib.Path(sys.argv[2])):
        print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
assert matplotlib.rcParams.copy() == before, "settings left changed"
assert "matplotlib.pyplot" not in sys.modules, "pyplot was imported"
"""


def test_bytes_are_the_same_in_this_process_and_in_another(tmp_path):
    tables = sweep(scales=(0.5, 1.0), depths=(2, 8), replicates=4)
    for name, table in zip(("layers", "networks"), tables, strict=True):
        table.to_pickle(tmp_path / name)
    figures.save(USUAL[-1], *tables, tmp_path)  # here it is drawn twice, and the others in another order than there
    paths = [path for name in reversed(USUAL) for path in figures.save(name, *tables, tmp_path / "here")]
    here = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths]
    command = [sys.executable, "-c", BYTES, tmp_path, tmp_path / "there", *sys.path]
    other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert other.returncode == 0, other.stderr
    assert sorted(here) == sorted(other.stdout.splitlines()) and len(here) == 2 * len(USUAL)
