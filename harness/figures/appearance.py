"""How a figure looks, apart from what it shows. Imports nothing heavy: the options of a command are read with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Appearance:
    """How a figure looks: the formats of its files, its width in inches (None: that of a page), a style file of
    matplotlib that is applied after the figures' own settings, and colours of activations by name."""

    formats: tuple[str, ...] = ("png", "svg")
    width: float | None = None
    style: Path | None = None
    colours: Mapping[str, str] = field(default_factory=dict)


USUAL = Appearance()
