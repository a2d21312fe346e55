"""Real damage that a sweep survives: kills at every step of writing a file, full and read-only disks, damaged parts,
lost manifests, two runs at once. docs/reliability.md has the counts."""

import fcntl
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import (
    HARNESS,
    ROOT,
    TINY,
    alive,
    blas_kernels,
    commands,
    end_all,
    ended,
    environment,
    files,
    forked,
    good,
    measured,
    part_files,
    run,
    start,
    within,
)
from typer.testing import CliRunner

import harness
from harness import config
from harness.base.errors import HarnessError, ResultsError
from harness.execution import dispatch, driver
from harness.execution.dispatch import Resources
from harness.interface.commands import app
from harness.results import parts
from harness.results.disk.lock import locked
from harness.results.environment import made_with
from harness.results.files import FAILPOINT_STEPS, FAILPOINT_VARIABLE
from harness.study.claims import JudgedCase, Verdict
from harness.study.sweep import prepare
from harness.study.verdicts import to_json

SOAK = os.environ.get("SOAK")  # set by `make soak`: more of everything
DRAWN = TINY.replace("[]", "[gradient_profile]")
SEVERAL = TINY.replace("width: 8", "width: [8, 9, 10, 11]").replace("[1, 3]", "[1, 40]")  # four blocks
ENDLESS = TINY.replace("[1, 3]", "100000").replace("width: 8", "width: 512")  # days of work: refused before or never


