"""What surrounds a sweep and must not decide about it: files, settings, names. docs/reliability.md has the table."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import HARNESS, ROOT, SLOW, TINY, ended, environment, files, forked, good, run, said, start, within
from disturbed import FOUR_BLOCKS, assert_one_line, cases, with_code
from faults import blocks_done, contents

import harness
from harness.base.errors import ConfigError

# The current folder's files -------------------------------------------------------------------------------------------

PLANTED = """
with open({log!r}, "a") as log:
    log.write(__name__ + "\\n")
raise SystemExit(f"{{__name__}} of the current folder was imported")
"""
COMMAND = """
import sys
sys.path.insert(0, {root!r})
from harness.interface.commands import main

if __name__ == "__main__":
    main()
"""
SCRIPT = """
import sys
sys.path.insert(0, {root!r})
import harness

if __name__ == "__main__":
    harness.sweep("four.yaml", out="r", workers=2)
"""
IMPORTED = """
import multiprocessing.spawn, multiprocessing.resource_tracker, sys
import harness.execution.dispatch, harness.results.tables, harness.study.sweep
names = {name.partition(".")[0] for name in sys.modules} & sys.stdlib_module_names
print(*sorted(names - set(sys.builtin_module_names) - {"__main__", "site"}))
"""


def plant(folder: Path) -> Path:
    """A file for each module of the standard library that a worker imports; the log of those that were imported."""
    names = subprocess.check_output([sys.executable, "-c", IMPORTED], env=environment(), text=True).split()
    assert {"signal", "pickle", "struct", "threading", "json"} <= set(names)
    log = folder / "imported.log"
    for name in names:
        (folder / f"{name}.py").write_text(PLANTED.format(log=str(log)))
    return log


@pytest.mark.slow
@pytest.mark.parametrize("how", cases(["command", "script", "isolated script"], "command"))
def test_workers_import_no_file_of_the_current_folder(tmp_path, plain, how):
    (tmp_path / "bin").mkdir()
    (tmp_path / "cwd").mkdir()
    log = plant(tmp_path / "cwd")
    shutil.copy(plain / "four.yaml", tmp_path / "cwd")
    script = tmp_path / "bin/script.py"
    script.write_text((COMMAND if how == "command" else SCRIPT).format(root=str(ROOT)))
    options = ["-I"] if how == "isolated script" else []
    arguments = ["sweep", "four.yaml", "--out", "r", "--workers", "2"] if how == "command" else []
    done = subprocess.run(
        [sys.executable, *options, script, *arguments],
        cwd=tmp_path / "cwd",
        env=environment(PYTHONPATH=None),
        text=True,
        capture_output=True,
    )
    assert not log.exists(), log.read_text()
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "cwd/r") == contents(plain / "four")


# What matplotlib finds ------------------------------------------------------------------------------------------------

BACKENDS = {
    "notebook": "module://matplotlib_inline.backend_inline",
    "stale": "Qt4Agg",
    "nonsense": "nonsense",
    "a window": "TkAgg",
}


SETTINGS = {
    "not UTF-8": b"font.size: 20 # \xff\n",
    "wrong": b"backend: x\nfont.size: y\n",
    "usetex": b"text.usetex: True\n",
}


@pytest.mark.parametrize("name", cases([*BACKENDS, *SETTINGS], "nonsense", "not UTF-8"))
def test_matplotlibs_surroundings_change_no_figure(tmp_path, plain, name):
    changes = {"MPLBACKEND": BACKENDS.get(name)}
    if name not in BACKENDS:
        (tmp_path / "matplotlibrc").write_bytes(SETTINGS[name])
        changes["MATPLOTLIBRC"] = str(tmp_path / "matplotlibrc")
    good(run("sweep", plain / "drawn.yaml", "--out", "r", cwd=tmp_path, **changes))
    good(run("plot", "r", cwd=tmp_path, **changes))
    assert contents(tmp_path / "r") == contents(plain / "drawn")


FAILS = """
import harness.figures.depth.gradient_profile as figure

def fails(*_):
    raise ZeroDivisionError("a mistake of ours")

figure.prepare = fails
"""


def test_a_figure_that_fails_is_named_and_the_others_are_drawn(tmp_path, plain):
    changes = with_code(tmp_path, FAILS)
    done = run("sweep", plain / "drawn.yaml", "--out", "r", cwd=tmp_path, **changes)
    assert done.returncode == 1
    assert "gradient_profile" in done.stderr and "ZeroDivisionError: a mistake of ours" in done.stderr
    assert "tables: r/layers" in done.stdout  # the summary is there all the same
    expected = {name: kept for name, kept in contents(plain / "drawn").items() if "gradient_profile" not in name}
    assert contents(tmp_path / "r") == expected


def test_a_figure_that_cannot_be_written_is_named_and_the_others_are_drawn(tmp_path, plain):
    shutil.copytree(plain / "four", tmp_path / "r")
    (tmp_path / "r/figures/gradient_profile.png").mkdir(parents=True)
    figures = "figures=[gradient_profile, dead_units]"
    done = run("sweep", plain / "four.yaml", "--set", figures, "--out", "r", cwd=tmp_path)
    assert done.returncode == 1 and "gradient_profile" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "r/figures/dead_units.png").is_file()


# Python without docstrings --------------------------------------------------------------------------------------------

QUESTION = 'SENTENCE = "ReLU loses less than sigmoid."\nFIGURES = ()\n'
ASKED = (
    ("--help",),
    *((name, "--help") for name in ("sweep", "verify", "diff", "measure")),
    ("schema",),
    ("new", "another"),
    ("list",),
    ("list", "--json"),
    ("sweep", "configs/mine.yaml", "--out", "q"),
    ("show", "q"),
)


def answers(folder: Path, **changes: str) -> tuple[list, dict[str, bytes]]:
    """What a process that imports everything once answers to ASKED in a folder with one question, and the files."""
    for name, text in (("configs", TINY.replace("figures: []", "experiment: mine")), ("experiments", QUESTION)):
        (folder / name).mkdir(parents=True)
        (folder / name / ("mine.yaml" if name == "configs" else "mine.py")).write_text(text)
    lines = "\n".join(json.dumps([command, str(folder), {}]) for command in ASKED)
    command = [sys.executable, ROOT / "tests/forked.py"]
    done = subprocess.run(command, env=environment(**changes), input=lines, text=True, capture_output=True, check=True)
    said = done.stdout.replace(str(folder), "HERE").splitlines()
    return [json.loads(line) for line in said], {n: c for n, c in contents(folder).items() if not n.startswith("q/")}


@pytest.mark.slow
@pytest.mark.parametrize("level", cases(["1", "2"], "2"))
def test_python_without_docstrings_says_and_computes_the_same(tmp_path, plain, level):
    good(run("sweep", plain / "four.yaml", "--out", "r", "--workers", 2, cwd=tmp_path, PYTHONOPTIMIZE=level))
    assert contents(tmp_path / "r") == contents(plain / "four")
    (said, written), (usual, expected) = answers(tmp_path / "a", PYTHONOPTIMIZE=level), answers(tmp_path / "b")
    assert [code for code, *_ in usual] == [0] * len(ASKED)
    for command, one, other in zip(ASKED, said, usual, strict=True):
        assert one == other, command
    assert written == expected and "experiments/another.py" in written


# Names and kinds of files ---------------------------------------------------------------------------------------------

BYTES = os.fsdecode(b"out\xff")


def test_a_results_folder_whose_name_is_no_text_is_refused_before_anything_is_computed(tmp_path, plain):
    done = run("sweep", plain / "four.yaml", "--out", BYTES, cwd=tmp_path)
    assert_one_line(done, 2, "--out")
    assert [*tmp_path.iterdir()] == []
    shutil.copytree(plain / "four", tmp_path / BYTES)
    assert_one_line(run("show", BYTES, cwd=tmp_path), 2, "name")


def test_a_current_folder_whose_name_is_no_text_is_refused_or_does_not_matter(tmp_path, plain):
    (tmp_path / BYTES).mkdir()
    done = run("sweep", plain / "four.yaml", "--out", "r", cwd=tmp_path / BYTES)
    if done.returncode:
        assert_one_line(done, 2, "name")
    else:
        assert contents(tmp_path / BYTES / "r") == contents(plain / "four")


def test_a_config_in_a_folder_whose_name_is_no_text_is_swept(tmp_path, plain):
    (tmp_path / BYTES).mkdir()
    shutil.copy(plain / "four.yaml", tmp_path / BYTES / "c.yaml")
    good(run("sweep", f"{BYTES}/c.yaml", "--out", "r", cwd=tmp_path))
    good(run("show", "r", cwd=tmp_path))
    assert contents(tmp_path / "r") == contents(plain / "four")


NAMES = ["größe", "日本", "with space", "quo'te", 'dou"ble', "a%20b", "a#b?c", "*"]


@pytest.mark.slow
@pytest.mark.parametrize("name", cases(NAMES, "größe", 'dou"ble'))
@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=["", "C"])
def test_names_of_folders_that_are_unusual_are_swept(tmp_path, plain, name, locale):
    (tmp_path / name).mkdir()
    shutil.copy(plain / "four.yaml", tmp_path / name / "c.yaml")
    command = ("sweep", f"{name}/c.yaml", "--out", f"{name}/r", "--set", "figures=[dead_units]")
    good(run(*command, cwd=tmp_path, **locale))
    for reading in (("show", f"{name}/r"), ("diff", f"{name}/r", f"{name}/r")):
        good(run(*reading, cwd=tmp_path, **locale))
    parts = {file: kept for file, kept in contents(plain / "four").items() if file.endswith(".parquet")}
    assert parts.items() <= contents(tmp_path / name / "r").items()
    assert (tmp_path / name / "r/figures/dead_units.png").is_file()


@pytest.mark.parametrize("place", ["c.yaml", "rows.npy", "rows.csv", "experiments/mine.py", "r/config.yaml"])
def test_a_pipe_in_place_of_a_file_is_refused(tmp_path, plain, place):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "configs").mkdir()
    text = TINY
    if place.startswith("rows"):
        text = TINY.replace("{batch: 4}", f"{{batch: 4, inputs: ../{place}}}")
    if place.startswith("experiments"):
        text = TINY.replace("figures: []", "experiment: mine")
    (tmp_path / "configs/c.yaml").write_text(text)
    if place.startswith("r/"):
        shutil.copytree(plain / "four", tmp_path / "r")
        (tmp_path / place).unlink()
    os.mkfifo(tmp_path / place)
    config = "c.yaml" if place == "c.yaml" else "configs/c.yaml"
    process = start("sweep", config, "--out", "r", cwd=tmp_path)
    assert_one_line(ended(process, 20), 2, "r: " if place.startswith("r/") else Path(place).name)
    if place.startswith("r/"):
        assert_one_line(ended(start("show", "r", cwd=tmp_path), 20), 2)


@pytest.mark.parametrize("workers", [np.int64(1), np.int32(2), np.uint8(1)])
def test_a_number_of_workers_may_be_numpys(tmp_path, plain, workers):
    harness.sweep(plain / "four.yaml", out=tmp_path / "r", workers=workers)
    assert contents(tmp_path / "r") == contents(plain / "four")


@pytest.mark.parametrize("workers", [True, np.bool_(True), 1.0, np.float64(2), "2", np.int64(0), None])
def test_what_is_no_number_of_workers_is_refused(tmp_path, plain, workers):
    with pytest.raises(ConfigError, match="is not a number of workers"):
        harness.sweep(plain / "four.yaml", out=tmp_path / "r", workers=workers)


@pytest.mark.parametrize("name", ["checkout", "with space", "quo'te", 'dou"ble', "größe", "$HOME", "a;b", "(a)"])
def test_make_sweeps_a_config_and_a_checkout_of_any_name(tmp_path, name):
    """With a stand-in for what `make` would install, which says what it was called with."""
    checkout = tmp_path / name
    (checkout / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", checkout)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    shutil.copytree(ROOT / "requirements", checkout / "requirements")
    (checkout / ".venv/bin/python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (checkout / ".venv/bin/python").chmod(0o755)
    for folder in ("configs", "harness/config", "harness/networks"):
        (checkout / folder).mkdir(parents=True)
    for path in checkout.rglob("*"):
        os.utime(path, (0, 0))
    later = time.time() - 100  # than all other files; make warns of times to come
    for stamp in (".made", ".runtime", ".project", ".test"):
        (checkout / ".venv" / stamp).touch()
        os.utime(checkout / ".venv" / stamp, (later, later))
        later += 1
    config = "configs/my file's.yaml"
    done = subprocess.run(
        ["make", "--no-print-directory", "-s", "sweep", f"CONFIG={config}", "ARGS=--replicates 2"],
        cwd=checkout,
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["-P", "-m", "harness", "sweep", config, "--replicates", "2"]


# What held and must go on holding -------------------------------------------------------------------------------------


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _small_stack() -> None:
    resource.setrlimit(resource.RLIMIT_STACK, (512 * 1024, 512 * 1024))


def _closed(*descriptors: int):
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


HOSTILE = """
import numpy, pandas
numpy.seterr(all="raise")
numpy.set_printoptions(precision=2)
pandas.set_option("display.max_rows", 2, "display.precision", 1)
"""
CLOCK = """
import random, time
real = time.time
time.time = lambda: real() + random.choice((-1e9, 1e9, 0))
real_ns = time.time_ns
time.time_ns = lambda: real_ns() + random.choice((-10**18, 10**18, 0))
"""
HELD = {
    "64 descriptors": {"preexec": _few_descriptors},
    "a small stack": {"preexec": _small_stack},
    "no home": {"changes": {"HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere", "MPLCONFIGDIR": None}},
    "no folder for temporary files": {"changes": {"TMPDIR": "/nowhere", "TEMP": "/nowhere", "TMP": "/nowhere"}},
    "no standard input": {"preexec": _closed(0)},
    "no standard output": {"preexec": _closed(1), "out": ""},
    "no standard error": {"preexec": _closed(2)},
    "no stream": {"preexec": _closed(0, 1, 2), "out": ""},
    "-P": {"options": ["-P"]},
    "-W error": {"options": ["-W", "error"]},
    "-X dev": {"options": ["-X", "dev"], "stderr": True},
    "hash seed": {"changes": {"PYTHONHASHSEED": "123"}},
    "numpy and pandas set otherwise": {"code": HOSTILE},
    "a clock that jumps": {"code": CLOCK},
    "a rc file": {"changes": {"PYTHONSTARTUP": "/nowhere.py", "PYTHONBREAKPOINT": "0"}},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", cases(HELD, "64 descriptors", "no stream", "-W error", "numpy and pandas set otherwise")
)
def test_what_held_goes_on_holding(tmp_path, plain, name):
    case = HELD[name]
    changes = case.get("changes", {}) | (with_code(tmp_path, case["code"]) if "code" in case else {})
    command = [sys.executable, *case.get("options", []), "-m", "harness", "sweep", str(plain / "drawn.yaml")]
    done = subprocess.run(
        [*command, "--out", "r", "--set", "network.width=[8, 9]", "--workers", "2"],
        cwd=tmp_path,
        env=environment(**changes),
        capture_output=True,
        text=True,
        preexec_fn=case.get("preexec"),
    )
    assert done.returncode == 0, done.stderr
    assert case.get("stderr") or said(done) == ""
    if "out" not in case:
        assert "tables: r/layers" in done.stdout
    good(forked("sweep", plain / "drawn.yaml", "--set", "network.width=[8, 9]", "--out", "expected", cwd=tmp_path))
    assert contents(tmp_path / "r") == contents(tmp_path / "expected")


@pytest.mark.slow
@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_a_read_only_place_for_temporary_files_does_not_matter(tmp_path, plain, place):
    made = ["unshare", "-m", "bash", "-c", f'mount -t tmpfs -o ro tmpfs {place} && exec "$@"', "-"]
    if subprocess.run([*made, "true"], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here (unshare -m)")
    home = Path("/var/tmp") / f"harness-{os.getpid()}"
    home.mkdir()
    try:
        (home / "c.yaml").write_text(FOUR_BLOCKS)
        command = [*made, *HARNESS, "sweep", "c.yaml", "--out", "r", "--workers", "2"]
        code = environment() if place != "/tmp" or not str(ROOT).startswith("/tmp") else None
        if code is None:
            pytest.skip("the code itself lies there")
        done = subprocess.run(command, cwd=home, env=code, text=True, capture_output=True)
        assert (done.returncode, said(done)) == (0, "")
        assert contents(home / "r") == contents(plain / "four")
    finally:
        shutil.rmtree(home)


def test_times_and_links_of_files_do_not_matter(tmp_path, plain):
    """Files of 1970 and of 2100; hard links, as a backup makes them; a results folder behind a link of the user's."""
    shutil.copytree(plain / "four", tmp_path / "a")
    for number, path in enumerate(sorted((tmp_path / "a").rglob("*"))):
        os.utime(path, ((0, 0), (4e9, 4e9))[number % 2])
    subprocess.run(["cp", "-al", tmp_path / "a", tmp_path / "backup"], check=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    before = files(tmp_path / "backup")
    for out in ("a", "link"):
        good(forked("sweep", plain / "four.yaml", "--replicates", 3, "--out", out, cwd=tmp_path))
    good(forked("sweep", plain / "four.yaml", "--replicates", 3, "--out", "whole", cwd=tmp_path))
    assert len(harness.load(tmp_path / "a").networks) == len(harness.load(tmp_path / "whole").networks)
    kept = {name: content for name, (_, _, content) in files(tmp_path / "backup").items() if name != ".lock"}
    assert kept == {name: content for name, (_, _, content) in before.items() if name != ".lock"}


@pytest.mark.slow
def test_140_parts_are_read_with_64_descriptors(tmp_path):
    text = TINY.replace("width: 8", f"width: {list(range(2, 72))}").replace("[]", "[gradient_profile]")
    (tmp_path / "c.yaml").write_text(text)
    good(run("sweep", "c.yaml", "--out", "r", "--workers", 1, cwd=tmp_path))
    assert blocks_done(tmp_path / "r") == 70
    for command in (("show", "r"), ("plot", "r"), ("sweep", "c.yaml", "--out", "r")):
        done = subprocess.run(
            [*HARNESS, *command],
            cwd=tmp_path,
            env=environment(),
            text=True,
            capture_output=True,
            preexec_fn=_few_descriptors,
        )
        assert (done.returncode, said(done)) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("whom", cases(["worker", "group"], "group"))
def test_processes_that_are_stopped_for_a_while_go_on(tmp_path, slow, whom):
    (tmp_path / "slow.yaml").write_text(SLOW)
    process = start("sweep", "slow.yaml", "--out", "r", "--workers", 2, cwd=tmp_path)
    assert within(60, lambda: blocks_done(tmp_path / "r"))
    listed = subprocess.run(["ps", "-ww", "-A", "-o", "pgid=,pid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    workers = [int(pid) for pgid, pid, args in rows if pgid == str(process.pid) and "spawn_main" in args]
    stop = (lambda number: os.kill(workers[0], number)) if whom == "worker" else (lambda n: os.killpg(process.pid, n))
    stop(signal.SIGSTOP)
    time.sleep(2)
    stop(signal.SIGCONT)
    good(ended(process))
    assert contents(tmp_path / "r") == slow
