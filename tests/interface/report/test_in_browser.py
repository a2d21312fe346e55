"""The report page in a real browser: what it shows is what the tables hold, and it asks nothing of anyone."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import axe_playwright_python
import numpy as np
import pytest
from command import environment
from report_pages import SHOWN, SIZES, SUPERSCRIPTS, SWEEPS, decades_of, log10_of, wait

import harness
from harness.interface.report.encoding import QUANTUM
from harness.interface.report.page import write_report
from harness.interface.report.sections.charts import MEASURES
from harness.study.results import Results

DELTA = "log10_grad_preactivations"
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize("name", SWEEPS)
def test_no_request_and_no_complaint(opened, name):
    shown = opened(name)
    page = shown.page
    page.select_option("#theme", "dark")
    page.select_option("#size", "large")
    if name != "some_layers":
        page.check("input[value=ledger]")
        page.click("#w-next")
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def violations(page) -> list:
    return page.evaluate(
        f"axe.run(document, {{runOnly: {json.dumps(RULES)}, resultTypes: ['violations']}})"
        ".then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 120))]))"
    )


def use(page) -> None:
    """Reach what is not on the page as it opens: another kind of chart, every case and licence, a step of the walk."""
    page.check("input[value=ledger]")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.click("#w-next")
    page.wait_for_timeout(60)


# Every look of the sections that all pages have; of the others each size and each scheme once.
LOOKS = [(name, size, scheme) for name in ("depth", "dead") for size in SIZES for scheme in ("light", "dark")]
LOOKS += [(name, *look) for name in ("trained", "remedied") for look in (("wide", "dark"), ("phone", "light"))]


@pytest.mark.parametrize(("name", "size", "scheme"), LOOKS)
def test_no_violation_of_accessibility(opened, name, size, scheme):
    page = opened(name, viewport=SIZES[size], color_scheme=scheme).page
    page.evaluate(AXE)
    assert violations(page) == []
    use(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("activation", "init", "depth"), [("sigmoid", "xavier_normal", 600), ("relu", "he_normal", 1)])
def test_a_walk_says_what_was_measured(opened, tables, activation, init, depth):
    shown = opened("depth")
    shown.choose(w_activation=activation, w_init=init, w_depth=depth)
    key = shown.page.locator("#w-draw").input_value()
    layers = tables["depth"]["layers"]
    own = layers[layers["network"] == key].set_index("layer")
    for layer in (depth, (depth + 2) // 3, 1):
        shown.slide("#w-at", 2 * (depth - layer) + 2)
        row = own.loc[layer]
        below = row["log10_grad_preactivations"] + row["log10_weight_factor"]
        for place, value in enumerate((row["log10_grad_preactivations"], below, row["log10_grad_weights"]), start=1):
            said = shown.text(f"#w-eq li:nth-child({place}) .val b")
            assert log10_of(said) == pytest.approx(value, abs=SHOWN), (layer, place)
    (network,) = tables["depth"]["networks"].query(f"network == '{key}'").itertuples()
    total = network.log10_gradient_gain if depth > 1 else 0.0
    total += own.loc[depth]["log10_activation_factor"] + own.loc[1]["log10_weight_factor"]
    assert decades_of(shown.text("#w-ledger .total td.n")) == pytest.approx(total, abs=0.006)


def test_where_few_chains_fit_the_walk_begins_with_one_that_is_there(opened, pages, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "harness.interface.report.sections.walk.MOST_ROWS", 12
    )  # chains of 40 and 600 layers do not fit
    shown = opened(write_report(harness.load(pages / "results" / "depth"), tmp_path / "page.html"))
    shown.page.click("#w-next")
    assert shown.text("#w-where") in ("(1) at layer 4", "(1) at layer 1")
    shown.choose(w_depth=600)
    assert "not on this page" in shown.text("#w-note")


def test_formats_end_at_the_layers_of_the_table(opened, tables):
    shown = opened("depth")
    shown.choose(w_activation="sigmoid", w_init="xavier_normal", w_depth=600)
    key = shown.page.locator("#w-draw").input_value()
    (network,) = tables["depth"]["networks"].query(f"network == '{key}'").to_dict("records")
    for place, name in enumerate(("float16", "bfloat16", "float32", "float64"), start=1):
        first = int(network[f"zero_from_layer_{name}"])
        for layer, zero in ((first + 1, False), (first, True)):
            shown.slide("#w-at", 2 * (600 - layer) + 1)
            assert (shown.text(f"#w-formats tr:nth-child({place}) td") == "reads 0") is zero, (name, layer)


# Decades at which a number loses digits, and at which it reads 0: half of the smallest subnormal number.
ENDS = {
    name: (math.log10(float(np.finfo(name).tiny)), math.log10(float(np.finfo(name).smallest_subnormal)) - math.log10(2))
    for name in ("float16", "float32", "float64")
}
ENDS["bfloat16"] = (ENDS["float32"][0], ENDS["float32"][0] - math.log10(2**8))  # float32's exponents, 8 bits


def test_the_bars_of_the_formats_end_where_the_formats_do(opened):
    """Decades are read off the ticks of the chart's own axis, to a hundredth."""
    shown = opened("depth", device_scale_factor=2)
    shown.choose(w_activation="sigmoid", w_init="xavier_normal", w_depth=600)
    shown.page.check("input[name=w-y][value=linear]")
    read = "all => all.map(e => [e.textContent, +e.getAttribute('transform').split(/[,)]/)[1]])"
    labels = shown.page.locator("#w-chart .axis:nth-of-type(3) .tick").evaluate_all(read)
    ticks = {0.0 if text == "1" else float(text[2:].translate(SUPERSCRIPTS)): y for text, y in labels}
    slope, at_one = np.polyfit(list(ticks), list(ticks.values()), 1)
    bottom = "all => all.map(e => +e.getAttribute('y') + +e.getAttribute('height'))"
    full = shown.page.locator("#w-chart rect[style*='--full']").evaluate_all(bottom)
    part = shown.page.locator("#w-chart rect[style*='w-hatch']").evaluate_all(bottom)
    for place, name in enumerate(("float16", "bfloat16", "float32", "float64")):
        drawn = [(bottoms[place] - at_one) / slope for bottoms in (full, part)]
        assert drawn == pytest.approx(ENDS[name], abs=0.01), name


