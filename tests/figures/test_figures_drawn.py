"""Figures as drawn: what the axes hold, labels that mean harm, the look, and the same bytes every time."""

import hashlib
import re
import subprocess
import sys
from math import log10
from xml.dom import minidom

import numpy as np
import pandas as pd
import pytest
from figure_tables import USUAL, kill, sweep
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from harness import figures
from harness.base.errors import ConfigError
from harness.base.numbers import number
from harness.figures.kit import style, text
from harness.figures.kit.marks import separated
from harness.figures.kit.page import WIDTH
from harness.figures.ledger.sums import prepare as prepare_ledger
from harness.networks.activations import ACTIVATIONS


def drawn(name, tables, **options):
    """A figure of these tables, drawn with the look of all figures."""
    module = figures.figure(name)
    with style.drawing_style():
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
    for wanted in (
        "the largest slope there is: ×1 for Step, ×¼ for y(1−y)",
        "median of 3 draws",
        "Networks of depth 8",
        "log₁₀ factor per layer",
        "summed (decades)",
        "total",
        "weights",
    ):
        assert wanted in said
    bounds = {
        line.get_label(): line.get_ydata()[0]
        for line in figure.axes[0].lines
        if str(line.get_label()).startswith("bound")
    }
    assert bounds == pytest.approx({"bound relu": 0, "bound sigmoid": log10(1 / 4)})
    totals = prepare_ledger(*tables).totals
    assert f"{number(totals['total'].iloc[0], '+.2f')} total" in said


