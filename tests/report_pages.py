"""Small sweeps for tests of report pages, and a page in a browser that is watched for requests and complaints."""

from pathlib import Path

from playwright.sync_api import Browser, Page

READY = "document.documentElement.dataset.ready"
SIZES = {"wide": {"width": 1280, "height": 850}, "phone": {"width": 390, "height": 844}}

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
