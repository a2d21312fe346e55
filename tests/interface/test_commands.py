"""The `harness` command as a user runs it: in a process and a folder of its own.

Tests of what a command prints and writes fork that process from one that has imported everything.
"""

import json
import os
import pty
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from command import (
    HARNESS,
    ROOT,
    SLOW,
    TINY,
    alive,
    end_all,
    ended,
    environment,
    files,
    forked,
    good,
    part_files,
    run,
    start,
    within,
)

import harness
from harness import config
from harness.base.errors import ResultsError
from harness.engine.measures import MEASURES
from harness.execution.dispatch import Progress
from harness.figures import FIGURES
from harness.interface.terminal import _Lines, line_of
from harness.networks.activations import ACTIVATIONS
from harness.networks.inits import INITS

COMMANDS = ["sweep", "show", "plot", "diff", "list", "schema"]
KEYS = {"layers": ["network", "layer"], "networks": ["network"]}


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A folder in which the tiny config was swept, with one figure, and the finished command."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "tiny.yaml").write_text(TINY.replace("[]", "[gradient_profile]"))
    return folder, run("sweep", "tiny.yaml", cwd=folder)


@pytest.fixture
def folder(swept, tmp_path) -> Path:
    """A copy of that folder inside another one, so that a test sees what is written beside it."""
    shutil.copytree(swept[0], tmp_path / "here")
    return tmp_path / "here"


def tables(path: Path) -> dict[str, pd.DataFrame]:
    """Both tables, their rows in the order of their keys."""
    results = harness.load(path)
    return {
        name: getattr(results, name).astype({"network": str}).sort_values(keys, ignore_index=True)
        for name, keys in KEYS.items()
    }


def assert_same_tables(a: Path, b: Path) -> None:
    for name, frame in tables(a).items():
        pd.testing.assert_frame_equal(frame, tables(b)[name], check_exact=True, check_categorical=False)


# A sweep, and the same again ----------------------------------------------------------------------------------------


def test_a_sweep_leaves_tables_figures_config_and_manifest(swept):
    folder, done = swept
    text = good(done)
    results = folder / "results" / "tiny"
    assert sorted(path.name for path in results.iterdir()) == [
        ".lock",
        "config.yaml",
        "figures",
        "layers",
        "manifest.json",
        "networks",
        "report.html",
    ]
    figures = {path.name for path in (results / "figures").iterdir()}
    assert figures == {"gradient_profile.png", "gradient_profile.svg"}
    assert len(pd.read_parquet(results / "networks")) == 2 * 2 * 2
    assert len(pd.read_parquet(results / "layers")) == 2 * (1 + 3) * 2
    for word in (
        "relu",
        "sigmoid",
        "he_normal",
        "decades a layer",
        "healthy 1–3",
        "Medians over 2 replicates",
        "tiny/layers",
        "results/tiny/config.yaml",
        "results/tiny/figures/gradient_profile.png",
    ):
        assert word in text


