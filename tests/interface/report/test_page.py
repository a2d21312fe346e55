"""The report page without a browser: its bytes, its size and what it may load; numbers as it packs them."""

import base64
import gzip
import hashlib
import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import TINY, forked
from report_pages import SWEEPS

import harness
from harness.interface.report import page
from harness.interface.report.encoding import QUANTUM, UNKNOWN, ZERO, packed_columns, plain
from harness.interface.report.sections import charts, walk
from harness.interface.report.sections.verdict_views import verdict_view
from harness.interface.report.settings import Settings, depth_numbers, settings_of
from harness.study.claims import BY_CONSTRUCTION, FAILS, HOLDS, REFUTED, UNDECIDED, JudgedCase, Verdict

# Files of the packages as npm serves them: d3-* of D3 7, datatables.net 3.1.5, datatables.net-dt 3.1.2.
VENDORED = {
    "LICENSE-d3-path.txt": "f5dff44740d51a1849b4d16b657eccf60577fb5d28d8ee46d33dcc780a11f94a",
    "LICENSE-d3.txt": "2a6d2d5f32ba0b755ddbc1c833f766e30cdbe6ebe9a6d4e3e24427721f0b63d3",
    "LICENSE-datatables.txt": "62b5fdd54371b4f6bd07a60dbc78b38814f49a8028213f540dc2733cad605382",
    "d3-array.min.js": "468f7b9ed38d6322083da4d5ae9fa57d47784f964f16dcff96e413d16cc8f9d9",
    "d3-axis.min.js": "3e2b821c13b93ccdb8f14e52494682ab94794cd2e29e3fc3fc56fac03b3478cd",
    "d3-color.min.js": "41ebabc615acf63e5af87a1d565f16c3ce73f00c1394772a624780f7c6c7244b",
    "d3-format.min.js": "1322666da5c4c006a4ea248d7f03afc861fbfb4b1692ee695e4192b76328dceb",
    "d3-interpolate.min.js": "09b66887d084b49bf14c93867522e366ce846bee53b9f632c1c3a5e2b00f891a",
    "d3-path.min.js": "36dda9df886369e3343fc53e4ec9e9d74250f8edaace324240f26ca15654c55e",
    "d3-scale.min.js": "d76988731b337e1fdd130912f4e8363b3d7895d83f0b7685c86d87ece50712e9",
    "d3-selection.min.js": "1dcd563b613b841dbe5a536df5289b0ac64c233a21bc1e954651cbe2a4809877",
    "d3-shape.min.js": "aff7509747a1df82e41e16fd70868bf029de6032f7d5ab211ad415599b2b15df",
    "d3-time-format.min.js": "93b3b6ff5438723409c6540ae7abe4ab975be11e7d3a78f0b7c0bf28491f7145",
    "d3-time.min.js": "0ca660b9dedd9ff16964146d792f2204927f8e72d6933a46199b41929cb539cc",
    "dataTables.dataTables.min.css": "156624d53bf9385a37f857fbc290361d4104d3536d30930fb86bce5cc0f19387",
    "dataTables.min.js": "38017a5586acd9c6eb6bbfe8b6938e1a25bdc717c5acfcb07e0c9d663282c59d",
}


def test_vendored_files_are_the_published_ones():
    folder = Path(page.__file__).parent / "vendor"
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == VENDORED


def test_scripts_and_styles_are_short_files():
    folder = Path(page.__file__).parent
    files = [*folder.glob("scripts/*.js"), *folder.glob("style/*.css"), *folder.glob("templates/*")]
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lengths) > 10
    assert {name: count for name, count in lengths.items() if count > 300} == {}