def kept(folder: Path) -> dict[str, bytes]:
    """Every file of a results folder, except those that describe the run, and the report, which a command writes."""
    found = {name: content for name, (_, _, content) in files(folder).items()}
    return {name: content for name, content in found.items() if name not in (".lock", "manifest.json", "report.html")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """A folder with the config, and results of two replicates in `two`, of two and then two more in `four`."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "c.yaml").write_text(SEVERAL)
    done = commands(
        ("sweep", "c.yaml", "--out", "two"),
        ("sweep", "c.yaml", "--out", "four"),
        ("sweep", "c.yaml", "--out", "four", "--replicates", 4),
        cwd=folder,
    )
    assert [(code, err) for code, _, err in done] == [(0, "")] * 3
    return folder


# SIGKILL at every step of writing a file ----------------------------------------------------------------------------

WRITTEN = ("config.yaml", "manifest.json", "layers", "networks")


def killed_and_run_again(points: list[str], command: tuple, cwd: Path, before: dict, after: dict) -> None:
    """Run the command with --out POINT, killed at each of the points, and then run it to its end.

    Killed, it leaves each file as it was before, or as it will be, and beside them what was written aside.
    """
    asked = [((*command, "--out", point), {FAILPOINT_VARIABLE: point}) for point in points]
    for point, killed in zip(points, commands(*asked, cwd=cwd), strict=True):
        assert (killed[0], killed[2]) == (-signal.SIGKILL, ""), point
        found = kept(cwd / point).items()
        torn = {name for name, content in found if content not in (before.get(name), after.get(name))}
        assert all(name.endswith(".aside") for name in torn), point
    for point, again in zip(points, commands(*((*command, "--out", point) for point in points), cwd=cwd), strict=True):
        assert (again[0], again[2]) == (0, ""), point
        assert kept(cwd / point) == after, point


@pytest.mark.parametrize("begun", [False, True], ids=["new", "resumed"])
def test_a_sweep_killed_at_any_step_of_any_file_goes_on_as_if_nothing_had_been(undisturbed, tmp_path, begun):
    """Kill a sweep at each step of writing each of its files, then run the same command again."""
    written = WRITTEN if begun else ("config.yaml", "layers")
    points = [f"{what}-{step}" for what in written for step in FAILPOINT_STEPS]
    points += [] if begun else ["layers-probed", "networks-probed"]
    for point in points if begun else ():
        shutil.copytree(undisturbed / "two", tmp_path / point)
    two, four = kept(undisturbed / "two"), kept(undisturbed / "four")
    command = ("sweep", undisturbed / "c.yaml", *(("--replicates", 4) if begun else ()))
    killed_and_run_again(points, command, tmp_path, *((two, four) if begun else ({}, two)))


def test_a_sweep_killed_in_the_middle_of_its_first_part_leaves_no_part_and_is_said_to_have_begun(tmp_path):
    (tmp_path / "c.yaml").write_text(TINY)
    kinds = ("layers", "networks")
    killed = [(("sweep", "c.yaml", "--out", kind), {FAILPOINT_VARIABLE: f"{kind}-half-written"}) for kind in kinds]
    assert [code for code, _, _ in commands(*killed, cwd=tmp_path)] == [-signal.SIGKILL] * 2
    for kind in kinds:
        assert parts.committed_blocks(tmp_path / kind, "") == ({}, [])
        assert [path.suffix for path in (tmp_path / kind / kind).iterdir()] == [".aside"]
        with pytest.raises(ResultsError) as refused:
            _ = harness.load(tmp_path / kind).networks
        begun = "a sweep was begun here and no block of it is finished; run it again to go on"
        assert str(refused.value) == f"{tmp_path / kind}: {begun}"


@pytest.mark.slow
def test_a_sweep_killed_while_a_figure_is_written_goes_on_as_if_nothing_had_been(tmp_path):
    (tmp_path / "c.yaml").write_text(DRAWN)
    points = [f"gradient_profile.png-{step}" for step in FAILPOINT_STEPS]
    good(forked("sweep", "c.yaml", "--out", "expected", cwd=tmp_path))
    killed_and_run_again(points, ("sweep", "c.yaml"), tmp_path, {}, kept(tmp_path / "expected"))


def test_what_a_killed_sweep_left_can_be_read(undisturbed, tmp_path):
    """Kill a sweep when its first new block is whole, or half written: only committed blocks are there."""
    shutil.copytree(undisturbed / "two", tmp_path / "a")
    shutil.copytree(undisturbed / "two", tmp_path / "b")
    command = ("sweep", undisturbed / "c.yaml", "--replicates", 4, "--out")
    done = commands(
        ((*command, "a"), {FAILPOINT_VARIABLE: "networks-renamed"}),
        ((*command, "b"), {FAILPOINT_VARIABLE: "layers-renamed"}),
        ("plot", "a"),
        ("show", "a"),
        ("plot", "b"),
        cwd=tmp_path,
    )
    assert [code for code, _, _ in done] == [-signal.SIGKILL] * 2 + [0] * 3
    assert (len(harness.load(tmp_path / "a").networks), len(harness.load(tmp_path / "b").networks)) == (40, 32)
    manifest = harness.load(tmp_path / "a").manifest
    assert (manifest["replicates"], manifest["last_run"]["seconds"]) == (4, None)  # it did not end
    assert harness.load(tmp_path / "a").config_folder.samefile(undisturbed)


# Disks --------------------------------------------------------------------------------------------------------------


def in_a_mount_namespace(script: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """Run a script that may mount file systems, in a namespace that ends with it."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here (unshare -m)")
    return subprocess.run(
        ["unshare", "-m", "bash", "-c", script, "-", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        text=True,
        capture_output=True,
        timeout=60,
    )


FULL = """
set -e
mkdir full; mount -t tmpfs -o size=$1 tmpfs full
shift
"$@" --out full/r >out 2>err && echo 0 >code || echo $? >code
cp -r full/r at_the_end
mount -o remount,size=64m full
"$@" --out full/r >out2 2>err2 && echo 0 >code2 || echo $? >code2
cp -r full/r afterwards
"""


@pytest.mark.slow
@pytest.mark.parametrize("size", ["16k", "100k"])  # of about 200 kB: at the first block, and at a later one
def test_a_full_disk_is_said_and_leaves_nothing_half_and_is_gone_on_from(undisturbed, tmp_path, size):
    done = in_a_mount_namespace(FULL, size, *HARNESS, "sweep", undisturbed / "c.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "err").read_text()
    assert ((tmp_path / "code").read_text(), (tmp_path / "code2").read_text()) == ("1\n", "0\n"), said
    assert said.startswith("full/r/") and said.count("\n") == 1
    assert ": cannot be written: No space left on device: it takes " in said and " are free there; " in said
    assert said.endswith("finished blocks are kept: free some space and run the same command again to go on\n")
    expected = kept(undisturbed / "two")
    assert kept(tmp_path / "at_the_end").items() < expected.items()  # every file is whole
    assert kept(tmp_path / "afterwards") == expected


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_is_said_and_gone_on_from(undisturbed, tmp_path):
    command = [*HARNESS, "sweep", undisturbed / "c.yaml", "--out", "r"]
    # 16 blocks of 1024 bytes: the parts of the deepest networks are larger
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 16; exec "$@"', "-", *command],
        cwd=tmp_path,
        env=environment(),
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert ": cannot be written: File too large: it takes " in done.stderr and "Traceback" not in done.stderr
    assert kept(tmp_path / "r").items() < kept(undisturbed / "two").items()
    good(forked("sweep", undisturbed / "c.yaml", "--out", "r", cwd=tmp_path))
    assert kept(tmp_path / "r") == kept(undisturbed / "two")


READ_ONLY = """
here=$PWD
mkdir -p r/layers r/networks; mount --bind $here/$1 $here/$1; mount -o remount,ro,bind $here/$1
shift; cd /; cd $here  # into what is mounted now
exec "$@"
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["r", "r/layers", "."])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_computed(tmp_path, place):
    """The results folder, the folder of its parts, or the folder above it is read-only."""
    (tmp_path / "c.yaml").write_text(ENDLESS)
    out = "r" if place != "." else "new"
    command = [*HARNESS, "sweep", "c.yaml", "--allow-large", "--workers", 1, "--out", out]
    done = in_a_mount_namespace(READ_ONLY, place, *command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{out}: cannot be written: Read-only file system; choose another with --out\n"
    assert not part_files(tmp_path)


@pytest.mark.slow
def test_an_immutable_folder_is_refused_before_anything_is_computed(tmp_path):
    (tmp_path / "r").mkdir()
    if subprocess.run(["chattr", "+i", tmp_path / "r"], capture_output=True).returncode:
        pytest.skip("this file system, or this user, makes no folder immutable (chattr +i)")
    try:
        (tmp_path / "c.yaml").write_text(ENDLESS)
        done = forked("sweep", "c.yaml", "--allow-large", "--out", "r", cwd=tmp_path)
    finally:
        subprocess.run(["chattr", "-i", tmp_path / "r"], check=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "r: cannot be written: Operation not permitted; choose another with --out\n"


@pytest.mark.parametrize(
    "out, said",
    [
        ("no/such/r", "no/such/r: there is no folder {here}/no/such; make it, or choose another with --out"),
        ("file", "file: a file, not a folder; choose another with --out"),
        ("file/r", "file/r: there is no folder {here}/file; make it, or choose another with --out"),
        ("layers_a_file", "layers_a_file: cannot be written: File exists; choose another with --out"),
        ("pipe", "pipe: a file, not a folder; choose another with --out"),
        ("x" * 300, "x" * 300 + ": cannot be written: File name too long; choose another with --out"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_anything_is_computed(tmp_path, monkeypatch, out, said):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    os.mkfifo("pipe")
    Path("layers_a_file").mkdir()
    for name in (".lock", "config.yaml"):
        (Path("layers_a_file") / name).write_text("" if name == ".lock" else ENDLESS)
    Path("layers_a_file/layers").write_text("mine")
    Path("c.yaml").write_text(ENDLESS)
    before = files(tmp_path)
    with pytest.raises(ResultsError) as refused:
        harness.sweep("c.yaml", out=out, allow_large=True)
    assert str(refused.value) == said.format(here=Path.cwd())
    assert {name: content[2] for name, content in files(tmp_path).items() if name != "layers_a_file/.lock"} == {
        name: content[2] for name, content in before.items() if name != "layers_a_file/.lock"
    }


# Links that lead out of the folder ----------------------------------------------------------------------------------


def test_links_out_of_the_results_folder_are_refused_and_nothing_is_written_through_them(tmp_path, monkeypatch):
    """Links from a stranger's archive in place of results/<name>, or of anything that a sweep writes in it."""
    monkeypatch.chdir(tmp_path)
    Path("elsewhere").mkdir()
    Path("elsewhere/file").write_text("mine")
    Path("c.yaml").write_text(DRAWN)
    before = files(tmp_path / "elsewhere")
    Path("results").mkdir()
    Path("results/tiny").symlink_to("../elsewhere")
    with pytest.raises(ResultsError) as refused:
        harness.sweep("c.yaml")
    assert str(refused.value) == f"results/tiny: a link; to write where it leads, give --out {tmp_path / 'elsewhere'}"
    Path("results/tiny").unlink()
    Path("results/tiny").symlink_to("../not_there")
    with pytest.raises(ResultsError, match=r"results/tiny: a link; "):
        harness.sweep("c.yaml")
    Path("results/tiny").unlink()
    harness.sweep("c.yaml")
    names = (
        ".lock",
        "config.yaml",
        "manifest.json",
        "layers",
        "networks",
        "figures",
        "claims.json",
        "figures/gradient_profile.png",
    )
    for name in names:
        shutil.copytree("results/tiny", "copy")
        path = Path("copy") / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(tmp_path / "elsewhere" / ("" if name in ("layers", "networks", "figures") else "file"))
        for fresh in (False, True):
            with pytest.raises(ResultsError) as refused:
                harness.sweep("c.yaml", out="copy", replicates=3, fresh=fresh)
            if name == "config.yaml":
                continue  # the link leads to no config
            assert str(refused.value).startswith(f"copy/{name}: a link out of the results folder; ")
        assert files(tmp_path / "elsewhere") == before
        shutil.rmtree("copy")
    aside = Path("results/tiny/.config.yaml.aside")  # what is written aside goes through no link either
    aside.symlink_to(tmp_path / "elsewhere/file")
    harness.sweep("c.yaml", replicates=3)
    assert files(tmp_path / "elsewhere") == before and not aside.is_symlink()


def test_a_results_folder_that_the_user_links_is_written_where_it_leads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scratch").mkdir()
    Path("mine").symlink_to("scratch")
    assert len(harness.sweep({**SMALL}, out="mine").networks) == 8
    assert (tmp_path / "scratch/config.yaml").is_file()


SMALL = {
    "name": "small",
    "network": {"activation": ["relu", "sigmoid"], "init": "he_normal", "depth": [1, 3], "width": 8},
    "data": {"batch": 4},
    "replicates": 2,
    "figures": [],
}


# Parts that rot -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return harness.sweep(SMALL, out=tmp_path_factory.mktemp("small") / "r").path


@pytest.fixture
def memory(tmp_path):
    """A folder in memory where the system has one: thousands of small writes, each flushed, are slow on a disk."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


def test_a_part_cut_at_any_length_is_found_and_named(memory):
    folder = harness.sweep(
        {**SMALL, "network": {**SMALL["network"], "activation": "relu", "depth": 1}}, out=memory / "r"
    ).path
    for kind in ("layers", "networks"):
        (part,) = (folder / kind).iterdir()
        whole, digest = part.read_bytes(), config.digest(harness.load(folder).sweep)
        assert len(parts.committed_blocks(folder, digest)[0]) == 1
        for length in reversed(range(len(whole))):
            os.truncate(part, length)
            assert parts.committed_blocks(folder, digest) == ({}, [f"{part}: does not match its checksum"]), length
        part.write_bytes(whole)


def test_a_part_with_one_byte_changed_anywhere_is_found_named_and_computed_again(small, memory):
    """50 places, or 2,000 in `make soak`. After each damage the results are read, swept again, and compared."""
    shutil.copytree(small, memory / "r")
    folder, expected = memory / "r", kept(small)
    draw = random.Random(5)
    for _ in range(2000 if SOAK else 50):
        (part,) = (folder / draw.choice(["layers", "networks"])).iterdir()
        content = bytearray(part.read_bytes())
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        part.write_bytes(content)
        with pytest.raises(ResultsError) as refused:
            harness.load(folder).summary()
        assert str(refused.value) == f"{part}: does not match its checksum; run the sweep again to replace it"
        said: list[str] = []
        prepared = prepare(SMALL, out=folder).prepared
        driver.execute(prepared, Resources(1), warn=said.append)
        assert said == [f"{part}: does not match its checksum; it is computed again"]
        assert kept(folder) == expected


def test_a_part_under_another_blocks_name_is_not_taken_for_it(tmp_path):
    harness.sweep(SMALL, out=tmp_path / "r")
    (part,) = (tmp_path / "r/networks").iterdir()
    other = part.with_name(part.name.replace("-0000000-0000002-", "-0000002-0000004-"))
    part.rename(other)
    assert parts.committed_blocks(tmp_path / "r", "") == ({}, [f"{other}: holds another block than its name says"])


@pytest.mark.slow
def test_every_reading_command_refuses_a_damaged_part_with_its_name_and_the_remedy(small, tmp_path):
    (tmp_path / "c.yaml").write_text(json.dumps(SMALL))
    for name in ("r", "whole"):
        shutil.copytree(small, tmp_path / name)
    (part,) = (tmp_path / "r/layers").iterdir()
    os.truncate(part, part.stat().st_size // 2)
    reading = [("show", "r"), ("plot", "r"), ("diff", "r", "whole"), ("diff", "whole", "r")]
    again = [("sweep", "c.yaml", "--out", "r"), ("diff", "r", "whole")]
    *refused, swept, same = commands(*reading, *again, cwd=tmp_path)
    name = part.relative_to(tmp_path)
    for done in refused:
        assert done == (2, "", f"{name}: does not match its checksum; run the sweep again to replace it\n")
    assert (swept[0], swept[2]) == (0, f"{name}: does not match its checksum; it is computed again\n")
    assert same == (0, "identical\n", "")


# The manifest, the config as run, the claims -------------------------------------------------------------------------


def in_short(content: bytes | None) -> str:
    return repr(content)[:40]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\x00",
        b'{"config_folder": 3}',
        b"{}",
        b"null",
        b'{"config_folder": ".", "networks": "many", "failed": []}',
        b"[" * 100_000,
        b'{"config_folder": ".", "networks": 9, "failed": [{"block": 3}]}',
    ],
    ids=in_short,
)
def test_a_manifest_that_is_lost_or_damaged_is_rebuilt(small, tmp_path, content):
    (tmp_path / "configs").mkdir()
    np.save(tmp_path / "configs/rows.npy", np.arange(40.0).reshape(10, 4) % 7)
    given = {**SMALL, "data": {"batch": 4, "inputs": "rows.npy"}}
    (tmp_path / "configs/small.yaml").write_text(json.dumps(given))
    (tmp_path / "results").mkdir()
    folder = tmp_path / "results/small"
    before = harness.sweep(tmp_path / "configs/small.yaml", out=folder)
    manifest = folder / "manifest.json"
    if content is None:
        manifest.unlink()
    else:
        manifest.write_bytes(content)
    results = harness.load(folder)
    for key in ("name", "seed", "replicates", "networks", "config_folder", "made_with"):
        assert results.manifest[key] == before.manifest[key], key
    network = before.networks["network"][0]
    np.testing.assert_array_equal(results.build(network).inputs, before.build(network).inputs)
    assert results.summary() and results.draw() == []
    harness.sweep(tmp_path / "configs/small.yaml", out=folder)
    again = json.loads(manifest.read_text())
    same = set(again) - {"last_run"}
    assert {key: again[key] for key in same} == {key: before.manifest[key] for key in same}


GRADED = JudgedCase("depth 3", "holds", 0.5, 0.4, 0.6, 0.0, 1.0, 8, "a note")
VERDICT = Verdict("small", "It is small.", "mean of it", "mean, t interval", "holds", (GRADED,))
CLAIMS = json.dumps({"claims": to_json([VERDICT])}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"claims": 3}',
        b'{"claims": [{}]}',
        CLAIMS[:-3],
        CLAIMS.replace(b"holds", b"hold!"),
        CLAIMS.replace(b'"cases": [{', b'"cases": ["", {'),
        CLAIMS.replace(b"0.5", b'"half"'),
        CLAIMS.replace(b'"where"', b'"when"'),
        json.dumps({"claims": to_json([replace(VERDICT, cases=())])}).encode(),
    ],
    ids=in_short,
)
def test_damaged_claims_are_named_with_the_remedy_before_anything_is_shown(small, tmp_path, content):
    shutil.copytree(small, tmp_path / "r")
    path = tmp_path / "r/claims.json"
    path.write_bytes(CLAIMS)
    assert harness.load(tmp_path / "r").verdicts() == [VERDICT]
    path.write_bytes(content)
    done = CliRunner().invoke(app, ["show", str(tmp_path / "r")])
    assert (done.output, str(done.exception)) == ("", f"{path}: cannot be read; run the sweep again to replace it")
    assert isinstance(done.exception, ResultsError)
    harness.sweep(SMALL, out=tmp_path / "r")  # of no question: there are no claims
    assert harness.load(tmp_path / "r").verdicts() == [] and kept(tmp_path / "r") == kept(small)


@pytest.mark.parametrize("content", [b"", b"name: [", b"\x00", b"name: other\n"])
def test_a_config_as_run_that_is_damaged_is_said_and_can_be_replaced(small, tmp_path, content):
    shutil.copytree(small, tmp_path / "r")
    (tmp_path / "r/config.yaml").write_bytes(content)
    with pytest.raises(ResultsError) as refused:
        harness.sweep(SMALL, out=tmp_path / "r")
    first, last = str(refused.value).splitlines()
    assert first.startswith(f"{tmp_path / 'r/config.yaml'}:1:")
    assert last == (
        f"so it is not known what {tmp_path / 'r'} holds; put it back, start over with --fresh, "
        "or choose another folder with --out"
    )
    harness.sweep(SMALL, out=tmp_path / "r", fresh=True)
    assert kept(tmp_path / "r") == kept(small)


# Two runs, and the lock ---------------------------------------------------------------------------------------------


@pytest.fixture
def holder(tmp_path):
    """A running sweep of two workers, all stopped by SIGSTOP: it holds the folder `r` until the test ends."""
    (tmp_path / "c.yaml").write_text(ENDLESS.replace("width: 512", "width: [512, 513]"))
    process = start("sweep", "c.yaml", "--allow-large", "--workers", 2, "--out", "r", cwd=tmp_path)
    lock = tmp_path / "r/.lock"
    try:
        assert within(60, lambda: len([one for one in alive(process.pid) if "spawn_main" in one]) == 2), ended(process)
        assert lock.read_text() == str(process.pid)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
    finally:
        end_all(process)


@pytest.mark.slow
def test_a_second_run_ends_at_once_even_where_checksums_would_take_long(holder, tmp_path):
    with (tmp_path / "r/networks/large-0000000-0000001-0123456789abcdef.parquet").open("wb") as large:
        large.truncate(2**32)  # seconds of hashing
    imports = measured(sys.executable, "-c", "import harness.interface.commands, harness.config", cwd=tmp_path)[1]
    for more in ([], ["--fresh"], ["--replicates", "9"], ["--dry-run"]):
        done, seconds, _ = measured(*HARNESS, "sweep", "c.yaml", "--allow-large", "--out", "r", *more, cwd=tmp_path)
        assert done.stdout == f"r: in use by another run (process {holder.pid}); wait for it\n"
        assert done.returncode == 2
        assert seconds < max(1, 1.5 * imports)  # 0.8 where imports take 0.7; more where the processor is slower


def test_checksums_come_after_the_lock(small, tmp_path, monkeypatch):
    shutil.copytree(small, tmp_path / "r")
    looked: list[Path] = []
    monkeypatch.setattr(parts, "committed_blocks", lambda folder, _: looked.append(folder) or ({}, []))
    with (tmp_path / "r/.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ResultsError, match="in use by another run"):
            harness.sweep(SMALL, out=tmp_path / "r")
    assert looked == []


@pytest.mark.slow
def test_a_lock_ends_with_its_process_even_where_its_workers_live_on(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert len(alive(holder.pid)) >= 2  # workers, which are stopped and hear nothing
    (tmp_path / "c.yaml").write_text(TINY)
    good(forked("sweep", "c.yaml", "--fresh", "--out", "r", cwd=tmp_path))
    assert len(harness.load(tmp_path / "r").networks) == 8


LOOKING = """
import sys
from contextlib import suppress
from pathlib import Path
from harness.base.errors import ResultsError
from harness.results.disk.lock import require_unlocked

print("begun", flush=True)
while True:
    with suppress(ResultsError):
        require_unlocked(Path(sys.argv[1]))
"""


def test_a_lock_that_a_reader_looks_at_can_still_be_taken(tmp_path):
    """A dry run looks whether a folder is held. It must not keep out a run that begins at that moment."""
    harness.sweep(SMALL, out=tmp_path / "r")
    other = subprocess.Popen(
        [sys.executable, "-c", LOOKING, tmp_path / "r"], stdout=subprocess.PIPE, env=environment(), text=True
    )
    try:
        other.stdout.readline()
        end = time.monotonic() + 2  # some thousand times
        while time.monotonic() < end:
            try:
                with locked(tmp_path / "r"):
                    pass
            except HarnessError as error:
                pytest.fail(str(error))
        assert other.poll() is None  # it looked all the time
    finally:
        other.kill()
        other.communicate()


# Made elsewhere -----------------------------------------------------------------------------------------------------

KERNEL = {"OPENBLAS_CORETYPE": "Nehalem"}


@pytest.mark.slow
def test_blocks_of_another_kernel_are_not_mixed_in_silence(tmp_path):
    """The same sweep under another BLAS kernel is refused; with --mixed it is reported and recorded."""
    if "Nehalem" not in (kernels := blas_kernels(**KERNEL)):
        pytest.skip(f"this BLAS has no such kernel: {kernels}")
    (tmp_path / "c.yaml").write_text(SEVERAL)
    good(run("sweep", "c.yaml", "--out", "r", cwd=tmp_path, **KERNEL))
    theirs = harness.load(tmp_path / "r").manifest["made_with"]
    before = kept(tmp_path / "r")
    ours = made_with()
    told = "4 finished blocks were made with other software or on another processor, where the last digits may differ:"
    change = f"  blas: {theirs[0]['blas']} -> {ours['blas']}"
    refused, nothing_to_do, mixed, same = commands(
        ("sweep", "c.yaml", "--out", "r", "--replicates", 4),
        ("sweep", "c.yaml", "--out", "r"),
        ("sweep", "c.yaml", "--out", "r", "--replicates", 4, "--mixed"),
        ("sweep", "c.yaml", "--out", "r", "--replicates", 4),
        cwd=tmp_path,
    )
    remedy = (
        "compute all of it here with --fresh, keep both with --out FOLDER, or use --mixed to have both in one table"
    )
    assert refused == (2, "", f"{told}\n{change}\n{remedy}\n")
    assert (nothing_to_do[0], nothing_to_do[2]) == (0, f"{told}\n{change}\n")
    assert (mixed[0], mixed[2]) == (0, f"{told}\n{change}\n")
    assert (same[0], same[2]) == (0, f"{told}\n{change}\n")  # nothing is left to do
    after = kept(tmp_path / "r")
    assert all(after[name] == content for name, content in before.items() if name.endswith(".parquet"))
    results = harness.load(tmp_path / "r")
    assert results.manifest["made_with"] == [*theirs, ours] and len(results.networks) == 64
    (tmp_path / "r/manifest.json").unlink()
    assert harness.load(tmp_path / "r").manifest["made_with"] == [*theirs, ours]  # each part says it of itself


def copy_of_the_harness(folder: Path) -> Path:
    """A copy of the harness: `python -m harness` in its folder runs the copy."""
    shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_results_go_on_under_code_with_another_comment_figure_or_message(tmp_path):
    copy = copy_of_the_harness(tmp_path / "checkout")
    folder = harness.sweep(SMALL, out=copy / "r").path
    (copy / "c.yaml").write_text(json.dumps(SMALL))
    edit(copy / "harness/engine/measures.py", "import numpy as np", "import numpy as np  # arrays")
    edit(copy / "harness/figures/depth/gradient_profile.py", "import", "import sys\nimport")
    edit(copy / "harness/base/errors.py", "Exit code 1.", "The exit code is 1.")
    extended = run("sweep", "c.yaml", "--out", "r", "--replicates", 3, cwd=copy, PYTHONPATH=str(copy))
    assert (extended.returncode, extended.stderr) == (0, "")
    assert harness.load(folder).manifest["made_with"] == [made_with()]


@pytest.mark.slow
def test_results_of_edited_code_are_not_mixed_in_silence(tmp_path):
    """A checkout that is edited keeps its version; where what computes was edited, its code is another all the same."""
    copy = copy_of_the_harness(tmp_path / "checkout")
    edit(copy / "harness/engine/measures.py", "import numpy as np", "import numpy as np\n\nEDITED = True")
    folder = harness.sweep(SMALL, out=copy / "r").path
    (copy / "c.yaml").write_text(json.dumps(SMALL))
    before = kept(folder)
    sweep, here = ("sweep", "c.yaml", "--out", "r"), {"cwd": copy, "PYTHONPATH": str(copy)}
    nothing_to_do, refused = run(*sweep, **here), run(*sweep, "--replicates", 3, **here)
    told = "1 finished blocks were made under another version of the harness, whose numbers may differ:\n"
    code = rf"  code: {made_with()['code']} -> (?!{made_with()['code']})[0-9a-f]{{12}}\n"
    assert nothing_to_do.returncode == 0 and re.fullmatch(re.escape(told) + code, nothing_to_do.stderr)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(re.escape(told) + code + "compute all of it here with --fresh, .* --mixed .*\n", refused.stderr)
    assert kept(folder) == before
    mixed = run(*sweep, "--replicates", 3, "--mixed", **here)
    assert mixed.returncode == 0 and re.fullmatch(re.escape(told) + code, mixed.stderr)
    ways = harness.load(folder).manifest["made_with"]
    assert [set(way) for way in ways] == [set(made_with())] * 2 and len({way["code"] for way in ways}) == 2


EDITED = """
import harness
from pathlib import Path

if __name__ == "__main__":
    harness.sweep  # loads the code
    with Path("harness/engine/measures.py").open("a") as file:
        file.write("EDITED = True")
    harness.sweep("c.yaml", out="r", workers=2)
"""


@pytest.mark.slow
def test_code_that_is_edited_while_a_sweep_runs_ends_it(tmp_path):
    """Workers read the source when they start, so they would compute with other code than the driver has."""
    copy = copy_of_the_harness(tmp_path / "checkout")
    (copy / "c.yaml").write_text(SEVERAL)
    (copy / "script.py").write_text(EDITED)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=copy, env=environment(PYTHONPATH=str(copy)), text=True, capture_output=True
    )
    assert done.returncode == 1
    assert "HarnessError: the code of the harness was changed while the sweep ran; finished blocks" in done.stderr
    assert not part_files(copy / "r")


def test_results_of_another_version_are_not_mixed_in_silence(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatch, "made_with", lambda: {**made_with(), "harness": "0.0.9"})
    harness.sweep(SMALL, out=tmp_path / "r")
    monkeypatch.undo()
    with pytest.raises(ResultsError) as refused:
        harness.sweep(SMALL, out=tmp_path / "r", replicates=3)
    version = made_with()["harness"]
    assert f"\n  harness: 0.0.9 -> {version}\n" in str(refused.value)
    assert len(harness.load(tmp_path / "r").networks) == 8
    with pytest.warns(UserWarning, match="1 finished blocks"):
        assert len(harness.sweep(SMALL, out=tmp_path / "r", replicates=3, mixed=True).networks) == 12


@pytest.mark.parametrize(
    "change, asks",
    [
        ({"figures": ["gradient_profile"]}, False),
        ({"thresholds": {"decades": 4}}, True),  # the column `regime` follows from them
        ({"seed": 1}, True),
    ],
)
def test_only_a_change_that_reaches_the_tables_asks_to_start_over(tmp_path, change, asks):
    before = kept(harness.sweep(SMALL, out=tmp_path / "r").path)
    if asks:
        with pytest.raises(ResultsError, match="holds the results of another config"):
            harness.sweep(SMALL | change, out=tmp_path / "r")
        return
    harness.sweep(SMALL | change, out=tmp_path / "r")
    after = kept(tmp_path / "r")
    assert {name: after[name] for name in before if name.endswith(".parquet")} == {
        name: content for name, content in before.items() if name.endswith(".parquet")
    }
    assert "figures/gradient_profile.png" in after
    assert harness.load(tmp_path / "r").sweep.figures == ("gradient_profile",)
