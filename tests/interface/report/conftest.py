"""A real browser, and small sweeps with their report pages. Without the browser these tests are skipped."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command import forked, good
from playwright.sync_api import Browser, sync_playwright
from report_pages import REQUIRED, SWEEPS, Watched

import harness
from harness.interface.report.page import write_report


@pytest.fixture(scope="session")
def pages(tmp_path_factory) -> Path:
    """A folder with results of each of SWEEPS, and their pages as report.html inside."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "results").mkdir()
    for name, text in SWEEPS.items():
        (folder / f"{name}.yaml").write_text(text)
        good(forked("sweep", f"{name}.yaml", "--workers", "1", cwd=folder))
    return folder


@pytest.fixture(scope="session")
def tables(pages) -> dict[str, dict[str, pd.DataFrame]]:
    """The tables of each of SWEEPS."""
    folders = {sweep: pages / "results" / sweep for sweep in SWEEPS}
    names = ("layers", "networks", "steps", "step_layers")
    return {
        sweep: {name: pd.read_parquet(folder / name) for name in names if (folder / name).exists()}
        for sweep, folder in folders.items()
    }


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        said = "there is no browser: `make browser` installs it"
        pytest.fail(said) if REQUIRED else pytest.skip(said)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, pages):
    """A function that opens the page of a sweep, or a file."""
    watched = []

    def open_page(name: str | Path, **context) -> Watched:
        file = name if isinstance(name, Path) else pages / "results" / name / "report.html"
        watched.append(Watched(browser, file, **context))
        return watched[-1]

    yield open_page
    for one in watched:
        one.context.close()


@pytest.fixture
def written(pages, tmp_path):
    """A function that copies the results of a sweep, changes the copy, and writes its page."""

    def write(name: str, change) -> Path:
        copy = tmp_path / name
        shutil.copytree(pages / "results" / name, copy)
        change(copy)
        return write_report(harness.load(copy))

    return write