COLOURS = re.compile(r"--(\w+): light-dark\((#\w+), (#\w+)\);")
TEXTS = ("ink", "soft", "link", "accent", "good", "bad", "maybe", *(f"c{place}" for place in range(6)))


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, by WCAG 2.2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = np.array([int(digits[place : place + 2], 16) for place in (0, 2, 4)]) / 255
    return float(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_of_charts_have_the_contrast_that_axe_measures_of_html(scheme):
    """Texts in SVG stand on the page or on a card; 4.5 to 1 is level AA of WCAG 2.2."""
    colours = {name: pair[scheme] for name, *pair in COLOURS.findall(page.text_of("style/page.css"))}
    for text in TEXTS:
        for ground in ("bg", "card"):
            dark, light = sorted(luminance(colours[name]) for name in (text, ground))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_the_same_results_give_the_same_bytes(pages):
    results = harness.load(pages / "results" / "depth")
    assert page.render(results) == page.render(harness.load(pages / "results" / "depth"))
    assert page.render(results) == (pages / "results" / "depth" / "report.html").read_text()


def test_a_page_names_no_address_to_load_and_allows_none(pages):
    text = (pages / "results" / "depth" / "report.html").read_text()
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)', text)[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    markup = re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.S)
    assert re.findall(r'(?:src|srcset|href|action|poster)\s*=\s*"(?!#|data:)[^"]*', markup) == []
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.S))
    assert re.findall(r"@import|url\((?![\"']?data:)", styles) == []


def test_every_licence_is_in_the_page(pages):
    text = (pages / "results" / "depth" / "report.html").read_text()
    for said in ("Mike Bostock", "SpryMedia", "THE SOFTWARE IS PROVIDED"):
        assert said in text


def unpacked(text: str) -> np.ndarray:
    """Steps as the page's script reads them."""
    content = np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8)
    return content.reshape(4, -1).T.copy().view("<i4").ravel().astype(np.int64)


def test_sums_of_steps_stay_within_half_a_quantum():
    generator = np.random.default_rng(0)
    column = np.cumsum(generator.normal(-0.6, 0.3, 10_000))
    steps = unpacked(packed_columns([column]))
    assert np.abs(np.cumsum(steps) * QUANTUM - column).max() <= QUANTUM / 2 * (1 + 1e-6)


def test_zeros_and_unknown_values_have_codes_and_columns_start_anew():
    steps = unpacked(packed_columns([np.array([-1.0, -np.inf, np.nan, -1.5]), np.array([-2.0]), np.array([])]))
    assert steps.tolist() == [-10_000, ZERO, UNKNOWN, -5_000, -20_000]


def test_a_step_beyond_the_codes_is_refused():
    with pytest.raises(OverflowError, match=r"^a step of 300000 decades$"):
        packed_columns([np.array([3e5])])


def test_numbers_that_json_lacks_are_texts_or_null():
    assert [plain(value) for value in (np.nan, -np.inf, 1.23456789, np.int64(3), "relu")] == [
        None, "-inf", 1.234568, 3, "relu",
    ]  # fmt: skip


def settings(count: int, depth: int = 3) -> Settings:
    frame = pd.DataFrame({"setting": range(count), "depth": depth, "draws": 1})
    return Settings(("depth",), frame, frame, count)


@pytest.mark.parametrize(("count", "drawn"), [(1, 129), (254, 129), (1000, 32), (10_000, 9)])
def test_many_lines_are_drawn_through_fewer_layers(count, drawn):
    layers = charts.drawn_layers(settings(count, 1000), {1000: np.arange(1, 1001)})[1000]
    assert (len(layers), layers[0], layers[-1]) == (drawn, 1, 1000)


def test_a_short_line_has_all_its_layers():
    assert charts.drawn_layers(settings(1, 7), {7: np.arange(1, 8)})[7].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_draws_come_median_least_greatest_then_the_rest():
    assert walk._median_first(["a", "b", "c", "d", "e"]) == ["c", "a", "e", "b", "d"]
    assert walk._median_first(["a"]) == ["a"]


@pytest.mark.parametrize(
    ("depths", "counts", "draws"), [([100], [50], 50), ([1000, 500], [200, 200], 100), ([10**6], [5], 1)]
)
def test_as_many_draws_as_fit_are_walked(depths, counts, draws):
    assert walk._draws(depths, counts) == draws


def test_beyond_the_most_settings_evenly_spaced_ones_are_on_the_page(monkeypatch):
    monkeypatch.setattr("harness.interface.report.settings.MOST_SETTINGS", 3)
    networks = pd.DataFrame({name: 1.0 for name in ("weight_scale", "bias_scale", "width")}, index=range(10))
    networks = networks.assign(activation="relu", init="he_normal", depth=range(1, 11), replicate=0)
    networks = networks.assign(input_width=1.0, output_width=1.0, output="activation")
    found = settings_of(networks)
    assert found.depths == [1, 5, 10] or found.depths == [1, 6, 10]
    assert (found.count, len(found.networks)) == (10, 3)


