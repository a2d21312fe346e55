"""The real command in a process of its own, for the tests that run it."""

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
    """This process's environment, where warnings are errors, the terminal's size is fixed; None removes a variable."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    ours = os.environ | {"PYTHONPATH": path, "PYTHONWARNINGS": "error", "COLUMNS": "200"} | changes
    return {key: value for key, value in ours.items() if value is not None}


def hears_interrupts() -> None:
    """What a child does first: a background job hands on that it ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(*arguments: object, cwd: Path, **changes: str | None) -> subprocess.Popen:
    """The command, started in a session of its own."""
    return subprocess.Popen(
        [*HARNESS, *map(str, arguments)], cwd=cwd, env=environment(**changes), text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hears_interrupts,
    )  # fmt: skip


def ended(process: subprocess.Popen, seconds: float = 60) -> subprocess.CompletedProcess:
    """What a started command said and how it ended."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        end_all(process)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def end_all(process: subprocess.Popen) -> None:
    """End a started command and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def run(*arguments: object, cwd: Path, **changes: str | None) -> subprocess.CompletedProcess:
    """The command, run to its end."""
    return ended(start(*arguments, cwd=cwd, **changes))


@cache
def _imported() -> subprocess.Popen:
    """The process that commands are forked from."""
    process = subprocess.Popen([sys.executable, ROOT / "tests/forked.py"], env=environment(OPENBLAS_NUM_THREADS="1"),
                               text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    atexit.register(process.communicate)  # closes its input, at which it ends
    return process


def forked(*arguments: object, cwd: Path, **changes: str) -> subprocess.CompletedProcess:
    """As `run`, but for the second of imports: in a process forked from one that has made them.

    For what a command says and writes. How it starts, how it ends by a signal, its workers, and what surrounds it
    (terminal, locale, threads) is for `run` and `start`.
    """
    print(json.dumps([[*map(str, arguments)], str(cwd), changes]), file=_imported().stdin, flush=True)
    return subprocess.CompletedProcess(arguments, *json.loads(_imported().stdout.readline()))


MEASURE = """
import json, os, resource, sys
into, *command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # whoever waits may be killed; what is started ends all the same
_, status, used = os.wait4(os.spawnv(os.P_NOWAIT, command[0], command), 0)
with open(into, "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024], file)
"""


def measured(*command: object, cwd: Path) -> tuple[subprocess.CompletedProcess, float, float]:
    """A command's end, the seconds of processor time it took, and its largest size in MB, by the kernel's count.

    Started from a small process: a child's largest size begins with that of what it was forked from.
    """
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "used"
        done = subprocess.run([sys.executable, "-S", "-c", MEASURE, into, *map(str, command)], cwd=cwd, check=True,
                              env=environment(), stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)  # fmt: skip
        code, seconds, megabytes = json.loads(into.read_text())
    return subprocess.CompletedProcess(command, code, done.stdout), seconds, megabytes


def blas_kernels(**changes: str) -> str:
    """What numpy's BLAS itself says of its kernels in such an environment."""
    ask = "import numpy, threadpoolctl; print([one.get('architecture') for one in threadpoolctl.threadpool_info()])"
    return subprocess.check_output([sys.executable, "-c", ask], env=environment(**changes), text=True)


def commands(*asked: tuple, cwd: Path) -> list[tuple[int, str, str]]:
    """Forked commands, one after the other; (arguments, {variable: value}) or arguments alone."""
    listed = [one if isinstance(one[-1], dict) else (one, {}) for one in asked]
    done = [forked(*arguments, cwd=cwd, **changes) for arguments, changes in listed]
    return [(one.returncode, one.stdout, one.stderr) for one in done]


def said(done: subprocess.CompletedProcess) -> str:
    """What a command said on stderr but for its progress, which comes every 10 s and so where the machine is slow."""
    return re.sub(r"^[\d,]+ of [\d,]+ networks.*\n", "", done.stderr, flags=re.MULTILINE)


def good(done: subprocess.CompletedProcess) -> str:
    """What a command printed that was to end well and without a word on stderr."""
    assert (done.returncode, said(done)) == (0, "")
    return done.stdout


def files(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file under a folder with its inode, its time and its bytes."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def parts(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """The parquet parts of a results folder, as `files` gives them."""
    return {name: kept for name, kept in files(folder).items() if name.endswith(".parquet")}


def alive(group: int) -> list[str]:
    """The processes of a group that still run."""
    listing = ["ps", "-ww", "-A", "-o", "pgid=,stat=,args="]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return [args for pgid, stat, args in rows if pgid == str(group) and not stat.startswith("Z")]


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether a condition comes to hold in so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
