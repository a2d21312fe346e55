"""Fragments of the pages that follow from the code: they are generated at each build and never written by hand.

Each function returns the text of one fragment; `write` puts them into docs/generated/, which Git ignores.
"""

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import typer
from gallery import figure, gallery
from typer.cli import get_docs_for_click

import harness
from harness import theory
from harness.config import json_schema
from harness.interface.checkout.catalogue import catalogue
from harness.interface.commands import app
from harness.results.columns import TABLES

HERE = Path(__file__).parent
FOLDER = HERE / "generated"
RESULTS = HERE.parent / "results"
LESSON = (  # the figures of lesson.md: a sweep and a figure of it
    ("single_neuron", "single_neuron"),
    ("depth", "step_against_sigmoid"),
    ("depth", "gradient_profile"),
    ("thousand_layers", "attenuation_against_depth"),
    ("dead_units", "dead_units"),
)

Rows = Sequence[Sequence[str]]


def write() -> None:
    """Write every fragment into docs/generated/."""
    FOLDER.mkdir(exist_ok=True)
    fragments = {
        "command_list.md": command_list(),
        "commands.md": commands(),
        "config.md": config(),
        "python.md": python(),
        "gallery.md": _literal_angles(gallery(HERE.parent / "experiments", RESULTS, FOLDER)),
        **{f"lesson_{sweep}_{name}.md": figure(RESULTS, sweep, name, FOLDER) for sweep, name in LESSON},
        **choices(),
        **columns(),
    }
    for name, text in fragments.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def table(head: Sequence[str], rows: Rows) -> str:
    """A Markdown table. A cell may contain any text; | and line ends in it are escaped."""
    cells = [
        [re.sub(r"\s+", " ", cell).replace("|", r"\|") for cell in row] for row in (head, ["---"] * len(head), *rows)
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def command_list() -> str:
    """Every command with the first sentence of its help."""
    group = typer.main.get_command(app)
    rows = [(f"`harness {name}`", _literal_angles(_first(command.help))) for name, command in group.commands.items()]
    return table(("command", "what it does"), rows)


def commands() -> str:
    """The reference of the command line, from the options and help texts of the commands themselves."""
    group = typer.main.get_command(app)
    for command in (group, *group.commands.values()):
        command.epilog = None  # the exit codes, which the page lists once
    context = group.make_context("harness", [], resilient_parsing=True)
    text = get_docs_for_click(obj=group, ctx=context, name="harness")
    return _literal_angles(text[text.index("## ") :])  # without the overview, which the page has in its own words


def config() -> str:
    """Each key of a config with its default and meaning, from the JSON Schema."""
    schema = json_schema()
    sections = [
        ("Top level", "", schema),
        ("`network`", "network.", schema["$defs"]["NetworkAxes"]),
        ("`data`", "data.", schema["$defs"]["Data"]),
        ("`training`", "training.", schema["$defs"]["Training"]),
        ("`training.split`", "training.split.", schema["$defs"]["Split"]),
        ("`training.record`", "training.record.", schema["$defs"]["Record"]),
        ("`thresholds`", "thresholds.", schema["$defs"]["Thresholds"]),
    ]
    return "\n".join(f"### {title}\n\n{table(KEY_HEAD, list(_keys(prefix, part)))}" for title, prefix, part in sections)


KEY_HEAD = ("key", "default", "meaning")


def _keys(prefix: str, schema: dict) -> Iterator[tuple[str, str, str]]:
    for key, field in schema["properties"].items():
        yield f"`{prefix}{key}`", _default(field), _literal_angles(field.get("description", ""))


def _default(field: dict) -> str:
    if "default" not in field:
        return "required"
    value = field["default"]
    return "see below" if isinstance(value, dict) else "`null`" if value is None else f"`{value}`"


def choices() -> dict[str, str]:
    """The tables of `harness list`, one file for each: activations.md, initialisations.md, figures.md, …"""
    tables = catalogue(HERE.parent / "experiments")
    return {f"{_slug(one.title)}.md": table(one.columns, _rows(one.rows)) for one in tables}


def columns() -> dict[str, str]:
    """The columns of the tables, one file for each: layers.md, networks.md, …"""
    rows = {name: [(f"`{c.name}`", c.unit, c.meaning, c.source) for c in listed] for name, listed in TABLES.items()}
    return {f"{name}.md": table(("column", "unit", "meaning", "source"), of_table) for name, of_table in rows.items()}


def _slug(title: str) -> str:
    return title.partition(" ")[0].lower()


def _rows(rows: Rows) -> list[list[str]]:
    return [[f"`{name}`", *map(str, rest)] for name, *rest in rows]


def python() -> str:
    """Directives that document every public name of `harness` and of `harness.theory`."""
    names = {"harness": sorted(harness.__all__, key=str.lower), "harness.theory": theory.__all__}
    blocks = {module: "\n".join(_directive(module, name) for name in given) for module, given in names.items()}
    return "\n".join(f"### `{module}`\n\n```{{eval-rst}}\n{block}```\n" for module, block in blocks.items())


def _directive(module: str, name: str) -> str:
    if isinstance(getattr(import_module(module), name), type):
        return f".. autoclass:: {module}.{name}\n   :members:\n   :inherited-members:\n"
    return f".. autofunction:: {module}.{name}\n"


def _first(text: str | None) -> str:
    return (text or "").partition("\n\n")[0]


def _literal_angles(text: str) -> str:
    """`<name>` outside of code as text and not as an HTML tag."""
    pieces = text.split("`")
    return "`".join(piece if i % 2 else re.sub(r"<(\w+)>", r"\\<\1>", piece) for i, piece in enumerate(pieces))


def signature(text: str | None) -> str | None:
    """A signature, in which autodoc writes an alias inside of another type as TypeAliasForwardRef('name')."""
    return text and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text)


def docstring(lines: list[str]) -> None:
    """Change the lines of a docstring, which is plain text, in place into reStructuredText that shows it as it is.

    An indented block becomes a literal block, and characters that would begin markup outside of code are escaped.
    """
    shown: list[str] = []
    for line in lines:
        indented = line.startswith("    ")
        if indented and shown and not shown[-1].strip() and not (len(shown) > 1 and shown[-2].startswith("    ")):
            shown += ["::", ""]
        pieces = line.split("`")
        escaped = "`".join(p if i % 2 else re.sub(r"([*|])", r"\\\1", p) for i, p in enumerate(pieces))
        shown.append(line if indented else escaped)
    lines[:] = shown
