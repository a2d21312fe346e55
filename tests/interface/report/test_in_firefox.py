"""The report page in Firefox, at two sizes, light and dark: no request, no complaint, and all that a hand moves.

`make test-firefox` installs what this needs. Elsewhere these tests are skipped; with FIREFOX=required they fail.
"""

import importlib.util
import os
import shutil

import pytest
from report_pages import SHOWN, SIZES, log10_of

HOME, END, RIGHT = "\ue011", "\ue010", "\ue014"  # keys, as WebDriver names them

# Of each sweep the setting in the first row of the table below the layers.
FIRST = {
    "depth": "activation == 'relu' and init == 'he_normal'",
    "dead": "width == 2",
    "trained": "activation == 'relu'",
}


@pytest.fixture(scope="module", params=["light", "dark"])
def firefox(request, tmp_path_factory):
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None or importlib.util.find_spec("websockets") is None:
        said = "there is no Firefox, or no websockets to drive it: `make test-firefox` installs both"
        pytest.fail(said) if os.environ.get("FIREFOX") == "required" else pytest.skip(said)
    from firefox import started

    with started(path, tmp_path_factory.mktemp("profile"), request.param) as firefox:
        dark = firefox.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert dark is (request.param == "dark")
        yield firefox


@pytest.fixture(params=[(name, size) for name in FIRST for size in SIZES], ids="-".join)
def shown(firefox, pages, request):
    """Firefox with a page open; afterwards it has asked for nothing and complained of nothing."""
    name, size = request.param
    firefox.open(pages / "results" / name / "report.html", SIZES[size])
    yield name, firefox
    assert firefox.complaints == []
    assert [url for url in firefox.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert firefox.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_keys_and_mouse_move_the_slider_and_its_table(shown, tables):
    name, firefox = shown
    layers = tables[name]["layers"].query(FIRST[name])
    depth = layers["depth"].max()
    layers = layers[layers["depth"] == depth]
    steps = int(firefox.evaluate("document.querySelector('#l-at').max"))
    for key, times, layer in ((HOME, 1, depth), (RIGHT, steps, 1)):
        firefox.press("#l-at", key, times)
        assert firefox.text("#l-layer") == f"layer {layer} of {depth}"
        said = firefox.text("#l-values tbody tr td:nth-of-type(4)")
        median = layers.loc[layers["layer"] == layer, "log10_grad_preactivations"].median()
        assert log10_of(said) == pytest.approx(median, abs=SHOWN)
    for selector, share in (("#l-at", 0.5), ("#l-chart svg rect[pointer-events]", 0.25)):
        firefox.click(selector, share)
        layer = int(firefox.text("#l-layer").split()[1])
        # The nearest of at most 129 layers, and a pixel of some hundreds.
        assert layer == pytest.approx(depth - share * (depth - 1), abs=1 + depth / 100), selector


def test_a_gradient_is_walked_by_button_and_by_key(shown):
    _, firefox = shown
    firefox.click("#w-next")
    assert firefox.text("#w-where").startswith("(1) at layer ")
    firefox.press("#w-at", END)
    assert firefox.text("#w-where") == "(2) down to the input"
    firefox.click("#w-first")
    assert firefox.text("#w-where").startswith("at the output")