def test_a_dead_network_never_shows_a_finite_total(opened, tables):
    shown = opened("dead")
    networks = tables["dead"]["networks"]
    dead = networks[networks["dead_from_layer"].notna() & (networks["depth"] == 30)]
    shown.choose(w_width=2, w_depth=30)
    keys = set(dead["network"]) & {
        option.get_attribute("value") for option in shown.page.locator("#w-draw option").all()
    }
    assert keys
    for key in keys:
        shown.page.select_option("#w-draw", key)
        shown.page.wait_for_timeout(60)
        shown.page.click("#w-last")
        assert shown.text("#w-ledger .total td.n") == "−∞"
        assert shown.text("#w-eq li:nth-child(2) .val b") == "0"


def test_the_pointer_the_slider_and_the_table_agree(opened, tables):
    shown = opened("depth")
    chart = shown.page.locator("#l-chart svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    shown.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    layer = int(re.fullmatch(r"layer (\d+) of 600", shown.text("#l-layer"))[1])
    assert 1 < layer < 600
    rows = shown.page.locator("#l-values tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.innerText.trim()))"
    )
    measured = tables["depth"]["layers"].query("depth == 600").astype({"network": str})
    for (name, *cells), init in zip(rows[2:], ("he_normal", "xavier_normal"), strict=True):
        assert name == f"sigmoid, {init}"
        own = measured.query(f"activation == 'sigmoid' and init == '{init}'").set_index("network")
        here, top = own[own["layer"] == layer], own[own["layer"] == 600]
        low, median, high = np.quantile(here[DELTA] - top[DELTA], [0.25, 0.5, 0.75])
        assert low < median - 2 * SHOWN < median + 2 * SHOWN < high
        assert [decades_of(text) for text in cells[2].split(" to ")] == pytest.approx([low, high], abs=0.006)
        assert decades_of(cells[1]) == pytest.approx(median, abs=0.006)
        shares = ("log10_grad_weights", "log10_activation_factor", "log10_weight_factor")
        medians = [median, *here[[DELTA, *shares]].median()]
        assert [log10_of(cells[place]) for place in (0, 3, 4, 5, 6)] == pytest.approx(medians, abs=SHOWN)
    shown.page.focus("#l-at")
    shown.page.keyboard.press("End")
    assert shown.text("#l-layer") == "layer 1 of 600"


CHAIN_AT_LAYER_7 = """(() => {
  const [{ chains }] = data.settings.filter(({ key }) => key.includes('sigmoid') && key.includes(40));
  const valuesOf = (chain) => Object.keys(OF_CHAIN).map((name) => [name, OF_CHAIN[name](chain, 7)]);
  return chainOf(chains[0]).then((chain) => [chains[0].network, valuesOf(chain)]);
})()"""


def test_the_line_of_a_draw_has_the_measures_of_the_table(opened, tables):
    shown = opened("depth")
    key, values = shown.page.evaluate(CHAIN_AT_LAYER_7)
    own = tables["depth"]["layers"].query(f"network == '{key}'").set_index("layer")
    own = own.assign(log10_relative=own[DELTA] - own[DELTA][40])
    assert {name for name, _ in values} == set(MEASURES) & set(own) - {"dead_fraction"}
    for name, value in values:
        assert value == pytest.approx(own[name][7], abs=2 * QUANTUM), name


def test_the_chart_over_depth_shows_the_median_and_theory(opened, tables):
    shown = opened("depth")
    networks = tables["depth"]["networks"].query("depth == 600 and activation == 'sigmoid' and init == 'he_normal'")
    row = next(
        row for row in shown.page.locator("#d-values tbody tr").all() if "sigmoid, he_normal" in row.inner_text()
    )
    cells = [cell.inner_text() for cell in row.locator("td").all()]
    assert decades_of(cells[1]) == pytest.approx(networks["log10_gradient_gain"].median(), abs=0.006)
    theory = networks["predicted_slope_per_layer"].median() * 599
    assert decades_of(cells[3]) == pytest.approx(theory, abs=0.006)


def test_the_keyboard_reaches_every_part(opened):
    page = opened("depth").page
    reached = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"theme", "size", "l-measure", "l-at", "d-at", "w-next", "w-at", "w-draw", "n-activation", "save"} <= reached


