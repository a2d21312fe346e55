"""Small sweeps for tests of report pages, and a page in a browser that is watched for requests and complaints."""

import math
import os
import re
from pathlib import Path

from playwright.sync_api import Browser, Page

REQUIRED = os.environ.get("BROWSER") == "required"  # tests fail, and are not skipped, where the browser is missing
READY = "document.documentElement.dataset.ready"
SIZES = {"wide": {"width": 1280, "height": 850}, "phone": {"width": 390, "height": 844}}

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
SHOWN = 0.003  # decades: three significant digits

SWEEPS = {
    "depth": """\
name: depth
network: {activation: [relu, sigmoid], init: [he_normal, xavier_normal], depth: [1, 4, 40, 600], width: 8}
data: {batch: 4}
replicates: 4
figures: []
""",
    "dead": """\
name: dead
network: {activation: relu, init: he_normal, depth: [2, 30], width: [2, 16]}
data: {batch: 4}
replicates: 5
figures: []
""",
    "single": """\
name: single
network: {activation: tanh, init: xavier_normal, depth: 3, width: 5}
data: {batch: 2}
dtype: float32
figures: []
""",
    "some_layers": """\
name: some_layers
network: {activation: [relu, gelu], init: he_normal, depth: [5, 50], width: 6}
data: {batch: 2}
record_layers: 5
replicates: 2
figures: []
""",
    "trained": """\
name: trained
network: {activation: [relu, sigmoid], init: he_normal, depth: [1, 3], width: 5, output: linear}
data: {inputs: digits, targets: labels, batch: 8}
cost: cross_entropy
replicates: 3
training:
  optimiser: [sgd, adam]
  learning_rate: [0.01, 0.3]
  batch: 8
  steps: 9
  split: {train: 40, validation: 20, test: 30}
  record: {times: 4}
figures: []
""",
    "remedied": """\
name: remedied
network: {activation: [relu, sigmoid], width: 8, depth: [7, 25]}
cases:
  - init: he_normal
  - {init: he_normal, normalisation: batch}
  - {init: he_normal, residual: pre}
  - {init: he_normal, residual: pre, normalisation: layer}
data: {batch: 8}
cost: linear
replicates: 4
figures: []
""",
}


class Watched:
    """A page, with what it requested and complained of."""

    def __init__(self, browser: Browser, file: Path, **context):
        self.context = browser.new_context(**{"viewport": SIZES["wide"], "offline": True} | context)
        self.page = page = self.context.new_page()
        self.requests, self.complaints = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))
        page.goto(file.as_uri())
        if context.get("java_script_enabled", True):
            wait(page, READY, self.complaints)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def slide(self, slider: str, value: int) -> None:
        """Move a slider, as a finger does."""
        move = "([slider, value]) => { const e = document.querySelector(slider); e.value = value;"
        self.page.evaluate(move + " e.dispatchEvent(new Event('input')) }", [slider, value])

    def choose(self, **values: str) -> None:
        """Choose values of selects, given by id with _ for -."""
        for name, value in values.items():
            self.page.select_option(f"#{name.replace('_', '-', 1)}", label=str(value))
        self.page.wait_for_timeout(60)


def wait(page: Page, condition: str, complaints: list[str]) -> None:
    """Wait for a condition. Playwright's own `wait_for_function` needs eval, which the page forbids."""
    for _ in range(800):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never {condition}: {complaints}")


def log10_of(text: str) -> float:
    """log10 of a number as the page shows it."""
    found = re.fullmatch(r"([\d.]+) × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", text.strip())
    if found:
        return math.log10(float(found[1])) + int(found[2].translate(SUPERSCRIPTS))
    return math.log10(float(text)) if float(text) else -math.inf


def decades_of(text: str) -> float:
    """A number of decades, or of percent, as the page shows it; its unit is left out."""
    return float(text.replace("−", "-").split()[0])
