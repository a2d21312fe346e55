"""The index page of a folder of results: each sweep with its question, its answer and a link to its page."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.base.errors import ConfigError, ResultsError
from harness.interface.reading import opened
from harness.interface.report.page import own_style, policy, template, write_report
from harness.results.files import write_text
from harness.results.folder import CONFIG, NETWORKS, REPORT
from harness.study import verdicts

INDEX = "index.html"


@dataclass(frozen=True)
class Entry:
    """A sweep on the index page. `link` is the address of its page, from the index page."""

    name: str
    link: str
    question: str
    answer: str
    counted: str


def results_in(folder: Path) -> list[Path]:
    """The results folders directly inside a folder, by name; none where it is itself a results folder."""
    if (folder / CONFIG).is_file() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if (path / CONFIG).is_file() and (path / NETWORKS).is_dir())


def write_index(folder: Path, folders: list[Path], out: Path | None = None) -> Path:
    """Write the page of each results folder, and the index page. Returns the path of the index page.

    A folder that cannot be read is on the index page with the reason.
    """
    path = folder / INDEX if out is None else out
    entries = [_entry(one) for one in folders]
    style = own_style()
    page = template("index.html.j2").render(policy=policy([], style), style=style, entries=entries)
    write_text(path, page)
    return path


def _entry(folder: Path) -> Entry:
    link = f"{quote(folder.name)}/{REPORT}"
    try:
        results = opened(folder)
        write_report(results)
        judged = results.verdicts()
        counted = verdicts.counted(judged) if judged else ""
        return Entry(folder.name, link, results.question(), results.answer(), counted)
    except (ResultsError, ConfigError) as error:
        return Entry(folder.name, "", "cannot be read", str(error), "")
