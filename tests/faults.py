"""What the tests of faults share: how a folder of results is compared, and processes with a fault of their own."""

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
    """Every file of a results folder but the manifest, which has times in it."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name not in ("manifest.json", ".lock")}


def config_in(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def blocks_done(folder: Path) -> int:
    return len(list((folder / "networks").glob("[!.]*.parquet")))


# Python runs a file of this name at its start. FAULT=kill:33 has a block of width 33 kill the process that computes it,
# raise:33 has it trip, open:NAME has a file that cannot be opened.
SITECUSTOMIZE = """
import functools, os, signal, sys
import harness.run as run

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
    """Changes to the environment of a command, whose processes then have that fault."""
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return {"PYTHONPATH": os.pathsep.join((str(folder), environment()["PYTHONPATH"])), "FAULT": fault}
