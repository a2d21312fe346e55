"""The cores and the memory that this machine gives a process, within the limits of containers and batch systems."""

import os
import re
from collections.abc import Iterator
from math import ceil, inf
from pathlib import Path

SHARE = 0.8  # of the memory there is; the rest is left to the system, the driver and the caches of files
CGROUPS = Path("/sys/fs/cgroup")
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def memory_limit() -> int:
    """Bytes that a sweep may take by default: a share of this machine's memory, or of the limit of its cgroup."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(SHARE * min([physical, *_cgroup_limits()]))


def bytes_of(text: str) -> int:
    """Bytes, of a text such as `1.5GB`, `800MiB` or `1000`. Raises ValueError for anything else, and for 0."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(?:([kmgt]i?)b?|b)?", text.strip().lower())
    number = int(float(found[1]) * UNITS[found[2] or ""]) if found else 0
    if number <= 0:
        raise ValueError(f"{text!r} is not an amount of memory; write for example 4GB or 800MB")
    return number


def out_of_memory_kills() -> int:
    """Number of processes that the Linux kernel has killed for lack of memory; 0 where it is not known."""
    try:
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    except OSError:
        return 0
    return int(counts.get("oom_kill", 0))


def processor_seconds(pid: int | None) -> float:
    """Seconds of processor time of a process that runs, or that has ended and whose exit code nobody has asked for.

    Infinite where they are not known, as on systems without /proc.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # the name may hold anything
    except OSError:
        return inf
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, fields 14 and 15


def cores() -> int:
    """Number of cores that this process may use, within its affinity and the quotas of its cgroup."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([usable, *(ceil(quota) for quota in _cgroup_quotas())]))


def _cgroup_limits(root: Path = CGROUPS, membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Memory limits, in bytes, of this process's cgroup and those above it, of either version of cgroups."""
    limits: list[int] = []
    for place, first in _cgroup_folders("memory", root, membership):
        limits += map(int, _numbers(place / ("memory.limit_in_bytes" if first else "memory.max")))
    return limits


def _cgroup_quotas(root: Path = CGROUPS, membership: Path = Path("/proc/self/cgroup")) -> list[float]:
    """Quotas of processor time, in cores, of this process's cgroup and those above it, of either version of cgroups."""
    quotas: list[float] = []
    for place, first in _cgroup_folders("cpu", root, membership):
        if first:  # a quota of -1 is none
            found = [*_numbers(place / "cpu.cfs_quota_us"), *_numbers(place / "cpu.cfs_period_us")]
        else:
            found = _numbers(place / "cpu.max")
        if len(found) == 2 and min(found) > 0:
            quotas.append(found[0] / found[1])
    return quotas


def _cgroup_folders(controller: str, root: Path, membership: Path) -> Iterator[tuple[Path, bool]]:
    """The folders of a controller of this process's cgroup and of those above it, and whether each is of version 1."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return  # not Linux
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controller if controllers else root
        folder = top / path.lstrip("/")
        for place in (folder, *folder.parents):
            if place == top or top in place.parents:
                yield place, bool(controllers)


def _numbers(path: Path) -> list[float]:
    """The numbers in a file, if it holds nothing else; `max` stands for no limit."""
    try:
        return [float(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