def test_the_table_sorts_filters_and_gives_a_line_that_runs(opened, pages, tables):
    """Attenuations are sorted as numbers, in a table where some values are null."""
    shown = opened("depth")
    shown.page.select_option("#n-activation", "sigmoid")
    shown.page.get_by_role("button", name="attenuation: Activate to sort").click()
    wait(shown.page, "document.querySelector('#n-table tbody tr').innerText.includes('600')", shown.complaints)
    shown.page.locator("[data-copy]").first.click()
    line = shown.text("#n-line")
    key = re.search(r'build\("([^"]+)"\)', line)[1]
    gains = tables["depth"]["networks"].query("activation == 'sigmoid'").set_index("network")["log10_gradient_gain"]
    assert gains[key] == gains.min() < gains.max()
    code = f"{line}\nprint(net.spec.depth, net.weights[1].shape)"
    done = subprocess.run([sys.executable, "-c", code], cwd=pages, env=environment(), text=True, capture_output=True)
    assert (done.stdout, done.stderr) == ("600 (8, 8)\n", "")


def test_without_scripts_the_answer_and_the_config_remain(opened):
    shown = opened("depth", java_script_enabled=False)
    text = shown.text("body")
    assert "Over 600 layers" in text and "Slope of the gradient" in text and "replicates: 4" in text
    assert not shown.page.locator("#walk").is_visible()