def test_of_a_dead_network_nothing_is_left_also_where_its_attenuation_is_not_known(tables):
    networks = tables["dead"]["networks"]
    alive = networks["dead_from_layer"].isna()
    assert not alive.all()
    unknown = networks.assign(log10_gradient_gain=networks["log10_gradient_gain"].where(alive))
    assert depth_numbers(settings_of(unknown)) == depth_numbers(settings_of(networks))


def verdict(**changes) -> Verdict:
    case = {"where": "", "grade": HOLDS, "estimate": 0.0, "low": -1.0, "high": 1.0, "at_least": -2.0, "at_most": 2.0}
    return Verdict("c", "s", "t", "mean, t interval", HOLDS, (JudgedCase(**case | changes, draws=9),))


def test_a_case_is_placed_on_its_bound():
    strip = verdict_view(verdict()).strip
    assert (strip.band, strip.low, strip.at, strip.high) == ((13.24, 86.76), 31.62, 50.0, 68.38)
    assert [text for _, text in strip.bounds] == ["−2", "2"]


def test_a_bound_on_one_side_fills_its_half():
    strip = verdict_view(verdict(at_least=-np.inf)).strip
    assert (strip.band[0], [text for _, text in strip.bounds]) == (0.0, ["2"])


def test_every_grade_has_a_sign():
    grades = [HOLDS, BY_CONSTRUCTION, FAILS, REFUTED, UNDECIDED]
    signs = [verdict_view(replace(verdict(), grade=grade)).sign for grade in grades]
    assert signs == ["✓", "≡", "✗", "✗", "?"]


def test_a_case_without_an_estimate_has_no_line():
    assert verdict_view(verdict(estimate=np.nan, low=np.nan, high=np.nan)).strip is None


def test_an_index_page_links_to_the_page_of_each_sweep(pages):
    done = forked("report", "results", cwd=pages)
    assert (done.returncode, done.stdout) == (0, "results/index.html\n")
    text = (pages / "results" / "index.html").read_text()
    assert re.findall(r'<a href="([^"]+)"', text) == [f"{name}/report.html" for name in sorted(SWEEPS)]
    assert "Over 600 layers" in text


def test_a_sweep_names_its_page_and_no_report_leaves_it_out(tmp_path):
    (tmp_path / "one.yaml").write_text(TINY.replace("name: tiny", "name: one"))
    done = forked("sweep", "one.yaml", "--no-report", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0 and "report:" not in done.stdout
    assert not (tmp_path / "results/one/report.html").exists()
    assert "report: results/one/report.html" in forked("sweep", "one.yaml", "--workers", "1", cwd=tmp_path).stdout


def test_how_much_a_sweep_prints(tmp_path):
    """Results are on stdout, and what happened meanwhile on stderr."""
    (tmp_path / "one.yaml").write_text(TINY.replace("name: tiny", "name: one"))
    run = ("sweep", "one.yaml", "--workers", "1")
    loud, quiet = forked(*run, "-v", cwd=tmp_path), forked(*run, "--fresh", "-q", cwd=tmp_path)
    assert re.search(r"^ +[\d.]+ s  block \S+: \d+ networks, computed$", loud.stderr, re.M)
    assert "judged" in loud.stderr and "block" not in loud.stdout and "tables:" in loud.stdout
    assert quiet.stderr == "" and "output → input" in quiet.stdout and "tables:" not in quiet.stdout
    assert (tmp_path / "results/one/report.html").exists()
    glance = quiet.stdout[: quiet.stdout.index("blank: exactly 0.")]
    assert "output → input" in glance and forked("show", "results/one", cwd=tmp_path).stdout.startswith(glance)
    both = forked(*run, "-q", "-v", cwd=tmp_path)
    assert both.returncode == 2 and "not with --verbose" in both.stderr


@pytest.mark.parametrize(("out", "said"), [("no/page.html", "there is no folder"), ("results", "is a folder; give")])
def test_a_place_where_no_page_can_be_is_refused(pages, out, said):
    done = forked("report", "results/depth", "--out", out, cwd=pages)
    assert done.returncode == 2 and said in " ".join(done.stderr.replace("│", " ").split())
