"""The gallery: each experiment with its answer, a figure and its verdicts, from the results that a checkout holds.

Nothing is run for it: results come from `make verify`, and a page that is built without any says so.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from harness.results.folder import CLAIMS, CONFIG, FIGURES
from harness.study.claims import Verdict
from harness.study.questions import sentence_of
from harness.study.verdicts import counted, from_json

SOURCES = ("verify/full", "verify/ci", ".")  # folders of results folders, the best first
PICTURES = "gallery"  # the folder of copied figures, beside the page's text
NONE_YET = 'No results yet: `make verify ARGS="--size ci"` makes them in some minutes, and the next build shows them.\n'


def gallery(experiments: Path, results: Path, into: Path) -> str:
    """The page's text in Markdown. Figures are copied into PICTURES below `into`, the folder of generated texts."""
    shutil.rmtree(into / PICTURES, ignore_errors=True)
    (into / PICTURES).mkdir(parents=True)
    found = sweeps_of(results)
    paths = sorted(experiments.glob("[!_]*.py"))
    return "\n".join(_section(path, found.get(path.stem, []), into) for path in paths)


def sweeps_of(results: Path) -> dict[str, list[Path]]:
    """The judged results folders of each experiment, all from the first of SOURCES that has any of it."""
    found: dict[str, list[Path]] = {}
    for source in SOURCES:
        here: dict[str, list[Path]] = {}
        for claims in sorted((results / source).glob(f"*/{CLAIMS}")):
            config = yaml.safe_load((claims.parent / CONFIG).read_text(encoding="utf-8"))
            here.setdefault(str(config.get("experiment")), []).append(claims.parent)
        found = here | found
    return found


def figure(results: Path, sweep: str, name: str, into: Path) -> str:
    """One figure of a sweep, from the first of SOURCES that has it, for another page; copied like the gallery's."""
    for source in SOURCES:
        if (path := results / source / sweep / FIGURES / f"{name}.png").is_file():
            return _copied(path, sweep, into)
    return NONE_YET


def _section(experiment: Path, folders: list[Path], into: Path) -> str:
    parts = [f"## {experiment.stem}\n", f"*{sentence_of(experiment)}*\n", *([] if folders else [NONE_YET])]
    for folder in sorted(folders, key=lambda folder: folder.name != experiment.stem):
        judged = json.loads((folder / CLAIMS).read_text(encoding="utf-8"))
        verdicts = from_json(judged["claims"])
        parts += [f"{judged['answer']}\n", *_picture(folder, into)]
        parts += [f"`{folder.name}`: {counted(verdicts)}.\n", *_lines(verdicts)] if verdicts else []
    return "\n".join(parts)


def _picture(folder: Path, into: Path) -> Iterator[str]:
    """The first figure of a sweep in the order of its config, copied."""
    names = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")).get("figures") or ()
    drawn = [path for path in (folder / FIGURES / f"{name}.png" for name in names) if path.is_file()]
    for path in drawn[:1]:
        yield _copied(path, folder.name, into)


def _copied(path: Path, sweep: str, into: Path) -> str:
    """The figure in Markdown, copied to where the page finds it."""
    name = f"{sweep}-{path.name}"
    shutil.copyfile(path, into / PICTURES / name)
    return f"![{path.stem} of {sweep}]({into.name}/{PICTURES}/{name})\n"


def _lines(verdicts: list[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        yield f"- **{verdict.grade}**: {verdict.sentence}"
    yield ""
