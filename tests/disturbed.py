"""What the tests of disturbed sweeps share: cases, configs, a changed start of processes, messages of one line."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from command import TINY, environment, said

SOAK = bool(os.environ.get("SOAK"))  # set by `make soak`: every case, many times

Case = TypeVar("Case")

FOUR_BLOCKS = TINY.replace("width: 8", "width: [8, 9, 10, 11]")
DRAWN = TINY.replace("[]", "[gradient_profile, attenuation_against_depth]")


def cases(every: Iterable[Case], *usual: Case) -> list[Case]:
    """Every case under `make soak`, and else the usual ones: a case that starts a command takes seconds."""
    every = list(every)
    assert all(case in every for case in usual)
    return every if SOAK else list(usual)


def with_code(folder: Path, code: str) -> dict[str, str]:
    """Changes to the environment of a command whose processes run that code at their start."""
    (folder / "startup").mkdir()
    (folder / "startup/sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join((str(folder / "startup"), environment()["PYTHONPATH"]))}


def assert_one_line(done: subprocess.CompletedProcess, code: int, *expected: str) -> None:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert len(said(done).splitlines()) == 1, done.stderr
    for words in expected:
        assert words in done.stderr, done.stderr
