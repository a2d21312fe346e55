"""A sweep that grows: only new networks are computed, and the folder becomes, byte for byte, that of a fresh run."""

import shutil

import pytest
from command import part_files

import harness
from harness.base.errors import ResultsError
from harness.execution import driver
from harness.execution.dispatch import Resources
from harness.results.diff import IDENTICAL, diff
from harness.results.environment import made_with
from harness.results.folder import BEFORE
from harness.study.sweep import prepare

SMALL = {
    "name": "grown",
    "network": {
        "activation": ["relu", "tanh"],
        "init": {"name": "normal", "sigma_w": [1, 2]},
        "depth": [1, 4],
        "width": [5, 6],
    },
    "data": {"batch": 3},
    "replicates": 3,
    "figures": [],
}
SINGLE = {"activation": "relu", "init": "he_normal", "depth": {"from": 2, "to": 4, "steps": 3}, "width": 5}


def with_network(**changes):
    return SMALL | {"network": SMALL["network"] | changes}


GROWN = {
    "activation": (with_network(activation=["sigmoid", "relu", "linear", "tanh"]), 16 * 3),
    "a range": (with_network(depth={"from": 1, "to": 7, "steps": 7}), 8 * 5 * 3),
    "a new axis": (with_network(weight_scale=[1, 0.5], bias_scale=[None, 0.25]), 48 * 3),
    "cases": (SMALL | {"cases": [{}, {"init": "xavier_normal", "width": 5}]}, 4 * 3),
    "replicates": (SMALL | {"replicates": 5}, 16 * 2),
    "depth and replicates": (with_network(depth=[1, 3, 4]) | {"replicates": 5}, 16 * 2 + 8 * 5),
}


def swept(config, folder, drop=False):
    """Run a sweep without figures. Returns the number of networks that were computed."""
    prepared = prepare(config, out=folder, drop=drop).prepared
    driver.execute(prepared, Resources(1))
    return prepared.plan.networks


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("growth") / "small"
    assert swept(SMALL, folder) == 16 * 3
    return folder


def parts_of(folder):
    return {name: content for name, (*_, content) in part_files(folder).items()}


@pytest.mark.parametrize("grown, new", GROWN.values(), ids=GROWN.keys())
def test_only_new_networks_are_computed_and_every_byte_is_that_of_a_fresh_run(small, tmp_path, grown, new):
    shutil.copytree(small, tmp_path / "grown")
    assert swept(grown, tmp_path / "grown") == new
    swept(grown, tmp_path / "fresh")
    if grown["replicates"] == SMALL["replicates"]:  # more replicates of the same networks are blocks of their own
        assert parts_of(tmp_path / "grown") == parts_of(tmp_path / "fresh")
    both = [harness.load(tmp_path / name) for name in ("grown", "fresh")]
    assert diff(*both, 0).verdict == IDENTICAL
    assert not (tmp_path / "grown" / BEFORE).exists()


def test_bytes_do_not_depend_on_the_number_of_workers(small, tmp_path):
    grown, _ = GROWN["a range"]
    for workers in (1, 2):
        shutil.copytree(small, tmp_path / f"{workers}")
        driver.execute(prepare(grown, out=tmp_path / f"{workers}").prepared, Resources(workers))
    assert parts_of(tmp_path / "1") == parts_of(tmp_path / "2")


def test_what_is_no_longer_asked_for_is_named_and_removed_only_when_asked(small, tmp_path):
    folder, config = tmp_path / "grown", with_network(activation=["tanh", "linear"])
    shutil.copytree(small, folder)
    with pytest.raises(ResultsError) as caught:
        prepare(config, out=folder)
    assert str(caught.value) == (
        f"{folder} holds networks that this config no longer asks for:\n"
        "  relu, normal, width 5, depth 1\n"
        "  relu, normal, width 5, depth 4\n"
        "  relu, normal, width 6, depth 1\n"
        "  relu, normal, width 6, depth 4\n"
        "  relu, normal(sigma_w=2), width 5, depth 1\n"
        "  and 3 more\n"
        "remove them with --drop, ask for them again, or keep both with --out FOLDER"
    )
    assert parts_of(folder) == parts_of(small)
    assert swept(config, folder, drop=True) == 8 * 3
    swept(config, tmp_path / "fresh")
    assert parts_of(folder) == parts_of(tmp_path / "fresh")


