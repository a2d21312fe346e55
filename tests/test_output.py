"""Output that cannot be written, and signals, around a sweep. docs/reliability.md has the table."""

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import time

import pytest
from command import (
    HARNESS,
    SLOW,
    alive,
    ended,
    environment,
    good,
    run,
    said,
    start,
    within,
)
from disturbed import cases, with_code
from faults import blocks_done, contents
from outputs import BAD_OUTPUT, OFTEN, full, with_output

# Output that cannot be written ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("output", cases(BAD_OUTPUT, "vanished", "unread"))
@pytest.mark.parametrize("workers", cases([1, 2], 2))
def test_progress_that_cannot_be_written_stops_no_sweep(tmp_path, slow, output, workers):
    (tmp_path / "slow.yaml").write_text(SLOW)
    with BAD_OUTPUT[output]() as err:
        command = ("sweep", "slow.yaml", "--out", "r", "--workers", workers)
        code, out, _ = with_output(command, tmp_path, subprocess.PIPE, err, **with_code(tmp_path, OFTEN))
    assert code == 0
    assert b"tables: r/layers" in out
    assert contents(tmp_path / "r") == slow


@pytest.mark.parametrize("output", ["full", "vanished"])
def test_notes_that_cannot_be_written_stop_no_sweep(tmp_path, plain, output):
    shutil.copytree(plain / "four", tmp_path / "r")
    next((tmp_path / "r/networks").glob("*.parquet")).write_bytes(b"damaged")
    with BAD_OUTPUT[output]() as err:
        code, _, _ = with_output(("sweep", plain / "four.yaml", "--out", "r"), tmp_path, subprocess.PIPE, err)
    assert code == 0
    assert contents(tmp_path / "r") == contents(plain / "four")


@pytest.mark.parametrize("output", ["full", "vanished"])
def test_a_summary_that_cannot_be_written_is_said_in_one_line(tmp_path, plain, output):
    """The sweep is done, which is what its exit code says."""
    with BAD_OUTPUT[output]() as out:
        command = ("sweep", plain / "drawn.yaml", "--out", "r")
        code, _, err = with_output(command, tmp_path, out, subprocess.PIPE)
    assert (code, len(err.splitlines())) == (0, 1), err
    assert b"standard output" in err
    assert contents(tmp_path / "r") == contents(plain / "drawn")


@pytest.mark.parametrize(
    "command",
    [
        ("show", "four"),
        ("plot", "drawn"),
        ("diff", "four", "four"),
        ("list",),
        ("schema",),
        ("--version",),
        ("--help",),
        ("sweep", "four.yaml", "--dry-run"),
    ],
)
def test_a_command_whose_answer_cannot_be_written_fails_in_one_line(plain, command):
    with full() as out:
        code, _, err = with_output(command, plain, out, subprocess.PIPE)
    assert (code, len(err.splitlines())) == (1, 1), err
    assert b"standard output cannot be written: No space left on device" in err


def test_nothing_to_write_to_at_all_stops_no_sweep(tmp_path, plain):
    with full() as none:
        code, _, _ = with_output(("sweep", plain / "four.yaml", "--out", "r"), tmp_path, none, none)
    assert code == 0
    assert contents(tmp_path / "r") == contents(plain / "four")


# Signals --------------------------------------------------------------------------------------------------------------

ENDS = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGQUIT: 131, signal.SIGINT: 130}


@pytest.mark.slow
@pytest.mark.parametrize("whom", cases(["driver", "group"], "driver"))
@pytest.mark.parametrize("workers", cases([1, 2], 2))
@pytest.mark.parametrize("number", cases(ENDS, signal.SIGTERM, signal.SIGHUP), ids=lambda number: number.name)
def test_a_signal_ends_a_sweep_as_ctrl_c_does_with_its_own_exit_code(tmp_path, number, workers, whom):
    (tmp_path / "slow.yaml").write_text(SLOW)
    warnings = "error,ignore::ResourceWarning"  # Python's own, of a file that the signal finds half opened
    process = start("sweep", "slow.yaml", "--out", "r", "--workers", workers, cwd=tmp_path, PYTHONWARNINGS=warnings)
    assert within(60, lambda: blocks_done(tmp_path / "r"))
    began = time.monotonic()
    os.kill(process.pid, number) if whom == "driver" else os.killpg(process.pid, number)
    done = ended(process)
    assert time.monotonic() - began < 8
    assert (done.returncode, done.stdout) == (ENDS[number], ""), done.stderr
    assert said(done).endswith("; finished blocks are kept: run the same command again to go on\n"), done.stderr
    assert len(said(done).splitlines()) == 1
    assert within(5, lambda: not alive(process.pid)), alive(process.pid)
    assert not [*(tmp_path / "r").rglob("*.aside")]


@pytest.mark.slow
def test_a_sweep_that_is_to_ignore_a_closed_terminal_does(tmp_path, slow):
    """As under nohup."""
    (tmp_path / "slow.yaml").write_text(SLOW)
    process = subprocess.Popen(
        [*HARNESS, "sweep", "slow.yaml", "--out", "r"],
        cwd=tmp_path,
        env=environment(),
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert within(60, lambda: blocks_done(tmp_path / "r"))
    os.killpg(process.pid, signal.SIGHUP)
    good(ended(process))
    assert contents(tmp_path / "r") == slow


@pytest.mark.slow
@pytest.mark.parametrize("number", cases(ENDS, signal.SIGTERM), ids=lambda number: number.name)
def test_a_signal_leaves_the_terminal_with_its_cursor(tmp_path, number):
    (tmp_path / "slow.yaml").write_text(SLOW)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        command = [*HARNESS, "sweep", "slow.yaml", "--out", "r", "--workers", "1"]
        os.execve(sys.executable, command, environment(TERM="xterm", LINES="40"))
    os.set_blocking(terminal, False)
    received = b""

    def read() -> bool:
        nonlocal received
        with contextlib.suppress(OSError):
            received += os.read(terminal, 65536)
        return blocks_done(tmp_path / "r") > 0 and b"\x1b[?25l" in received

    assert within(60, read)
    os.kill(pid, number)
    status = 0

    def has_ended() -> bool:
        nonlocal status
        read()
        ended_pid, status = os.waitpid(pid, os.WNOHANG)
        return ended_pid == pid

    assert within(10, has_ended)
    read()
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == ENDS[number]
    assert b"\x1b[?25h" in received.rpartition(b"\x1b[?25l")[2]


@pytest.mark.parametrize("number", cases(ENDS, signal.SIGHUP, signal.SIGINT), ids=lambda number: number.name)
def test_a_signal_while_all_is_being_imported_has_its_exit_code(tmp_path, plain, number):
    code = "import os, signal\nimport sys\nclass Sends:\n    def find_spec(self, name, path, target=None):\n"
    code += f"        if name == 'harness.execution.driver': os.kill(os.getpid(), {int(number)})\n"
    code += "sys.meta_path.insert(0, Sends())\n"
    done = run("sweep", plain / "four.yaml", "--out", "r", cwd=tmp_path, **with_code(tmp_path, code))
    assert (done.returncode, done.stdout) == (ENDS[number], ""), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", [None, "1"])
def test_a_message_that_is_left_in_a_buffer_at_exit_is_written(tmp_path, unbuffered):
    """Python flushes its streams at the very end, when no thread runs any more."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from harness.interface.output import StandardStreams\n"
            "streams = StandardStreams(); sys.stderr.write('no end of line')",
        ],
        cwd=tmp_path,
        env=environment(PYTHONUNBUFFERED=unbuffered),
        text=True,
        capture_output=True,
        timeout=20,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no end of line")
