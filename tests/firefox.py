"""Firefox without a window, driven by its own protocol, WebDriver BiDi (w3.org/TR/webdriver-bidi), over a WebSocket.

Playwright drives a Firefox of its own making only, and Selenium needs geckodriver, which Debian does not have.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from report_pages import READY
from websockets.sync.client import ClientConnection, connect

PATIENCE = 60  # seconds for Firefox to start, to answer, and to have a page ready
SCHEMES = {"light": 1, "dark": 0}  # as Firefox's preference numbers them


@contextmanager
def started(path: str, profile: Path, scheme: str) -> Iterator["Firefox"]:
    """Firefox with an empty profile, in a scheme of colours, until the block ends."""
    preference = f'user_pref("layout.css.prefers-color-scheme.content-override", {SCHEMES[scheme]});\n'
    (profile / "user.js").write_text(preference)
    command = [path, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_address(profile)) as socket:
                yield Firefox(socket)
        finally:
            process.terminate()


def _address(profile: Path) -> str:
    """Where Firefox listens, which it writes into its profile when it has started."""
    file = profile / "WebDriverBiDiServer.json"
    wait_until(file.exists, "Firefox did not start")
    server = json.loads(file.read_text())
    return f"ws://{server['ws_host']}:{server['ws_port']}/session"


def wait_until(done: Callable[[], object], otherwise: object) -> None:
    """Wait until a function returns something true. Raises AssertionError with `otherwise` after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)


class Firefox:
    """A session with one tab. `requests` are the addresses it asked for, `complaints` what its console said."""

    def __init__(self, socket: ClientConnection):
        self._socket, self._numbers = socket, count(1)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._command("session.new", capabilities={})
        self._command("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.tab = self._command("browsingContext.getTree")["contexts"][0]["context"]

    def _command(self, method: str, **params) -> dict:
        """The result of a command. Raises RuntimeError where Firefox refuses it."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("method") == "log.entryAdded":
                self.complaints.append(message["params"]["text"])
            elif message.get("method") == "network.beforeRequestSent":
                self.requests.append(message["params"]["request"]["url"])
            elif message.get("id") == number:
                if message["type"] == "error":
                    raise RuntimeError(f"{method}: {message['message']}")
                return message["result"]

    def open(self, file: Path, size: dict[str, int]) -> None:
        """Open a report page and wait until it is ready."""
        self.requests.clear()
        self.complaints.clear()
        self._command("browsingContext.setViewport", context=self.tab, viewport=size)
        self._command("browsingContext.navigate", context=self.tab, url=file.as_uri(), wait="complete")
        wait_until(lambda: self.evaluate(f"{READY} ?? null"), self.complaints)

    def evaluate(self, expression: str) -> object:
        """The value of an expression of JavaScript, as JSON has it."""
        wrapped = f"Promise.resolve({expression}).then(JSON.stringify)"
        target = {"context": self.tab}
        found = self._command("script.evaluate", expression=wrapped, target=target, awaitPromise=True)
        if found["type"] == "exception":
            raise RuntimeError(found["exceptionDetails"]["text"])
        return json.loads(found["result"].get("value", "null"))

    def text(self, selector: str) -> str:
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText.trim()")

    def press(self, selector: str, key: str, times: int = 1) -> None:
        """Focus an element and press a key, given as WebDriver writes it."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        strokes = [{"type": kind, "value": key} for _ in range(times) for kind in ("keyDown", "keyUp")]
        self._perform({"type": "key", "id": "keyboard", "actions": strokes})

    def click(self, selector: str, share: float = 0.5) -> None:
        """Click an element at a share of its width, half way down."""
        place = f"""(element => {{
            element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
            const box = element.getBoundingClientRect();
            return [box.x + box.width * {share}, box.y + box.height / 2];
        }})(document.querySelector({json.dumps(selector)}))"""
        x, y = map(round, self.evaluate(place))
        moves = [{"type": "pointerMove", "x": x, "y": y}]
        moves += [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._perform({"type": "pointer", "id": "mouse", "actions": moves})

    def _perform(self, source: dict) -> None:
        self._command("input.performActions", context=self.tab, actions=[source])
