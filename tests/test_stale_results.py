"""Results that could be taken for others': parts of another config, folders that are not the ones a sweep began in,
sweeps at the same time in one process, and files that are nobody's. docs/reliability.md has the table."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import (
    SLOW,
    alive,
    commands,
    end_all,
    ended,
    environment,
    files,
    forked,
    good,
    part_files,
    run,
    said,
    start,
    within,
)
from disturbed import SOAK, cases
from faults import blocks_done, contents
from threadpoolctl import threadpool_info

import harness
from harness.base.errors import HarnessError, ResultsError

TWO_BLOCKS = """\
name: tiny
network: {activation: [relu, sigmoid], init: he_normal, depth: [1, 3], width: [8, 9]}
data: {batch: 4}
replicates: 2
figures: []
"""
READERS = (("show",), ("plot",), ("diff",), ("sweep",), ("sweep", "--replicates", 3))

# Every key of a config that moves a number, and a value that moves one.
MOVES = {
    "seed": "1",
    "network.depth": "[1, 4]",
    "network.activation": "[relu, tanh]",
    "network.init": "xavier_normal",
    "network.weight_scale": "2",
    "network.bias_scale": "0.5",
    "network.output": "linear",
    "network.output_width": "5",
    "data.batch": "5",
    "data.targets": "zeros",
    "cost": "linear",
    "dtype": "float32",
    "thresholds.decades": "0.01",
    "record_layers": "[1]",
    "cases": "[{depth: 1}, {depth: 3, weight_scale: 2}]",
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A folder with c.yaml, results of it in `base`, and of each change in a folder of the key's name."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "c.yaml").write_text(TWO_BLOCKS)
    changed = [("sweep", "c.yaml", "--set", f"{key}={value}", "--out", key) for key, value in MOVES.items()]
    done = commands(("sweep", "c.yaml", "--out", "base"), *changed, cwd=folder)
    assert [(code, err) for code, _, err in done] == [(0, "")] * (1 + len(MOVES))
    return folder


def read_by(command: tuple, folder: Path, cwd: Path, other: Path, changes: tuple = ()) -> tuple[int, str, str]:
    """A reading command, or a sweep of c.yaml, on a results folder; `other` is what `diff` compares it with."""
    if command[0] == "sweep":
        arguments = (*command, cwd / "c.yaml", *changes, "--out", folder)
    else:
        arguments = (*command, folder, *([other] if command[0] == "diff" else []))
    done = forked(*arguments, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def only_part(folder: Path, kind: str, width: int) -> Path:
    (path,) = (folder / kind).glob(f"*-w{width}-*.parquet")
    return path


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    """A part with another content under the checksum that is right for it; returns its new path."""
    table = change(pq.read_table(path))
    path.unlink()
    pq.write_table(table, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return path.rename(path.with_name(f"{path.stem[:-16]}{digest}.parquet"))


def rewritten_in(folder: Path, kind: str, width: int, change: Callable[[pa.Table], pa.Table]) -> str:
    """One table of a block rewritten, so that every checksum and every name in the folder is right. Its new name."""
    path = rewritten(only_part(folder, kind, width), change)
    if kind == "layers":
        networks = only_part(folder, "networks", width)

        def names_it(table: pa.Table) -> pa.Table:
            return table.replace_schema_metadata(table.schema.metadata | {b"layers": path.name.encode()})

        rewritten(networks, names_it)
    return path.name


# Parts of another config ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", MOVES)
def test_parts_of_two_configs_in_one_folder_are_refused_by_name(swept, tmp_path, key):
    """As when the results of two machines are copied into one folder: one's config, and parts of both."""
    shutil.copytree(swept / "base", tmp_path / "m")
    shutil.copytree(swept / key, tmp_path / "m", dirs_exist_ok=True)
    theirs = [*part_files(swept / "base").keys() - part_files(swept / key).keys()]
    before = files(tmp_path / "m")
    for command in READERS if SOAK or key in ("seed", "network.depth") else READERS[:1]:
        code, out, err = read_by(command, tmp_path / "m", swept, swept / key, ("--set", f"{key}={MOVES[key]}"))
        assert (code, out) == (2, ""), command
        assert any(Path(name).name in err for name in theirs), (command, err)
        assert "was not computed from the config in" in err and "Traceback" not in err, (command, err)
    assert files(tmp_path / "m") == before
    with pytest.raises(ResultsError, match="was not computed from the config in"):
        _ = harness.load(tmp_path / "m").layers