@pytest.mark.parametrize("change", [{"seed": 1}, {"data": {"batch": 4}}, {"cost": "linear"}, {"record_layers": 2}])
def test_networks_under_other_settings_are_another_sweep(small, tmp_path, change):
    with pytest.raises(ResultsError, match="holds the results of another config:"):
        prepare(GROWN["a range"][0] | change, out=small)


def test_networks_of_which_none_was_asked_for_are_another_sweep(small):
    with pytest.raises(ResultsError, match="holds the results of another config:"):
        prepare(with_network(activation="sigmoid"), out=small)


@pytest.mark.parametrize("committed", [0, 1])
def test_a_change_that_is_interrupted_goes_on_where_it_was_or_back(small, tmp_path, monkeypatch, committed):
    """Whatever the folder was grown to, finished networks are not computed again."""
    grown, new = GROWN["a range"]
    folder = tmp_path / "grown"
    shutil.copytree(small, folder)

    def interrupted(*arguments):
        if len(part_files(folder / "networks")) == committed:
            raise KeyboardInterrupt
        return commit(*arguments)

    commit = driver.parts.commit
    monkeypatch.setattr(driver.parts, "commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        swept(grown, folder)
    monkeypatch.undo()
    shutil.copytree(folder, tmp_path / "back")
    assert prepare(SMALL, out=tmp_path / "back", drop=True).prepared.plan.networks == 0
    assert swept(SMALL, tmp_path / "back", drop=True) == 0
    assert parts_of(tmp_path / "back") == parts_of(small)
    assert swept(grown, folder) <= new
    swept(grown, tmp_path / "fresh")
    assert parts_of(folder) == parts_of(tmp_path / "fresh")


def test_a_damaged_part_is_computed_again(small, tmp_path):
    grown, new = GROWN["a range"]
    shutil.copytree(small, tmp_path / "grown")
    path = sorted((tmp_path / "grown" / "layers").glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="does not match its checksum; it is computed again"):
        assert swept(grown, tmp_path / "grown") > new
    swept(grown, tmp_path / "fresh")
    assert parts_of(tmp_path / "grown") == parts_of(tmp_path / "fresh")


def test_a_part_of_another_config_is_still_refused_by_name(small, tmp_path):
    shutil.copytree(small, tmp_path / "grown")
    swept(SMALL | {"seed": 1}, tmp_path / "other")
    for kind in ("layers", "networks"):
        path = sorted((tmp_path / "other" / kind).glob("*.parquet"))[0]
        shutil.copy(path, tmp_path / "grown" / kind)
    with pytest.raises(ResultsError, match="was not computed from the config in"):
        prepare(GROWN["a range"][0], out=tmp_path / "grown")


def test_networks_that_other_software_made_are_computed_again(tmp_path, monkeypatch):
    """The folder is mixed only when asked, and a grown sweep takes over nothing whose last digits may differ."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("harness.execution.dispatch.made_with", lambda: made_with() | {"numpy": "1.0"})
        swept(SMALL, tmp_path / "r")
    grown, _ = GROWN["a range"]
    with pytest.raises(ResultsError, match="were made with other software or on another processor"):
        prepare(grown, out=tmp_path / "r")
    prepared = prepare(grown, out=tmp_path / "r", mixed=True).prepared
    assert prepared.plan.networks == 8 * 7 * 3
    with pytest.warns(UserWarning, match="were made with other software"):
        driver.execute(prepared, Resources(1))
    swept(grown, tmp_path / "fresh")
    assert parts_of(tmp_path / "r") == parts_of(tmp_path / "fresh")
