"""Real file systems that are not like most: one that ignores case, one that is made read-only under a sweep."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import ended, forked, good, said, start, within
from disturbed import DRAWN
from faults import blocks_done, contents

# How to make a file system that ignores case, and ways to mount it: the kernel's, and one of a user process.
IGNORING_CASE = {
    "mkfs.vfat": (["mount", "-t", "vfat"],),
    "mkfs.exfat": (["mount", "-t", "exfat"], ["mount.exfat-fuse"]),
}


@pytest.fixture
def ignoring_case(tmp_path) -> Iterator[Path]:
    """The folder of a file system that ignores case."""
    image, place = tmp_path / "image", tmp_path / "m"
    place.mkdir()
    image.touch()
    os.truncate(image, 2**26)
    device = subprocess.run(["losetup", "--show", "-f", image], capture_output=True, text=True)
    if device.returncode:
        pytest.skip(f"no loop device is permitted here: {device.stderr.strip()}")
    loop = device.stdout.strip()
    try:
        for make, mounts in IGNORING_CASE.items():
            if shutil.which(make) and not subprocess.run([make, image], capture_output=True).returncode:
                usable = [mount for mount in mounts if shutil.which(mount[0])]
                if any(not subprocess.run([*mount, loop, place], capture_output=True).returncode for mount in usable):
                    break
        else:
            pytest.skip("no file system that ignores case can be mounted here (vfat, exfat)")
        yield place
        subprocess.run(["umount", "-l", place], check=True)
    finally:
        subprocess.run(["losetup", "-d", loop], check=False)


@pytest.mark.slow
def test_a_file_system_that_ignores_case_is_swept_and_one_folder_has_one_config(plain, ignoring_case):
    (ignoring_case / "c.yaml").write_text(DRAWN)
    good(forked("sweep", "c.yaml", "--out", "Runs", cwd=ignoring_case))
    assert contents(ignoring_case / "Runs") == contents(plain / "drawn")
    assert [path.name for path in ignoring_case.iterdir() if path.is_dir()] == ["Runs"]
    other = forked("sweep", "c.yaml", "--set", "seed=1", "--out", "RUNS", cwd=ignoring_case)  # the same folder
    assert (other.returncode, other.stdout) == (2, "") and "RUNS holds the results of another config" in other.stderr
    assert contents(ignoring_case / "Runs") == contents(plain / "drawn")


@pytest.mark.slow
def test_a_file_system_cannot_be_made_read_only_under_a_sweep_or_its_end_is_said(tmp_path):
    """Linux refuses while the sweep holds its lock, an open file; afterwards, only the report can be missing."""
    place = tmp_path / "m"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"mounting is not permitted here: {mount.stderr.strip()}")
    try:
        (place / "c.yaml").write_text(DRAWN)
        process = start("sweep", "c.yaml", "--out", "r", cwd=place)
        assert within(60, lambda: blocks_done(place / "r"))
        while process.poll() is None:
            if not subprocess.run(["mount", "-o", "remount,ro", place], capture_output=True).returncode:
                break
        done = ended(process)
        if done.returncode:
            assert done.returncode == 1 and len(said(done).splitlines()) == 1, done.stderr
            assert "cannot be written: Read-only file system" in done.stderr
        assert blocks_done(place / "r") == 1
    finally:
        subprocess.run(["umount", "-l", place], check=True)
