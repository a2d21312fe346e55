"""Scales of figures: what is compared by eye has one scale, or says that it has not."""

import numpy as np
import pytest
from figure_tables import FACTORS, sweep
from matplotlib.backends.backend_agg import FigureCanvasAgg

from harness import figures
from harness.figures.kit import style
from harness.figures.ledger.as_lines import ruler_decades


def drawn(name, tables):
    """A figure of these tables, drawn with the look of all figures."""
    module = figures.figure(name)
    with style.drawing_style():
        figure = module.draw(module.prepare(*tables))
        FigureCanvasAgg(figure).draw()
    return figure


def steep_sigmoid():
    """Two inits, whose sigmoids take ten times the decades of their ReLUs."""
    layers, networks = sweep(inits=("he_normal", "xavier_normal"), depths=(8,))
    layers.loc[layers["activation"] == "sigmoid", FACTORS] *= 10
    return layers, networks


def test_each_activation_has_a_scale_and_all_have_a_bar_of_the_same_decades():
    figure = drawn("step_against_sigmoid", steep_sigmoid())
    step, sigmoid = ([figure.axes[3 * row + column] for row in (0, 1)] for column in (1, 2))
    for one, other in (step, sigmoid):
        assert one.get_ylim() == other.get_ylim()
    assert np.ptp(sigmoid[0].get_ylim()) > 5 * np.ptp(step[0].get_ylim())
    bars = [line for axes in (*step, *sigmoid) for line in axes.lines if line.get_label() == "ruler"]
    lengths = [np.ptp(line.get_ydata()) for line in bars]
    assert len(bars) == 4 and lengths == pytest.approx([lengths[0]] * 4) and lengths[0] > 0
    said = [piece.get_text() for piece in figure.legends[-1].get_texts()]
    assert said == [f"{lengths[0]:.2g} decades, in each panel of sums: their scales differ between activations"]


@pytest.mark.parametrize(("least", "decades"), [(1.4, 0.5), (13, 5), (12, 2), (60, 20), (0, 0)])
def test_the_bar_is_a_round_number_below_two_fifths_of_the_least_range(least, decades):
    running = figures.figure("step_against_sigmoid").prepare(*steep_sigmoid()).running
    sums = {name: np.where(running["activation"] == "relu", -least, -1000.0) for name in ("total", "activation_part")}
    assert ruler_decades(running.assign(weights_part=0.0, **sums)) == pytest.approx(decades)


def test_one_activation_needs_no_bar():
    figure = drawn("step_against_sigmoid", sweep(("relu",), depths=(8,)))
    assert not [line for axes in figure.axes for line in axes.lines if line.get_label() == "ruler"]