def test_a_page_of_some_layers_says_so_and_has_no_walk(opened):
    shown = opened("some_layers")
    assert "Recorded: 5 of 50 layers." in shown.text("#l-caption")
    assert not shown.page.locator("#walk").is_visible()
    assert "Walk a gradient" not in shown.text("nav") and "Depth" in shown.text("nav")
    single = opened("single")
    assert "Walk a gradient" in single.text("nav") and "Depth" not in single.text("nav")


def test_hostile_texts_make_no_element(opened, written):
    evil = "</script><img src=x onerror=alert(1)><!--{{7*7}}"

    def plant(folder: Path) -> None:
        (folder / "claims.json").write_text(json.dumps({"question": evil, "answer": evil, "claims": [claim(evil)]}))
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["environment"]["system"] = evil
        (folder / "manifest.json").write_text(json.dumps(manifest))

    page = written("single", plant)
    shown = opened(page)
    assert shown.page.locator("img").count() == 0
    assert shown.text("h1") == evil
    assert shown.complaints == []


def test_hostile_names_make_no_element(opened, pages, tmp_path, monkeypatch):
    """Names, statuses and reasons of failures, as a stranger's folder may have them."""
    evil = "<img src=x onerror=alert(1)>\"'</script>"
    results = harness.load(pages / "results" / "depth")
    texts = ("activation", "init", "status", "regime")
    named = results.networks.assign(**{name: results.networks[name].astype(str) + evil for name in texts})
    monkeypatch.setattr(Results, "networks", named)
    monkeypatch.setattr(Results, "_plotted_networks", named)
    monkeypatch.setattr(Results, "manifest", results.manifest | {"failed": [{"block": evil, "why": evil}]})
    shown = opened(write_report(harness.load(results.path), tmp_path / "page.html"))
    assert shown.page.locator("img").count() == 0
    assert shown.complaints == []
    for place in ("#claims table", "p.warn:visible", "#l-activations", "#l-values", "#d-values", "#w-axes", "#n-table"):
        assert evil in shown.text(place), place


def claim(text: str) -> dict:
    case = {"where": text, "grade": "fails", "estimate": 1, "low": 1, "high": 1, "at_least": 2, "at_most": "inf"}
    texts = dict.fromkeys(("name", "sentence", "statistic", "interval"), text)
    return texts | {"grade": "fails", "cases": [case | {"draws": 1, "note": text}]}


@pytest.mark.parametrize("name", ["depth", "dead"])
def test_a_printed_page_holds_charts_and_no_controls(opened, name):
    shown = opened(name)
    assert shown.page.pdf(format="A4").startswith(b"%PDF")
    shown.page.emulate_media(media="print")
    shown.page.set_viewport_size({"width": 718, "height": 1046})  # A4 less 1 cm on each side, at 96 pixels an inch
    assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert shown.page.locator("#l-chart svg").is_visible()
    assert shown.page.locator(":is(button, select, input):visible").count() == 0


COLOURS = """(() => {
  const { backgroundColor, color, fontSize } = getComputedStyle(document.body);
  return [backgroundColor, color, fontSize];
})()"""
LIGHT, DARK = ["rgb(255, 255, 255)", "rgb(22, 24, 29)", "16px"], ["rgb(16, 19, 24)", "rgb(236, 239, 244)", "16px"]


@pytest.mark.parametrize(("scheme", "choice", "seen"), [
    ("light", "", LIGHT), ("dark", "", DARK), ("light", "dark", DARK), ("dark", "light", LIGHT),
])  # fmt: skip
def test_the_reader_chooses_the_scheme_over_the_system_and_paper_is_white(opened, scheme, choice, seen):
    page = opened("single", color_scheme=scheme).page
    page.select_option("#theme", choice)
    assert page.evaluate(COLOURS) == seen
    page.select_option("#size", "large")
    page.emulate_media(media="print")
    assert page.evaluate(COLOURS) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)", "12px"]
