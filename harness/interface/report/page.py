"""The report page of a results folder: one HTML file that makes no request. The same results give the same bytes."""

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness.base.numbers import formatted, number
from harness.figures.ledger.sums import log10_slope_bound
from harness.interface.report.encoding import packed_json, plain
from harness.interface.report.sections import charts, network_table, remedies, training, walk
from harness.interface.report.sections.verdict_views import verdict_view
from harness.interface.report.settings import Settings, axes_of, depth_numbers, settings_of
from harness.results.files import write_text
from harness.results.folder import REPORT
from harness.results.tables import recorded
from harness.study import verdicts
from harness.study.results import Results

HERE = Path(__file__).parent
D3 = ("color", "interpolate", "array", "path", "format", "time", "time-format", "shape", "scale", "selection", "axis")
VENDOR = (*(f"d3-{name}.min.js" for name in D3), "dataTables.min.js")
SCRIPTS = (
    *("data", "words", "controls", "frame", "layers", "ledger", "depths", "walk_chart", "walk"),
    *("courses", "layers_trained", "training", "remedies", "networks", "main"),
)
STYLES = ("page", "claims", "charts", "remedies", "table", "media")
LICENCES = ("LICENSE-d3.txt", "LICENSE-d3-path.txt", "LICENSE-datatables.txt")


def write_report(results: Results, out: Path | None = None) -> Path:
    """Write the page of a results folder to `out`, by default report.html inside the folder. Returns its path."""
    path = results.path / REPORT if out is None else out
    write_text(path, render(results))
    return path


def render(results: Results) -> str:
    """The page of a results folder as HTML. No code of an experiment is run."""
    judged = results.verdicts()
    parts = _parts(results, settings_of(results.networks))
    scripts = [_in_script(text_of(f"vendor/{name}")) for name in VENDOR]
    scripts += [_in_script(text_of(f"scripts/{name}.js")) for name in SCRIPTS]
    style = Markup(
        text_of("vendor/dataTables.dataTables.min.css") + "".join(text_of(f"style/{name}.css") for name in STYLES)
    )
    return template("report.html.j2").render(
        policy=policy(scripts, style),
        style=style,
        scripts=scripts,
        blobs=parts.blobs,
        licences=[text_of(f"vendor/{name}") for name in LICENCES],
        question=results.question(),
        answer=results.answer(),
        claims=[verdict_view(verdict) for verdict in judged],
        counted=verdicts.counted(judged),
        sweep=results.sweep,
        manifest=results.manifest,
        config=(results.path / "config.yaml").read_text(encoding="utf-8"),
        networks=len(results.networks),
        tables=results.summary(),
        training=parts.training,
        remedies=parts.remedies,
    )


def policy(scripts: Sequence[str], style: str) -> str:
    """The page's Content-Security-Policy: nothing is loaded, and only these scripts and this style are obeyed."""
    allowed = " ".join(map(_hash, scripts)) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def own_style() -> Markup:
    """The style of the pages."""
    return Markup("".join(text_of(f"style/{name}.css") for name in STYLES))


@dataclass(frozen=True)
class _Parts:
    """What depends on the tables. `blobs` are what the scripts draw; the sections are None where they do not apply."""

    blobs: dict[str, str]
    training: training.Training | None
    remedies: remedies.Remedies | None


def _parts(results: Results, settings: Settings) -> _Parts:
    """The small part, `data`, which is decoded at once, and columns that are decoded when they are first looked at."""
    sweep = results.sweep
    layers = {depth: recorded(depth, sweep.record_layers) for depth in set(settings.depths)}
    drawn = charts.drawn_layers(settings, layers)
    whole = sweep.record_layers is None
    chains = walk.walks(results.rows, settings) if whole else walk.Walks([], "", 0, 0)
    numbers = depth_numbers(settings)
    helped = remedies.remedies(settings, numbers, results.rows, drawn)
    trained = training.training(results, settings, drawn)
    data = {
        "name": sweep.name,
        "axes": axes_of(settings),
        "measures": [{"name": name, "words": words} for name, words in charts.MEASURES.items()],
        "settings": numbers,
        "settingsOfSweep": settings.count,
        "layers": {str(depth): [int(layer) for layer in own] for depth, own in drawn.items()},
        "recorded": {str(depth): len(own) for depth, own in sorted(layers.items())},
        "bounds": {name: _bound(name) for name in map(str, settings.frame["activation"].unique())},
        "walks": {key: value for key, value in asdict(chains).items() if key != "chains"},
        "remedies": helped and asdict(helped),
    }
    packed = {
        "data": packed_json(data),
        "profiles": charts.profiles(results.rows, settings, drawn),
        "chains": chains.chains,
        "table": packed_json(network_table.network_table(results.networks, settings)),
    }
    return _Parts(packed | ({"courses": trained.packed} if trained else {}), trained, helped)


def _bound(activation: str) -> float | str | None:
    """log10 of the largest slope of an activation, by its label; None where it is not known."""
    return plain(float(log10_slope_bound(activation)))


def template(name: str) -> jinja2.Template:
    """A template of this folder."""
    return _templates().get_template(name)


@cache
def _templates() -> jinja2.Environment:
    """Templates in which every value is escaped, and an unknown name is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda count: formatted(count, ",")
    environment.filters["decades"] = lambda value: number(math.nan if value is None else float(value), "+.2f")
    environment.filters["percent"] = lambda share: number(100 * share, ".1f", " %")
    return environment


@cache
def text_of(name: str) -> str:
    """A file of this folder."""
    return (HERE / name).read_text(encoding="utf-8")


def _in_script(text: str) -> Markup:
    """A script as it may stand in HTML. Raises ValueError where a text in it would end the element."""
    if "<!--" in text or "</script" in text.lower():
        raise ValueError("a script that ends its own element")
    return Markup(text)


def _hash(text: str) -> str:
    digest = hashlib.sha256(str(text).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
