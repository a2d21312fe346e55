"""A figure drawn as a page, in the style of this project or with a user's settings on top, and written as a file."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pandas as pd
from matplotlib import RcParams, rc_params_from_file
from matplotlib.colors import is_color_like
from matplotlib.figure import Figure

from harness.base.errors import ConfigError
from harness.figures.appearance import Appearance
from harness.figures.kit.page import DPI, WIDTH, Heading, page_of_width
from harness.figures.kit.style import drawing_style
from harness.results.files import write_whole
from harness.results.rows import Layers

METADATA: Mapping[str, Mapping[str, None]] = {  # of each format, what would name a date or a program
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def drawn(
    module: ModuleType, layers: Layers, networks: pd.DataFrame, appearance: Appearance, title: str, sentence: str
) -> Iterator[Figure]:
    """The figure of a module, while the settings that it is drawn with are in force; see `page_of`."""
    with page_of(module, module.prepare(layers, networks), appearance, title, sentence) as figure:
        yield figure


@contextmanager
def page_of(
    module: ModuleType, prepared: object, appearance: Appearance, title: str, sentence: str
) -> Iterator[Figure]:
    """The figure that a module draws of what it prepared, while the settings that it is drawn with are in force.

    Without a `title` it states its finding, or has the title of its HEADING, or else its name. Raises ConfigError for
    an appearance that matplotlib does not accept.
    """
    name = module.__name__.rpartition(".")[2]
    default = getattr(module, "HEADING", Heading(name.replace("_", " ").capitalize()))
    for activation, colour in appearance.colours.items():
        if not is_color_like(colour):
            raise ConfigError(f"{colour!r}, for {activation}, is no colour; write #0060a8 or a name such as navy")
    settings = None if appearance.style is None else _settings_of(appearance.style)
    with drawing_style(settings, appearance.colours), page_of_width(appearance.width or WIDTH):
        finding = module.finding(prepared) if hasattr(module, "finding") else ""
        figure = module.draw(prepared, Heading(title or finding or default.title, sentence))
        _fix_layout(figure)
        yield figure


def _settings_of(style: Path) -> RcParams:
    """The settings of a style file of matplotlib. Raises ConfigError for a file without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = rc_params_from_file(style, use_default_template=False)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{style}: cannot be read as a style of matplotlib: {error}") from None
    if not found:
        raise ConfigError(f"{style}: no settings of matplotlib in it; write lines such as font.size: 8")
    return found


def write(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the suffix names. The same figure gives the same bytes."""
    form = path.suffix[1:]
    content = BytesIO()
    resolution = DPI if form == "png" else "figure"
    figure.savefig(content, facecolor="white", format=form, dpi=resolution, metadata=dict(METADATA[form]))
    write_whole(path, content.getbuffer())


def _fix_layout(figure: Figure) -> None:
    """Lay the page out once and round the positions: the solver's last bits differ from run to run."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(number, 6) for number in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))
