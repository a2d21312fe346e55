"""python -m benchmarks.page [--runs N]: the report page of a million rows, in Chromium at a quarter of its speed.

Runs each of SWEEPS, writes its page in a process of its own, and opens the page N times, each in a fresh context of
the browser whose processor is throttled four-fold, as DevTools does for a phone. Times are milliseconds from the start
of the navigation, medians over the loads with the least and the greatest: to the first chart on the screen, and until
the page answers to everything. `make browser` installs the browser, and `pip install playwright` what drives it.
"""

from benchmarks import one_thread  # noqa: F401, I001  (before numpy)

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

import harness
from benchmarks import machine, memory
from harness.interface.report.page import write_report

SLOWER = 4
PATIENCE = 120  # seconds for one load

# 8,160 rows of `layers` a draw.
DRAWS = {
    "network": {
        "activation": ["relu", "sigmoid", "tanh"],
        "init": ["he_normal", "xavier_normal"],
        "depth": [16, 64, 256, 1024],
        "width": 8,
    },
    "data": {"batch": 4},
    "figures": [],
}
# 10^6 rows a draw, and as many settings as a page has at most.
SETTINGS = DRAWS | {
    "network": {
        "activation": ["relu", "sigmoid", "tanh", "gelu", "elu"],
        "init": ["he_normal", "xavier_normal", "lecun_normal", "orthogonal"],
        "weight_scale": {"from": 0.5, "to": 2.0, "steps": 25},
        "depth": [40, 160, 600, 1200],
        "width": 4,
    }
}
SWEEPS = {
    "24 settings, 123 draws": DRAWS | {"replicates": 123},
    "24 settings, 492 draws": DRAWS | {"replicates": 492},
    "2,000 settings, 1 draw": SETTINGS | {"replicates": 1},
}

# When a frame that comes after the attribute has been handed to the screen.
PAINTED = """
new MutationObserver((_, observer) => {
  if (!document.documentElement?.dataset.first) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));
}).observe(document, { attributes: true, subtree: true, attributeFilter: ['data-first'] });
"""


def row(name: str, loads: int, folder: Path) -> str:
    """The table's row of a sweep."""
    results = harness.sweep({"name": "page"} | SWEEPS[name], workers=1, out=folder / "results")
    rows = sum(results.networks["depth"])
    peak = memory.alone(_write, results.path, folder / "report.html")[1]
    size = (folder / "report.html").stat().st_size
    with _browser() as browser:
        times = [load(browser, folder / "report.html") for _ in range(loads)]
    first, ready = (_spread([time[i] for time in times]) for i in range(2))
    return f"| {name} | {rows:,} | {size / 1e6:.2f} | {1e3 * peak:,.0f} | {first} | {ready} |"


def _write(results: Path, page: Path) -> None:
    write_report(harness.load(results), page)


@contextmanager
def _browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("there is no browser: `make browser` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def load(browser: Browser, page: Path) -> tuple[float, float]:
    """Milliseconds to the first chart on the screen, and until everything on the page answers."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    tab.add_init_script(PAINTED)
    context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    tab.goto(page.as_uri(), wait_until="commit")
    end = time.monotonic() + PATIENCE
    while not (found := tab.evaluate("[window.painted, +(document.documentElement?.dataset.ready ?? 0)]"))[1]:
        if time.monotonic() > end:
            raise SystemExit(f"{page} was not ready after {PATIENCE} s")
        time.sleep(0.2)  # rarely: each look takes time from the page
    context.close()
    return found[0], found[1]


def _spread(times: list[float]) -> str:
    return f"{median(times):,.0f} ({min(times):,.0f}–{max(times):,.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7, help="loads of each page (default: 7)")
    loads = parser.parse_args().runs
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # a browser is several processes
    print(f"{machine.processor()}, {os.cpu_count()} cores; {loads} loads of each page, throttled {SLOWER}-fold.\n")
    print("| sweep | rows | page, MB | peak of `harness report`, MB | first chart, ms | everything, ms |")
    print("|---|---|---|---|---|---|")
    for name in SWEEPS:
        with tempfile.TemporaryDirectory() as folder:
            print(row(name, loads, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
