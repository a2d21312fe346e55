"""Results that nothing disturbed, with which the tests of disturbances compare theirs. Tests only read them."""

from pathlib import Path

import pytest
from command import SLOW, forked, good, run
from disturbed import DRAWN, FOUR_BLOCKS
from faults import contents


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> Path:
    """A folder with configs, and their results: `four` and `drawn`."""
    folder = tmp_path_factory.mktemp("plain")
    for name, text in (("four", FOUR_BLOCKS), ("drawn", DRAWN)):
        (folder / f"{name}.yaml").write_text(text)
        good(forked("sweep", f"{name}.yaml", "--out", name, cwd=folder))
    return folder


@pytest.fixture(scope="session")
def slow(tmp_path_factory) -> dict[str, bytes]:
    """The contents of the results of SLOW."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "slow.yaml").write_text(SLOW)
    good(run("sweep", "slow.yaml", "--out", "r", cwd=folder))
    return contents(folder / "r")
