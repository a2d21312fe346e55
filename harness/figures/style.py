"""The look all figures share: colours, markers and line styles of the activations, depth as a shade, fonts.

Colours are Okabe & Ito's and Tol's, chosen to differ for every kind of colour vision; relu, sigmoid and tanh also
differ in lightness, and each activation has a marker and a line style, so that figures can be read in grey. Dashes are
kept for theory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb

INK, GREY, PALE = "#1a1a1a", "#6b6b6b", "#d9d9d9"
WEIGHTS = "#8a8a8a"  # the weights' share, in every figure

THEORY = (0, (5, 3))  # the dashes of theory, and of nothing else
_SOLID, _DOTTED = "solid", (0, (1, 1.2))
_DASHDOT, _LONG = (0, (7, 1.5, 1.2, 1.5)), (0, (7, 1.2, 1.2, 1.2, 1.2, 1.2))


@dataclass(frozen=True)
class Look:
    """How an activation is drawn, wherever it is."""

    colour: str
    marker: str
    line: object = _SOLID


LOOKS = {
    "relu": Look("#00508c", "o"),
    "sigmoid": Look("#e69f00", "s"),
    "tanh": Look("#009e73", "^"),
    "linear": Look("#4d4d4d", "x", _DOTTED),
    "erf": Look("#66c2a5", "v", _DASHDOT),
    "hard_tanh": Look("#117733", "P", _DOTTED),
    "leaky_relu": Look("#56b4e9", "D", _DOTTED),
    "elu": Look("#cc79a7", "<", _DASHDOT),
    "selu": Look("#882255", ">", _LONG),
    "gelu": Look("#d55e00", "h", _DASHDOT),
    "silu": Look("#a06a00", "p", _DOTTED),
    "softplus": Look("#7b6bb2", "*", _LONG),
}
_SPARE = (Look("#332288", "d", _LONG), Look("#aa4499", "X", _DASHDOT), Look("#999933", "8", _DOTTED))
_MARKERS = "odsv^<>phPXD"


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """The look of each activation of a sweep, by label.

    `leaky_relu(negative_slope=0.1)` looks as leaky_relu does; further ones of a name are lighter, with other markers.
    """
    names = [str(label).split("(")[0] for label in labels]
    unknown = sorted(set(names) - set(LOOKS))
    spare = [replace(_SPARE[i % len(_SPARE)], marker=_MARKERS[i % len(_MARKERS)]) for i in range(len(unknown))]
    base = LOOKS | dict(zip(unknown, spare, strict=True))
    result = {}
    for i, (label, name) in enumerate(zip(labels, names, strict=True)):
        before = names[:i].count(name)
        lighter = 1 - 1 / (1 + 0.45 * before)
        marker = (
            base[name].marker if not before else _MARKERS[(_MARKERS.find(base[name].marker) + before) % len(_MARKERS)]
        )
        result[label] = Look(mix(base[name].colour, "white", lighter), marker, base[name].line)
    return result


def mix(colour: str, other: str, share: float) -> str:
    """A colour with a share of another."""
    return to_hex((1 - share) * np.array(to_rgb(colour)) + share * np.array(to_rgb(other)))


def shades(colour: str, count: int) -> list[str]:
    """A colour from pale to itself to darker: shallow networks to deep ones."""
    if count == 1:
        return [colour]
    steps = np.linspace(-1, 0.25, count)
    return [mix(colour, "white", -0.72 * s) if s < 0 else mix(colour, "black", s) for s in steps]


RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 9.5,
    "text.parse_math": False,  # a $ in a label is a dollar
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 2.4,
    "legend.borderaxespad": 0,
    "legend.borderpad": 0.3,
    "legend.columnspacing": 1.6,
    "legend.labelspacing": 0.25,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.6,
    "figure.dpi": 100,
    "svg.hashsalt": "harness",  # identifiers in an SVG are the same every time
    "svg.fonttype": "path",
}


@contextmanager
def look() -> Iterator[None]:
    """Draw with the settings of this file, whatever the user's are; they come back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield
