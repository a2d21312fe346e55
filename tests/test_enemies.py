"""Malicious configs, questions and data: they are refused soon, run no code, reach nothing, and are shown as text."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from command import HARNESS, TINY, environment, files, forked, good, measured, run

import harness
from harness import config
from harness.base.errors import ConfigError, HarnessError
from harness.execution import driver
from harness.execution.dispatch import Resources
from harness.networks import data
from harness.networks.coordinates import PRODUCT_ORDER
from harness.study.sweep import prepare

GOOD = "name: t\nnetwork: {activation: relu, init: he_normal, depth: 8, width: 16}\n"
LARGE = "; use less, or give --allow-large"
STEPS = "{from: 1, to: 1e4, steps: 1e4}"
TOO_MUCH = "larger than 256 kB; a sweep is a few lines, data have their own file"


def laughs() -> str:
    """Ten aliases of ten aliases of …, which would be 10^9 words if they were expanded."""
    lines = ["a0: &a0 [" + ", ".join(["lol"] * 10) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 10)]
    return "\n".join(lines) + "\n"


ENEMIES = {
    "anchors that explode": (laughs().encode(), "2:10: a1[0]: aliases (*a0) are not read; write the value out"),
    "a merge that explodes": (
        b"a: &a {b: 1}\nnetwork:\n  <<: *a\n",
        "3:7: network.'<<': aliases (*a) are not read; write the value out",
    ),
    "an alias of itself": (b"network: &n [*n]\n", "1:14: network[0]: aliases (*n) are not read; write the value out"),
    "a Python tag": (
        b"name: !!python/object/apply:os.system [touch ran]\n",
        "1:7: name: tags (!!python/object/apply:os.system) are not read; remove it",
    ),
    "a tag of its own": (b"name: t\nnetwork: !x {}\n", "2:10: network: tags (!x) are not read; remove it"),
    "100,000-deep lists": (b"a: " + b"[" * 100_000, "1:36: a: nested more than 32 deep"),
    "100,000-deep mappings": (b"a: " + b"{a: " * 60_000, "1:132: a: nested more than 32 deep"),
    "100,000-deep blocks": (b"- " * 100_000, "1:67: [0]: nested more than 32 deep"),
    "a 100 MB file": (100 * 2**20, "1:1: " + TOO_MUCH),
    "a 100 MB line": (GOOD.encode() + b"# " + b"x" * 100 * 2**20, "1:1: " + TOO_MUCH),
    "a long word": (
        GOOD.replace(" t", " " + "x" * 250_000, 1).encode(),
        f"1:7: name: '{'x' * 57}...' is not a folder name; use up to 100 of A-Z a-z 0-9 . _ -, a letter or digit first",
    ),
    "250,000 digits": (
        GOOD.encode() + b"seed: " + b"9" * 250_000 + b"\n",
        "3:7: seed: .inf is too large for a seed; use 9223372036854775807 or less",
    ),
    "30,000 keys": (
        b"".join(b"%d:\n" % i for i in range(30_000)),
        "5000:6: 4999: more than 10000 values; write a range, or split the sweep",
    ),
    "a binary": (
        b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 100,
        "2:118: byte 0x80 is not UTF-8; save the file as UTF-8",
    ),
    "a pickle": (b"\x80\x04\x95\x00.", "1:1: byte 0x80 is not UTF-8; save the file as UTF-8"),
    "NUL": (b"name: a\x00b\n", "1:8: character U+0000 is not text; remove it"),
    "UTF-16": (GOOD.encode("utf-16"), "1:1: encoded in UTF-16 or UTF-32; save it as UTF-8"),
    "UTF-32": (GOOD.encode("utf-32"), "1:1: encoded in UTF-16 or UTF-32; save it as UTF-8"),
    "latin-1": ("name: größe\n".encode("latin-1"), "1:9: byte 0xf6 is not UTF-8; save the file as UTF-8"),
    "10^9 networks": (
        GOOD.replace("8", STEPS).encode() + b"replicates: 100000\n",
        f"2:10: network: up to 1,000,000,000 networks, more than 10,000,000{LARGE}",
    ),
    "10^12 networks": (
        GOOD.replace("8", STEPS).replace("16", STEPS).encode() + b"replicates: 10000\n",
        f"2:10: network: up to 1,000,000,000,000 networks, more than 10,000,000{LARGE}",
    ),
    "width 10^6": (GOOD.replace("16", "1000000").encode(), f"2:63: network.width: 1000000 is more than 100000{LARGE}"),
    "depth 10^8": (
        GOOD.replace("8", "100000000").encode(),
        f"2:53: network.depth: 100000000 is more than 1000000{LARGE}",
    ),
    "batch 10^9": (
        GOOD.encode() + b"data: {batch: 1e9}\n",
        f"3:15: data.batch: 1000000000 is more than 1000000{LARGE}",
    ),
    "10^7 values": (
        GOOD.replace("8", "[" + "{from: 1, to: 1e4, steps: 1e4}, " * 1000 + "]").encode(),
        f"2:10: network: the axes hold {10**7 + len(PRODUCT_ORDER) - 1:,} values, more than 50,000{LARGE}",
    ),
}


# The command in one process after another, each forked from one that has made the imports, and no more than those.
FORKED = """
import json, os, resource, sys
import harness.interface.commands, harness.config

resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
imports = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps(imports.ru_utime + imports.ru_stime), flush=True)
for folder in sys.argv[1:]:
    if not os.fork():
        os.chdir(folder)
        said = os.open(folder + ".said", os.O_CREAT | os.O_WRONLY)
        os.dup2(said, 1), os.dup2(said, 2)
        sys.argv = ["harness", "sweep", "c.yaml"]
        sys.exit(harness.interface.commands.main())
    _, status, used = os.wait4(-1, 0)
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(json.dumps([os.waitstatus_to_exitcode(status), seconds, megabytes]), flush=True)
"""


@dataclass(frozen=True)
class Refused:
    code: int
    seconds: float  # of a processor, imports counted
    imports: float  # of these
    megabytes: float  # at its largest, by the kernel's count
    said: str
    left: list[str]  # names in its folder


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> dict[str, Refused]:
    """The result of each config."""
    folders = {name: tmp_path_factory.mktemp("enemy") for name in ENEMIES}
    for name, folder in folders.items():
        content = ENEMIES[name][0]
        with (folder / "c.yaml").open("wb") as file:
            file.truncate(content) if isinstance(content, int) else file.write(content)
    done = subprocess.run(
        [sys.executable, "-c", FORKED, *folders.values()],
        env=environment(),
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=300,
    )
    imports, *used = map(json.loads, done.stdout.splitlines())
    return {
        name: Refused(
            code,
            imports + seconds,
            imports,
            megabytes,
            Path(f"{folder}.said").read_text(),
            [path.name for path in folder.iterdir()],
        )
        for (name, folder), (code, seconds, megabytes) in zip(folders.items(), used, strict=True)
    }


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("name", ENEMIES)
def test_an_enemys_config_is_refused_within_a_second_and_200_mb(refused, name):
    """The command, with its processor time and peak memory as the kernel counts them, imports included."""
    found = refused[name]
    assert (found.code, found.said, found.left) == (2, f"c.yaml:{ENEMIES[name][1]}\n", ["c.yaml"])
    assert found.seconds < max(
        2, 2 * found.imports
    )  # 0.75 s of imports where it was measured, and more on a busy machine
    assert found.megabytes < 200


def test_those_who_mean_it_can_have_an_absurd_sweep(tmp_path):
    (tmp_path / "c.yaml").write_text(GOOD.replace("8", "2000000"))
    with pytest.raises(ConfigError, match="is more than 1000000; use less, or give --allow-large"):
        config.read_file(tmp_path / "c.yaml")
    assert config.count(config.read_file(tmp_path / "c.yaml", allow_large=True)) == 1


# Names --------------------------------------------------------------------------------------------------------------

NAMES = [
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/tmp/x",
    "\\\\server\\x",
    "C:\\x",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "\x1b[31m",
    "~",
    "~/x",
    "$HOME",
    "`id`",
    "-rf",
    " x",
    "x ",
    ".hidden",
    "x.",
    "CON",
    "con",
    "nul.txt",
    "COM1",
    "lpt9.yaml",
    "x" * 101,
    "x" * 10_000,
    "é",
    "ａ",
    "a\u202eb",
    "x:y",
    "x*y",
    "x|y",
    None,
    3,
    True,
    1e3,
    [],
    ["x"],
    {"a": 1},
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_could_leave_the_results_folder_is_refused_and_nothing_is_written(tmp_path, monkeypatch, name):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    given = {"name": name, "network": {"activation": "relu", "init": "he_normal", "depth": 1, "width": 2}}
    with pytest.raises(ConfigError) as refused:
        harness.sweep(given)
    (problem,) = refused.value.problems
    assert problem.startswith("name: ") and problem.isprintable() and len(problem) < 250
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


@pytest.mark.parametrize("key", ["experiment", "figures"])
@pytest.mark.parametrize("value", ["../evil", "/tmp/evil", "a/b", "..", "", "os.system", "x\0", "$x$", "x" * 101])
def test_a_question_or_figure_is_a_plain_word(key, value):
    given = {
        "name": "x",
        "network": {"activation": "relu", "init": "he_normal", "depth": 1, "width": 2},
        key: [value] if key == "figures" else value,
    }
    with pytest.raises(ConfigError, match=rf"{key}(\[0\])?: .* is not a name; use letters, digits and _"):
        config.from_mapping(given)


# Code ---------------------------------------------------------------------------------------------------------------

RUNS = 'SENTENCE = "A sentence."\nimport pathlib\npathlib.Path(__file__).with_name("ran").touch()\nFIGURES = ()\n'


@pytest.mark.parametrize(
    "network",
    [
        {"activation": "os.system"},
        {"activation": "numpy.tanh"},
        {"activation": "__import__('os').system('touch ran')"},
        {"activation": {"name": "relu", "at_zero": "__import__('os').system('touch ran')"}},
        {"init": "eval"},
        {"init": {"name": "normal", "sigma_w": "exec('1')"}},
        {"depth": "1 + 1"},
        {"width": "${HOME}"},
    ],
)
def test_names_come_from_tables_and_expressions_are_not_evaluated(tmp_path, monkeypatch, network):
    monkeypatch.chdir(tmp_path)
    usual = {"activation": "relu", "init": "he_normal", "depth": 1, "width": 2}
    with pytest.raises(ConfigError):
        harness.sweep({"name": "x", "network": usual | network})
    assert list(tmp_path.iterdir()) == []


def checkout(folder: Path, text: str = RUNS) -> Path:
    """A checkout with a config that names a question; returns the config's path."""
    for name in ("configs", "experiments"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "experiments/mine.py").write_text(text)
    (folder / "configs/mine.yaml").write_text(TINY.replace("figures: []", "experiment: mine"))
    return folder / "configs/mine.yaml"


@pytest.mark.slow
def test_a_questions_file_is_run_in_the_users_own_checkout_and_its_path_is_printed(tmp_path):
    said = good(forked("sweep", checkout(tmp_path), cwd=tmp_path))
    assert said.startswith(f"{tmp_path}/experiments/mine.py: A sentence.\n")
    assert (tmp_path / "experiments/ran").exists()
    (tmp_path / "experiments/ran").unlink()
    for command in ("show", "plot"):  # who reads results runs nobody's file
        good(forked(command, "results/tiny", cwd=tmp_path))
    assert not (tmp_path / "experiments/ran").exists()


def test_a_questions_file_of_another_checkout_is_not_run(tmp_path, monkeypatch):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    checkout(theirs)
    mine.mkdir()
    monkeypatch.chdir(mine)
    with pytest.raises(ConfigError) as refused:
        harness.sweep(theirs / "configs/mine.yaml")
    path = theirs / "experiments/mine.py"
    said = f"experiment: {path} is code of another checkout, and is not run; to run it, cd {theirs}; "
    said = f"{theirs}/configs/mine.yaml:5:13: {said}to sweep without it, --set experiment=null"
    assert str(refused.value) == said
    monkeypatch.chdir(theirs / "configs")
    (theirs / "experiments/mine.py").unlink()
    (mine / "experiments").mkdir()
    (mine / "experiments/mine.py").write_text(RUNS)
    (theirs / "experiments/mine.py").symlink_to(mine / "experiments/mine.py")
    with pytest.raises(ConfigError, match=r"is a link to .* and is not run; copy the file"):
        harness.sweep("mine.yaml")
    monkeypatch.chdir(tmp_path)
    (mine / "mine.yaml").write_text(TINY.replace("figures: []", "experiment: mine"))  # a config beside experiments/
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.py").write_text(RUNS)  # and one beside its folder, as in /tmp
    (mine / "experiments/mine.py").rename(mine / "experiments/other.py")
    with pytest.raises(ConfigError, match=re.escape(f"there is no {mine}/experiments/mine.py")):
        harness.sweep("mine/mine.yaml")
    assert not list(tmp_path.rglob("ran"))


def test_a_config_without_its_question_says_where_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(TINY.replace("figures: []", "experiment: mine"))
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "min.py").touch()
    path = tmp_path / "experiments/mine.py"
    with pytest.raises(ConfigError) as refused:
        harness.sweep("mine.yaml")
    said = f"there is no {path}; did you mean 'min'?; to sweep without it, --set experiment=null"
    assert str(refused.value) == f"mine.yaml:5:13: experiment: {said}"


def test_outside_of_a_checkout_a_sweep_runs_without_its_question_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(TINY.replace("figures: []", "experiment: mine\nfigures: []"))
    said = f"mine.yaml:5:13: experiment: there are no questions in {tmp_path / 'experiments'}; the sweep runs without"
    with pytest.warns(UserWarning, match=re.escape(said)):
        results = harness.sweep("mine.yaml")
    assert results.verdicts() == []


def test_a_questions_file_that_fails_is_said_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"experiments/mine\.py: ZeroDivisionError: .*; correct the question's file"):
        harness.sweep(checkout(tmp_path, "1 / 0\n"))


# Text ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_questions_sentence_reaches_the_terminal_as_text(tmp_path):
    """Escapes that would colour, retitle or clear a terminal, and markup that rich would read."""
    sentence = "\\x1b[31mred\\x1b]0;title\\x07 $\\\\frac{1}{0}$ [bold]b[/bold] \\u202e:smile: " + "x" * 5000
    said = good(forked("sweep", checkout(tmp_path, f'SENTENCE = "{sentence}"\nFIGURES = ()\n'), cwd=tmp_path))
    line = said.splitlines()[0]
    assert all(character.isprintable() for character in line)
    assert "red" in line and "[bold]b[/bold]" in line and ":smile:" in line and "$\\frac{1}{0}$" in line


# The network --------------------------------------------------------------------------------------------------------

WATCHED = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
                 "socket.gethostbyname", "socket.gethostbyaddr", "urllib.Request", "http.client.connect"):
        with open(os.environ["WATCHED"], "a") as file:
            print(event, arguments, file=file)
with open(os.environ["WATCHED"], "a") as file:
    print("watching", file=file)
sys.addaudithook(watch)
"""


@pytest.mark.slow
def test_a_sweep_opens_no_network_connection(tmp_path):
    """Python's audit events watch every process of a real sweep with workers, figures and summary."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCHED)
    (tmp_path / "c.yaml").write_text(TINY.replace("figures: []", "").replace("width: 8", "width: [8, 9]"))
    path = os.pathsep.join([str(tmp_path / "watch"), environment()["PYTHONPATH"]])
    good(run("sweep", "c.yaml", "--workers", 2, cwd=tmp_path, PYTHONPATH=path, WATCHED=str(tmp_path / "seen")))
    seen = (tmp_path / "seen").read_text().splitlines()
    assert [line for line in seen if line != "watching"] == []
    assert len(seen) >= 3  # the driver and both workers
    assert list((tmp_path / "results/tiny/figures").iterdir())


def test_the_watch_sees_a_connection(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCHED)
    script = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('127.0.0.1', 9))"
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        env=environment(PYTHONPATH=str(tmp_path), WATCHED=str(tmp_path / "seen")),
    )
    assert "socket.connect" in (tmp_path / "seen").read_text()


@pytest.mark.slow
def test_a_sweep_needs_no_network_at_all(tmp_path):
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("a process without a network is not permitted here (unshare -n)")
    (tmp_path / "c.yaml").write_text(TINY)
    done = subprocess.run(
        ["unshare", "-n", *HARNESS, "sweep", "c.yaml", "--workers", "2"],
        cwd=tmp_path,
        env=environment(),
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Data ---------------------------------------------------------------------------------------------------------------


def with_data(folder: Path) -> Path:
    np.save(folder / "rows.npy", np.random.default_rng(0).normal(size=(20, 4)))
    (folder / "c.yaml").write_text(
        TINY.replace("data: {batch: 4}", "data: {inputs: rows.npy, batch: 4}").replace("width: 8", "width: [8, 9]")
    )
    return folder / "c.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_data_file_that_changes_while_a_sweep_begins_ends_it_with_a_word(tmp_path, workers):
    """The file changes between reading the config and the first block. Blocks computed from the right file stay."""
    data._read_recorded.cache_clear()
    prepared = prepare(with_data(tmp_path), out=tmp_path / "r").prepared
    before = (tmp_path / "rows.npy").read_bytes()
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).normal(size=(20, 4)))
    with pytest.raises(HarnessError) as refused:
        driver.execute(prepared, Resources(workers))
    assert str(refused.value) == f"{tmp_path}/rows.npy: changed since the sweep began; start again with --fresh"
    (tmp_path / "rows.npy").write_bytes(before)
    data._read_recorded.cache_clear()
    assert len(harness.sweep(tmp_path / "c.yaml", out=tmp_path / "r").networks) == 16


def test_a_data_file_that_changed_between_runs_is_refused_and_what_is_there_stays(tmp_path):
    harness.sweep(with_data(tmp_path), out=tmp_path / "r")
    before = files(tmp_path / "r")
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).normal(size=(20, 4)))
    with pytest.raises(HarnessError, match=r"data\.inputs_sha256: [0-9a-f]{64} -> [0-9a-f]{64}"):
        harness.sweep(tmp_path / "c.yaml", out=tmp_path / "r", replicates=3)
    assert files(tmp_path / "r") == before


def bombs(folder: Path) -> dict[str, str]:
    """Small files that would unpack to gigabytes, and the message about each."""
    import zipfile

    import pyarrow as pa
    from pyarrow import parquet

    (folder / "columns.csv").write_bytes(b"a," * 10_000_000 + b"b\n" + b"1," * 10_000_000 + b"1\n")
    (folder / "line.csv").write_bytes(b"a" * 200_000_000)
    word = pa.array(["x" * 20_000_000])
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(5000, np.int32)), word)
    parquet.write_table(pa.table({"a": words}), folder / "words.parquet", store_schema=False)
    runs = pa.table({"a": np.zeros(20_000_000, np.int8)})
    with parquet.ParquetWriter(folder / "runs.parquet", runs.schema) as writer:
        for _ in range(10):
            writer.write_table(runs)
    with zipfile.ZipFile(folder / "many.npz", "w") as archive:
        for i in range(2000):
            archive.writestr(f"{i}.npy", b"")
    return {
        "columns.csv": "the first line is longer than 4 MB; it names the columns",
        "line.csv": "the first line is longer than 4 MB; it names the columns",
        "words.parquet": "column 'a': string is not a number; if it holds the classes, write data: {labels: a}; "
        "else drop it",
        "runs.parquet": "1600 MB of data, more than 1000 MB; take fewer rows",
        "many.npz": "holds '0', '1', '10', '100', '1000', '1001', '1002', '1003'; "
        "name the two that are meant, data: {inputs_key: …, labels: …}, or save it as "
        "numpy.savez(…, inputs=…, labels=…); labels may be left out",
    }


@pytest.mark.slow
def test_a_small_file_that_would_take_gigabytes_is_refused_in_little_memory(tmp_path):
    """Each with the real command: pages of equal numbers, a dictionary of one long word, columns."""
    for name, message in bombs(tmp_path).items():
        (tmp_path / "c.yaml").write_text(TINY.replace("{batch: 4}", json.dumps({"inputs": name, "batch": 4})))
        done, _, megabytes = measured(*HARNESS, "sweep", "c.yaml", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, f"c.yaml:3:18: data.inputs: {name}: {message}\n")
        assert megabytes < 200, name
