"""The look all figures share: colours, markers and line styles of the activations, depth as a shade, fonts.

Colours are Okabe & Ito's and Tol's, chosen to differ for every kind of colour vision; relu, sigmoid and tanh also
differ in lightness, and each activation has a marker and a line style, so that figures can be read in grey. Dashes are
kept for theory.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

LineStyle = Literal["solid", "--", ":"] | tuple[float, tuple[float, ...]]

INK, GREY, PALE = "#1a1a1a", "#6b6b6b", "#d9d9d9"
WEIGHTS = "#8a8a8a"  # the weights' share, in every figure

THEORY: LineStyle = (0, (5, 3))  # the dashes of theory, and of nothing else
_SOLID: LineStyle = "solid"
_DOTTED: LineStyle = (0, (1, 1.2))
_DASHDOT: LineStyle = (0, (7, 1.5, 1.2, 1.5))
_LONG: LineStyle = (0, (7, 1.2, 1.2, 1.2, 1.2, 1.2))


@dataclass(frozen=True)
class Look:
    """Colour, marker and line style of an activation in every figure."""

    colour: str
    marker: str
    line: LineStyle = _SOLID


LOOKS = {
    "relu": Look("#003866", "o"),
    "sigmoid": Look("#b95c00", "s"),
    "tanh": Look("#007055", "^"),
    "linear": Look("#4d4d4d", "x", _DOTTED),
    "erf": Look("#66c2a5", "v", _DASHDOT),
    "hard_tanh": Look("#117733", "P", _DOTTED),
    "leaky_relu": Look("#56b4e9", "D", _DOTTED),
    "elu": Look("#cc79a7", "<", _DASHDOT),
    "selu": Look("#882255", ">", _LONG),
    "gelu": Look("#d55e00", "h", _DASHDOT),
    "relu6": Look("#2f6db5", "H", _DOTTED),
    "silu": Look("#806000", "p", _DOTTED),
    "softplus": Look("#7b6bb2", "*", _LONG),
    "clipped_relu": Look("#3f90da", "X", _LONG),
    "softsign": Look("#44aa99", "8", _DASHDOT),
    "centred_sigmoid": Look("#bd7c10", "d", _DASHDOT),
}
_SPARE = (Look("#332288", "d", _LONG), Look("#aa4499", "X", _DASHDOT), Look("#999933", "8", _DOTTED))
_MARKERS = "odsv^<>phPXD"


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """The look of each activation of a sweep, by label.

    A label with parameters has the look of its name. Further labels of the same name are lighter, with other markers;
    an unknown name gets one of the spare looks.
    """
    names = [str(label).split("(")[0] for label in labels]
    unknown = sorted(set(names) - set(LOOKS))
    spare = [replace(_SPARE[i % len(_SPARE)], marker=_MARKERS[i % len(_MARKERS)]) for i in range(len(unknown))]
    base = LOOKS | dict(zip(unknown, spare, strict=True))
    base |= {name: replace(base[name], colour=colour) for name, colour in _colours.get().items() if name in base}
    result = {}
    for i, (label, name) in enumerate(zip(labels, names, strict=True)):
        before, look = names[:i].count(name), base[name]
        lighter = 1 - 1 / (1 + 0.45 * before)
        marker = _MARKERS[(_MARKERS.find(look.marker) + before) % len(_MARKERS)] if before else look.marker
        result[label] = Look(mix(look.colour, "white", lighter), marker, look.line)
    return result


def mix(colour: str, other: str, share: float) -> str:
    """A colour with a share of another."""
    red, green, blue = (1 - share) * np.array(to_rgb(colour)) + share * np.array(to_rgb(other))
    return to_hex((red, green, blue))


def shades(colour: str, count: int) -> list[str]:
    """Shades of a colour from pale to dark, for shallow networks to deep ones."""
    if count == 1:
        return [colour]
    steps = np.linspace(-1, 0.4, count)
    return [mix(colour, "white", -0.6 * s) if s < 0 else mix(colour, "black", s) for s in steps]


RC: "dict[RcKeyType, object]" = {
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


_ONE_AT_A_TIME = threading.RLock()


_colours: ContextVar[Mapping[str, str]] = ContextVar("colours", default=MappingProxyType({}))


@contextmanager
def drawing_style(
    settings: "Mapping[RcKeyType, object] | None" = None, colours: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Draw with the settings of this file, then with `settings`; the process's own are restored afterwards.

    `colours` are those of activations, by name. Threads wait for each other, because matplotlib has one set of
    settings for a process.
    """
    with _ONE_AT_A_TIME, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        matplotlib.rcParams.update(settings or {})
        token = _colours.set(colours or {})
        try:
            yield
        finally:
            _colours.reset(token)
