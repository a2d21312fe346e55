"""A script that runs commands, each in a process forked from this one, which has imported everything.

That saves each command a second of imports. The script reads a line of JSON for each command, [arguments, folder,
{variable: value}], and answers with a line, [exit code or minus the signal, standard output, standard error]. It ends
when its standard input does.
"""

import json
import os
import signal
import sys
import tempfile
import traceback
import warnings

import rich.console
import rich.table

import harness.figures.kit.page
import harness.figures.kit.pairs
import harness.results.reader
import harness.study.verdicts
from harness.execution import driver
from harness.interface import commands

SECONDS = 60  # SIGALRM ends a command after this time


def command(arguments: list[str], folder: str, changes: dict[str, str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with warnings.catch_warnings():
            # Python 3.12 and newer warn of threads: pyarrow has one, of its memory pool, that lets itself be forked
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)
            os.setsid()
            os.chdir(folder)
            for place, file in enumerate((os.open(os.devnull, os.O_RDONLY), out.fileno(), err.fileno())):
                os.dup2(file, place)
            os.environ.update(changes)
            os._exit(code_of(arguments))
        _, status = os.waitpid(child, 0)
        said = [file.seek(0) or file.read().decode() for file in (out, err)]
        return os.waitstatus_to_exitcode(status), *said


def code_of(arguments: list[str]) -> int:
    sys.argv = ["harness", *arguments]
    try:
        commands.main()
    except SystemExit as ended:
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    assert driver and harness and rich  # imported here, and so in every child
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        print(json.dumps(command(*json.loads(line))), flush=True)
