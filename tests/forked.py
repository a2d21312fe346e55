"""Run as a script: commands one after the other, each in a process forked from this one, which has imported all of it.

That spares each the second of imports. Reads JSON from standard input, [[arguments, {variable: value}], …]; prints
JSON, [[exit code, or minus the signal, standard output, standard error], …].
"""

import json
import os
import signal
import sys
import tempfile
import traceback

import harness.figures.page
import harness.results
from harness import cli, driver


def command(arguments: list[str], changes: dict[str, str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.environ.update(changes)
            os._exit(code_of(arguments))
        _, status = os.waitpid(child, 0)
        said = [file.seek(0) or file.read().decode() for file in (out, err)]
        return os.waitstatus_to_exitcode(status), *said


def code_of(arguments: list[str]) -> int:
    sys.argv = ["harness", *arguments]
    try:
        cli.main()
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
    assert driver and harness.results  # imported, and so in every child
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(json.dumps([command(*asked) for asked in json.load(sys.stdin)]))
