"""What this machine lets a process have: memory, with the limits that containers and batch systems set."""

import os
import re
from pathlib import Path

SHARE = 0.8  # of what there is; the rest is the system's, the driver's, and its caches'
CGROUPS = Path("/sys/fs/cgroup")
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def memory_limit() -> int:
    """Bytes that sweeps may take of this machine unless told otherwise: a share of what it has, or its cgroup."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(SHARE * min([there, *_cgroup_limits()]))


def bytes_of(text: str) -> int:
    """`1.5GB`, `800MiB` or a plain number of bytes. Raises ValueError for anything else, and for nothing at all."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(?:([kmgt]i?)b?|b)?", text.strip().lower())
    number = int(float(found[1]) * UNITS[found[2] or ""]) if found else 0
    if number <= 0:
        raise ValueError(f"{text!r} is no amount of memory; write for example 4GB or 800MB")
    return number


def _cgroup_limits(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Limits of this process's cgroup and those above it, of either version of cgroups."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []  # not Linux
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        folder = top / path.lstrip("/")
        for place in (folder, *folder.parents):
            if place == top or top in place.parents:
                limits += _number(place / name)
    return limits


def _number(path: Path) -> list[int]:
    try:
        return [int(path.read_text())]
    except (OSError, ValueError):  # no such limit, or `max`
        return []
