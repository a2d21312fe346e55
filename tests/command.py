"""Run the real command in a process of its own."""

import atexit
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
HARNESS = [sys.executable, "-m", "harness"]

TINY = """\
name: tiny
network: {activation: [relu, sigmoid], init: he_normal, depth: [1, 3], width: 8}
data: {batch: 4}
replicates: 2
figures: []
"""


SLOW = """\
name: slow
network: {activation: tanh, init: orthogonal, depth: 60, width: {from: 96, to: 131, steps: 8}}
data: {batch: 32}
replicates: 8
figures: []
"""


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with changes; None removes a variable. Warnings are errors, the width is fixed."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    variables = os.environ | {"PYTHONPATH": path, "PYTHONWARNINGS": "error", "COLUMNS": "200"} | changes
    return {key: value for key, value in variables.items() if value is not None}


def hears_signals() -> None:
    """Let a child hear Ctrl-C and a terminal that closes: a background job would pass on that it ignores them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def start(*arguments: object, cwd: Path, **changes: str | None) -> subprocess.Popen:
    """Start the command in a session of its own."""
    return subprocess.Popen(
        [*HARNESS, *map(str, arguments)],
        cwd=cwd,
        env=environment(**changes),
        text=True,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hears_signals,
    )


def ended(process: subprocess.Popen, seconds: float = 180) -> subprocess.CompletedProcess:
    """Wait for a started command. Returns its output and its exit code."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        end_all(process)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def end_all(process: subprocess.Popen) -> None:
    """Kill a started command and all processes that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def run(*arguments: object, cwd: Path, **changes: str | None) -> subprocess.CompletedProcess:
    """Run the command to its end."""
    return ended(start(*arguments, cwd=cwd, **changes))


@cache
def _imported() -> subprocess.Popen:
    """The process that commands are forked from, with everything imported."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests/forked.py"],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(process.communicate)  # closes its input, at which it ends
    return process


def forked(*arguments: object, cwd: Path, **changes: str) -> subprocess.CompletedProcess:
    """Run the command in a process forked from one that has imported everything, which saves a second.

    Use it to test what a command prints and writes. Use `run` and `start` to test how it starts, how a signal ends it,
    its workers, and its surroundings (terminal, locale, threads).
    """
    print(json.dumps([[*map(str, arguments)], str(cwd), changes]), file=_imported().stdin, flush=True)
    return subprocess.CompletedProcess(arguments, *json.loads(_imported().stdout.readline()))


MEASURE = """
import json, os, resource, sys
into, *command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # the command ends even where this process is killed
_, status, used = os.wait4(os.spawnv(os.P_NOWAIT, command[0], command), 0)
with open(into, "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024], file)
"""


def measured(*command: object, cwd: Path) -> tuple[subprocess.CompletedProcess, float, float]:
    """Run a command. Returns its end, its processor time in seconds, and its peak memory in MB, as the kernel counts.

    It is started from a small process: the peak of a child begins with the size of the process it was forked from.
    """
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "used"
        done = subprocess.run(
            [sys.executable, "-S", "-c", MEASURE, into, *map(str, command)],
            cwd=cwd,
            check=True,
            env=environment(),
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        code, seconds, megabytes = json.loads(into.read_text())
    return subprocess.CompletedProcess(command, code, done.stdout), seconds, megabytes


def blas_kernels(**changes: str) -> str:
    """The kernels that numpy's BLAS uses in an environment, as it reports them."""
    ask = "import numpy, threadpoolctl; print([one.get('architecture') for one in threadpoolctl.threadpool_info()])"
    return subprocess.check_output([sys.executable, "-c", ask], env=environment(**changes), text=True)


def commands(*asked: tuple, cwd: Path) -> list[tuple[int, str, str]]:
    """Run forked commands one after the other, each given as arguments or as (arguments, {variable: value})."""
    listed = [command if isinstance(command[-1], dict) else (command, {}) for command in asked]
    done = [forked(*arguments, cwd=cwd, **changes) for arguments, changes in listed]
    return [(command.returncode, command.stdout, command.stderr) for command in done]


def said(done: subprocess.CompletedProcess) -> str:
    """The stderr of a command without its lines of progress, which a slow machine prints every 10 s."""
    return re.sub(r"^[\d,]+ of [\d,]+ networks.*\n", "", done.stderr, flags=re.MULTILINE)


def good(done: subprocess.CompletedProcess) -> str:
    """The stdout of a command, which must exit with 0 and print nothing on stderr."""
    assert (done.returncode, said(done)) == (0, "")
    return done.stdout


def files(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file under a folder: its path, with its inode, its time and its bytes.

    A running command may rename or remove a file while the folder is read; such a file is left out.
    """
    found = {}
    for path in filter(Path.is_file, sorted(folder.rglob("*"))):
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            found[str(path.relative_to(folder))] = (path.stat().st_ino, path.stat().st_mtime_ns, content)
    return found


def part_files(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """The parquet parts of a results folder, as `files` gives them."""
    return {name: kept for name, kept in files(folder).items() if name.endswith(".parquet")}


def alive(group: int) -> list[str]:
    """The command lines of the processes of a group that still run."""
    listing = ["ps", "-ww", "-A", "-o", "pgid=,stat=,args="]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return [args for pgid, stat, args in rows if pgid == str(group) and not stat.startswith("Z")]


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether a condition holds at some time within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
