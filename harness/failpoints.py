"""Places where a test lets the process die as if the machine had: SIGKILL, at a named step of writing a file.

Off unless the environment variable HARNESS_FAILPOINT names one, such as `layers-renamed`.
"""

import os
import signal

VARIABLE = "HARNESS_FAILPOINT"


def failpoint(name: str) -> None:
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
