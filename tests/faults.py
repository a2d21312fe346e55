"""Shared by the tests of faults: comparing results folders, and processes with a planted fault."""

import os
from pathlib import Path

from command import environment

# 16 blocks of about a hundredth of a second each, with two parts to write.
SMALL = """\
name: small
network: {activation: [relu, tanh], init: he_normal, depth: [1, 20], width: {from: 30, to: 45, steps: 16}}
data: {batch: 32}
replicates: 3
figures: []
"""
BLOCKS = 16


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a results folder with its bytes, except the manifest, which holds times, and the report.

    The command writes a report and `harness.sweep` does not; tests of its own compare its bytes.
    """
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name not in ("manifest.json", ".lock", "report.html")}


def config_in(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def blocks_done(folder: Path) -> int:
    return len(list((folder / "networks").glob("[!.]*.parquet")))


# Python runs a file of this name when it starts. With FAULT=kill:33 a block of width 33 kills the process that computes
# it, with raise:33 it raises an error, and with open:NAME a file of that name cannot be opened.
SITECUSTOMIZE = """
import functools, os, signal, sys
import harness.execution.block as run

what, _, width = os.environ["FAULT"].partition(":")
run_block = run.run_block

@functools.wraps(run_block)
def faulty(block, *arguments):
    if str(block.specs[0].width) == width:
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("a mistake of ours")
    return run_block(block, *arguments)

def refuse(event, arguments):
    if event == "open" and str(arguments[0]).endswith(width):
        raise PermissionError(arguments[0])

if what == "open":
    sys.addaudithook(refuse)
else:
    run.run_block = faulty
"""


def with_fault(folder: Path, fault: str) -> dict[str, str]:
    """Changes to the environment of a command that plant a fault in all of its processes."""
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return {"PYTHONPATH": os.pathsep.join((str(folder), environment()["PYTHONPATH"])), "FAULT": fault}