def test_the_manifest_says_what_was_run_and_with_what(swept):
    manifest = json.loads((swept[0] / "results/tiny/manifest.json").read_text())
    assert (manifest["name"], manifest["seed"], manifest["replicates"], manifest["networks"]) == ("tiny", 0, 2, 8)
    last = manifest["last_run"]
    assert (last["networks"], last["layers"], last["blocks"], last["workers"]) == (8, 16, 1, 1)
    assert 0 < last["seconds"] < 60
    assert (swept[0] / "results/tiny" / manifest["config_folder"]).resolve() == swept[0].resolve()
    made_with = manifest["environment"]
    assert made_with["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "scipy", "pandas", "pyarrow"} <= set(made_with["packages"])
    assert set(made_with["fingerprint"]) == {"versions", "blas", "cpu", "draws"}
    if (ROOT / ".git").exists():
        assert re.fullmatch("[0-9a-f]{40}", made_with["git"]["commit"])


def test_the_config_as_run_names_every_default_and_runs_the_same_sweep(folder):
    written = folder / "results/tiny/config.yaml"
    as_run = yaml.safe_load(written.read_text())
    assert as_run["network"]["weight_scale"] == 1.0
    assert as_run["network"]["activation"][0] == {"name": "relu", "at_zero": 1}
    assert (as_run["dtype"], as_run["cost"], as_run["thresholds"]) == (
        "float64",
        "squared",
        {"decades": 3.0, "saturated_below": 0.01},
    )
    shutil.copy(written, folder / "again.yaml")
    good(forked("sweep", "again.yaml", "--out", "again", cwd=folder))
    assert (folder / "again/config.yaml").read_bytes() == written.read_bytes()
    assert {name: kept[2] for name, kept in part_files(folder / "again").items()} == {
        name: kept[2] for name, kept in part_files(folder / "results/tiny").items()
    }


def test_a_second_run_computes_nothing_and_draws_again(folder):
    results = folder / "results/tiny"
    before, figure = part_files(results), (results / "figures/gradient_profile.png").read_bytes()
    for path in (results / "figures").iterdir():
        path.unlink()
    assert "relu" in good(forked("sweep", "tiny.yaml", cwd=folder))
    assert json.loads((results / "manifest.json").read_text())["last_run"]["networks"] == 0
    assert part_files(results) == before
    assert (results / "figures/gradient_profile.png").read_bytes() == figure


@pytest.mark.slow
def test_more_replicates_compute_only_the_new_ones_and_end_where_one_run_does(folder):
    results = folder / "results/tiny"
    before = part_files(results)
    more = forked("sweep", "tiny.yaml", "--replicates", 5, "--set", "figures=[gradient_profile]", cwd=folder)
    at_once = forked("sweep", "tiny.yaml", "--replicates", 5, "--out", "once", cwd=folder)
    assert "Medians over 5 replicates" in good(more)
    good(at_once)
    assert json.loads((results / "manifest.json").read_text())["last_run"]["networks"] == 3 * 4
    assert part_files(results).items() >= before.items()
    assert len(part_files(results)) == 2 * len(before)
    assert_same_tables(results, folder / "once")


def test_another_config_is_refused_by_its_differences_and_touches_nothing(folder):
    before = files(folder)
    fewer = forked("sweep", "tiny.yaml", "--replicates", 1, cwd=folder)
    change = ("--set", "network.width=16", "--set", "seed=7")
    other = forked("sweep", "tiny.yaml", "--replicates", 3, *change, cwd=folder)
    assert (fewer.returncode, fewer.stdout) == (2, "")
    assert fewer.stderr == (
        "results/tiny holds 2 replicates of each network, more than the 1 asked for, and removes none: ask for 2 or "
        "more; or start over with --fresh, or keep both with --out FOLDER\n"
    )
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr.splitlines()[1:-1] == ["  network.width: 8 -> 16", "  seed: 0 -> 7"]
    assert files(folder) == before


def test_fresh_starts_over_and_leaves_what_is_not_ours(folder):
    results = folder / "results/tiny"
    (results / "notes.txt").write_text("mine")
    for stale in ("claims.json", "figures/phase_diagram.png"):
        (results / stale).write_text("of the sweep before")
    before = part_files(results)
    good(forked("sweep", "tiny.yaml", "--fresh", "--set", "network.width=9", cwd=folder))
    assert not set(part_files(results)) & set(before)
    assert set(harness.load(results).networks["width"]) == {9}
    assert (results / "notes.txt").read_text() == "mine"
    assert not (results / "claims.json").exists()
    assert {path.name for path in (results / "figures").iterdir()} == {"gradient_profile.png", "gradient_profile.svg"}


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
@pytest.mark.parametrize("place", ["folder", "file"])
def test_a_place_that_holds_something_else_is_refused(tmp_path, fresh, place):
    (tmp_path / "tiny.yaml").write_text(TINY)
    out = tmp_path / "mine"
    if place == "file":
        out.write_text("mine")
    else:
        (out / "figures").mkdir(parents=True)
        (out / "config.yaml").write_text("mine")  # a name that others use too
        (out / "figures/mine.png").write_text("mine")
    before = files(tmp_path)
    done = forked("sweep", "tiny.yaml", "--out", out, *fresh, cwd=tmp_path)
    what = "a file, not a folder" if place == "file" else "not a results folder, and not empty"
    assert (done.returncode, done.stderr) == (2, f"{out}: {what}; choose another with --out\n")
    assert files(tmp_path) == before


def test_set_changes_the_config(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    change = ["--set", "network.depth=[2, 4]", "--set", "data.batch=5", "--set", "cost=linear"]
    good(forked("sweep", "tiny.yaml", *change, "--out", "b", cwd=tmp_path))
    as_run = yaml.safe_load((tmp_path / "b/config.yaml").read_text())
    assert (as_run["network"]["depth"], as_run["data"]["batch"], as_run["cost"]) == ([2, 4], 5, "linear")
    assert sorted(set(harness.load(tmp_path / "b").networks["depth"])) == [2, 4]
    assert not (tmp_path / "results").exists()


def test_every_wrong_set_is_told_at_once(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    change = ["--set", "nonsense", "--set", "network.widht=3", "--set", "network.depth=0", "--set", "seed=[1"]
    done = forked("sweep", "tiny.yaml", *change, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [
        "--set nonsense",
        "--set network.widht=3",
        "--set network.depth=0",
        "--set seed=[1",
    ]
    assert "did you mean 'width'?" in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "tiny.yaml"]


# Workers and plan ---------------------------------------------------------------------------------------------------

BLOCKS = """\
name: blocks
network: {activation: [relu, tanh], init: [orthogonal, normal], depth: [2, 40], width: [8, 64]}
data: {batch: 8}
replicates: 3
figures: []
"""


@pytest.mark.slow
def test_tables_do_not_depend_on_the_number_of_workers(tmp_path):
    (tmp_path / "blocks.yaml").write_text(BLOCKS)
    said = [
        good(command("sweep", "blocks.yaml", "--workers", n, "--out", f"w{n}", cwd=tmp_path))
        for n, command in ((1, forked), (2, run), (3, run))
    ]
    one, two, three = ({name: kept[2] for name, kept in part_files(tmp_path / f"w{n}").items()} for n in (1, 2, 3))
    assert len(one) == 2 * 4  # two families, two widths
    assert one == two == three
    assert json.loads((tmp_path / "w2/manifest.json").read_text())["last_run"]["workers"] == 2
    assert said[0].partition("tables:")[0] == said[1].partition("tables:")[0]


@pytest.mark.parametrize("workers", ["0", "-1", "1.5", "many", ""])
def test_a_number_of_workers_that_is_none_is_refused(tmp_path, workers):
    (tmp_path / "tiny.yaml").write_text(TINY)
    done = forked("sweep", "tiny.yaml", f"--workers={workers}", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{workers!r} is not a number of workers; use 1 or more, or auto" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == [tmp_path / "tiny.yaml"]


def test_a_dry_run_says_the_plan_and_writes_nothing(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/small.py").write_text('SENTENCE = "Small is enough."\nFIGURES = ("gradient_profile",)\n')
    (tmp_path / "configs/tiny.yaml").write_text(TINY.replace("figures: []", "experiment: small"))
    before = files(tmp_path)
    text = good(
        forked("sweep", "configs/tiny.yaml", "--dry-run", "--workers", 2, "--replicates", 200_000, cwd=tmp_path)
    )
    plan = dict(re.split(r":\s+", line) for line in text.splitlines())
    assert plan["results folder"] == "results/tiny"
    assert plan["networks"] == "800,000"
    assert plan["rows, one per layer"] == "1,600,000"
    assert plan["workers"] == "2"
    assert re.fullmatch(r"about [\d.e-]+ GB", plan["memory per worker"])
    assert re.fullmatch(r"about \d+ s", plan["time to compute"])
    assert files(tmp_path) == before


def test_a_dry_run_says_how_many_runs_are_trained_and_a_sweep_where_their_tables_are(tmp_path):
    block = (
        "training: {learning_rate: [0.1, 0.2], clip: [null, 1], steps: 5, batch: 4, split: {train: 8, validation: 4}}"
    )
    (tmp_path / "tiny.yaml").write_text(f"{TINY}\n{block}\n")
    text = good(forked("sweep", "tiny.yaml", "--dry-run", cwd=tmp_path))
    plan = dict(re.split(r":\s+", line) for line in text.splitlines())
    assert plan["training runs"] == f"{4 * int(plan['networks'])}, of 5 steps"
    told = good(forked("sweep", "tiny.yaml", "--out", "r", cwd=tmp_path))
    assert "tables: r/layers, r/networks, r/step_layers, r/steps    config: r/config.yaml" in told


# Looking at results -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_show_says_the_summary_again_of_the_networks_that_are_chosen(folder):
    conditions = ("depth == 3 and activation == 'sigmoid'", "depth =", "depth == 4", "deepness == 3", "depth")
    before = files(folder)
    everything = forked("show", "results/tiny", cwd=folder)
    chosen, *wrong = (forked("show", "results/tiny", "--where", where, cwd=folder) for where in conditions)
    assert "relu" in good(everything) and "sigmoid" in everything.stdout
    assert "sigmoid" in good(chosen) and "relu" not in chosen.stdout and "healthy 3" in chosen.stdout
    assert [(done.returncode, done.stdout) for done in wrong] == [(2, "")] * 4
    assert wrong[0].stderr.startswith("--where 'depth =': ")
    assert wrong[1].stderr.startswith("--where 'depth == 4': no networks; depth is 1, 3\n")
    assert wrong[2].stderr.startswith("--where 'deepness == 3': there is no column 'deepness'; if it is a value, quote")
    assert wrong[3].stderr.startswith("--where 'depth': not a condition; write for example ")
    assert all("Traceback" not in done.stderr and done.stderr.count("\n") == 1 for done in wrong)
    assert files(folder) == before


def test_plot_draws_again(folder):
    figures = folder / "results/tiny/figures"
    before = {path.name: path.read_bytes() for path in figures.iterdir()}
    shutil.rmtree(figures)
    text = good(forked("plot", "results/tiny", cwd=folder))
    assert sorted(text.split()) == [f"results/tiny/figures/gradient_profile.{kind}" for kind in ("png", "svg")]
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == before


@pytest.mark.slow
def test_diff_says_where_and_by_how_much(folder):
    a = folder / "results/tiny"
    results = harness.load(a)
    for name, change in (("near", 1e-12), ("far", 0.5)):
        shutil.copytree(a, folder / name)
        rewrite(folder / name, results, lambda layers: layers.assign(slope_mean=layers["slope_mean"] + change))  # noqa: B023
    shutil.copytree(a, folder / "short")
    rewrite(folder / "short", results, lambda layers: layers[layers["layer"] < 3])
    same, near, far, short = (forked("diff", a, b, cwd=folder) for b in (a, "near", "far", "short"))
    strict = forked("diff", a, "near", "--tolerance", 1e-14, cwd=folder)
    assert good(same) == "identical\n"
    assert good(near).splitlines()[-1] == "within tolerance"
    where = r"layers\.slope_mean: 16 rows differ, by at most 1e-12, at \w+-\d, layer \d: 0\.\d+ and 0\.\d+"
    assert re.match(where, near.stdout)
    assert (far.returncode, far.stderr, far.stdout.splitlines()[-1]) == (3, "", "differs")
    assert far.stdout.startswith("layers.slope_mean: 16 rows differ, by at most 0.5, at ")
    assert (strict.returncode, strict.stdout.splitlines()[-1]) == (3, "differs")
    assert (short.returncode, short.stdout.splitlines()[-1]) == (3, "differs")
    assert re.match(r"layers: 4 rows are in the first only, such as \w+-\d, layer 3\n", short.stdout)


def rewrite(folder: Path, results, change) -> None:
    """Replace `layers` of results by a changed table, in one part with a right checksum."""
    import pyarrow as pa

    from harness import config
    from harness.results import parts

    shutil.rmtree(folder / "layers")
    shutil.rmtree(folder / "networks")
    layers = change(results.layers.copy())
    parts.make_folders(folder)
    parts.commit(
        folder,
        "all-0000000-0000002",
        *(pa.Table.from_pandas(frame, preserve_index=False) for frame in (layers, results.networks)),
        {},
        config.digest(results.sweep),
    )


@pytest.mark.parametrize("command", ["show", "plot", "diff"])
def test_a_folder_without_results_is_refused(tmp_path, command):
    names = ["nothing", "nothing"] if command == "diff" else ["nothing"]
    done = forked(command, *names, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("nothing: no results here (no config.yaml); give the folder that `harness sweep` wrote\n")


def test_list_names_everything_there_is_with_a_line_each():
    text = good(forked("list", cwd=ROOT))
    rows = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ") and line.strip()}
    experiments = [path.stem for path in (ROOT / "experiments").glob("*.py")]
    assert experiments
    for name in (*ACTIVATIONS, *INITS, *MEASURES, *FIGURES, *experiments):
        assert len(rows[name].split()) > 1, name
    assert "leaky_relu (negative_slope: 0.01)" in text
    assert "cannot be read" not in text


def test_list_works_anywhere(tmp_path):
    text = good(forked("list", cwd=tmp_path))
    assert "relu" in text
    assert text.endswith(
        "None here: experiments are the files experiments/<name>.py of a checkout; run `harness list` in one.\n"
    )


def test_schema_is_that_of_the_configs(tmp_path):
    text = good(forked("schema", cwd=tmp_path))
    assert json.loads(text)["$schema"].startswith("https://json-schema.org/")
    assert json.loads(text) == config.json_schema()


# What cannot be used ------------------------------------------------------------------------------------------------

UNUSABLE = {
    "two problems": (
        "name: a\nnetwork: {activaton: relu, init: he_normal, depth: 2, width: 0}\n",
        [
            "bad.yaml:2:11: network.activaton: unknown key; did you mean 'activation'?",
            "bad.yaml:2:62: network.width: 0 is not a width; use 1 or more",
        ],
    ),
    "no such figure": (
        TINY.replace("[]", "[portrait]"),
        [
            "bad.yaml:5:11: figures[0]: there is no figure 'portrait'; use "
            + ", ".join([*FIGURES][:-1])
            + " or "
            + [*FIGURES][-1]
        ],
    ),
    "a name that leaves the folder": (
        TINY.replace("name: tiny", "name: ../tiny"),
        [
            "bad.yaml:1:7: name: '../tiny' is not a folder name; use up to 100 of A-Z a-z 0-9 . _ -, "
            "a letter or digit first"
        ],
    ),
    "no YAML": ("name: [", None),
    "missing": (None, ["bad.yaml: cannot be read: No such file or directory; give the path of a YAML file"]),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_config_that_cannot_be_used_ends_with_its_place_and_writes_nothing(tmp_path, name):
    text, lines = UNUSABLE[name]
    if text is not None:
        (tmp_path / "bad.yaml").write_text(text)
    before = files(tmp_path)
    done = forked("sweep", "bad.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines() == (lines or done.stderr.splitlines()[:1])
    assert files(tmp_path) == before
    assert not (tmp_path / "results").exists()


# Help ---------------------------------------------------------------------------------------------------------------

HEAVY = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "yaml")
HELP = """
import sys
from harness.interface.commands import main
try:
    main()
finally:
    print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_names_the_exit_codes_and_imports_nothing_heavy(tmp_path, command):
    script = HELP.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--help"],
        cwd=tmp_path,
        env=environment(),
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, "[]\n")
    text = " ".join(done.stdout.split())
    assert re.search(
        r"0 done, 1 a run failed .*, 2 a config, .*, 3 a comparison differs, or a claim or figure fails "
        r"\(diff, verify\), or a probe finds what --fail-on names, 130 interrupted",
        text,
    )
    assert "Usage: " in text


def test_an_option_that_does_not_exist_is_refused(tmp_path):
    done = forked("sweep", "tiny.yaml", "--depth", "3", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option: --depth" in done.stderr


def test_the_version_imports_nothing_heavy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HELP.format(heavy=HEAVY), "--version"],
        cwd=tmp_path,
        env=environment(),
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"harness {harness.__version__}\n", "[]\n")


@pytest.mark.alone
def test_help_answers_soon(tmp_path):
    def seconds() -> float:
        began = time.perf_counter()
        good(run("--help", cwd=tmp_path))
        return time.perf_counter() - began

    # 0.14 s where it was measured; ten times that would mean that something heavy is imported
    assert statistics.median(seconds() for _ in range(3)) < 1.4


# Surroundings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["schema", "list", "--help"])
def test_a_reader_that_ends_early_ends_nothing_badly(command):
    whole = [*HARNESS, command]
    script = 'set -o pipefail; "$@" | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "-", *whole], cwd=ROOT, env=environment(), text=True, capture_output=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "1" if command == "--help" else "0")  # help is printed by typer


def test_a_sweep_whose_output_nobody_reads_is_finished(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    script = '"$@" 2> err | true; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "-", *HARNESS, "sweep", "tiny.yaml"],
        cwd=tmp_path,
        env=environment(),
        text=True,
        capture_output=True,
    )
    assert (done.stdout, done.stderr, (tmp_path / "err").read_text()) == ("0\n", "", "")
    assert len(harness.load(tmp_path / "results/tiny").networks) == 8


SURROUNDINGS = {
    "dumb terminal, no home": {
        "TERM": "dumb",
        "HOME": None,
        "MPLCONFIGDIR": None,
        "XDG_CACHE_HOME": None,
        "XDG_CONFIG_HOME": None,
    },
    "no terminal, a home that is not there": {
        "TERM": None,
        "HOME": "/nowhere",
        "MPLCONFIGDIR": None,
        "XDG_CACHE_HOME": None,
    },
    "decimal comma": {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "LANGUAGE": "de"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "piped into head": {},
    "another host": {"USER": "somebody", "LOGNAME": "somebody"},
}


@pytest.fixture(scope="module")
def german(tmp_path_factory) -> dict[str, str]:
    """The variables that select a locale with a decimal comma, compiled for this test."""
    folder = tmp_path_factory.mktemp("locales")
    made = ["localedef", "-i", "de_DE", "-f", "UTF-8", folder / "de_DE.UTF-8"]
    if shutil.which("localedef") is None or subprocess.run(made, capture_output=True).returncode > 1:
        pytest.skip("no locale with a decimal comma can be made here (localedef)")
    return {"LOCPATH": str(folder)}


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_unusual_surroundings_change_no_result(swept, tmp_path, name, request):
    changes = SURROUNDINGS[name]
    if name == "decimal comma":
        changes = changes | request.getfixturevalue("german")
        comma = "import locale; locale.setlocale(locale.LC_ALL, ''); print(f'{0.5:n}')"
        assert subprocess.check_output([sys.executable, "-c", comma], env=environment(**changes)) == b"0,5\n"
    shutil.copy(swept[0] / "tiny.yaml", tmp_path)
    command = [*HARNESS, "sweep", "tiny.yaml", "--out", "here"]
    if name == "piped into head":
        command = ["bash", "-c", 'set -o pipefail; "$@" | head -1', "-", *command]
    if name == "another host":
        if subprocess.run(["unshare", "-u", "hostname", "elsewhere"], capture_output=True).returncode:
            pytest.skip("a host name of one's own is not permitted here (unshare -u)")
        command = ["unshare", "-u", "bash", "-c", 'hostname elsewhere && exec "$@"', "-", *command]
    done = subprocess.run(command, cwd=tmp_path, env=environment(**changes), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert name == "piped into head" or (b"relu" in done.stdout and b"+0.1" in done.stdout)
    expected = {name: kept[2] for name, kept in files(swept[0] / "results/tiny").items()}
    found = {name: kept[2] for name, kept in files(tmp_path / "here").items()}
    for file in ("manifest.json", ".lock"):
        found[file] = expected[file]
    assert found == expected


def test_a_plain_line_comes_every_ten_seconds_and_none_before(monkeypatch, capsys):
    times = iter((0.0, 1.0, 9.9, 10.0, 11.0, 19.9, 20.5, 30.4, 30.6))
    monkeypatch.setattr("harness.interface.terminal.time.monotonic", lambda: next(times))
    with _Lines() as report:
        for _ in range(8):
            report(Progress(networks=250, total_networks=1000, work=0.25))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "250 of 1,000 networks, 25 a second, 30 s left",
        "250 of 1,000 networks, 12 a second, 62 s left",
        "250 of 1,000 networks, 8 a second, 92 s left".replace("92 s", "2 min"),
    ]
    failing = Progress(networks=250, total_networks=1000, work=0.5, failed=1)
    assert line_of(failing, 10) == "250 of 1,000 networks, 1 blocks failed, 25 a second, 10 s left"


@pytest.mark.slow
def test_a_terminal_shows_a_bar_and_keeps_nothing_of_it(tmp_path):
    (tmp_path / "slow.yaml").write_text(SLOW)
    code, text = on_a_terminal("sweep", "slow.yaml", "--set", "network.width=[96, 97]", "--workers", "1", cwd=tmp_path)
    assert code == 0
    assert "━" in text and "of 16 networks" in text and "left" in text
    last = screen(text)
    assert last[0].startswith("What is left of the gradient")
    assert not any("━" in line or "of 16 networks" in line for line in last)
    assert any(line.split()[:2] == ["tanh", "orthogonal"] for line in last)
    assert "\x1b[?25h" in text.rpartition("\x1b[?25l")[2]  # the cursor is shown again


def on_a_terminal(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Run the command on a pseudo-terminal. Returns its exit code and all that the terminal received."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(sys.executable, [*HARNESS, *arguments], environment(TERM="xterm", COLUMNS="120", LINES="40"))
    received = b""
    while True:
        try:
            received += (more := os.read(terminal, 65536))
        except OSError:  # what Linux gives at the end
            break
        if not more:
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), received.decode()


def screen(text: str) -> list[str]:
    """The lines left on a terminal, after the control sequences that rich's bar uses."""
    lines, row = [""], 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif re.fullmatch(r"\x1b\[\d*A", piece):
            row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif not piece.startswith(("\x1b", "\r")):
            lines[row] += piece
    return [line for line in lines if line.strip()]


# Ctrl-C -------------------------------------------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.slow
def test_ctrl_c_keeps_finished_blocks_and_leaves_no_process(tmp_path):
    (tmp_path / "slow.yaml").write_text(SLOW)
    results = tmp_path / "results/slow"
    process = start("sweep", "slow.yaml", "--workers", 2, cwd=tmp_path)
    assert within(60, lambda: len(part_files(results)) >= 4), ended(process)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to driver and workers alike
    done = ended(process)
    assert time.monotonic() - began < 5
    assert (done.returncode, done.stdout) == (130, "")
    last = done.stderr.splitlines()[-1]  # after a line of progress every ten seconds, on a busy machine
    assert last == "interrupted; finished blocks are kept: run the same command again to go on"
    assert within(5, lambda: not alive(process.pid)), alive(process.pid)
    kept = part_files(results)
    assert 4 <= len(kept) and len(harness.load(results).networks) < 64

    good(run("sweep", "slow.yaml", "--workers", 2, cwd=tmp_path))
    assert part_files(results).items() >= {n: kept[n] for n in committed(kept, results)}.items()
    again = json.loads((results / "manifest.json").read_text())["last_run"]["networks"]
    assert 0 < again < 64 == len(harness.load(results).networks)
    assert [path.name for path in results.rglob("*.aside")] == []


def committed(kept: dict, results: Path) -> list[str]:
    blocks = {name.rpartition("-")[0].removeprefix("networks/") for name in kept if name.startswith("networks/")}
    return [name for name in kept if name.rpartition("-")[0].partition("/")[2] in blocks]


INTERRUPTED = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "harness.execution.driver":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
from harness.interface.commands import main
main()
"""


@pytest.mark.parametrize(("ignored", "code"), [(False, 130), (True, 0)])
def test_ctrl_c_while_all_is_still_being_imported(tmp_path, ignored, code):
    (tmp_path / "tiny.yaml").write_text(TINY)
    begin = signal.SIG_IGN if ignored else signal.default_int_handler  # a background job ignores Ctrl-C, and still does
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "sweep", "tiny.yaml"],
        cwd=tmp_path,
        env=environment(),
        text=True,
        capture_output=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, begin),
    )
    assert (done.returncode, done.stderr) == (code, "" if ignored else "interrupted\n")


@pytest.mark.slow
def test_workers_do_not_outlive_a_driver_that_is_killed(tmp_path):
    (tmp_path / "slow.yaml").write_text(SLOW)
    process = start("sweep", "slow.yaml", "--workers", 2, cwd=tmp_path)
    assert within(60, lambda: len([args for args in alive(process.pid) if "spawn_main" in args]) == 2)
    process.kill()
    process.wait()
    try:
        assert within(5, lambda: not alive(process.pid)), alive(process.pid)
    finally:
        end_all(process)


def test_plot_draws_what_is_asked_for_in_the_formats_asked_for(folder):
    done = forked("plot", "results/tiny", "--figure", "attenuation_against_depth", "--format", "pdf", cwd=folder)
    assert good(done) == "results/tiny/figures/attenuation_against_depth.pdf\n"
    good(forked("plot", "results/tiny", cwd=folder))  # of the figures that the config names
    figures = {path.name for path in (folder / "results/tiny/figures").iterdir()}
    assert figures == {"gradient_profile.png", "gradient_profile.svg"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--width", "3 metres", "'3 metres' is not a width of 1.5 to 40 inches; write 3.3in, 84mm, 8.4cm or 240pt"),
        ("--width", "1mm", "'1mm' is not a width of 1.5 to 40 inches; write 3.3in, 84mm, 8.4cm or 240pt"),
        ("--format", "gif", "'gif' is not a format; use png, svg, pdf"),
        ("--colour", "relu", "'relu' is not of the form relu=navy"),
    ],
)
def test_plot_refuses_what_it_cannot_draw(folder, option, value, message):
    done = forked("plot", "results/tiny", option, value, cwd=folder)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_a_figure_in_python_has_the_width_that_is_asked_for(folder):
    results = harness.load(folder / "results/tiny")
    assert results.figure("gradient_profile", width=5).get_figwidth() == 5
    with pytest.raises(
        ResultsError, match=r"^.*: figure phase_diagram is not drawn: needs more than one weight scale$"
    ):
        results.figure("phase_diagram")


def test_json_holds_what_the_tables_hold(folder):
    shown = json.loads(good(forked("show", "results/tiny", "--json", cwd=folder)))
    assert (shown["name"], shown["question"]) == ("tiny", "The sweep tiny")
    assert [row["activation"] for row in shown["tables"][0]["rows"]] == ["relu", "sigmoid"]
    listed = json.loads(good(forked("list", "--json", cwd=folder)))
    (figures,) = (table for table in listed if table["title"].startswith("Figures"))
    assert [row["name"] for row in figures["rows"]] == [*FIGURES]
    words = ("--activation", "relu", "--init", "he_normal", "--width", "50", "--depth", "20")
    predicted, *_ = json.loads(good(forked("predict", *words, "--json", cwd=folder)))
    assert predicted["rows"]
    same = json.loads(good(forked("diff", "results/tiny", "results/tiny", "--json", cwd=folder)))
    assert (same["verdict"], same["mismatches"]) == ("identical", [])


def test_watch_follows_a_sweep_until_it_ends(tmp_path):
    (tmp_path / "slow.yaml").write_text(SLOW)
    sweep = start("sweep", "slow.yaml", "--out", "r", "--workers", "1", "--no-report", cwd=tmp_path)
    within(30, lambda: list((tmp_path / "r/networks").glob("*.parquet")))
    watching = start("watch", "r", cwd=tmp_path)
    good(ended(sweep))
    lines = good(ended(watching)).splitlines()
    assert lines[-2:] == ["64 of 64 networks", "finished"]
    assert all(re.match(r"\d+ of 64 networks", line) for line in lines[:-1])


def test_watch_says_where_no_sweep_runs(folder):
    assert good(forked("watch", "results/tiny", cwd=folder)) == "8 of 8 networks\nfinished\n"
    for part in (folder / "results/tiny/networks").glob("*.parquet"):
        part.unlink()
    done = forked("watch", "results/tiny", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "0 of 8 networks\nno sweep runs here; run it again to go on\n")