@pytest.mark.parametrize("key", MOVES)
def test_a_config_that_was_edited_does_not_make_its_parts_others(swept, tmp_path, key):
    shutil.copytree(swept / "base", tmp_path / "m")
    shutil.copy(swept / key / "config.yaml", tmp_path / "m")
    before = files(tmp_path / "m")
    for command in READERS if SOAK or key in ("seed", "network.depth") else READERS[:1]:
        code, out, err = read_by(command, tmp_path / "m", swept, swept / key, ("--set", f"{key}={MOVES[key]}"))
        assert (code, out) == (2, ""), command
        assert "networks/normal-i" in err and "was not computed from the config in" in err and "Traceback" not in err, (
            command,
            err,
        )
    assert files(tmp_path / "m") == before


def test_another_data_file_does_not_make_its_parts_others(tmp_path):
    """The data file is told by its SHA-256, whatever its name."""
    for number in (0, 1):
        np.save(tmp_path / f"rows{number}.npy", np.random.default_rng(number).normal(size=(20, 4)))
        (tmp_path / f"c{number}.yaml").write_text(
            TWO_BLOCKS.replace("{batch: 4}", f"{{inputs: rows{number}.npy, batch: 4}}")
        )
        good(forked("sweep", f"c{number}.yaml", "--out", f"r{number}", cwd=tmp_path))
    shutil.copy(tmp_path / "r1/config.yaml", tmp_path / "r0")
    done = forked("show", "r0", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "was not computed from the config in" in done.stderr


@pytest.mark.parametrize("change", ["figures=[gradient_profile]", "replicates=3"])
def test_what_moves_no_number_makes_no_other_config(swept, tmp_path, change):
    shutil.copytree(swept / "base", tmp_path / "m")
    good(forked("sweep", swept / "c.yaml", "--set", change, "--out", tmp_path / "m", cwd=tmp_path))
    good(forked("show", tmp_path / "m", cwd=tmp_path))


def test_halves_of_one_sweep_from_two_machines_go_together(swept, tmp_path):
    """Each machine finished another block: one folder of both is the whole sweep."""
    for name, width in (("a", 9), ("b", 8)):
        shutil.copytree(swept / "base", tmp_path / name)
        for kind in ("layers", "networks"):
            only_part(tmp_path / name, kind, width).unlink()
    shutil.copytree(tmp_path / "b", tmp_path / "a", dirs_exist_ok=True)
    assert good(forked("show", "a", cwd=tmp_path)) == good(forked("show", swept / "base", cwd=tmp_path))


def test_two_parts_that_hold_the_same_networks_are_refused_by_name(swept, tmp_path):
    """One machine made two replicates, another three of the same config: the first two would be counted twice."""
    good(forked("sweep", swept / "c.yaml", "--replicates", 3, "--out", tmp_path / "m", cwd=tmp_path))
    shutil.copytree(swept / "base", tmp_path / "m", dirs_exist_ok=True)
    shutil.copytree(swept / "base", tmp_path / "config", dirs_exist_ok=True)
    text = (tmp_path / "m/config.yaml").read_text()
    (tmp_path / "m/config.yaml").write_text(text.replace("replicates: 2", "replicates: 3"))
    both = sorted(path.name for path in (tmp_path / "m/networks").glob("*-w8-*.parquet"))
    assert len(both) == 2
    for command in READERS:
        code, out, err = read_by(command, tmp_path / "m", swept, swept / "base", ("--set", "replicates=3"))
        assert (code, out) == (2, ""), command
        assert all(name in err for name in both) and "Traceback" not in err, (command, err)


def test_two_parts_of_one_block_are_refused_by_name(swept, tmp_path):
    shutil.copytree(swept / "base", tmp_path / "m")
    first = only_part(tmp_path / "m", "networks", 8)
    kept = first.read_bytes()

    def otherwise(table: pa.Table) -> pa.Table:
        made = json.loads(table.schema.metadata[b"made_with"]) | {"harness": "0.0.9"}
        return table.replace_schema_metadata(table.schema.metadata | {b"made_with": json.dumps(made).encode()})

    second = rewritten(first, otherwise)
    first.write_bytes(kept)
    before = files(tmp_path / "m")
    for command in READERS:
        code, out, err = read_by(command, tmp_path / "m", swept, swept / "base")
        assert (code, out) == (2, ""), command
        assert first.name in err and second.name in err and "Traceback" not in err, (command, err)
    assert files(tmp_path / "m") == before


def test_a_block_under_another_blocks_name_is_refused_though_every_checksum_is_right(swept, tmp_path):
    """Both parts of replicates 0 and 1 renamed to 2 and 3, as an extended sweep would have them."""
    shutil.copytree(swept / "base", tmp_path / "m")
    text = (tmp_path / "m/config.yaml").read_text()
    (tmp_path / "m/config.yaml").write_text(text.replace("replicates: 2", "replicates: 4"))
    shutil.copytree(tmp_path / "m", tmp_path / "copy")
    for width in (8, 9):
        layers = only_part(tmp_path / "m", "layers", width)
        layers = layers.rename(layers.with_name(layers.name.replace("0000000-0000002", "0000002-0000004")))

        def names_it(table: pa.Table, name: str = layers.name) -> pa.Table:
            return table.replace_schema_metadata(table.schema.metadata | {b"layers": name.encode()})

        networks = rewritten(only_part(tmp_path / "m", "networks", width), names_it)
        networks.rename(networks.with_name(networks.name.replace("0000000-0000002", "0000002-0000004")))
    shutil.copytree(tmp_path / "copy", tmp_path / "m", dirs_exist_ok=True)
    done = forked("show", "m", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "-0000002-0000004-" in done.stderr and "Traceback" not in done.stderr, done.stderr


# Parts that are whole and wrong ---------------------------------------------------------------------------------------

WRONG = {
    "empty": lambda table: table.slice(0, 0),
    "a row less": lambda table: table.slice(1),
    "twice": lambda table: pa.concat_tables([table, table]),
    "a column less": lambda table: table.drop_columns([table.column_names[-1]]),
    "no columns": lambda table: table.select([]),
    "a column renamed": lambda table: table.rename_columns([*table.column_names[:-1], "mine"]),
    "text for numbers": lambda table: table.set_column(
        table.num_columns - 1, table.column_names[-1], pa.array(["x"] * table.num_rows)
    ),
}


@pytest.mark.parametrize("kind", ["layers", "networks"])
@pytest.mark.parametrize("wrong", cases(WRONG, "a row less", "a column renamed"))
def test_a_part_that_is_valid_and_wrong_is_named_by_every_command(swept, tmp_path, kind, wrong):
    shutil.copytree(swept / "base", tmp_path / "m")
    name = rewritten_in(tmp_path / "m", kind, 8, WRONG[wrong])
    for command in READERS[:3]:
        code, out, err = read_by(command, tmp_path / "m", swept, swept / "base")
        assert (code, out) == (2, ""), command
        assert name in err and "run the sweep again" in err and "Traceback" not in err, (command, err)
    code, _, err = read_by(("sweep",), tmp_path / "m", swept, swept / "base")
    assert code == 0 and name in err and "computed again" in err
    assert contents(tmp_path / "m") == contents(swept / "base")


# The folder is another, or gone ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(slow) -> dict[str, bytes]:
    return slow


def begun(cwd: Path, *arguments: object, out: str = "r", **changes: str) -> subprocess.Popen:
    """A sweep of seconds that has committed its first block, of eight."""
    (cwd / "slow.yaml").write_text(SLOW)
    process = start("sweep", "slow.yaml", "--out", out, *arguments, cwd=cwd, **changes)
    if not within(60, lambda: blocks_done(cwd / out)):
        end_all(process)
        raise AssertionError("no block was finished")
    return process


def removed(folder: Path) -> None:
    while folder.exists():  # the sweep still writes into it
        shutil.rmtree(folder, ignore_errors=True)


def assert_ended_with_the_folder(process: subprocess.Popen, *expected: str) -> None:
    """It ended before all was computed, with one line that says what the user needs to know."""
    done = ended(process, 180)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert len(said(done).splitlines()) == 1, done.stderr
    for words in expected:
        assert words in done.stderr, done.stderr
    assert within(5, lambda: not alive(process.pid)), alive(process.pid)


@pytest.mark.slow
@pytest.mark.parametrize("workers", cases([1, 2], 2))
@pytest.mark.parametrize("number", range(10 if SOAK else 1))
def test_two_sweeps_of_one_name_after_the_folder_was_removed_do_not_mix(tmp_path, undisturbed, workers, number):
    first = begun(tmp_path, "--workers", workers)
    removed(tmp_path / "r")
    second = start("sweep", "slow.yaml", "--out", "r", "--workers", workers, cwd=tmp_path)
    assert_ended_with_the_folder(first, "r: ", "while the sweep ran")
    good(ended(second, 180))
    assert contents(tmp_path / "r") == undisturbed


@pytest.mark.slow
def test_two_sweeps_of_other_configs_after_the_folder_was_removed_do_not_mix(tmp_path):
    first = begun(tmp_path, "--workers", 1)
    (tmp_path / "c.yaml").write_text(TWO_BLOCKS)
    removed(tmp_path / "r")
    harness.sweep(tmp_path / "c.yaml", out=tmp_path / "r")
    before = files(tmp_path / "r")
    assert_ended_with_the_folder(first, "r: ", "while the sweep ran")
    assert files(tmp_path / "r") == before


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def moved_and_made_again(folder: Path) -> None:
    moved(folder)
    folder.mkdir()


def parent_moved(folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("elsewhere"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", cases([1, 2], 2))
@pytest.mark.parametrize(
    "how", cases([removed, moved, moved_and_made_again, parent_moved], removed, moved_and_made_again)
)
def test_a_folder_that_goes_while_a_sweep_runs_ends_it_and_is_not_made_again(tmp_path, undisturbed, how, workers):
    """What is finished is where the folder is now; the same command goes on there, to the same bytes."""
    (tmp_path / "parent").mkdir()
    out = "parent/r" if how is parent_moved else "r"
    process = begun(tmp_path, "--workers", workers, out=out)
    how(tmp_path / out)
    now = {removed: None, parent_moved: tmp_path / "elsewhere/r"}.get(how, tmp_path / "elsewhere")
    said_of_it = ("removed",) if now is None else (str(now), "--out")
    assert_ended_with_the_folder(process, f"{out}: ", *said_of_it)
    left = [*(tmp_path / out).iterdir()] if how is moved_and_made_again else [*(tmp_path / out).parent.glob("r")]
    assert left == []
    if now is not None:
        assert 0 < blocks_done(now) < 8  # it ended at the next commit
        good(run("sweep", "slow.yaml", "--out", now, cwd=tmp_path))
        assert contents(now) == undisturbed


@pytest.mark.slow
def test_a_file_system_that_is_unmounted_while_a_sweep_runs_ends_it(tmp_path, undisturbed):
    """A tmpfs, unmounted lazily: the name then leads to the empty folder under it."""
    (tmp_path / "m").mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", tmp_path / "m"], capture_output=True)
    if mount.returncode:
        pytest.skip(f"mounting is not permitted here: {mount.stderr.decode().strip()}")
    process = begun(tmp_path, "--workers", 1, out="m/r")
    subprocess.run(["umount", "-l", tmp_path / "m"], check=True)
    assert_ended_with_the_folder(process, "m/r: ", "while the sweep ran")
    assert [*(tmp_path / "m").iterdir()] == []


@pytest.fixture
def failing_disk(tmp_path):
    """A file system that becomes read-only once `fail` is called, as ext4 does after an error of the disk."""
    image, place = tmp_path / "image", tmp_path / "m"
    place.mkdir()
    mount = ["mount", "-o", "loop,errors=remount-ro", image, place]
    image.touch()
    os.truncate(image, 2**26)
    if not shutil.which("mkfs.ext4") or subprocess.run(["mkfs.ext4", "-q", image], capture_output=True).returncode:
        pytest.skip("no file system can be made here (mkfs.ext4)")
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    device = subprocess.check_output(["findmnt", "-n", "-o", "SOURCE", place], text=True).strip()

    def fail() -> None:
        (Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error").write_text("a test")

    def repair() -> None:
        subprocess.run(["umount", place], check=True)
        subprocess.run(mount, check=True)

    yield place, fail, repair
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
def test_a_file_system_that_becomes_read_only_ends_the_sweep_and_the_next_run_goes_on(failing_disk, undisturbed):
    place, fail, repair = failing_disk
    process = begun(place, "--workers", 1)
    fail()
    assert_ended_with_the_folder(process, "cannot be written: ", "run the same command again")
    repair()
    (place / "slow.yaml").write_text(SLOW)  # which nobody had put on the disk
    done = run("sweep", "slow.yaml", "--out", "r", cwd=place)  # which names parts that the disk has lost
    assert done.returncode == 0, done.stderr
    assert contents(place / "r") == undisturbed


@pytest.mark.slow
def test_a_folder_that_is_being_swept_can_be_read(tmp_path, undisturbed):
    """What was there when it was first read; blocks that come later are not mixed in, and no error."""
    process = begun(tmp_path, "--workers", 1)
    results = harness.load(tmp_path / "r")
    networks = results.networks
    assert within(60, lambda: blocks_done(tmp_path / "r") >= len(networks) // 8 + 2)
    assert set(results.layers["network"]) == set(networks["network"])
    good(ended(process, 180))
    assert len(harness.load(tmp_path / "r").networks) == 64
    assert contents(tmp_path / "r") == undisturbed


@pytest.mark.slow
def test_a_folder_removed_while_figures_are_drawn_is_not_made_again(tmp_path):
    (tmp_path / "c.yaml").write_text(TWO_BLOCKS.replace("figures: []", ""))
    process = start("sweep", "c.yaml", "--out", "r", cwd=tmp_path)
    manifest = tmp_path / "r/manifest.json"

    def computed() -> bool:
        return manifest.exists() and json.loads(manifest.read_text())["last_run"]["seconds"] is not None

    assert within(60, computed)
    removed(tmp_path / "r")
    done = ended(process, 180)
    assert done.returncode in (1, 2)  # 2 where the parts were gone already and the folder was not
    assert len(said(done).splitlines()) == 1, done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_a_lock_that_is_deleted_meanwhile_is_taken_again(tmp_path, undisturbed):
    """The folder is still the same; a second sweep of it is still refused, and the first finishes."""
    process = begun(tmp_path, "--workers", 1)
    done_then = blocks_done(tmp_path / "r")
    (tmp_path / "r/.lock").unlink()
    assert within(60, lambda: blocks_done(tmp_path / "r") > done_then + 1)
    second = run("sweep", "slow.yaml", "--out", "r", cwd=tmp_path)
    good(ended(process))
    assert second.returncode == 2 and "in use by another run" in second.stderr
    assert contents(tmp_path / "r") == undisturbed


# A file system without locks ------------------------------------------------------------------------------------------

NO_LOCKS = """
import errno, fcntl, os

def flock(*_):
    raise OSError(errno.{name}, os.strerror(errno.{name}))

fcntl.flock = flock
"""
HOLDER = ".lock.holder"


def without_locks(folder: Path, name: str) -> dict[str, str]:
    """Changes to the environment of a command, for which the file system has no locks."""
    (folder / "startup").mkdir()
    (folder / "startup/sitecustomize.py").write_text(NO_LOCKS.format(name=name))
    return {"PYTHONPATH": os.pathsep.join((str(folder / "startup"), environment()["PYTHONPATH"]))}


@pytest.mark.slow
@pytest.mark.parametrize("name", cases(["ENOLCK", "ENOSYS", "EOPNOTSUPP"], "ENOLCK"))
def test_a_file_system_without_locks_is_swept_by_one_at_a_time(tmp_path, undisturbed, name):
    """As Lustre and NFS may be. What a killed sweep leaves is in nobody's way."""
    changes = without_locks(tmp_path, name)
    first = begun(tmp_path, **changes)
    second = run("sweep", "slow.yaml", "--out", "r", cwd=tmp_path, **changes)
    end_all(first)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == f"r: in use by another run (process {first.pid}); wait for it\n"
    assert (tmp_path / "r" / HOLDER).exists()
    good(run("sweep", "slow.yaml", "--out", "r", cwd=tmp_path, **changes))
    assert contents(tmp_path / "r") == undisturbed  # and no file too many


@pytest.mark.slow
def test_a_holder_on_another_machine_is_named_with_the_remedy(tmp_path, swept):
    """Whether its process still runs cannot be seen from here."""
    changes = without_locks(tmp_path, "ENOLCK")
    shutil.copytree(swept / "base", tmp_path / "r")
    (tmp_path / "r" / HOLDER).write_text("4711 123456 node17 some-boot pid:[1]")
    before = files(tmp_path / "r")
    done = run("sweep", swept / "c.yaml", "--out", "r", cwd=tmp_path, **changes)
    told = f"process 4711 on node17; if that has ended, remove r/{HOLDER}"
    assert (done.returncode, done.stderr) == (2, f"r: in use by another run ({told}); wait for it\n")
    assert files(tmp_path / "r") == before
    (tmp_path / "r" / HOLDER).unlink()
    good(run("sweep", swept / "c.yaml", "--out", "r", cwd=tmp_path, **changes))


@pytest.mark.slow
def test_two_holders_of_a_folder_end_with_one(tmp_path, undisturbed):
    """The file that names the holder is another's at the next commit: the first ends, as if its lock was lost."""
    changes = without_locks(tmp_path, "ENOLCK")
    first = begun(tmp_path, "--workers", 1, **changes)
    (tmp_path / "r" / HOLDER).unlink()
    second = start("sweep", "slow.yaml", "--out", "r", cwd=tmp_path, **changes)
    assert_ended_with_the_folder(first, "another run took this folder")
    done = ended(second, 180)  # which names a part that the first had half committed
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "r") == undisturbed


# In one process -------------------------------------------------------------------------------------------------------


def threads_of_blas() -> list[tuple[str, int]]:
    return [(info["filepath"], info["num_threads"]) for info in threadpool_info() if info["user_api"] == "blas"]


IN_THREADS = """
import sys, threading
from pathlib import Path
import numpy, matplotlib, scipy.linalg  # scipy has a BLAS of its own
from threadpoolctl import threadpool_info, threadpool_limits
import harness

threadpool_limits(2)
def state():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"], dict(matplotlib.rcParams)

before, errors = state(), []
def sweep(name):
    try:
        harness.sweep(f"{name}.yaml", out=name)
    except BaseException as error:
        errors.append(repr(error))
threads = [threading.Thread(target=sweep, args=(name,)) for name in sys.argv[1:]]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not errors, errors
assert state() == before, [one for one in before[1] if before[1][one] != state()[1][one]] or (before[0], state()[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5 if SOAK else 1))
def test_sweeps_in_threads_of_one_process_write_what_each_writes_alone(tmp_path, number):
    """Figures too, whose settings are matplotlib's, a process's; and BLAS has as many threads afterwards as before."""
    names = ("one", "two", "three")
    for seed, name in enumerate(names):
        text = TWO_BLOCKS.replace("figures: []", f"seed: {seed}\nfigures: [gradient_profile, dead_units]")
        (tmp_path / f"{name}.yaml").write_text(text.replace("width: [8, 9]", "width: {from: 8, to: 19, steps: 6}"))
        good(forked("sweep", f"{name}.yaml", "--out", f"{name}-alone", cwd=tmp_path))
    (tmp_path / "script.py").write_text(IN_THREADS)
    done = subprocess.run(
        [sys.executable, "script.py", *names],
        cwd=tmp_path,
        env=environment(OPENBLAS_NUM_THREADS=None),
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in names:
        assert contents(tmp_path / name) == contents(tmp_path / f"{name}-alone"), name


def test_figures_drawn_in_threads_are_those_of_each_alone(tmp_path):
    """Settings of matplotlib are a process's; identifiers in an SVG follow from one of them."""
    results = []
    for seed in range(3):
        config = TWO_BLOCKS.replace("figures: []", f"seed: {seed}\nfigures: [gradient_profile]")
        (tmp_path / f"{seed}.yaml").write_text(config)
        results.append(harness.sweep(tmp_path / f"{seed}.yaml", out=tmp_path / f"r{seed}"))
    alone = [contents(one.path) for one in results]
    for _ in range(5):
        for one in results:
            removed(one.path / "figures")
        threads = [threading.Thread(target=one.draw) for one in results]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [contents(one.path) for one in results] == alone


def results_of(folder: Path, **changes: object) -> harness.Results:
    config = {
        "name": "tiny",
        "network": {"activation": "relu", "init": "he_normal", "depth": [1, 3], "width": [8, 9]},
        "replicates": 1,
        "figures": [],
    }
    return harness.sweep(config | changes, out=folder, fresh="seed" in changes)


@pytest.mark.parametrize("change", [{"seed": 1}, {"replicates": 2}], ids=["another", "more"])
@pytest.mark.parametrize("read", ["nothing", "networks", "layers", "sweep"])
def test_results_of_a_folder_that_was_swept_again_say_so(tmp_path, change, read):
    """What was read before is kept; what would be read now is of another sweep, and is not put beside it."""
    old = results_of(tmp_path / "r")
    for results in (old, harness.load(tmp_path / "r")):
        _ = results.networks if read == "nothing" else getattr(results, read)
    results_of(tmp_path / "r", **change)
    for ask in (lambda: old.read("layers"), old.summary, old.draw, lambda: old.read("networks", ["depth"])):
        with pytest.raises(ResultsError, match=r"r: .*(swept|changed) .*harness\.load"):
            ask()
    assert len(harness.load(tmp_path / "r").networks) == (8 if "replicates" in change else 4)


def test_results_of_a_folder_that_is_gone_say_so(tmp_path):
    old = results_of(tmp_path / "r")
    _ = old.networks
    shutil.rmtree(tmp_path / "r")
    with pytest.raises(HarnessError):
        _ = old.layers


# Files of the user's --------------------------------------------------------------------------------------------------

MINE = {
    "layers/notes.txt": b"mine",
    "layers/mine.parquet": b"mine",
    "layers/.hidden": b"mine",
    "networks/notes.md": b"mine",
    "networks/mine.parquet": b"mine",
    "networks/normal-i8-w8-000-0000000-0000002 (copy).parquet": b"mine",
    "networks/folder/mine.csv": b"mine",
    "figures/mine.png": b"mine",
    "figures/mine.svg": b"mine",
    "figures/.draft.aside": b"mine",
    ".draft.aside": b"mine",
    "notes.txt": b"mine",
}


@pytest.mark.parametrize("fresh", [(), ("--fresh",)], ids=["again", "fresh"])
def test_files_that_are_not_ours_are_left_named_and_not_read(swept, tmp_path, fresh):
    shutil.copytree(swept / "base", tmp_path / "m")
    for name, content in MINE.items():
        (tmp_path / "m" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "m" / name).write_bytes(content)
    shown = good(forked("show", swept / "base", cwd=tmp_path))
    assert forked("show", "m", cwd=tmp_path).stdout == shown
    done = forked("sweep", swept / "c.yaml", "--out", "m", *fresh, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {name: (tmp_path / "m" / name).read_bytes() for name in MINE if (tmp_path / "m" / name).exists()} == MINE
    for name in ("layers/notes.txt", "networks/mine.parquet"):
        assert name in done.stderr, done.stderr
    ours = {name: content for name, content in contents(tmp_path / "m").items() if name not in MINE}
    assert ours == contents(swept / "base")
    assert forked("show", "m", cwd=tmp_path).stdout == shown


def test_fresh_removes_the_figures_of_the_sweep_before(tmp_path):
    (tmp_path / "c.yaml").write_text(TWO_BLOCKS.replace("[]", "[gradient_profile]"))
    good(forked("sweep", "c.yaml", "--out", "r", cwd=tmp_path))
    assert sorted(path.name for path in (tmp_path / "r/figures").iterdir()) == [
        "gradient_profile.png",
        "gradient_profile.svg",
    ]
    good(forked("sweep", "c.yaml", "--out", "r", "--set", "figures=[]", "--fresh", cwd=tmp_path))
    assert not any((tmp_path / "r").rglob("gradient_profile*"))