def test_panels_that_differ_late_in_their_names_are_told_apart():
    inits = [f"normal(sigma_w={number})_of_one_family" for number in range(10**8, 10**8 + 6)]
    figure = drawn("attenuation_against_depth", sweep(inits=inits, depths=(2, 4)))
    titles = [title for axes in figure.axes if (title := axes.get_title(loc="left"))]
    assert [title.replace("\n", "") for title in titles] == inits
    assert all(len(line) <= 96 // 3 for title in titles for line in title.split("\n"))


def test_where_only_one_depth_has_rows_nothing_is_drawn_against_depth():
    """record_layers may leave none of a shallow network's hidden layers."""
    layers, networks = sweep(depths=(1, 2, 6))
    figure = drawn("dead_units", (layers[layers["layer"].isin([2, 5]) & (layers["depth"] == 6)], networks))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["he_normal: depth 6"]


def test_settings_with_the_same_silent_units_share_a_row():
    """ReLU's silent units do not depend on the scale of the weights, those of a sigmoid that saturates do."""
    layers, networks = sweep(("relu",), scales=(1.0, 2.0), depths=(2, 4))
    first = layers[layers["weight_scale"] == 1.0]
    layers.loc[layers["weight_scale"] == 2.0, "dead_fraction"] = first["dead_fraction"].to_numpy()
    figure = drawn("dead_units", (layers, networks))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["weight scale 1, weight scale 2: depth 4", "weight scale 1, weight scale 2: all depths"]
    both = drawn("dead_units", sweep(("relu", "sigmoid"), scales=(1.0, 200.0), depths=(2, 4)))
    assert [axes.get_title(loc="left").partition(":")[0] for axes in both.axes[::2]] == [
        "weight scale 1",
        "weight scale 200",
    ]


def test_of_a_relu_no_saturated_units_are_drawn():
    """They are those that are off: half of them, at any depth. A sigmoid's are drawn."""
    assert "saturated (thin" not in words(drawn("dead_units", sweep(("relu",), depths=(2, 4))))
    said = words(drawn("dead_units", sweep(("relu", "sigmoid"), scales=(200.0,), depths=(2, 4))))
    assert "saturated (thin" in said and "not drawn for relu" in said


def test_silent_units_are_averaged_over_the_draws_that_live():
    layers, networks = sweep(("relu",), replicates=8, depths=(2, 5))
    layers, networks = kill(layers, networks, networks.index[networks["depth"] == 5][:2])
    layers = layers.assign(output_cosine=0.5)
    prepared = figures.figure("silent_units").prepare(layers, networks.assign(batch=4))
    living = networks.loc[(networks["depth"] == 5) & networks["dead_from_layer"].isna(), "network"]
    own = layers[layers["network"].isin(living) & (layers["layer"] < 5)].groupby("layer")["dead_fraction"]
    rows = prepared.rows.set_index("layer")
    assert list(rows["draws"]) == [6] * 4 and list(rows["mean"]) == pytest.approx(list(own.mean()))
    assert list(rows["high"] - rows["mean"]) == pytest.approx(list(2 * own.std() / 6**0.5))


def test_the_ledger_says_what_the_slopes_take_and_over_how_many_layers():
    module = figures.figure("step_against_sigmoid")
    prepared = module.prepare(*sweep(depths=(4, 8)))
    own = prepared.totals.set_index("activation")["activation_part"]
    said = module.finding(prepared)
    assert said == f"Over 8 layers Step takes {-own['relu']:.2g} decades, y(1−y) takes {-own['sigmoid']:.2g} decades"


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
    medians = networks.groupby("depth")["log10_gradient_gain"].median()[[2, 4]]
    less, low, high = (line.get_ydata() for line in figure.axes[1].lines[1:])  # after the line of 0
    assert list(less) == pytest.approx(list(medians - [-0.5, -1.5]))
    assert [list(low), list(high)] == [pytest.approx([sign * 0.06745, sign * 3 * 0.06745]) for sign in (-1, 1)]
    networks["predicted_slope_per_layer"] = np.nan
    assert "heory" not in words(drawn("attenuation_against_depth", (layers, networks)))


def test_colours_reach_the_largest_attenuation():
    layers, networks = sweep(scales=(0.5, 1.0), depths=(2, 4))
    networks["log10_gradient_gain"] = np.where(networks["weight_scale"] < 1, -6000.0, 5.0)
    said = words(drawn("phase_diagram", (layers, networks)))
    assert "with the logarithm beyond" in said and "−6000" in said and "+3000" in said


@pytest.mark.parametrize("name", USUAL)
def test_texts_are_on_the_page_and_apart(name):
    figure = drawn(
        name,
        sweep(activations=list(ACTIVATIONS)[:12], inits=("he_normal", "orthogonal"), scales=(1.0, 2.0), depths=(2, 8)),
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


def test_places_are_kept_apart_and_inside():
    assert separated([0, 0, 5], 1) == [-0.5, 0.5, 5]
    assert separated([0, 0, 5], 1, low=0) == [0, 1, 5]
    assert separated([9, 10, 10], 2, low=0, high=10) == [6, 8, 10]
    assert separated([], 1) == []


# The look -------------------------------------------------------------------------------------------------------------


def test_every_activation_has_a_look_of_its_own():
    assert set(style.LOOKS) <= set(ACTIVATIONS)
    looks = style.looks([*ACTIVATIONS]).values()
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
from harness.base.errors import ConfigError
from harness.base.numbers import number
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


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_lines_stand_out_on_white(name):
    assert 1.05 / (luminance(style.LOOKS[name].colour) + 0.05) > 4.5


def test_signs_tell_vanishing_from_exploding_in_grey():
    layers, networks = sweep(activations=("relu",), scales=tuple(np.geomspace(0.25, 4, 30)), depths=(2, 4, 8, 16, 32))
    networks["log10_gradient_gain"] = np.log2(networks["weight_scale"]) * networks["depth"]
    panel = drawn("phase_diagram", (layers, networks)).axes[0]
    signs = {(text.get_position(), text.get_text()) for text in panel.texts}
    assert {sign for _, sign in signs} == {"+", "−"}
    assert all((sign == "+") == (y > 0) for (_, y), sign in signs)


def test_titles_state_the_finding():
    layers, networks = sweep(activations=("relu",), scales=(0.5, 1.0), depths=(2, 4))
    networks["log10_gradient_gain"] = np.where(networks["weight_scale"] < 1, -50.0, 2.0)
    prepared = figures.figure("phase_diagram").prepare(layers, networks)
    title = "Weight scales that keep a gradient within 3 decades over 4 layers: 1 (relu)"
    assert figures.figure("phase_diagram").finding(prepared) == title
    prepared = figures.figure("attenuation_against_depth").prepare(layers, networks)
    assert figures.figure("attenuation_against_depth").finding(prepared) == (
        "Over 4 layers relu changes by −50 to +2 decades"
    )


@pytest.mark.parametrize(
    ("medians", "words"),
    [
        ([-512.2, -643.4], "relu loses 512 to 643 decades"),
        ([3.0, 3.04], "relu gains 3 decades"),
        ([-2.0, -np.inf], "relu loses 2 decades, or is dead (1 of 2 settings)"),
        ([-np.inf], "relu is dead"),
        ([np.nan], ""),
    ],
)
def test_changes_in_words(medians, words):
    assert text.change("relu", pd.Series(medians)) == words


def test_a_narrow_page_stacks_its_panels_and_keeps_its_letters(tmp_path):
    tables = sweep(inits=("he_normal", "xavier_normal", "lecun_normal"), depths=(2, 4))
    look = figures.Appearance(formats=("pdf",), width=3.3, colours={"relu": "navy"})
    (path,) = figures.save("attenuation_against_depth", *tables, tmp_path, look)
    assert path.read_bytes().startswith(b"%PDF") and path.name == "attenuation_against_depth.pdf"
    figure = figures.draw("attenuation_against_depth", *tables, look)
    assert figure.get_figwidth() == 3.3
    assert len({axes.get_position().x0 for axes in figure.axes}) == 1
    assert "#000080" in {line.get_color() for line in figure.axes[0].lines}


def test_a_style_file_comes_after_the_own_settings(tmp_path):
    style_file = tmp_path / "paper.mplstyle"
    style_file.write_text("axes.labelsize: 7\n")
    figure = figures.draw("attenuation_against_depth", *sweep(depths=(2, 4)), figures.Appearance(style=style_file))
    assert figure.axes[0].yaxis.label.get_fontsize() == 7


@pytest.mark.parametrize(
    ("look", "message"),
    [
        ({"colours": {"relu": "no"}}, "'no', for relu, is no colour; write #0060a8 or a name such as navy"),
        ({"style": "empty"}, "empty: no settings of matplotlib in it; write lines such as font.size: 8"),
    ],
)
def test_looks_that_cannot_be_are_refused(tmp_path, monkeypatch, look, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("nothing")
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        figures.draw("attenuation_against_depth", *sweep(depths=(2, 4)), figures.Appearance(**look))
