"""The memory that a sweep may plan with."""

import os
from pathlib import Path

import pytest

from harness.execution.pools import machine


@pytest.mark.parametrize(
    "text, expected",
    [
        ("4GB", 4e9),
        ("4g", 4e9),
        ("1.5 GB", 1.5e9),
        ("800MiB", 800 * 2**20),
        ("2e", None),
        ("512", 512),
        ("7b", 7),
        (".5k", 500),
        ("0", None),
        ("0.0GB", None),
        ("-1GB", None),
        ("", None),
        ("GB", None),
        ("1e9", None),
        ("nan", None),
    ],
)
def test_amounts_of_memory(text, expected):
    if expected is None:
        with pytest.raises(ValueError, match="not an amount of memory; write for example 4GB"):
            machine.bytes_of(text)
    else:
        assert machine.bytes_of(text) == expected


def test_a_share_of_what_there_is():
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 2**26 < machine.memory_limit() <= machine.SHARE * there


def laid_out(folder: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """The folder of the cgroups and the file that names those of this process, with this content."""
    for name, text in files.items():
        (folder / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup" / name).write_text(text)
    (folder / "self").write_text(own)
    return folder / "cgroup", folder / "self"


@pytest.mark.parametrize(
    "own, files, expected",
    [
        ("0::/a/b\n", {"a/memory.max": "3000\n", "a/b/memory.max": "max\n", "memory.max": "9000\n"}, [3000, 9000]),
        ("5:cpu,memory:/job\n1:name=systemd:/x\n", {"memory/job/memory.limit_in_bytes": "77\n"}, [77]),
        ("3:cpu:/job\n", {"memory/job/memory.limit_in_bytes": "77\n"}, []),
        ("0::/\n", {}, []),
    ],
)
def test_the_limits_of_a_cgroup_and_those_above_it(tmp_path, own, files, expected):
    """Of version 2 (one line `0::`) and version 1 (a line a controller), laid out as the kernel does."""
    assert machine._cgroup_limits(*laid_out(tmp_path, own, files)) == expected


def test_where_there_are_no_cgroups(tmp_path):
    assert machine._cgroup_limits(tmp_path, tmp_path / "self") == []


@pytest.mark.parametrize(
    "own, files, expected",
    [
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n", "cpu.max": "max\n"}, [1.5]),
        (
            "4:cpu,cpuacct:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"}
            | {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            [0.5],
        ),
        ("3:memory:/job\n", {"cpu/job/cpu.cfs_quota_us": "50000\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, []),
    ],
)
def test_the_quotas_of_a_cgroup_and_those_above_it(tmp_path, own, files, expected):
    assert machine._cgroup_quotas(*laid_out(tmp_path, own, files)) == expected


def test_cores_are_within_the_quota_and_at_least_one(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(96)), raising=False)
    for quotas, expected in (([], 96), ([2.0], 2), ([1.5, 8.0], 2), ([0.1], 1), ([200.0], 96)):
        monkeypatch.setattr(machine, "_cgroup_quotas", lambda found=quotas: found)
        assert machine.cores() == expected
